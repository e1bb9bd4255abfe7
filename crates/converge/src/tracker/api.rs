//! What goes into a tracker beside transactions, and what comes out of it.

use std::sync::Arc;

use twinlog_binlog::{CommitTime, Gtid};

use crate::{Side, TableName, Verdict};

/// How much a tracker may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The memory for all that is not settled, in bytes.
    pub memory_bytes: usize,
}

/// The memory for what is not settled, unless the configuration says otherwise, in bytes: at some 100 bytes a change
/// without its images, a stopped link's backlog of two million changes fits.
pub const MEMORY_BYTES_DEFAULT: usize = 256 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: MEMORY_BYTES_DEFAULT,
        }
    }
}

/// Says that a transaction is twinlog's own repair: the version that it carries was first committed there and then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairMark {
    /// Where the version came from.
    pub origin: Side,
    /// When it was committed there.
    pub committed: CommitTime,
    /// The transactions of the [`crate::Episode::writes`] that it was chosen from, one for each write. What else comes before it in both logs
    /// it had not seen: its node had skipped that, or the row was by chance what had been judged. `None` if that is not
    /// known: then it counts as having seen all that comes before it.
    pub judged: Option<Arc<[Gtid]>>,
}

/// What a tracker has to say, in the order in which it must be handled.
#[derive(Debug, Clone)]
pub enum Output {
    /// Something that must be recorded, and perhaps repaired.
    Verdict(Verdict),
    /// Every key that the transaction touched is settled, and all verdicts on it were said before this: a checkpoint
    /// made from here on may contain it.
    Retired(Gtid),
}

/// How much a tracker holds, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Load {
    /// Transactions that were not retired.
    pub transactions: usize,
    /// Keys that they touched.
    pub keys: usize,
    /// The memory for both, in bytes.
    pub memory_bytes: usize,
    /// The transactions of which the images were forgotten for lack of memory.
    pub without_images: usize,
    /// The transaction that waits longest for the other node; `None` if none does.
    pub oldest_unsettled: Option<Gtid>,
    /// How many transactions each log showed since the start.
    pub seen: [u64; 2],
    /// How many were settled since the start, by the side where they were committed.
    pub settled: [u64; 2],
    /// The tables that the tracker does not follow any more until [`crate::Tracker::set_keys`] is called for them.
    pub forgotten: Vec<TableName>,
}
