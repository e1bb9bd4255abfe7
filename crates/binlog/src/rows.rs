//! Rows as the server sent them.

use std::sync::Arc;

use bytes::Bytes;

use crate::Table;

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
    /// Which columns the (before-)images have: a bit per column.
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

/// A row's bytes in an event: the bits that say which present columns are NULL, then the values of the others.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// The event it is in.
    pub rows: &'a Rows,
    /// Which columns it has.
    pub present: &'a [u8],
    /// Its bytes: a part of `rows.data`.
    pub bytes: &'a [u8],
}

/// An [`Image`] that keeps its bytes alive.
#[derive(Debug, Clone)]
pub struct OwnedImage {
    /// Its table.
    pub table: Arc<Table>,
    /// Which columns it has.
    pub present: Bytes,
    /// As [`Image::bytes`].
    pub bytes: Bytes,
}
