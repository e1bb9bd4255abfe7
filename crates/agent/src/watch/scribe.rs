//! Fills in the history which transaction repaired what: a repair does not know its own GTID while it is made, so it is
//! written down when it is read in the log.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinHandle};
use twinlog_binlog::Gtid;
use twinlog_converge::Side;
use twinlog_server::conn::Conn;

use crate::history;

/// The node where all of it is written: notes on both nodes about one row would swap on their way.
pub(super) const NODE: Side = Side::A;
/// How many are written in one transaction, where many wait.
const BATCH_MAX: usize = 500;
/// How long the end of a watch waits for what is not written yet: thousands are written in it. The next watch does not
/// make up for the rest: it is for people to look at, and no more.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A repair that was read in the log of [`NODE`].
#[derive(Debug)]
pub(super) struct ReadRepair {
    /// The history's id.
    pub(super) id: String,
    /// Its transaction.
    pub(super) gtid: Gtid,
}

/// Writes beside the watch, which must not wait for it.
#[derive(Debug)]
pub(super) struct Scribe {
    repairs: mpsc::UnboundedSender<ReadRepair>,
    task: JoinHandle<()>,
}

impl Scribe {
    /// Begins, with a connection to [`NODE`].
    pub(super) fn begin(mut conn: Conn) -> Self {
        // Unbounded: there are no more of them than repairs.
        let (repairs, mut read) = mpsc::unbounded_channel::<ReadRepair>();
        let task = tokio::spawn(async move {
            let mut batch = Vec::new();
            while read.recv_many(&mut batch, BATCH_MAX).await > 0 {
                let named = batch
                    .drain(..)
                    .map(|repair| (repair.id, repair.gtid.to_string()));
                let named: Vec<_> = named.collect();
                if let Err(error) = history::set_repair_gtids(&mut conn, &named).await {
                    let ids: Vec<&str> = named.iter().map(|(id, _)| id.as_str()).collect();
                    tracing::warn!(
                        "cannot write down which transaction repaired {}: {error}",
                        ids.join(", ")
                    );
                }
            }
            conn.close().await;
        });
        Self { repairs, task }
    }

    /// Writes it down, soon.
    pub(super) fn write(&self, repair: ReadRepair) {
        // Nobody reads only where the task has panicked, and then nothing is lost but a note.
        let _ = self.repairs.send(repair);
    }

    /// Ends it when all is written.
    pub(super) async fn end(self) {
        drop(self.repairs);
        let mut task = self.task;
        if tokio::time::timeout(END_TIMEOUT, &mut task).await.is_err() {
            task.abort();
        }
    }
}
