//! The note on a node whose data is being copied: until the copy is whole, the node is not what it seems.
//!
//! It is written before the first table and taken away after the last, in the transaction that says where the node's log
//! stands. Whoever finds it finds half a copy, which is twinlog's own: to be gone on with, never to be linked.
//!
//! A backup that is restored leaves the same note, on both nodes.

use std::{collections::HashSet, fmt};

use twinlog_server::{
    conn::{Conn, Error, Row},
    facts::Coordinates,
    sql::literal,
};

use super::run_all;
use crate::origin::{Origin, Sameness};

const SCHEMA: &str = "CREATE DATABASE IF NOT EXISTS `twinlog` CHARACTER SET utf8mb4";
const MARK: &str = "CREATE TABLE IF NOT EXISTS `twinlog`.`copy` (\
     `only_row` TINYINT NOT NULL PRIMARY KEY DEFAULT 1, `source` VARCHAR(64) NOT NULL, `is_backup` TINYINT NOT NULL, \
     `origin_file` VARCHAR(255) NOT NULL, `origin_position` BIGINT UNSIGNED NOT NULL, `origin_gtids` LONGTEXT NOT NULL, \
     `was_read_only` TINYINT NOT NULL, `took_files` TINYINT NOT NULL, `rebuilt` TINYINT NOT NULL, `whole` TINYINT NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 \
     COMMENT='a copy of the other node, or of a backup, is being made here and is not whole; not replicated'";
/// Names are compared byte by byte.
const MADE: &str = "CREATE TABLE IF NOT EXISTS `twinlog`.`copied` (\
     `kind` VARCHAR(16) NOT NULL, `schema_name` VARCHAR(64) NOT NULL, `name` VARCHAR(64) NOT NULL, \
     PRIMARY KEY (`kind`, `schema_name`, `name`)) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin \
     COMMENT='what that copy has made so far'";

/// What a copy is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The other node, by its name.
    Node(String),
    /// A backup, by its id.
    Backup(String),
}

impl Source {
    /// Its name or id.
    fn id(&self) -> &str {
        match self {
            Self::Node(id) | Self::Backup(id) => id,
        }
    }

    /// Whether it is that node.
    pub fn is_node(&self, name: &str) -> bool {
        matches!(self, Self::Node(node) if node == name)
    }

    /// Whether it is that backup.
    pub fn is_backup(&self, id: &str) -> bool {
        matches!(self, Self::Backup(backup) if backup == id)
    }

    /// What ends its being half.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Node(_) => "`twinlog up` goes on with it",
            Self::Backup(_) => "`twinlog restore`, of this backup or of another, goes on with it",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "{name}"),
            Self::Backup(id) => write!(f, "the backup {id}"),
        }
    }
}

/// Half a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it is of.
    pub source: Source,
    /// Where this node's own log stood before, and what it had executed.
    pub end: Coordinates,
    /// The same as GTIDs.
    pub gtids: String,
    /// Whether the node was read-only before: it is, while it is copied to.
    pub was_read_only: bool,
    /// Whether it took files from clients before (`local_infile`): it does, while it is copied to.
    pub took_files: bool,
    /// Whether the node was another one before, or had this one's data once: what it logged then is of no use, and its
    /// names may be given again. Its log begins anew when the copy is whole.
    pub rebuilt: bool,
    /// Whether all of a backup is there and was compared with it; only both nodes' marks are left to be taken away.
    pub whole: bool,
    /// Whether all of the source's data came by CLONE: what is left is to make it a node of its own.
    pub cloned: bool,
}

/// What a copy has made: its kind, database and name.
pub(super) type Made = HashSet<(String, String, String)>;

