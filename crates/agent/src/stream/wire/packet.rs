//! Bytes of the connection to packets.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::Error;

/// Length and number before each chunk of a packet.
pub(super) const HEADER_BYTES: usize = 4;
/// A chunk of this length is continued by another.
pub(super) const CHUNK_BYTES_MAX: usize = 0xff_ffff;
/// The greatest packet: an event of 1 GiB, the most that a server sends (`slave_max_allowed_packet`), and its first byte.
const PACKET_BYTES_MAX: usize = (1 << 30) + 1;
/// A packet of this size keeps the memory it was read into; a smaller one gets its own, so that who keeps one small row
/// keeps no other packets.
const KEEP_BYTES_MIN: usize = 256 * 1024;

/// Takes packets out of what was read.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// The number of the next chunk.
    sequence: u8,
    /// The chunks before of a packet longer than one.
    before: BytesMut,
}

impl Packets {
    /// A new command: numbers begin again.
    pub(super) fn begin_command(&mut self) {
        self.sequence = 0;
    }

    /// The next chunk has this number.
    pub(super) fn go_on_at(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// The header of the next chunk to send.
    pub(super) fn header(&mut self, len: usize) -> u32 {
        // The length of a chunk has 24 bits.
        let header = (len as u32 & 0x00ff_ffff) | u32::from(self.sequence) << 24;
        self.sequence = self.sequence.wrapping_add(1);
        header
    }

    /// How many bytes `buffer` lacks for its first chunk.
    pub(super) fn missing(&self, buffer: &BytesMut) -> usize {
        (HEADER_BYTES + chunk_len(buffer).unwrap_or(0)).saturating_sub(buffer.len())
    }

    /// The first packet in `buffer`, if all of it is there.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(len) = chunk_len(buffer) else {
                return Ok(None);
            };
            if buffer.len() < HEADER_BYTES + len {
                return Ok(None);
            }
            if buffer[3] != self.sequence {
                return Err(Error::Protocol("packets are not in order"));
            }
            self.sequence = self.sequence.wrapping_add(1);
            buffer.advance(HEADER_BYTES);
            if self.before.is_empty() && len < CHUNK_BYTES_MAX {
                return Ok(Some(own(buffer, len)));
            }
            if self.before.len() + len > PACKET_BYTES_MAX {
                return Err(Error::Protocol("a packet is greater than 1 GiB"));
            }
            self.before.extend_from_slice(&buffer[..len]);
            buffer.advance(len);
            if len < CHUNK_BYTES_MAX {
                return Ok(Some(std::mem::take(&mut self.before).freeze()));
            }
        }
    }
}

fn own(buffer: &mut BytesMut, len: usize) -> Bytes {
    if len >= KEEP_BYTES_MIN {
        return buffer.split_to(len).freeze();
    }
    let packet = Bytes::copy_from_slice(&buffer[..len]);
    buffer.advance(len);
    packet
}

fn chunk_len(buffer: &BytesMut) -> Option<usize> {
    match buffer.get(..3) {
        Some(&[a, b, c]) if buffer.len() >= HEADER_BYTES => {
            Some(usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16)
        }
        _ => None,
    }
}

/// An error that the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) struct ServerError {
    /// Its number.
    pub(in crate::stream) code: u16,
    /// Its words.
    pub(in crate::stream) message: String,
}

impl ServerError {
    /// Reads an error packet. Before the login has ended it has no SQLSTATE.
    pub(super) fn parse(packet: &[u8]) -> Self {
        let number = packet
            .get(1..3)
            .map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
        let text = packet.get(3..).unwrap_or_default();
        let text = match text {
            [b'#', _, _, _, _, _, text @ ..] => text,
            text => text,
        };
        Self {
            code: number,
            message: String::from_utf8_lossy(text).into_owned(),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR {}: {}", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use proptest::prelude::*;

    use super::*;

    /// What a server sends for these packets.
    fn sent(packets: &[Vec<u8>]) -> Vec<u8> {
        let mut counter = Packets::default();
        let mut out = Vec::new();
        for packet in packets {
            for chunk in packet.chunks(CHUNK_BYTES_MAX) {
                out.put_u32_le(counter.header(chunk.len()));
                out.put_slice(chunk);
            }
            if packet.len().is_multiple_of(CHUNK_BYTES_MAX) {
                out.put_u32_le(counter.header(0));
            }
        }
        out
    }

    /// What arrives of it, in reads of this size.
    fn received(bytes: &[u8], read: usize) -> Vec<Vec<u8>> {
        let (mut packets, mut buffer) = (Packets::default(), BytesMut::new());
        let mut all = Vec::new();
        for part in bytes.chunks(read) {
            buffer.extend_from_slice(part);
            while let Some(packet) = packets.take(&mut buffer).expect("in order") {
                all.push(packet.to_vec());
            }
        }
        assert!(buffer.is_empty());
        all
    }

    #[test]
    fn packets_of_every_length() {
        let lengths = [
            0,
            1,
            7,
            KEEP_BYTES_MIN,
            CHUNK_BYTES_MAX - 1,
            CHUNK_BYTES_MAX,
            CHUNK_BYTES_MAX + 1,
            2 * CHUNK_BYTES_MAX,
            3,
        ];
        let packets: Vec<Vec<u8>> = lengths.iter().map(|&len| vec![len as u8; len]).collect();
        assert!(received(&sent(&packets), 1 << 20) == packets);
    }

    proptest! {
        #[test]
        fn in_reads_of_any_size(
            packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..600),
            read in 1usize..90,
        ) {
            prop_assert_eq!(received(&sent(&packets), read), packets);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (mut packets, mut buffer) = (Packets::default(), BytesMut::from(&bytes[..]));
            while let Ok(Some(packet)) = packets.take(&mut buffer) {
                ServerError::parse(&packet);
            }
            ServerError::parse(&bytes);
        }
    }

    #[test]
    fn what_is_missing() {
        let packets = Packets::default();
        assert_eq!(packets.missing(&BytesMut::new()), 4);
        assert_eq!(packets.missing(&BytesMut::from(&[10, 0, 0, 0, 1][..])), 9);
    }

    #[test]
    fn an_error_with_and_without_state() {
        let late = ServerError::parse(b"\xff\xd4\x04#HY000Could not open log file");
        assert_eq!(late.to_string(), "ERROR 1236: Could not open log file");
        assert_eq!(
            ServerError::parse(b"\xff\x10\x04Too many connections").code,
            1040
        );
    }
}
