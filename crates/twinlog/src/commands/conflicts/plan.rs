//! What would be done about a conflict, before it is done; and what was.

use twinlog_agent::{
    conflicts::{Done, Proposal},
    history::State,
};

use crate::{
    commands::status::words::wrap,
    screen::{
        grid::{BOLD, CYAN, DIM, GREEN, PLAIN, RED, cut},
        side::{Version, draw},
    },
};

/// A statement longer than this is cut short: `--json` has all of it.
const SQL_CHARS_MAX: usize = 600;

/// The plan: each row as it is and as it shall be, and the statements.
pub(super) fn text(proposal: &Proposal, full: bool, width: usize) -> String {
    let entry = &proposal.entry;
    let detail = &entry.detail;
    let mut parts = vec![format!(
        "{BOLD}conflict {}{PLAIN}: {}",
        entry.id, proposal.what
    )];
    let mut is_cut = false;
    for (row, proposed) in detail.rows.iter().zip(&proposal.rows) {
        let held = detail.nodes.iter().zip(&proposed.now);
        let mut versions: Vec<Version> = held
            .map(|(node, now)| Version {
                head: format!("{node} holds"),
                told: now.clone(),
                against: Some((proposed.wanted.clone(), " !", RED)),
                style: "",
            })
            .collect();
        versions.push(Version {
            head: "shall be".into(),
            told: proposed.wanted.clone(),
            against: None,
            style: GREEN,
        });
        let table = detail.tables.get(row.table);
        let columns = table.map_or(&[][..], |table| &table.columns);
        let key = table.map_or(&[][..], |table| &table.key);
        let drawn = draw(columns, key, &versions, full, width);
        is_cut |= drawn.cut;
        parts.push(format!(
            "{}{} ({}){PLAIN}\n{}",
            BOLD,
            detail.table_name(row),
            detail.key_text(row),
            drawn.text
        ));
    }
    if !proposal.is_nothing() {
        let full = if is_cut {
            "   --full leaves nothing out"
        } else {
            ""
        };
        parts.push(format!("{DIM}! not as it shall be{full}{PLAIN}"));
    }
    parts.push(statements(proposal, full, width));
    for note in &proposal.notes {
        parts.push(format!(
            "{CYAN}·{PLAIN} {}",
            wrap(note, width.saturating_sub(2), "  ")
        ));
    }
    parts.join("\n\n")
}

fn statements(proposal: &Proposal, full: bool, width: usize) -> String {
    if proposal.is_nothing() {
        return "both nodes hold that already: no row is written".into();
    }
    let mut lines = Vec::new();
    let mut node = None;
    for statement in &proposal.statements {
        if node != Some(&statement.node) {
            node = Some(&statement.node);
            lines.push(format!("{BOLD}on {}{PLAIN}", statement.node));
        }
        let sql = if full {
            statement.sql.clone()
        } else {
            cut(&statement.sql, SQL_CHARS_MAX)
        };
        lines.push(format!("  {sql};"));
    }
    let guard = "If a row is not as above any more, nothing is written. The write replicates to the other node; what it \
         overwrites stays in the history.";
    lines.push(format!("{DIM}{}{PLAIN}", wrap(guard, width, "")));
    lines.join("\n")
}

/// What was done, in a sentence or two.
pub(super) fn done(proposal: &Proposal, done: &Done) -> String {
    let id = &proposal.entry.id;
    match (done.written.as_slice(), done.state) {
        ([], State::Kept) => format!("{id}: closed; both nodes held that already"),
        ([], state) => format!("{id}: nothing to do, it is {state}"),
        (nodes, state) => {
            let nodes = nodes.join(" and on ");
            let seen = if done.equal {
                "; both nodes hold it".to_owned()
            } else {
                "; it was not seen on both nodes yet: is the link running, or did a client write meanwhile? \
                 (`twinlog status`)"
                    .to_owned()
            };
            format!("{id}: {state}, written on {nodes}{seen}")
        }
    }
}
