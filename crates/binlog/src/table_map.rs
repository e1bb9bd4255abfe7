//! TABLE_MAP_EVENT: the table of the rows that follow.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Column, ColumnType, Fault, Flavour, Table, column_metadata, cursor::Cursor};

/// The most columns of a table: MAX_FIELDS of both servers.
const MAX_COLUMNS: usize = 4096;
/// The longest table map that is taken. 4096 columns with names and ENUM members are below a mebibyte or two: more is
/// broken, and would make us allocate a multiple of it.
const MAX_TABLE_MAP_BYTES: usize = 16 * 1024 * 1024;
/// The length of a table's number where the event's fixed part has only six bytes.
const OLD_POST_HEADER_LEN: usize = 6;

/// A table's number: the first bytes of table maps and rows events.
pub(crate) fn table_id(it: &mut Cursor<'_>, post_header_len: usize) -> Result<u64, Fault> {
    let len = if post_header_len == OLD_POST_HEADER_LEN {
        4
    } else {
        6
    };
    it.uint(len, "table number")
}

/// The number of the table that a whole body describes.
pub(crate) fn id(body: &Bytes, post_header_len: usize) -> Result<u64, Fault> {
    table_id(&mut Cursor::new(body), post_header_len)
}

/// The table that a whole body describes.
pub(crate) fn parse(
    body: &Bytes,
    post_header_len: usize,
    flavour: Flavour,
) -> Result<Table, Fault> {
    if body.len() > MAX_TABLE_MAP_BYTES {
        return Err(Fault::Limit {
            what: "bytes of a table map",
            has: body.len() as u64,
            limit: MAX_TABLE_MAP_BYTES as u64,
        });
    }
    let mut it = Cursor::new(body);
    let id = table_id(&mut it, post_header_len)?;
    it.u16("flags")?;
    let database = name(&mut it, "database name")?;
    let table = name(&mut it, "table name")?;
    let count = it.packed_len("number of columns")?;
    if count > MAX_COLUMNS {
        return Err(Fault::Limit {
            what: "columns",
            has: count as u64,
            limit: MAX_COLUMNS as u64,
        });
    }
    let types = it.take(count, "column types")?;
    let len = it.packed_len("length of the column metadata")?;
    let metadata = it.slice(len, "column metadata")?;
    let nullable = it.take(count.div_ceil(8), "nullable columns")?;

    let mut metadata = Cursor::new(&metadata);
    let mut columns = Vec::with_capacity(count);
    for (at, &number) in types.iter().enumerate() {
        let (kind, meta) = column(number, &mut metadata)?;
        columns.push(Column {
            kind,
            meta,
            nullable: nullable[at / 8] & (1 << (at % 8)) != 0,
            unsigned: None,
            collation: None,
            name: None,
            members: Vec::new(),
        });
    }
    let primary_key = column_metadata::apply(&mut it, &mut columns, flavour)?;
    Ok(Table::new(id, database, table, columns, primary_key))
}

/// A name with its length before and a zero after it.
fn name(it: &mut Cursor<'_>, what: &'static str) -> Result<Arc<str>, Fault> {
    let len = it.packed_len(what)?;
    let name = it.take(len, what)?;
    it.u8(what)?;
    Ok(String::from_utf8_lossy(name).into())
}

/// A column's type and metadata: as many bytes of the latter as the type has.
fn column(number: u8, metadata: &mut Cursor<'_>) -> Result<(ColumnType, u16), Fault> {
    use ColumnType as Type;
    let none = |kind| Ok((kind, 0));
    match number {
        0 => none(Type::OldDecimal),
        1 => none(Type::Tiny),
        2 => none(Type::Short),
        3 => none(Type::Long),
        4 => one(Type::Float, metadata),
        5 => one(Type::Double, metadata),
        7 => none(Type::OldTimestamp),
        8 => none(Type::LongLong),
        9 => none(Type::Int24),
        10 | 14 => none(Type::Date),
        11 => none(Type::OldTime),
        12 => none(Type::OldDateTime),
        13 => none(Type::Year),
        15 | 253 => two(Type::VarChar, metadata),
        16 => two(Type::Bit, metadata),
        17 => one(Type::Timestamp, metadata),
        18 => one(Type::DateTime, metadata),
        19 => one(Type::Time, metadata),
        140 => one(Type::BlobCompressed, metadata),
        141 => two(Type::VarCharCompressed, metadata),
        242 => one(Type::Vector, metadata),
        245 => one(Type::Json, metadata),
        246 => two(Type::Decimal, metadata),
        // The sizes of BLOB and TEXT: the log has the one type for all, with the length in the metadata.
        249..=252 => one(Type::Blob, metadata),
        255 => one(Type::Geometry, metadata),
        247 | 248 | 254 => string(metadata),
        _ => Err(Fault::Malformed("the type of a column is not known")),
    }
}

fn one(kind: ColumnType, metadata: &mut Cursor<'_>) -> Result<(ColumnType, u16), Fault> {
    Ok((kind, metadata.u8("column metadata")?.into()))
}

fn two(kind: ColumnType, metadata: &mut Cursor<'_>) -> Result<(ColumnType, u16), Fault> {
    Ok((kind, metadata.u16("column metadata")?))
}

/// STRING, ENUM and SET: which of them is in the first byte, with the two high bits of a length of over 255, inverted.
fn string(metadata: &mut Cursor<'_>) -> Result<(ColumnType, u16), Fault> {
    let kind = metadata.u8("column metadata")?;
    let len = u16::from(metadata.u8("column metadata")?);
    match kind {
        247 => Ok((ColumnType::Enum, len)),
        248 => Ok((ColumnType::Set, len)),
        _ => {
            let high = u16::from((kind & 0x30) ^ 0x30) << 4;
            match kind | 0x30 {
                254 | 253 => Ok((ColumnType::String, len | high)),
                _ => Err(Fault::Malformed("a string column is of no string type")),
            }
        }
    }
}
