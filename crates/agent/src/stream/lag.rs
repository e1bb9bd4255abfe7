//! How far behind its server the reader is.

use twinlog_binlog::Transaction;

/// How long after its commit a transaction was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Microseconds; 0 where the clocks' difference, which is only known within half of a round trip, would make it less.
    pub us: u64,
    /// Whether the log says to the microsecond when its own server committed (MySQL from 8.0.1). If not, `us` counts
    /// from the second in which the statement began on the server that a client wrote to: up to a second too much,
    /// and for a transaction that came over the link its way here is in it.
    pub exact: bool,
}

impl Lag {
    /// The lag of a transaction read at this time of its server's clock, in microseconds since 1970.
    pub(super) fn of(transaction: &Transaction, read_us: u64) -> Self {
        let since = transaction
            .logged_us
            .unwrap_or(transaction.committed.micros);
        Self {
            us: read_us.saturating_sub(since),
            exact: transaction.logged_us.is_some(),
        }
    }
}
