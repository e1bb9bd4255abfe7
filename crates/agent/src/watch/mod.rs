//! Watching: both logs → the tracker → verdicts → the desk that settles them.
//!
//! One task per log reads, one per node asks how far it is, some settle verdicts; this one owns the tracker and is the
//! only one that knows what was read. A watch keeps nothing on disk: whatever ends it, the next begins at the
//! checkpoint in the pair, reads again what was not settled, and comes to the same verdicts.

mod desk;
mod follow;
mod ledger;
mod links;
mod sounding;
mod start;
mod touched;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};
use twinlog_binlog::Transaction;
use twinlog_converge::{Limits, Side};
use twinlog_pair::{site::Site, watch_state::WatchState};
use twinlog_server::gtid::GtidSet;

use crate::stream::{self, LogReader};
use desk::{Desk, Settlement};
use follow::{Follow, Job};
use sounding::Sounding;
pub use start::StartError;

/// How often the checkpoint is written while clients write: what a new agent reads again at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// How many transactions may wait between a log's reader and the tracker; their bytes have a limit of their own.
const QUEUE: usize = 1024;

/// How a watch is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// End when all that both nodes had executed is settled.
    pub once: bool,
    /// Begin with what both nodes have executed by now, whatever the checkpoint says.
    pub from_now: bool,
    /// What the tracker may hold.
    pub limits: Limits,
}
