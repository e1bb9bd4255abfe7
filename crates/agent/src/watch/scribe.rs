//! Fills in the history which transaction repaired what: a repair does not know its own GTID while it is made, so it is
//! written down when it is read in the log.

use std::{collections::HashSet, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle};
use twinlog_binlog::Gtid;
use twinlog_converge::Side;
use twinlog_server::conn::Conn;

use crate::history;

/// How long the end of a watch waits for what is not written yet. The next watch does not make up for it: it is for
/// people to look at, and no more.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How many ids are remembered: the halves of one repair are read within moments of each other.
const NOTED_MAX: usize = 4096;

/// A repair that was read in the log of the node where it was made.
#[derive(Debug)]
pub(super) struct ReadRepair {
    /// The node.
    pub(super) side: Side,
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
    /// One connection per node.
    pub(super) fn begin(mut conns: [Conn; 2]) -> Self {
        // Unbounded: there are no more of them than repairs.
        let (repairs, mut read) = mpsc::unbounded_channel::<ReadRepair>();
        let task = tokio::spawn(async move {
            let mut noted = HashSet::new();
            while let Some(repair) = read.recv().await {
                // A repair with a half on each node is noted once: two notes, one per node, would swap on their way.
                if noted.len() >= NOTED_MAX {
                    noted.clear();
                }
                if !noted.insert(repair.id.clone()) {
                    continue;
                }
                let conn = &mut conns[repair.side.index()];
                let gtid = repair.gtid.to_string();
                if let Err(error) = history::set_repair_gtid(conn, &repair.id, &gtid).await {
                    tracing::warn!(
                        "cannot write down that {gtid} repaired {}: {error}",
                        repair.id
                    );
                }
            }
            for conn in conns {
                conn.close().await;
            }
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
