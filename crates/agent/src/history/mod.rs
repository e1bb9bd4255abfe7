//! What was found and what was done about it: the replicated tables `twinlog.conflict` and `twinlog.checkpoint`.
//!
//! A conflict's row is inserted by the transaction that repairs it, so either both are there or neither. Its `id` comes
//! from what the conflict *is* (transactions and rows), so whoever finds it again writes the same row; a row that is no
//! longer open is never written over. Times are UTC, in microseconds.

mod checkpoint;
mod detail;
mod filter;
mod marker;
mod packed;
mod ruling;
mod store;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinlog_server::conn;

pub use checkpoint::{Checkpoint, read_checkpoint, write_checkpoint};
pub(crate) use detail::cells;
pub use detail::{
    Attempt, Cell, ColumnShape, DETAIL_VERSION, Detail, RowDetail, TableShape, Told, WriteDetail,
};
pub use filter::{Filter, LIST_LIMIT_DEFAULT};
pub use marker::{Chosen, chosen, is_history};
pub use ruling::{RuledRow, Ruling};
pub(crate) use ruling::{close_ruled_sql, is_ruled, rule_sql, seal};
pub use store::{
    Counts, counts, find, insert_sql, list, prunable, prune, record, resolve, set_repair_gtids,
    state, supersede, total,
};
pub(crate) use store::{datetime, settled};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Both nodes wrote a row without having seen each other.
    Conflict,
    /// The nodes held different rows, and no log says why.
    Divergence,
    /// Both nodes changed a definition without having seen each other.
    Ddl,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing yet, or not all: it waits for a person, or for the agent's next try.
    Open,
    /// Both nodes hold the chosen version.
    Repaired,
    /// Both nodes held the same already; what was overwritten is in the detail.
    Equal,
    /// Clients have written the rows since.
    Superseded,
    /// A person decided to leave it.
    Kept,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conflict, Self::Divergence, Self::Ddl];

    /// As the table has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Divergence => "divergence",
            Self::Ddl => "ddl",
        }
    }
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Repaired,
        Self::Equal,
        Self::Superseded,
        Self::Kept,
    ];

    /// As the table has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Repaired => "repaired",
            Self::Equal => "equal",
            Self::Superseded => "superseded",
            Self::Kept => "kept",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Twelve hexadecimal digits.
    pub id: String,
    /// When it was found: microseconds since 1970.
    pub found_us: u64,
    /// The first row's database.
    pub schema_name: String,
    /// The first row's table.
    pub table_name: String,
    /// The first row's key, for people: `id=5`.
    pub row_key: String,
    /// What was found.
    pub kind: Kind,
    /// What became of it.
    pub state: State,
    /// The policy that was asked, as `twinlog.toml` spells it.
    pub policy: String,
    /// Why this version was chosen.
    pub rule: String,
    /// What was chosen, for people: a node's name, `merge`.
    pub chosen: Option<String>,
    /// The node whose version was chosen.
    pub chosen_node: Option<String>,
    /// When that version was committed there: microseconds since 1970.
    pub chosen_us: Option<u64>,
    /// The first node's transaction.
    pub gtid_a: Option<String>,
    /// The second node's transaction.
    pub gtid_b: Option<String>,
    /// The transaction that repaired it, once the watcher has read it.
    pub repair_gtid: Option<String>,
    /// When it was resolved: microseconds since 1970.
    pub resolved_us: Option<u64>,
    /// All of it.
    pub detail: Detail,
}

/// Why the history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The server.
    #[error(transparent)]
    Server(#[from] conn::Error),
    /// No row's id begins so.
    #[error("there is no conflict {id}")]
    NoSuch {
        /// What was asked for.
        id: String,
    },
    /// Several rows' ids begin so.
    #[error("{count} conflicts have an id that begins with {id}")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// How many there are.
        count: usize,
    },
    /// A row that twinlog did not write so.
    #[error("conflict {id}: its {what} cannot be read")]
    Unreadable {
        /// Its id.
        id: String,
        /// Which column.
        what: &'static str,
    },
}

impl HistoryError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::NoSuch { .. } => Some("`twinlog conflicts list` shows what there is".into()),
            Self::Ambiguous { .. } => Some("give more digits of the id".into()),
            Self::Unreadable { .. } => Some("was it written by a newer twinlog?".into()),
        }
    }
}
