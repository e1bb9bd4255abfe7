//! Long runs of one side's changes of one row, taken as one.
//!
//! While a link stands still both sides may write a busy row thousands of times. Of a side's run, with nothing of the other
//! side in between in either log, each change had seen the one before: what counts is where the run began and where it
//! ended. So where there are too many changes to be judged together, the second up to the last of a run become one. The
//! first stays, for the policies that ask who came first.

use super::{
    Tracker,
    graph::Node,
    key::{KeyHash, Kind, SpreadMap, SpreadSet},
    steps::{Atom, Step, same_row},
    transaction::{Tx, TxId},
};
use crate::Side;

/// A transaction that changes one row, which stays the same row.
struct Link<'a> {
    tx: &'a Tx,
    atom: &'a Atom,
    /// What each log has of it.
    steps: [Option<&'a Step>; 2],
}

impl Tracker {
    /// Takes long runs as one from so many changes on that would be judged together, instead of the usual number.
    #[must_use]
    pub fn folding_from(mut self, changes: usize) -> Self {
        self.fold_from = changes;
        self
    }

    /// Folds the runs on all keys of these changes. Returns whether there were any.
    pub(super) fn fold(&mut self, nodes: &[Node]) -> bool {
        let mut keys = SpreadSet::default();
        for node in nodes {
            let steps = self.txs.get(node.tx).and_then(|tx| tx.steps.as_ref());
            let atom = steps.and_then(|steps| steps.atoms.get(node.atom));
            keys.extend(
                atom.into_iter()
                    .flat_map(|atom| atom.keys.iter().map(|(key, _)| *key)),
            );
        }
        let mut folded = false;
        for key in keys {
            for run in self.runs(key) {
                self.fold_run(&run);
                folded = true;
            }
        }
        folded
    }

    /// The runs on a key, without the first change of each.
    fn runs(&mut self, key: KeyHash) -> Vec<Vec<TxId>> {
        let Some(state) = self.keys.get(key) else {
            return Vec::new();
        };
        let writes = state
            .touches()
            .filter(|touch| touch.kind != Kind::Reference);
        let mut ids: Vec<TxId> = writes.map(|touch| touch.tx).collect();
        for &id in &ids {
            let tx = &self.txs[id];
            if tx.settled() && tx.repair.is_none() && !tx.images_forgotten() {
                self.take_apart(id);
            }
        }
        let txs = &self.txs;
        let repairs: Vec<&Tx> = ids
            .iter()
            .map(|&id| &txs[id])
            .filter(|tx| tx.repair.is_some())
            .collect();
        let place = |id: &TxId, log: usize| {
            let place = txs[*id].places[log];
            (place.is_none(), place, txs[*id].serial)
        };
        ids.sort_unstable_by_key(|id| place(id, 1));
        let rank: SpreadMap<TxId, usize> = ids.iter().copied().zip(0..).collect();
        ids.sort_unstable_by_key(|id| place(id, 0));
        let mut runs: Vec<Vec<TxId>> = Vec::new();
        let mut run: Vec<TxId> = Vec::new();
        for id in ids {
            let follows = run.last().is_some_and(|&last| {
                rank[&id] == rank[&last] + 1
                    && self.follows(last, id)
                    && repairs
                        .iter()
                        .all(|it| it.judged(&txs[last]) == it.judged(&txs[id]))
            });
            if !follows {
                runs.push(std::mem::take(&mut run));
            }
            run.push(id);
        }
        runs.push(run);
        runs.retain_mut(|run| {
            let long = run.len() > 2;
            if long {
                run.remove(0);
            }
            long
        });
        runs
    }

    fn link(&self, id: TxId) -> Option<Link<'_>> {
        let tx = self.txs.get(id)?;
        let steps = tx.steps.as_ref()?;
        let [atom] = &steps.atoms[..] else {
            return None;
        };
        let free = tx.settled()
            && tx.repair.is_none()
            && tx.holds == 0
            && !tx.images_forgotten()
            && !atom.done
            && atom.kept.is_none()
            && self.ddls.is_empty();
        let quiet = |&(key, kind): &(KeyHash, Kind)| match kind {
            Kind::Update => true,
            Kind::Existence => false,
            Kind::Reference => self
                .keys
                .get(key)
                .is_none_or(|state| !state.has_existences()),
        };
        if !free || !atom.keys.iter().all(quiet) {
            return None;
        }
        let mut link = Link {
            tx,
            atom,
            steps: [None; 2],
        };
        for log in Side::BOTH {
            match atom.steps[log.index()][..] {
                [] => {}
                [at] => link.steps[log.index()] = Some(&steps.of(log)[at]),
                _ => return None,
            }
        }
        link.steps[tx.origin.index()].is_some().then_some(link)
    }

    /// Whether a change begins, in both logs, with what the other left, on the same keys.
    fn follows(&self, one: TxId, next: TxId) -> bool {
        let (Some(one), Some(next)) = (self.link(one), self.link(next)) else {
            return false;
        };
        let alike = one.tx.origin == next.tx.origin
            && one.tx.same() == next.tx.same()
            && one.atom.keys == next.atom.keys
            && one.atom.keys.iter().all(|&(key, kind)| {
                kind == Kind::Reference || self.has_same_writers(key, one.atom.keys[0].0)
            });
        alike
            && Side::BOTH.into_iter().all(|log| {
                let at = log.index();
                match (one.steps[at], next.steps[at]) {
                    (Some(one), Some(next)) => match (&one.after, &next.before) {
                        (Some((row, left)), Some((other, found))) => {
                            row == other
                                && left.table().layout == found.table().layout
                                && same_row(left, found)
                        }
                        _ => false,
                    },
                    // The row was the same already, and then the next came.
                    (None, Some(_)) => true,
                    (_, None) => false,
                }
            })
    }

    /// Whether as many write both keys. They are those of one row: then the same ones do.
    fn has_same_writers(&self, one: KeyHash, other: KeyHash) -> bool {
        let writers = |key| self.keys.get(key).map(super::key::KeyState::writers);
        one == other || writers(one) == writers(other)
    }

    /// Makes the last of a run what all of it did, and lets the others go.
    fn fold_run(&mut self, run: &[TxId]) {
        let Some((&last, rest)) = run.split_last() else {
            return;
        };
        let side = self.txs[last].origin;
        for log in Side::BOTH {
            let begun = run.iter().find_map(|&id| {
                let step = self.link(id)?.steps[log.index()]?;
                step.before.clone()
            });
            if let Some(steps) = &mut self.txs[last].steps {
                steps.begin_with(log, begun);
            }
        }
        self.tie(run.iter().copied());
        let set: SpreadSet<TxId> = rest.iter().copied().collect();
        let Some(keys) = self.link(last).map(|link| link.atom.keys.clone()) else {
            return;
        };
        for &(key, _) in &keys {
            self.keys.remove_all(key, &set, side);
        }
        for &id in rest {
            let tx = &mut self.txs[id];
            tx.live -= keys.len();
            tx.steps = None;
            self.let_go(id, &keys);
            self.wait_for(id, last);
        }
    }
}
