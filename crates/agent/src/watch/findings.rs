//! What a comparison by the agent came to: for its log, its state, and what may be named no more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use twinlog_pair::{
    config::is_like,
    watch_state::{Compared, Differing},
};

use crate::{
    schedule::{ALL, Ran},
    verify::{Outcome, Report},
};

/// So many tables that differ are told.
pub(super) const DIFFERING_MAX: usize = 100;

/// What a comparison came to, without what the rows hold.
#[derive(Debug, Default)]
pub(super) struct Findings {
    tables: BTreeMap<String, Outcome>,
    rows: u64,
    pub(super) differing: Vec<Differing>,
    /// Where the schemas are not the same.
    schema: Vec<String>,
}

impl Findings {
    pub(super) fn of(pattern: &str, report: &Report, now: Timestamp) -> Self {
        let mut findings = Self {
            schema: report.schema.iter().map(|one| one.at.clone()).collect(),
            ..Self::default()
        };
        for table in &report.tables {
            findings.tables.insert(table.table.clone(), table.outcome);
            findings.rows += table.rows.values().max().copied().unwrap_or_default();
            if table.outcome == Outcome::Equal {
                continue;
            }
            let unknown = (table.outcome == Outcome::Unknown).then(|| {
                let note = table.note.clone();
                note.unwrap_or_else(|| "its rows never stood still".to_owned())
            });
            findings.differing.push(Differing {
                table: table.table.clone(),
                rows: table.differing,
                unknown,
                seen_at: second(now),
            });
        }
        // A single table that one node lacks is among no tables.
        if report.tables.is_empty() && pattern != ALL {
            let seen = report.schema.first().map(|one| one.seen.clone());
            findings.differing.push(Differing {
                table: pattern.to_owned(),
                rows: 0,
                unknown: Some(seen.unwrap_or_else(|| "not both nodes have it".to_owned())),
                seen_at: second(now),
            });
        }
        findings
    }

    fn differing_rows(&self) -> u64 {
        self.differing.iter().map(|one| one.rows).sum()
    }

    fn tables_unknown(&self) -> u64 {
        let unknown = self.differing.iter().filter(|one| one.unknown.is_some());
        unknown.count() as u64
    }

    pub(super) fn compared(&self, ran: Ran) -> Compared {
        Compared {
            began_at: second(ran.began),
            ended_at: second(ran.ended),
            tables: self.tables.len() as u64,
            rows: self.rows,
            differing_rows: self.differing_rows(),
            tables_unknown: self.tables_unknown(),
            schema_differences: self.schema.len() as u64,
        }
    }

    /// Whether this comparison shows that all of `named` is equal, both being patterns.
    pub(super) fn shows(&self, of: &str, named: &str) -> bool {
        if of != ALL && of != named {
            return false;
        }
        let mut meant = self.tables.iter().filter(|(table, _)| is_of(named, table));
        let is_equal = meant.all(|(_, outcome)| *outcome == Outcome::Equal);
        // A table that is on no node is equal; of one that is on one node alone the schemas tell.
        is_equal && (self.tables.contains_key(named) || !self.schema.iter().any(|at| at == named))
    }

    pub(super) fn tell(&self, of: &str, ran: Ran) {
        let seconds = ran.ended.duration_since(ran.began).as_secs();
        let of = if of == ALL { "all tables" } else { of };
        let what = format!(
            "{of}: {} rows in {} tables, compared in {seconds} s",
            self.rows,
            self.tables.len()
        );
        for at in self.schema.iter().take(DIFFERING_MAX) {
            tracing::warn!("{at} is not the same on both nodes; see `twinlog verify`");
        }
        if self.differing.is_empty() {
            tracing::info!("both nodes hold the same in {what}");
            return;
        }
        tracing::warn!("the nodes differ in {what}; see `twinlog verify`, which names the rows");
        for one in self.differing.iter().take(DIFFERING_MAX) {
            match &one.unknown {
                Some(reason) => {
                    tracing::warn!("whether {} is equal is not known: {reason}", one.table)
                }
                None => tracing::warn!("{}: {} rows differ", one.table, one.rows),
            }
        }
    }
}

pub(super) fn is_of(pattern: &str, table: &str) -> bool {
    let (database, name) = table.split_once('.').unwrap_or_default();
    pattern == table || is_like(pattern, database, name)
}

/// RFC 3339, without what nobody needs of a second.
pub(super) fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
