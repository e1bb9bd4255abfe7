//! What can be wrong with a row.

use crate::{ColumnType, Table, value::ValueError};

/// Bytes of a row that no server writes for its table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The bytes end too early.
    #[error("a row of {table} ends within column {column}")]
    Truncated {
        /// `database.table`.
        table: String,
        /// The column, by name or by position from 1.
        column: String,
    },
    /// The bits that say which columns are there or NULL are too few.
    #[error("a row of {table} ends within the bits before its values")]
    NoBits {
        /// `database.table`.
        table: String,
    },
    /// There are bytes for rows without columns.
    #[error("{bytes} bytes of rows of {table}, which have no column")]
    NoColumns {
        /// `database.table`.
        table: String,
        /// The bytes.
        bytes: usize,
    },
    /// There are bytes after the image.
    #[error("{bytes} bytes after a row of {table}")]
    Trailing {
        /// `database.table`.
        table: String,
        /// The bytes.
        bytes: usize,
    },
    /// The column's type or metadata is none that a server writes.
    #[error("column {column} of {table} has the type {kind:?} with the metadata {meta:#x}")]
    Metadata {
        /// `database.table`.
        table: String,
        /// The column, by name or by position from 1.
        column: String,
        /// Its type.
        kind: ColumnType,
        /// Its metadata.
        meta: u16,
    },
    /// There is no such column.
    #[error("{table} has no column at position {position}")]
    NoSuchColumn {
        /// `database.table`.
        table: String,
        /// Counted from 0.
        position: usize,
    },
    /// The column's bytes are no value of its type.
    #[error("column {column} of {table}: {source}")]
    Value {
        /// `database.table`.
        table: String,
        /// The column, by name or by position from 1.
        column: String,
        /// What is wrong.
        source: ValueError,
    },
}

impl RowError {
    /// The image ends within a column, or its width cannot be known.
    #[cold]
    pub(crate) fn at(table: &Table, position: usize) -> Self {
        use crate::width::Width;
        match table.columns.get(position) {
            None => Self::NoSuchColumn {
                table: table.to_string(),
                position,
            },
            Some(column) if Width::of(column) == Width::Invalid => Self::Metadata {
                table: table.to_string(),
                column: table.column_label(position),
                kind: column.kind,
                meta: column.meta,
            },
            Some(_) => Self::Truncated {
                table: table.to_string(),
                column: table.column_label(position),
            },
        }
    }

    #[cold]
    pub(crate) fn bits(table: &Table) -> Self {
        Self::NoBits {
            table: table.to_string(),
        }
    }
}
