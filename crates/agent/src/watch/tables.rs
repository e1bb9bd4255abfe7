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

use crate::row::{RowError, TableInfo};

/// The definitions, for the watch (which loads them) and its desks.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<HashMap<TableName, Arc<TableInfo>>>);

impl Tables {
    /// What is known of a table.
    pub(super) fn get(&self, table: &TableName) -> Option<Arc<TableInfo>> {
        self.lock().get(table).cloned()
    }

    /// Reads a table's definition from a node, anew. `None` for a table that is not there (any more): its rows are of
    /// no interest to anybody.
    ///
    /// # Errors
    /// As [`TableInfo::load`].
    pub(super) async fn load(
        &self,
        conn: &mut Conn,
        table: &TableName,
    ) -> Result<Option<TableKeys>, RowError> {
        match TableInfo::load(conn, table).await {
            Ok(info) => {
                let keys = info.keys();
                self.lock().insert(table.clone(), Arc::new(info));
                Ok(Some(keys))
            }
            Err(RowError::NoTable { .. }) => {
                self.lock().remove(table);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TableName, Arc<TableInfo>>> {
        // Nothing that is done under the lock can leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the pair replicates the table's rows.
pub(super) fn is_replicated(config: &Config, table: &TableName) -> bool {
    let database = &*table.database;
    let own = SYSTEM_SCHEMAS.contains(&database) || database == OWN_SCHEMA;
    !own && config
        .databases
        .as_ref()
        .is_none_or(|databases| databases.iter().any(|name| name == database))
}
