//! One column's value, decoded.

mod decimal;
mod json;
mod number;
mod temporal;
mod text;

use crate::{Column, ColumnType};

/// A value as a row image holds it: exact, and free of any session's settings. Images with equal values give equal
/// ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// The column is not in the image (`binlog_row_image` other than FULL).
    Absent,
    /// A signed integer, and one of which nobody says whether it is.
    Int(i64),
    /// An unsigned integer, and YEAR (0 for the zero year).
    UInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL, as its digits: `-12.340`, with the column's scale.
    Decimal(String),
    /// `YYYY-MM-DD`. It may be no day of the calendar: `0000-00-00`, `2020-02-31`.
    Date(String),
    /// `[-]HHH:MM:SS[.ffffff]`, with the column's fraction digits and at least two of the hours.
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
    /// MySQL's JSON, as the text that the server prints. To write a document again with all its types, see
    /// [`Image::json_expression`](crate::Image::json_expression).
    Json(String),
    /// The server's own bytes: four of the SRID, then WKB.
    Geometry(Vec<u8>),
    /// MySQL's VECTOR: its numbers as the server has them, four bytes each, the low one first.
    Vector(Vec<u8>),
    /// MariaDB's INET4 and INET6, as the server prints them. Needs a [`ColumnHint`].
    Inet(String),
    /// MariaDB's UUID, as the server prints it. Needs a [`ColumnHint`].
    Uuid(String),
}

/// What `information_schema` knows of a column and a log may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnHint {
    /// What the log says is all.
    #[default]
    None,
    /// The integer is unsigned. Of no effect where the log says what it is.
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
    #[error("a value of {expected} bytes has {got}")]
    Length {
        /// What its type takes.
        expected: usize,
        /// What is there.
        got: usize,
    },
    /// Metadata that no server writes.
    #[error("its type cannot have the metadata {meta:#x}")]
    Metadata {
        /// See [`Column::meta`].
        meta: u16,
    },
    /// More than nine digits in the place of nine.
    #[error("a decimal has {group} in the place of {digits} digits")]
    Digits {
        /// What is there.
        group: u32,
        /// What fits.
        digits: u16,
    },
    /// A part of a date or time is out of its range.
    #[error("{value} is no {part}")]
    Range {
        /// Which part.
        part: &'static str,
        /// What is there.
        value: u64,
    },
    /// A compressed column's bytes cannot be decompressed.
    #[error("a compressed value is broken: {what}")]
    Compressed {
        /// What is wrong.
        what: &'static str,
    },
    /// JSON that no server writes.
    #[error("a JSON document is broken: {what}")]
    Json {
        /// What is wrong.
        what: &'static str,
    },
}

impl Value {
    /// A column's bytes ([`Raw::Bytes`](crate::Raw::Bytes)) as a value of its type.
    ///
    /// # Errors
    /// Where no server writes such bytes for the type.
    pub fn decode(column: &Column, hint: ColumnHint, bytes: &[u8]) -> Result<Self, ValueError> {
        let meta = column.meta;
        match column.kind {
            ColumnType::Tiny
            | ColumnType::Short
            | ColumnType::Int24
            | ColumnType::Long
            | ColumnType::LongLong => {
                let unsigned = column.unsigned.unwrap_or(hint == ColumnHint::Unsigned);
                number::integer(column.kind, unsigned, bytes)
            }
            ColumnType::Float => Ok(Self::Float(f32::from_le_bytes(exact(bytes)?))),
            ColumnType::Double => Ok(Self::Double(f64::from_le_bytes(exact(bytes)?))),
            ColumnType::Year => number::year(bytes),
            ColumnType::Bit => number::big_endian(bytes).map(Self::Bit),
            ColumnType::Enum => number::member(bytes).map(Self::Enum),
            ColumnType::Set => number::little_endian(bytes).map(Self::Set),
            ColumnType::Decimal => {
                decimal::decode(meta & 0xff, meta >> 8, bytes).map(Self::Decimal)
            }
            ColumnType::OldDecimal => Err(ValueError::Metadata { meta }),
            ColumnType::Date => temporal::date(bytes).map(Self::Date),
            ColumnType::Time => temporal::time(meta, bytes).map(Self::Time),
            ColumnType::DateTime => temporal::datetime(meta, bytes).map(Self::DateTime),
            ColumnType::Timestamp => temporal::timestamp(meta, bytes).map(Self::Timestamp),
            ColumnType::OldTime => temporal::old_time(bytes).map(Self::Time),
            ColumnType::OldDateTime => temporal::old_datetime(bytes).map(Self::DateTime),
            ColumnType::OldTimestamp => temporal::old_timestamp(bytes).map(Self::Timestamp),
            ColumnType::String => text::fixed(hint, bytes),
            ColumnType::VarChar | ColumnType::Blob => Ok(Self::Bytes(bytes.to_vec())),
            ColumnType::VarCharCompressed | ColumnType::BlobCompressed => {
                text::decompress(bytes).map(Self::Bytes)
            }
            ColumnType::Json => json::text(bytes).map(Self::Json),
            ColumnType::Geometry => Ok(Self::Geometry(bytes.to_vec())),
            ColumnType::Vector => Ok(Self::Vector(bytes.to_vec())),
        }
    }
}

/// See [`Image::json_expression`](crate::Image::json_expression).
pub(crate) fn json_expression(bytes: &[u8]) -> Result<Option<String>, ValueError> {
    json::expression(bytes)
}

/// The bytes as an array, if they are as many.
fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    bytes.try_into().map_err(|_| ValueError::Length {
        expected: N,
        got: bytes.len(),
    })
}
