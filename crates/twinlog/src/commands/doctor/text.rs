//! Findings as people read them: the worst first, each rule once with all the places it was met at.

use twinlog_pair::doctor::{Finding, Rule, Severity, report::Report};

/// The narrowest screen that is laid out for.
const WIDTH_MIN: u16 = 60;
/// On wider screens lines get no longer: they would be hard to read.
const WIDTH_MAX: u16 = 110;
/// Where there is no terminal to ask.
const WIDTH_DEFAULT: u16 = 100;
/// More places of one rule than this are counted and not listed.
const PLACES_MAX: usize = 20;

/// How wide a line may be, in characters.
pub(super) fn width() -> usize {
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    asked
        .or_else(|| comfy_table::Table::new().width())
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
    for finding in findings.iter().take(PLACES_MAX) {
        text += &format!("  {}\n", wrap(&place(finding), width, 4));
    }
    if findings.len() > PLACES_MAX {
        text += &format!(
            "  … and {} more; --json lists all\n",
            findings.len() - PLACES_MAX
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

/// `a, b: shop.log: no primary key`.
fn place(finding: &Finding) -> String {
    let nodes = finding.nodes.join(", ");
    match &finding.place {
        // An option file's place names it.
        Some(place) if !finding.seen.contains(place.as_str()) => {
            let file = place.split(':').next().unwrap_or(place);
            if nodes.ends_with(file) {
                format!("{place}: {}", finding.seen)
            } else {
                format!("{nodes}: {place}: {}", finding.seen)
            }
        }
        _ => format!("{nodes}: {}", finding.seen),
    }
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

/// Text in lines of at most `width` characters, broken at spaces, when each begins `indent` characters in.
fn wrap(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent);
    let mut lines = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", 8, 0), "one two\nthree");
        assert_eq!(wrap("one two three", 9, 2), "one two\n  three");
        assert_eq!(wrap("", 8, 2), "");
    }
}
