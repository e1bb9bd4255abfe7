//! One row's bytes, and where its columns are in them.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    ColumnHint, ColumnType, RowError, Spans, Table, Value, ValueError,
    value::json_expression,
    walk::{Span, count_present, walk},
};

/// A column of an image, not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Raw<'a> {
    /// The column is not in the image (`binlog_row_image` other than FULL).
    Absent,
    /// NULL.
    Null,
    /// Its bytes as the server has them, without the length before them.
    Bytes(&'a [u8]),
}

impl<'a> Raw<'a> {
    /// The bytes; `None` for NULL and for a column that is not there.
    #[must_use]
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Null | Self::Absent => None,
        }
    }
}

/// A row's bytes in an event: the bits that say which present columns are NULL, then the values of the others.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    table: &'a Arc<Table>,
    present: &'a Bytes,
    /// What `bytes` is a part of.
    event: &'a Bytes,
    bytes: &'a [u8],
}

impl<'a> Image<'a> {
    /// An image that fills the beginning of `event[at..]`, and where it ends.
    ///
    /// # Errors
    /// Where the bytes end before the image does.
    #[inline]
    pub(crate) fn parse(
        table: &'a Arc<Table>,
        present: &'a Bytes,
        event: &'a Bytes,
        at: usize,
    ) -> Result<(Self, usize), RowError> {
        let rest = event.get(at..).unwrap_or_default();
        let end = walk(table, present, rest, |_, _| {})?;
        let image = Self {
            table,
            present,
            event,
            bytes: &rest[..end],
        };
        Ok((image, at + end))
    }

