//! When a transaction may be forgotten.
//!
//! A checkpoint is made of what is retired. Whoever starts from it must come to the same verdicts, and to none about the
//! past: so a transaction is retired only after, or together with,
//! - those that it was judged with, and the XA PREPARE that it ends,
//! - the earlier ones (in either log) with which it has a key in common,
//! - on MariaDB, where a checkpoint is a position, the earlier ones of its domain.

use std::collections::{BTreeMap, HashMap};

use twinlog_binlog::Gtid;

use super::{
    Tracker,
    api::Output,
    graph::comes_before,
    key::{KeyHash, Kind, SpreadMap, SpreadSet},
    transaction::{Tx, TxId},
};

/// A transaction with its serial: its place may be another's by now.
type Name = (TxId, u64);

/// What keeps transactions that are done with from being retired.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    ties: Ties,
    /// For each key those that let it go and are not retired.
    released: SpreadMap<KeyHash, Released>,
    /// MariaDB's transactions that are not retired: domain, sequence, server.
    domains: BTreeMap<(u32, u64, u32), TxId>,
    /// How many have an [`After`].
    kept: usize,
}

/// Those that let a key go and are not retired. One that all later ones come after takes the place of those before it.
#[derive(Debug, Clone, Default)]
struct Released {
    writes: Vec<(Name, Kind)>,
    references: SpreadMap<TxId, u64>,
}

/// What keeps one from being retired.
#[derive(Debug, Clone, Default)]
pub(super) struct After {
    /// Those that must go before.
    earlier: Vec<Name>,
    /// Where it is in [`Order::released`].
    keys: Vec<KeyHash>,
    /// One that is not done with, for which it was found to wait.
    blocked: Option<Name>,
    /// Those to look at once this one is retired.
    waiting: Vec<Name>,
}

/// About what one [`After`] takes, with a key and an entry of each list.
const AFTER_BYTES: usize = size_of::<After>() + 128;

/// Transactions that were judged together.
#[derive(Debug, Clone, Default)]
struct Ties {
    of: SpreadMap<TxId, u64>,
    /// The members of each group, and how many of them are still here.
    groups: HashMap<u64, (Vec<TxId>, usize)>,
    next: u64,
}

impl Ties {
    fn tie(&mut self, ids: impl Iterator<Item = TxId>) {
        let group = self.next;
        self.next += 1;
        let mut members = Vec::new();
        for id in ids {
            match self.of.insert(id, group) {
                None => members.push(id),
                // Its group may be in already.
                Some(old) => {
                    let old_members = self.groups.remove(&old).unwrap_or_default().0;
                    members.extend(
                        old_members
                            .into_iter()
                            .filter(|it| *it == id || self.of.get(it) == Some(&old)),
                    );
                }
            }
        }
        for &member in &members {
            self.of.insert(member, group);
        }
        let count = members.len();
        self.groups.insert(group, (members, count));
    }

    fn members(&self, group: u64) -> impl Iterator<Item = TxId> + '_ {
        let members = self.groups.get(&group);
        let members = members.into_iter().flat_map(|(members, _)| members);
        members
            .copied()
            .filter(move |id| self.of.get(id) == Some(&group))
    }

    fn untie(&mut self, id: TxId) {
        if let Some(group) = self.of.remove(&id)
            && let Some((_, count)) = self.groups.get_mut(&group)
        {
            *count -= 1;
            if *count == 0 {
                self.groups.remove(&group);
            }
        }
    }
}

impl Order {
    pub(super) fn memory_bytes(&self) -> usize {
        self.kept * AFTER_BYTES
    }

    /// A transaction was seen for the first time.
    pub(super) fn admit(&mut self, gtid: &Gtid, id: TxId) {
        if let Some(place) = in_domain(gtid) {
            self.domains.insert(place, id);
        }
    }

    /// The one before it in its domain, if that is not retired.
    fn before_in_domain(&self, gtid: &Gtid) -> Option<TxId> {
        let place = in_domain(gtid)?;
        let mut earlier = self.domains.range((place.0, 0, 0)..place);
        earlier.next_back().map(|(_, &id)| id)
    }
}

fn in_domain(gtid: &Gtid) -> Option<(u32, u64, u32)> {
    match *gtid {
        Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        } => Some((domain, sequence, server_id)),
        Gtid::MySql { .. } => None,
    }
}

impl Tracker {
    /// Keeps transactions that were judged together until all of them may go.
    pub(super) fn tie(&mut self, ids: impl Iterator<Item = TxId>) {
        self.order.ties.tie(ids);
    }

    /// Whether a transaction of which nothing is open goes at once.
    pub(super) fn goes_at_once(&self, id: TxId) -> bool {
        let tx = &self.txs[id];
        self.order.released.is_empty()
            && tx.holds == 0
            && !self.order.ties.of.contains_key(&id)
            && self.order.before_in_domain(&tx.gtid).is_none()
    }

    /// A transaction's touches of these keys were judged: whatever lets them go later comes after it, if it contends.
    pub(super) fn let_go(&mut self, id: TxId, keys: &[(KeyHash, Kind)]) {
        let Some(tx) = self.txs.get(id) else {
            return;
        };
        let txs = &self.txs;
        let name = (id, tx.serial);
        let is_before = |(place, serial): Name| {
            let other = txs
                .get(place)
                .filter(|it| it.serial == serial && place != id);
            other.is_some_and(|other| comes_before(other, tx))
        };
        let mut earlier = Vec::new();
        for &(key, kind) in keys {
            let released = self.order.released.entry(key).or_default();
            released.writes.retain(|&(other, other_kind)| {
                let before = other_kind.contends(kind) && is_before(other);
                if before {
                    earlier.push(other);
                }
                // What only refers to the key comes after what made it, and after no update.
                !before || kind == Kind::Reference || other_kind > kind
            });
            if kind == Kind::Existence {
                released.references.retain(|&place, &mut serial| {
                    let before = is_before((place, serial));
                    if before {
                        earlier.push((place, serial));
                    }
                    !before
                });
            }
            if kind == Kind::Reference {
                released.references.insert(id, name.1);
            } else {
                released.writes.push((name, kind));
            }
        }
        let after = self.after_mut(id);
        after.keys.extend(keys.iter().map(|(key, _)| *key));
        after.earlier.append(&mut earlier);
        after.earlier.sort_unstable();
        after.earlier.dedup();
    }

