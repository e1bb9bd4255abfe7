//! Distributed transactions: what is prepared counts where it is committed.

use bytes::Bytes;
use twinlog_binlog::{CommitTime, Gtid, Rows, Xa};

use super::{Tracker, retire::is_done, transaction::TxId};
use crate::Side;

/// The rows of an XA PREPARE in one log.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    tx: TxId,
    rows: Vec<Rows>,
    size_bytes: usize,
}

/// A distributed transaction that both nodes have prepared, and that is neither committed nor rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unended {
    /// Its name, as the server logs it.
    pub xid: Bytes,
    /// Where it was prepared.
    pub origin: Side,
    /// When.
    pub prepared: CommitTime,
}

impl Tracker {
    /// What is prepared and does not end.
    pub fn unended(&self) -> impl Iterator<Item = Unended> {
        Side::BOTH.into_iter().flat_map(move |log| {
            let prepared = self.prepared[log.index()].iter();
            prepared.filter_map(move |(xid, prepared)| {
                let tx = self.txs.get(prepared.tx)?;
                (tx.origin == log && tx.settled()).then(|| Unended {
                    xid: xid.clone(),
                    origin: log,
                    prepared: tx.committed,
                })
            })
        })
    }

    /// The transactions that are not done with for another reason than that they are prepared, or come after what is.
    pub fn not_done(&self) -> impl Iterator<Item = &Gtid> {
        let prepared: Vec<TxId> = self
            .prepared
            .iter()
            .flat_map(|prepared| prepared.values().map(|prepared| prepared.tx))
            .collect();
        self.ages.iter().filter_map(move |&(serial, id)| {
            let tx = self.txs.get(id).filter(|tx| tx.serial == serial)?;
            let only_prepared = tx.settled() && tx.live == 0 && prepared.contains(&id);
            (!is_done(tx) && !only_prepared).then_some(&tx.gtid)
        })
    }

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
