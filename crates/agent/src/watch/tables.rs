//! The definitions of the tables that rows are of, read once and again after DDL.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use twinlog_converge::{TableKeys, TableName};
use twinlog_pair::config::Config;
use twinlog_server::{
    conn::Conn,
    facts::{OWN_SCHEMA, SYSTEM_SCHEMAS},
};

use twinlog_row::{RowError, TableInfo};

/// A table is followed through so many new names.
const RENAMES_MAX: usize = 16;

/// The definitions, for the watch (which loads them) and its desks.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    infos: HashMap<TableName, Arc<TableInfo>>,
    /// What tables are called that the logs know by another name.
    renamed: HashMap<TableName, TableName>,
}

impl Tables {
    /// What is known of a table.
    pub(super) fn get(&self, table: &TableName) -> Option<Arc<TableInfo>> {
        self.lock().infos.get(table).cloned()
    }

    /// A table has another name from here on.
    pub(super) fn rename(&self, [from, to]: [TableName; 2]) {
        self.lock().renamed.insert(from, to);
    }

    /// What is known of a table is not so any more.
    pub(super) fn forget(&self, table: &TableName) {
        self.lock().infos.remove(table);
    }

    /// Reads a table's definition from a node, anew, under the name that it has by now. `None` for a table that is not
    /// there.
    ///
    /// # Errors
    /// As [`TableInfo::load`].
    pub(super) async fn load(
        &self,
        conn: &mut Conn,
        table: &TableName,
    ) -> Result<Option<TableKeys>, RowError> {
        let mut name = table.clone();
        for _ in 0..RENAMES_MAX {
            match TableInfo::load(conn, &name).await {
                Ok(info) => {
                    let keys = info.keys();
                    self.lock().infos.insert(table.clone(), Arc::new(info));
                    return Ok(Some(keys));
                }
                Err(RowError::NoTable { .. }) => {}
                Err(error) => return Err(error),
            }
            let renamed = self.lock().renamed.get(&name).cloned();
            match renamed {
                Some(renamed) => name = renamed,
                None => break,
            }
        }
        self.forget(table);
        Ok(None)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // Nothing that is done under the lock can leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the pair replicates the table's rows.
pub(crate) fn is_replicated(config: &Config, table: &TableName) -> bool {
    let database = &*table.database;
    let own = SYSTEM_SCHEMAS.contains(&database) || database == OWN_SCHEMA;
    // Without a name it is any database.
    database.is_empty()
        || !own
            && config
                .databases
                .as_ref()
                .is_none_or(|databases| databases.iter().any(|name| name == database))
}
