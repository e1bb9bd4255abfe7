//! Judges changes that are tied together, once all of them are settled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use twinlog_binlog::{Gtid, OwnedImage};

use super::{
    Tracker,
    api::Output,
    contention::Change,
    graph::{Graph, Node},
    key::{KeyHash, Kind, SpreadMap},
    steps::{Atom, Step},
    table::name_of,
    transaction::{Tx, TxId},
    versions::{Trail, effect, same_version},
};
use crate::{Conflict, Episode, EpisodeRow, Held, Side, Verdict, Version, Write};

/// A row of the changes that are judged.
pub(super) struct Row<'a> {
    pub(super) step: &'a Step,
    pub(super) image: &'a OwnedImage,
    trails: [Trail; 2],
}

/// The changes that are judged together.
pub(super) struct Block<'a> {
    pub(super) tracker: &'a Tracker,
    pub(super) graph: &'a Graph,
    /// Positions in the graph, in the order of the log of A.
    pub(super) members: Vec<usize>,
}

impl Tracker {
    /// Says what there is to say of changes of which all that precedes them was judged, and lets their keys go, unless
    /// they are kept: whether they are.
    pub(super) fn judge(&mut self, graph: &Graph, members: &[usize]) -> bool {
        let nodes: Vec<Node> = members.iter().map(|&member| graph.nodes[member]).collect();
        let replaced = self.episodes_of(&nodes);
        if nodes.len() > 1 {
            self.tie(nodes.iter().map(|node| node.tx));
        }
        if !self.is_plain(&nodes) {
            let mut members = members.to_vec();
            members.sort_by_key(|&member| {
                let node = graph.nodes[member];
                (self.txs[node.tx].places[0], node.atom)
            });
            let block = Block {
                tracker: self,
                graph,
                members,
            };
            if let Some(episode) = block.episode(!replaced.is_empty()) {
                let (written_since, is_wiped) = block.written_since();
                let verdict = Verdict::Episode(episode);
                self.outputs.push_back(Output::Verdict(verdict));
                if self.keep(&nodes, replaced, written_since, is_wiped) {
                    return true;
                }
            }
        }
        for &node in &nodes {
            self.release(node);
        }
        for node in nodes {
            self.try_retire(node.tx);
        }
        false
    }

    /// Whether it is one change that both logs have alike, with no definition changed around it.
    fn is_plain(&self, nodes: &[Node]) -> bool {
        match nodes {
            [node] => {
                let clean = self.steps_of(node.tx).atoms[node.atom].clean;
                clean && !self.is_beside_ddl(&self.txs[node.tx])
            }
            _ => false,
        }
    }
}

impl<'a> Block<'a> {
    pub(super) fn tx_id(&self, member: usize) -> TxId {
        self.graph.nodes[member].tx
    }

