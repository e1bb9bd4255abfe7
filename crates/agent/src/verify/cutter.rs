//! Cuts tables into stretches that a server hashes in a fraction of a second.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use twinlog_converge::Side;

use super::{Error, hands::Hands, pace::Pace, progress::Progress, span::Span, table::Table};

/// How long hashing one stretch shall take on an idle server: long enough that asking costs little beside it, short enough
/// that a client waits for nothing, and that little is lost when it is interrupted.
const CHUNK_TIME: Duration = Duration::from_millis(250);
/// How many rows the first stretch has, before anything is known.
const ROWS_FIRST: u64 = 5_000;
/// Smaller stretches would spend their time on being asked for.
const ROWS_MIN: u64 = 100;
/// Where a stretch differs, its rows' keys and hashes are in memory.
const ROWS_MAX: u64 = 100_000;

/// A stretch of a table, to be compared.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) table: Arc<Table>,
    pub(super) span: Span,
}

/// Gives out the stretches of all tables, one table after the other.
#[derive(Debug)]
pub(super) struct Cutter {
    hands: Hands,
    tables: VecDeque<Arc<Table>>,
    /// How far the first table was cut.
    span: Span,
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
            rows: ROWS_FIRST,
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
            if table.tally.is_given_up() {
                self.leave();
                continue;
            }
            let mut span = std::mem::take(&mut self.span);
            let end = match table.has_key() {
                true => end(&mut self.hands, &table, &span, self.rows).await?,
                false => None,
            };
            match &end {
                Some(key) => self.span.after = Some(key.clone()),
                None => self.leave(),
            }
            table.tally.begin(end.is_none());
            span.upto = end;
            return Ok(Some(Chunk { table, span }));
        }
    }

    /// How long a stretch of so many rows took: the next ones are made longer or shorter.
    pub(super) fn took(&mut self, rows: u64, time: Duration) {
        if rows < ROWS_MIN {
            return;
        }
        let wanted = rows as f64 * CHUNK_TIME.as_secs_f64() / time.as_secs_f64().max(1e-6);
        // One that was slow by chance does not undo what is known.
        let wanted = (wanted as u64).clamp(self.rows / 2, self.rows * 2);
        self.rows = wanted.clamp(ROWS_MIN, ROWS_MAX);
    }

    fn leave(&mut self) {
        self.tables.pop_front();
        self.span = Span::default();
    }

    pub(super) async fn close(self) {
        self.hands.close().await;
    }
}

/// The key of the `rows`th row of a stretch on the node that has so many; `None` where neither has.
pub(super) async fn end(
    hands: &mut Hands,
    table: &Table,
    span: &Span,
    rows: u64,
) -> Result<Option<Vec<twinlog_binlog::Value>>, Error> {
    let sql = table.nth_sql(span, rows)?;
    for side in Side::BOTH {
        if let Some(key) = hands.one(side, &sql).await?.into_iter().next() {
            return Ok(Some(table.key(key)?));
        }
    }
    Ok(None)
}
