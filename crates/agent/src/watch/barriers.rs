//! Questions that are answered when both logs have been read far enough.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use twinlog_converge::Side;
use twinlog_server::gtid::{self, GtidSet};

use super::follow::Follow;

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
    /// Gets the rows, by their place in the verdict.
    pub(super) reply: oneshot::Sender<BTreeSet<usize>>,
}

/// The questions that wait.
#[derive(Debug, Default)]
pub(super) struct Barriers(Vec<Caught>);

impl Barriers {
    pub(super) fn push(&mut self, caught: Caught) {
        self.0.push(caught);
    }

    /// Answers those for which enough was read.
    pub(super) fn answer(&mut self, follow: &Follow) -> Result<(), gtid::Error> {
        let mut waiting = Vec::new();
        for caught in std::mem::take(&mut self.0) {
            if reached(&caught, follow)? {
                // A desk that no longer waits has no use for it.
                let _ = caught.reply.send(follow.touched(caught.job));
            } else {
                waiting.push(caught);
            }
        }
        self.0 = waiting;
        Ok(())
    }
}

fn reached(caught: &Caught, follow: &Follow) -> Result<bool, gtid::Error> {
    for side in Side::BOTH {
        if let Some(logged) = &caught.logged[side.index()]
            && !follow.reaches(side, logged)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}
