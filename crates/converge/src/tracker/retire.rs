//! When a transaction may be forgotten.

use std::collections::HashMap;

use super::{
    Tracker,
    api::Output,
    key::SpreadMap,
    transaction::{Tx, TxId},
};

/// Transactions that were judged together. They go together too: whoever reads the logs again without some of them
/// would come to another verdict, on rows as they had been.
#[derive(Debug, Clone, Default)]
pub(super) struct Ties {
    of: SpreadMap<TxId, u64>,
    groups: HashMap<u64, Vec<TxId>>,
    next: u64,
}

impl Ties {
    fn tie(&mut self, ids: impl Iterator<Item = TxId>) {
        let group = self.next;
        self.next += 1;
        let mut members = Vec::new();
        for id in ids {
            match self.of.get(&id).copied() {
                None => members.push(id),
                Some(old) => members.extend(self.groups.remove(&old).unwrap_or_default()),
            }
            for &member in &members {
                self.of.insert(member, group);
            }
        }
        self.groups.insert(group, members);
    }

    fn members(&self, id: TxId) -> &[TxId] {
        let group = self.of.get(&id).and_then(|group| self.groups.get(group));
        group.map_or(&[], Vec::as_slice)
    }

    fn untie(&mut self, id: TxId) -> Vec<TxId> {
        let Some(group) = self.of.get(&id) else {
            return vec![id];
        };
        let members = self.groups.remove(group).unwrap_or_default();
        for member in &members {
            self.of.remove(member);
        }
        members
    }
}

impl Tracker {
    /// Keeps transactions that were judged together until all of them may go.
    pub(super) fn tie(&mut self, ids: impl Iterator<Item = TxId>) {
        self.ties.tie(ids);
    }

    /// Lets a transaction go once nothing of it is open, nor of those that it was judged with: in the order of a log, so
    /// that a checkpoint in between lacks none that is earlier.
    pub(super) fn try_retire(&mut self, id: TxId) {
        let may_go = self.is_done_with(id)
            && self
                .ties
                .members(id)
                .iter()
                .all(|&id| self.is_done_with(id));
        if may_go {
            let mut ids = self.ties.untie(id);
            ids.sort_by_key(|&id| self.txs[id].places[0]);
            for id in ids {
                self.retire(id);
            }
        }
        if !self.ddls.is_empty() {
            self.end_ddls();
        }
    }

    fn is_done_with(&self, id: TxId) -> bool {
        let done = |tx: &Tx| tx.settled() && tx.live == 0 && tx.holds == 0;
        self.txs.get(id).is_some_and(done)
    }

    fn retire(&mut self, id: TxId) {
        let Some(tx) = self.txs.remove(id) else {
            return;
        };
        self.image_bytes -= tx.image_bytes;
        self.touches -= tx.keys.len();
        self.outputs.push_back(Output::Retired(tx.gtid));
        if let Some(prepare) = tx.prepare
            && let Some(prepared) = self.txs.get_mut(prepare)
        {
            prepared.holds -= 1;
            self.try_retire(prepare);
        }
    }
}
