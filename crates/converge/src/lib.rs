//! Transactions of two logs → verdicts → chosen versions. No I/O, no clock, no async.
//!
//! A [`Tracker`] is fed the transactions of both nodes' logs in the order of each log and says what it sees once both
//! nodes have executed all that touched a row: two writes that had not seen each other (a conflict), two nodes whose
//! last versions differ (a divergence). [`decide`] says what both nodes shall hold then.
//!
//! # What is judged together
//! A transaction has a place in each log. Two changes *contend* if they touch a common key (a unique key's value; a
//! reference contends only with the appearance or the end of the key that it refers to). They are a *conflict* if
//! each precedes the other in one log. A *divergence* is a row whose last versions differ. The changes of a transaction
//! that share keys are one node of a graph; a node's predecessors are the nodes that contend with it and come before it
//! in either log. The strongly connected parts of that graph are the conflicts, whatever the order in which the logs
//! were read; a part is judged once it and all its predecessors are settled. To it belong also
//! - changes of the same side that build on a contended one and had not seen its opponents: if that goes, they go;
//! - what is known to come later on the same keys, up to a limit, so that the verdict is about what the nodes hold now.
//!
//! # What the logs do not tell
//! A change that is missing from the peer's copy is either skipped, or found its row the same already. It is the latter
//! where the row's last version in that log is what the change leaves, or where the row was gone already. Otherwise
//! what the node holds is [`Held::Unknown`] and must be read there; so it is where a definition's change stands between
//! a row's last changes in one log only, or images of different layouts would have to be compared. Cascades are unknown
//! to this crate where the server does not log them (all but MySQL since 9.6).
//!
//! MariaDB's log has nothing of a transaction of which nothing was left. Its place is then just before the next one of
//! its server and domain there, or where [`Tracker::passed`] was called.
//!
//! A log may tell only a part of a transaction: a statement's text in the place of rows, or images without all columns. And
//! two transactions may bear one name, if somebody set a GTID by hand (seen by the time of the commit, which MySQL has since
//! 8.0.1). Nothing of those is judged; their tables are named to be verified.
//!
//! # What a repair had not seen
//! A repair is chosen from what was judged; between the judgement and its commit its node may execute a client's change that
//! its guard does not see: one that is skipped there, or that leaves the row by chance as it was judged. The order of both
//! logs does not tell. So a repair's mark names what it was chosen from ([`RepairMark::judged`]); to a client's change
//! that comes before it and is not among that it yields, whatever the policy, and a counter gets that change's addition on
//! top. An episode with the repair that was chosen from all of it says so ([`Episode::repaired`]): nothing is to be done.
//! That holds only if [`Tracker::resolved`] is called after the repair was pushed from both logs.
//!
//! # What a checkpoint may hold
//! A transaction is retired only after, or together with, all that it was judged with and each earlier one, in either
//! log, on one of its keys there; on MariaDB, where a checkpoint is a position, also each earlier one of its domain. So
//! whoever starts from a checkpoint judges what is left as if it had read all. Those that go together are said one right
//! after the other: take all that [`Tracker::next_output`] has before a checkpoint is made.
//!
//! # Memory
//! A change in flight takes about 90 bytes beside its images. Past the limit those are retired that only wait for their
//! turn, then images are forgotten (a digest of them still tells whether the copy is the same), then whole tables, then what
//! is left of the transactions: each time a table is named to be verified ([`Verdict::ToVerify`]), at latest when something
//! of it would have had to be judged.
//!
//! A row that both sides write through an outage of a link is followed to its end: where there are many changes to be
//! judged together, a side's run without anything of the other side in between is taken as one change, from what its second
//! found to what its last left; the versions in between were overwritten by clients that had seen them. What is neither
//! short (some thousand changes) nor such runs cannot be judged, and its table is named to be verified.

mod decide;
mod keys;
#[cfg(test)]
mod tests;
mod tracker;
mod verdict;

pub(crate) use decide::CommitMoment;
pub use decide::{Decision, Outcome, Policy, decide};
pub use keys::{ForeignKey, TableKeys, TableName, UniqueKey};
pub use tracker::{
    Limits, Load, MEMORY_BYTES_DEFAULT, Output, RepairMark, Touched, Tracker, Unended, Wipe,
};
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
