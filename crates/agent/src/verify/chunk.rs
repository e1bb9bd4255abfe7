//! One stretch of a table: hashed on both nodes at once, and row by row where the hashes differ.

use std::{collections::HashMap, sync::Arc};

use twinlog_binlog::Value;
use twinlog_converge::Side;

use super::{
    Error,
    hands::{Hands, number},
    table::Table,
};
use twinlog_row::{RawRow, RowError, Span};

/// Of a longer stretch that differs the rows are not listed at once. It comes about where one node has many rows between two
/// keys of the other.
const LIST_MAX: u64 = 200_000;
/// It is cut into such.
const LIST_ROWS: u64 = 50_000;

/// A stretch of a table, to be compared.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) table: Arc<Table>,
    pub(super) span: Span,
    /// Its place among the table's stretches, from 0.
    pub(super) number: u64,
}

/// A row that differed when it was looked at. Perhaps only because a change of it was on its way.
#[derive(Debug, Clone)]
pub(crate) struct Suspect {
    pub(crate) table: Arc<Table>,
    pub(crate) key: Vec<Value>,
    /// How often it was tried in vain to look at it while it stood still.
    pub(super) tries: u32,
}

impl Suspect {
    /// As if it had not been tried yet.
    pub(super) fn anew(self) -> Self {
        Self { tries: 0, ..self }
    }
}

/// What was seen of a stretch.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// How many rows each node has there.
    pub(super) rows: [u64; 2],
    pub(super) suspects: Vec<Suspect>,
}

/// Compares a stretch of a table that has a key.
pub(super) async fn compare(
    hands: &mut Hands,
    table: &Arc<Table>,
    span: Span,
) -> Result<Compared, Error> {
    let mut compared = Compared::default();
    let mut parts = vec![span];
    while let Some(part) = parts.pop() {
        let [a, b] = hands.both(&table.sum_sql(&part)?).await?;
        let rows = [number(a.first(), 0), number(b.first(), 0)];
        let most = if rows[0] >= rows[1] { Side::A } else { Side::B };
        if a != b && rows[most.index()] > LIST_MAX {
            parts.extend(cut(hands, table, part, most).await?);
            continue;
        }
        compared.rows = [0, 1].map(|side| compared.rows[side] + rows[side]);
        if a != b {
            compared.suspects.extend(list(hands, table, &part).await?);
        }
        if table.tally.is_given_up() {
            break;
        }
    }
    Ok(compared)
}

/// Cuts a stretch in parts of so many rows of the node that has most, the last part first.
async fn cut(hands: &mut Hands, table: &Table, span: Span, most: Side) -> Result<Vec<Span>, Error> {
    let mut parts = Vec::new();
    let mut rest = span;
    while let Some(key) = nth(hands, table, &rest, LIST_ROWS, most).await? {
        parts.push(Span {
            after: rest.after.replace(key.clone()),
            upto: Some(key),
        });
    }
    parts.push(rest);
    parts.reverse();
    Ok(parts)
}

/// The key of the `n`th row of a stretch on a node.
pub(super) async fn nth(
    hands: &mut Hands,
    table: &Table,
    span: &Span,
    n: u64,
    side: Side,
) -> Result<Option<Vec<Value>>, Error> {
    let found = hands.one(side, &table.nth_sql(span, n)?).await?;
    let key = found.into_iter().next().map(|key| table.key(key));
    Ok(key.transpose()?)
}

/// The rows of a stretch that are on one node only, or have another hash on the other.
async fn list(hands: &mut Hands, table: &Arc<Table>, span: &Span) -> Result<Vec<Suspect>, Error> {
    let rows = hands.both(&table.digests_sql(span)?).await?;
    let suspects = differing(table, rows)?.into_iter().map(|key| Suspect {
        table: Arc::clone(table),
        key,
        tries: 0,
    });
    Ok(suspects.collect())
}

/// The keys that are on one node only, or have another hash on the other: of what [`Table::digests_sql`] selected on both.
pub(super) fn differing(
    table: &Table,
    [a, b]: [Vec<RawRow>; 2],
) -> Result<Vec<Vec<Value>>, RowError> {
    let digests = a.into_iter().map(|row| table.digest(row));
    let mut left: HashMap<RawRow, Option<Vec<u8>>> = digests.collect();
    let mut keys = Vec::new();
    for row in b {
        let (key, hash) = table.digest(row);
        match left.remove(&key) {
            Some(other) if other == hash => {}
            _ => keys.push(key),
        }
    }
    let keys = keys.into_iter().chain(left.into_keys());
    keys.map(|key| table.key(key)).collect()
}
