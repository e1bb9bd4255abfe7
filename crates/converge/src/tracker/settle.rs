//! What happens once both nodes have executed a transaction.

use super::{
    Tracker,
    graph::{Node, Stop},
    key::{KeyHash, Kind},
    steps::{Parked, Steps},
    transaction::{Place, TxId, Waiter},
};
use crate::Side;

/// So far is followed what waits for what waits. Further ones find out by themselves.
const HOPS_MAX: usize = 64;

impl Tracker {
    /// Both nodes have executed a transaction.
    pub(super) fn settle(&mut self, id: TxId) {
        let tx = &mut self.txs[id];
        self.settled[tx.origin.index()] += 1;
        let waiters = std::mem::take(&mut tx.waiters);
        self.work.push_back(Waiter { tx: id, key: None });
        self.work.extend(waiters);
        if !self.ddls.is_empty() {
            self.settle_ddl(id);
        }
    }

    /// Looks at all that can be judged now.
    pub(super) fn run_work(&mut self) {
        while let Some(Waiter { tx, key }) = self.work.pop_front() {
            // Its place may be another transaction's by now: a look too many does no harm.
            if !self.txs.get(tx).is_some_and(|tx| tx.settled()) {
                continue;
            }
            match key {
                None => self.look_at(tx),
                Some(key) => {
                    self.look_at_key(tx, key);
                }
            }
            self.try_retire(tx);
        }
    }

    /// Looks at all keys of a settled transaction.
    fn look_at(&mut self, id: TxId) {
        if let Some(ddl) = self.waits_for_ddl(id) {
            self.park(ddl, Waiter { tx: id, key: None });
            return;
        }
        let tx = &self.txs[id];
        let side = tx.origin;
        if tx.steps.is_none() && tx.same() && !self.is_beside_ddl(tx) {
            let free = tx.keys.iter().all(|&key| self.keys.frees(key, id, side));
            if free {
                let kinds: Option<Vec<_>> = (!self.goes_at_once(id)).then(|| {
                    let keys = self.txs[id].keys.iter();
                    keys.filter_map(|&key| Some((key, self.keys.kind_of(key, id)?)))
                        .collect()
                });
                let tx = &mut self.txs[id];
                let keys = std::mem::take(&mut tx.keys);
                self.touches -= keys.len();
                for key in keys {
                    tx.live -= usize::from(self.keys.remove(key, id, side));
                }
                if let Some(kinds) = kinds {
                    self.let_go(id, &kinds);
                }
                return;
            }
        }
        if tx.images_forgotten() {
            self.give_up(id);
            return;
        }
        for atom in 0..self.take_apart(id).atoms.len() {
            self.look_at_atom(Node { tx: id, atom });
        }
    }

    /// What an atom waits for: what it was found to wait for, or, when that is settled and waits itself, what that waits
    /// for. Many wait on a busy key, and each would have to find out by itself.
    pub(super) fn waits_for(&self, node: Node) -> Option<Parked> {
        let steps = self.txs.get(node.tx)?.steps.as_ref()?;
        let mut parked = steps.atoms.get(node.atom)?.parked?;
        for _ in 0..HOPS_MAX {
            let tx = self.txs.get(parked.on);
            let tx = tx.filter(|tx| tx.serial == parked.serial)?;
            if !tx.settled() {
                return Some(parked);
            }
            let steps = tx.steps.as_ref()?;
            let &[(atom, _)] = steps.touching.get(&parked.via?)?.as_slice() else {
                return None;
            };
            parked = steps.atoms[atom].parked?;
        }
        None
    }

    fn look_at_key(&mut self, id: TxId, key: KeyHash) {
        let Some(steps) = &self.txs[id].steps else {
            return;
        };
        let touching = steps.touching.get(&key).cloned().unwrap_or_default();
        for (atom, _) in touching {
            self.look_at_atom(Node { tx: id, atom });
        }
    }

    fn look_at_atom(&mut self, node: Node) {
        let Some(tx) = self.txs.get(node.tx) else {
            return;
        };
        let side = tx.origin;
        let Some(atom) = tx
            .steps
            .as_ref()
            .and_then(|steps| steps.atoms.get(node.atom))
        else {
            return;
        };
        if atom.done || atom.kept.is_some() {
            return;
        }
        if let Some(parked) = self.waits_for(node) {
            self.park_atom(node, parked);
            return;
        }
        let free = |&(key, _): &(KeyHash, Kind)| self.keys.frees(key, node.tx, side);
        if atom.clean && atom.keys.iter().all(free) && !self.is_beside_ddl(tx) {
            self.release(node);
            return;
        }
        self.judge_from(node);
    }

