//! A table as the event before its rows describes it.

use std::{fmt, sync::Arc};

use crate::width::Width;

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
    /// How long each column's values are, for [`Rows::changes`](crate::Rows::changes).
    widths: Box<[Width]>,
}

impl Table {
    /// A table from what the log says of it.
    #[must_use]
    pub fn new(
        id: u64,
        database: Arc<str>,
        name: Arc<str>,
        columns: Vec<Column>,
        primary_key: Vec<usize>,
    ) -> Self {
        Self {
            id,
            database,
            name,
            layout: layout(&columns),
            widths: columns.iter().map(Width::of).collect(),
            columns,
            primary_key,
        }
    }

    /// A width per column.
    #[inline]
    pub(crate) fn widths(&self) -> &[Width] {
        &self.widths
    }

    /// A column by its name; by its position from 1 where the log has no names.
    pub(crate) fn column_label(&self, position: usize) -> String {
        let name = self.columns.get(position).and_then(|it| it.name.as_deref());
        name.map_or_else(|| (position + 1).to_string(), str::to_owned)
    }
}

/// `database.table`, not quoted: for people.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.name)
    }
}

/// FNV-1a over the types and metadata. Signs, names and collations are left out: they change what bytes mean to people,
/// not which bytes are equal, and one of two nodes may not log them.
fn layout(columns: &[Column]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for column in columns {
        let [low, high] = column.meta.to_le_bytes();
        for byte in [column.kind as u8, low, high] {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its type in the log.
    pub kind: ColumnType,
    /// The type's metadata, of which the log's two bytes (or one) are the low and the high one:
    ///
    /// - VARCHAR: its most bytes. STRING: its most bytes too, after [`ColumnType`] was taken out of them.
    /// - ENUM, SET: the bytes of a value. BLOB, JSON, GEOMETRY, VECTOR: the bytes of the length before a value.
    /// - DECIMAL: the precision in the low byte, the scale in the high one.
    /// - BIT: the bits in the last byte, 0 for all, in the low byte, and the whole bytes in the high one.
    /// - TIME, DATETIME, TIMESTAMP: the digits of the fraction. All others: of no meaning.
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
    /// TIME, DATETIME and TIMESTAMP of before 5.6.4: tables that were never rebuilt still have them. MariaDB 5.3 had such
    /// ones with a fraction too (`time(3) /* mariadb-5.3 */` in `information_schema`): the log does not tell how many
    /// bytes they have, so that nobody can decode rows with them, mariadb-binlog neither.
    OldTime,
    OldDateTime,
    OldTimestamp,
    Time,
    DateTime,
    Timestamp,
    VarChar,
    /// VARCHAR or VARBINARY `COMPRESSED`, of MariaDB.
    VarCharCompressed,
    String,
    Blob,
    /// The BLOB or TEXT types `COMPRESSED`, of MariaDB.
    BlobCompressed,
    Bit,
    Enum,
    Set,
    Json,
    Geometry,
    Vector,
}

impl ColumnType {
    /// Whether equal values always have equal bytes. Not so where the server keeps what it was given in a form of its
    /// own choice: JSON (a partial update leaves gaps), and what zlib has compressed.
    #[must_use]
    pub fn is_canonical(self) -> bool {
        !matches!(
            self,
            Self::Json | Self::VarCharCompressed | Self::BlobCompressed
        )
    }
}
