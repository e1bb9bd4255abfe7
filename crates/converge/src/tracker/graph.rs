//! What must be judged together: the changes that come before one, as far as they are tied to it by keys, and which of
//! them had not seen each other.

use std::collections::BTreeSet;

use super::{
    Tracker,
    key::{KeyHash, Kind, SpreadMap},
    transaction::{Tx, TxId},
};
use crate::Side;

/// More changes than this are not judged together: their tables must be verified. It bounds the time (the square of it)
/// and the size of an episode.
pub(super) const EPISODE_CHANGES_MAX: usize = 2048;

/// With more changes than this nothing later is waited for: a key that is never quiet must be judged at some time. What
/// the verdict says that the nodes hold may be outdated then, and the guard of its repair says so.
const LATER_CHANGES_MAX: usize = 64;

/// An atom of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) tx: TxId,
    pub(super) atom: usize,
}

/// Why there is no judgement.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// Something that must be judged before, or together, is not settled; the key by which it is tied.
    Wait(TxId, Option<KeyHash>),
    /// The images of this transaction were forgotten.
    NoImages(TxId),
    /// There are too many.
    TooMany(Vec<Node>),
}

/// Changes with all that comes before them, all settled.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    index: SpreadMap<u64, usize>,
    /// Which come before each in a log, or must be judged with it.
    before: Vec<Vec<usize>>,
    /// Which of the other side each had not seen, nor they it, with a key in common.
    pub(super) against: Vec<BTreeSet<usize>>,
    /// The same for what a change builds on: if that goes, the change goes.
    pub(super) inherited: Vec<BTreeSet<usize>>,
    /// Which came in as something later: see [`Tracker::add_later`].
    later: BTreeSet<usize>,
    /// How many were explored.
    explored: usize,
}

impl Graph {
    pub(super) fn add(&mut self, node: Node) -> usize {
        let key = (u64::from(node.tx.0) << 32) | node.atom as u64;
        if let Some(&at) = self.index.get(&key) {
            return at;
        }
        let at = self.nodes.len();
        self.index.insert(key, at);
        self.nodes.push(node);
        self.before.push(Vec::new());
        self.against.push(BTreeSet::new());
        self.inherited.push(BTreeSet::new());
        at
    }

    /// Neither is judged without the other.
    pub(super) fn tie(&mut self, one: usize, other: usize) {
        self.before[one].push(other);
        self.before[other].push(one);
    }

    /// All that contend with a node, or with what it builds on.
    fn opponents(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.against[at].iter().chain(&self.inherited[at]).copied()
    }

    /// The nodes in groups of which none can be judged without the others; each group comes after those that precede
    /// it. These are the graph's strongly connected components, found with Tarjan's algorithm (1972).
    pub(super) fn blocks(&self) -> Vec<Vec<usize>> {
        const NEW: usize = usize::MAX;
        let count = self.nodes.len();
        let (mut number, mut low) = (vec![NEW; count], vec![NEW; count]);
        let mut on_stack = vec![false; count];
        let (mut stack, mut path, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = 0;
        for root in 0..count {
            if number[root] != NEW {
                continue;
            }
            path.push((root, 0));
            while let Some((node, edge)) = path.pop() {
                if edge == 0 {
                    number[node] = next;
                    low[node] = next;
                    next += 1;
                    stack.push(node);
                    on_stack[node] = true;
                } else {
                    let child = self.before[node][edge - 1];
                    low[node] = low[node].min(low[child]);
                }
                let mut edge = edge;
                let mut descended = false;
                while let Some(&child) = self.before[node].get(edge) {
                    edge += 1;
                    if number[child] == NEW {
                        path.push((node, edge));
                        path.push((child, 0));
                        descended = true;
                        break;
                    }
                    if on_stack[child] {
                        low[node] = low[node].min(number[child]);
                    }
                }
                if !descended && low[node] == number[node] {
                    let mut block = Vec::new();
                    while let Some(member) = stack.pop() {
                        on_stack[member] = false;
                        block.push(member);
                        if member == node {
                            break;
                        }
                    }
                    blocks.push(block);
                }
            }
        }
        blocks
    }
}

impl Tracker {
    /// A change and all that must be judged before it or with it.
    pub(super) fn graph(&mut self, start: Node) -> Result<Graph, Stop> {
        let mut graph = Graph::default();
        graph.add(start);
        loop {
            self.explore(&mut graph)?;
            let size = graph.nodes.len();
            let grown = self.add_dependents(&mut graph)? || self.add_later(&mut graph)?;
            if !grown && graph.nodes.len() == size {
                return Ok(graph);
            }
        }
    }

