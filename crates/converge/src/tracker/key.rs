//! Keys as hashes, and who touches them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hash, Hasher},
};

use super::{table::TableId, transaction::TxId};
use crate::Side;

/// A key's hash: of its table, its columns, and their bytes. 128 bits: no two keys of a pair's lifetime share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyHash([u64; 2]);

impl KeyHash {
    pub(super) fn new(hash: u128) -> Self {
        Self([hash as u64, (hash >> 64) as u64])
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

/// A hasher for what is a hash (or a small number) already: one multiplication.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread(u64);

/// 2^64 divided by the golden ratio, odd: spreads neighbouring numbers (Knuth, TAOCP 3, 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(GOLDEN);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

pub(super) type SpreadMap<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;
pub(super) type SpreadSet<K> = HashSet<K, BuildHasherDefault<Spread>>;

/// What a change does with a key. Of several, the strongest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Its row refers to the row that has the key.
    Reference,
    /// It changes the row that has the key, which keeps it.
    Update,
    /// The key appears or goes.
    Existence,
}

impl Kind {
    /// Whether the order of two such touches matters.
    pub(super) fn contends(self, other: Self) -> bool {
        match (self, other) {
            (Self::Reference, other) | (other, Self::Reference) => other == Self::Existence,
            _ => true,
        }
    }
}

/// One transaction's touch of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) tx: TxId,
    pub(super) kind: Kind,
}

/// Who touches a key. Nearly all keys have one toucher at a time: it takes no memory beside the map.
#[derive(Debug, Clone)]
pub(super) enum KeyState {
    One { table: TableId, touch: Touch },
    Many(Box<Many>),
}

/// The touchers of a busy key.
#[derive(Debug, Clone)]
pub(super) struct Many {
    pub(super) table: TableId,
    /// Those that are more than references: of each side in the order in which they were committed.
    pub(super) writes: VecDeque<Touch>,
    pub(super) references: SpreadSet<TxId>,
    /// How many of each side write it.
    pub(super) writes_of: [u32; 2],
    /// How many of each side make it appear or go.
    pub(super) existences_of: [u32; 2],
}

impl Many {
    fn new(table: TableId) -> Self {
        Self {
            table,
            writes: VecDeque::new(),
            references: SpreadSet::default(),
            writes_of: [0; 2],
            existences_of: [0; 2],
        }
    }

    /// Adds a touch, or makes the transaction's one stronger. Returns whether it is new. `known` says that the
    /// transaction may have touched the key already with others in between; `precedes`, whether it comes before another
    /// of its side: a log that is read ahead shows copies of which nothing is left of this key, and then what came later.
    fn add(
        &mut self,
        touch: Touch,
        side: Side,
        known: bool,
        precedes: impl Fn(TxId, TxId) -> bool,
    ) -> bool {
        let mut at = self.writes.len();
        while at > 0 && precedes(touch.tx, self.writes[at - 1].tx) {
            at -= 1;
        }
        let found = if known {
            self.writes.iter_mut().find(|old| old.tx == touch.tx)
        } else {
            let last = at.checked_sub(1).and_then(|at| self.writes.get_mut(at));
            last.filter(|old| old.tx == touch.tx)
        };
        if let Some(old) = found {
            if touch.kind > old.kind {
                old.kind = touch.kind;
                self.existences_of[side.index()] += u32::from(touch.kind == Kind::Existence);
            }
            return false;
        }
        if touch.kind == Kind::Reference {
            return self.references.insert(touch.tx);
        }
        self.writes.insert(at, touch);
        self.writes_of[side.index()] += 1;
        self.existences_of[side.index()] += u32::from(touch.kind == Kind::Existence);
        !self.references.remove(&touch.tx)
    }

