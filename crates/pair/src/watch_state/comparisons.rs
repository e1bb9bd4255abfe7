//! What the agent says of its comparisons of both nodes' rows. Fields are added to, never renamed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The comparisons that the agent makes by itself: on a schedule, and of tables that it could not follow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Comparisons {
    /// The last one of all tables that came to its end.
    pub last: Option<Compared>,
    /// The one that goes on; `null` where none does.
    pub under_way: Option<Comparing>,
    /// When the next one of all tables is due, RFC 3339, UTC; `null` where none is wanted, or no agent runs.
    pub next_at: Option<String>,
    /// The tables that differed, or could not be compared to their ends, when the agent last compared them.
    pub differing: Vec<Differing>,
    /// Why the last one came to no end, until one does.
    pub failed: Option<String>,
}

/// A comparison of all tables that came to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Compared {
    /// When it began, RFC 3339, UTC.
    pub began_at: String,
    /// When it ended.
    pub ended_at: String,
    /// How many tables were compared.
    pub tables: u64,
    /// How many rows the fuller node had in them.
    pub rows: u64,
    /// How many rows differed.
    pub differing_rows: u64,
    /// How many tables could not be compared, or not all of them.
    pub tables_unknown: u64,
    /// In how many places the schemas were not the same.
    pub schema_differences: u64,
}

/// Why something is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is due by the schedule.
    #[default]
    Schedule,
    /// The agent could not follow it, or it differed when it was last compared.
    Named,
}

/// A comparison that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Comparing {
    /// When it began, RFC 3339, UTC: of one that was cut off and gone on with, the first time.
    pub began_at: String,
    /// Why.
    pub why: Why,
    /// Of which tables: `database.table`, or `*.*` for all.
    pub of: String,
    /// How many tables there are to compare.
    pub tables: u64,
    /// How many of them are done.
    pub tables_done: u64,
    /// How many rows they have, as the servers estimate.
    pub rows_estimated: u64,
    /// How many of them are done.
    pub rows_done: u64,
    /// How many rows were found to differ.
    pub differing_rows: u64,
}

/// A table that differed, or of which that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Differing {
    /// `database.table`.
    pub table: String,
    /// How many rows differed.
    pub rows: u64,
    /// Why not all of it was compared, if it was not.
    pub unknown: Option<String>,
    /// When that was seen, RFC 3339, UTC.
    pub seen_at: String,
}
