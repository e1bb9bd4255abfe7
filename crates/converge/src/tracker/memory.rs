//! What is kept has a limit: past it images go first, then whole tables, and it is said.

use std::collections::BTreeSet;

use twinlog_binlog::Rows;
use xxhash_rust::xxh3::Xxh3;

use super::{
    Tracker,
    api::{Load, Output},
    graph::{EPISODE_CHANGES_MAX, Node},
    key::KeyHash,
    table::TableId,
    transaction::{Body, Tx, TxId, Waiter},
};
use crate::{Side, Verdict};

/// A transaction with its entries by name and by age.
const TX_BYTES: usize = size_of::<Tx>() + 160;

/// Memory is freed down to this part of the limit, in percent, so that it is not a matter of every transaction.
const RELIEF_PERCENT: usize = 90;

impl Tracker {
    /// The bytes of all that is kept.
    pub(super) fn memory_bytes(&self) -> usize {
        self.image_bytes
            + self.txs.len() * TX_BYTES
            + self.touches * size_of::<KeyHash>()
            + self.keys.memory_bytes()
            + self.abandoned.memory_bytes()
            + self.order.memory_bytes()
    }

    /// Keeps to the limit.
    pub(super) fn relieve(&mut self) {
        if self.memory_bytes() <= self.limits.memory_bytes {
            return;
        }
        // What is settled may go without a loss.
        self.run_work();
        self.clean_ages();
        self.keys.shrink();
        let wanted = self.limits.memory_bytes / 100 * RELIEF_PERCENT;
        if self.memory_bytes() > wanted {
            self.retire_out_of_order();
        }
        self.forget_images(wanted);
        while self.memory_bytes() > wanted {
            let counts = self.keys.by_table();
            let Some((&table, _)) = counts.iter().max_by_key(|&(&table, &count)| (count, table))
            else {
                break;
            };
            let limit = self.limits.memory_bytes;
            self.forget_table(
                TableId(table),
                &format!("what it has in flight takes more than the limit of {limit} bytes"),
            );
        }
        self.abandon(wanted);
    }

    /// Lets those go that wait longest and of which nothing is followed any more. The other node's log will show them
    /// yet: they are ignored there.
    fn abandon(&mut self, wanted: usize) {
        for at in 0..self.ages.len() {
            if self.memory_bytes() <= wanted {
                break;
            }
            let (serial, id) = self.ages[at];
            let idle =
                |tx: &&Tx| tx.serial == serial && !tx.settled() && tx.live == 0 && tx.holds == 0;
            if self.txs.get(id).filter(idle).is_none() {
                continue;
            }
            self.forget_partial(id, true);
            let Some(tx) = self.txs.remove(id) else {
                continue;
            };
            if let Some(stream) = super::stream(&tx.gtid) {
                for waiting in &mut self.waiting {
                    waiting.remove(&stream);
                }
            }
            self.image_bytes -= tx.image_bytes;
            self.touches -= tx.keys.len();
            let woken = self.leave_order(id, &tx);
            let woken = woken.into_iter().map(|tx| Waiter { tx, key: None });
            self.work.extend(woken);
            self.work.extend(tx.waiters);
            self.abandoned.insert(&tx.gtid);
            self.outputs.push_back(Output::Retired(tx.gtid));
        }
        self.clean_ages();
    }

    /// Forgets the images of those that wait longest. Those that both nodes have executed stay: they wait to be judged.
    fn forget_images(&mut self, wanted: usize) {
        let from = self
            .ages
            .partition_point(|&(serial, _)| serial < self.forgotten_before);
        for at in from..self.ages.len() {
            if self.memory_bytes() <= wanted {
                return;
            }
            let (serial, id) = self.ages[at];
            self.forgotten_before = serial + 1;
            if self
                .txs
                .get(id)
                .is_some_and(|tx| tx.serial == serial && !tx.settled())
            {
                self.forget_images_of(id);
            }
        }
    }

