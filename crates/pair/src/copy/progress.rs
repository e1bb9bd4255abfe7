//! How far a copy is, and how fast it may go.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use twinlog_row::TableInfo;

/// What the copy counts and others read.
#[derive(Debug)]
pub struct Counters {
    began: Instant,
    rows: AtomicU64,
    /// Of those, rows that a run before this one had copied.
    found: AtomicU64,
    bytes: AtomicU64,
    rows_estimated: AtomicU64,
    tables: AtomicU64,
    tables_all: AtomicU64,
    finishing: AtomicBool,
    /// What is being done.
    what: &'static str,
    /// How many bytes a second may be copied.
    rate_max: Option<u64>,
    /// When the next bytes may be.
    next: Mutex<Instant>,
    /// Tables of which some documents are not what they were.
    changed: Mutex<BTreeSet<String>>,
}

impl Counters {
    /// Before the first row.
    pub fn new(rate_max: Option<u64>) -> Self {
        Self {
            began: Instant::now(),
            rows: AtomicU64::new(0),
            found: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            rows_estimated: AtomicU64::new(0),
            tables: AtomicU64::new(0),
            tables_all: AtomicU64::new(0),
            finishing: AtomicBool::new(false),
            what: "copying",
            rate_max,
            next: Mutex::new(Instant::now()),
            changed: Mutex::default(),
        }
    }

    /// The same, said in another word than "copying".
    pub fn doing(self, what: &'static str) -> Self {
        Self { what, ..self }
    }

    pub(super) fn expect(&self, tables: usize, rows: u64) {
        self.tables_all.store(tables as u64, Relaxed);
        self.rows_estimated.store(rows, Relaxed);
    }

    /// Rows were read; returns once that is not faster than it may be.
    pub(super) async fn copied(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        let Some(rate) = self.rate_max else { return };
        let due = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            // Time in which nothing was copied is not made up for.
            *next =
                (*next).max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *next
        };
        sleep_until(due).await;
    }

    /// Rows were there already.
    pub(super) fn found(&self, rows: u64) {
        self.rows.fetch_add(rows, Relaxed);
        self.found.fetch_add(rows, Relaxed);
    }

    pub(super) fn ended_table(&self) {
        self.tables.fetch_add(1, Relaxed);
    }

    /// Documents of a table are not what they were.
    pub(super) fn changed(&self, table: &TableInfo) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(table.name.to_string());
    }

    /// Those tables.
    pub(super) fn all_changed(&self) -> Vec<String> {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.iter().cloned().collect()
    }

    /// All rows are there.
    pub(super) fn finish(&self) {
        self.finishing.store(true, Relaxed);
    }

    /// How many rows were copied or found, how many of them found, and how many bytes were copied.
    pub(super) fn totals(&self) -> [u64; 3] {
        [&self.rows, &self.found, &self.bytes].map(|counter| counter.load(Relaxed))
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, _, bytes] = self.totals();
        let seconds = self.began.elapsed().as_secs_f64();
        let estimated = self.rows_estimated.load(Relaxed).max(rows);
        if self.finishing.load(Relaxed) {
            return write!(
                f,
                "{}: all {rows} rows are there; foreign keys, views, routines, triggers, events",
                self.what
            );
        }
        write!(
            f,
            "{}: {} of {} tables, {rows} of about {estimated} rows, {:.1} MB/s",
            self.what,
            self.tables.load(Relaxed),
            self.tables_all.load(Relaxed),
            bytes as f64 / 1e6 / seconds.max(0.001)
        )?;
        if rows > 0 {
            let left = (estimated - rows) as f64 * seconds / rows as f64;
            write!(f, ", about {left:.0} s left")?;
        }
        Ok(())
    }
}
