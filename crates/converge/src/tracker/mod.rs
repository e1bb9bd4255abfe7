//! Follows both logs until what they did to a row is settled.

mod abandoned;
mod api;
mod contention;
mod ddl;
mod fold;
mod graph;
mod judge;
mod kept;
mod key;
mod memory;
mod partial;
mod retire;
mod settle;
mod statement;
mod steps;
mod table;
mod transaction;
mod unseen;
mod versions;
mod xa;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use twinlog_binlog::{Change, Gtid, Rows, Statement, Transaction};

pub use api::{Limits, Load, MEMORY_BYTES_DEFAULT, Output, RepairMark};
pub use ddl::Wipe;
pub use statement::Touched;
pub use xa::Unended;

pub(crate) use versions::same_version;

use crate::{Side, TableKeys, TableName};
use abandoned::Abandoned;
use ddl::Ddl;
use kept::Kept;
use key::{Keys, Touch};
use memory::{digest, same_rows};
use table::{Scratch, TableId, Tables, name_of};
use transaction::{Body, Place, Transactions, Tx, TxId, Waiter};

/// A transaction among those that one MariaDB server committed in one domain: they come in this order everywhere.
type Stream = (u32, u32, u64);

/// Why a table is not followed any more.
const TOO_HOT: &str = "both sides write one of its keys faster than it settles";

/// Follows both logs. See the crate's documentation.
#[derive(Debug, Clone)]
pub struct Tracker {
    limits: Limits,
    tables: Tables,
    keys: Keys,
    txs: Transactions,
    outputs: VecDeque<Output>,
    work: VecDeque<Waiter>,
    /// How many transactions each log showed.
    seen: [u64; 2],
    settled: [u64; 2],
    /// MariaDB's transactions that are not in a log yet.
    waiting: [BTreeMap<Stream, TxId>; 2],
    /// What is prepared in each log, by its xid.
    prepared: [HashMap<Bytes, xa::Prepared>; 2],
    ddls: Vec<Ddl>,
    renames: Vec<[TableName; 2]>,
    wipes: Vec<ddl::Wipe>,
    /// What keeps transactions from being retired.
    order: retire::Order,
    /// Transactions that were let go before both logs showed them, for lack of memory.
    abandoned: Abandoned,
    /// The number of the next transaction.
    serial: u64,
    /// All transactions by age; those that are retired may still be here.
    ages: VecDeque<(u64, TxId)>,
    /// The images of all older ones that are not settled were forgotten.
    forgotten_before: u64,
    /// The bytes of the images that are kept.
    image_bytes: usize,
    /// The length of all [`Tx::keys`] together.
    touches: usize,
    scratch: Scratch,
    /// What was said of and is not settled yet.
    kept: Kept,
    /// From so many changes that would be judged together on, long runs are taken as one.
    fold_from: usize,
}

