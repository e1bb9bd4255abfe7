//! What a column holds, as far as its values' SQL depends on it.

use std::fmt;

use twinlog_binlog::ColumnHint;

/// A column's type, as `information_schema` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of that many bytes.
    Int {
        /// 1, 2, 3, 4 or 8.
        bytes: u8,
        /// Without a sign.
        unsigned: bool,
    },
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
    /// DECIMAL.
    Decimal,
    /// YEAR.
    Year,
    /// DATE.
    Date,
    /// TIME.
    Time,
    /// DATETIME.
    DateTime,
    /// TIMESTAMP.
    Timestamp,
    /// CHAR, VARCHAR and the TEXTs.
    Text {
        /// The character set that its bytes are in.
        charset: String,
    },
    /// BINARY: padded with zero bytes to its length.
    Padded {
        /// Its length in bytes.
        bytes: usize,
    },
    /// VARBINARY, the BLOBs and VECTOR.
    Bytes,
    /// BIT.
    Bit,
    /// ENUM.
    Enum,
    /// SET.
    Set,
    /// MySQL's JSON; MariaDB's is text.
    Json,
    /// The geometries.
    Geometry,
    /// MariaDB's INET4, INET6 and UUID, each with its one text.
    Named(Named),
    /// None that is known here.
    Unknown(String),
}

/// Types of a fixed width with a text of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// An IPv4 address.
    Inet4,
    /// An IPv6 address.
    Inet6,
    /// A UUID.
    Uuid,
}

impl Kind {
    /// The type of a column by what `information_schema.COLUMNS` says: `DATA_TYPE`, `COLUMN_TYPE`,
    /// `CHARACTER_SET_NAME` and `CHARACTER_OCTET_LENGTH`.
    pub fn of(
        data_type: &str,
        column_type: &str,
        charset: Option<&str>,
        octets: Option<usize>,
    ) -> Self {
        let data_type = data_type.to_ascii_lowercase();
        let unsigned = column_type.to_ascii_lowercase().contains("unsigned");
        let int = |bytes| Self::Int { bytes, unsigned };
        match (data_type.as_str(), charset) {
            ("tinyint", _) => int(1),
            ("smallint", _) => int(2),
            ("mediumint", _) => int(3),
            ("int", _) => int(4),
            ("bigint", _) => int(8),
            ("float", _) => Self::Float,
            ("double", _) => Self::Double,
            ("decimal", _) => Self::Decimal,
            ("year", _) => Self::Year,
            ("date", _) => Self::Date,
            ("time", _) => Self::Time,
            ("datetime", _) => Self::DateTime,
            ("timestamp", _) => Self::Timestamp,
            ("bit", _) => Self::Bit,
            ("enum", _) => Self::Enum,
            ("set", _) => Self::Set,
            ("json", _) => Self::Json,
            ("binary", _) => Self::Padded {
                bytes: octets.unwrap_or(0),
            },
            ("varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "vector", _) => {
                Self::Bytes
            }
            ("inet4", _) => Self::Named(Named::Inet4),
            ("inet6", _) => Self::Named(Named::Inet6),
            ("uuid", _) => Self::Named(Named::Uuid),
            (
                "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
                | "multipolygon" | "geomcollection" | "geometrycollection",
                _,
            ) => Self::Geometry,
            (_, Some(charset)) => Self::Text {
                charset: charset.to_owned(),
            },
            (_, None) => Self::Unknown(data_type),
        }
    }

    /// What a log must be told to decode such a column.
    #[must_use]
    pub fn hint(&self) -> ColumnHint {
        match self {
            Self::Int { unsigned: true, .. } => ColumnHint::Unsigned,
            Self::Named(Named::Inet4) => ColumnHint::Inet4,
            Self::Named(Named::Inet6) => ColumnHint::Inet6,
            Self::Named(Named::Uuid) => ColumnHint::Uuid,
            _ => ColumnHint::None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Int { bytes, unsigned } => {
                let sign = if *unsigned { "unsigned " } else { "" };
                return write!(f, "{sign}integer of {bytes} bytes");
            }
            Self::Text { charset } => return write!(f, "text in {charset}"),
            Self::Padded { bytes } => return write!(f, "BINARY({bytes})"),
            Self::Unknown(name) => name.as_str(),
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Year => "YEAR",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::DateTime => "DATETIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Bytes => "bytes",
            Self::Bit => "BIT",
            Self::Enum => "ENUM",
            Self::Set => "SET",
            Self::Json => "JSON",
            Self::Geometry => "a geometry",
            Self::Named(Named::Inet4) => "INET4",
            Self::Named(Named::Inet6) => "INET6",
            Self::Named(Named::Uuid) => "UUID",
        };
        f.write_str(name)
    }
}
