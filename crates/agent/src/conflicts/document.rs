//! What `--json` prints. The fields are a contract: docs/schema has it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use twinlog_converge::Side;

use super::{Answer, Done, Found, Listing, Proposal, Which, versions};
use crate::history::{Attempt, Detail, Entry, Kind, Ruling, State, Told};

/// Whether a node could be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeAnswer {
    /// Its name.
    pub node: String,
    /// Why it did not answer.
    pub error: Option<String>,
}

/// A conflict, in short.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Conflict {
    /// Twelve hexadecimal digits.
    pub id: String,
    /// When it was found, RFC 3339, UTC.
    pub found_at: String,
    /// `database.table` of its first row.
    pub table: String,
    /// The first row's key, for people.
    pub key: String,
    /// How many rows it has.
    pub rows: usize,
    /// What was found.
    pub kind: Kind,
    /// What became of it.
    pub state: State,
    /// The policy that was asked.
    pub policy: String,
    /// Why what was chosen was chosen.
    pub rule: String,
    /// What was chosen: a node's name, `merge`, `base`, `by hand`; `null` for nothing.
    pub chosen: Option<String>,
    /// The node whose version was chosen.
    pub chosen_node: Option<String>,
    /// When that version was committed there, RFC 3339, UTC.
    pub chosen_at: Option<String>,
    /// The transactions that had not seen each other, by the name of the node.
    pub gtids: BTreeMap<String, String>,
    /// The transaction that repaired it, once the agent has read it.
    pub repair_gtid: Option<String>,
    /// When it was resolved, RFC 3339, UTC.
    pub resolved_at: Option<String>,
    /// What kept a repair from being made, the last one last.
    pub attempts: Vec<Attempt>,
    /// What people decided, the last one last.
    pub rulings: Vec<Ruling>,
}

/// What `twinlog conflicts list --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ListDocument {
    /// The pair's name.
    pub name: String,
    /// The nodes that were asked.
    pub nodes: Vec<NodeAnswer>,
    /// How the nodes' histories differ, in words; `null` where they do not, or only one was asked.
    pub differ: Option<String>,
    /// How many there are, whatever the limit.
    pub total: u64,
    /// How many of them are open.
    pub open: u64,
    /// The newest of them, the newest first.
    pub conflicts: Vec<Conflict>,
}

/// What was written of a row, on each node.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Written {
    /// Which row: an index into the detail's rows.
    pub row: usize,
    /// Its table.
    pub table: String,
    /// Its key, for people.
    pub key: String,
    /// The version of each node, by its name: what was written there, or held where no write tells.
    pub versions: BTreeMap<String, Told>,
}

/// What `twinlog conflicts show --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ShowDocument {
    /// The pair's name.
    pub name: String,
    /// The nodes that were asked.
    pub nodes: Vec<NodeAnswer>,
    /// How the nodes' histories differ in it, in words.
    pub differ: Option<String>,
    /// It, in short.
    pub conflict: Conflict,
    /// What can be kept or restored.
    pub written: Vec<Written>,
    /// All that is known of it, without loss.
    pub detail: Detail,
}

/// A row that a decision is about.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlannedRow {
    /// Its table.
    pub table: String,
    /// Its key, for people.
    pub key: String,
    /// The names of its columns, in the order of all cells.
    pub columns: Vec<String>,
    /// What each node holds, by its name.
    pub now: BTreeMap<String, Told>,
    /// What both shall hold.
    pub wanted: Told,
}

/// A statement that a decision needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlannedStatement {
    /// On which node.
    pub node: String,
    /// It: only the columns that change.
    pub sql: String,
}

/// What `twinlog conflicts resolve --json` and `restore --json` print.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RulingDocument {
    /// The pair's name.
    pub name: String,
    /// The conflict's id.
    pub id: String,
    /// What was decided, in words.
    pub what: String,
    /// Whether it was done. Without `--yes` it is only shown.
    pub done: bool,
    /// What the conflict is now.
    pub state: State,
    /// The rows.
    pub rows: Vec<PlannedRow>,
    /// What is written where, in this order; empty where both nodes hold what is wanted.
    pub statements: Vec<PlannedStatement>,
    /// What to know before it is done.
    pub notes: Vec<String>,
    /// Whether both nodes were seen to hold what is wanted afterwards; `null` before, and where rows are left as they are.
    pub equal: Option<bool>,
}

/// What `twinlog conflicts prune --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PruneDocument {
    /// The pair's name.
    pub name: String,
    /// Conflicts found before this are meant, RFC 3339, UTC.
    pub before: String,
    /// How many of them are not open.
    pub prunable: u64,
    /// How many of them are open, and stay.
    pub open: u64,
    /// Whether they were deleted. Without `--yes` they are only counted.
    pub done: bool,
    /// How many were.
    pub deleted: u64,
}

