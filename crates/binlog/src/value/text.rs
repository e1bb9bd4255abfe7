//! Strings: MariaDB's compressed ones, and its types that the log shows as BINARY.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::{ColumnHint, Value, ValueError};

/// The method of MariaDB's compressed columns in the high bits of the first byte: none, or zlib.
const METHOD_NONE: u8 = 0;
const METHOD_ZLIB: u8 = 8;
/// In the low bits: whether zlib's own header is left out, and how many bytes the original length takes.
const RAW_DEFLATE: u8 = 8;
const LENGTH_BYTES: u8 = 7;

/// A column's longest value: LONGBLOB.
const MAX_LEN: u64 = u32::MAX as u64;

/// CHAR and BINARY, and the types that look like it. Their trailing zero bytes are not in the log.
pub(super) fn fixed(hint: ColumnHint, bytes: &[u8]) -> Result<Value, ValueError> {
    Ok(match hint {
        ColumnHint::Inet4 => {
            let octets: [u8; 4] = padded(bytes)?;
            Value::Inet(Ipv4Addr::from(octets).to_string())
        }
        ColumnHint::Inet6 => Value::Inet(inet6(padded(bytes)?)),
        ColumnHint::Uuid => Value::Uuid(uuid(padded(bytes)?)),
        ColumnHint::None | ColumnHint::Unsigned => Value::Bytes(bytes.to_vec()),
    })
}

fn padded<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    let mut all = [0; N];
    all.get_mut(..bytes.len())
        .ok_or(ValueError::Length {
            expected: N,
            got: bytes.len(),
        })?
        .copy_from_slice(bytes);
    Ok(all)
}

/// As MariaDB prints it: the longest run of zero words, even of one, becomes `::`, and after six of them, or five and
/// ffff, an IPv4 address follows.
fn inet6(bytes: [u8; 16]) -> String {
    let words = Ipv6Addr::from(bytes).segments();
    let [.., a, b, c, d] = bytes;
    let (mut gap, mut gap_len) = (0, 0);
    for start in 0..words.len() {
        let len = words[start..].iter().take_while(|&&it| it == 0).count();
        if len > gap_len {
            (gap, gap_len) = (start, len);
        }
    }
    let dotted = Ipv4Addr::new(a, b, c, d);
    match (gap, gap_len) {
        (_, 0) => hex_words(&words),
        (0, 6) => format!("::{dotted}"),
        (0, 5) if words[5] == 0xffff => format!("::ffff:{dotted}"),
        _ => {
            let (before, rest) = words.split_at(gap);
            let after = &rest[gap_len..];
            format!("{}::{}", hex_words(before), hex_words(after))
        }
    }
}

fn hex_words(words: &[u16]) -> String {
    let words: Vec<_> = words.iter().map(|it| format!("{it:x}")).collect();
    words.join(":")
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A value of a MariaDB column with the attribute COMPRESSED. An empty one has no bytes at all.
pub(super) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, ValueError> {
    let broken = |what| ValueError::Compressed { what };
    let Some((&head, rest)) = bytes.split_first() else {
        return Ok(Vec::new());
    };
    match head >> 4 {
        METHOD_NONE if head == 0 => return Ok(rest.to_vec()),
        METHOD_ZLIB => {}
        _ => return Err(broken("its method is not known")),
    }
    let (len, data) = rest
        .split_at_checked(usize::from(head & LENGTH_BYTES))
        .ok_or_else(|| broken("it ends within its length"))?;
    let expected = len
        .iter()
        .fold(0_u64, |len, &byte| len << 8 | u64::from(byte));
    if expected > MAX_LEN {
        return Err(broken("it is too long"));
    }
    let mut plain = Vec::new();
    // One byte more than it should have tells too long data from right ones.
    let read = if head & RAW_DEFLATE == 0 {
        ZlibDecoder::new(data)
            .take(expected + 1)
            .read_to_end(&mut plain)
    } else {
        DeflateDecoder::new(data)
            .take(expected + 1)
            .read_to_end(&mut plain)
    };
    match read {
        Ok(got) if got as u64 == expected => Ok(plain),
        Ok(_) => Err(broken("it has another length than it says")),
        Err(_) => Err(broken("zlib cannot read it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stripped_address_is_padded_again() {
        let inet = |hint, bytes| fixed(hint, bytes).unwrap();
        assert_eq!(
            inet(ColumnHint::Inet4, &[10]),
            Value::Inet("10.0.0.0".into())
        );
        assert_eq!(inet(ColumnHint::Inet6, &[]), Value::Inet("::".into()));
        assert!(fixed(ColumnHint::Inet4, &[1, 2, 3, 4, 5]).is_err());
    }

    #[test]
    fn broken_compression_is_an_error() {
        assert_eq!(decompress(&[]).unwrap(), b"");
        assert_eq!(decompress(b"\0abc").unwrap(), b"abc");
        for bytes in [
            &b"\x10abc"[..],
            b"\x83\x01",
            b"\x81\x05zzz",
            b"\x87\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(decompress(bytes).is_err(), "{bytes:x?}");
        }
    }
}