impl Tracker {
    /// A tracker that has seen nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            tables: Tables::default(),
            keys: Keys::default(),
            txs: Transactions::default(),
            outputs: VecDeque::new(),
            work: VecDeque::new(),
            seen: [0; 2],
            settled: [0; 2],
            waiting: Default::default(),
            prepared: Default::default(),
            ddls: Vec::new(),
            renames: Vec::new(),
            wipes: Vec::new(),
            order: retire::Order::default(),
            abandoned: Abandoned::default(),
            serial: 0,
            ages: VecDeque::new(),
            forgotten_before: 0,
            image_bytes: 0,
            touches: 0,
            scratch: Scratch::default(),
            kept: Kept::default(),
            fold_from: kept::KEPT_CHANGES_MAX,
        }
    }

    /// The tables of a transaction of whose keys nothing is known, or not since their definition changed: load them from
    /// the node in whose log the transaction is, and say so with [`Self::set_keys`] before the transaction is pushed.
    pub fn unknown_tables(&mut self, tx: &Transaction) -> Vec<TableName> {
        let mut unknown = Vec::new();
        for change in &tx.changes {
            if let Change::Rows(rows) = change
                && self.tables.must_ask(&rows.table)
            {
                let name = name_of(&rows.table);
                if !unknown.contains(&name) {
                    unknown.push(name);
                }
            }
        }
        unknown
    }

    /// Says what the keys of a table are; `None` for a table that is not replicated: its rows are ignored.
    pub fn set_keys(&mut self, table: TableName, keys: Option<TableKeys>) {
        self.tables.set_keys(&table, keys);
    }

    /// The next transaction of a log. `origin` is the side where a client (or twinlog, then with `repair`) committed it.
    /// One that this log showed already is ignored, unless it is retired: a stream must begin after those.
    pub fn push(&mut self, log: Side, origin: Side, tx: Transaction, repair: Option<RepairMark>) {
        let (rows, statements) = split(tx.changes);
        let Some(gtid) = tx.gtid else {
            self.seen[log.index()] += 1;
            self.cannot_follow(&rows);
            return;
        };
        if self.abandoned.contains(&gtid) {
            self.seen[log.index()] += 1;
            return;
        }
        let known = self.txs.find(&gtid);
        if known.is_some_and(|id| self.txs[id].places[log.index()].is_some()) {
            return;
        }
        self.seen[log.index()] += 1;
        let id = known.unwrap_or_else(|| self.admit(gtid, origin, tx.committed));
        let at = self.seen[log.index()];
        let entry = &mut self.txs[id];
        let is_namesake = entry.is_namesake_of(tx.committed);
        entry.places[log.index()] = Some(Place {
            at,
            passed: u64::MAX,
        });
        if log == origin {
            // Only here the time is the commit's on every server: a copy has that of the last statement.
            entry.committed = tx.committed;
        }
        if let (None, Some(mark)) = (&entry.repair, repair) {
            self.mark(id, mark);
        }
        let (rows, size_bytes) = self.with_xa(id, log, tx.xa, rows, tx.size_bytes);
        self.note_images(id, &rows);
        self.add_body(id, log, rows, size_bytes);
        if is_namesake {
            self.note_namesake(id);
        }
        for statement in statements {
            self.statement(id, &statement);
        }
        self.pass_by_order(id, log, at);
        if self.txs[id].settled() {
            self.settle(id);
        }
        self.forget_partial(id, self.txs[id].settled());
        if let Some(table) = self.keys.take_too_hot() {
            self.forget_table(table, TOO_HOT);
        }
        self.relieve();
    }

    /// A node has executed these transactions of its peer, although its log has nothing of them and will have nothing.
    /// Call it only when all that the node's log held when it was asked was pushed.
    pub fn passed(&mut self, log: Side, executed: &dyn Fn(&Gtid) -> bool) {
        let at = self.seen[log.index()] + 1;
        let ids: Vec<TxId> = self
            .ages
            .iter()
            .filter(|&&(serial, id)| {
                self.txs.get(id).is_some_and(|tx| {
                    tx.serial == serial
                        && tx.origin == log.peer()
                        && tx.places[log.index()].is_none()
                        && executed(&tx.gtid)
                })
            })
            .map(|&(_, id)| id)
            .collect();
        for id in ids {
            self.pass(id, log, at);
        }
    }

    /// The next thing that the tracker has to say. What is settled is judged only here, with all that was pushed until
    /// then: a reader that catches up pushes first and asks afterwards, and so hears nothing that is not so any more.
    pub fn next_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.run_work();
            self.clean_ages();
        }
        self.outputs.pop_front()
    }

    /// A transaction that no log showed before.
    fn admit(&mut self, gtid: Gtid, origin: Side, committed: twinlog_binlog::CommitTime) -> TxId {
        let serial = self.serial;
        self.serial += 1;
        let name = gtid.clone();
        let id = self.txs.add(Tx {
            gtid,
            serial,
            origin,
            committed,
            repair: None,
            judged: None,
            places: [None; 2],
            bodies: [Body::Absent, Body::Absent],
            keys: Vec::new(),
            live: 0,
            holds: 0,
            image_bytes: 0,
            waiters: Vec::new(),
            steps: None,
            prepare: None,
            partial: None,
            after: None,
        });
        self.order.admit(&name, id);
        self.ages.push_back((serial, id));
        id
    }

    /// What a log has of a transaction's rows.
    fn add_body(&mut self, id: TxId, log: Side, rows: Box<[Rows]>, size_bytes: usize) {
        let tx = &mut self.txs[id];
        let (same, first) = match &tx.bodies[log.peer().index()] {
            Body::Absent => (false, true),
            Body::Rows(other) => (same_rows(other, &rows), false),
            Body::Forgotten(other, _) => (*other == digest(&rows), false),
            Body::Same => (false, false),
        };
        if same {
            tx.bodies[log.index()] = Body::Same;
            return;
        }
        self.touch(id, &rows, !first);
        let tx = &mut self.txs[id];
        tx.image_bytes += size_bytes;
        self.image_bytes += size_bytes;
        tx.bodies[log.index()] = Body::Rows(rows);
    }

    /// Notes all keys that rows touch. `known` says that the transaction may have touched them before.
    fn touch(&mut self, id: TxId, rows: &[Rows], known: bool) {
        for rows in rows {
            let (table, plan) = self.tables.plan(&rows.table);
            let Some(plan) = plan else {
                continue;
            };
            if self.tables.get(table).since > self.txs[id].serial {
                continue;
            }
            let problem = if plan.names_rows() {
                self.touch_rows(id, rows, &plan, known)
            } else {
                Some("it has no key that tells its rows apart".to_owned())
            };
            if let Some(problem) = problem {
                self.say_once(table, &problem);
            }
        }
    }

    /// Returns why the rows cannot be followed.
    #[inline]
    fn touch_rows(
        &mut self,
        id: TxId,
        rows: &Rows,
        plan: &table::Plan,
        known: bool,
    ) -> Option<String> {
        let tx = &mut self.txs[id];
        let (serial, origin) = (tx.serial, tx.origin);
        let (mut keys, mut live) = (std::mem::take(&mut tx.keys), tx.live);
        let old = keys.len();
        let mut problem = None;
        for change in rows.changes() {
            let change = match change {
                Ok(change) => change,
                Err(error) => {
                    problem = Some(error.to_string());
                    break;
                }
            };
            let (all, txs, tables) = (&mut self.keys, &self.txs, &self.tables);
            let result = plan.touched(&change, &mut self.scratch, |touched| {
                if tables.get(touched.table).since > serial {
                    return;
                }
                let touch = Touch {
                    tx: id,
                    kind: touched.kind,
                };
                let side_of = |other| {
                    if other == id {
                        origin
                    } else {
                        txs[other].origin
                    }
                };
                let precedes = |one: TxId, other: TxId| {
                    let (one, other) = (&txs[one], &txs[other]);
                    one.origin == other.origin && one.before(other, one.origin)
                };
                if all.touch(touched.key, touched.table, touch, known, side_of, precedes) {
                    keys.push(touched.key);
                    live += 1;
                }
            });
            match result {
                Ok(true) => {}
                Ok(false) => {
                    problem = Some("a row in the log has no value for its key".to_owned());
                }
                Err(error) => {
                    problem = Some(error.to_string());
                    break;
                }
            }
        }
        self.touches += keys.len() - old;
        let tx = &mut self.txs[id];
        tx.keys = keys;
        tx.live = live;
        problem
    }

    /// MariaDB's log does not have a transaction of which nothing was left. A later one of the same server and domain
    /// in the log says that it was passed.
    fn pass_by_order(&mut self, id: TxId, log: Side, at: u64) {
        let tx = &self.txs[id];
        let Some(stream) = stream(&tx.gtid) else {
            return;
        };
        let (domain, server, sequence) = stream;
        let (origin, peer) = (tx.origin, log.peer());
        let missing = tx.places[peer.index()].is_none();
        let waiting = &mut self.waiting[log.index()];
        waiting.remove(&stream);
        let earlier: Vec<TxId> = waiting
            .range((domain, server, 0)..stream)
            .map(|(_, &id)| id)
            .collect();
        let later = waiting
            .range((domain, server, sequence)..=(domain, server, u64::MAX))
            .next()
            .map(|(_, &id)| id);
        for other in earlier {
            if self.txs[other].origin == peer {
                self.pass(other, log, at);
            }
        }
        if !missing {
            return;
        }
        // Where a later one is in the other log already, this one was passed just before it.
        let later = later.and_then(|later| self.txs[later].places[peer.index()]);
        match later.filter(|_| origin == log) {
            Some(place) => {
                let at = place.at;
                self.waiting[peer.index()].remove(&stream);
                let tx = &mut self.txs[id];
                tx.places[peer.index()] = Some(Place {
                    at,
                    passed: sequence,
                });
                let empty = tx.rows(log).is_empty();
                tx.bodies[peer.index()] = if empty {
                    Body::Same
                } else {
                    Body::Rows(Box::default())
                };
            }
            None => {
                self.waiting[peer.index()].insert(stream, id);
            }
        }
    }

    /// Rows of a transaction without a name: nothing tells it in the other log.
    fn cannot_follow(&mut self, rows: &[Rows]) {
        for rows in rows {
            let (table, plan) = self.tables.plan(&rows.table);
            if plan.is_some() {
                self.say_once(table, "a transaction in the log changed it without a GTID");
            }
        }
    }

    /// Says that a table must be verified, once.
    fn say_once(&mut self, table: TableId, reason: &str) {
        if self.tables.get(table).said == 0 {
            self.say_verify(table, 0, reason);
        }
    }

    fn clean_ages(&mut self) {
        while let Some(&(serial, id)) = self.ages.front() {
            if self.txs.get(id).is_some_and(|tx| tx.serial == serial) {
                break;
            }
            self.ages.pop_front();
        }
        // One that stays long must not keep the places of all that came after it.
        if self.ages.len() > 2 * self.txs.len() + 1024 {
            let txs = &self.txs;
            self.ages
                .retain(|&(serial, id)| txs.get(id).is_some_and(|tx| tx.serial == serial));
        }
    }
}

/// A MariaDB transaction's stream and its number there.
fn stream(gtid: &Gtid) -> Option<Stream> {
    match *gtid {
        Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        } => Some((domain, server_id, sequence)),
        Gtid::MySql { .. } => None,
    }
}

/// A transaction's number on its server.
fn sequence(gtid: &Gtid) -> u64 {
    match *gtid {
        Gtid::MySql { sequence, .. } | Gtid::MariaDb { sequence, .. } => sequence,
    }
}

fn split(changes: Vec<Change>) -> (Vec<Rows>, Vec<Statement>) {
    let mut rows = Vec::with_capacity(changes.len());
    let mut statements = Vec::new();
    for change in changes {
        match change {
            Change::Rows(change) => rows.push(change),
            Change::Statement(statement) => statements.push(statement),
        }
    }
    (rows, statements)
}