    fn after_mut(&mut self, id: TxId) -> &mut After {
        let kept = &mut self.order.kept;
        self.txs[id].after.get_or_insert_with(|| {
            *kept += 1;
            Box::default()
        })
    }

    /// Lets a transaction go once nothing of it is open, nor of those that must go before it or with it.
    pub(super) fn try_retire(&mut self, id: TxId) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if !self.is_done_with(id) {
                continue;
            }
            match self.to_retire(id) {
                Ok(mut ids) => {
                    ids.sort_by_key(|&id| self.txs[id].places[0]);
                    for id in ids {
                        let woken = self.retire(id);
                        open.extend(woken.into_iter().rev());
                    }
                }
                Err(on) => self.wait_for(id, on),
            }
        }
        if !self.ddls.is_empty() {
            self.end_ddls();
        }
    }

    /// A transaction of which nothing is open goes after another one, or with it.
    pub(super) fn wait_for(&mut self, id: TxId, on: TxId) {
        self.drop_idle_images(id);
        let name = (id, self.txs[id].serial);
        let serial = self.txs[on].serial;
        self.after_mut(id).blocked = Some((on, serial));
        self.after_mut(on).waiting.push(name);
    }

    /// All that must go before a transaction or with it; else one of them that is not done with.
    fn to_retire(&self, id: TxId) -> Result<Vec<TxId>, TxId> {
        let mut found = vec![id];
        let (mut seen, mut groups) = (SpreadSet::default(), SpreadSet::default());
        seen.insert(id);
        let mut at = 0;
        while let Some(&id) = found.get(at) {
            at += 1;
            let Some(tx) = self.txs.get(id) else {
                continue;
            };
            if !is_done(tx) {
                return Err(id);
            }
            let after = tx.after.as_deref();
            if let Some((on, serial)) = after.and_then(|after| after.blocked) {
                let open = |tx: &&Tx| tx.serial == serial && !is_done(tx);
                if self.txs.get(on).filter(open).is_some() {
                    return Err(on);
                }
            }
            let earlier = after.into_iter().flat_map(|after| &after.earlier);
            let alive = |&&(id, serial): &&Name| {
                let tx = self.txs.get(id);
                tx.is_some_and(|tx| tx.serial == serial)
            };
            let before = earlier.filter(alive).map(|&(id, _)| id);
            let group = self.order.ties.of.get(&id).copied();
            let with = group.filter(|&group| groups.insert(group));
            let with = with.into_iter();
            let with = with.flat_map(|group| self.order.ties.members(group));
            for other in before
                .chain(with)
                .chain(self.order.before_in_domain(&tx.gtid))
            {
                if seen.insert(other) {
                    found.push(other);
                }
            }
        }
        Ok(found)
    }

    fn is_done_with(&self, id: TxId) -> bool {
        self.txs.get(id).is_some_and(is_done)
    }

    /// Lets one go. Returns those that waited for it.
    fn retire(&mut self, id: TxId) -> Vec<TxId> {
        let Some(tx) = self.txs.remove(id) else {
            return Vec::new();
        };
        self.image_bytes -= tx.image_bytes;
        self.touches -= tx.keys.len();
        let woken = self.leave_order(id, &tx);
        self.outputs.push_back(Output::Retired(tx.gtid));
        woken
    }

    /// A transaction is not here any more. Returns those that waited for it.
    pub(super) fn leave_order(&mut self, id: TxId, tx: &Tx) -> Vec<TxId> {
        if let Some(place) = in_domain(&tx.gtid) {
            self.order.domains.remove(&place);
        }
        self.order.ties.untie(id);
        let Some(after) = &tx.after else {
            return Vec::new();
        };
        self.order.kept -= 1;
        for key in &after.keys {
            if let Some(released) = self.order.released.get_mut(key) {
                released.writes.retain(|&((other, _), _)| other != id);
                released.references.remove(&id);
                if released.writes.is_empty() && released.references.is_empty() {
                    self.order.released.remove(key);
                }
            }
        }
        let alive = |&&(id, serial): &&Name| {
            let tx = self.txs.get(id);
            tx.is_some_and(|tx| tx.serial == serial)
        };
        let waiting = after.waiting.iter().filter(alive);
        waiting.map(|&(id, _)| id).collect()
    }

    /// For lack of memory, those go that only wait for others. Whoever starts from a checkpoint that has them may be told
    /// of rows as they had been: the guard of a repair sees that.
    pub(super) fn retire_out_of_order(&mut self) {
        let done: Vec<TxId> = self
            .ages
            .iter()
            .filter(|&&(serial, id)| {
                let tx = self.txs.get(id);
                tx.is_some_and(|tx| tx.serial == serial && is_done(tx))
            })
            .map(|&(_, id)| id)
            .collect();
        for id in done {
            self.retire(id);
        }
    }
}

/// Whether nothing of it is open.
fn is_done(tx: &Tx) -> bool {
    tx.settled() && tx.live == 0 && tx.holds == 0
}
