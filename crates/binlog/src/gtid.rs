//! The name of one transaction.

use std::{fmt, sync::Arc};

/// A global transaction identifier, as the server prints it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gtid {
    /// `uuid:sequence`, or `uuid:tag:sequence` since MySQL 8.3.
    MySql {
        /// The server (or group) that gave it.
        uuid: [u8; 16],
        /// The tag, where there is one.
        tag: Option<Arc<str>>,
        /// Its number there.
        sequence: u64,
    },
    /// `domain-server-sequence`.
    MariaDb {
        /// The replication domain.
        domain: u32,
        /// The server that gave it.
        server_id: u32,
        /// Its number in the domain.
        sequence: u64,
    },
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MySql {
                uuid,
                tag,
                sequence,
            } => {
                for (at, byte) in uuid.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                if let Some(tag) = tag {
                    write!(f, ":{tag}")?;
                }
                write!(f, ":{sequence}")
            }
            Self::MariaDb {
                domain,
                server_id,
                sequence,
            } => write!(f, "{domain}-{server_id}-{sequence}"),
        }
    }
}
