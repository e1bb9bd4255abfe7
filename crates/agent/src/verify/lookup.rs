//! Rows that are named by their keys, compared in batches.

use std::{collections::HashSet, sync::Arc};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use twinlog_binlog::Value;

use super::{
    Error, Limits,
    chunk::{Suspect, differing},
    found::Found,
    hands::Hands,
    pace::Pace,
    progress::Progress,
    since::key,
    table::Table,
};

/// So many rows are asked for in one statement.
const ROWS: usize = 500;

/// Looks at rows of some tables, and hands on those that differ.
pub(super) struct Lookup {
    pub(super) hands: Hands,
    /// The keys as [`Extent::Keys`](super::since::Extent) has them.
    pub(super) tables: Vec<(Arc<Table>, HashSet<Box<str>>)>,
    pub(super) suspects: mpsc::Sender<Vec<Suspect>>,
    pub(super) progress: Arc<Progress>,
    pub(super) limits: Limits,
}

impl Lookup {
    pub(super) async fn run(mut self) -> Result<Found, Error> {
        let mut pace = Pace::new(self.limits.clone());
        for (table, keys) in std::mem::take(&mut self.tables) {
            let keys: Vec<Box<str>> = keys.into_iter().collect();
            for part in keys.chunks(ROWS) {
                if table.tally.is_given_up() {
                    break;
                }
                pace.wait(&mut self.hands, &self.progress).await?;
                let began = Instant::now();
                let keys: Vec<Vec<Value>> = part.iter().filter_map(|text| key(text)).collect();
                let compared = self.compare(&table, &keys).await;
                let rows = table.tally.survive(compared)?.unwrap_or_default();
                table.tally.add(rows);
                self.progress.compared(part.len() as u64);
                sleep(self.limits.rest(began.elapsed(), self.progress.others())).await;
            }
            self.progress.ended_table();
        }
        self.hands.close().await;
        Ok(Found::default())
    }

    /// How many of these rows each node has.
    async fn compare(
        &mut self,
        table: &Arc<Table>,
        keys: &[Vec<Value>],
    ) -> Result<[u64; 2], Error> {
        let rows = self.hands.both(&table.digests_of_sql(keys)?).await?;
        let counts = rows.each_ref().map(|rows| rows.len() as u64);
        let suspects = differing(table, rows)?.into_iter().map(|key| Suspect {
            table: Arc::clone(table),
            key,
            tries: 0,
        });
        let suspects: Vec<Suspect> = suspects.collect();
        if !suspects.is_empty() {
            self.progress.suspect(suspects.len() as u64);
            // The judge has ended only with an error, which is said.
            let _ = self.suspects.send(suspects).await;
        }
        Ok(counts)
    }
}
