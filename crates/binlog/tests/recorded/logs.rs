//! The recorded files.

use std::{fs, path::Path};

use bytes::Bytes;
use twinlog_binlog::{EventType, Flavour};

/// What a file begins with, before its events.
const MAGIC: &[u8] = b"\xfebin";

/// A recorded log.
pub(crate) struct Log {
    pub(crate) name: String,
    pub(crate) flavour: Flavour,
    /// Whole events as a reader gets them: a rotate and a format description first.
    pub(crate) events: Vec<Bytes>,
}

/// All of them, by name.
pub(crate) fn all() -> Vec<Log> {
    of("logs")
}

/// Those with every column type.
pub(crate) fn types() -> Vec<Log> {
    of("types")
}

fn of(directory: &str) -> Vec<Log> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(directory);
    let mut paths: Vec<_> = fs::read_dir(dir)
        .expect("the directory is there")
        .map(|entry| entry.expect("can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|it| it == "binlog" || it == "stream")
        })
        .collect();
    paths.sort();
    paths.iter().map(|path| Log::read(path)).collect()
}

impl Log {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().and_then(|it| it.to_str()).expect("a name");
        let file = fs::read(path).expect("can be read");
        // A file lacks the event that names it, which a server sends first.
        let (mut events, mut rest) = match file.strip_prefix(MAGIC) {
            Some(rest) => (vec![rotate()], rest),
            None => (Vec::new(), &file[..]),
        };
        while !rest.is_empty() {
            let len = u32::from_le_bytes(rest[9..13].try_into().expect("four bytes"));
            let (event, after) = rest.split_at(len as usize);
            // As from a network: events share no memory.
            events.push(Bytes::copy_from_slice(event));
            rest = after;
        }
        Self {
            name: name.to_owned(),
            flavour: if name.starts_with("mariadb") {
                Flavour::MariaDb
            } else {
                Flavour::MySql
            },
            events,
        }
    }

    /// The same without checksums, so that a changed event is not refused for that.
    pub(crate) fn without_checksums(&self) -> Self {
        let mut checksums = false;
        let events = self.events.iter().enumerate().map(|(at, event)| {
            let mut event = event.to_vec();
            if EventType(event[4]) == EventType::FORMAT_DESCRIPTION_EVENT {
                let algorithm = event.len() - 5;
                checksums = event[algorithm] == 1;
                event[algorithm] = 0;
            } else if checksums || (at == 0 && self.events.len() > 1 && ends_with_crc32(&event)) {
                event.truncate(event.len() - 4);
                let len = event.len() as u32;
                event[9..13].copy_from_slice(&len.to_le_bytes());
            }
            event.into()
        });
        Self {
            name: self.name.clone(),
            flavour: self.flavour,
            events: events.collect(),
        }
    }
}

fn ends_with_crc32(event: &[u8]) -> bool {
    let (bytes, crc) = event.split_last_chunk::<4>().expect("long enough");
    crc32fast::hash(bytes).to_le_bytes() == *crc
}

fn rotate() -> Bytes {
    let body = [&4_u64.to_le_bytes()[..], b"binlog.000001"].concat();
    let mut event = vec![0; 19];
    event[4] = EventType::ROTATE_EVENT.0;
    event[9..13].copy_from_slice(&(19 + body.len() as u32).to_le_bytes());
    event[17] = 0x20;
    event.extend(body);
    event.into()
}

/// Whether a transaction begins with the event.
pub(crate) fn begins_transaction(event: &Bytes) -> bool {
    matches!(
        EventType(event[4]),
        EventType::GTID_LOG_EVENT
            | EventType::ANONYMOUS_GTID_LOG_EVENT
            | EventType::GTID_TAGGED_LOG_EVENT
            | EventType::GTID_EVENT
    )
}
