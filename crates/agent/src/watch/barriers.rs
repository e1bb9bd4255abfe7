//! Questions that are answered when both logs have been read far enough.

use tokio::sync::oneshot;
use twinlog_converge::Side;
use twinlog_server::facts::Coordinates;

use super::{follow::Follow, touched::Touches};
use crate::stream::LogStream;

/// Asks which of a verdict's rows were written since it was given, as of these places in both logs.
///
/// What was read from a node is the last version that the verdict knows if both logs, read as far as they went right after,
/// show no later write: in its own is all that it holds, and in the other all of the other's that it has executed without
/// a trace.
#[derive(Debug)]
pub(super) struct Caught {
    /// The verdict.
    pub(super) job: u64,
    /// How far each node's log went.
    pub(super) ends: [Coordinates; 2],
    /// The history's id of its own repair, which does not count.
    pub(super) own: Option<String>,
    /// Gets what was touched; `None` where another verdict has taken its place.
    pub(super) reply: oneshot::Sender<Option<Touches>>,
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
            let _ = caught
                .reply
                .send(follow.touched(caught.job, caught.own.as_deref()));
        }
    }
}

impl Caught {
    fn is_reached(&self, streams: &[LogStream; 2]) -> bool {
        Side::BOTH.into_iter().all(|side| {
            let end = &self.ends[side.index()];
            streams[side.index()].read_up_to().has_position(end)
        })
    }
}
