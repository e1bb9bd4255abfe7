//! One conflict, as a person reads it.

use twinlog_agent::{
    conflicts::{Which, shown, versions},
    history::{ColumnShape, Detail, Entry, Kind, RowDetail, Ruling, State, Told, WriteDetail},
};
use twinlog_converge::Side;

use super::{list::colour, when};
use crate::{
    commands::status::words::wrap,
    screen::{
        grid::{BOLD, CYAN, DIM, GREEN, PLAIN, RED, YELLOW},
        side::{Version, draw},
    },
};

/// More writes than this are counted and not listed.
const WRITES_MAX: usize = 20;
/// The width of the column of labels.
const LABEL_WIDTH: usize = 10;

/// How to show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Leave nothing out.
    pub(super) full: bool,
    /// The time, in microseconds since 1970.
    pub(super) now: u64,
    /// How wide the screen is, in characters.
    pub(super) width: usize,
}

/// One conflict as the demonstration tells of it, right after it was found.
pub(crate) fn for_a_story(entry: &Entry, width: usize) -> String {
    let look = Look {
        full: false,
        now: entry.found_us,
        width,
    };
    text(entry, &look)
}

/// All of it; with colours, which the printer takes out where they are not wanted.
pub(super) fn text(entry: &Entry, look: &Look) -> String {
    let mut parts = vec![format!(
        "{}\n\n{}",
        headline(entry, look.width),
        facts(entry, look)
    )];
    parts.extend(statements(entry, look.width));
    if !entry.detail.writes.is_empty() {
        parts.push(writes(&entry.detail, look));
    }
    let mut cut = false;
    let mut hidden = false;
    for at in 0..entry.detail.rows.len() {
        let row = row(entry, at, look);
        cut |= row.cut;
        hidden |= row.hidden;
        parts.push(row.text);
    }
    parts.extend(legend(entry, cut || hidden, look.width));
    parts.extend(advice(entry, look.width));
    parts.join("\n\n")
}

fn headline(entry: &Entry, width: usize) -> String {
    let what = match entry.kind {
        Kind::Conflict => "conflict",
        Kind::Divergence => "divergence",
        Kind::Ddl => "definitions",
    };
    let (id, state) = (&entry.id, entry.state);
    let means = match state {
        State::Open => "nothing was chosen yet, or it is not written everywhere",
        State::Repaired => "both nodes hold what was chosen",
        State::Equal if entry.chosen.is_none() => {
            "both nodes held the same, though nobody chose it"
        }
        State::Equal => "both nodes held what was chosen already",
        State::Superseded => "clients have written the rows since",
        State::Kept => "a person left the rows as they were",
    };
    format!(
        "{BOLD}{what} {id}{PLAIN}: {}{state}{PLAIN}\n{}",
        colour(state),
        wrap(means, width, "")
    )
}

fn labelled(label: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(LABEL_WIDTH);
    let text =
        wrap(text, width.saturating_sub(LABEL_WIDTH), "").replace('\n', &format!("\n{indent}"));
    format!("{DIM}{label:LABEL_WIDTH$}{PLAIN}{text}")
}

fn facts(entry: &Entry, look: &Look) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| lines.push(labelled(label, &text, look.width));
    let place = format!("{}.{}", entry.schema_name, entry.table_name);
    let key = match entry.row_key.as_str() {
        "" => String::new(),
        key => format!(" ({key})"),
    };
    let more = match entry.detail.rows.len() {
        0 | 1 => String::new(),
        2 => ", and one that is tied to it".into(),
        rows => format!(", and {} that are tied to it", rows - 1),
    };
    line("row", format!("{}{key}{more}", place.trim_end_matches('.')));
    line(
        "found",
        format!(
            "{}, {}",
            when::second(entry.found_us),
            when::ago(entry.found_us, look.now)
        ),
    );
    if !entry.policy.is_empty() {
        line("policy", entry.policy.clone());
    }
    line("rule", entry.rule.clone());
    if let Some(chosen) = &entry.chosen {
        let of = match &entry.chosen_node {
            Some(node) if is_outside_the_log(entry) => format!("what {node} held"),
            Some(node) => format!("what was written on {node}"),
            None if chosen == "merge" => "both, column by column".into(),
            None if chosen == "base" => "what it was before".into(),
            None => chosen.clone(),
        };
        let at = entry
            .chosen_us
            .map(|us| format!(", {} UTC", when::exactly(us, true)));
        line("chosen", format!("{of}{}", at.unwrap_or_default()));
    }
    if let Some(at) = entry.resolved_us {
        line("settled", when::second(at));
    }
    match (&entry.repair_gtid, entry.state) {
        (_, State::Repaired) if is_outside_the_log(entry) => line("repair", outside_the_log(entry)),
        (Some(gtid), _) => line("repair", gtid.clone()),
        (None, State::Repaired) => line(
            "repair",
            "its transaction is not known yet: an agent writes it down when it reads it".into(),
        ),
        _ => {}
    }
    for attempt in &entry.detail.attempts {
        let code = attempt.code.map(|code| format!("ERROR {code}: "));
        line(
            "failed",
            format!(
                "on {}: {}{}",
                attempt.node,
                code.unwrap_or_default(),
                attempt.message
            ),
        );
    }
    for ruling in &entry.detail.rulings {
        line("decided", decided(&entry.detail, ruling));
    }
    lines.join("\n")
}