impl Mark {
    /// Notes it on the node. What is there already counts as made by a copy, if it is among `made`.
    pub(super) async fn set(&self, conn: &mut Conn, made: &Made) -> Result<(), Error> {
        let insert = format!(
            "REPLACE INTO `twinlog`.`copy` (`source`, `is_backup`, `origin_file`, `origin_position`, `origin_gtids`, \
             `was_read_only`, `took_files`, `rebuilt`, `whole`) VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {})",
            literal(self.source.id()),
            u8::from(matches!(self.source, Source::Backup(_))),
            literal(&self.end.file),
            self.end.position,
            literal(&self.gtids),
            u8::from(self.was_read_only),
            u8::from(self.took_files),
            u8::from(self.rebuilt),
            u8::from(self.whole),
        );
        run_all(conn, [SCHEMA, MARK, MADE, "START TRANSACTION", UNMAKE]).await?;
        for (kind, database, name) in made {
            will_make(conn, kind, database, name).await?;
        }
        run_all(conn, [insert.as_str(), "COMMIT"]).await
    }

    /// Notes where the log stands by now.
    pub(super) async fn renew(&self, conn: &mut Conn) -> Result<(), Error> {
        let sql = format!(
            "UPDATE `twinlog`.`copy` SET `origin_file` = {}, `origin_position` = {}, `origin_gtids` = {}",
            literal(&self.end.file),
            self.end.position,
            literal(&self.gtids)
        );
        conn.execute(&sql).await
    }

    /// Notes that all of a backup is there.
    pub(super) async fn is_whole(conn: &mut Conn) -> Result<(), Error> {
        conn.execute("UPDATE `twinlog`.`copy` SET `whole` = 1")
            .await
    }

    /// Takes it back: nothing was made, or all of a backup.
    pub(super) async fn take_back(conn: &mut Conn) -> Result<(), Error> {
        run_all(conn, [FORGET_MARK, FORGET_MADE]).await
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
        let all = [
            "START TRANSACTION",
            &record,
            "DELETE FROM `twinlog`.`copy`",
            UNMAKE,
            "COMMIT",
            FORGET_MARK,
            FORGET_MADE,
        ];
        run_all(conn, all).await
    }
}

const UNMAKE: &str = "DELETE FROM `twinlog`.`copied`";
const FORGET_MARK: &str = "DROP TABLE IF EXISTS `twinlog`.`copy`";
const FORGET_MADE: &str = "DROP TABLE IF EXISTS `twinlog`.`copied`";

/// Notes that something is about to be made: what is not noted is somebody else's. What cannot be made yet is noted again.
pub(super) async fn will_make(
    conn: &mut Conn,
    kind: &str,
    database: &str,
    name: &str,
) -> Result<(), Error> {
    conn.execute(&format!(
        "INSERT IGNORE INTO `twinlog`.`copied` VALUES ({}, {}, {})",
        literal(kind),
        literal(database),
        literal(name)
    ))
    .await
}

/// What was noted so.
pub(super) async fn made(conn: &mut Conn) -> Result<Made, Error> {
    let rows = conn
        .rows("SELECT kind, schema_name, name FROM `twinlog`.`copied`")
        .await?;
    let text = |row: &Row, at| row.at(at).unwrap_or_default().to_owned();
    Ok(rows
        .iter()
        .map(|row| (text(row, 0), text(row, 1), text(row, 2)))
        .collect())
}

/// Reads a node's; `None` where no copy is being made.
pub(super) async fn read(conn: &mut Conn) -> Result<Option<Mark>, Error> {
    let sql = "SELECT source, is_backup, origin_file, origin_position, origin_gtids, was_read_only, took_files, rebuilt, whole \
               FROM `twinlog`.`copy`";
    let row = match conn.row(sql).await {
        // No such database, no such table.
        Err(Error::Statement {
            code: 1049 | 1146, ..
        }) => None,
        row => row?,
    };
    Ok(row.and_then(|row| {
        let is_on = |name| row.get(name) == Some("1");
        let source = row.get("source")?.to_owned();
        Some(Mark {
            source: match is_on("is_backup") {
                true => Source::Backup(source),
                false => Source::Node(source),
            },
            end: Coordinates {
                file: row.get("origin_file")?.to_owned(),
                position: row.number("origin_position")?,
            },
            gtids: row.get("origin_gtids")?.to_owned(),
            was_read_only: is_on("was_read_only"),
            took_files: is_on("took_files"),
            rebuilt: is_on("rebuilt"),
            whole: is_on("whole"),
            cloned: false,
        })
    }))
}
