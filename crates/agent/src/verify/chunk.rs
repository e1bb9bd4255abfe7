//! One stretch of a table: hashed on both nodes at once, and row by row where the hashes differ.

use std::{collections::HashMap, sync::Arc};

use twinlog_binlog::Value;

use super::{
    Error,
    cutter::end,
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
    span: &Span,
) -> Result<Compared, Error> {
    let [a, b] = hands.both(&table.sum_sql(span)?).await?;
    let rows = [number(a.first(), 0), number(b.first(), 0)];
    let mut compared = Compared {
        rows,
        suspects: Vec::new(),
    };
    if a == b {
        return Ok(compared);
    }
    if rows.into_iter().max() <= Some(LIST_MAX) {
        list(hands, table, span, &mut compared.suspects).await?;
        return Ok(compared);
    }
    let mut rest = span.clone();
    loop {
        let upto = end(hands, table, &rest, LIST_ROWS).await?;
        let part = Span {
            after: rest.after.clone(),
            upto: upto.clone().or_else(|| span.upto.clone()),
        };
        list(hands, table, &part, &mut compared.suspects).await?;
        match upto {
            Some(key) => rest.after = Some(key),
            None => return Ok(compared),
        }
    }
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