    fn remove(&mut self, tx: TxId, side: Side) -> bool {
        if let Some(at) = self.writes.iter().position(|touch| touch.tx == tx) {
            let touch = self.writes.remove(at);
            self.writes_of[side.index()] -= 1;
            let existence = touch.is_some_and(|touch| touch.kind == Kind::Existence);
            self.existences_of[side.index()] -= u32::from(existence);
            return true;
        }
        self.references.remove(&tx)
    }

    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.references.is_empty()
    }

    /// Whether a settled transaction's touch can go without a look at anything else: no other side has a say in this
    /// key, and nothing of its own side that came before is still here.
    fn frees(&self, tx: TxId, side: Side) -> bool {
        let Some(first) = self.writes.front() else {
            return true;
        };
        if self.references.contains(&tx) {
            return self.existences_of == [0; 2];
        }
        first.tx == tx
            && self.writes_of[side.peer().index()] == 0
            && (first.kind == Kind::Update || self.references.is_empty())
    }
}

impl KeyState {
    /// How many write it.
    pub(super) fn writers(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::Many(many) => many.writes.len(),
        }
    }

    /// Whether anyone makes it appear or go.
    pub(super) fn has_existences(&self) -> bool {
        match self {
            Self::One { touch, .. } => touch.kind == Kind::Existence,
            Self::Many(many) => many.existences_of != [0; 2],
        }
    }

    pub(super) fn table(&self) -> TableId {
        match self {
            Self::One { table, .. } => *table,
            Self::Many(many) => many.table,
        }
    }

    /// All touches, the latest writes first.
    pub(super) fn touches(&self) -> impl Iterator<Item = Touch> + Clone + '_ {
        let (one, many) = match self {
            Self::One { touch, .. } => (Some(*touch), None),
            Self::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|many| {
            let references = many.references.iter().map(|&tx| Touch {
                tx,
                kind: Kind::Reference,
            });
            many.writes.iter().rev().copied().chain(references)
        }))
    }
}

/// All keys that are touched.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    map: SpreadMap<KeyHash, KeyState>,
    /// How many of them are [`KeyState::Many`].
    busy: usize,
    /// The touches of those.
    busy_touches: usize,
    /// A table with a key that both sides write more often than can be judged.
    too_hot: Option<TableId>,
}

/// A key that both sides write has no more writes in flight than this: an hour of 18 a second on each side. What is judged
/// together has its own limit, but long runs of one side count as two there. It bounds the time: each copy is looked for
/// among them.
const KEY_WRITES_MAX: usize = 1 << 17;

/// A key's entry in the map, with the map's own byte, at the map's usual fill of two thirds.
const KEY_BYTES: usize = (size_of::<(KeyHash, KeyState)>() + 1) * 3 / 2;

