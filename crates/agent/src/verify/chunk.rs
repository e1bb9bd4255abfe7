//! One stretch of a table: hashed on both nodes at once, and row by row where the hashes differ.

use std::{collections::HashMap, sync::Arc};

use twinlog_binlog::Value;
use twinlog_converge::Side;

use super::{
    Error,
    hands::Hands,
    span::Span,
    table::{Digest, Table},
};
use crate::row::RawRow;

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
pub(super) struct Suspect {
    pub(super) table: Arc<Table>,
    pub(super) key: Vec<Value>,
    /// How often it was tried in vain to look at it while it stood still.
    pub(super) tries: u32,
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
            list(hands, table, &part, &mut compared.suspects).await?;
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

/// A number in a row.
pub(super) fn number(row: Option<&RawRow>, at: usize) -> u64 {
    let text = row.and_then(|row| row.get(at)?.as_deref());
    let text = text.and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The rows of a stretch that are on one node only, or have another hash on the other.
async fn list(
    hands: &mut Hands,
    table: &Arc<Table>,
    span: &Span,
    suspects: &mut Vec<Suspect>,
) -> Result<(), Error> {
    let [a, b] = hands.both(&table.digests_sql(span)?).await?;
    for key in differing(
        a.into_iter().map(|row| table.digest(row)),
        b.into_iter().map(|row| table.digest(row)),
    ) {
        suspects.push(Suspect {
            table: Arc::clone(table),
            key: table.key(key)?,
            tries: 0,
        });
    }
    Ok(())
}

/// The keys that are on one side only, or have another hash on the other.
pub(super) fn differing(
    a: impl Iterator<Item = Digest>,
    b: impl Iterator<Item = Digest>,
) -> Vec<RawRow> {
    let mut left: HashMap<RawRow, Option<Vec<u8>>> = a.map(|row| (row.key, row.hash)).collect();
    let mut keys = Vec::new();
    for row in b {
        match left.remove(&row.key) {
            Some(hash) if hash == row.hash => {}
            _ => keys.push(row.key),
        }
    }
    keys.extend(left.into_keys());
    keys
}
