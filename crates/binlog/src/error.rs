//! Why events cannot be decoded.

use std::sync::Arc;

use crate::EventType;

/// An event that cannot be decoded, and where it is. The decoder is of no use afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} at {file}:{position}: {fault}")]
pub struct Error {
    /// The event's type.
    pub event: EventType,
    /// The log file, empty where none was named yet.
    pub file: Arc<str>,
    /// Where the event begins there, as far as it says.
    pub position: u64,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

impl Error {
    /// What to do, where something can be done.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.fault.hint()
    }
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It has fewer bytes than it must have.
    #[error("the event ends within its {0}")]
    Truncated(&'static str),
    /// Its own length is another one.
    #[error("the event says that it has {says} bytes, and has {has}")]
    Length {
        /// What it says.
        says: u64,
        /// What came.
        has: u64,
    },
    /// It is longer than a server writes.
    #[error("{what}: {has}, and at most {limit} are taken")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much the event has.
        has: u64,
        /// How much is taken.
        limit: u64,
    },
    /// Its bytes changed on the way or on disk.
    #[error("the checksum is {found:08x}, and {computed:08x} was expected")]
    Checksum {
        /// Computed from the bytes.
        computed: u32,
        /// What the event says.
        found: u32,
    },
    /// It holds what no server writes.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Compressed bytes that cannot be decompressed.
    #[error("the compressed bytes are broken: {0}")]
    Compressed(String),
    /// A type that is not known, and is not marked as one to pass over.
    #[error("the event's type is not known, so what it changes is not either")]
    Unknown,
    /// A type of the other flavour.
    #[error("{0} does not write such events")]
    Flavour(&'static str),
    /// An event that is known and cannot be used.
    #[error("{why}")]
    Unsupported {
        /// Why not.
        why: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The server lost changes, and says so.
    #[error(
        "the server reports that changes are missing from its log: incident {number}: {message}"
    )]
    Incident {
        /// The incident's number.
        number: u16,
        /// The server's words.
        message: String,
    },
    /// No FORMAT_DESCRIPTION_EVENT came before it.
    #[error("no format description came before it")]
    NoFormat,
    /// Rows of a table that was not described.
    #[error("no table map for table number {0} came before it")]
    NoTableMap(u64),
    /// An event that belongs into a transaction, outside of one.
    #[error("it belongs into a transaction, and none is open")]
    OutsideTransaction,
    /// A transaction begins inside of another one.
    #[error("a transaction begins, and {0} has not ended")]
    Unfinished(String),
    /// ROLLBACK TO a savepoint that was not set.
    #[error("rollback to savepoint {0}, which was not set")]
    NoSavepoint(String),
}

impl Fault {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Checksum { .. } | Self::Compressed(_) | Self::Length { .. } => {
                "read the log again; if it says the same, the file is damaged: check the server's disk, \
                 and verify the tables after passing over that file"
            }
            Self::Unknown => {
                "the server is newer than this program knows: look for a newer release of it"
            }
            Self::Unsupported { hint, .. } => hint,
            Self::Incident { .. } => {
                "compare the tables of both servers, and make the peer anew from a copy where they differ"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