    /// Adds what precedes the nodes that were not explored yet.
    fn explore(&mut self, graph: &mut Graph) -> Result<(), Stop> {
        while let Some(&node) = graph.nodes.get(graph.explored) {
            let at = graph.explored;
            if graph.nodes.len() > EPISODE_CHANGES_MAX {
                return Err(Stop::TooMany(std::mem::take(&mut graph.nodes)));
            }
            if let Some(ddl) = self.waits_for_ddl(node.tx) {
                return Err(Stop::Wait(ddl, None));
            }
            let keys = self.atom_keys(node);
            for (key, kind) in keys {
                let Some(state) = self.keys.get(key) else {
                    continue;
                };
                let mine = &self.txs[node.tx];
                let earlier = state
                    .touches()
                    .filter(|touch| touch.tx != node.tx && touch.kind.contends(kind))
                    .filter(|touch| comes_before(&self.txs[touch.tx], mine));
                self.must_be_settled(key, earlier.clone().map(|touch| touch.tx))?;
                for touch in earlier.collect::<Vec<_>>() {
                    let (other, mine) = (&self.txs[touch.tx], &self.txs[node.tx]);
                    let against = if mine.judged(other) {
                        false
                    } else if other.inverted(mine) {
                        other.origin != mine.origin && !other.judged(mine)
                    } else {
                        self.covers_unseen(node.tx, touch.tx, key)
                    };
                    for member in self.atoms_on(touch.tx, key, kind)? {
                        let kept = self.kept_for(member).is_some();
                        let member = graph.add(member);
                        graph.before[at].push(member);
                        if kept {
                            graph.tie(at, member);
                        }
                        if against {
                            graph.against[at].insert(member);
                            graph.against[member].insert(at);
                        }
                    }
                }
            }
            self.add_kept(graph, at);
            graph.explored += 1;
        }
        Ok(())
    }

    /// Adds what builds on a contended change without having seen all that contends with it. Returns whether anything
    /// was new.
    fn add_dependents(&mut self, graph: &mut Graph) -> Result<bool, Stop> {
        let mut grown = false;
        for at in 0..graph.nodes.len() {
            let opponents: Vec<usize> = graph.opponents(at).collect();
            if opponents.is_empty() {
                continue;
            }
            let node = graph.nodes[at];
            for (key, kind) in self.atom_keys(node) {
                let Some(state) = self.keys.get(key) else {
                    continue;
                };
                let mine = &self.txs[node.tx];
                let later: Vec<_> = state
                    .touches()
                    .filter(|touch| touch.tx != node.tx && touch.kind.contends(kind))
                    .filter(|touch| {
                        let other = &self.txs[touch.tx];
                        other.origin == mine.origin && !comes_before(other, mine)
                    })
                    .collect();
                for touch in later {
                    let other = &self.txs[touch.tx];
                    let unseen: Vec<usize> = opponents
                        .iter()
                        .copied()
                        .filter(|&opponent| other.inverted(&self.txs[graph.nodes[opponent].tx]))
                        .collect();
                    if unseen.is_empty() {
                        continue;
                    }
                    self.must_be_settled(key, [touch.tx].into_iter())?;
                    for member in self.atoms_on(touch.tx, key, kind)? {
                        let member = graph.add(member);
                        let count = graph.inherited[member].len();
                        let direct = &graph.against[member];
                        let new: Vec<_> =
                            unseen.iter().filter(|one| !direct.contains(one)).collect();
                        graph.inherited[member].extend(new);
                        grown |= graph.inherited[member].len() > count;
                        if !graph.before[at].contains(&member) {
                            graph.before[at].push(member);
                        }
                    }
                }
            }
        }
        Ok(grown)
    }

