//! Distributed transactions: what is prepared counts where it is committed.

use twinlog_binlog::{Rows, Xa};

use super::{Tracker, transaction::TxId};
use crate::Side;

/// The rows of an XA PREPARE in one log.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    tx: TxId,
    rows: Vec<Rows>,
    size_bytes: usize,
}

impl Tracker {
    /// The rows that become visible with a transaction in a log, and the bytes that they keep: none for a PREPARE, those
    /// of the PREPARE for its COMMIT. The PREPARE is retired together with its end: a start from a checkpoint must see it
    /// again.
    pub(super) fn with_xa(
        &mut self,
        id: TxId,
        log: Side,
        xa: Option<Xa>,
        mut rows: Vec<Rows>,
        size_bytes: usize,
    ) -> (Box<[Rows]>, usize) {
        match xa {
            None => (rows.into(), size_bytes),
            Some(Xa::Prepare(xid)) => {
                let tx = &mut self.txs[id];
                // Only the first log that shows it holds it.
                if tx.places[log.peer().index()].is_none() {
                    tx.holds += 1;
                }
                self.image_bytes += size_bytes;
                let prepared = Prepared {
                    tx: id,
                    rows,
                    size_bytes,
                };
                let old = self.prepared[log.index()].insert(xid, prepared);
                self.image_bytes -= old.map_or(0, |old| old.size_bytes);
                (Box::default(), 0)
            }
            Some(Xa::Commit(xid)) => match self.end(id, log, &xid) {
                Some(mut prepared) => {
                    prepared.rows.append(&mut rows);
                    (prepared.rows.into(), prepared.size_bytes + size_bytes)
                }
                None => (rows.into(), size_bytes),
            },
            Some(Xa::Rollback(xid)) => {
                self.end(id, log, &xid);
                (Box::default(), 0)
            }
        }
    }

    fn end(&mut self, id: TxId, log: Side, xid: &[u8]) -> Option<Prepared> {
        let prepared = self.prepared[log.index()].remove(xid)?;
        self.image_bytes -= prepared.size_bytes;
        // What holds it until then is now its end, in whichever log that is seen first.
        if self.txs[id].prepare.replace(prepared.tx).is_none() {
            self.tie([id, prepared.tx].into_iter());
            self.txs[prepared.tx].holds -= 1;
        }
        Some(prepared)
    }
}
