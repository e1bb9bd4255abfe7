//! What a person decided about a conflict, and how that is written down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinlog_server::conn::{Conn, Error};

use super::{Entry, Told, datetime, packed};
use twinlog_row::text_literal;

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ruling {
    /// When: microseconds since 1970.
    pub at_us: u64,
    /// Who, as the system calls them: `ana@db1`.
    pub by: String,
    /// What, in words: `keep a`.
    pub what: String,
    /// What was so before: the state, and the rule that stood.
    pub instead_of: String,
    /// The rows as they were found and as they were to become, so that what the decision overwrote is not lost.
    #[serde(default)]
    pub rows: Vec<RuledRow>,
}

/// A row that a person decided about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuledRow {
    /// Which: an index into [`Detail::rows`](super::Detail::rows).
    pub row: usize,
    /// What each node held.
    pub found: [Told; 2],
    /// What both were to hold.
    pub wanted: Told,
}

/// What the detail of an entry is, in short: it tells whether anyone has written it since.
///
/// # Errors
/// As [`Conn::rows`].
pub(crate) async fn seal(conn: &mut Conn, id: &str) -> Result<String, Error> {
    let sql = format!(
        "SELECT SHA2(detail, 256) FROM `twinlog`.`conflict` WHERE id = {}",
        text_literal(id)
    );
    Ok(conn.value(&sql).await?.unwrap_or_default())
}

/// What is true of an entry which a ruling has left open, once that has come with this [`seal`].
pub(crate) fn is_ruled(id: &str, seal: &str) -> String {
    format!(
        "id = {} AND state = 'open' AND SHA2(detail, 256) = {}",
        text_literal(id),
        text_literal(seal),
    )
}

/// The statement that closes an entry which a ruling has left open, where [`is_ruled`].
pub(crate) fn close_ruled_sql(id: &str, seal: &str, now_us: u64) -> String {
    format!(
        "UPDATE `twinlog`.`conflict` SET state = 'repaired', resolved_at = {} WHERE {}",
        datetime(now_us),
        is_ruled(id, seal),
    )
}

/// The statement that writes a ruling into its entry, if that is still as it was read: `seen` is the entry then, and
/// `seal` its [`seal`]. It names no repair, so that the watcher fills in the new one.
pub(crate) fn rule_sql(seen: &Entry, seal: &str, ruled: &Entry) -> String {
    let text = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), text_literal);
    let detail = packed::pack(&ruled.detail);
    format!(
        "UPDATE `twinlog`.`conflict` SET state = '{}', rule = {}, chosen = {}, chosen_node = {}, chosen_us = NULL, \
         repair_gtid = NULL, resolved_at = {}, detail = {} \
         WHERE id = {} AND state = '{}' AND SHA2(detail, 256) = {}",
        ruled.state,
        text_literal(&ruled.rule),
        text(ruled.chosen.as_deref()),
        text(ruled.chosen_node.as_deref()),
        ruled
            .resolved_us
            .map_or_else(|| "NULL".to_owned(), datetime),
        text_literal(&detail),
        text_literal(&ruled.id),
        seen.state,
        text_literal(seal),
    )
}
