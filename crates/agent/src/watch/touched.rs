//! Which rows of a verdict were written since it was given.
//!
//! A verdict speaks of rows at one moment. What is read from a node afterwards, or found changed by a repair's guard,
//! may be a later write's, which brings a verdict of its own (or needs none): such a row is left alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use twinlog_binlog::{Change, Image, RowError, Transaction};
use twinlog_converge::{TableName, Wipe};

/// Watches the rows of open verdicts.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// By table: the positions of the columns that name its rows, and who watches which row.
    tables: HashMap<TableName, Watched>,
    /// By job.
    touched: HashMap<u64, Touches>,
    /// By job: the rows that it watches.
    watching: HashMap<u64, Vec<(TableName, Vec<u8>)>>,
}

/// What of a verdict's rows was written since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Touches {
    /// The rows, by their place in the verdict.
    pub(super) rows: BTreeSet<usize>,
    /// How often any of them was.
    pub(super) count: u64,
    /// The same, of repairs, by the history's id.
    repairs: BTreeMap<String, (BTreeSet<usize>, u64)>,
}

impl Touches {
    fn add(&mut self, row: usize, repair: Option<&str>) {
        let (rows, count) = match repair {
            None => (&mut self.rows, &mut self.count),
            Some(id) => {
                let (rows, count) = self.repairs.entry(id.to_owned()).or_default();
                (rows, count)
            }
        };
        rows.insert(row);
        *count += 1;
    }

    /// By all but the repair with that id.
    fn but(mut self, own: Option<&str>) -> Self {
        for (id, (rows, count)) in std::mem::take(&mut self.repairs) {
            if own != Some(&id) {
                self.rows.extend(rows);
                self.count += count;
            }
        }
        self
    }
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
        let watchers = watched.rows.entry(name.clone()).or_default();
        watchers.push((job, place));
        let watching = self.watching.entry(job).or_default();
        watching.push((table.clone(), name));
        Ok(())
    }

    /// A verdict's row was written by what had come before the verdict.
    pub(super) fn touch(&mut self, job: u64, place: usize) {
        self.touched.entry(job).or_default().add(place, None);
    }

    /// A statement may have taken all rows of some tables.
    pub(super) fn wipe(&mut self, wipe: &Wipe) {
        let wiped = self.tables.iter().filter(|(table, _)| wipe.covers(table));
        for (_, watched) in wiped {
            for (job, place) in watched.rows.values().flatten() {
                self.touched.entry(*job).or_default().add(*place, None);
            }
        }
    }

    /// Ends the watch for a verdict.
    pub(super) fn forget(&mut self, job: u64) {
        self.touched.remove(&job);
        for (table, name) in self.watching.remove(&job).unwrap_or_default() {
            let Some(watched) = self.tables.get_mut(&table) else {
                continue;
            };
            if let Some(watchers) = watched.rows.get_mut(&name) {
                watchers.retain(|(other, _)| *other != job);
                if watchers.is_empty() {
                    watched.rows.remove(&name);
                }
            }
            if watched.rows.is_empty() {
                self.tables.remove(&table);
            }
        }
    }

    /// Takes note of what a transaction of either log touches; `repair` is the history's id where it is one.
    pub(super) fn note(
        &mut self,
        transaction: &Transaction,
        repair: Option<&str>,
    ) -> Result<(), RowError> {
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
                        self.touched.entry(*job).or_default().add(*place, repair);
                    }
                }
            }
        }
        Ok(())
    }

    /// What of the verdict's rows was touched since it was given, but by the repair with that id.
    pub(super) fn of(&self, job: u64, own: Option<&str>) -> Touches {
        let touches = self.touched.get(&job).cloned();
        touches.unwrap_or_default().but(own)
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
