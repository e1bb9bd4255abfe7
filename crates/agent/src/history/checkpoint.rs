//! How far both logs have been compared.

use twinlog_server::conn::{Conn, Error};

use super::store::{datetime, micros};
use twinlog_row::{run, text_literal};

/// The one row of `twinlog.checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The transactions that need not be read again, as the servers write GTID sets.
    pub settled: String,
    /// When it was written: microseconds since 1970.
    pub written_us: u64,
    /// What the agent says of itself, as JSON.
    pub detail: String,
}

/// Reads it; `None` when no agent has written one.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn read_checkpoint(conn: &mut Conn) -> Result<Option<Checkpoint>, Error> {
    let row = conn
        .row(&format!(
            "SELECT settled, {} AS us, detail FROM `twinlog`.`checkpoint` WHERE only_row = 1",
            micros("written_at")
        ))
        .await?;
    Ok(row.map(|row| Checkpoint {
        settled: row.get("settled").unwrap_or_default().to_owned(),
        written_us: row.number("us").unwrap_or_default(),
        detail: row.get("detail").unwrap_or_default().to_owned(),
    }))
}

/// Writes it. It is replicated as every row.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn write_checkpoint(conn: &mut Conn, checkpoint: &Checkpoint) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO `twinlog`.`checkpoint` (only_row, settled, written_at, detail) VALUES (1, {}, {}, {}) \
         ON DUPLICATE KEY UPDATE settled = VALUES(settled), written_at = VALUES(written_at), detail = VALUES(detail)",
        text_literal(&checkpoint.settled),
        datetime(checkpoint.written_us),
        text_literal(&checkpoint.detail),
    );
    run(conn, &sql).await.map(drop)
}
