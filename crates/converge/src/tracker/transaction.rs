//! One transaction as both logs show it.

use twinlog_binlog::{CommitTime, Gtid, Rows};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::{
    api::RepairMark,
    key::{KeyHash, SpreadMap},
    partial::Partial,
    retire::After,
    steps::Steps,
    table::TableId,
};
use crate::Side;

/// A transaction's place in [`Transactions`]; free for another one once it is retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TxId(pub(super) u32);

/// What a repair was chosen from.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// The names of the transactions, sorted.
    pub(super) names: Box<[KeyHash]>,
    /// How many writes they were: a transaction may have a part in several episodes.
    pub(super) writes: usize,
}

/// A transaction's place in one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The number of the transaction in this log, or of the next one there.
    pub(super) at: u64,
    /// `u64::MAX` for a transaction that is in the log; else its own sequence number: it was passed over there, before
    /// the transaction with this number and after those with smaller sequence numbers.
    pub(super) passed: u64,
}

/// What a log has of a transaction's rows.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// The transaction is not there yet.
    Absent,
    /// The same as the other log.
    Same,
    /// These.
    Rows(Box<[Rows]>),
    /// Their images were forgotten: a digest of them, and their tables.
    Forgotten(KeyHash, Box<[TableId]>),
}

/// Someone to look at again once a transaction is settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) tx: TxId,
    /// The key to look at; `None` for all.
    pub(super) key: Option<KeyHash>,
}

#[derive(Debug, Clone)]
pub(super) struct Tx {
    pub(super) gtid: Gtid,
    /// Its number among all that were ever seen.
    pub(super) serial: u64,
    pub(super) origin: Side,
    pub(super) committed: CommitTime,
    pub(super) repair: Option<RepairMark>,
    /// What a repair was chosen from; `None` where that is not known.
    pub(super) judged: Option<Judged>,
    pub(super) places: [Option<Place>; 2],
    pub(super) bodies: [Body; 2],
    /// The keys that it touched; those that it does not touch any more may still be here.
    pub(super) keys: Vec<KeyHash>,
    /// How many keys it still touches.
    pub(super) live: usize,
    /// Reasons not to retire it beside its keys: a prepared XA transaction's end, a definition's change.
    pub(super) holds: u32,
    /// The bytes of its images.
    pub(super) image_bytes: usize,
    pub(super) waiters: Vec<Waiter>,
    /// Its rows change by change, once someone had to look.
    pub(super) steps: Option<Box<Steps>>,
    /// The XA PREPARE whose end it is.
    pub(super) prepare: Option<TxId>,
    /// What keeps it from being retired.
    pub(super) after: Option<Box<After>>,
    /// If a log has only a part of what it did.
    pub(super) partial: Option<Box<Partial>>,
}

impl Tx {
    /// Whether what was committed then is another transaction: a copy has the commit time of what it is a copy of, to the
    /// microsecond, on MySQL since 8.0.1. Others do not tell.
    pub(super) fn is_namesake_of(&self, committed: CommitTime) -> bool {
        self.committed.exact && committed.exact && self.committed != committed
    }

    /// Whether both nodes have executed it.
    pub(super) fn settled(&self) -> bool {
        self.places[0].is_some() && self.places[1].is_some()
    }

    /// Whether it precedes another in a log. What is not there yet comes last; two that are not there have no order.
    pub(super) fn before(&self, other: &Self, log: Side) -> bool {
        match (self.places[log.index()], other.places[log.index()]) {
            (Some(mine), Some(other)) => mine < other,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Whether each of the two precedes the other in one of the logs.
    pub(super) fn inverted(&self, other: &Self) -> bool {
        (self.before(other, Side::A) && other.before(self, Side::B))
            || (self.before(other, Side::B) && other.before(self, Side::A))
    }

    /// Whether both logs have the same rows of it.
    pub(super) fn same(&self) -> bool {
        matches!(self.bodies[0], Body::Same) || matches!(self.bodies[1], Body::Same)
    }

    /// The rows that a log has of it.
    pub(super) fn rows(&self, log: Side) -> &[Rows] {
        match &self.bodies[log.index()] {
            Body::Rows(rows) => rows,
            Body::Same => match &self.bodies[log.peer().index()] {
                Body::Rows(rows) => rows,
                _ => &[],
            },
            Body::Absent | Body::Forgotten(..) => &[],
        }
    }

    pub(super) fn images_forgotten(&self) -> bool {
        self.bodies
            .iter()
            .any(|body| matches!(body, Body::Forgotten(..)))
    }
}

/// A hash of a GTID.
pub(super) fn name(gtid: &Gtid) -> KeyHash {
    match gtid {
        Gtid::MySql {
            uuid,
            tag: None,
            sequence,
        } => KeyHash::new(xxh3_128_with_seed(uuid, *sequence)),
        Gtid::MySql {
            uuid,
            tag: Some(tag),
            sequence,
        } => KeyHash::new(xxh3_128_with_seed(
            &[uuid, tag.as_bytes()].concat(),
            *sequence,
        )),
        Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        } => KeyHash::new(xxh3_128_with_seed(
            &((u64::from(*domain) << 32) | u64::from(*server_id)).to_le_bytes(),
            *sequence,
        )),
    }
}

/// All transactions that are not retired.
#[derive(Debug, Clone, Default)]
pub(super) struct Transactions {
    slots: Vec<Option<Box<Tx>>>,
    free: Vec<TxId>,
    by_gtid: SpreadMap<KeyHash, TxId>,
}

impl Transactions {
    pub(super) fn len(&self) -> usize {
        self.by_gtid.len()
    }

    pub(super) fn find(&self, gtid: &Gtid) -> Option<TxId> {
        self.by_gtid.get(&name(gtid)).copied()
    }

    /// Adds one.
    pub(super) fn add(&mut self, tx: Tx) -> TxId {
        let gtid = name(&tx.gtid);
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id.0 as usize] = Some(Box::new(tx));
                id
            }
            None => {
                self.slots.push(Some(Box::new(tx)));
                // 2^32 transactions in flight would take more memory than there is.
                TxId((self.slots.len() - 1) as u32)
            }
        };
        self.by_gtid.insert(gtid, id);
        id
    }

    pub(super) fn remove(&mut self, id: TxId) -> Option<Box<Tx>> {
        let tx = self.slots.get_mut(id.0 as usize)?.take()?;
        self.by_gtid.remove(&name(&tx.gtid));
        self.free.push(id);
        Some(tx)
    }

    pub(super) fn get(&self, id: TxId) -> Option<&Tx> {
        self.slots.get(id.0 as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: TxId) -> Option<&mut Tx> {
        self.slots.get_mut(id.0 as usize)?.as_deref_mut()
    }
}

impl std::ops::Index<TxId> for Transactions {
    type Output = Tx;

    fn index(&self, id: TxId) -> &Tx {
        self.get(id)
            .expect("a transaction stays until nothing names it any more")
    }
}

impl std::ops::IndexMut<TxId> for Transactions {
    fn index_mut(&mut self, id: TxId) -> &mut Tx {
        self.get_mut(id)
            .expect("a transaction stays until nothing names it any more")
    }
}