/// A busy key with its lists.
const BUSY_BYTES: usize = size_of::<Many>() + 64;

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn get(&self, key: KeyHash) -> Option<&KeyState> {
        self.map.get(&key)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        // The map does not give memory back by itself: see `shrink`.
        let map = self.map.len().max(self.map.capacity() / 2);
        map * KEY_BYTES + self.busy * BUSY_BYTES + self.busy_touches * 2 * size_of::<Touch>()
    }

    /// The table of a key that became too hot since this was asked last.
    pub(super) fn take_too_hot(&mut self) -> Option<TableId> {
        self.too_hot.take()
    }

    /// Adds a touch. Returns whether the transaction had none of this key.
    #[inline]
    pub(super) fn touch(
        &mut self,
        key: KeyHash,
        table: TableId,
        touch: Touch,
        known: bool,
        side_of: impl Fn(TxId) -> Side,
        precedes: impl Fn(TxId, TxId) -> bool,
    ) -> bool {
        use std::collections::hash_map::Entry;
        let state = match self.map.entry(key) {
            Entry::Vacant(free) => {
                free.insert(KeyState::One { table, touch });
                return true;
            }
            Entry::Occupied(taken) => taken.into_mut(),
        };
        let added = match state {
            KeyState::One { touch: old, .. } if old.tx == touch.tx => {
                old.kind = old.kind.max(touch.kind);
                return false;
            }
            KeyState::One { touch: old, .. } => {
                let mut many = Box::new(Many::new(table));
                many.add(*old, side_of(old.tx), false, &precedes);
                many.add(touch, side_of(touch.tx), false, &precedes);
                *state = KeyState::Many(many);
                self.busy += 1;
                self.busy_touches += 1;
                true
            }
            KeyState::Many(many) => {
                let added = many.add(touch, side_of(touch.tx), known, precedes);
                if many.writes.len() > KEY_WRITES_MAX && many.writes_of.iter().all(|&of| of > 0) {
                    self.too_hot = Some(many.table);
                }
                added
            }
        };
        self.busy_touches += usize::from(added && self.busy > 0);
        added
    }

    /// Takes a touch away. Returns whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, key: KeyHash, tx: TxId, side: Side) -> bool {
        use std::collections::hash_map::Entry;
        let Entry::Occupied(mut entry) = self.map.entry(key) else {
            return false;
        };
        match entry.get_mut() {
            KeyState::One { touch, .. } if touch.tx == tx => {
                entry.remove();
                true
            }
            KeyState::One { .. } => false,
            KeyState::Many(many) => {
                let removed = many.remove(tx, side);
                self.busy_touches -= usize::from(removed);
                if many.is_empty() {
                    self.busy -= 1;
                    entry.remove();
                }
                removed
            }
        }
    }

    /// Takes the writes of these transactions of one side away, each of which has one.
    pub(super) fn remove_all(&mut self, key: KeyHash, txs: &SpreadSet<TxId>, side: Side) {
        if let Some(KeyState::Many(many)) = self.map.get_mut(&key) {
            let before = many.writes.len();
            many.writes.retain(|touch| !txs.contains(&touch.tx));
            let removed = before - many.writes.len();
            many.writes_of[side.index()] -= removed as u32;
            self.busy_touches -= removed;
            // References of the same transactions.
            let referred = many.references.len();
            many.references.retain(|tx| !txs.contains(tx));
            self.busy_touches -= referred - many.references.len();
        }
    }

    /// What a transaction does with a key; of one that is first there, or refers to it.
    pub(super) fn kind_of(&self, key: KeyHash, tx: TxId) -> Option<Kind> {
        let mut touches = self.map.get(&key)?.touches();
        match self.map.get(&key)? {
            KeyState::Many(many) if many.references.contains(&tx) => Some(Kind::Reference),
            KeyState::Many(many) => {
                let first = many.writes.front().filter(|touch| touch.tx == tx);
                first.map(|touch| touch.kind)
            }
            KeyState::One { .. } => touches.find(|touch| touch.tx == tx).map(|touch| touch.kind),
        }
    }

    /// Whether a settled transaction's touch can go by itself: see [`Many::frees`].
    #[inline]
    pub(super) fn frees(&self, key: KeyHash, tx: TxId, side: Side) -> bool {
        match self.map.get(&key) {
            None | Some(KeyState::One { .. }) => true,
            Some(KeyState::Many(many)) => many.frees(tx, side),
        }
    }

    /// How many keys each table has.
    pub(super) fn by_table(&self) -> SpreadMap<u32, usize> {
        let mut counts = SpreadMap::default();
        for state in self.map.values() {
            *counts.entry(state.table().0).or_default() += 1;
        }
        counts
    }

    /// Forgets all keys of a table; `gone` is called for every touch.
    pub(super) fn forget_table(&mut self, table: TableId, mut gone: impl FnMut(Touch)) {
        let (mut busy, mut busy_touches) = (0, 0);
        self.map.retain(|_, state| {
            if state.table() != table {
                return true;
            }
            let mut count = 0;
            for touch in state.touches() {
                gone(touch);
                count += 1;
            }
            if matches!(state, KeyState::Many(_)) {
                busy += 1;
                busy_touches += count;
            }
            false
        });
        self.busy -= busy;
        self.busy_touches -= busy_touches;
        self.shrink();
    }

    /// Gives memory back once most of it is free.
    pub(super) fn shrink(&mut self) {
        /// Below this many keys it is not worth it.
        const KEPT: usize = 1 << 16;
        if self.map.capacity() > KEPT && self.map.capacity() / 8 > self.map.len() {
            self.map.shrink_to(KEPT.max(self.map.len() * 2));
        }
    }
}