    pub(super) fn tx(&self, member: usize) -> &'a Tx {
        &self.tracker.txs[self.tx_id(member)]
    }

    pub(super) fn atom(&self, member: usize) -> &'a Atom {
        let node = self.graph.nodes[member];
        &self.tracker.steps_of(node.tx).atoms[node.atom]
    }

    /// What a log has of a member.
    pub(super) fn steps(
        &self,
        member: usize,
        log: Side,
    ) -> impl Iterator<Item = &'a Step> + use<'a> {
        let steps = self.tracker.steps_of(self.tx_id(member)).of(log);
        let places = &self.atom(member).steps[log.index()];
        places.iter().map(move |&place| &steps[place])
    }

    fn in_order_of(&self, log: Side) -> Vec<usize> {
        let mut members = self.members.clone();
        members.sort_by_key(|&member| {
            (
                self.tx(member).places[log.index()],
                self.graph.nodes[member].atom,
            )
        });
        members
    }

    /// The episode, if there is anything to say; `anew` where something was said of these changes before.
    fn episode(&self, anew: bool) -> Option<Episode> {
        let (rows, index, overrun) = self.rows();
        let mut conflicts = self.conflicts();
        conflicts.extend(overrun);
        let mut changes = self.changes(&index);
        self.set_against(&mut changes);
        self.add_wipes(&rows, &mut changes, &mut conflicts);
        let rows: Vec<EpisodeRow> = rows.iter().map(|row| self.episode_row(row)).collect();
        let agree = |row: &EpisodeRow| match &row.held {
            [Held::Known(a), Held::Known(b)] => same_version(a, b) == Some(true),
            _ => false,
        };
        let agreed = rows.iter().all(agree);
        let covered =
            |change: &Change<'_>| change.tx.repair.is_none() && !change.against.is_empty();
        let quiet = agreed
            && conflicts.is_empty()
            && !changes.iter().any(covered)
            && !has_lost(&rows, &changes);
        let repaired = agreed && self.is_repaired(&conflicts, &rows, &changes);
        if !anew && (quiet || repaired) {
            return None;
        }
        let building = self.building(&changes);
        let writes = changes
            .into_iter()
            .zip(building)
            .map(|(change, after_writes)| Write {
                origin: change
                    .tx
                    .repair
                    .as_ref()
                    .map_or(change.tx.origin, |mark| mark.origin),
                gtid: change.tx.gtid.clone(),
                committed: change
                    .tx
                    .repair
                    .as_ref()
                    .map_or(change.tx.committed, |mark| mark.committed),
                before: change.before,
                after: change.after,
                repair: change.tx.repair.is_some(),
                against: change.against.into_iter().collect(),
                after_writes,
            })
            .collect();
        Some(Episode {
            rows,
            conflicts: conflicts.into_iter().collect(),
            writes,
            repaired,
        })
    }

    /// Whether all that there is to say was said when a repair was made that is among these changes.
    fn is_repaired(
        &self,
        conflicts: &BTreeSet<Conflict>,
        rows: &[EpisodeRow],
        changes: &[Change<'_>],
    ) -> bool {
        let repairs = changes.iter().map(|change| change.tx);
        repairs.filter(|tx| tx.judged.is_some()).any(|repair| {
            let is_judged = |tx: &Tx| repair.judged(tx);
            let told = |gtid: &Gtid| {
                let of = changes.iter().find(|change| change.tx.gtid == *gtid);
                of.is_some_and(|change| is_judged(change.tx))
            };
            let open = |change: &Change<'_>| {
                let mut against = change.against.iter().map(|&at| changes[at].tx);
                change.tx.repair.is_none()
                    && !change.against.is_empty()
                    && (!is_judged(change.tx) || against.any(|other| !is_judged(other)))
            };
            let writes = repair.judged.as_ref().map(|judged| judged.writes);
            let of_them = changes.iter().filter(|change| is_judged(change.tx));
            writes == Some(of_them.count())
                && conflicts.iter().all(|pair| pair.gtids.iter().all(told))
                && !changes.iter().any(open)
                && !has_lost_of(rows, changes, |tx| !is_judged(tx))
        })
    }

    /// The rows that a transaction touches which is here but not judged with them; whether some of them are wiped.
    fn written_since(&self) -> (Vec<usize>, bool) {
        let members: BTreeSet<u32> = self.members.iter().map(|&at| self.tx_id(at).0).collect();
        let ids: Vec<TxId> = self.members.iter().map(|&at| self.tx_id(at)).collect();
        let (all, index, _) = self.rows();
        let is_wiped = |row: &Row<'_>| {
            self.tracker
                .is_wiped_after(&name_of(row.image.table()), &ids)
        };
        let wiped = all
            .iter()
            .enumerate()
            .filter(|(_, row)| is_wiped(row))
            .map(|(at, _)| at);
        let wiped: Vec<usize> = wiped.collect();
        let any_wiped = !wiped.is_empty();
        let mut rows: Vec<usize> = index
            .iter()
            .filter(|(key, _)| {
                let state = self.tracker.keys.get(**key);
                let mut touches = state.into_iter().flat_map(|state| state.touches());
                touches.any(|touch| touch.kind != Kind::Reference && !members.contains(&touch.tx.0))
            })
            .map(|(_, &row)| row)
            .chain(wiped)
            .collect();
        rows.sort_unstable();
        rows.dedup();
        (rows, any_wiped)
    }

    /// All rows, each with its trail in both logs, their places by key, and the pairs of which the second wrote over what its
    /// node had skipped of the first.
    fn rows(&self) -> (Vec<Row<'a>>, SpreadMap<KeyHash, usize>, BTreeSet<Conflict>) {
        let mut rows: Vec<Row<'a>> = Vec::new();
        let mut index: SpreadMap<KeyHash, usize> = SpreadMap::default();
        let mut of_member: Vec<BTreeSet<(usize, KeyHash)>> = Vec::new();
        for &member in &self.members {
            let mut own = BTreeSet::new();
            for log in Side::BOTH {
                for step in self.steps(member, log) {
                    for (key, image) in [&step.before, &step.after].into_iter().flatten() {
                        let row = *index.entry(*key).or_insert_with(|| {
                            rows.push(Row {
                                step,
                                image,
                                trails: Default::default(),
                            });
                            rows.len() - 1
                        });
                        own.insert((row, *key));
                    }
                }
            }
            of_member.push(own);
        }
        let place_of: BTreeMap<usize, usize> =
            (0..).zip(&self.members).map(|(at, &m)| (m, at)).collect();
        let mut overrun = BTreeSet::new();
        for log in Side::BOTH {
            for member in self.in_order_of(log) {
                let tx = self.tx(member);
                let Some(at) = tx.places[log.index()] else {
                    continue;
                };
                for &(row, key) in &of_member[place_of[&member]] {
                    let trail = &mut rows[row].trails[log.index()];
                    if let Some(effect) = effect(self.steps(member, log), key) {
                        // The node had executed that write, but skipped it: its clients never saw it.
                        if let Some(skipped) = trail.overrun_by(&effect)
                            && tx.origin == log
                            && self.tx(skipped).origin != log
                            && self.has_client(skipped, member)
                        {
                            overrun.insert(self.conflict(self.tx(skipped), tx));
                        }
                        trail.follow(&effect, at);
                    } else if let Some(effect) = effect(self.steps(member, log.peer()), key) {
                        trail.miss(&effect, member);
                    }
                }
            }
        }
        (rows, index, overrun)
    }

    fn episode_row(&self, row: &Row<'_>) -> EpisodeRow {
        let [a, b] = &row.trails;
        let mut held = [a.held(), b.held()];
        if let [Held::Known(a), Held::Known(b)] = &held
            && same_version(a, b).is_none()
        {
            held = [Held::Unknown, Held::Unknown];
        }
        let table = &self.tracker.tables.get(row.step.table).name;
        for ddl in self.tracker.ddls.iter().filter(|ddl| ddl.covers(table)) {
            // The definition changed after the row's last change in one log and before it in the other.
            let change = &self.tracker.txs[ddl.tx];
            let after = Side::BOTH.map(|log| {
                let at = row.trails[log.index()].at;
                change.places[log.index()] > at
            });
            for log in Side::BOTH {
                if after[log.index()] && !after[log.peer().index()] {
                    held[log.index()] = Held::Unknown;
                }
            }
        }
        let base = match (&a.first, &b.first) {
            (Some(a), Some(b)) => (same_version(a, b) == Some(true)).then(|| a.clone()),
            (first, None) | (None, first) => first.clone(),
        };
        EpisodeRow {
            table: table.clone(),
            keys: Arc::clone(&row.step.plan.keys),
            key: row.image.clone(),
            base,
            held,
        }
    }
}

/// Whether a write is on no node, and nobody overwrote it who had seen it: the applier of the peer had skipped it, and a
/// change from there took its place, in the same order in both logs.
fn has_lost(rows: &[EpisodeRow], changes: &[Change<'_>]) -> bool {
    has_lost_of(rows, changes, |_| true)
}

fn has_lost_of(rows: &[EpisodeRow], changes: &[Change<'_>], of: impl Fn(&Tx) -> bool) -> bool {
    let counts = |tx: &Tx| tx.repair.is_none() && of(tx);
    changes.iter().any(|change| {
        let Some((row, left)) = change.after.as_ref().filter(|_| counts(change.tx)) else {
            return false;
        };
        let left = Version::Row(left.clone());
        let is = |version: &Version| same_version(&left, version) != Some(false);
        let holds = |held: &Held| match held {
            Held::Known(version) => is(version),
            Held::Unknown => true,
        };
        let found = |other: &Change<'_>| {
            matches!(&other.before, Some((at, image)) if at == row && is(&Version::Row(image.clone())))
        };
        !rows[*row].held.iter().any(holds) && !changes.iter().any(found)
    })
}
