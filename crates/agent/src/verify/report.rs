//! What a comparison found. Its JSON is a contract: docs/schema has it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::history::{ColumnShape, Told};

/// What `twinlog verify --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// The pair's name.
    pub name: String,
    /// The nodes' names.
    pub nodes: [String; 2],
    /// Whether both hold the same in all that was compared, and all that was asked for was compared.
    pub equal: bool,
    /// When it began, RFC 3339, UTC: of one that was cut off and gone on with, the first time.
    pub started_at: String,
    /// Since when, RFC 3339: of tables' rows only those were compared that the logs say were written since then, and of tables
    /// of which that cannot be told all rows. `null` for all rows.
    pub since: Option<String>,
    /// How long it took, in seconds, since it was gone on with.
    pub seconds: f64,
    /// What of the schemas is not the same on both nodes: tables, and, where no tables were named, what there is beside them.
    pub schema: Vec<SchemaDifference>,
    /// What beside the tables could not be compared, because a node does not show it to twinlog. It counts for nothing.
    pub unseen: Vec<Unseen>,
    /// The tables of which the rows were compared, by name.
    pub tables: Vec<TableResult>,
    /// The rows that differ, by table and key.
    pub rows: Vec<RowDifference>,
    /// Rows that differed while it went on, and were made equal since: by the agent, or by a person.
    pub mended: u64,
}

/// What of the schemas is not the same on both nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SchemaDifference {
    /// What it is about: `database.table`, `database.trigger`; of what there is beside tables it begins with the kind:
    /// `database d`, `view d.v`, `procedure d.p`, `trigger d.t`, `event d.e`, `account 'user'@'host'`, …
    pub at: String,
    /// What was seen. Of passwords only that they differ.
    pub seen: String,
}

/// What could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unseen {
    /// One thing, as in `schema`, or all of a kind: `views`, `routines`, `triggers`, `events`, `sequences`, `accounts`.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Both nodes hold the same rows.
    Equal,
    /// They do not.
    Different,
    /// It could not be compared, or not all of it; the note says why.
    Unknown,
}

/// A table of which the rows were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableResult {
    /// `database.table`.
    pub table: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How many rows each node had when they were counted, by its name.
    pub rows: BTreeMap<String, u64>,
    /// How many rows differ.
    pub differing: u64,
    /// What else is to be known.
    pub note: Option<String>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RowDifference {
    /// `database.table`.
    pub table: String,
    /// Its key, for people; `null` in a table without one.
    pub key: Option<String>,
    /// The columns, in the order of all cells.
    pub columns: Vec<ColumnShape>,
    /// What each node holds, by its name.
    pub versions: BTreeMap<String, Told>,
    /// How many such rows each node has, by its name. Other than 0 and 1 only in a table without a key.
    pub counts: BTreeMap<String, u64>,
}
