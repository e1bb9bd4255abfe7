//! FORMAT_DESCRIPTION_EVENT, and the checksums that it announces.

use bytes::Bytes;

use crate::{
    EventType, Fault,
    cursor::Cursor,
    header::{FLAG_IN_USE, HEADER_LEN},
};

/// The only version since MySQL 5.0.
const BINLOG_VERSION: u16 = 4;
/// The server's version, filled up with zeros.
const SERVER_VERSION_LEN: usize = 50;
/// The bytes of a CRC32 at an event's end.
const CHECKSUM_LEN: usize = 4;
/// Where the flags are in the common header.
const FLAGS_AT: usize = 17;

/// How the events of a log are written, until the next format description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The server's version, as it prints it.
    pub server_version: String,
    /// Whether every event ends with a CRC32 of its bytes.
    pub checksums: bool,
    /// Whether the server had just started when it began the file: what was open before never became real.
    pub after_start: bool,
    /// The length of each type's fixed part, by type from 1.
    post_header_lens: Bytes,
}

impl Format {
    /// From a whole event. Its checksum is verified, which it has in any case: only what is said of the others differs.
    pub(crate) fn parse(event: &Bytes) -> Result<Self, Fault> {
        let body_len = event
            .len()
            .checked_sub(CHECKSUM_LEN + 1)
            .filter(|&len| len >= HEADER_LEN)
            .ok_or(Fault::Truncated("checksum algorithm"))?;
        let body = event.slice(HEADER_LEN..body_len);
        let mut it = Cursor::new(&body);
        if it.u16("binlog version")? != BINLOG_VERSION {
            return Err(Fault::Malformed("the binlog version is not 4"));
        }
        let version = it.take(SERVER_VERSION_LEN, "server version")?;
        let version = version.split(|&byte| byte == 0).next().unwrap_or_default();
        let created = it.u32("creation time")?;
        if usize::from(it.u8("header length")?) != HEADER_LEN {
            return Err(Fault::Malformed("the common header is not one of 19 bytes"));
        }
        let checksums = match event[body_len] {
            0 => false,
            1 => true,
            _ => return Err(Fault::Malformed("the checksum algorithm is not known")),
        };
        if checksums {
            verify(event, true)?;
        }
        Ok(Self {
            server_version: String::from_utf8_lossy(version).into_owned(),
            checksums,
            after_start: created != 0,
            post_header_lens: it.rest(),
        })
    }

    /// The body of an event of this log: without the header and the checksum, which is verified.
    pub(crate) fn body(&self, event: &Bytes) -> Result<Bytes, Fault> {
        if !self.checksums {
            return Ok(event.slice(HEADER_LEN..));
        }
        if event.len() < HEADER_LEN + CHECKSUM_LEN {
            return Err(Fault::Truncated("checksum"));
        }
        verify(event, false)?;
        Ok(event.slice(HEADER_LEN..event.len() - CHECKSUM_LEN))
    }

    /// The length of the fixed part of a type's body; `None` where the server does not know the type.
    pub(crate) fn post_header_len(&self, event: EventType) -> Option<usize> {
        let at = usize::from(event.0).checked_sub(1)?;
        self.post_header_lens.get(at).map(|&len| len.into())
    }
}

/// The body of an event that came before any format description: it may have a checksum, or not.
pub(crate) fn body_before_format(event: &Bytes) -> Bytes {
    let end = event.len().saturating_sub(CHECKSUM_LEN);
    let end = if end >= HEADER_LEN && verify(event, false).is_ok() {
        end
    } else {
        event.len()
    };
    event.slice(HEADER_LEN.min(end)..end)
}

/// Compares the CRC32 at the end of an event with that of the bytes before. That of a format description was made before
/// the server marked the file as in use.
fn verify(event: &Bytes, format_description: bool) -> Result<(), Fault> {
    let Some((bytes, found)) = event.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(Fault::Truncated("checksum"));
    };
    let computed = if format_description && bytes.len() > FLAGS_AT {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[..FLAGS_AT]);
        crc.update(&[bytes[FLAGS_AT] & !(FLAG_IN_USE as u8)]);
        crc.update(&bytes[FLAGS_AT + 1..]);
        crc.finalize()
    } else {
        crc32fast::hash(bytes)
    };
    let found = u32::from_le_bytes(*found);
    if computed == found {
        Ok(())
    } else {
        Err(Fault::Checksum { computed, found })
    }
}
