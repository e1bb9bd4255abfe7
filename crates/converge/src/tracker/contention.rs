//! Which of the changes that are judged together contend, and which build on which.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_binlog::OwnedImage;

use super::{
    judge::{Block, Row},
    key::{KeyHash, Kind, SpreadMap, SpreadSet},
    transaction::Tx,
};
use crate::{Conflict, Side};

/// One change of a client, to become a [`Write`].
pub(super) struct Change<'a> {
    /// The member of the block that it belongs to; `None` for rows that a TRUNCATE or DROP took.
    pub(super) member: Option<usize>,
    pub(super) tx: &'a Tx,
    pub(super) before: Option<(usize, OwnedImage)>,
    pub(super) after: Option<(usize, OwnedImage)>,
    pub(super) touched: &'a [(KeyHash, Kind)],
    pub(super) against: BTreeSet<usize>,
}

impl<'a> Block<'a> {
    /// The pairs whose values were overwritten unseen: neighbours on a key in one log that are the other way round in
    /// the other.
    pub(super) fn conflicts(&self) -> BTreeSet<Conflict> {
        let mut pairs = BTreeSet::new();
        let contended = |member: &&usize| !self.graph.against[**member].is_empty();
        if !self.members.iter().any(|member| contended(&member)) {
            return pairs;
        }
        let mut by_key: SpreadMap<KeyHash, Vec<(usize, Kind)>> = SpreadMap::default();
        for &member in &self.members {
            for &(key, kind) in &self.atom(member).keys {
                by_key.entry(key).or_default().push((member, kind));
            }
        }
        for touches in by_key.values_mut() {
            for log in Side::BOTH {
                touches.sort_by_key(|&(member, _)| self.tx(member).places[log.index()]);
                for (at, &(member, kind)) in touches.iter().enumerate() {
                    let earlier = touches[..at].iter().rev();
                    let last = earlier.copied().find(|&(other, other_kind)| {
                        other_kind.contends(kind) && self.tx_id(other) != self.tx_id(member)
                    });
                    if let Some((other, _)) = last
                        && self.graph.against[member].contains(&other)
                        && self.has_client(member, other)
                    {
                        pairs.insert(self.conflict(self.tx(member), self.tx(other)));
                    }
                }
            }
        }
        if pairs.is_empty() {
            // References do not contend with each other, so there may be no neighbours.
            for &member in &self.members {
                for &other in &self.graph.against[member] {
                    if !self.has_client(member, other) {
                        continue;
                    }
                    pairs.insert(self.conflict(self.tx(member), self.tx(other)));
                }
            }
        }
        pairs
    }

