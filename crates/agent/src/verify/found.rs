//! What was found, as the report tells it.

use std::{collections::BTreeMap, sync::Arc};

use twinlog_binlog::Value;
use twinlog_converge::TableName;

use super::{
    Outcome, Report, RowDifference, TableResult, chunk::Suspect, heap::Surplus, table::Table,
};
use crate::{
    history::{Told, cells},
    resolve::{key_text, shape},
};
use twinlog_row::Row;

/// What was found of all rows.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) differ: Vec<(Suspect, [Option<Row>; 2])>,
    pub(super) unknown: Vec<Suspect>,
    pub(super) surplus: Vec<(Arc<Table>, Surplus)>,
    pub(super) restless: Vec<Arc<Table>>,
    pub(super) mended: u64,
}

impl Found {
    /// As a report, which has its begin already; the first of its rows are those of the keys that come with it.
    pub(super) fn into_report(
        mut self,
        mut report: Report,
        tables: &[Arc<Table>],
        incomparable: &[(TableName, String)],
    ) -> (Report, Vec<Suspect>) {
        let nodes = report.nodes.clone();
        self.differ.sort_by_cached_key(|(suspect, _)| {
            (
                suspect.table.info.name.to_string(),
                format!("{:?}", suspect.key),
            )
        });
        for (suspect, rows) in &self.differ {
            report.rows.push(difference(
                &nodes,
                &suspect.table,
                Some(&suspect.key),
                rows,
                None,
            ));
        }
        for (table, one) in &self.surplus {
            let has = |side: usize| one.row.clone().filter(|_| one.counts[side] > 0);
            let rows = [has(0), has(1)];
            report
                .rows
                .push(difference(&nodes, table, None, &rows, Some(one.counts)));
        }
        for table in tables {
            let result = self.of_table(table, &report);
            report.tables.push(result);
        }
        for (table, reason) in incomparable {
            report.tables.push(TableResult {
                table: table.to_string(),
                outcome: Outcome::Unknown,
                rows: BTreeMap::new(),
                differing: 0,
                note: Some(format!("its rows cannot be compared: {reason}")),
            });
        }
        report
            .tables
            .sort_by(|left, right| left.table.cmp(&right.table));
        let all_equal = report
            .tables
            .iter()
            .all(|table| table.outcome == Outcome::Equal);
        report.equal = all_equal && report.schema.is_empty();
        let keys = self.differ.into_iter().map(|(suspect, _)| suspect.anew());
        (report, keys.collect())
    }

    /// What became of a table, of which all rows that differ are in the report.
    fn of_table(&self, table: &Arc<Table>, report: &Report) -> TableResult {
        let name = table.info.name.to_string();
        let differing = report.rows.iter().filter(|row| row.table == name).count() as u64;
        let note = self.note(table);
        let outcome = match (differing, &note) {
            (0, None) => Outcome::Equal,
            (0, Some(_)) => Outcome::Unknown,
            _ => Outcome::Different,
        };
        TableResult {
            table: name,
            outcome,
            rows: by_name(&report.nodes, table.tally.rows()),
            differing,
            note,
        }
    }

    /// Why a table was not compared, or not all of it.
    fn note(&self, table: &Arc<Table>) -> Option<String> {
        let is_it = |one: &Arc<Table>| Arc::ptr_eq(one, table);
        let unknown = self.unknown.iter().filter(|one| is_it(&one.table)).count();
        if let Some(reason) = table.tally.failure() {
            Some(format!("it could not be compared to its end: {reason}"))
        } else if table.tally.is_given_up() {
            Some("more of its rows differ: the rest of it was not compared (--max-rows)".to_owned())
        } else if unknown > 0 {
            Some(format!(
                "{unknown} of its rows were written without a pause, and could not be compared"
            ))
        } else if self.restless.iter().any(is_it) {
            Some(
                "it has no key, and was written without a pause: not all of it could be compared"
                    .to_owned(),
            )
        } else {
            None
        }
    }
}

fn by_name<T>(nodes: &[String; 2], [a, b]: [T; 2]) -> BTreeMap<String, T> {
    [(nodes[0].clone(), a), (nodes[1].clone(), b)].into()
}

fn difference(
    nodes: &[String; 2],
    table: &Table,
    key: Option<&[Value]>,
    rows: &[Option<Row>; 2],
    counts: Option<[u64; 2]>,
) -> RowDifference {
    let told = |row: &Option<Row>| row.as_ref().map_or(Told::Gone, |row| Told::Row(cells(row)));
    let one = |row: &Option<Row>| u64::from(row.is_some());
    RowDifference {
        table: table.info.name.to_string(),
        key: key.map(|key| key_text(&table.info, &cells(key))),
        columns: shape(&table.info).columns,
        versions: by_name(nodes, rows.each_ref().map(told)),
        counts: by_name(nodes, counts.unwrap_or_else(|| rows.each_ref().map(one))),
    }
}