    fn forget_images_of(&mut self, id: TxId) {
        let tx = &self.txs[id];
        if tx.holds > 0 {
            return;
        }
        let Some(log) = Side::BOTH
            .into_iter()
            .find(|log| matches!(&tx.bodies[log.index()], Body::Rows(rows) if !rows.is_empty()))
        else {
            return;
        };
        let digest = digest(tx.rows(log));
        let tables: BTreeSet<TableId> = tx
            .rows(log)
            .iter()
            .map(|rows| self.tables.id(&super::table::name_of(&rows.table)))
            .collect();
        let tx = &mut self.txs[id];
        tx.judged = None;
        tx.bodies[log.index()] = Body::Forgotten(digest, tables.into_iter().collect());
        self.image_bytes -= std::mem::take(&mut tx.image_bytes);
    }

    /// Says that a table must be verified, and forgets all that is in flight of it.
    pub(super) fn forget_table(&mut self, table: TableId, reason: &str) {
        self.say_verify(table, self.serial, reason);
        self.forget_in_flight(table);
    }

    /// Forgets all that is in flight of a table. It may retire transactions: what is to be said of the table is said before,
    /// or an agent that dies between the two never says it.
    pub(super) fn forget_in_flight(&mut self, table: TableId) {
        self.tables.get_mut(table).since = self.serial;
        let mut freed = Vec::new();
        let txs = &mut self.txs;
        self.keys.forget_table(table, |touch| {
            txs[touch.tx].live -= 1;
            freed.push(touch.tx);
        });
        for id in freed {
            self.drop_idle_images(id);
            self.try_retire(id);
        }
    }

    /// Frees the memory of a transaction that touches nothing any more.
    pub(super) fn drop_idle_images(&mut self, id: TxId) {
        let Some(tx) = self.txs.get_mut(id).filter(|tx| tx.live == 0) else {
            return;
        };
        self.touches -= std::mem::take(&mut tx.keys).len();
        self.image_bytes -= std::mem::take(&mut tx.image_bytes);
        tx.judged = None;
        tx.steps = None;
        for body in &mut tx.bodies {
            if matches!(body, Body::Rows(_) | Body::Forgotten(..)) {
                *body = Body::Rows(Box::default());
            }
        }
    }

    /// Says that a table must be verified, unless that was said already after the transaction with this serial came.
    pub(super) fn say_verify(&mut self, table: TableId, serial: u64, reason: &str) {
        let next = self.serial.max(1);
        let info = self.tables.get_mut(table);
        if info.said > serial {
            return;
        }
        info.said = next;
        let table = info.name.clone();
        self.outputs.push_back(Output::Verdict(Verdict::ToVerify {
            table,
            reason: reason.to_owned(),
        }));
    }

    /// Tables are being compared: what cannot be followed from now on is said again, though it was said before.
    pub fn say_again(&mut self) {
        self.tables.say_again();
    }

    /// A transaction cannot be judged: its images were forgotten.
    pub(super) fn give_up(&mut self, id: TxId) {
        let tx = &mut self.txs[id];
        let (side, serial, keys) = (tx.origin, tx.serial, std::mem::take(&mut tx.keys));
        let reason = format!(
            "the images of {} were forgotten for lack of memory, and the nodes do not agree on it",
            tx.gtid
        );
        let mut tables = BTreeSet::new();
        for body in &tx.bodies {
            if let Body::Forgotten(_, forgotten) = body {
                tables.extend(forgotten.iter().copied());
            }
        }
        self.touches -= keys.len();
        for key in keys {
            tables.extend(self.keys.get(key).map(super::key::KeyState::table));
            let removed = self.keys.remove(key, id, side);
            self.txs[id].live -= usize::from(removed);
        }
        for table in tables {
            self.say_verify(table, serial, &reason);
        }
        self.try_retire(id);
    }

