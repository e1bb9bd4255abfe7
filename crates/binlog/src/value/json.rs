//! MySQL's binary JSON, as the text that the server prints.
//!
//! A document is a type byte and a value. Arrays and objects begin with how many elements and bytes they have, then
//! entries for the keys (where, how long) and for the values (type, and where; short numbers and literals stand in the
//! entry itself), all in two bytes ("small") or four ("large"). Places count from the beginning of that array or object.

mod scalar;
mod typed;

use super::ValueError;

/// The server refuses documents that are deeper.
const MAX_DEPTH: usize = 100;

const SMALL_OBJECT: u8 = 0x00;
const LARGE_OBJECT: u8 = 0x01;
const SMALL_ARRAY: u8 = 0x02;
const LARGE_ARRAY: u8 = 0x03;
const LITERAL: u8 = 0x04;
const INT16: u8 = 0x05;
const UINT16: u8 = 0x06;
const INT32: u8 = 0x07;
const UINT32: u8 = 0x08;
const INT64: u8 = 0x09;
const UINT64: u8 = 0x0a;
const DOUBLE: u8 = 0x0b;
const STRING: u8 = 0x0c;
const OPAQUE: u8 = 0x0f;

/// The text of a column's bytes. The server itself reads no bytes at all as `null`.
pub(super) fn text(bytes: &[u8]) -> Result<String, ValueError> {
    Ok(read(bytes, None)?.text)
}

/// The SQL expression of a document that is more than its text: one with decimals, dates, times or bytes in it, which
/// read from text would be doubles and strings. `None` where the text says all.
///
/// Not told apart, because no expression makes them: a TIMESTAMP and a DATETIME, and which of the binary types bytes are
/// from (all become VARBINARY, `base64:type15`).
pub(super) fn expression(bytes: &[u8]) -> Result<Option<String>, ValueError> {
    let writer = read(bytes, Some(typed::Parts::default()))?;
    Ok(writer.parts.and_then(|it| it.expression(&writer.text)))
}

fn read(bytes: &[u8], parts: Option<typed::Parts>) -> Result<Writer, ValueError> {
    let mut writer = Writer {
        text: String::with_capacity(bytes.len() * 2),
        budget: bytes.len(),
        parts,
    };
    match bytes.split_first() {
        Some((&kind, value)) => writer.value(kind, value, 0)?,
        None => writer.text.push_str("null"),
    }
    Ok(writer)
}

fn broken(what: &'static str) -> ValueError {
    ValueError::Json { what }
}

struct Writer {
    text: String,
    /// The bytes that may still be read. No server lets two places share bytes, and bytes made up to do so could make a
    /// short document write a text without end.
    budget: usize,
    /// What the text cannot tell, if someone asks for it.
    parts: Option<typed::Parts>,
}

impl Writer {
    fn spend(&mut self, bytes: usize) -> Result<(), ValueError> {
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or_else(|| broken("its parts overlap"))?;
        Ok(())
    }

    fn value(&mut self, kind: u8, bytes: &[u8], depth: usize) -> Result<(), ValueError> {
        match kind {
            SMALL_OBJECT | LARGE_OBJECT | SMALL_ARRAY | LARGE_ARRAY => {
                if depth >= MAX_DEPTH {
                    return Err(broken("it is deeper than 100 levels"));
                }
                let container = Container::parse(kind, bytes)?;
                self.spend(container.header_len())?;
                self.container(&container, depth + 1)
            }
            _ => {
                let start = self.text.len();
                let spent = scalar::write(&mut self.text, kind, bytes)?;
                if let Some(parts) = &mut self.parts {
                    parts.scalar(kind, bytes, &self.text[start..]);
                }
                self.spend(spent)
            }
        }
    }

    fn container(&mut self, container: &Container<'_>, depth: usize) -> Result<(), ValueError> {
        self.text.push(if container.object { '{' } else { '[' });
        for at in 0..container.count {
            if at > 0 {
                self.text.push_str(", ");
            }
            let start = self.text.len();
            if container.object {
                let key = container.key(at)?;
                self.spend(key.len())?;
                scalar::write_string(&mut self.text, key)?;
            }
            if let Some(parts) = &mut self.parts {
                parts.enter(at, &self.text[start..]);
            }
            if container.object {
                self.text.push_str(": ");
            }
            let (kind, bytes) = container.element(at)?;
            self.value(kind, bytes, depth)?;
            if let Some(parts) = &mut self.parts {
                parts.leave();
            }
        }
        self.text.push(if container.object { '}' } else { ']' });
        Ok(())
    }
}