    /// Judges a change with all that it is tied to, as soon as that is settled.
    fn judge_from(&mut self, start: Node) {
        loop {
            match self.graph(start) {
                Ok(graph) => {
                    if graph.nodes.len() >= self.fold_from && self.fold(&graph.nodes) {
                        if self.is_done(start) {
                            return;
                        }
                        continue;
                    }
                    let mut blocks = graph.blocks().into_iter();
                    // What comes after changes that are kept is judged with them: it is looked at again.
                    for block in blocks.by_ref() {
                        if self.judge(&graph, &block) {
                            break;
                        }
                    }
                    let rest = blocks.flatten().map(|at| graph.nodes[at].tx);
                    self.work.extend(rest.map(|tx| Waiter { tx, key: None }));
                    return;
                }
                Err(Stop::Wait(on, via)) => {
                    let serial = self.txs[on].serial;
                    let parked = Parked { on, serial, via };
                    self.park_atom(start, parked);
                    return;
                }
                Err(Stop::NoImages(tx)) => {
                    self.give_up(tx);
                    if self.is_done(start) {
                        return;
                    }
                }
                Err(Stop::TooMany(nodes)) => {
                    if self.fold(&nodes) {
                        if self.is_done(start) {
                            return;
                        }
                        continue;
                    }
                    if !self.forget_hot(&nodes) {
                        self.give_up_nodes(&nodes);
                    }
                    if self.is_done(start) {
                        return;
                    }
                }
            }
        }
    }

    fn is_done(&self, node: Node) -> bool {
        let steps = self.txs.get(node.tx).and_then(|tx| tx.steps.as_ref());
        steps.is_none_or(|steps| steps.atoms[node.atom].done)
    }

    fn park_atom(&mut self, node: Node, parked: Parked) {
        let Some(steps) = &mut self.txs[node.tx].steps else {
            return;
        };
        let atom = &mut steps.atoms[node.atom];
        atom.parked = Some(parked);
        let key = atom.keys.first().map(|&(key, _)| key);
        self.park(parked.on, Waiter { tx: node.tx, key });
    }

    fn park(&mut self, on: TxId, waiter: Waiter) {
        self.txs[on].waiters.push(waiter);
    }

    /// A settled transaction's changes one by one.
    pub(super) fn take_apart(&mut self, id: TxId) -> &Steps {
        if self.txs[id].steps.is_none() {
            let tx = &self.txs[id];
            let (same, serial, side) = (tx.same(), tx.serial, tx.origin);
            let rows = Side::BOTH.map(|log| tx.rows(log));
            let steps = Steps::new(rows, same, serial, &mut self.tables, &mut self.scratch);
            // A table's keys may be known otherwise by now than when the transaction came: what it touched then and
            // does not any more must not stay for ever.
            let keys = std::mem::take(&mut self.txs[id].keys);
            self.touches -= keys.len();
            for &key in keys.iter().filter(|key| !steps.touching.contains_key(key)) {
                let removed = self.keys.remove(key, id, side);
                self.txs[id].live -= usize::from(removed);
            }
            self.txs[id].steps = Some(Box::new(steps));
        }
        self.steps_of(id)
    }

    /// The changes of a transaction that was taken apart.
    pub(super) fn steps_of(&self, id: TxId) -> &Steps {
        let steps = self.txs[id].steps.as_ref();
        steps.expect("a transaction whose atoms are named was taken apart")
    }

    pub(super) fn atom_keys(&self, node: Node) -> Vec<(KeyHash, Kind)> {
        self.steps_of(node.tx).atoms[node.atom].keys.clone()
    }

    /// An atom is judged: its keys are free of it.
    pub(super) fn release(&mut self, node: Node) {
        let Some(tx) = self.txs.get_mut(node.tx) else {
            return;
        };
        let side = tx.origin;
        let Some(steps) = &mut tx.steps else {
            return;
        };
        let atom = &mut steps.atoms[node.atom];
        if std::mem::replace(&mut atom.done, true) {
            return;
        }
        let mut free = Vec::new();
        for (key, kind) in std::mem::take(&mut atom.keys) {
            // Also where another atom of it refers to the key.
            free.push((key, kind));
            let Some(touching) = steps.touching.get_mut(&key) else {
                continue;
            };
            touching.retain(|(atom, _)| *atom != node.atom);
            if touching.is_empty() {
                steps.touching.remove(&key);
                tx.live -= usize::from(self.keys.remove(key, node.tx, side));
            }
        }
        if self.txs[node.tx].live > 0 || !self.goes_at_once(node.tx) {
            self.let_go(node.tx, &free);
        }
    }

    /// A node has executed a transaction of which its log has nothing.
    pub(super) fn pass(&mut self, id: TxId, log: Side, at: u64) {
        use super::transaction::Body;
        let tx = &mut self.txs[id];
        let passed = super::sequence(&tx.gtid);
        tx.places[log.index()] = Some(Place { at, passed });
        let empty = tx.rows(log.peer()).is_empty() && !tx.images_forgotten();
        tx.bodies[log.index()] = if empty {
            Body::Same
        } else {
            Body::Rows(Box::default())
        };
        if let Some(stream) = super::stream(&tx.gtid) {
            self.waiting[log.index()].remove(&stream);
        }
        if self.txs[id].settled() {
            self.settle(id);
            self.forget_partial(id, true);
        }
    }
}
