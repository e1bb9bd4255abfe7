//! The note on a node whose data is being copied: until the copy is whole, the node is not what it seems.
//!
//! It is written before the first table and taken away after the last, in the transaction that says where the node's log
//! stands. Whoever finds it finds half a copy, which is twinlog's own: to be gone on with, never to be linked.

use twinlog_server::{
    conn::{Conn, Error},
    facts::Coordinates,
    sql::literal,
};

use crate::origin::{Origin, Sameness};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS `twinlog`.`copy` (\
     `only_row` TINYINT NOT NULL PRIMARY KEY DEFAULT 1, `source` VARCHAR(64) NOT NULL, \
     `origin_file` VARCHAR(255) NOT NULL, `origin_position` BIGINT UNSIGNED NOT NULL, `origin_gtids` LONGTEXT NOT NULL, \
     `was_read_only` TINYINT NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 \
     COMMENT='a copy of the other node is being made here and is not whole; not replicated'";

/// Half a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The node it is of.
    pub source: String,
    /// Where this node's own log stood before, and what it had executed.
    pub end: Coordinates,
    /// The same as GTIDs.
    pub gtids: String,
    /// Whether the node was read-only before: it is, while it is copied to.
    pub was_read_only: bool,
}

impl Mark {
    /// Notes it on the node, unless a copy that was cut off has left its own note, which is returned.
    pub(super) async fn set(&self, conn: &mut Conn) -> Result<Self, Error> {
        conn.execute("CREATE DATABASE IF NOT EXISTS `twinlog` CHARACTER SET utf8mb4")
            .await?;
        conn.execute(TABLE).await?;
        conn.execute(&format!(
            "INSERT IGNORE INTO `twinlog`.`copy` (`source`, `origin_file`, `origin_position`, `origin_gtids`, `was_read_only`) \
             VALUES ({}, {}, {}, {}, {})",
            literal(&self.source),
            literal(&self.end.file),
            self.end.position,
            literal(&self.gtids),
            u8::from(self.was_read_only),
        ))
        .await?;
        Ok(read(conn).await?.unwrap_or_else(|| self.clone()))
    }

    /// Takes it away: the copy is whole, and this is where the node's log stood when it was begun.
    pub(super) async fn complete(
        &self,
        conn: &mut Conn,
        pair_id: &str,
        node: &str,
    ) -> Result<(), Error> {
        let origin = Origin {
            end: self.end.clone(),
            gtids: self.gtids.clone(),
            sameness: Sameness::Copied,
            secrets_id: String::new(),
        };
        let record = origin.record(pair_id, node).to_string();
        for sql in [
            "START TRANSACTION",
            &record,
            "DELETE FROM `twinlog`.`copy`",
            "COMMIT",
            "DROP TABLE `twinlog`.`copy`",
        ] {
            conn.execute(sql).await?;
        }
        Ok(())
    }
}

/// Reads a node's; `None` where no copy is being made.
///
/// # Errors
/// As [`Conn::rows`], but for a node that has no such table.
pub(crate) async fn read(conn: &mut Conn) -> Result<Option<Mark>, Error> {
    let sql = "SELECT source, origin_file, origin_position, origin_gtids, was_read_only FROM `twinlog`.`copy`";
    let row = match conn.row(sql).await {
        // No such database, no such table.
        Err(Error::Statement {
            code: 1049 | 1146, ..
        }) => None,
        row => row?,
    };
    Ok(row.and_then(|row| {
        Some(Mark {
            source: row.get("source")?.to_owned(),
            end: Coordinates {
                file: row.get("origin_file")?.to_owned(),
                position: row.number("origin_position")?,
            },
            gtids: row.get("origin_gtids")?.to_owned(),
            was_read_only: row.get("was_read_only") == Some("1"),
        })
    }))
}
