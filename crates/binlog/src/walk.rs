//! Where the columns of a row are in its bytes.

use crate::{Image, Raw, RowError, Table};

/// Where the columns of an image are: filled by [`Image::locate`], to be used again for the next image.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    pub(crate) spans: Vec<Span>,
}

/// Where one column is. A value's bytes are never at 0 if there is more than nothing: the bits come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Absent,
    Null,
    At(u32, u32),
}

impl Spans {
    /// A column of the image that was located last. One past its last column is [`Raw::Absent`].
    #[inline]
    #[must_use]
    pub fn get<'a>(&self, image: &Image<'a>, position: usize) -> Raw<'a> {
        match self.spans.get(position) {
            Some(&Span::At(from, to)) => image
                .bytes()
                .get(from as usize..to as usize)
                .map_or(Raw::Absent, Raw::Bytes),
            Some(Span::Null) => Raw::Null,
            Some(Span::Absent) | None => Raw::Absent,
        }
    }
}

/// How many of the first `columns` bits are set; `None` where there are fewer bits.
#[inline]
pub(crate) fn count_present(present: &[u8], columns: usize) -> Option<usize> {
    let (whole, rest) = (columns / 8, columns % 8);
    let full = present.get(..whole)?;
    let mut count: usize = full.iter().map(|byte| byte.count_ones() as usize).sum();
    if rest > 0 {
        let last = present.get(whole)? & ((1 << rest) - 1);
        count += last.count_ones() as usize;
    }
    Some(count)
}

/// Calls `visit` with every present column's position and place, and returns where the image ends.
#[inline]
pub(crate) fn walk(
    table: &Table,
    present: &[u8],
    bytes: &[u8],
    mut visit: impl FnMut(usize, Span),
) -> Result<usize, RowError> {
    let widths = table.widths();
    // Events are shorter than 4 GiB (the header has four bytes for it), so the places below fit.
    let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
    let Some(count) = count_present(present, widths.len()) else {
        return Err(RowError::bits(table));
    };
    let Some(nulls) = bytes.get(..count.div_ceil(8)) else {
        return Err(RowError::bits(table));
    };
    let full = count == widths.len();
    let mut at = nulls.len();
    let mut bit = 0;
    for (position, width) in widths.iter().enumerate() {
        if !full && present[position / 8] >> (position % 8) & 1 == 0 {
            continue;
        }
        let null = nulls[bit / 8] >> (bit % 8) & 1 == 1;
        bit += 1;
        if null {
            visit(position, Span::Null);
            continue;
        }
        let Some((from, to)) = width.span(bytes, at) else {
            return Err(RowError::at(table, position));
        };
        visit(position, Span::At(from as u32, to as u32));
        at = to;
    }
    Ok(at)
}
