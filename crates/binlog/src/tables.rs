//! The tables that were described lately.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use crate::{Fault, Flavour, Table, table_map};

/// How many descriptions are kept. A statement needs one per table that it or its triggers touch: some hundred at most.
const MAX_TABLE_MAPS: usize = 4096;

/// Table maps by their number. A table is described anew before each statement, nearly always in the same words: then the
/// one parsed before is used again.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    maps: HashMap<u64, Map>,
    statement: u64,
}

#[derive(Debug)]
struct Map {
    body: Box<[u8]>,
    table: Arc<Table>,
    /// The statement that it was described for.
    statement: u64,
}

impl Tables {
    /// A TABLE_MAP_EVENT.
    pub(crate) fn describe(
        &mut self,
        body: &Bytes,
        post_header_len: usize,
        flavour: Flavour,
    ) -> Result<(), Fault> {
        let id = table_map::id(body, post_header_len)?;
        if let Some(map) = self.maps.get_mut(&id)
            && *map.body == **body
        {
            map.statement = self.statement;
            return Ok(());
        }
        if self.maps.len() >= MAX_TABLE_MAPS {
            self.maps.retain(|_, map| map.statement == self.statement);
            if self.maps.len() >= MAX_TABLE_MAPS {
                return Err(Fault::Limit {
                    what: "tables of one statement",
                    has: self.maps.len() as u64 + 1,
                    limit: MAX_TABLE_MAPS as u64,
                });
            }
        }
        let table = Arc::new(table_map::parse(body, post_header_len, flavour)?);
        let map = Map {
            body: Box::from(&body[..]),
            table,
            statement: self.statement,
        };
        self.maps.insert(id, map);
        Ok(())
    }

    /// The table that the current statement described under that number. For rows that a foreign key deleted or changed
    /// (`cascaded`) also one that an earlier statement did: where the applier of MySQL 9.7 replaces a row that others
    /// refer to with CASCADE, it writes their deletion without describing their table. Numbers are not used twice while a
    /// server runs.
    pub(crate) fn get(&self, id: u64, cascaded: bool) -> Result<&Arc<Table>, Fault> {
        self.maps
            .get(&id)
            .filter(|map| cascaded || map.statement == self.statement)
            .map(|map| &map.table)
            .ok_or(Fault::NoTableMap(id))
    }

    /// The database of a table that the current statement described; empty for none.
    pub(crate) fn current_database(&self) -> Arc<str> {
        let mut maps = self.maps.values();
        let current = maps.find(|map| map.statement == self.statement);
        current.map_or_else(|| "".into(), |map| Arc::clone(&map.table.database))
    }

    /// What was described counts no longer: the next statement describes its tables again.
    pub(crate) fn end_statement(&mut self) {
        self.statement += 1;
    }
}
