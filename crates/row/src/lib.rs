//! Tables and their rows as SQL: what a table is made of, values that mean exactly themselves, stretches of keys, hashes.
//!
//! A [`Value`] says what a row image holds, whatever the session. Here it becomes a literal that stores those very bytes
//! again ([`literal`]), a predicate that is true for no other value ([`matches()`]), and what a `SELECT` returns becomes the
//! same `Value` that the binary log would give ([`select_list`], [`parse_row`]). The session must have been prepared with
//! [`SESSION`]: the texts of timestamps, zero dates and invalid dates depend on it.

mod documents;
mod hash;
mod image;
mod kind;
mod literal;
mod load;
mod query;
mod read;
mod span;
mod table;

use twinlog_binlog::Value;

pub use documents::Documents;
pub use hash::Hash;
pub use image::{is_of, is_retyped, read_aged, read_image};
pub use kind::{Kind, Named};
pub use literal::{assignments, identifier, literal, locate, matches, text_literal};
pub use query::{RawRow, STATEMENT_TIMEOUT, run, run_within};
pub use read::{
    canonical, key_of, lock, parse_columns, parse_row, read_held, same, select_columns,
    select_expression, select_list,
};
pub use span::Span;
pub use table::{ColumnInfo, Reference, TableInfo, UniqueIndex};

/// What a session must be set to before it reads or writes rows.
///
/// - UTC, because a `TIMESTAMP` is text in the session's zone.
/// - No strict mode: strict mode refuses values that rows have (zero dates, the error value of an `ENUM`). What is written
///   is read again before it is committed, so nothing is bent in silence. A written 0 stays 0 in an `AUTO_INCREMENT` column.
/// - A second for locks, of rows as of tables (`LOCK TABLES`, an `ALTER`; a year by default): what is held longer is tried
///   again later, and other repairs go on meanwhile.
/// - `READ COMMITTED`: no gap is locked, so clients that insert elsewhere do not wait.
pub const SESSION: &str = "SET NAMES utf8mb4, SESSION time_zone = '+00:00', \
     SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', SESSION autocommit = 1, \
     SESSION foreign_key_checks = 1, SESSION unique_checks = 1, SESSION sql_safe_updates = 0, \
     SESSION sql_select_limit = DEFAULT, SESSION sql_auto_is_null = 0, SESSION innodb_lock_wait_timeout = 1, \
     SESSION lock_wait_timeout = 1; \
     SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The `sql_mode` under which a server refuses what it would otherwise bend, but for values that rows may have.
pub const STRICT_SQL_MODE: &str = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";

/// A row's values, one per column, in the table's order.
pub type Row = Vec<Value>;

/// What can go wrong with a table or its rows.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The server did not answer as asked.
    #[error(transparent)]
    Server(#[from] twinlog_server::conn::Error),
    /// A row in the log is not one.
    #[error(transparent)]
    Image(#[from] twinlog_binlog::RowError),
    /// There is no such table.
    #[error("there is no table {table}")]
    NoTable {
        /// Its name.
        table: String,
    },
    /// A value is not of its column's type.
    #[error("column {column} of {table} ({kind}) cannot hold {value}")]
    WrongValue {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
        /// What kind of value it is; never the value itself, which is a user's data.
        value: &'static str,
    },
    /// The server's text for a value is not understood.
    #[error("column {column} of {table} ({kind}): the server sent what is no such value")]
    Unreadable {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// An image in the log is of another definition of the table than the one that is known.
    #[error("a row of {table} in the log is not of the table's definition")]
    OtherDefinition {
        /// The table.
        table: String,
    },
    /// The row has another number of columns.
    #[error("a row of {table} has {got} columns, the table {expected}: its definition has changed")]
    Shape {
        /// The table.
        table: String,
        /// What the table has.
        expected: usize,
        /// What the row has.
        got: usize,
    },
    /// The table has no key that names a row.
    #[error("{table} has no primary key, nor another unique key without NULLs")]
    NoKey {
        /// The table.
        table: String,
    },
}

impl RowError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::NoKey { .. } => Some("give the table a primary key".into()),
            Self::OtherDefinition { .. } => Some(
                "with binlog_row_metadata = FULL the log names columns, and rows can be followed over ALTER TABLE".into(),
            ),
            Self::Shape { .. } => {
                Some("the next start of the agent reads the definition again".into())
            }
            Self::Image(_)
            | Self::NoTable { .. }
            | Self::WrongValue { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}