    /// Whether it is a pair of both sides in which a client has a part: one episode's repairs of both nodes do not
    /// conflict, they write the same.
    pub(super) fn has_client(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.tx(one), self.tx(other));
        one.origin != other.origin && (one.repair.is_none() || other.repair.is_none())
    }

    pub(super) fn conflict(&self, one: &Tx, other: &Tx) -> Conflict {
        let mut gtids = [one.gtid.clone(), other.gtid.clone()];
        if one.origin == Side::B {
            gtids.reverse();
        }
        Conflict { gtids }
    }

    /// What clients changed, as the log of each change's own side has it.
    pub(super) fn changes(&self, index: &SpreadMap<KeyHash, usize>) -> Vec<Change<'a>> {
        let mut changes = Vec::new();
        let named = |image: &Option<(KeyHash, OwnedImage)>| {
            let (key, image) = image.as_ref()?;
            Some((*index.get(key)?, image.clone()))
        };
        for &member in &self.members {
            let tx = self.tx(member);
            for step in self.steps(member, tx.origin) {
                changes.push(Change {
                    member: Some(member),
                    tx,
                    before: named(&step.before),
                    after: named(&step.after),
                    touched: &step.touched,
                    against: BTreeSet::new(),
                });
            }
        }
        changes
    }

    /// Which changes contend: of two members that do, those with a key in common; all where only what the applier left
    /// ties them.
    pub(super) fn set_against(&self, changes: &mut [Change<'_>]) {
        let mut of_member: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            if let Some(member) = change.member {
                of_member.entry(member).or_default().push(at);
            }
        }
        let mut pairs = Vec::new();
        for (&member, own) in &of_member {
            for (others, direct) in [
                (&self.graph.against[member], true),
                (&self.graph.inherited[member], false),
            ] {
                for theirs in others.iter().filter_map(|other| of_member.get(other)) {
                    let all = || {
                        own.iter()
                            .flat_map(|&a| theirs.iter().map(move |&b| (a, b)))
                    };
                    let tied: Vec<_> = all()
                        .filter(|&(a, b)| direct && contend(&changes[a], &changes[b]))
                        .collect();
                    if tied.is_empty() {
                        pairs.extend(all());
                    } else {
                        pairs.extend(tied);
                    }
                }
            }
        }
        for (a, b) in pairs {
            changes[a].against.insert(b);
            changes[b].against.insert(a);
        }
    }

    /// For every change the earlier ones of its side that it builds on: on each key the last, and what refers to the key.
    /// Where the last that its node had done was the other side's, it builds on that, which had seen all before it.
    pub(super) fn building(&self, changes: &[Change<'_>]) -> Vec<Vec<usize>> {
        let mut building = vec![BTreeSet::new(); changes.len()];
        for log in Side::BOTH {
            let mut order: Vec<usize> = (0..changes.len()).collect();
            order.sort_by_key(|&at| (changes[at].tx.places[log.index()], at));
            let mut trails: SpreadMap<KeyHash, Vec<(usize, Kind)>> = SpreadMap::default();
            let mut copies: BTreeMap<usize, SpreadSet<KeyHash>> = BTreeMap::new();
            for at in order {
                let change = &changes[at];
                let is_own = |at: usize| changes[at].tx.origin == log;
                for &(key, kind) in change.touched {
                    let trail = trails.entry(key).or_default();
                    if !is_own(at) {
                        // Where nothing is left of it nobody builds on it.
                        let copy = change.member.map(|member| {
                            copies
                                .entry(member)
                                .or_insert_with(|| self.touched_in(member, log))
                        });
                        if copy.is_some_and(|keys| keys.contains(&key)) {
                            trail.push((at, kind));
                        }
                        continue;
                    }
                    for &(earlier, other) in trail.iter().rev() {
                        // What a repair covered unseen it does not build on.
                        if !other.contends(kind) || change.against.contains(&earlier) {
                            continue;
                        }
                        if is_own(earlier) {
                            building[at].insert(earlier);
                        }
                        if other != Kind::Reference {
                            break;
                        }
                    }
                    trail.push((at, kind));
                }
            }
        }
        let lists = building.into_iter().map(|on| on.into_iter().collect());
        lists.collect()
    }

    /// The keys that a log's copy of a member touches.
    fn touched_in(&self, member: usize, log: Side) -> SpreadSet<KeyHash> {
        let steps = self.steps(member, log);
        steps
            .flat_map(|step| step.touched.iter().map(|&(key, _)| key))
            .collect()
    }

    /// A TRUNCATE or DROP that had not seen a change (nor the change it) deletes the rows of that change.
    pub(super) fn add_wipes(
        &self,
        rows: &[Row<'a>],
        changes: &mut Vec<Change<'a>>,
        conflicts: &mut BTreeSet<Conflict>,
    ) {
        for ddl in self.tracker.ddls.iter().filter(|ddl| ddl.wipes) {
            let wipe = &self.tracker.txs[ddl.tx];
            let count = changes.len();
            for (at, row) in rows.iter().enumerate() {
                if !ddl.covers(&self.tracker.tables.get(row.step.table).name) {
                    continue;
                }
                let touches = |change: &Change<'_>| {
                    [&change.before, &change.after]
                        .into_iter()
                        .flatten()
                        .any(|(row, _)| *row == at)
                };
                let against: BTreeSet<usize> = (0..count)
                    .filter(|&other| {
                        let change = &changes[other];
                        change.tx.origin != wipe.origin
                            && change.tx.inverted(wipe)
                            && touches(change)
                    })
                    .collect();
                if against.is_empty() {
                    continue;
                }
                for &other in &against {
                    conflicts.insert(self.conflict(wipe, changes[other].tx));
                    let new = changes.len();
                    changes[other].against.insert(new);
                }
                changes.push(Change {
                    member: None,
                    tx: wipe,
                    before: Some((at, row.image.clone())),
                    after: None,
                    touched: &[],
                    against,
                });
            }
        }
    }
}

fn contend(one: &Change<'_>, other: &Change<'_>) -> bool {
    one.touched.iter().any(|(key, kind)| {
        let theirs = other.touched.iter().find(|(other, _)| other == key);
        theirs.is_some_and(|(_, other)| kind.contends(*other))
    })
}