    /// Its table.
    #[must_use]
    pub fn table(&self) -> &'a Arc<Table> {
        self.table
    }

    /// Which columns it has: a bit per column, the first in the lowest bit of the first byte.
    #[must_use]
    pub fn present(&self) -> &'a Bytes {
        self.present
    }

    /// All its bytes. Of two images with the same layout and the same present columns, equal bytes are equal rows;
    /// the reverse holds but for JSON and compressed columns: [`Image::same_values`].
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it has all of its table's columns.
    #[must_use]
    pub fn is_full(&self) -> bool {
        count_present(self.present, self.table.columns.len()) == Some(self.table.columns.len())
    }

    /// One column's bytes. Walks over all columns before it: for several use [`Image::locate`].
    ///
    /// # Errors
    /// Where there is no such column.
    pub fn column(&self, position: usize) -> Result<Raw<'a>, RowError> {
        if position >= self.table.columns.len() {
            return Err(RowError::at(self.table, position));
        }
        let mut found = Span::Absent;
        walk(self.table, self.present, self.bytes, |column, span| {
            if column == position {
                found = span;
            }
        })?;
        Ok(match found {
            Span::Absent => Raw::Absent,
            Span::Null => Raw::Null,
            Span::At(from, to) => Raw::Bytes(&self.bytes[from as usize..to as usize]),
        })
    }

    /// Finds all its columns in one walk. `spans` may have been used for other images.
    ///
    /// # Errors
    /// None for an image that [`Rows::changes`](crate::Rows::changes) gave.
    #[inline]
    pub fn locate(&self, spans: &mut Spans) -> Result<(), RowError> {
        spans.spans.clear();
        spans.spans.resize(self.table.columns.len(), Span::Absent);
        walk(self.table, self.present, self.bytes, |column, span| {
            spans.spans[column] = span;
        })?;
        Ok(())
    }

    /// One column's value. What the log does not say of its type is as without a hint: [`Image::value_as`].
    ///
    /// # Errors
    /// Where there is no such column, or its bytes are no value of its type.
    pub fn value(&self, position: usize) -> Result<Value, RowError> {
        self.value_as(position, ColumnHint::None)
    }

    /// One column's value, with what `information_schema` knows of its type.
    ///
    /// # Errors
    /// As [`Image::value`].
    pub fn value_as(&self, position: usize, hint: ColumnHint) -> Result<Value, RowError> {
        let raw = self.column(position)?;
        self.decode(position, hint, raw)
    }

    /// All values, in the order of the columns. Columns past the last hint have none.
    ///
    /// # Errors
    /// Where a column's bytes are no value of its type.
    pub fn values(&self, hints: &[ColumnHint]) -> Result<Vec<Value>, RowError> {
        let mut spans = Spans::default();
        self.locate(&mut spans)?;
        (0..self.table.columns.len())
            .map(|position| {
                let hint = hints.get(position).copied().unwrap_or_default();
                self.decode(position, hint, spans.get(self, position))
            })
            .collect()
    }

    /// The SQL expression that makes a JSON column's document again, where its text alone ([`Value::Json`]) would not:
    /// decimals, dates, times and bytes in it would be read as doubles and strings. `None` where the text says all, or
    /// the column is NULL or no JSON.
    ///
    /// A TIMESTAMP in a document becomes a DATETIME, and bytes become VARBINARY: no expression makes the others.
    ///
    /// # Errors
    /// Where there is no such column, or its bytes are no document.
    pub fn json_expression(&self, position: usize) -> Result<Option<String>, RowError> {
        let raw = self.column(position)?;
        match (raw, self.table.columns.get(position)) {
            (Raw::Bytes(bytes), Some(column)) if column.kind == ColumnType::Json => {
                json_expression(bytes).map_err(|source| self.wrong(position, source))
            }
            _ => Ok(None),
        }
    }

    #[cold]
    fn wrong(&self, position: usize, source: ValueError) -> RowError {
        RowError::Value {
            table: self.table.to_string(),
            column: self.table.column_label(position),
            source,
        }
    }

    fn decode(&self, position: usize, hint: ColumnHint, raw: Raw<'_>) -> Result<Value, RowError> {
        let bytes = match raw {
            Raw::Absent => return Ok(Value::Absent),
            Raw::Null => return Ok(Value::Null),
            Raw::Bytes(bytes) => bytes,
        };
        let Some(column) = self.table.columns.get(position) else {
            return Err(RowError::at(self.table, position));
        };
        Value::decode(column, hint, bytes).map_err(|source| self.wrong(position, source))
    }

    /// Whether both are equal rows. Two servers may hold equal JSON, and equal compressed columns, as different bytes;
    /// all else is compared as it is.
    ///
    /// # Errors
    /// Where such a column's bytes are no value of its type.
    pub fn same_values(&self, other: &Image<'_>) -> Result<bool, RowError> {
        if self.table.layout != other.table.layout {
            return Ok(false);
        }
        if self.bytes == other.bytes && self.present == other.present {
            return Ok(true);
        }
        let (mut mine, mut theirs) = (Spans::default(), Spans::default());
        self.locate(&mut mine)?;
        other.locate(&mut theirs)?;
        for (position, column) in self.table.columns.iter().enumerate() {
            let (a, b) = (mine.get(self, position), theirs.get(other, position));
            if a == b {
                continue;
            }
            if column.kind.is_canonical()
                || self.decode(position, ColumnHint::None, a)?
                    != other.decode(position, ColumnHint::None, b)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same image, with its bytes kept alive: those of its whole event are, nothing is copied.
    #[must_use]
    pub fn to_owned(&self) -> OwnedImage {
        OwnedImage {
            table: Arc::clone(self.table),
            present: self.present.clone(),
            bytes: self.event.slice_ref(self.bytes),
        }
    }
}

/// An [`Image`] that keeps its bytes alive.
#[derive(Debug, Clone)]
pub struct OwnedImage {
    table: Arc<Table>,
    present: Bytes,
    bytes: Bytes,
}

impl OwnedImage {
    /// An image from its parts: see [`Image::present`] and [`Image::bytes`].
    ///
    /// # Errors
    /// Where the bytes are not one image of the table.
    pub fn new(table: Arc<Table>, present: Bytes, bytes: Bytes) -> Result<Self, RowError> {
        let end = walk(&table, &present, &bytes, |_, _| {})?;
        if end < bytes.len() {
            return Err(RowError::Trailing {
                table: table.to_string(),
                bytes: bytes.len() - end,
            });
        }
        Ok(Self {
            table,
            present,
            bytes,
        })
    }

    /// The image.
    #[must_use]
    pub fn as_image(&self) -> Image<'_> {
        Image {
            table: &self.table,
            present: &self.present,
            event: &self.bytes,
            bytes: &self.bytes,
        }
    }

    /// Its table.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// As [`Image::bytes`].
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same image with a copy of its own bytes, so that its event can go.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            present: Bytes::copy_from_slice(&self.present),
            bytes: Bytes::copy_from_slice(&self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    #[test]
    fn json_with_a_gap_is_the_same_value_but_not_the_same_bytes() {
        let column = Column {
            kind: ColumnType::Json,
            meta: 4,
            nullable: false,
            unsigned: None,
            collation: None,
            name: None,
            members: Vec::new(),
        };
        let table = Arc::new(Table::new(
            1,
            "a".into(),
            "b".into(),
            vec![column],
            Vec::new(),
        ));
        let image = |document: &[u8]| {
            let mut bytes = vec![0xfe, document.len() as u8, 0, 0, 0];
            bytes.extend(document);
            let present = Bytes::from_static(&[1]);
            OwnedImage::new(Arc::clone(&table), present, bytes.into()).unwrap()
        };
        // {"c": 8}, and the same with the gap that JSON_REMOVE leaves in the place of a key.
        let gap = image(&[0, 1, 0, 16, 0, 12, 0, 1, 0, 5, 8, 0, 0, 99, 0, 0, 0]);
        let compact = image(&[0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 8, 0, 99]);
        let other = image(&[0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 9, 0, 99]);
        assert_ne!(gap.bytes(), compact.bytes());
        assert!(gap.as_image().same_values(&compact.as_image()).unwrap());
        assert!(!gap.as_image().same_values(&other.as_image()).unwrap());
    }
}
