//! What is to be repaired, and what became of it, for people.

use std::collections::BTreeMap;

use twinlog_agent::{
    repair::{Action, Outcome, RepairDocument, RowPlan},
    verify,
};

use crate::{
    commands::{
        status::words::wrap,
        verify::text::{definitions, head, many, row, summary},
    },
    screen::grid::{CYAN, DIM, GREEN, PLAIN, RED, YELLOW},
};

/// The plan, with at most so many rows of each table.
pub(super) fn plan(document: &RepairDocument, shown: usize, width: usize) -> String {
    let compared = &document.compared;
    let mut parts = definitions(compared);
    let tables = compared.tables.iter();
    for table in tables.filter(|table| table.outcome != verify::Outcome::Equal) {
        parts.push(head(table, &compared.nodes));
        let rows = compared.rows.iter().zip(&document.rows);
        let rows: Vec<_> = rows.filter(|(_, plan)| plan.table == table.table).collect();
        for (difference, plan) in rows.iter().take(shown) {
            parts.push(format!(
                "{}\n{}",
                row(difference, &compared.nodes, width),
                fate(plan, width)
            ));
        }
        if rows.len() > shown {
            parts.push(format!(
                "{DIM}  and {} more (--show, --json){PLAIN}",
                rows.len() - shown
            ));
        }
    }
    parts.push(summary(compared));
    parts.extend(sums(document, width));
    parts.join("\n")
}

/// What is to become of a row.
fn fate(plan: &RowPlan, width: usize) -> String {
    let words = wrap(&sentence(plan), width.saturating_sub(6), "      ");
    match plan.outcome {
        Outcome::Left => format!("    {YELLOW}·{PLAIN} {words}"),
        _ => format!("    {GREEN}→{PLAIN} {words}"),
    }
}

fn sentence(plan: &RowPlan) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    if plan.outcome == Outcome::Left {
        return format!("left: {}", text(&plan.reason));
    }
    let (on, keep, why) = (text(&plan.on), text(&plan.keep), text(&plan.why));
    match plan.action {
        Some(Action::Delete) => format!("delete on {on}: {keep} has no such row ({why})"),
        Some(Action::Insert) => format!("insert on {on}, as {keep} holds it ({why})"),
        _ => format!("update on {on}, as {keep} holds it ({why})"),
    }
}

/// What is written where, and what is left.
fn sums(document: &RepairDocument, width: usize) -> Vec<String> {
    let mut writes: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let planned = document.rows.iter();
    for row in planned.filter(|row| row.outcome == Outcome::Planned) {
        let counts = writes.entry(row.on.as_deref().unwrap_or_default());
        let at = match row.action {
            Some(Action::Insert) => 0,
            Some(Action::Update) | None => 1,
            Some(Action::Delete) => 2,
        };
        counts.or_default()[at] += 1;
    }
    let line = |(node, counts): (&&str, &[u64; 3])| {
        let words = ["to insert", "to update", "to delete"];
        let parts = counts.iter().zip(words).filter(|(count, _)| **count > 0);
        let parts: Vec<String> = parts
            .map(|(count, word)| format!("{} {word}", many(*count, "row")))
            .collect();
        format!("on {node} alone: {}", parts.join(", "))
    };
    let mut lines: Vec<String> = writes.iter().map(line).collect();
    if !lines.is_empty() {
        let guard = "Rows that are not as above any more are looked at anew. What is overwritten stays in the history \
                     (`twinlog conflicts list`).";
        lines.push(format!("{DIM}{}{PLAIN}", wrap(guard, width, "")));
    }
    let left = document.rows.iter();
    let left = left.filter(|row| row.outcome == Outcome::Left).count() as u64;
    let schema = document.compared.schema.len() as u64;
    let left: Vec<String> = [(left, "row"), (schema, "definition")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| many(count, what))
        .collect();
    if !left.is_empty() {
        let left = left.join(" and ");
        lines.push(format!("{YELLOW}left to you{PLAIN}: {left}"));
    }
    lines
}

/// What became of it.
pub(super) fn done(document: &RepairDocument, shown: usize) -> String {
    let mut parts = Vec::new();
    let left: Vec<&RowPlan> = document
        .rows
        .iter()
        .filter(|row| row.outcome == Outcome::Left)
        .collect();
    for row in left.iter().take(shown) {
        let key = row.key.as_deref().unwrap_or("no key");
        let mut line = format!(
            "{YELLOW}{}{PLAIN} ({key}): {}",
            row.table,
            row.reason.as_deref().unwrap_or_default()
        );
        if let (Some(id), Some(keep)) = (&row.id, &row.keep) {
            line +=
                &format!("\n  {CYAN}decide{PLAIN}: twinlog conflicts resolve {id} --keep {keep}");
        }
        parts.push(line);
    }
    if left.len() > shown {
        parts.push(format!(
            "{DIM}and {} more (--show, --json){PLAIN}",
            left.len() - shown
        ));
    }
    for one in document.compared.schema.iter().take(shown) {
        parts.push(format!(
            "{YELLOW}{}{PLAIN}: {}; only rows are repaired",
            one.at, one.seen
        ));
    }
    let repaired = many(document.repaired, "row");
    let mut summary = if document.equal {
        format!("{GREEN}both nodes hold the same{PLAIN}: {repaired} repaired, and looked at again")
    } else if left.is_empty() {
        format!(
            "{YELLOW}not all was compared, or definitions differ{PLAIN}: {repaired} repaired, and looked at again"
        )
    } else {
        let still = many(left.len() as u64, "row");
        format!(
            "{RED}the nodes differ{PLAIN} in {still} still; {repaired} repaired, and looked at again"
        )
    };
    let equal = document.rows.iter();
    let equal = equal.filter(|row| row.outcome == Outcome::Equal).count() as u64;
    if equal > 0 {
        summary += &format!("; {} made equal by others", many(equal, "row"));
    }
    parts.push(summary);
    parts.join("\n")
}
