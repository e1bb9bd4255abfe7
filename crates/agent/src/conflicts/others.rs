//! Rows outside a conflict that do not let its rows become what a person wants: see
//! [`in_the_way`](crate::resolve::in_the_way).

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use twinlog_converge::{Side, TableName};

use super::{Error, Nodes, propose::judged, want::Read};
use crate::{
    history::{Entry, RowDetail, Told, cells},
    resolve::{self, Content, Place, ResolveError, Tables, shape},
};
use twinlog_row::{TableInfo, read_held};

/// A row that is taken in may itself be in another's way, but not for ever.
const ROUNDS_MAX: usize = 8;

/// Takes them in, with what they shall be; how many. They come after the entry's own rows, and are written into it.
pub(super) async fn take_in(
    nodes: &mut Nodes,
    entry: &mut Entry,
    rows: &mut Vec<Read>,
) -> Result<usize, Error> {
    let own = rows.len();
    for _ in 0..ROUNDS_MAX {
        let found = find(nodes, rows).await?;
        if found.is_empty() {
            break;
        }
        for ((table, key), sides) in found {
            let mut now = [Content::Gone, Content::Gone];
            for side in Side::BOTH {
                now[side.index()] = read_held(nodes.hand(side).conn(), &table, &key)
                    .await?
                    .into();
            }
            let wanted = wanted(&table, &now, &sides);
            note(entry, &table, &key, &now);
            rows.push(Read {
                table,
                key,
                now,
                wanted,
            });
        }
    }
    Ok(rows.len() - own)
}

/// What a row that is in the way on these nodes shall be: as the other node has it, where what is wanted stands too; gone,
/// where that is not so.
fn wanted(table: &TableInfo, now: &[Content; 2], sides: &[Side]) -> Content {
    match sides {
        [side] => {
            let there = &now[side.peer().index()];
            if there.same(table, &now[side.index()]) {
                Content::Gone
            } else {
                there.clone()
            }
        }
        _ => Content::Gone,
    }
}

/// The rows that are not known yet, with the nodes on which they are in the way.
async fn find(nodes: &mut Nodes, rows: &[Read]) -> Result<Vec<(Place, Vec<Side>)>, Error> {
    let judged = judged(rows);
    let mut tables: Tables = rows
        .iter()
        .map(|row| (row.table.name.clone(), Arc::clone(&row.table)))
        .collect::<HashMap<TableName, Arc<TableInfo>>>();
    for name in resolve::related(&judged) {
        if let hash_map::Entry::Vacant(unknown) = tables.entry(name) {
            let info = TableInfo::load(nodes.hand(Side::A).conn(), unknown.key()).await?;
            unknown.insert(Arc::new(info));
        }
    }
    let mut found: Vec<(Place, Vec<Side>)> = Vec::new();
    for side in Side::BOTH {
        let places = resolve::in_the_way(nodes.hands(side), &judged, side, &tables).await;
        let places = places.map_err(|error| match error {
            ResolveError::Server(error) => Error::from(error),
            ResolveError::Row(error) => Error::from(error),
        })?;
        for place in places {
            let is = |table: &TableInfo, key: &[_]| table.name == place.0.name && *key == *place.1;
            if rows.iter().any(|row| is(&row.table, &row.key)) {
                continue;
            }
            match found.iter_mut().find(|((table, key), _)| is(table, key)) {
                Some((_, sides)) if !sides.contains(&side) => sides.push(side),
                Some(_) => {}
                None => found.push((place, vec![side])),
            }
        }
    }
    Ok(found)
}

/// Writes a row into the entry, so that what becomes of it is not lost.
fn note(entry: &mut Entry, table: &TableInfo, key: &[twinlog_binlog::Value], now: &[Content; 2]) {
    let detail = &mut entry.detail;
    let (schema, name) = (&*table.name.database, &*table.name.name);
    let known = detail
        .tables
        .iter()
        .position(|table| table.schema == schema && table.name == name);
    let at = known.unwrap_or_else(|| {
        detail.tables.push(shape(table));
        detail.tables.len() - 1
    });
    detail.rows.push(RowDetail {
        table: at,
        key: cells(key),
        base: Told::Unknown,
        held: now.each_ref().map(super::propose::told),
        chosen: Told::Unknown,
    });
}
