//! Findings as people read them: the worst first, each rule once with all the places it was met at.

use std::collections::{HashMap, hash_map::Entry};

use twinlog_pair::doctor::{Finding, Rule, Severity, report::Report};

use crate::output::screen_width;

/// The narrowest screen that is laid out for.
const WIDTH_MIN: u16 = 60;
/// On wider screens lines get no longer: they would be hard to read.
const WIDTH_MAX: u16 = 110;
/// Where there is no terminal to ask.
const WIDTH_DEFAULT: u16 = 100;
/// More places of one rule than this are counted and not listed.
const PLACES_MAX: usize = 20;
/// Code longer than this may be broken over lines.
const CODE_CHARS_MAX: usize = 50;

/// How wide a line may be, in characters.
pub(super) fn width() -> usize {
    screen_width()
        .unwrap_or(WIDTH_DEFAULT)
        .clamp(WIDTH_MIN, WIDTH_MAX)
        .into()
}

/// The whole report, with colours, which the printer takes out where they are not wanted.
pub(super) fn render(report: &Report, width: usize) -> String {
    let mut text = String::new();
    let mut rest = report.findings.as_slice();
    while let Some(first) = rest.first() {
        let count = rest
            .iter()
            .take_while(|finding| finding.code == first.code)
            .count();
        let (same, others) = rest.split_at(count);
        text += &group(same, width);
        text.push('\n');
        rest = others;
    }
    for silent in &report.silent {
        text += &format!(
            "\x1b[1;31mnot asked\x1b[0m  {}\n",
            wrap(&format!("{}: {}", silent.node, silent.error), width, 11)
        );
        if let Some(hint) = &silent.hint {
            text += &format!("           {}\n", wrap(hint, width, 11));
        }
        text.push('\n');
    }
    for unchecked in &report.unchecked {
        let line = format!("{}: {}: {}", unchecked.node, unchecked.what, unchecked.why);
        text += &format!("not looked at  {}\n\n", wrap(&line, width, 15));
    }
    text + &summary(report)
}

/// One rule's findings: its title once, its places, and why and what where they are the same for all.
fn group(findings: &[Finding], width: usize) -> String {
    let Some(first) = findings.first() else {
        return String::new();
    };
    let colour = match first.severity {
        Severity::Error => "\x1b[1;31m",
        Severity::Warning => "\x1b[1;33m",
        Severity::Info => "\x1b[1;36m",
    };
    let mut text = format!(
        "{colour}{:<7}\x1b[0m  \x1b[1m{}  {}\x1b[0m\n",
        first.severity.word(),
        first.code,
        wrap(first.title, width, 16)
    );
    let places = places(findings);
    for place in places.iter().take(PLACES_MAX) {
        text += &format!("  {}\n", wrap(place, width, 4));
    }
    if places.len() > PLACES_MAX {
        text += &format!(
            "  … and {} more; --json lists all\n",
            places.len() - PLACES_MAX
        );
    }
    text += &format!("  why: {}\n", wrap(first.why, width, 7));
    let mut told: Vec<&str> = Vec::new();
    for finding in findings.iter().take(PLACES_MAX) {
        if !told.contains(&finding.advice.as_str()) {
            told.push(&finding.advice);
            text += &format!("  do:  {}\n", wrap(&finding.advice, width, 7));
        }
    }
    text
}

/// `a, b: shop.log: no primary key`, one line for what is the same on several nodes.
fn places(findings: &[Finding]) -> Vec<String> {
    let mut seen: Vec<(Vec<&str>, &Finding)> = Vec::new();
    let mut known: HashMap<(&Option<String>, &str), usize> = HashMap::new();
    for finding in findings {
        let nodes = finding.nodes.iter().map(String::as_str);
        match known.entry((&finding.place, &finding.seen)) {
            Entry::Occupied(at) => seen[*at.get()].0.extend(nodes),
            Entry::Vacant(free) => {
                free.insert(seen.len());
                seen.push((nodes.collect(), finding));
            }
        }
    }
    seen.iter()
        .map(|(nodes, finding)| place(nodes, finding))
        .collect()
}

fn place(nodes: &[&str], finding: &Finding) -> String {
    let names = nodes.join(", ");
    match &finding.place {
        // A line of an option file names the file.
        Some(place) if is_line_of(place, &names) => format!("{place}: {}", finding.seen),
        Some(place) if !finding.seen.contains(place.as_str()) => {
            format!("{names}: {place}: {}", finding.seen)
        }
        _ => format!("{names}: {}", finding.seen),
    }
}

fn is_line_of(place: &str, path: &str) -> bool {
    place.rsplit_once(':').is_some_and(|(file, line)| {
        path.ends_with(file) && line.chars().all(|c| c.is_ascii_digit())
    })
}

fn summary(report: &Report) -> String {
    let counted = |count: usize, one: &str, many: &str| {
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
    };
    let counts: Vec<String> = [
        counted(report.errors, "error", "errors"),
        counted(report.warnings, "warning", "warnings"),
        counted(report.infos, "for your information", "for your information"),
        counted(report.silent.len(), "node not asked", "nodes not asked"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if counts.is_empty() {
        "Nothing found.\n".to_owned()
    } else {
        format!("{}\n", counts.join(", "))
    }
}

/// Everything about a rule, in lines.
pub(super) fn explain(rule: &Rule, width: usize) -> String {
    let lines: Vec<String> = rule
        .explain()
        .lines()
        .map(|line| wrap(line, width, 0))
        .collect();
    lines.join("\n")
}

/// Text in lines of at most `width` characters, broken at spaces (of quoted code only where it is long), when each
/// begins `indent` characters in.
fn wrap(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent);
    let mut lines = String::new();
    let mut used = 0;
    for word in words(text) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(&word);
        used += length;
    }
    lines
}

/// Words; code in backticks is one, unless it is long.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if open && last.chars().count() + word.chars().count() < CODE_CHARS_MAX => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        open ^= word.matches('`').count() % 2 == 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", 8, 0), "one two\nthree");
        assert_eq!(wrap("one two three", 9, 2), "one two\n  three");
        assert_eq!(wrap("", 8, 2), "");
        assert_eq!(wrap("set `a = 1` now", 9, 0), "set\n`a = 1`\nnow");
    }
}
