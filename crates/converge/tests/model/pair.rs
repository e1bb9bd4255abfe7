//! Two nodes, their links, and who had seen what.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use twinlog_binlog::Gtid;
use twinlog_converge::Side;

use crate::{
    node::{self, Do, Stamp},
    schema::{Change, Row, State, Table},
    wire,
};

/// How a server logs what it skipped, and how exact its times are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    /// An empty transaction; microseconds.
    MySql,
    /// Nothing; seconds.
    MariaDb,
}

/// A transaction's number in [`Pair::transactions`].
pub(crate) type Id = usize;

/// When and where a version was first committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) micros: u64,
    pub(crate) origin: Side,
}

/// What is known of a transaction from its origin.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) origin: Side,
    /// Its number among the origin's.
    pub(crate) sequence: u64,
    pub(crate) micros: u64,
    pub(crate) changes: Arc<[Change]>,
    /// What each change wrote; empty for a repair.
    pub(crate) stamps: Vec<Stamp>,
    /// twinlog's own: the version that it carries.
    pub(crate) repair: Option<Mark>,
    /// What a repair was chosen from.
    pub(crate) judged: Arc<[Gtid]>,
    /// Its place among all that each node executed, also where the log has nothing of it.
    pub(crate) place: [Option<usize>; 2],
    /// What each node's log says of it; `None` where it has nothing.
    pub(crate) logged: [Option<Arc<[Change]>>; 2],
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) state: State,
    pub(crate) log: Vec<Id>,
    /// How many transactions of either side it has executed.
    pub(crate) executed: [u64; 2],
    /// How many it has executed in all.
    places: usize,
    /// Whether its link (from the other node) runs.
    pub(crate) linked: bool,
    /// How much of the other's log its link has applied.
    applied: usize,
}

/// Both.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) schema: Arc<[Table]>,
    pub(crate) flavour: Flavour,
    pub(crate) nodes: [Node; 2],
    pub(crate) transactions: Vec<Transaction>,
    /// Those of either side, in their order there.
    pub(crate) by_origin: [Vec<Id>; 2],
    /// Microseconds.
    pub(crate) now: u64,
    /// How far each node's clock is ahead.
    pub(crate) skew: [u64; 2],
    /// The number of the next client's change.
    pub(crate) stamp: i32,
}

/// When the model's time begins, in microseconds.
const START_US: u64 = 1_700_000_000_000_000;

impl Pair {
    pub(crate) fn new(schema: Arc<[Table]>, flavour: Flavour, skew: [u64; 2]) -> Self {
        let node = Node {
            state: State::new(schema.len()),
            log: Vec::new(),
            executed: [0; 2],
            places: 0,
            linked: true,
            applied: 0,
        };
        Self {
            schema,
            flavour,
            nodes: [node.clone(), node],
            transactions: Vec::new(),
            by_origin: [const { Vec::new() }; 2],
            now: START_US,
            skew,
            stamp: 1,
        }
    }

    /// A client's transaction: what the keys forbid is refused and left out, as by a client that goes on. Says whether
    /// anything was committed.
    pub(crate) fn client(&mut self, side: Side, statements: &[Do]) -> bool {
        let node = &mut self.nodes[side.index()];
        let (mut changes, mut stamps) = (Vec::new(), Vec::new());
        for &statement in statements {
            let Ok((change, stamp)) = node::intent(&node.state, statement, self.stamp) else {
                continue;
            };
            if change.before != change.after && node.state.change(&self.schema, &change).is_ok() {
                changes.push(change);
                stamps.push(stamp);
                self.stamp += 1;
            }
        }
        if changes.is_empty() {
            return false;
        }
        self.commit(side, changes, stamps, None);
        true
    }

    /// A repair that was made on a copy of the node's state.
    pub(crate) fn repair(
        &mut self,
        side: Side,
        state: State,
        changes: Vec<Change>,
        mark: Mark,
        judged: Arc<[Gtid]>,
    ) {
        self.nodes[side.index()].state = state;
        let id = self.commit(side, changes, Vec::new(), Some(mark));
        self.transactions[id].judged = judged;
    }

    fn commit(
        &mut self,
        side: Side,
        changes: Vec<Change>,
        stamps: Vec<Stamp>,
        repair: Option<Mark>,
    ) -> Id {
        self.now += 1;
        let at = side.index();
        let node = &mut self.nodes[at];
        node.executed[at] += 1;
        let clock = self.now + self.skew[at];
        let changes: Arc<[Change]> = changes.into();
        let mut transaction = Transaction {
            origin: side,
            sequence: node.executed[at],
            micros: match self.flavour {
                Flavour::MySql => clock,
                Flavour::MariaDb => clock / 1_000_000 * 1_000_000,
            },
            changes: Arc::clone(&changes),
            stamps,
            repair,
            judged: Arc::new([]),
            place: [None; 2],
            logged: [const { None }; 2],
        };
        transaction.place[at] = Some(node.places);
        transaction.logged[at] = Some(changes);
        node.places += 1;
        node.log.push(self.transactions.len());
        self.by_origin[at].push(self.transactions.len());
        self.transactions.push(transaction);
        self.transactions.len() - 1
    }