    /// Forgets the tables of keys that have more changes than can be judged, even in parts. Returns whether there are any.
    pub(super) fn forget_hot(&mut self, nodes: &[Node]) -> bool {
        if nodes.len() <= 2 * EPISODE_CHANGES_MAX {
            return false;
        }
        let mut tables = BTreeSet::new();
        for &node in nodes {
            let steps = self.txs.get(node.tx).and_then(|tx| tx.steps.as_ref());
            let atom = steps.and_then(|steps| steps.atoms.get(node.atom));
            let states = atom.into_iter().flat_map(|atom| &atom.keys);
            let states = states.filter_map(|(key, _)| self.keys.get(*key));
            let hot = states.filter(|state| state.writers() > 2 * EPISODE_CHANGES_MAX);
            tables.extend(hot.map(super::key::KeyState::table));
        }
        for &table in &tables {
            self.forget_table(table, super::TOO_HOT);
        }
        !tables.is_empty()
    }

    /// These are too many to be judged together.
    pub(super) fn give_up_nodes(&mut self, nodes: &[Node]) {
        let mut tables = BTreeSet::new();
        for &node in nodes {
            if self
                .txs
                .get(node.tx)
                .and_then(|tx| tx.steps.as_ref())
                .is_none()
            {
                continue;
            }
            let keys = self.atom_keys(node);
            tables.extend(
                keys.iter()
                    .filter_map(|&(key, _)| Some(self.keys.get(key)?.table())),
            );
            self.release(node);
        }
        for table in tables {
            self.say_verify(
                table,
                self.serial,
                "more changes of it had not seen each other than can be judged together",
            );
        }
        for &node in nodes {
            self.try_retire(node.tx);
        }
    }

    /// The log to read next so that the transaction that waits longest is settled: the one that has not shown it.
    /// Reading both logs evenly keeps memory low where both nodes have written much already.
    #[must_use]
    pub fn wants(&self) -> Option<Side> {
        let oldest = self.ages.iter().find_map(|&(serial, id)| {
            let tx = self.txs.get(id)?;
            (tx.serial == serial && !tx.settled()).then_some(tx)
        })?;
        Side::BOTH
            .into_iter()
            .find(|log| oldest.places[log.index()].is_none())
    }

    /// How much the tracker holds.
    #[must_use]
    pub fn load(&self) -> Load {
        let live = |&&(serial, id): &&(u64, TxId)| {
            self.txs
                .get(id)
                .is_some_and(|tx| tx.serial == serial && !tx.settled())
        };
        let oldest = self.ages.iter().find(live);
        let first = oldest.map_or(self.serial, |&(serial, _)| serial);
        let without_images = |&&(serial, id): &&(u64, TxId)| {
            let tx = self.txs.get(id);
            tx.is_some_and(|tx| tx.serial == serial && tx.images_forgotten())
        };
        Load {
            transactions: self.txs.len(),
            keys: self.keys.len(),
            memory_bytes: self.memory_bytes(),
            without_images: self
                .ages
                .iter()
                .take_while(|(serial, _)| *serial < self.forgotten_before)
                .filter(without_images)
                .count(),
            oldest_unsettled: oldest.map(|&(_, id)| self.txs[id].gtid.clone()),
            seen: self.seen,
            settled: self.settled,
            forgotten: self
                .tables
                .iter()
                .filter(|info| info.since > first)
                .map(|info| info.name.clone())
                .collect(),
        }
    }
}

/// Whether two logs have the same rows.
pub(super) fn same_rows(one: &[Rows], other: &[Rows]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.kind == other.kind
                && one.data == other.data
                && one.present == other.present
                && one.present_after == other.present_after
                && one.table.layout == other.table.layout
                && one.table.name == other.table.name
                && one.table.database == other.table.database
        })
}

/// A hash of all that [`same_rows`] compares.
pub(super) fn digest(rows: &[Rows]) -> KeyHash {
    let mut hash = Xxh3::new();
    for rows in rows {
        let table = &rows.table;
        hash.update(&table.layout.to_le_bytes());
        hash.update(&[rows.kind as u8]);
        for part in [
            table.database.as_bytes(),
            table.name.as_bytes(),
            &rows.present,
            &rows.present_after,
            &rows.data,
        ] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    KeyHash::new(hash.digest128())
}
