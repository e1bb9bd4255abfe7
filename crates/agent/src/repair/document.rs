//! What is to be repaired, and what became of it, for programs. Its JSON is a contract: docs/schema has it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::verify::Report;

/// What `twinlog repair --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RepairDocument {
    /// What the comparison found, before anything was written.
    pub compared: Report,
    /// What is to become of each row that differs, in the order of `compared.rows`.
    pub rows: Vec<RowPlan>,
    /// Whether it was carried out; else it is only a plan.
    pub applied: bool,
    /// Whether both nodes hold the same by now in all that was compared, and all that was asked for was compared.
    pub equal: bool,
    /// How many rows were repaired, and seen to be equal on both nodes afterwards.
    pub repaired: u64,
    /// How many rows differ still, or were not seen to be equal.
    pub left: u64,
}

/// What is done to a row on the node that does not hold what both shall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is inserted.
    Insert,
    /// It gets other values.
    Update,
    /// It is deleted.
    Delete,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing yet: it is to be repaired.
    Planned,
    /// Both nodes hold what the chosen one held.
    Repaired,
    /// Both nodes held the same when it was its turn: somebody else wrote it.
    Equal,
    /// It was not repaired; the reason says why.
    Left,
}

/// What is to become of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowPlan {
    /// `database.table`.
    pub table: String,
    /// Its key, for people; `null` in a table without one.
    pub key: Option<String>,
    /// The node whose version both shall hold; `null` where nobody has said which.
    pub keep: Option<String>,
    /// By what: `--keep`, or the table's policy.
    pub why: Option<String>,
    /// The node that is written.
    pub on: Option<String>,
    /// What is done there.
    pub action: Option<Action>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was left.
    pub reason: Option<String>,
    /// Its entry in the history of conflicts, which has what was overwritten.
    pub id: Option<String>,
}
