//! Asks the watch, for one verdict, whether its rows were written since it was given.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use twinlog_server::facts::Coordinates;

use super::{barriers::Caught, desk::Answer, touched::Touches};
use crate::resolve::{Sight, Witness};

/// Sees both logs through the watch.
#[derive(Debug)]
pub(super) struct Watchman {
    to: mpsc::Sender<Answer>,
    job: u64,
    /// The history's id of the verdict's own repair.
    pub(super) own: Option<String>,
    /// How often the verdict's rows had been touched when its clerk last read them: that much is known.
    pub(super) accepted: u64,
}

impl Watchman {
    /// For a verdict, by its number in the ledger.
    pub(super) fn new(to: mpsc::Sender<Answer>, job: u64) -> Self {
        Self {
            to,
            job,
            own: None,
            accepted: 0,
        }
    }

    /// What both logs show up to these places, once they were read as far; `None` where another verdict has taken the
    /// place of this one.
    pub(super) async fn ask(&self, ends: [Coordinates; 2]) -> Option<Touches> {
        let (reply, touches) = oneshot::channel();
        let caught = Caught {
            job: self.job,
            ends,
            own: self.own.clone(),
            reply,
        };
        // Where nobody answers the watch has ended, and so does the desk.
        let _ = self.to.send(Answer::Caught(caught)).await;
        touches.await.unwrap_or_default()
    }
}

impl Witness for Watchman {
    fn look(&mut self, ends: [Coordinates; 2], limit: Duration) -> BoxFuture<'_, Sight> {
        Box::pin(async move {
            match timeout(limit, self.ask(ends)).await {
                Err(_) => Sight::Behind,
                Ok(Some(touches)) if touches.count == self.accepted => Sight::Untouched,
                Ok(_) => Sight::Touched,
            }
        })
    }
}