/// Whether a comparison found it, and nobody has decided otherwise since.
fn is_outside_the_log(entry: &Entry) -> bool {
    entry.detail.compared && entry.detail.rulings.is_empty()
}

fn outside_the_log(entry: &Entry) -> String {
    let nodes = entry.detail.nodes.iter();
    let mut others = nodes.filter(|node| Some(*node) != entry.chosen_node.as_ref());
    let node = others.next().map_or("the other node", String::as_str);
    format!("written on {node} alone, outside its log")
}

/// A decision, and what it overwrote that is in no version of the conflict's own.
fn decided(detail: &Detail, ruling: &Ruling) -> String {
    let mut text = format!(
        "{} by {}: {}; until then {}",
        when::second(ruling.at_us),
        ruling.by,
        ruling.what,
        ruling.instead_of
    );
    for ruled in &ruling.rows {
        let Some(row) = detail.rows.get(ruled.row) else {
            continue;
        };
        for (node, found) in detail.nodes.iter().zip(&ruled.found) {
            if !row.held.contains(found) && *found != row.base && *found != ruled.wanted {
                text.push_str(&format!(
                    "; {node} then held {}",
                    inline(detail, row, found)
                ));
            }
        }
    }
    text
}

/// A row in a sentence.
fn inline(detail: &Detail, row: &RowDetail, told: &Told) -> String {
    match told {
        Told::Gone => "no such row".into(),
        Told::Unknown => "what is not known".into(),
        Told::Row(cells) => {
            let columns = columns(detail, row).iter().zip(cells);
            let terms =
                columns.map(|(column, cell)| format!("{}={}", column.name, shown(cell, column)));
            terms.collect::<Vec<_>>().join(", ")
        }
    }
}

fn columns<'a>(detail: &'a Detail, row: &RowDetail) -> &'a [ColumnShape] {
    detail
        .tables
        .get(row.table)
        .map(|table| table.columns.as_slice())
        .unwrap_or_default()
}

