//! Verdicts that nobody has settled yet: what comes later on the same keys is judged together with them.
//!
//! Between a verdict and its repair a client may write one of its rows. Alone that write is an ordinary one, which had
//! seen all; but what it wrote builds on a row that was to be repaired. So the changes of a verdict stay until
//! [`Tracker::resolved`] is called for it, and a later change on one of their keys makes another verdict of them all, which
//! takes the place of the first.

use std::collections::BTreeMap;

use super::{
    Tracker,
    graph::{Graph, Node},
};

/// A verdict of more changes is not kept: each later write would judge all of them again. From so many on, long runs of one
/// side's changes of a row are taken as one.
pub(super) const KEPT_CHANGES_MAX: usize = 256;

/// The verdicts that are kept, by the numbers of their episodes.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// Whether any are.
    on: bool,
    /// How many episodes were said.
    said: u64,
    /// The changes of each, with the serials of their transactions.
    episodes: BTreeMap<u64, Vec<(Node, u64)>>,
    /// Which earlier ones each took the place of.
    replaced: BTreeMap<u64, Vec<u64>>,
    /// The rows of each that were written since, as far as was known when it was said.
    written_since: BTreeMap<u64, Vec<usize>>,
}

impl Tracker {
    /// From now on the changes of every episode are kept until [`Self::resolved`].
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.kept.on = true;
        self
    }

    /// Nothing is left to do about an episode, and whatever was written for it was pushed from both logs: what a repair
    /// covers unseen comes before it in both, and must be judged with what it was chosen from. Episodes are numbered in
    /// the order in which they are said, from 1.
    pub fn resolved(&mut self, episode: u64) {
        self.run_work();
        self.let_go_of(episode);
        self.clean_ages();
    }

    /// The changes of an episode are not kept any longer.
    pub(super) fn let_go_of(&mut self, episode: u64) {
        for node in self.kept_nodes(episode) {
            self.release(node);
            self.try_retire(node.tx);
        }
        self.kept.episodes.remove(&episode);
    }

    /// Those that are kept.
    pub(super) fn kept_episodes(&self) -> Vec<u64> {
        self.kept.episodes.keys().copied().collect()
    }

    /// Which earlier episodes this one took the place of; asked once.
    pub fn replaced_by(&mut self, episode: u64) -> Vec<u64> {
        self.kept.replaced.remove(&episode).unwrap_or_default()
    }

    /// The rows of this episode that transactions touch which were here when it was said, and are not judged in it; asked
    /// once.
    pub fn written_since(&mut self, episode: u64) -> Vec<usize> {
        self.kept.written_since.remove(&episode).unwrap_or_default()
    }

    /// Whether a later change on the keys of an episode will bring another in its place. If not, it was too large, or its
    /// tables are to be verified.
    #[must_use]
    pub fn is_kept(&self, episode: u64) -> bool {
        let all = self.kept.episodes.get(&episode);
        all.is_some_and(|all| self.kept_nodes(episode).count() == all.len())
    }

    /// Those that are still what they were.
    pub(super) fn kept_nodes(&self, episode: u64) -> impl Iterator<Item = Node> + use<> {
        let nodes = self.kept.episodes.get(&episode).into_iter().flatten();
        let alive = nodes.filter(|(node, serial)| {
            let tx = self.txs.get(node.tx).filter(|tx| tx.serial == *serial);
            let steps = tx.and_then(|tx| tx.steps.as_ref());
            steps.is_some_and(|steps| !steps.atoms[node.atom].done)
        });
        alive.map(|&(node, _)| node).collect::<Vec<_>>().into_iter()
    }

    /// The episode that a change is kept for.
    pub(super) fn kept_for(&self, node: Node) -> Option<u64> {
        let steps = self.txs.get(node.tx)?.steps.as_ref()?;
        steps.atoms.get(node.atom)?.kept
    }

    /// Adds all of the episode that a change is kept for: none of them is judged without the others.
    pub(super) fn add_kept(&self, graph: &mut Graph, at: usize) {
        let Some(episode) = self.kept_for(graph.nodes[at]) else {
            return;
        };
        for node in self.kept_nodes(episode) {
            let other = graph.add(node);
            graph.tie(at, other);
        }
    }

    /// The episodes that these changes are kept for.
    pub(super) fn episodes_of(&self, nodes: &[Node]) -> Vec<u64> {
        let mut episodes: Vec<u64> = nodes
            .iter()
            .filter_map(|&node| self.kept_for(node))
            .collect();
        episodes.sort_unstable();
        episodes.dedup();
        episodes
    }

    /// An episode of these changes was said. Returns whether they are kept: not where a statement has wiped their rows
    /// since.
    pub(super) fn keep(
        &mut self,
        nodes: &[Node],
        replaced: Vec<u64>,
        written_since: Vec<usize>,
        is_wiped: bool,
    ) -> bool {
        self.kept.said += 1;
        let episode = self.kept.said;
        if self.kept.on && !written_since.is_empty() {
            self.kept.written_since.insert(episode, written_since);
        }
        for old in &replaced {
            self.kept.episodes.remove(old);
        }
        if self.kept.on && !replaced.is_empty() {
            self.kept.replaced.insert(episode, replaced);
        }
        if !self.kept.on || is_wiped || nodes.len() > KEPT_CHANGES_MAX {
            return false;
        }
        let mut kept = Vec::with_capacity(nodes.len());
        for &node in nodes {
            let tx = &mut self.txs[node.tx];
            kept.push((node, tx.serial));
            if let Some(steps) = &mut tx.steps {
                steps.atoms[node.atom].kept = Some(episode);
            }
        }
        self.kept.episodes.insert(episode, kept);
        true
    }
}
