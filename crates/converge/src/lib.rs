//! Transactions of two logs → verdicts → chosen versions. No I/O, no clock, no async.
//!
//! A [`Tracker`] is fed the transactions of both nodes' logs in the order of each log and says what it sees once both
//! nodes have executed all that touched a row: two writes that had not seen each other (a conflict), two nodes whose
//! last versions differ (a divergence). [`decide`] says what both nodes shall hold then.

mod decide;
mod keys;
#[cfg(test)]
mod tests;
mod tracker;
mod verdict;

pub(crate) use decide::CommitMoment;
pub use decide::{Decision, Outcome, Policy, decide};
pub use keys::{ForeignKey, TableKeys, TableName, UniqueKey};
pub use tracker::{Limits, Load, MEMORY_BYTES_DEFAULT, Output, RepairMark, Tracker};
pub use verdict::{Conflict, Episode, EpisodeRow, Held, Verdict, Version, Write};

/// One of the two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The first node of `twinlog.toml`.
    A,
    /// The second.
    B,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Its place in an array of two.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}
