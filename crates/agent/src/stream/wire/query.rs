//! Answers to statements, as text.

use bytes::Bytes;

use super::{END, Error, Wire};

/// One row: the text of each column, `None` for NULL.
pub(in crate::stream) type Row = Vec<Option<String>>;

/// The greatest answer that is read, in packets: twinlog's own questions get a handful.
const PACKETS_MAX: usize = 10_000;

/// Reads all of an answer.
pub(super) async fn read(wire: &mut Wire) -> Result<Vec<Row>, Error> {
    if wire.packet().await?.first() == Some(&0) {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    // The descriptions of columns end with the same packet as the rows.
    let mut ends = 0;
    for _ in 0..PACKETS_MAX {
        let packet = wire.packet().await?;
        match (is_end(&packet), ends) {
            (true, 0) => ends = 1,
            (true, _) => return Ok(rows),
            (false, 0) => {}
            (false, _) => rows.push(row(&packet).ok_or(Error::Protocol("a row cannot be read"))?),
        }
    }
    Err(Error::Protocol("an answer has no end"))
}

/// Whether it is the packet that ends a list (a row may begin with the same byte, but is longer).
fn is_end(packet: &Bytes) -> bool {
    packet.first() == Some(&END) && packet.len() < 9
}

fn row(mut packet: &[u8]) -> Option<Row> {
    let mut row = Row::new();
    while let Some(&first) = packet.first() {
        if first == 0xfb {
            packet = &packet[1..];
            row.push(None);
            continue;
        }
        let len = length(&mut packet)?;
        let (text, rest) = packet.split_at_checked(len)?;
        row.push(Some(String::from_utf8_lossy(text).into_owned()));
        packet = rest;
    }
    Some(row)
}

/// A length, in one, three, four or nine bytes.
fn length(packet: &mut &[u8]) -> Option<usize> {
    let (&first, rest) = packet.split_first()?;
    let size = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        0xfb | 0xff => return None,
        _ => 0,
    };
    let (bytes, rest) = rest.split_at_checked(size)?;
    *packet = rest;
    if size == 0 {
        return Some(first.into());
    }
    let number = bytes
        .iter()
        .rev()
        .fold(0u64, |sum, &byte| (sum << 8) | u64::from(byte));
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_every_length() {
        let long = "x".repeat(300);
        let mut packet = b"\x03abc\xfb\x00\xfc\x2c\x01".to_vec();
        packet.extend(long.bytes());
        assert_eq!(
            row(&packet),
            Some(vec![
                Some("abc".into()),
                None,
                Some(String::new()),
                Some(long)
            ])
        );
        assert_eq!(row(b"\x05abc"), None);
        assert_eq!(row(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
