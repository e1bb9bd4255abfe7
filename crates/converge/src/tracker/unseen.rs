//! What a repair had not seen although it comes after it in both logs.
//!
//! A repair's guard compares rows. It does not see a client's change that the repair's node had skipped, nor one that
//! left the row by chance as it had been judged. The repair's mark names what it was chosen from; the rest it covers
//! unseen, and yields to it.

use super::{
    Tracker,
    api::RepairMark,
    key::KeyHash,
    transaction::{Judged, Tx, TxId, name},
};

impl Tracker {
    /// Notes that a transaction is a repair.
    pub(super) fn mark(&mut self, id: TxId, mark: RepairMark) {
        let judged = mark.judged.as_ref().map(|gtids| {
            let mut names: Vec<KeyHash> = gtids.iter().map(name).collect();
            let writes = names.len();
            names.sort_unstable();
            names.dedup();
            let names = names.into_boxed_slice();
            Judged { names, writes }
        });
        let tx = &mut self.txs[id];
        tx.repair = Some(RepairMark {
            judged: None,
            ..mark
        });
        let bytes = judged.as_ref().map_or(0, |it| size_of_val(&*it.names));
        tx.judged = judged;
        tx.image_bytes += bytes;
        self.image_bytes += bytes;
    }

    /// Whether a repair was chosen without that client's change of the row with this key, which comes before it in both
    /// logs. What comes before something that it was chosen from, in the log of its own side, had been read then.
    pub(super) fn covers_unseen(&self, repair: TxId, change: TxId, key: KeyHash) -> bool {
        let (repair, tx) = (&self.txs[repair], &self.txs[change]);
        if repair.judged.is_none() || tx.repair.is_some() || repair.judged(tx) {
            return false;
        }
        let touches = self.keys.get(key).into_iter().flat_map(|it| it.touches());
        let mut judged = touches.map(|touch| &self.txs[touch.tx]);
        let mut any = false;
        let had_read = judged.any(|it| {
            let is = repair.judged(it);
            any |= is;
            is && tx.before(it, tx.origin)
        });
        any && !had_read
    }
}

impl Tx {
    /// Whether this is a repair that was chosen from that transaction.
    pub(super) fn judged(&self, other: &Self) -> bool {
        let has = |it: &Judged| it.names.binary_search(&name(&other.gtid)).is_ok();
        self.judged.as_ref().is_some_and(has)
    }
}
