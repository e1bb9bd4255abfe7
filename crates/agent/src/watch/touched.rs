//! Which rows of a verdict were written since it was given.
//!
//! A verdict speaks of rows at one moment. What is read from a node afterwards, or found changed by a repair's guard,
//! may be a later write's, which brings a verdict of its own (or needs none): such a row is left alone.

use std::collections::{BTreeSet, HashMap};

use twinlog_binlog::{Change, Image, RowError, Transaction};
use twinlog_converge::TableName;

/// Watches the rows of open verdicts.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// By table: the positions of the columns that name its rows, and who watches which row.
    tables: HashMap<TableName, Watched>,
    /// By job: the rows that were touched, by their place in the verdict.
    touched: HashMap<u64, BTreeSet<usize>>,
}

#[derive(Debug, Default)]
struct Watched {
    key: Vec<usize>,
    rows: HashMap<Vec<u8>, Vec<(u64, usize)>>,
}

impl Touched {
    /// Begins to watch a verdict's row: `key` are the positions of the columns that name rows of the table.
    pub(super) fn watch(
        &mut self,
        job: u64,
        place: usize,
        table: &TableName,
        key: &[usize],
        row: Image<'_>,
    ) -> Result<(), RowError> {
        self.touched.entry(job).or_default();
        let watched = self.tables.entry(table.clone()).or_default();
        watched.key = key.to_vec();
        let name = name(row, key)?;
        watched.rows.entry(name).or_default().push((job, place));
        Ok(())
    }

    /// A verdict's row was written by what had come before the verdict.
    pub(super) fn touch(&mut self, job: u64, place: usize) {
        self.touched.entry(job).or_default().insert(place);
    }

    /// Ends the watch for a verdict.
    pub(super) fn forget(&mut self, job: u64) {
        self.touched.remove(&job);
        for watched in self.tables.values_mut() {
            for jobs in watched.rows.values_mut() {
                jobs.retain(|(other, _)| *other != job);
            }
            watched.rows.retain(|_, jobs| !jobs.is_empty());
        }
        self.tables.retain(|_, watched| !watched.rows.is_empty());
    }

    /// Takes note of what a transaction of either log touches.
    pub(super) fn note(&mut self, transaction: &Transaction) -> Result<(), RowError> {
        if self.tables.is_empty() {
            return Ok(());
        }
        for change in &transaction.changes {
            let Change::Rows(rows) = change else { continue };
            let table = TableName {
                database: rows.table.database.clone(),
                name: rows.table.name.clone(),
            };
            let Some(watched) = self.tables.get(&table) else {
                continue;
            };
            for change in rows.changes() {
                let change = change?;
                for image in [change.before, change.after].into_iter().flatten() {
                    let jobs = watched.rows.get(&name(image, &watched.key)?);
                    for (job, place) in jobs.into_iter().flatten() {
                        self.touched.entry(*job).or_default().insert(*place);
                    }
                }
            }
        }
        Ok(())
    }

    /// The verdict's rows that were touched since it was given.
    pub(super) fn of(&self, job: u64) -> BTreeSet<usize> {
        self.touched.get(&job).cloned().unwrap_or_default()
    }
}

/// What names a row: the bytes of its key's columns, each with its length before it.
fn name(image: Image<'_>, key: &[usize]) -> Result<Vec<u8>, RowError> {
    let mut name = Vec::new();
    for &position in key {
        let bytes = image.column(position)?.bytes().unwrap_or_default();
        name.extend_from_slice(&bytes.len().to_le_bytes());
        name.extend_from_slice(bytes);
    }
    Ok(name)
}
