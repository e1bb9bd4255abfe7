//! Which stretch of which table is copied next, by whom.

use std::{collections::VecDeque, sync::Arc};

use twinlog_row::Span;

use super::inventory::Table;

/// The stretches that are yet to be copied.
#[derive(Debug, Default)]
pub(super) struct Queue {
    tables: Vec<Waiting>,
    /// Whether the target lets only one at a time load a table with a counter (`innodb_autoinc_lock_mode` below 2): a second
    /// would wait for the first.
    locks_counters: bool,
}

#[derive(Debug)]
struct Waiting {
    table: Arc<Table>,
    spans: VecDeque<Span>,
    /// Whether a run before this one may have copied some of them.
    begun: bool,
    /// Stretches that are being copied.
    under_way: usize,
}

/// A stretch to be copied.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) table: Arc<Table>,
    pub(super) span: Span,
    /// Whether a run before this one may have copied it.
    pub(super) begun: bool,
    place: usize,
}

impl Queue {
    pub(super) fn new(locks_counters: bool) -> Self {
        Self {
            locks_counters,
            ..Self::default()
        }
    }

    /// These stretches of a table are to be copied.
    pub(super) fn push(&mut self, table: Arc<Table>, spans: Vec<Span>, begun: bool) {
        self.tables.push(Waiting {
            table,
            spans: spans.into(),
            begun,
            under_way: 0,
        });
    }

    /// The next stretch: of the table at which fewest work, for two that write one table wait for each other more often
    /// than two that write two.
    pub(super) fn next(&mut self) -> Option<Task> {
        let locks_counters = self.locks_counters;
        let is_open = |waiting: &Waiting| {
            let alone = locks_counters && waiting.table.parts.is_counted;
            let is_taken = alone && waiting.under_way > 0;
            !waiting.spans.is_empty() && !is_taken
        };
        let waiting = self.tables.iter_mut().enumerate();
        let (place, least) = waiting
            .filter(|(_, table)| is_open(table))
            .min_by_key(|(_, table)| table.under_way)?;
        least.under_way += 1;
        let span = least.spans.pop_front()?;
        Some(Task {
            table: Arc::clone(&least.table),
            span,
            begun: least.begun,
            place,
        })
    }

    /// A stretch was copied. Whether it was the last one of its table.
    pub(super) fn done(&mut self, task: &Task) -> bool {
        let table = &mut self.tables[task.place];
        table.under_way -= 1;
        table.under_way == 0 && table.spans.is_empty()
    }
}