    /// The next transaction that a node's link has to apply, and how much of the log it has applied then.
    fn next(&self, side: Side) -> Option<(Id, usize)> {
        let applied = self.nodes[side.index()].applied;
        let log = &self.nodes[side.peer().index()].log[applied..];
        let at = log
            .iter()
            .position(|&id| self.transactions[id].origin != side)?;
        Some((log[at], applied + at + 1))
    }

    /// Whether a node's link has something to apply.
    pub(crate) fn has_to_apply(&self, side: Side) -> bool {
        self.next(side).is_some()
    }

    /// A node's link applies one transaction. Says whether there was one.
    pub(crate) fn apply(&mut self, side: Side) -> bool {
        let at = side.index();
        if !self.nodes[at].linked {
            return false;
        }
        let Some((id, applied)) = self.next(side) else {
            return false;
        };
        let node = &mut self.nodes[at];
        node.applied = applied;
        let transaction = &mut self.transactions[id];
        let logged = node::apply(
            self.flavour,
            &mut node.state,
            &self.schema,
            &transaction.changes,
        );
        transaction.place[at] = Some(node.places);
        node.places += 1;
        node.executed[side.peer().index()] += 1;
        // A repair writes its history row, which is never skipped.
        if self.flavour == Flavour::MySql || !logged.is_empty() || transaction.repair.is_some() {
            transaction.logged[at] = Some(logged.into());
            node.log.push(id);
        }
        true
    }

    /// The transaction of that name.
    pub(crate) fn named(&self, gtid: &Gtid) -> Id {
        let (origin, sequence) = wire::origin(gtid);
        self.by_origin[origin.index()][usize::try_from(sequence).expect("a number") - 1]
    }

    /// Whether two transactions of different sides had not seen each other.
    pub(crate) fn concurrent(&self, a: Id, b: Id) -> bool {
        let (a, b) = (&self.transactions[a], &self.transactions[b]);
        let later = |x: Option<usize>, y: Option<usize>| match (x, y) {
            (Some(x), Some(y)) => x > y,
            (None, Some(_)) => true,
            _ => false,
        };
        let (on_a, on_b) = (a.origin.index(), b.origin.index());
        a.origin != b.origin
            && later(b.place[on_a], a.place[on_a])
            && later(a.place[on_b], b.place[on_b])
    }

    /// Whether `later` had seen `earlier` when it was committed.
    pub(crate) fn had_seen(&self, later: Id, earlier: Id) -> bool {
        let origin = self.transactions[later].origin.index();
        match (
            self.transactions[earlier].place[origin],
            self.transactions[later].place[origin],
        ) {
            (Some(earlier), Some(later)) => earlier < later,
            _ => false,
        }
    }
}

impl Pair {
    /// What the nodes and their logs hold, what had seen what, and how far the links are.
    pub(crate) fn fingerprint(&self, hasher: &mut impl Hasher) {
        for node in &self.nodes {
            (&node.state, &node.log, node.executed, node.applied).hash(hasher);
        }
        for it in &self.transactions {
            (
                it.origin,
                it.micros,
                &it.changes,
                it.repair,
                it.judged.len(),
                it.place,
                &it.logged,
            )
                .hash(hasher);
        }
    }
}

/// Both logs, for people.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for side in Side::BOTH {
            writeln!(f, "log of {side:?}:")?;
            for &id in &self.nodes[side.index()].log {
                let it = &self.transactions[id];
                let repair = if it.repair.is_some() {
                    ", a repair"
                } else {
                    ""
                };
                write!(
                    f,
                    "  {:?}{} at {}{repair}:",
                    it.origin,
                    it.sequence,
                    it.micros - START_US
                )?;
                for change in it.logged[side.index()].as_deref().unwrap_or_default() {
                    write!(
                        f,
                        " t{} {} → {};",
                        change.table,
                        shown(change.before),
                        shown(change.after)
                    )?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

fn shown(row: Option<Row>) -> String {
    let cell = |cell: Option<i32>| cell.map_or("·".into(), |number| number.to_string());
    row.map_or("gone".into(), |row| {
        format!("({})", row.map(cell).join(","))
    })
}
