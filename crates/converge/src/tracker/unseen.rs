//! What a repair had not seen although it comes after it in both logs.

use twinlog_binlog::OwnedImage;

use super::{Tracker, graph::Node, key::KeyHash, same_version, transaction::TxId};
use crate::{Side, Version};

impl Tracker {
    /// Whether a repair was made on a node that had skipped that client's change of the row with this key: what the
    /// repair's node held was judged without it, and the order of both logs does not tell.
    pub(super) fn covers_unseen(&self, repair: TxId, change: Node, key: KeyHash) -> bool {
        let (repair, tx) = (&self.txs[repair], &self.txs[change.tx]);
        if repair.repair.is_none() || tx.repair.is_some() || tx.origin == repair.origin {
            return false;
        }
        let effect = |log: Side| self.effect_on(change, log, key);
        let (Some(made), None) = (effect(tx.origin), effect(repair.origin)) else {
            return false;
        };
        // Where the row was the same already the log has nothing either, and nothing was skipped.
        let there = self.version_before(change.tx, repair.origin, key);
        there.is_none_or(|there| same_version(&there, &made) != Some(true))
    }

    /// What a change leaves of the row with this key, as a log has it; `None` if it does not change that row there.
    fn effect_on(&self, change: Node, log: Side, key: KeyHash) -> Option<Version> {
        let steps = self.txs[change.tx].steps.as_ref()?;
        let logged = steps.of(log);
        let places = &steps.atoms.get(change.atom)?.steps[log.index()];
        places.iter().rev().find_map(|&place| {
            let of = |image: &Option<(KeyHash, OwnedImage)>| {
                image.as_ref().filter(|(row, _)| *row == key).cloned()
            };
            let step = &logged[place];
            match (of(&step.after), of(&step.before)) {
                (Some((_, after)), _) => Some(Version::Row(after)),
                (None, Some(_)) => Some(Version::Gone),
                (None, None) => None,
            }
        })
    }

    /// What a node held of a row when it executed a transaction, as far as its log tells by what is still here.
    fn version_before(&self, tx: TxId, log: Side, key: KeyHash) -> Option<Version> {
        let touches = self.keys.get(key)?.touches();
        let earlier = touches.filter(|touch| self.txs[touch.tx].before(&self.txs[tx], log));
        let last = earlier.max_by_key(|touch| self.txs[touch.tx].places[log.index()])?;
        let atoms = self.txs[last.tx].steps.as_ref()?.touching.get(&key)?;
        atoms.iter().rev().find_map(|&(atom, _)| {
            let node = Node { tx: last.tx, atom };
            self.effect_on(node, log, key)
        })
    }
}
