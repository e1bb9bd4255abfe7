//! Tables without a key that names rows: compared as a whole, as bags of equal rows.

use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;

use super::{Error, chunk::number, hands::Hands, judge, span::Span, table::Table};
use crate::row::{RawRow, Row, parse_row};

/// What differs must differ in so many looks, one after the other, with all carried over between them: no lock can hold
/// rows that no key names.
const LOOKS: usize = 3;
/// So many looks are taken until nothing new comes and goes.
const LOOKS_MAX: usize = 20;
const PAUSE: Duration = Duration::from_millis(200);

/// Rows that a node has more often than the other.
#[derive(Debug, PartialEq)]
pub(super) struct Surplus {
    pub(super) hash: Vec<u8>,
    /// How many of them each node has.
    pub(super) counts: [u64; 2],
    /// One of them.
    pub(super) row: Option<Row>,
}

/// What was seen of such a table.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) rows: [u64; 2],
    pub(super) surplus: Vec<Surplus>,
    /// Whether something came and went at every look.
    pub(super) restless: bool,
}

/// Compares a whole table.
pub(super) async fn compare(hands: &mut Hands, table: &Table) -> Result<Compared, Error> {
    let whole = Span::default();
    let [a, b] = hands.both(&table.sum_sql(&whole)?).await?;
    let mut compared = Compared {
        rows: [number(a.first(), 0), number(b.first(), 0)],
        ..Compared::default()
    };
    if a == b {
        return Ok(compared);
    }
    let mut seen: Vec<HashMap<Vec<u8>, [u64; 2]>> = Vec::new();
    for _ in 0..LOOKS_MAX {
        judge::wait(hands).await?;
        let [a, b] = hands.both(&table.groups_sql()?).await?;
        seen.push(differing(&a, &b));
        let last = &seen[seen.len().saturating_sub(LOOKS)..];
        let stable = last.len() == LOOKS && last.iter().all(|look| look == &last[0]);
        if stable || last.last().is_some_and(HashMap::is_empty) {
            compared.surplus = name(hands, table, last.last().cloned().unwrap_or_default()).await?;
            return Ok(compared);
        }
        sleep(PAUSE).await;
    }
    // What was there in all of the last looks is no matter of time.
    let mut steady = seen.pop().unwrap_or_default();
    steady.retain(|hash, counts| {
        seen.iter()
            .rev()
            .take(LOOKS)
            .all(|look| look.get(hash) == Some(counts))
    });
    compared.surplus = name(hands, table, steady).await?;
    compared.restless = true;
    Ok(compared)
}

fn differing(a: &[RawRow], b: &[RawRow]) -> HashMap<Vec<u8>, [u64; 2]> {
    let mut counts: HashMap<Vec<u8>, [u64; 2]> = HashMap::new();
    for (side, rows) in [a, b].into_iter().enumerate() {
        for row in rows {
            let hash = row.first().cloned().flatten().unwrap_or_default();
            counts.entry(hash).or_default()[side] = number(Some(row), 1);
        }
    }
    counts.retain(|_, [a, b]| a != b);
    counts
}

/// The rows behind the hashes.
async fn name(
    hands: &mut Hands,
    table: &Table,
    counts: HashMap<Vec<u8>, [u64; 2]>,
) -> Result<Vec<Surplus>, Error> {
    let mut all = Vec::new();
    for (hash, counts) in counts {
        let [a, b] = hands.both(&table.row_with_sql(&hash)?).await?;
        let row = a.into_iter().chain(b).next();
        let row = row.map(|row| parse_row(&table.info, row)).transpose()?;
        all.push(Surplus { hash, counts, row });
    }
    all.sort_by(|left, right| left.hash.cmp(&right.hash));
    Ok(all)
}
