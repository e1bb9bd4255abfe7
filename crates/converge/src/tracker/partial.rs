//! Transactions of which a log tells only in part what they did: by a statement's text (`binlog_format`), or by images
//! without all columns (`binlog_row_image`). And those of which the logs tell two different things: somebody gave a GTID a
//! second time, by hand, or a node was restored and went on from there.
//!
//! The other log may have the same transaction in full: an applier logs what it did as rows. Nothing can be compared
//! then, and what the one log lacks must not be taken for a difference of the nodes. Their tables are let go of, with
//! all that is in flight of them, and are to be verified.

use std::collections::BTreeSet;

use twinlog_binlog::Rows;

use super::{
    Tracker,
    table::TableId,
    transaction::{Body, TxId},
};
use crate::TableName;

/// Why a log tells only a part.
const IMAGES: &str = "its images in the log have not all columns (binlog_row_image was not FULL, or binlog_row_value_options was \
                      PARTIAL_JSON), so that nothing can be compared";
const STATEMENT: &str = "its rows were changed by a statement that is in the log as its text (binlog_format was not ROW), so that \
                         nothing can be compared";
const NAMESAKES: &str = "two transactions that are not the same have the same GTID, one in each log, so that nothing can be \
                         compared";

/// What is known of such a transaction.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    reason: &'static str,
    /// What its statements change rows of: this table; any of a database where the table's name is empty; any at all
    /// where the database's is, too.
    data: Vec<TableName>,
}

impl Tracker {
    /// Notes whether the images of rows have all columns.
    pub(super) fn note_images(&mut self, id: TxId, rows: &[Rows]) {
        let is_cut = |rows: &Rows| !rows.is_full();
        if rows
            .iter()
            .any(|rows| is_cut(rows) && self.tables.plan(&rows.table).1.is_some())
        {
            self.set_partial(id, IMAGES);
        }
    }

    /// A statement of it changed rows.
    pub(super) fn note_data(&mut self, id: TxId, named: TableName) {
        self.set_partial(id, STATEMENT).data.push(named);
    }

    /// The transactions of this name were committed at different times. One that somebody gave to a node without rows, so
    /// that it passes the other over, is as if its applier had passed it over.
    pub(super) fn note_namesake(&mut self, id: TxId) {
        let has_rows = |body: &Body| match body {
            Body::Rows(rows) => !rows.is_empty(),
            Body::Forgotten(..) => true,
            Body::Absent | Body::Same => false,
        };
        if self.txs[id].bodies.iter().all(has_rows) {
            self.set_partial(id, NAMESAKES);
        }
    }

    fn set_partial(&mut self, id: TxId, reason: &'static str) -> &mut Partial {
        let new = || {
            Box::new(Partial {
                reason,
                data: Vec::new(),
            })
        };
        self.txs[id].partial.get_or_insert_with(new)
    }

    /// Lets go of the tables of a transaction of which either log tells only a part. `is_over` says that nothing more will
    /// be heard of it.
    pub(super) fn forget_partial(&mut self, id: TxId, is_over: bool) {
        let tx = &self.txs[id];
        let Some(partial) = tx.partial.clone() else {
            return;
        };
        let rows: Vec<TableName> = self.tables_of(tx).collect();
        // Where a text names no table, the other log may have rows that do.
        let unnamed_count = is_over && rows.is_empty();
        let mut affected: BTreeSet<TableId> =
            rows.iter().map(|name| self.tables.id(name)).collect();
        for named in &partial.data {
            if !named.name.is_empty() {
                affected.insert(self.tables.id(named));
                continue;
            }
            let covers =
                |name: &TableName| named.database.is_empty() || named.database == name.database;
            let known = self.tables.followed().filter(|(_, name)| covers(name));
            let known: Vec<TableId> = known.map(|(table, _)| table).collect();
            if unnamed_count {
                affected.extend(&known);
            }
            if unnamed_count && known.is_empty() {
                affected.insert(self.tables.id(named));
            }
        }
        affected.retain(|&table| self.tables.is_followed(table));
        // All of them first: with the last of its rows forgotten it is done with.
        for &table in &affected {
            // Once: a server that logs so does it with each transaction.
            self.say_once(table, partial.reason);
        }
        for table in affected {
            self.forget_in_flight(table);
        }
    }
}
