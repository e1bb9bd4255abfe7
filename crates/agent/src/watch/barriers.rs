//! Questions that are answered when both logs have been read far enough.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use twinlog_converge::Side;
use twinlog_server::gtid::GtidSet;

use super::follow::Follow;
use crate::stream::LogStream;

/// Asks which of a verdict's rows were written since it was given, as of these places in both logs.
///
/// What was read from a node is the last version that the verdict knows if its log, read as far as it went right after,
/// shows no later write.
#[derive(Debug)]
pub(super) struct Caught {
    /// The verdict.
    pub(super) job: u64,
    /// How far each node's log went; `None` for a node that was not asked.
    pub(super) logged: [Option<GtidSet>; 2],
    /// Gets the rows, by their place in the verdict; `None` where another has taken its place.
    pub(super) reply: oneshot::Sender<Option<BTreeSet<usize>>>,
}

/// The questions that wait.
#[derive(Debug, Default)]
pub(super) struct Barriers(Vec<Caught>);

impl Barriers {
    pub(super) fn push(&mut self, caught: Caught) {
        self.0.push(caught);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers those for which enough was read.
    pub(super) fn answer(&mut self, streams: &[LogStream; 2], follow: &Follow) {
        let (reached, waiting) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|caught: &Caught| caught.is_reached(streams));
        self.0 = waiting;
        for caught in reached {
            // A desk that no longer waits has no use for it.
            let _ = caught.reply.send(follow.touched(caught.job));
        }
    }
}

impl Caught {
    fn is_reached(&self, streams: &[LogStream; 2]) -> bool {
        Side::BOTH.into_iter().all(|side| {
            let logged = self.logged[side.index()].as_ref();
            logged.is_none_or(|logged| streams[side.index()].read_up_to().has_gtids(logged))
        })
    }
}
