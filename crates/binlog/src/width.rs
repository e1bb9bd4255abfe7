//! How many bytes a column's value takes in a row image.

use crate::{Column, ColumnType};

/// The largest number of base 10 digits that the servers store in four bytes.
pub(crate) const DIGITS_PER_WORD: u16 = 9;

/// The bytes that 0 to 9 leading or trailing digits of a DECIMAL take.
pub(crate) const DIGITS_TO_BYTES: [u16; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// Where a value's length comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// All values take so many bytes.
    Fixed(u16),
    /// The length comes first, in one byte.
    Prefix1,
    /// In two bytes, the low one first.
    Prefix2,
    /// In three.
    Prefix3,
    /// In four.
    Prefix4,
    /// The metadata is none that a server writes.
    Invalid,
}

impl Width {
    /// The width of a column's values.
    pub(crate) fn of(column: &Column) -> Self {
        let meta = column.meta;
        match column.kind {
            ColumnType::Tiny | ColumnType::Year => Self::Fixed(1),
            ColumnType::Short => Self::Fixed(2),
            ColumnType::Int24 | ColumnType::Date | ColumnType::OldTime => Self::Fixed(3),
            ColumnType::Long | ColumnType::Float | ColumnType::OldTimestamp => Self::Fixed(4),
            ColumnType::LongLong | ColumnType::Double | ColumnType::OldDateTime => Self::Fixed(8),
            ColumnType::Time => Self::with_fraction(3, meta),
            ColumnType::Timestamp => Self::with_fraction(4, meta),
            ColumnType::DateTime => Self::with_fraction(5, meta),
            ColumnType::Decimal => {
                decimal_len(meta & 0xff, meta >> 8).map_or(Self::Invalid, Self::Fixed)
            }
            ColumnType::VarChar | ColumnType::VarCharCompressed | ColumnType::String => {
                if meta > 255 {
                    Self::Prefix2
                } else {
                    Self::Prefix1
                }
            }
            ColumnType::Blob
            | ColumnType::BlobCompressed
            | ColumnType::Json
            | ColumnType::Geometry
            | ColumnType::Vector => match meta {
                1 => Self::Prefix1,
                2 => Self::Prefix2,
                3 => Self::Prefix3,
                4 => Self::Prefix4,
                _ => Self::Invalid,
            },
            ColumnType::Bit => match ((meta & 0xff), meta >> 8) {
                (bits @ 0..=7, bytes @ 0..=8) if bits + bytes > 0 => {
                    Self::Fixed(bytes + u16::from(bits > 0))
                }
                _ => Self::Invalid,
            },
            ColumnType::Enum | ColumnType::Set => match meta {
                1..=8 => Self::Fixed(meta),
                _ => Self::Invalid,
            },
            ColumnType::OldDecimal => Self::Invalid,
        }
    }

    fn with_fraction(whole: u16, digits: u16) -> Self {
        match digits {
            0..=6 => Self::Fixed(whole + digits.div_ceil(2)),
            _ => Self::Invalid,
        }
    }

    /// Where the value that begins at `at` has its bytes: from, to. `None` where the image ends before.
    #[inline]
    pub(crate) fn span(self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let (from, len) = match self {
            Self::Fixed(len) => (at, usize::from(len)),
            Self::Prefix1 => (at + 1, usize::from(*bytes.get(at)?)),
            Self::Prefix2 => {
                let len = bytes.get(at..)?.first_chunk::<2>()?;
                (at + 2, usize::from(u16::from_le_bytes(*len)))
            }
            Self::Prefix3 => {
                let [a, b, c] = *bytes.get(at..)?.first_chunk::<3>()?;
                (at + 3, u32::from_le_bytes([a, b, c, 0]) as usize)
            }
            Self::Prefix4 => {
                let len = bytes.get(at..)?.first_chunk::<4>()?;
                (at + 4, u32::from_le_bytes(*len) as usize)
            }
            Self::Invalid => return None,
        };
        let to = from.checked_add(len)?;
        (to <= bytes.len()).then_some((from, to))
    }
}

/// The bytes of a DECIMAL(precision, scale): nine digits to four bytes on each side of the point.
pub(crate) fn decimal_len(precision: u16, scale: u16) -> Option<u16> {
    let whole = precision.checked_sub(scale)?;
    let side = |digits: u16| {
        digits / DIGITS_PER_WORD * 4 + DIGITS_TO_BYTES[usize::from(digits % DIGITS_PER_WORD)]
    };
    (precision > 0).then(|| side(whole) + side(scale))
}
