//! Which piece of which table is copied next, by whom: a stretch of its keys, or a part of its backup.

use std::{collections::VecDeque, sync::Arc};

use super::inventory::Table;

/// The pieces that are yet to be copied.
#[derive(Debug)]
pub(super) struct Queue<P> {
    tables: Vec<Waiting<P>>,
    /// Whether the target lets only one at a time load a table with a counter (`innodb_autoinc_lock_mode` below 2): a second
    /// would wait for the first.
    locks_counters: bool,
}

#[derive(Debug)]
struct Waiting<P> {
    table: Arc<Table>,
    pieces: VecDeque<P>,
    /// Pieces that are being copied.
    under_way: usize,
}

/// A piece to be copied.
#[derive(Debug, Clone)]
pub(super) struct Task<P> {
    pub(super) table: Arc<Table>,
    pub(super) piece: P,
    /// The table's number, in the order in which they were pushed.
    pub(super) place: usize,
}

impl<P> Queue<P> {
    pub(super) fn new(locks_counters: bool) -> Self {
        Self {
            tables: Vec::new(),
            locks_counters,
        }
    }

    /// These pieces of a table are to be copied.
    pub(super) fn push(&mut self, table: Arc<Table>, pieces: impl IntoIterator<Item = P>) {
        self.tables.push(Waiting {
            table,
            pieces: pieces.into_iter().collect(),
            under_way: 0,
        });
    }

    /// The next piece: of the table at which fewest work, for two that write one table wait for each other more often
    /// than two that write two.
    pub(super) fn next(&mut self) -> Option<Task<P>> {
        let locks_counters = self.locks_counters;
        let is_open = |waiting: &Waiting<P>| {
            let alone = locks_counters && waiting.table.parts.is_counted;
            let is_taken = alone && waiting.under_way > 0;
            !waiting.pieces.is_empty() && !is_taken
        };
        let waiting = self.tables.iter_mut().enumerate();
        let (place, least) = waiting
            .filter(|(_, table)| is_open(table))
            .min_by_key(|(_, table)| table.under_way)?;
        least.under_way += 1;
        let piece = least.pieces.pop_front()?;
        Some(Task {
            table: Arc::clone(&least.table),
            piece,
            place,
        })
    }

    /// A piece was copied. Whether it was the last one of its table.
    pub(super) fn done(&mut self, task: &Task<P>) -> bool {
        let table = &mut self.tables[task.place];
        table.under_way -= 1;
        table.under_way == 0 && table.pieces.is_empty()
    }
}
