//! What of the tables is compared: all rows, or those that were written.

use std::{collections::HashSet, sync::Arc};

use super::{
    since::{Extent, Written},
    table::Table,
};

/// What of the tables is compared.
pub(super) struct Parts {
    /// All rows of these.
    pub(super) whole: Vec<Arc<Table>>,
    /// The rows with these keys.
    pub(super) keys: Vec<(Arc<Table>, HashSet<Box<str>>)>,
}

impl Parts {
    pub(super) fn all(tables: Vec<Arc<Table>>) -> Self {
        Self {
            whole: tables,
            keys: Vec::new(),
        }
    }

    pub(super) fn of(written: Written) -> Self {
        let mut parts = Self::all(Vec::new());
        for (table, extent) in written.into_extents() {
            match extent {
                Extent::Whole => parts.whole.push(table),
                Extent::Keys(keys) => parts.keys.push((table, keys)),
            }
        }
        parts
    }

    pub(super) fn tables(&self) -> Vec<Arc<Table>> {
        let by_keys = self.keys.iter().map(|(table, _)| table);
        self.whole.iter().chain(by_keys).cloned().collect()
    }

    /// How many rows that are, as the server estimates.
    pub(super) fn rows(&self) -> u64 {
        let whole: u64 = self.whole.iter().map(|table| table.size.rows).sum();
        let keys: usize = self.keys.iter().map(|(_, keys)| keys.len()).sum();
        whole + keys as u64
    }
}
