//! Rows as the server sent them.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Image, RowError, Table, walk::count_present};

/// What a rows event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsKind {
    /// Only after-images.
    Insert,
    /// Both images.
    Update,
    /// Only before-images.
    Delete,
}

/// The rows of one event, all of one table.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Their table.
    pub table: Arc<Table>,
    /// What was done to them.
    pub kind: RowsKind,
    /// Which columns the images have (an update's: the before-images): a bit per column.
    pub present: Bytes,
    /// Which columns an update's after-images have.
    pub present_after: Bytes,
    /// The images, one after the other.
    pub data: Bytes,
}

/// One row changed: what it was and what it is. At least one of the two is there.
#[derive(Debug, Clone, Copy)]
pub struct RowChange<'a> {
    /// Before; `None` for an insert.
    pub before: Option<Image<'a>>,
    /// After; `None` for a delete.
    pub after: Option<Image<'a>>,
}

impl Rows {
    /// Whether its images have all columns. Not so with `binlog_row_image` other than FULL, and for partial updates of
    /// JSON documents.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let columns = self.table.columns.len();
        let is_full = |present: &[u8]| count_present(present, columns) == Some(columns);
        is_full(&self.present) && (self.kind != RowsKind::Update || is_full(&self.present_after))
    }

    /// The rows in their order. Nothing is copied or decoded; the bounds of every image are checked. After an error
    /// there is no more.
    #[must_use]
    pub fn changes(&self) -> Changes<'_> {
        Changes {
            rows: self,
            at: 0,
            done: false,
        }
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = Result<RowChange<'a>, RowError>;
    type IntoIter = Changes<'a>;

    fn into_iter(self) -> Changes<'a> {
        self.changes()
    }
}

/// The rows of an event: see [`Rows::changes`].
#[derive(Debug, Clone)]
pub struct Changes<'a> {
    rows: &'a Rows,
    at: usize,
    done: bool,
}

impl<'a> Changes<'a> {
    #[inline]
    fn image(&mut self, present: &'a Bytes) -> Result<Image<'a>, RowError> {
        let (image, end) = Image::parse(&self.rows.table, present, &self.rows.data, self.at)?;
        self.at = end;
        Ok(image)
    }

    #[inline]
    fn change(&mut self) -> Result<RowChange<'a>, RowError> {
        let rows = self.rows;
        let before = match rows.kind {
            RowsKind::Insert => None,
            RowsKind::Update | RowsKind::Delete => Some(self.image(&rows.present)?),
        };
        let after = match rows.kind {
            RowsKind::Insert => Some(self.image(&rows.present)?),
            RowsKind::Update => Some(self.image(&rows.present_after)?),
            RowsKind::Delete => None,
        };
        Ok(RowChange { before, after })
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Result<RowChange<'a>, RowError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let start = self.at;
        let change = self.change();
        // A row without any column takes no bytes (an INSERT of defaults only, with the image MINIMAL): it is the only
        // one of its event.
        self.done = change.is_err() || self.at >= self.rows.data.len();
        if change.is_ok() && !self.done && self.at == start {
            self.done = true;
            return Some(Err(RowError::NoColumns {
                table: self.rows.table.to_string(),
                bytes: self.rows.data.len() - start,
            }));
        }
        Some(change)
    }
}

impl std::iter::FusedIterator for Changes<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, ColumnType, Raw, Spans};

    fn column(kind: ColumnType, meta: u16) -> Column {
        Column {
            kind,
            meta,
            nullable: true,
            unsigned: None,
            collation: None,
            name: None,
            members: Vec::new(),
        }
    }

    /// (id INT, name VARCHAR(20), note TEXT, n BIGINT)
    fn rows(kind: RowsKind, data: &'static [u8]) -> Rows {
        let columns = vec![
            column(ColumnType::Long, 0),
            column(ColumnType::VarChar, 20),
            column(ColumnType::Blob, 2),
            column(ColumnType::LongLong, 0),
        ];
        Rows {
            table: Arc::new(Table::new(7, "shop".into(), "t".into(), columns, vec![0])),
            kind,
            present: Bytes::from_static(&[0xff]),
            present_after: Bytes::from_static(&[0b1111_1001]),
            data: Bytes::from_static(data),
        }
    }

    const FULL: &[u8] = b"\xf4\x01\x00\x00\x00\x03abc\x08\0\0\0\0\0\0\0";
    const AFTER: &[u8] = b"\xfe\x02\0\0\0";

    #[test]
    fn walks_both_images_of_an_update() {
        let data: &'static [u8] = [FULL, AFTER, FULL, AFTER].concat().leak();
        let rows = rows(RowsKind::Update, data);
        let changes: Vec<_> = rows.changes().collect::<Result<_, _>>().unwrap();
        assert_eq!(changes.len(), 2);
        let (before, after) = (changes[1].before.unwrap(), changes[1].after.unwrap());
        assert_eq!(before.bytes(), FULL);
        assert_eq!(before.column(0).unwrap(), Raw::Bytes(b"\x01\0\0\0"));
        assert_eq!(before.column(1).unwrap(), Raw::Bytes(b"abc"));
        assert_eq!(before.column(2).unwrap(), Raw::Null);
        assert!(before.is_full() && !after.is_full());
        let mut spans = Spans::default();
        before.locate(&mut spans).unwrap();
        assert_eq!(spans.get(&before, 3).bytes().unwrap()[0], 8);
        after.locate(&mut spans).unwrap();
        assert_eq!(spans.get(&after, 0), Raw::Bytes(b"\x02\0\0\0"));
        assert_eq!(spans.get(&after, 1), Raw::Absent);
        assert_eq!(spans.get(&after, 3), Raw::Null);
    }

    #[test]
    fn an_owned_image_shares_the_bytes_of_its_event() {
        let rows = rows(RowsKind::Delete, FULL);
        let image = rows.changes().next().unwrap().unwrap().before.unwrap();
        let owned = image.to_owned();
        assert_eq!(owned.bytes().as_ptr(), rows.data.as_ptr());
        assert_eq!(owned.as_image().column(1).unwrap(), Raw::Bytes(b"abc"));
        let detached = owned.detached();
        assert_eq!(detached.bytes(), owned.bytes());
        assert_ne!(detached.bytes().as_ptr(), rows.data.as_ptr());
    }

    #[test]
    fn says_where_a_row_ends_too_early() {
        for len in 1..FULL.len() {
            let rows = rows(RowsKind::Insert, &FULL[..len]);
            let mut changes = rows.changes();
            let error = changes.next().unwrap().unwrap_err();
            assert!(matches!(error, RowError::Truncated { .. }), "{error}");
            assert!(changes.next().is_none());
        }
        let rows = rows(RowsKind::Insert, &FULL[..8]);
        let error = rows.changes().next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "a row of shop.t ends within column 2");
    }
}
