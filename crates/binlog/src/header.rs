//! The 19 bytes that every event begins with.

use bytes::Bytes;

use crate::{EventType, Fault, cursor::Cursor};

/// The header's length: `LOG_EVENT_HEADER_LEN`.
pub(crate) const HEADER_LEN: usize = 19;

/// The longest event: neither server lets `max_allowed_packet` be larger, and dump threads send with that limit.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024 * 1024;

/// Set in the format description of a file that is being written, and cleared when it is closed.
pub(crate) const FLAG_IN_USE: u16 = 0x1;
/// The event is in no file: the server made it for this stream.
const FLAG_ARTIFICIAL: u16 = 0x20;
/// Who does not know the event may pass over it.
const FLAG_IGNORABLE: u16 = 0x80;

/// An event's common header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Seconds since 1970, when the statement began on the server where a client ran it.
    pub(crate) timestamp: u32,
    pub(crate) event: EventType,
    /// The server where it was first logged.
    pub(crate) server_id: u32,
    /// The event's length, with header and checksum.
    pub(crate) len: u32,
    /// Where the event ends in its file, the low 32 bits of it; 0 for an event that is in no file.
    pub(crate) end: u32,
    flags: u16,
}

impl Header {
    /// From the bytes of a whole event.
    pub(crate) fn parse(event: &Bytes) -> Result<Self, Fault> {
        let mut it = Cursor::new(event);
        Ok(Self {
            timestamp: it.u32("header")?,
            event: EventType(it.u8("header")?),
            server_id: it.u32("header")?,
            len: it.u32("header")?,
            end: it.u32("header")?,
            flags: it.u16("header")?,
        })
    }

    /// Whether the length is that of `event`, and one that a server writes.
    pub(crate) fn check_len(&self, event: &Bytes) -> Result<(), Fault> {
        if event.len() > MAX_EVENT_BYTES {
            return Err(Fault::Limit {
                what: "bytes of an event",
                has: event.len() as u64,
                limit: MAX_EVENT_BYTES as u64,
            });
        }
        if u64::from(self.len) != event.len() as u64 {
            return Err(Fault::Length {
                says: self.len.into(),
                has: event.len() as u64,
            });
        }
        Ok(())
    }

    /// Whether the server made the event for this stream.
    pub(crate) fn is_artificial(&self) -> bool {
        self.end == 0 || self.flags & FLAG_ARTIFICIAL != 0
    }

    /// Whether the event may be passed over by who does not know it.
    pub(crate) fn is_ignorable(&self) -> bool {
        self.flags & FLAG_IGNORABLE != 0
    }

    /// The header's time in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        u64::from(self.timestamp) * 1_000_000
    }
}
