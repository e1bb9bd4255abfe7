//! Cuts tables into stretches that a server hashes in a fraction of a second.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_row::Span;

use super::{
    Error,
    chunk::{Chunk, nth},
    hands::Hands,
    pace::Pace,
    progress::Progress,
    table::Table,
};

/// How long hashing one stretch shall take on an idle server: long enough that asking costs little beside it, short enough
/// that a client waits for nothing, and that little is lost when it is interrupted.
const CHUNK_TIME: Duration = Duration::from_millis(250);
/// The first stretch of a table has no more rows, and no more bytes.
const ROWS_FIRST: u64 = 5_000;
const BYTES_FIRST: u64 = 4 << 20;
/// Smaller stretches would spend their time on being asked for.
const ROWS_MIN: u64 = 10;
/// Where a stretch differs, its rows' keys and hashes are in memory.
const ROWS_MAX: u64 = 100_000;

/// Gives out the stretches of all tables, one table after the other.
#[derive(Debug)]
pub(super) struct Cutter {
    hands: Hands,
    tables: VecDeque<Arc<Table>>,
    /// How far the first of them was cut.
    span: Span,
    /// How many of its stretches were given out.
    number: u64,
    /// How many rows its next stretch shall have; 0 before its first.
    rows: u64,
    pace: Pace,
    progress: Arc<Progress>,
}

impl Cutter {
    pub(super) fn new(
        hands: Hands,
        tables: Vec<Arc<Table>>,
        pace: Pace,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            hands,
            tables: tables.into(),
            span: Span::default(),
            number: 0,
            rows: 0,
            pace,
            progress,
        }
    }

    /// The next stretch; `None` when all were given out.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, Error> {
        self.pace.wait(&mut self.hands, &self.progress).await?;
        loop {
            let Some(table) = self.tables.front().cloned() else {
                return Ok(None);
            };
            if self.rows == 0 {
                self.rows = rows_first(&table);
                self.span.after = table.begun.as_ref().and_then(|begun| begun.upto.clone());
            }
            let end = match table.tally.is_given_up() {
                false => self.end(&table).await,
                true => Ok(None),
            };
            let end = table.tally.survive(end)?.flatten();
            if table.tally.is_given_up() {
                self.leave();
                self.progress.ended_table();
                continue;
            }
            table.tally.begin(end.is_none());
            let mut span = self.span.clone();
            span.upto.clone_from(&end);
            let number = self.number;
            self.number += 1;
            match end {
                Some(key) => self.span.after = Some(key),
                None => self.leave(),
            }
            return Ok(Some(Chunk {
                table,
                span,
                number,
            }));
        }
    }

    /// The last key of the next stretch, on the node that has so many rows; `None` where neither has.
    async fn end(&mut self, table: &Table) -> Result<Option<Vec<Value>>, Error> {
        if !table.has_key() {
            return Ok(None);
        }
        for side in Side::BOTH {
            let key = nth(&mut self.hands, table, &self.span, self.rows, side).await?;
            if key.is_some() {
                return Ok(key);
            }
        }
        Ok(None)
    }

    /// How long a stretch of so many rows took: the next ones of the table are made longer or shorter.
    pub(super) fn took(&mut self, table: &Arc<Table>, rows: u64, time: Duration) {
        let is_next = self
            .tables
            .front()
            .is_some_and(|next| Arc::ptr_eq(next, table));
        if rows == 0 || !is_next {
            return;
        }
        let wanted = rows as f64 * CHUNK_TIME.as_secs_f64() / time.as_secs_f64().max(1e-6);
        // Slower at once, faster by steps: the next rows may be longer.
        self.rows = (wanted as u64)
            .clamp(1, self.rows * 2)
            .clamp(ROWS_MIN, ROWS_MAX);
    }

    fn leave(&mut self) {
        self.tables.pop_front();
        self.span = Span::default();
        self.number = 0;
        self.rows = 0;
    }

    pub(super) async fn close(self) {
        self.hands.close().await;
    }
}

/// How many rows the first stretch of a table has: of long rows few.
fn rows_first(table: &Table) -> u64 {
    let row_bytes = table.size.bytes / table.size.rows.max(1);
    (BYTES_FIRST / row_bytes.max(1)).clamp(ROWS_MIN, ROWS_FIRST)
}