    /// Adds all that was done later to the keys of what there will be something to say of: what the nodes hold now is what
    /// the last of them left, and what is chosen must be chosen among all of them. Returns whether anything was new.
    fn add_later(&mut self, graph: &mut Graph) -> Result<bool, Stop> {
        let mut grown = false;
        for at in 0..graph.nodes.len() {
            let node = graph.nodes[at];
            let dull = !graph.later.contains(&at)
                && graph.opponents(at).next().is_none()
                && self.steps_of(node.tx).atoms[node.atom].clean;
            if dull {
                continue;
            }
            for (key, kind) in self.atom_keys(node) {
                let Some(state) = self.keys.get(key) else {
                    continue;
                };
                let mine = &self.txs[node.tx];
                let mut later: Vec<_> = state
                    .touches()
                    .filter(|touch| touch.tx != node.tx && touch.kind.contends(kind))
                    .filter(|touch| !comes_before(&self.txs[touch.tx], mine))
                    .collect();
                if graph.nodes.len() + later.len() > LATER_CHANGES_MAX {
                    later.retain(|touch| {
                        let tx = &self.txs[touch.tx];
                        tx.settled() && !tx.images_forgotten()
                    });
                }
                self.must_be_settled(key, later.iter().map(|touch| touch.tx))?;
                for touch in later {
                    let members = match self.atoms_on(touch.tx, key, kind) {
                        Err(Stop::Wait(..)) if graph.nodes.len() > LATER_CHANGES_MAX => continue,
                        members => members?,
                    };
                    for member in members {
                        let member = graph.add(member);
                        grown |= graph.later.insert(member);
                        if !graph.before[at].contains(&member) {
                            graph.before[at].push(member);
                        }
                    }
                }
            }
        }
        Ok(grown)
    }

    /// What is not settled is waited for: the first of these, so they come with the latest first. When that is settled,
    /// so are the others, mostly.
    fn must_be_settled(
        &self,
        key: KeyHash,
        mut ids: impl Iterator<Item = TxId> + Clone,
    ) -> Result<(), Stop> {
        if let Some(open) = ids.clone().find(|&id| !self.txs[id].settled()) {
            return Err(Stop::Wait(open, Some(key)));
        }
        match ids.find(|&id| self.txs[id].images_forgotten()) {
            Some(id) => Err(Stop::NoImages(id)),
            None => Ok(()),
        }
    }

    /// The atoms of a settled transaction that touch a key in a way that contends.
    fn atoms_on(&mut self, tx: TxId, key: KeyHash, kind: Kind) -> Result<Vec<Node>, Stop> {
        let steps = self.take_apart(tx);
        let touching = steps.touching.get(&key).cloned().unwrap_or_default();
        let nodes: Vec<_> = touching
            .into_iter()
            .filter(|(_, other)| other.contends(kind))
            .map(|(atom, _)| Node { tx, atom })
            .collect();
        for node in &nodes {
            if let Some(parked) = self.waits_for(*node) {
                return Err(Stop::Wait(parked.on, parked.via));
            }
        }
        Ok(nodes)
    }
}

/// Whether a transaction precedes another in at least one log.
pub(super) fn comes_before(one: &Tx, other: &Tx) -> bool {
    one.before(other, Side::A) || one.before(other, Side::B)
}
