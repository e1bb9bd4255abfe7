//! One column's value, decoded.

/// A value as a row image holds it: exact, and free of any session's settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// The column is not in the image (`binlog_row_image` other than FULL).
    Absent,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, and YEAR (0 for the zero year).
    UInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL, as its digits: `-12.340`, with the column's scale.
    Decimal(String),
    /// `YYYY-MM-DD`.
    Date(String),
    /// `[-]HHH:MM:SS[.ffffff]`, with the column's fraction digits.
    Time(String),
    /// `YYYY-MM-DD HH:MM:SS[.ffffff]`, without a time zone.
    DateTime(String),
    /// `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC; the zero timestamp is `0000-00-00 00:00:00`.
    Timestamp(String),
    /// Text in the column's character set, or binary: its bytes. BINARY and CHAR as the log has them, without the padding.
    Bytes(Vec<u8>),
    /// BIT, as a number.
    Bit(u64),
    /// ENUM, as the number of its member; 0 for the error value.
    Enum(u16),
    /// SET, a bit per member.
    Set(u64),
    /// MySQL's JSON, as the text that the server prints.
    Json(String),
    /// The server's own bytes: four of the SRID, then WKB.
    Geometry(Vec<u8>),
}

/// What `information_schema` knows of a column and a log may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnHint {
    /// What the log says is all.
    #[default]
    None,
    /// The integer is signed. Of no effect where the log says it.
    Signed,
    /// The integer is unsigned. Of no effect where the log says it.
    Unsigned,
    /// MariaDB's INET4, in the log a BINARY(4).
    Inet4,
    /// MariaDB's INET6, in the log a BINARY(16).
    Inet6,
    /// MariaDB's UUID, in the log a BINARY(16).
    Uuid,
}

/// Bytes that are no value of their column's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// There are too few or too many bytes.
    #[error("{got} bytes for a value of {expected}")]
    Length {
        /// What its type takes.
        expected: usize,
        /// What is there.
        got: usize,
    },
}
