//! Rows that a foreign key deleted, of which the server did not write the table (MySQL 9.7's applier, where it replaces a
//! row that others refer to): all that is known is what they referred to. The rest of the transaction is as where such
//! rows are not logged at all.

use std::collections::BTreeSet;

use twinlog_binlog::{Change, Transaction};
use twinlog_converge::TableName;

use super::tables::Tables;

/// Why a table cannot be followed.
pub(super) const REASON: &str =
    "rows that refer to another table's went with them, and the log does not say which";

/// Takes them out of a transaction whose other tables are known; the tables that they may be of.
pub(super) fn take(transaction: &mut Transaction, tables: &Tables) -> BTreeSet<TableName> {
    let all = transaction.changes.len();
    transaction.changes.retain(
        |change| !matches!(change, Change::Statement(statement) if statement.is_undescribed()),
    );
    if transaction.changes.len() == all {
        return BTreeSet::new();
    }
    let named = transaction
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Rows(rows) => tables.get(&TableName {
                database: rows.table.database.clone(),
                name: rows.table.name.clone(),
            }),
            Change::Statement(_) => None,
        });
    named
        .flat_map(|info| info.referring.clone())
        .filter(|reference| reference.deletes_cascade || reference.updates_cascade)
        .map(|reference| reference.child)
        .collect()
}
