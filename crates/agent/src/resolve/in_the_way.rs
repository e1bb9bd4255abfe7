//! Rows outside an episode that keep its repair from being made.
//!
//! An episode has the rows that its transactions touched. A row that the nodes came to hold differently before may hold
//! a unique key that a chosen row needs, or a parent may be missing from one node only. The server says so when the
//! repair is tried (and by its own collations, which no log has). Then all these rows are judged together, and taken
//! whole from one node: what a node holds, its keys allow.

use std::sync::Arc;

use twinlog_binlog::Value;
use twinlog_converge::{Side, TableName};
use twinlog_server::conn::Conn;

use super::{Hand, Judged, ResolveError, Tables};
use twinlog_row::{
    Row, RowError, TableInfo, identifier, key_of, literal, parse_row, run, select_list,
};

/// A server refuses a statement with these because of other rows: ER_DUP_ENTRY and its form with the key's name,
/// ER_NO_REFERENCED_ROW and ER_ROW_IS_REFERENCED with and without the key's name.
pub(crate) const BECAUSE_OF_OTHERS: [u16; 6] = [1062, 1586, 1216, 1217, 1451, 1452];

/// More rows than this that are in one parent's way are left to a person.
const CHILDREN_MAX: u32 = 100;

/// A row by its table and the values that name it.
pub type Place = (Arc<TableInfo>, Vec<Value>);

/// The tables that the rows' foreign keys lead to, and those that refer to them.
#[must_use]
pub fn related(judged: &Judged) -> Vec<TableName> {
    let mut names = Vec::new();
    for row in &judged.rows {
        let parents = row.table.foreign.iter().map(|key| &key.parent);
        let children = row.table.referring.iter().map(|reference| &reference.child);
        names.extend(parents.chain(children).cloned());
    }
    names.sort();
    names.dedup();
    names
}

/// The rows that keep a node from holding what was chosen. The connections are that node's and the other's; `tables` has
/// those of [`related`].
///
/// # Errors
/// Where a node cannot be asked.
pub async fn in_the_way(
    [hand, peer]: [&mut Hand; 2],
    judged: &Judged,
    side: Side,
    tables: &Tables,
) -> Result<Vec<Place>, ResolveError> {
    let mut found = Vec::new();
    for row in &judged.rows {
        let held = row.held[side.index()].as_ref().and_then(|held| held.row());
        let chosen = row.chosen.as_ref().and_then(|chosen| chosen.row());
        if let Some(chosen) = chosen {
            let conn = hand.conn();
            found.extend(same_keys(conn, &row.table, chosen).await?);
            for key in &row.table.foreign {
                let Some(parent) = tables.get(&key.parent) else {
                    continue;
                };
                let Some(terms) = terms(
                    parent,
                    &key.parent_columns,
                    &row.table,
                    &key.columns,
                    chosen,
                )?
                else {
                    continue;
                };
                if places(hand.conn(), parent, &terms).await?.is_empty() {
                    found.extend(places(peer.conn(), parent, &terms).await?);
                }
            }
        }
        if let Some(held) = held {
            for reference in &row.table.referring {
                let Some(child) = tables.get(&reference.child) else {
                    continue;
                };
                let gone = reference
                    .columns
                    .iter()
                    .any(|&at| chosen.is_none_or(|chosen| chosen.get(at) != held.get(at)));
                let columns = reference
                    .child_columns
                    .iter()
                    .map(|name| child.columns.iter().position(|column| column.name == *name));
                let Some(columns) = columns.collect::<Option<Vec<usize>>>().filter(|_| gone) else {
                    continue;
                };
                if let Some(terms) = terms(child, &columns, &row.table, &reference.columns, held)? {
                    found.extend(places(hand.conn(), child, &terms).await?);
                }
            }
        }
    }
    Ok(found)
}

/// The rows that have a unique key of this one, itself among them.
async fn same_keys(
    conn: &mut Conn,
    table: &Arc<TableInfo>,
    row: &Row,
) -> Result<Vec<Place>, RowError> {
    let mut found = Vec::new();
    for index in &table.unique {
        if let Some(terms) = terms(table, &index.columns, table, &index.columns, row)? {
            found.extend(places(conn, table, &terms).await?);
        }
    }
    Ok(found)
}

/// `column = value` for columns of one table and the values that a row of another has; `None` where one is NULL, or not
/// known. The server compares by the column's collation.
fn terms(
    table: &TableInfo,
    columns: &[usize],
    of: &TableInfo,
    positions: &[usize],
    row: &Row,
) -> Result<Option<String>, RowError> {
    let mut terms = Vec::new();
    for (&column, &at) in columns.iter().zip(positions) {
        match row.get(at) {
            None | Some(Value::Null | Value::Absent) => return Ok(None),
            Some(value) => terms.push(format!(
                "{} = {}",
                identifier(&table.columns[column].name),
                literal(of, at, value)?
            )),
        }
    }
    Ok(Some(terms.join(" AND ")))
}

async fn places(
    conn: &mut Conn,
    table: &Arc<TableInfo>,
    terms: &str,
) -> Result<Vec<Place>, RowError> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {terms} LIMIT {CHILDREN_MAX}",
        select_list(table),
        table.sql_name()
    );
    let rows = run(conn, &sql).await?.into_iter().map(|row| {
        let row = parse_row(table, row)?;
        Ok((Arc::clone(table), key_of(table, &row)?))
    });
    rows.collect()
}
