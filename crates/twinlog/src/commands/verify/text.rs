//! A comparison's result for people.

use twinlog_agent::{
    history::Told,
    verify::{Outcome, Report, RowDifference, TableResult},
};

use crate::screen::{
    grid::{BOLD, DIM, GREEN, PLAIN, RED, YELLOW},
    side::{Version, draw},
};

/// The result, with at most so many rows of each table.
pub(crate) fn text(report: &Report, shown: usize, width: usize) -> String {
    let mut parts = definitions(report);
    for table in report
        .tables
        .iter()
        .filter(|table| table.outcome != Outcome::Equal)
    {
        parts.push(head(table, &report.nodes));
        let rows: Vec<&RowDifference> = report
            .rows
            .iter()
            .filter(|row| row.table == table.table)
            .collect();
        parts.extend(
            rows.iter()
                .take(shown)
                .map(|row| self::row(row, &report.nodes, width)),
        );
        if rows.len() > shown {
            parts.push(format!(
                "{DIM}  and {} more (--show, --json){PLAIN}",
                rows.len() - shown
            ));
        }
    }
    parts.push(summary(report));
    parts.join("\n")
}

/// What is not rows.
pub(crate) fn definitions(report: &Report) -> Vec<String> {
    let differ = report.schema.iter();
    let differ = differ.map(|one| format!("{RED}{}{PLAIN}: {}", one.at, one.seen));
    let unseen = report.unseen.iter();
    let unseen =
        unseen.map(|one| format!("{YELLOW}{}{PLAIN}: not compared: {}", one.at, one.reason));
    differ.chain(unseen).collect()
}

pub(crate) fn head(table: &TableResult, nodes: &[String; 2]) -> String {
    let rows = nodes.each_ref().map(|node| {
        let rows = table.rows.get(node).copied();
        rows.map_or_else(|| "?".to_owned(), |rows| format!("{node} has {rows} rows"))
    });
    let mut head = match table.outcome {
        Outcome::Different if table.differing > 0 => {
            let s = if table.differing == 1 {
                " differs"
            } else {
                "s differ"
            };
            format!(
                "{RED}{}{PLAIN}: {} row{s}; {}",
                table.table,
                table.differing,
                rows.join(", ")
            )
        }
        _ => format!("{YELLOW}{}{PLAIN}", table.table),
    };
    if let Some(note) = &table.note {
        head += &format!("\n  {note}");
    }
    head
}

pub(crate) fn row(row: &RowDifference, nodes: &[String; 2], width: usize) -> String {
    let told = |node: &String| row.versions.get(node).cloned().unwrap_or(Told::Unknown);
    let many = row.key.is_none();
    let versions = nodes.each_ref().map(|node| Version {
        head: match row.counts.get(node) {
            Some(count) if many => format!("{node} has {count}"),
            _ => format!("{node} holds"),
        },
        told: told(node),
        against: None,
        style: "",
    });
    let name = row.key.as_deref().unwrap_or("rows that are all equal");
    let drawn = draw(&row.columns, &[], &versions, false, width.saturating_sub(2));
    let lines = drawn.text.lines().map(|line| format!("  {line}"));
    format!(
        "  {BOLD}{name}{PLAIN}\n{}",
        lines.collect::<Vec<_>>().join("\n")
    )
}

pub(crate) fn summary(report: &Report) -> String {
    let rows: u64 = report
        .tables
        .iter()
        .filter_map(|table| table.rows.values().max())
        .sum();
    let of = |outcome| {
        report
            .tables
            .iter()
            .filter(|table| table.outcome == outcome)
            .count()
    };
    let since = report.since.as_ref();
    let since = since.map(|since| format!(" written since {since}"));
    let compared = format!(
        "{}{} in {}, {:.1} s",
        many(rows, "row"),
        since.unwrap_or_default(),
        many(report.tables.len() as u64, "table"),
        report.seconds
    );
    let mut summary = if report.equal {
        format!("{GREEN}both nodes hold the same{PLAIN}: {compared}")
    } else {
        let mut found = Vec::new();
        if !report.rows.is_empty() {
            let tables = many(of(Outcome::Different) as u64, "table");
            found.push(format!(
                "{} of {tables}",
                many(report.rows.len() as u64, "row")
            ));
        }
        if !report.schema.is_empty() {
            found.push(many(report.schema.len() as u64, "definition"));
        }
        let found = if found.is_empty() {
            format!("{YELLOW}not all could be compared{PLAIN}")
        } else {
            format!("{RED}the nodes differ{PLAIN} in {}", found.join(" and "))
        };
        format!("{found}; compared {compared}")
    };
    if report.mended > 0 {
        summary += &format!("; {} mended meanwhile", many(report.mended, "difference"));
    }
    summary
}

