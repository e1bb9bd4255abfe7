//! What one transaction did, as its log tells.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Gtid, Rows};

/// One transaction of one log, in the order of its commits.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Its name; `None` in a log without GTIDs.
    pub gtid: Option<Gtid>,
    /// The server where a client committed it: replicas keep it.
    pub server_id: u32,
    /// When it was committed there.
    pub committed: CommitTime,
    /// When this log's own server committed it, in microseconds since 1970; `None` before MySQL 8.0.1 and on MariaDB.
    pub logged_us: Option<u64>,
    /// What it did, in order. Empty where a replica skipped all of it.
    pub changes: Vec<Change>,
    /// Its part in a distributed transaction.
    pub xa: Option<Xa>,
    /// The log file it is in.
    pub file: Arc<str>,
    /// Where its first event begins there.
    pub start: u64,
    /// Where its last event ends there.
    pub end: u64,
    /// The bytes that it keeps in memory.
    pub size_bytes: usize,
}

/// The time of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitTime {
    /// Microseconds since 1970.
    pub micros: u64,
    /// Whether the log says the microsecond. Before MySQL 8.0.1 and on MariaDB it says the second.
    pub exact: bool,
}

/// One thing a transaction did.
#[derive(Debug, Clone)]
pub enum Change {
    /// Rows of one table.
    Rows(Rows),
    /// A statement that was logged as its text: DDL, or data changed with `binlog_format` other than ROW.
    Statement(Statement),
}

/// A statement logged as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The session's current database; empty for none.
    pub database: Arc<str>,
    /// The statement, in the client's character set.
    pub text: Bytes,
    /// The server's error code that it ended with on its origin, 0 for none.
    pub error_code: u16,
}

impl Statement {
    /// What stands for rows by a foreign key of which the server did not write the table.
    pub(crate) const UNDESCRIBED: &'static [u8] =
        b"DELETE /* rows by a foreign key; the server did not write of which table */";

    /// Whether it is no statement, but stands for rows that a foreign key deleted or changed and of which the server did
    /// not write the table.
    #[must_use]
    pub fn is_undescribed(&self) -> bool {
        *self.text == *Self::UNDESCRIBED
    }
}

/// A part in a distributed transaction. Its `xid` is the text that the server logs: `X'…',X'…',n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Xa {
    /// The changes are prepared: locked, not yet visible.
    Prepare(Bytes),
    /// Prepared changes became visible.
    Commit(Bytes),
    /// Prepared changes never were.
    Rollback(Bytes),
}
