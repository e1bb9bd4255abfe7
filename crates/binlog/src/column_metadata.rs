//! The optional metadata at the end of a table map: what `binlog_row_metadata` MINIMAL and FULL add.
//!
//! Fields of type, length and value, each about the columns of one kind in their order: the signs are those of the numeric
//! columns only, the character sets those of the character columns, and so on.

use crate::{Column, ColumnType, Fault, Flavour, cursor::Cursor};

const SIGNEDNESS: u8 = 1;
const DEFAULT_CHARSET: u8 = 2;
const COLUMN_CHARSET: u8 = 3;
const COLUMN_NAME: u8 = 4;
const SET_STR_VALUE: u8 = 5;
const ENUM_STR_VALUE: u8 = 6;
const SIMPLE_PRIMARY_KEY: u8 = 8;
const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
const ENUM_AND_SET_DEFAULT_CHARSET: u8 = 10;
const ENUM_AND_SET_COLUMN_CHARSET: u8 = 11;

/// Fills in what the log says of the columns; the positions of the primary key's columns. Fields of other types are about
/// what we do not need (GEOMETRY_TYPE, COLUMN_VISIBILITY, VECTOR_DIMENSIONALITY), and more may come.
pub(crate) fn apply(
    it: &mut Cursor<'_>,
    columns: &mut [Column],
    flavour: Flavour,
) -> Result<Vec<usize>, Fault> {
    let is_text = match flavour {
        Flavour::MySql => is_mysql_text,
        Flavour::MariaDb => is_mariadb_text,
    };
    let mut primary_key = Vec::new();
    while it.left() > 0 {
        let kind = it.u8("optional metadata")?;
        let len = it.packed_len("optional metadata")?;
        let value = it.slice(len, "optional metadata")?;
        let value = &mut Cursor::new(&value);
        match kind {
            SIGNEDNESS => signs(value, columns)?,
            DEFAULT_CHARSET => default_charset(value, columns, is_text)?,
            COLUMN_CHARSET => charsets(value, columns, is_text)?,
            ENUM_AND_SET_DEFAULT_CHARSET => default_charset(value, columns, is_enum_or_set)?,
            ENUM_AND_SET_COLUMN_CHARSET => charsets(value, columns, is_enum_or_set)?,
            COLUMN_NAME => names(value, columns)?,
            SET_STR_VALUE => members(value, columns, ColumnType::Set)?,
            ENUM_STR_VALUE => members(value, columns, ColumnType::Enum)?,
            SIMPLE_PRIMARY_KEY => primary_key = key(value, columns.len(), false)?,
            PRIMARY_KEY_WITH_PREFIX => primary_key = key(value, columns.len(), true)?,
            _ => {}
        }
    }
    Ok(primary_key)
}

/// The types that have a sign. YEAR is one of them; BIT is not.
fn is_numeric(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnType::Tiny
            | ColumnType::Short
            | ColumnType::Int24
            | ColumnType::Long
            | ColumnType::LongLong
            | ColumnType::Float
            | ColumnType::Double
            | ColumnType::Decimal
            | ColumnType::Year
    )
}

/// The types that have a character set, in a table map; the binary ones have the number 63.
fn is_text(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnType::VarChar
            | ColumnType::VarCharCompressed
            | ColumnType::String
            | ColumnType::Blob
            | ColumnType::BlobCompressed
    )
}

/// With VECTOR, but not GEOMETRY and JSON (seen on 9.7).
fn is_mysql_text(column: &Column) -> bool {
    is_text(column) || column.kind == ColumnType::Vector
}

/// With GEOMETRY (seen on 10.11 and 11.8).
fn is_mariadb_text(column: &Column) -> bool {
    is_text(column) || column.kind == ColumnType::Geometry
}

fn is_enum_or_set(column: &Column) -> bool {
    matches!(column.kind, ColumnType::Enum | ColumnType::Set)
}

/// A bit per numeric column, the high bit of the first byte first.
fn signs(value: &mut Cursor<'_>, columns: &mut [Column]) -> Result<(), Fault> {
    let count = columns.iter().filter(|it| is_numeric(it)).count();
    let bits = value.take(count.div_ceil(8), "signs of the columns")?;
    for (at, column) in columns.iter_mut().filter(|it| is_numeric(it)).enumerate() {
        column.unsigned = Some(bits[at / 8] & (0x80 >> (at % 8)) != 0);
    }
    Ok(())
}

/// One collation for all columns of a kind, and those of the few that differ: position among them, and collation.
fn default_charset(
    value: &mut Cursor<'_>,
    columns: &mut [Column],
    of: fn(&Column) -> bool,
) -> Result<(), Fault> {
    let default = collation(value)?;
    let mut columns: Vec<_> = columns.iter_mut().filter(|it| of(it)).collect();
    for column in &mut columns {
        column.collation = Some(default);
    }
    while value.left() > 0 {
        let at = usize::try_from(value.packed("character sets")?).unwrap_or(usize::MAX);
        let differs = collation(value)?;
        let column = columns.get_mut(at).ok_or(Fault::Malformed(
            "a character set is that of a column which is not there",
        ))?;
        column.collation = Some(differs);
    }
    Ok(())
}

/// A collation for each column of a kind.
fn charsets(
    value: &mut Cursor<'_>,
    columns: &mut [Column],
    of: fn(&Column) -> bool,
) -> Result<(), Fault> {
    for column in columns.iter_mut().filter(|it| of(it)) {
        column.collation = Some(collation(value)?);
    }
    Ok(())
}

fn collation(value: &mut Cursor<'_>) -> Result<u16, Fault> {
    u16::try_from(value.packed("character sets")?)
        .map_err(|_| Fault::Malformed("the number of a collation is over 65535"))
}

fn names(value: &mut Cursor<'_>, columns: &mut [Column]) -> Result<(), Fault> {
    for column in columns {
        let len = value.packed_len("column names")?;
        let name = value.take(len, "column names")?;
        column.name = Some(String::from_utf8_lossy(name).into());
    }
    Ok(())
}

/// The members of each column of a kind: their number, then each with its length before it.
fn members(value: &mut Cursor<'_>, columns: &mut [Column], of: ColumnType) -> Result<(), Fault> {
    for column in columns.iter_mut().filter(|it| it.kind == of) {
        let count = value.packed_len("members")?;
        column.members = (0..count)
            .map(|_| {
                let len = value.packed_len("members")?;
                Ok(Box::from(value.take(len, "members")?))
            })
            .collect::<Result<_, Fault>>()?;
    }
    Ok(())
}

/// The positions of the key's columns; `prefixes`: each is followed by the length that is in the key.
fn key(value: &mut Cursor<'_>, columns: usize, prefixes: bool) -> Result<Vec<usize>, Fault> {
    let mut key = Vec::new();
    while value.left() > 0 {
        let at = usize::try_from(value.packed("primary key")?).unwrap_or(usize::MAX);
        if prefixes {
            value.packed("primary key")?;
        }
        if at >= columns || key.contains(&at) {
            return Err(Fault::Malformed(
                "the primary key has a column which is not there",
            ));
        }
        key.push(at);
    }
    Ok(key)
}
