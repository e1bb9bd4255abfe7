//! WRITE, UPDATE and DELETE_ROWS_EVENT of all versions, up to the images, which stay as they are.

use bytes::Bytes;

use crate::{EventType, Fault, RowsKind, cursor::Cursor, inflate, table_map};

/// The rows event is the last one of its statement.
const FLAG_STATEMENT_END: u16 = 0x1;
/// Foreign keys are not checked when it is applied.
const FLAG_NO_FOREIGN_KEY_CHECKS: u16 = 0x2;
/// The server looked after foreign keys above its storage engine, and logged what they did (MySQL 9.6 and later).
const FLAG_SQL_FOREIGN_KEYS: u16 = 0x10;
/// The number of no table: an event that only ends a statement (`Table_id::DUMMY`).
const NO_TABLE: u64 = 0x00ff_ffff;

/// The flags of rows that a foreign key deleted or changed (seen on MySQL 9.7).
const CASCADED: u16 = FLAG_NO_FOREIGN_KEY_CHECKS | FLAG_SQL_FOREIGN_KEYS;

/// A rows event before its table is known.
#[derive(Debug)]
pub(crate) struct RowsEvent {
    pub(crate) kind: RowsKind,
    /// `None`: it only ends a statement.
    pub(crate) table_id: Option<u64>,
    pub(crate) ends_statement: bool,
    /// Whether a foreign key of another table's row did it.
    pub(crate) cascaded: bool,
    pub(crate) columns: usize,
    pub(crate) present: Bytes,
    pub(crate) present_after: Bytes,
    pub(crate) data: Bytes,
}

/// What is done, whether extra data comes before the columns (version 2), and whether the images are compressed.
pub(crate) type Shape = (RowsKind, bool, bool);

/// What the type says; `None` for other types.
pub(crate) fn shape(event: EventType) -> Option<Shape> {
    Some(match event {
        EventType::WRITE_ROWS_EVENT_V1 => (RowsKind::Insert, false, false),
        EventType::UPDATE_ROWS_EVENT_V1 => (RowsKind::Update, false, false),
        EventType::DELETE_ROWS_EVENT_V1 => (RowsKind::Delete, false, false),
        EventType::WRITE_ROWS_EVENT => (RowsKind::Insert, true, false),
        EventType::UPDATE_ROWS_EVENT => (RowsKind::Update, true, false),
        EventType::DELETE_ROWS_EVENT => (RowsKind::Delete, true, false),
        EventType::PARTIAL_UPDATE_ROWS_EVENT => (RowsKind::Update, true, false),
        EventType::WRITE_ROWS_COMPRESSED_EVENT_V1 => (RowsKind::Insert, false, true),
        EventType::UPDATE_ROWS_COMPRESSED_EVENT_V1 => (RowsKind::Update, false, true),
        EventType::DELETE_ROWS_COMPRESSED_EVENT_V1 => (RowsKind::Delete, false, true),
        EventType::WRITE_ROWS_COMPRESSED_EVENT => (RowsKind::Insert, true, true),
        EventType::UPDATE_ROWS_COMPRESSED_EVENT => (RowsKind::Update, true, true),
        EventType::DELETE_ROWS_COMPRESSED_EVENT => (RowsKind::Delete, true, true),
        _ => return None,
    })
}

/// What is known of an event that has only parts of documents (`binlog_row_value_options = PARTIAL_JSON`): its table, and
/// that none of its rows is told in full.
pub(crate) fn without_rows(mut rows: RowsEvent) -> RowsEvent {
    rows.present_after = vec![0; rows.present_after.len()].into();
    rows.data = Bytes::new();
    rows
}

/// From a whole body.
pub(crate) fn parse(
    (kind, has_extra_data, compressed): Shape,
    body: &Bytes,
    post_header_len: usize,
) -> Result<RowsEvent, Fault> {
    let mut it = Cursor::new(body);
    let table_id = table_map::table_id(&mut it, post_header_len)?;
    let flags = it.u16("flags")?;
    if has_extra_data {
        // The length counts its own two bytes.
        let len = usize::from(it.u16("extra data")?);
        let len = len.checked_sub(2).ok_or(Fault::Malformed(
            "the extra data is shorter than its length",
        ))?;
        it.take(len, "extra data")?;
    }
    // A bitmap follows with a bit for each: eight columns per byte that is left are possible.
    let columns = it.packed("number of columns")?;
    let columns = usize::try_from(columns).unwrap_or(usize::MAX);
    let bitmap_len = columns.div_ceil(8);
    let present = it.slice(bitmap_len, "present columns")?;
    let present_after = match kind {
        RowsKind::Update => it.slice(bitmap_len, "present columns")?,
        RowsKind::Insert | RowsKind::Delete => Bytes::new(),
    };
    let data = it.rest();
    Ok(RowsEvent {
        kind,
        table_id: Some(table_id).filter(|&id| id != NO_TABLE),
        ends_statement: flags & FLAG_STATEMENT_END != 0,
        cascaded: flags & CASCADED == CASCADED,
        columns,
        present,
        present_after,
        data: if compressed && !data.is_empty() {
            inflate::mariadb(&data)?
        } else {
            data
        },
    })
}
