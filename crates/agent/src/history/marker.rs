//! How the watcher knows a repair in the log: by its row of the history.

use twinlog_binlog::{Image, RowError, Table, Value};

use super::State;

/// The history's table.
pub(super) const SCHEMA: &str = "twinlog";
/// See [`SCHEMA`].
pub(super) const TABLE: &str = "conflict";
/// Where `id`, `state`, `chosen_node` and `chosen_us` are in the table: logs may not name columns.
const ID: usize = 0;
const STATE: usize = 6;
const CHOSEN_NODE: usize = 10;
const CHOSEN_US: usize = 11;
const REPAIR_GTID: usize = 14;

/// What a repair's row of the history says of the version that the repair carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The row's id.
    pub id: String,
    /// The node where the version was committed; `None` for a merge.
    pub node: Option<String>,
    /// When, in microseconds since 1970.
    pub micros: Option<u64>,
    /// Whether the repair is complete.
    pub repaired: bool,
    /// Whether the row names the transaction that repaired it: then this transaction only wrote that down.
    pub named: bool,
}

/// Whether rows of the table are rows of the history.
#[must_use]
pub fn is_history(table: &Table) -> bool {
    &*table.database == SCHEMA && &*table.name == TABLE
}

/// Reads a row of the history from its image in a log.
///
/// # Errors
/// Where the image is not one of that table.
pub fn chosen(row: Image<'_>) -> Result<Chosen, RowError> {
    let text = |position| -> Result<Option<String>, RowError> {
        Ok(match row.value(position)? {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        })
    };
    let state = text(STATE)?;
    Ok(Chosen {
        id: text(ID)?.unwrap_or_default(),
        node: text(CHOSEN_NODE)?,
        micros: match row.value(CHOSEN_US)? {
            Value::UInt(micros) => Some(micros),
            // A log without signs: MySQL 5.6.
            Value::Int(micros) => u64::try_from(micros).ok(),
            _ => None,
        },
        repaired: state.as_deref() == Some(State::Repaired.word()),
        named: text(REPAIR_GTID)?.is_some(),
    })
}
