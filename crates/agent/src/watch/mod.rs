//! Watching: both logs → the tracker → verdicts → the desk that settles them.
//!
//! One task per log reads, one per node asks how far it is, several settle verdicts; the watch owns the tracker and alone
//! knows what was read. It keeps nothing on disk: whatever ends it, the next begins at the checkpoint in the pair, reads
//! again what was not settled, and comes to the same verdicts. So every failure is treated alike: the watch ends.

mod barriers;
mod desk;
mod follow;
mod ledger;
mod links;
mod sounding;
mod start;
mod target;
mod touched;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use twinlog_binlog::Transaction;
use twinlog_converge::{Limits, Side, TableName};
use twinlog_pair::{site::Site, watch_state::WatchState};
use twinlog_server::{conn::Conn, gtid};

pub use start::StartError;

/// How often the checkpoint is written while clients write: what a new agent reads again at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Verdicts and questions that may wait; when more come the logs wait, which costs their servers nothing.
const QUEUE: usize = 256;

/// How a watch is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// End when all that both nodes had executed is settled, repairs included.
    pub once: bool,
    /// Begin with what both nodes have executed by now, whatever the checkpoint says.
    pub from_now: bool,
    /// What the tracker may hold.
    pub limits: Limits,
}

/// What a watch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Transactions read from both logs.
    pub transactions: u64,
    /// Conflicts found: rows that both nodes wrote without having seen each other.
    pub conflicts: u64,
    /// Divergences found that no two-sided write explains.
    pub divergences: u64,
    /// Of both, those that a repair ended.
    pub repaired: u64,
    /// Those that wait for a person.
    pub open: u64,
    /// Tables that only a comparison of both nodes can judge.
    pub to_verify: u64,
}
