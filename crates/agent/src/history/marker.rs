//! How the watcher knows a repair in the log: by its row of the history.

use std::sync::Arc;

use serde::Deserialize;
use twinlog_binlog::{Gtid, Image, RowError, Table, Value};

use crate::gtids;

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
const DETAIL: usize = 16;

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
    /// The transactions that it was chosen from; `None` where a person chose, or the rows were taken as a
    /// node held them: by what they were then.
    pub judged: Option<Arc<[Gtid]>>,
}

/// What of [`super::Detail`] is needed here.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    writes: Vec<ToldWrite>,
    #[serde(default)]
    rulings: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    as_held: bool,
}

#[derive(Deserialize)]
struct ToldWrite {
    gtid: String,
}

/// The transactions of the writes in a row's detail.
fn judged(detail: &str) -> Option<Arc<[Gtid]>> {
    let told: Told = serde_json::from_str(detail).ok()?;
    if !told.rulings.is_empty() || told.as_held {
        return None;
    }
    let gtids = told.writes.iter().map(|write| gtids::parse(&write.gtid));
    gtids.collect()
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
        judged: text(DETAIL)?.as_deref().and_then(judged),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_repair_was_chosen_from_is_in_its_detail() {
        let detail = r#"{"version":1,"writes":[{"gtid":"0-1-7"},{"gtid":"0-2-8"}]}"#;
        let names: Vec<String> = judged(detail)
            .iter()
            .flat_map(|gtids| gtids.iter().map(Gtid::to_string))
            .collect();
        assert_eq!(names, ["0-1-7", "0-2-8"]);
        for other in [
            "",
            r#"{"writes":[{"gtid":"?"}]}"#,
            r#"{"writes":[{"gtid":"0-1-7"}],"rulings":[{}]}"#,
            r#"{"writes":[{"gtid":"0-1-7"}],"as_held":true}"#,
        ] {
            assert_eq!(judged(other), None, "{other}");
        }
    }
}
