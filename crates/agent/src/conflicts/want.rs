//! A conflict's rows: what the nodes hold now, and what both shall hold.

use std::sync::Arc;

use twinlog_binlog::Value;
use twinlog_converge::{Side, TableName};

use super::{
    Assignment, Error, Nodes, Request, Which, trial,
    versions::{content, is_known, versions},
};
use crate::{history::Entry, resolve::Content};
use twinlog_row::{TableInfo, canonical, read_held};

/// A row on one node.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: &'a str,
    pub(super) table: &'a TableInfo,
    pub(super) key: &'a [Value],
}

/// A row with what it is now.
pub(crate) struct Read {
    pub(crate) table: Arc<TableInfo>,
    pub(crate) key: Vec<Value>,
    pub(crate) now: [Content; 2],
    pub(crate) wanted: Content,
}

/// Reads the rows of an entry from both nodes.
pub(crate) async fn read(nodes: &mut Nodes, entry: &Entry) -> Result<Vec<Read>, Error> {
    let detail = &entry.detail;
    let changed = |table: &TableName| Error::Changed {
        id: entry.id.clone(),
        table: table.to_string(),
    };
    let mut tables = Vec::new();
    for shape in &detail.tables {
        let name = TableName {
            database: shape.schema.as_str().into(),
            name: shape.name.as_str().into(),
        };
        for side in Side::BOTH {
            let table = TableInfo::load(nodes.hand(side).conn(), &name).await?;
            let same = table.columns.len() == shape.columns.len()
                && table.columns.iter().zip(&shape.columns).all(|(now, then)| {
                    now.name.to_lowercase() == then.name.to_lowercase()
                        && now.generated == then.generated
                })
                && table.key()?.columns == shape.key;
            if !same {
                return Err(changed(&name));
            }
            if side == Side::A {
                tables.push(Arc::new(table));
            }
        }
    }
    let mut rows = Vec::new();
    for (at, row) in detail.rows.iter().enumerate() {
        let table = tables
            .get(row.table)
            .ok_or_else(|| not_told(entry, at, "the table"))?;
        let columns = &table.key()?.columns;
        let key = row
            .key
            .iter()
            .zip(columns)
            .map(|(cell, &column)| Some(canonical(&table.columns[column].kind, cell.value()?)));
        let key: Vec<Value> = key
            .collect::<Option<_>>()
            .ok_or_else(|| not_told(entry, at, "the key"))?;
        let mut now = [Content::Gone, Content::Gone];
        for side in Side::BOTH {
            now[side.index()] = read_held(nodes.hand(side).conn(), table, &key)
                .await?
                .into();
        }
        rows.push(Read {
            table: Arc::clone(table),
            wanted: now[0].clone(),
            key,
            now,
        });
    }
    Ok(rows)
}

/// Fills in what each row shall be.
pub(super) async fn want(
    nodes: &mut Nodes,
    entry: &Entry,
    rows: &mut [Read],
    request: &Request,
) -> Result<(), Error> {
    let which = match request {
        Request::Resolve { keep, .. } => keep.map(Which::Of),
        Request::Restore(which) => Some(*which),
    };
    if let Some(which) = which {
        let told = versions(&entry.detail, which);
        for (at, row) in rows.iter_mut().enumerate() {
            let told = told.get(at).and_then(|told| content(&row.table, told));
            row.wanted = told.ok_or_else(|| not_told(entry, at, &version_name(nodes, which)))?;
        }
    }
    let Request::Resolve { keep, set } = request else {
        return Ok(());
    };
    for (at, row) in rows.iter().enumerate() {
        let [a, b] = &row.now;
        let known = |now: &Content| is_known(&entry.detail, at, &row.table, now);
        if keep.is_some() && !(known(a) && known(b)) {
            return Err(Error::WrittenSince {
                id: entry.id.clone(),
                row: at + 1,
                key: key_text(entry, at),
            });
        }
        if keep.is_none() && !a.same(&row.table, b) {
            return Err(Error::NoStart {
                row: at + 1,
                key: key_text(entry, at),
            });
        }
    }
    for (at, row) in rows.iter_mut().enumerate() {
        let set = of_row(entry, set, at)?;
        if !set.is_empty() {
            assign(nodes, entry, row, at, &set).await?;
        }
    }
    Ok(())
}

/// What is set in one row.
fn of_row<'a>(
    entry: &Entry,
    set: &'a [Assignment],
    at: usize,
) -> Result<Vec<&'a Assignment>, Error> {
    let rows = entry.detail.rows.len();
    let mut found = Vec::new();
    for assignment in set {
        match assignment.row {
            None if rows > 1 => {
                return Err(Error::WhichRow {
                    id: entry.id.clone(),
                    rows,
                });
            }
            Some(row) if row == 0 || row > rows => {
                return Err(Error::NoRowOfNumber {
                    id: entry.id.clone(),
                    rows,
                    row,
                });
            }
            row if row.is_none_or(|row| row == at + 1) => found.push(assignment),
            _ => {}
        }
    }
    Ok(found)
}

async fn assign(
    nodes: &mut Nodes,
    entry: &Entry,
    row: &mut Read,
    at: usize,
    set: &[&Assignment],
) -> Result<(), Error> {
    let Content::Row(wanted) = &mut row.wanted else {
        return Err(Error::NoSuchRow {
            row: at + 1,
            key: key_text(entry, at),
        });
    };
    let mut columns = Vec::new();
    for assignment in set {
        let column = trial::position(&row.table, &assignment.column)?;
        columns.push((column, assignment.value.as_deref()));
    }
    if let Some(reason) = &row.table.obstacle {
        return Err(Error::Obstacle {
            id: entry.id.clone(),
            reason: format!("{} cannot be repaired because {reason}", row.table.name),
        });
    }
    // Where the row is there already, nothing else of it is touched.
    let side = if row.now[0].row().is_none() && row.now[1].row().is_some() {
        Side::B
    } else {
        Side::A
    };
    let node = nodes.name(side).to_owned();
    let place = Place {
        node: &node,
        table: &row.table,
        key: &row.key,
    };
    let values = trial::values(nodes.hand(side), &place, wanted, &columns).await?;
    for ((column, _), value) in columns.into_iter().zip(values) {
        wanted[column] = value;
    }
    Ok(())
}

fn version_name(nodes: &Nodes, which: Which) -> String {
    match which {
        Which::Base => "the version before".into(),
        Which::Of(side) => format!("the version of {}", nodes.name(side)),
    }
}

fn not_told(entry: &Entry, at: usize, version: &str) -> Error {
    Error::NotTold {
        id: entry.id.clone(),
        version: version.to_owned(),
        row: at + 1,
        key: key_text(entry, at),
    }
}

/// A row's key, for people: `id=5`.
pub(super) fn key_text(entry: &Entry, at: usize) -> String {
    let row = entry.detail.rows.get(at);
    row.map(|row| entry.detail.key_text(row))
        .unwrap_or_default()
}