impl From<&Answer> for NodeAnswer {
    fn from(answer: &Answer) -> Self {
        Self {
            node: answer.node.clone(),
            error: answer.error.clone(),
        }
    }
}

impl From<&Entry> for Conflict {
    fn from(entry: &Entry) -> Self {
        let gtids = [&entry.gtid_a, &entry.gtid_b];
        let gtids = entry.detail.nodes.iter().zip(gtids);
        Self {
            id: entry.id.clone(),
            found_at: time(entry.found_us),
            table: format!("{}.{}", entry.schema_name, entry.table_name),
            key: entry.row_key.clone(),
            rows: entry.detail.rows.len(),
            kind: entry.kind,
            state: entry.state,
            policy: entry.policy.clone(),
            rule: entry.rule.clone(),
            chosen: entry.chosen.clone(),
            chosen_node: entry.chosen_node.clone(),
            chosen_at: entry.chosen_us.map(time),
            gtids: gtids
                .filter_map(|(node, gtid)| Some((node.clone(), gtid.clone()?)))
                .collect(),
            repair_gtid: entry.repair_gtid.clone(),
            resolved_at: entry.resolved_us.map(time),
            attempts: entry.detail.attempts.clone(),
            rulings: entry.detail.rulings.clone(),
        }
    }
}

impl ListDocument {
    /// From what was read.
    #[must_use]
    pub fn new(name: &str, answers: &[Answer], listing: &Listing) -> Self {
        Self {
            name: name.to_owned(),
            nodes: answers.iter().map(NodeAnswer::from).collect(),
            differ: listing.differ.clone(),
            total: listing.total,
            open: listing.open,
            conflicts: listing.entries.iter().map(Conflict::from).collect(),
        }
    }
}

impl ShowDocument {
    /// From what was read.
    #[must_use]
    pub fn new(name: &str, answers: &[Answer], found: &Found) -> Self {
        let detail = &found.entry.detail;
        let told = Side::BOTH.map(|side| versions(detail, Which::Of(side)));
        let written = detail.rows.iter().enumerate().map(|(at, row)| Written {
            row: at,
            table: detail.table_name(row),
            key: detail.key_text(row),
            versions: by_node(&detail.nodes, [told[0][at].clone(), told[1][at].clone()]),
        });
        Self {
            name: name.to_owned(),
            nodes: answers.iter().map(NodeAnswer::from).collect(),
            differ: found.differ.clone(),
            conflict: Conflict::from(&found.entry),
            written: written.collect(),
            detail: detail.clone(),
        }
    }
}

impl RulingDocument {
    /// Of a proposal, and of what became of it.
    #[must_use]
    pub fn new(name: &str, proposal: &Proposal, done: Option<&Done>) -> Self {
        let entry = &proposal.entry;
        let rows = entry.detail.rows.iter().zip(&proposal.rows);
        let rows = rows.map(|(row, proposed)| PlannedRow {
            table: entry.detail.table_name(row),
            key: entry.detail.key_text(row),
            columns: entry.detail.column_names(row),
            now: by_node(&entry.detail.nodes, proposed.now.clone()),
            wanted: proposed.wanted.clone(),
        });
        let statements = proposal.statements.iter();
        Self {
            name: name.to_owned(),
            id: entry.id.clone(),
            what: proposal.what.clone(),
            done: done.is_some(),
            state: done.map_or(entry.state, |done| done.state),
            rows: rows.collect(),
            statements: statements
                .map(|statement| PlannedStatement {
                    node: statement.node.clone(),
                    sql: statement.sql.clone(),
                })
                .collect(),
            notes: proposal.notes.clone(),
            equal: done.map(|done| done.equal),
        }
    }

    /// Of a conflict that is left as it is.
    #[must_use]
    pub fn left(name: &str, entry: &Entry, done: Option<&Done>) -> Self {
        Self {
            name: name.to_owned(),
            id: entry.id.clone(),
            what: "leave it".to_owned(),
            done: done.is_some(),
            state: done.map_or(entry.state, |done| done.state),
            rows: Vec::new(),
            statements: Vec::new(),
            notes: Vec::new(),
            equal: None,
        }
    }
}

fn by_node(nodes: &[String; 2], told: [Told; 2]) -> BTreeMap<String, Told> {
    nodes.iter().cloned().zip(told).collect()
}

/// Microseconds since 1970 as RFC 3339.
fn time(micros: u64) -> String {
    let time = i64::try_from(micros).ok();
    let time = time.and_then(|micros| Timestamp::from_microsecond(micros).ok());
    time.unwrap_or(Timestamp::MAX).to_string()
}
