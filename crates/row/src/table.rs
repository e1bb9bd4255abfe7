//! A table's columns and keys.

use std::sync::Arc;

use twinlog_converge::{ForeignKey, TableKeys, TableName, UniqueKey};

use super::{Kind, RowError, identifier};

/// What one node says of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableInfo {
    /// Its name.
    pub name: TableName,
    /// Its columns in their order, as in a row image: invisible and generated ones among them.
    pub columns: Vec<ColumnInfo>,
    /// Its unique indexes over columns. Where there is one that names every row (see [`TableInfo::key`]), it is the first.
    pub unique: Vec<UniqueIndex>,
    /// Unique indexes over expressions, by name: no row image has what they hold. Rows that collide there are seen by
    /// what the applier does to them, and a repair that would collide is refused by the server.
    pub opaque: Vec<String>,
    /// Its foreign keys.
    pub foreign: Vec<ForeignKey>,
    /// The foreign keys of other tables (and its own) that refer to it.
    pub referring: Vec<Reference>,
    /// Triggers on its rows, by name. A repair fires them as every statement does.
    pub triggers: Vec<String>,
    /// Why no row of it can be repaired, in words that follow "because".
    pub obstacle: Option<String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Its type as the server writes it, with its collation if it is text.
    pub declared: String,
    /// Computed by the server: never written, never compared.
    pub generated: bool,
    /// Whether it can be NULL.
    pub nullable: bool,
}

impl ColumnInfo {
    pub(crate) fn is_vector(&self) -> bool {
        self.declared.to_ascii_lowercase().starts_with("vector")
    }
}

/// A unique index over columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueIndex {
    /// Its name.
    pub name: String,
    /// Its columns' positions, from 0.
    pub columns: Vec<usize>,
    /// Whether it has only the beginning of a column. Equal columns are then equal in the index, but not the reverse.
    pub prefix: bool,
    /// Whether one of its columns can be NULL.
    pub nullable: bool,
}

/// A foreign key that refers to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The table that has the foreign key.
    pub child: TableName,
    /// Its referring columns, by name.
    pub child_columns: Vec<String>,
    /// The columns that are referred to, by position, in the same order.
    pub columns: Vec<usize>,
    /// Whether deleting a row that is referred to changes or deletes rows of the child.
    pub deletes_cascade: bool,
    /// Whether changing a key that is referred to changes rows of the child.
    pub updates_cascade: bool,
}

impl TableInfo {
    /// Its name for SQL.
    pub fn sql_name(&self) -> String {
        format!(
            "{}.{}",
            identifier(&self.name.database),
            identifier(&self.name.name)
        )
    }

    /// The key that names a row: the primary key, else the first (by name) without NULLs.
    ///
    /// # Errors
    /// [`RowError::NoKey`].
    pub fn key(&self) -> Result<&UniqueIndex, RowError> {
        let key = self.unique.first().filter(|index| !index.nullable);
        key.ok_or_else(|| RowError::NoKey {
            table: self.name.to_string(),
        })
    }

    /// Its keys for the tracker. A table without a key that names every row has none: its rows cannot be told apart.
    pub fn keys(&self) -> TableKeys {
        if self.key().is_err() {
            return TableKeys::default();
        }
        let unique = |index: &UniqueIndex| UniqueKey {
            name: Arc::from(index.name.as_str()),
            columns: index.columns.clone(),
        };
        TableKeys {
            unique: self.unique.iter().map(unique).collect(),
            foreign: self.foreign.clone(),
        }
    }

    /// The positions of the columns that are written and compared.
    pub fn stored(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&at| !self.columns[at].generated)
    }
}
