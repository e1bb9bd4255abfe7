//! A table as the event before its rows describes it.

use std::sync::Arc;

/// The table of some rows: the TABLE_MAP event.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its number in the log, for the events that follow.
    pub id: u64,
    /// Its database.
    pub database: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The positions of the primary key's columns, in the key's order; empty where there is none, or where the log does
    /// not say (`binlog_row_metadata` other than FULL).
    pub primary_key: Vec<usize>,
    /// A hash of the columns' types and metadata: two images with the same layout can be compared byte by byte.
    pub layout: u64,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its type in the log.
    pub kind: ColumnType,
    /// The type's metadata: lengths, precisions.
    pub meta: u16,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it is unsigned; `None` where the log does not say.
    pub unsigned: Option<bool>,
    /// The number of its collation; `None` where the log does not say, or it has none.
    pub collation: Option<u16>,
    /// Its name; `None` where the log does not say.
    pub name: Option<Arc<str>>,
    /// The members of an ENUM or a SET, in the column's character set; empty where the log does not say.
    pub members: Vec<Box<[u8]>>,
}

/// A column's type in the log, by MySQL's names (`enum_field_types`). ENUM and SET, which the log hides in STRING, are
/// told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are the servers' own names")]
pub enum ColumnType {
    Tiny,
    Short,
    Int24,
    Long,
    LongLong,
    Float,
    Double,
    /// The decimal of before 5.0.3: never in a row event of a supported server.
    OldDecimal,
    Decimal,
    Year,
    Date,
    /// TIME, DATETIME and TIMESTAMP of before 5.6.4: tables that were never rebuilt still have them.
    OldTime,
    OldDateTime,
    OldTimestamp,
    Time,
    DateTime,
    Timestamp,
    VarChar,
    String,
    Blob,
    Bit,
    Enum,
    Set,
    Json,
    Geometry,
    Vector,
}
