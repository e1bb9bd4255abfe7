//! The stream: a server's binary log, read as a replica reads it.
//!
//! One task per server ([`LogReader::spawn`]) hands over whole transactions in the order of the log, from where it was
//! told to begin, until it is stopped or something happens that no new connection mends ([`Error`]). What a new
//! connection may mend it tries again, at growing intervals, and says so ([`Item::Reconnecting`]); it goes on after the
//! last whole transaction that it handed over, so nothing is lost or comes twice.
//!
//! What was read and not dealt with is bounded by bytes: each transaction comes with a [`Permit`], and while too many
//! are out, nothing is read; the server waits then. A single transaction may be greater than the bound, and is read all
//! the same, alone.

mod backoff;
mod error;
mod identity;
mod lag;
mod read_up_to;
mod reader;
mod request;
mod source;
mod stretch;
mod wire;

use std::time::{Duration, SystemTime};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinHandle,
};
use twinlog_binlog::Transaction;
use twinlog_server::{conn::Endpoint, facts::Coordinates, gtid::GtidSet};

pub use backoff::BACKOFF_MAX;
pub use error::{Error, Interruption};
pub use identity::SERVER_IDS;
pub use lag::Lag;
pub use read_up_to::ReadUpTo;
use reader::Reader;
pub(crate) use stretch::Stretch;
pub use stretch::StretchError;

/// How many bytes of transactions are out at most, unless the caller says otherwise: a second of a fast log.
pub const IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;
/// The server sends a sign of life when it has had nothing else to send for this long.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// A connection on which nothing came for this long is dead. Ten heartbeats: a server under full load, or one that is
/// stopped for a moment, is not left for nothing, and links wait as long.
pub const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long a server may be silent before its first event: MariaDB reads through a file of 1 GiB, or whatever
/// `max_binlog_size` is, to the place asked for without a word.
pub const SEARCH_MAX: Duration = Duration::from_secs(120);
/// How long it may take to connect, log in and ask for the log.
pub const SETUP_MAX: Duration = Duration::from_secs(10);
/// How many items wait to be taken, besides the bound by bytes: enough that a task is not woken for each.
const ITEMS_WAITING_MAX: usize = 1024;

/// Which log, from where, and the limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server, and an account with the privilege REPLICATION SLAVE. On MariaDB BINLOG MONITOR too, to name what
    /// was purged.
    pub endpoint: Endpoint,
    /// What was read before: the log after these transactions is read. Its flavour must be the server's.
    pub from: GtidSet,
    /// The server ids of the nodes, which the reader must not use.
    pub taken_server_ids: Vec<u32>,
    /// How many bytes of transactions are out at most.
    pub in_flight_bytes_max: usize,
    /// See [`HEARTBEAT`].
    pub heartbeat: Duration,
    /// See [`SILENCE_MAX`].
    pub silence_max: Duration,
}

impl Options {
    /// The usual limits.
    pub fn new(endpoint: Endpoint, from: GtidSet, taken_server_ids: Vec<u32>) -> Self {
        Self {
            endpoint,
            from,
            taken_server_ids,
            in_flight_bytes_max: IN_FLIGHT_BYTES,
            heartbeat: HEARTBEAT,
            silence_max: SILENCE_MAX,
        }
    }
}

/// What a log has next.
#[derive(Debug)]
pub enum Item {
    /// The log is being read, from now on or again.
    Connected(Connected),
    /// A transaction.
    Transaction(Received),
    /// All that the log holds before this place has been handed over. It comes with heartbeats and at the end of a file;
    /// transactions have their own.
    Position(Coordinates),
    /// The connection is gone; another will be tried.
    Reconnecting(Reconnecting),
}

/// A connection that reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The server's version, in its own words.
    pub version: String,
    /// Its server id.
    pub server_id: u32,
    /// Its clock less this machine's, in microseconds.
    pub clock_offset_us: i64,
    /// How exact that is: half the time the question took, in microseconds.
    pub clock_error_us: i64,
    /// The server id that the reader goes by.
    pub reader_server_id: u32,
}

/// A transaction that was read.
#[derive(Debug)]
pub struct Received {
    /// The transaction.
    pub transaction: Box<Transaction>,
    /// When, by this machine's clock.
    pub read_at: SystemTime,
    /// How long after its commit.
    pub lag: Lag,
    /// To be kept as long as the transaction takes memory.
    pub permit: Permit,
}

/// A part of the bytes that may be out; dropping it gives them back.
#[derive(Debug)]
pub struct Permit {
    _bytes: OwnedSemaphorePermit,
}

/// A connection that ended, and when the next will be tried.
#[derive(Debug, Clone)]
pub struct Reconnecting {
    /// Why it ended.
    pub cause: Interruption,
    /// Which attempt in a row the next is, from 1 on.
    pub attempt: u32,
    /// After what time it will be made.
    pub wait: Duration,
}

/// What was read, one item after the other.
#[derive(Debug)]
pub struct LogStream {
    items: mpsc::Receiver<Result<Item, Error>>,
    read: ReadUpTo,
}

impl LogStream {
    /// The next item; an error is the last. `None` when the reader was stopped. May be dropped and asked again.
    pub async fn next(&mut self) -> Option<Result<Item, Error>> {
        let item = self.items.recv().await?;
        match &item {
            Ok(Item::Transaction(received)) => self.read.take(&received.transaction),
            Ok(Item::Position(place)) => {
                self.read.pass(&place.file.as_str().into(), place.position);
            }
            Ok(Item::Connected(_) | Item::Reconnecting(_)) | Err(_) => {}
        }
        Some(item)
    }

    /// What of the log [`LogStream::next`] has handed over.
    pub fn read_up_to(&self) -> &ReadUpTo {
        &self.read
    }
}

/// The task that reads. Dropping it stops it.
#[derive(Debug)]
pub struct LogReader {
    task: JoinHandle<()>,
}

impl LogReader {
    /// Begins to read. Needs a tokio runtime.
    pub fn spawn(options: Options) -> (LogStream, LogReader) {
        let (sender, items) = mpsc::channel(ITEMS_WAITING_MAX);
        let read = ReadUpTo::new(options.from.clone());
        let task = tokio::spawn(Reader::new(options, sender).run());
        (LogStream { items, read }, LogReader { task })
    }

    /// Stops at once: closes the connection and waits until the task has ended. Items that wait can still be taken.
    pub async fn stop(mut self) {
        self.task.abort();
        // Either it was aborted or it had ended; it contains its panics.
        let _ = (&mut self.task).await;
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