pub(crate) fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use twinlog_agent::{
        history::{Cell, ColumnShape},
        verify::{SchemaDifference, Unseen},
    };

    use super::*;

    fn table(name: &str, outcome: Outcome, differing: u64, note: Option<&str>) -> TableResult {
        TableResult {
            table: name.to_owned(),
            outcome,
            rows: [("a".to_owned(), 1000), ("b".to_owned(), 999)].into(),
            differing,
            note: note.map(str::to_owned),
        }
    }

    fn column(name: &str) -> ColumnShape {
        ColumnShape {
            name: name.to_owned(),
            declared: "int".to_owned(),
            generated: false,
        }
    }

    /// A row that a has so often, and b not.
    fn on_a(table: &str, key: Option<&str>, count: u64) -> RowDifference {
        let row = ["1", "7"].map(|n| Cell::Int(n.to_owned())).to_vec();
        RowDifference {
            table: table.to_owned(),
            key: key.map(str::to_owned),
            columns: vec![column("id"), column("n")],
            versions: [
                ("a".to_owned(), Told::Row(row)),
                ("b".to_owned(), Told::Gone),
            ]
            .into(),
            counts: [("a".to_owned(), count), ("b".to_owned(), 0)].into(),
        }
    }

    fn report() -> Report {
        Report {
            name: "shop".to_owned(),
            nodes: ["a", "b"].map(str::to_owned),
            equal: true,
            started_at: "2026-01-02T03:04:05Z".to_owned(),
            since: None,
            seconds: 2.04,
            schema: Vec::new(),
            unseen: Vec::new(),
            tables: vec![table("shop.t", Outcome::Equal, 0, None)],
            rows: Vec::new(),
            mended: 0,
        }
    }

    #[test]
    fn equal() {
        insta::assert_snapshot!(text(&report(), 10, 80));
    }

    #[test]
    fn different() {
        let report = Report {
            equal: false,
            schema: [
                ("shop.u", "b lacks it"),
                ("account 'x'@'%'", "passwords differ"),
            ]
            .map(|(at, seen)| SchemaDifference {
                at: at.to_owned(),
                seen: seen.to_owned(),
            })
            .to_vec(),
            unseen: vec![Unseen {
                at: "views".to_owned(),
                reason: "twinlog's account on b lacks SHOW VIEW".to_owned(),
            }],
            tables: vec![
                table(
                    "shop.bag",
                    Outcome::Different,
                    1,
                    Some("it has no key, and was written"),
                ),
                table("shop.t", Outcome::Different, 2, None),
                table(
                    "shop.x",
                    Outcome::Unknown,
                    0,
                    Some("it could not be compared to its end: ERROR 1146: gone"),
                ),
            ],
            rows: vec![
                on_a("shop.bag", None, 3),
                on_a("shop.t", Some("id=1"), 1),
                on_a("shop.t", Some("id=2"), 1),
            ],
            mended: 1,
            ..report()
        };
        insta::assert_snapshot!(text(&report, 1, 80));
    }

    #[test]
    fn unknown() {
        let report = Report {
            equal: false,
            tables: vec![table(
                "shop.x",
                Outcome::Unknown,
                0,
                Some("its rows cannot be compared"),
            )],
            ..report()
        };
        insta::assert_snapshot!(text(&report, 10, 80));
    }
}
