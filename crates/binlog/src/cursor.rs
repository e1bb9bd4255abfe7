//! Reading an event's bytes from front to back.

use bytes::Bytes;

use crate::Fault;

/// A place in an event's bytes. Every read is checked against what is left.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    all: &'a Bytes,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the front of `all`.
    pub(crate) fn new(all: &'a Bytes) -> Self {
        Self { all, at: 0 }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.all.len() - self.at
    }

    /// How many bytes were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The next `len` bytes; `what` names them in the error.
    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Fault> {
        if len > self.left() {
            return Err(Fault::Truncated(what));
        }
        let from = self.at;
        self.at += len;
        Ok(&self.all[from..self.at])
    }

    /// As [`Cursor::take`], sharing the event's memory.
    pub(crate) fn slice(&mut self, len: usize, what: &'static str) -> Result<Bytes, Fault> {
        if len > self.left() {
            return Err(Fault::Truncated(what));
        }
        let from = self.at;
        self.at += len;
        Ok(self.all.slice(from..self.at))
    }

    /// All that is left, sharing the event's memory.
    pub(crate) fn rest(&mut self) -> Bytes {
        let rest = self.all.slice(self.at..);
        self.at = self.all.len();
        rest
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Fault> {
        let rest = &self.all[self.at..];
        let array = rest.first_chunk::<N>().ok_or(Fault::Truncated(what))?;
        self.at += N;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Fault> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A number of `len` bytes (at most eight), the low one first.
    pub(crate) fn uint(&mut self, len: usize, what: &'static str) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        let part = self.take(len.min(8), what)?;
        bytes[..part.len()].copy_from_slice(part);
        Ok(u64::from_le_bytes(bytes))
    }

    /// A number in the protocol's own form (`net_store_length`): one byte, or a mark and two, three or eight.
    pub(crate) fn packed(&mut self, what: &'static str) -> Result<u64, Fault> {
        match self.u8(what)? {
            small @ 0..=250 => Ok(small.into()),
            252 => self.uint(2, what),
            253 => self.uint(3, what),
            254 => self.u64(what),
            _ => Err(Fault::Malformed("a packed number begins with 251 or 255")),
        }
    }

    /// A packed number that counts bytes of this event: never more than are left.
    pub(crate) fn packed_len(&mut self, what: &'static str) -> Result<usize, Fault> {
        let len = self.packed(what)?;
        match usize::try_from(len) {
            Ok(len) if len <= self.left() => Ok(len),
            _ => Err(Fault::Truncated(what)),
        }
    }

    /// A number in the form of MySQL's serialization library: the ones at the low end of the first byte count the bytes
    /// that follow, the other bits and those bytes are the number.
    pub(crate) fn varlen(&mut self, what: &'static str) -> Result<u64, Fault> {
        let first = self.u8(what)?;
        let more = first.trailing_ones() as usize;
        let high = self.uint(more, what)?;
        // All eight bits are ones: the next eight bytes are the number. Seven: no bit is left in the first.
        if more >= 7 {
            return Ok(high);
        }
        let low_bits = 7 - more;
        Ok(u64::from(first >> (more + 1)) | (high << low_bits))
    }

    /// As [`Cursor::varlen`], with the sign in the lowest bit.
    pub(crate) fn varlen_signed(&mut self, what: &'static str) -> Result<i64, Fault> {
        let number = self.varlen(what)?;
        let magnitude = (number >> 1).cast_signed();
        Ok(if number & 1 == 0 {
            magnitude
        } else {
            !magnitude
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers() {
        for (bytes, number) in [
            (&[250][..], 250),
            (&[252, 251, 0], 251),
            (&[253, 1, 2, 3], 0x03_02_01),
            (&[254, 1, 0, 0, 0, 0, 0, 0, 128], 0x8000_0000_0000_0001),
        ] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert_eq!(Cursor::new(&bytes).packed("it"), Ok(number));
        }
        let none = Bytes::from_static(&[251]);
        assert!(Cursor::new(&none).packed("it").is_err());
        let cut = Bytes::from_static(&[252, 1]);
        assert_eq!(Cursor::new(&cut).packed("it"), Err(Fault::Truncated("it")));
        let long = Bytes::from_static(&[3, 0, 0]);
        assert_eq!(
            Cursor::new(&long).packed_len("it"),
            Err(Fault::Truncated("it"))
        );
    }

    /// The examples of the serialization library's own documentation and tests: 7 bits in one byte, 14 in two, …
    #[test]
    fn varlen_numbers() {
        for (bytes, number) in [
            (&[0x02][..], 1),
            (&[0xfe], 127),
            (&[0x01, 0x02], 128),
            (&[0xfd, 0xff], 16_383),
            (&[0x03, 0x00, 0x02], 16_384),
            (&[0x7f, 1, 0, 0, 0, 0, 0, 0], 1),
            (&[0xff, 255, 255, 255, 255, 255, 255, 255, 255], u64::MAX),
        ] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert_eq!(Cursor::new(&bytes).varlen("it"), Ok(number), "{bytes:?}");
        }
        let minus_two = Bytes::from_static(&[3 << 1]);
        assert_eq!(Cursor::new(&minus_two).varlen_signed("it"), Ok(-2));
    }
}