fn statements(entry: &Entry, width: usize) -> Option<String> {
    let statements = entry.detail.statements.as_ref()?;
    let gtids = [&entry.gtid_a, &entry.gtid_b];
    let lines = entry.detail.nodes.iter().zip(statements).zip(gtids);
    let lines = lines.map(|((node, sql), gtid)| {
        let gtid = gtid.as_deref().unwrap_or("");
        format!(
            "{BOLD}on {node}{PLAIN}  {gtid}\n  {}",
            wrap(sql, width.saturating_sub(2), "  ")
        )
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn writes(detail: &Detail, look: &Look) -> String {
    let many = detail.rows.len() > 1;
    let most = if look.full { usize::MAX } else { WRITES_MAX };
    let mut lines = vec![format!("{BOLD}who wrote{PLAIN}")];
    let node = detail.nodes.iter().map(String::len).max().unwrap_or(0);
    for write in detail.writes.iter().take(most) {
        let time = when::exactly(write.committed_us, write.exact);
        let mut line = format!("  {:node$}  {time}  {}", write.node, deed(write, many));
        let gtid = &write.gtid;
        let room = look.width.saturating_sub(line.chars().count() + 2);
        let gap = if gtid.len() <= room {
            "  ".into()
        } else {
            format!("\n{}", " ".repeat(node + 4))
        };
        line.push_str(&format!("{gap}{DIM}{gtid}{PLAIN}"));
        lines.push(line);
    }
    let more = detail.writes.len().saturating_sub(most);
    if more > 0 {
        lines.push(format!(
            "  … and {}: --full lists all",
            plural(more, "more write")
        ));
    }
    lines.join("\n")
}

fn deed(write: &WriteDetail, many: bool) -> String {
    let row = |at: usize| {
        if many {
            format!(" row {}", at + 1)
        } else {
            String::new()
        }
    };
    let deed = match (&write.before, &write.after) {
        (None, Some((at, _))) => format!("insert{}", row(*at)),
        (Some((at, _)), None) => format!("delete{}", row(*at)),
        (Some((from, _)), Some((to, _))) if from != to => {
            format!("update{}, into{}", row(*from), row(*to))
        }
        (Some((at, _)), Some(_)) => format!("update{}", row(*at)),
        (None, None) => "nothing".into(),
    };
    if write.repair {
        format!("{deed} (twinlog's repair)")
    } else {
        deed
    }
}

/// A row's versions.
struct Drawn {
    text: String,
    cut: bool,
    hidden: bool,
}

fn row(entry: &Entry, at: usize, look: &Look) -> Drawn {
    let detail = &entry.detail;
    let row = &detail.rows[at];
    let number = match detail.rows.len() {
        1 => String::new(),
        rows => format!("row {} of {rows}: ", at + 1),
    };
    let title = format!(
        "{BOLD}{number}{}{PLAIN} ({})",
        detail.table_name(row),
        detail.key_text(row)
    );
    let versions = of_row(detail, at);
    let table = draw(
        columns(detail, row),
        detail.tables.get(row.table).map_or(&[], |table| &table.key),
        &versions,
        look.full,
        look.width,
    );
    let hidden = !table.hidden.is_empty();
    let mut text = format!("{title}\n{}", table.text);
    if hidden {
        let names = table.hidden.join(", ");
        let line = format!("the same in all versions: {names}");
        text.push_str(&format!(
            "\n  {DIM}{}{PLAIN}",
            wrap(&line, look.width.saturating_sub(2), "  ")
        ));
    }
    Drawn {
        text,
        cut: table.cut,
        hidden,
    }
}

/// What there is of a row: before, written on each node, held by each, chosen. What nobody knows is left out.
fn of_row(detail: &Detail, at: usize) -> Vec<Version> {
    let row = &detail.rows[at];
    let contended = detail.writes.iter().any(|write| !write.against.is_empty());
    let mut found = vec![Version {
        head: "before".into(),
        told: row.base.clone(),
        against: None,
        style: "",
    }];
    for side in Side::BOTH.into_iter().filter(|_| contended) {
        let told = versions(detail, Which::Of(side)).into_iter().nth(at);
        found.push(Version {
            head: format!("{} wrote", detail.nodes[side.index()]),
            told: told.unwrap_or(Told::Unknown),
            against: Some((row.base.clone(), " *", YELLOW)),
            style: "",
        });
    }
    for side in Side::BOTH {
        found.push(Version {
            head: format!("{} held", detail.nodes[side.index()]),
            told: row.held[side.index()].clone(),
            against: Some((row.chosen.clone(), " !", RED)),
            style: "",
        });
    }
    found.push(Version {
        head: "chosen".into(),
        told: row.chosen.clone(),
        against: None,
        style: GREEN,
    });
    found.retain(|version| version.told != Told::Unknown);
    found
}

fn legend(entry: &Entry, incomplete: bool, width: usize) -> Option<String> {
    if entry.detail.rows.is_empty() {
        return None;
    }
    let mut parts = vec!["≠ the versions differ", "* changed there"];
    if entry
        .detail
        .rows
        .iter()
        .any(|row| row.chosen != Told::Unknown)
    {
        parts.push("! not what was chosen");
    }
    let legend = parts.join("   ");
    let separator = if legend.chars().count() > width {
        "
"
    } else {
        "   "
    };
    let legend = format!("{DIM}{}{PLAIN}", parts.join(separator));
    Some(if incomplete {
        format!("{legend}\n{DIM}--full leaves nothing out{PLAIN}")
    } else {
        legend
    })
}

/// What can be done about it.
fn advice(entry: &Entry, width: usize) -> Option<String> {
    let (id, [a, b]) = (&entry.id, &entry.detail.nodes);
    let resolve = format!("twinlog conflicts resolve {id}");
    let lines = match (entry.state, entry.kind) {
        (State::Open, Kind::Ddl) => vec![(
            "make the definitions equal on both nodes, then close it:",
            format!("{resolve} --leave"),
        )],
        (State::Open, _) => vec![
            ("to settle it:", format!("{resolve} --keep {a}")),
            ("or:", format!("{resolve} --keep {b}")),
            (
                "or, by hand:",
                format!("{resolve} --keep {a} --set COLUMN=VALUE"),
            ),
            (
                "or leave the rows as they are:",
                format!("{resolve} --leave"),
            ),
        ],
        (_, Kind::Ddl) => return None,
        _ => vec![(
            "to bring back another version:",
            format!("twinlog conflicts restore {id} --version {a}|{b}|base"),
        )],
    };
    let wide = lines.iter().map(|(text, _)| text.len()).max().unwrap_or(0);
    let fits = |command: &String| wide + command.len() + 4 <= width;
    let behind = lines.iter().all(|(_, command)| fits(command));
    let lines = lines.iter().map(|(text, command)| {
        if behind {
            format!("{CYAN}→{PLAIN} {text:wide$}  {command}")
        } else {
            format!("{CYAN}→{PLAIN} {text}\n  {command}")
        }
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn plural(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}
