//! How far a comparison is, for whoever shows it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Counters that the comparison moves and others read.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    rows_estimated: AtomicU64,
    tables: AtomicU64,
    tables_all: AtomicU64,
    suspects: AtomicU64,
    found: AtomicU64,
    busy: AtomicU32,
    waits: AtomicBool,
}

/// [`Progress`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Rows compared.
    pub rows: u64,
    /// Rows there are, as the servers estimate.
    pub rows_estimated: u64,
    /// Tables compared.
    pub tables: u64,
    /// Tables to compare.
    pub tables_all: u64,
    /// Rows that differed when they were looked at, and of which it is not known yet whether that was only on its way.
    pub suspects: u64,
    /// Rows that differ.
    pub found: u64,
    /// Statements of others that run on the busier node: the more, the longer it rests.
    pub busy: u32,
    /// Whether it waits until a link has caught up.
    pub waits_for_links: bool,
}

impl Progress {
    /// How far it is.
    pub fn seen(&self) -> Seen {
        Seen {
            rows: self.rows.load(Relaxed),
            rows_estimated: self.rows_estimated.load(Relaxed),
            tables: self.tables.load(Relaxed),
            tables_all: self.tables_all.load(Relaxed),
            suspects: self.suspects.load(Relaxed),
            found: self.found.load(Relaxed),
            busy: self.busy.load(Relaxed),
            waits_for_links: self.waits.load(Relaxed),
        }
    }

    pub(super) fn expect(&self, tables: usize, rows: u64) {
        self.tables_all.store(tables as u64, Relaxed);
        self.rows_estimated.store(rows, Relaxed);
    }

    pub(super) fn compared(&self, rows: u64) {
        self.rows.fetch_add(rows, Relaxed);
    }

    pub(super) fn ended_table(&self) {
        self.tables.fetch_add(1, Relaxed);
    }

    pub(super) fn suspect(&self, rows: u64) {
        self.suspects.fetch_add(rows, Relaxed);
    }

    pub(super) fn judged(&self, suspects: u64, differ: u64) {
        self.suspects.fetch_sub(suspects, Relaxed);
        self.found.fetch_add(differ, Relaxed);
    }

    pub(super) fn busy(&self, statements: u32) {
        self.busy.store(statements, Relaxed);
    }

    /// How many statements of others run on the busier node.
    pub(super) fn others(&self) -> u32 {
        self.busy.load(Relaxed)
    }

    pub(super) fn waits_for_links(&self, waits: bool) {
        self.waits.store(waits, Relaxed);
    }
}
