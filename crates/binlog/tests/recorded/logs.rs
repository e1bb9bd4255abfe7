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
    /// Whole events, the format description first.
    pub(crate) events: Vec<Bytes>,
}

/// All of them, by name.
pub(crate) fn all() -> Vec<Log> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .expect("the directory is there")
        .map(|entry| entry.expect("can be read").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| Log::read(path)).collect()
}

impl Log {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().and_then(|it| it.to_str()).expect("a name");
        let file = Bytes::from(fs::read(path).expect("can be read"));
        assert!(file.starts_with(MAGIC), "{name}");
        let mut rest = file.slice(MAGIC.len()..);
        let mut events = Vec::new();
        while !rest.is_empty() {
            let len = u32::from_le_bytes(rest[9..13].try_into().expect("four bytes"));
            // As from a network: events share no memory.
            events.push(Bytes::copy_from_slice(&rest.split_to(len as usize)));
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

    /// The event that a server sends first, which names the file.
    pub(crate) fn rotate(&self) -> Bytes {
        let body = [&4_u64.to_le_bytes()[..], b"binlog.000001"].concat();
        let mut event = vec![0; 19];
        event[4] = EventType::ROTATE_EVENT.0;
        event[9..13].copy_from_slice(&(19 + body.len() as u32).to_le_bytes());
        event[17] = 0x20;
        event.extend(body);
        event.into()
    }

    /// Whether a transaction begins with the event at `at`.
    pub(crate) fn begins_transaction(&self, at: usize) -> bool {
        matches!(
            EventType(self.events[at][4]),
            EventType::GTID_LOG_EVENT
                | EventType::ANONYMOUS_GTID_LOG_EVENT
                | EventType::GTID_TAGGED_LOG_EVENT
                | EventType::GTID_EVENT
        )
    }
}