/// An array or an object.
struct Container<'a> {
    object: bool,
    large: bool,
    count: usize,
    /// All of it, beginning with the two numbers.
    bytes: &'a [u8],
}

impl<'a> Container<'a> {
    fn parse(kind: u8, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut this = Self {
            object: matches!(kind, SMALL_OBJECT | LARGE_OBJECT),
            large: matches!(kind, LARGE_OBJECT | LARGE_ARRAY),
            count: 0,
            bytes,
        };
        this.count = this.number(0)?;
        let len = this.number(this.word())?;
        this.bytes = bytes
            .get(..len)
            .ok_or_else(|| broken("an array or object is longer than what is there"))?;
        if this.header_len() > len {
            return Err(broken("an array or object has no room for its entries"));
        }
        Ok(this)
    }

    /// How many bytes a place or a length takes.
    fn word(&self) -> usize {
        if self.large { 4 } else { 2 }
    }

    /// A key's entry: where it is, and its length in two bytes.
    fn key_entry_len(&self) -> usize {
        if self.object { self.word() + 2 } else { 0 }
    }

    /// A value's entry: its type, and where it is.
    fn value_entry_len(&self) -> usize {
        1 + self.word()
    }

    fn header_len(&self) -> usize {
        let entry = self.key_entry_len() + self.value_entry_len();
        self.count
            .saturating_mul(entry)
            .saturating_add(2 * self.word())
    }

    fn number(&self, at: usize) -> Result<usize, ValueError> {
        let end = || broken("it ends within a number");
        let rest = self.bytes.get(at..).ok_or_else(end)?;
        if self.large {
            let word = rest.first_chunk().ok_or_else(end)?;
            Ok(u32::from_le_bytes(*word) as usize)
        } else {
            let word = rest.first_chunk().ok_or_else(end)?;
            Ok(usize::from(u16::from_le_bytes(*word)))
        }
    }

    fn key(&self, at: usize) -> Result<&'a [u8], ValueError> {
        let entry = 2 * self.word() + at * self.key_entry_len();
        let start = self.number(entry)?;
        let len = self
            .bytes
            .get(entry + self.word()..)
            .and_then(|it| it.first_chunk())
            .ok_or_else(|| broken("it ends within a key's length"))?;
        self.bytes
            .get(start..)
            .and_then(|it| it.get(..usize::from(u16::from_le_bytes(*len))))
            .ok_or_else(|| broken("a key is outside of its object"))
    }

    /// An element's type, and its bytes with what may follow them.
    fn element(&self, at: usize) -> Result<(u8, &'a [u8]), ValueError> {
        let entries = 2 * self.word() + self.count * self.key_entry_len();
        let entry = entries + at * self.value_entry_len();
        let end = || broken("it ends within an entry");
        let kind = *self.bytes.get(entry).ok_or_else(end)?;
        let inlined = match kind {
            LITERAL | INT16 | UINT16 => true,
            INT32 | UINT32 => self.large,
            _ => false,
        };
        let start = if inlined {
            entry + 1
        } else {
            self.number(entry + 1)?
        };
        let bytes = self.bytes.get(start..).ok_or_else(end)?;
        Ok((kind, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_overlap_are_refused() {
        // An array whose elements are all the same array, at the end: read without a limit, each level doubles.
        let mut document = vec![SMALL_ARRAY];
        for _ in 0..40 {
            document.extend([2, 0, 10, 0, SMALL_ARRAY, 10, 0, SMALL_ARRAY, 10, 0]);
        }
        assert!(text(&document).is_err());
        // 50 entries that name one string.
        let mut document = vec![SMALL_ARRAY, 50, 0, 220, 0];
        for _ in 0..50 {
            document.extend([STRING, 154, 0]);
        }
        document.push(65);
        document.extend([b'x'; 65]);
        assert_eq!(text(&document), Err(broken("its parts overlap")));
    }

    #[test]
    fn depth_is_limited() {
        let mut document = vec![SMALL_ARRAY];
        for level in 0..200_u16 {
            let len = (7 * (200 - level)).to_le_bytes();
            document.extend([1, 0, len[0], len[1], SMALL_ARRAY, 7, 0]);
        }
        document.extend([0, 0, 4, 0]);
        assert_eq!(text(&document), Err(broken("it is deeper than 100 levels")));
    }
}
