//! What the decoder gives.

use std::sync::Arc;

use crate::{Format, Gtid, Transaction};

/// What an event brought.
#[derive(Debug)]
pub enum Output {
    /// Nothing that a reader needs, yet.
    Nothing,
    /// A whole transaction.
    Transaction(Box<Transaction>),
    /// How the events that follow are written.
    Format {
        /// The format.
        format: Format,
        /// A transaction that began in the file before and has no end: the server died in it, or the stream was cut. It
        /// never was, or comes again.
        dropped: Option<Gtid>,
    },
    /// The log goes on elsewhere.
    Rotate {
        /// The file that follows.
        file: Arc<str>,
        /// Where in it.
        position: u64,
        /// Whether the server made the event for this stream; if not it is the last one of its file.
        artificial: bool,
    },
    /// Nothing happened for a while.
    Heartbeat {
        /// The file that the server reads.
        file: Arc<str>,
        /// How far it read.
        position: u64,
    },
    /// MariaDB's last GTID of each domain and server before this file.
    GtidList(Vec<Gtid>),
    /// The server stopped in order.
    Stop,
}
