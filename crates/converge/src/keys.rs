//! What makes a row of a table one row: its unique keys, and the foreign keys that tie it to others.

use std::{fmt, sync::Arc};

/// A table's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// Its database.
    pub database: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A statement that is in a log as its text may not name the table that it changes.
        match (&*self.database, &*self.name) {
            ("", "") => write!(f, "all tables"),
            (database, "") => write!(f, "all in {database}"),
            (database, name) => write!(f, "{database}.{name}"),
        }
    }
}

/// The keys of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableKeys {
    /// Its unique keys; the first is the one that names a row (the primary key, else the first without NULLs). A table
    /// without any has rows that cannot be told apart: they are counted, never judged.
    pub unique: Vec<UniqueKey>,
    /// Its foreign keys.
    pub foreign: Vec<ForeignKey>,
}

/// One unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// Its name; `PRIMARY` for the primary key.
    pub name: Arc<str>,
    /// Its columns' positions in the table, from 0, in the key's order.
    pub columns: Vec<usize>,
}

/// A reference to a row of another table (or of the same).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The positions of the referring columns, from 0.
    pub columns: Vec<usize>,
    /// The table that is referred to.
    pub parent: TableName,
    /// Its columns' positions, in the same order: those of one of its unique keys.
    pub parent_columns: Vec<usize>,
}
