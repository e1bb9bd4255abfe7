//! Tables without a key that names rows: compared as a whole, as bags of equal rows.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Error,
    hands::{Hands, number},
    table::Table,
};
use twinlog_row::{RawRow, Row, Span, parse_row};

/// What differs must differ in so many looks, one after the other, with all carried over between them: no lock can hold
/// rows that no key names.
const LOOKS: usize = 3;
/// So many looks are taken until nothing new comes and goes.
const LOOKS_MAX: usize = 20;
const PAUSE: Duration = Duration::from_millis(200);

/// Rows that a node has more often than the other.
#[derive(Debug, PartialEq)]
pub(super) struct Surplus {
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

/// How many rows have a hash on each node, by hash.
type Counts = BTreeMap<String, [u64; 2]>;

/// Compares a whole table. Of more than `rows_max` rows that differ it is known only that they do.
pub(super) async fn compare(
    hands: &mut Hands,
    table: &Table,
    rows_max: u64,
) -> Result<Compared, Error> {
    let [a, b] = hands.both(&table.sum_sql(&Span::default())?).await?;
    let mut compared = Compared {
        rows: [number(a.first(), 0), number(b.first(), 0)],
        ..Compared::default()
    };
    if a == b {
        return Ok(compared);
    }
    let mut seen: Vec<Counts> = Vec::new();
    for _ in 0..LOOKS_MAX {
        hands.catch_up().await?;
        seen.push(look(hands, table).await?);
        let last = &seen[seen.len().saturating_sub(LOOKS)..];
        let stands = last.len() == LOOKS && last.iter().all(|look| look == &last[0]);
        if stands || last.last().is_some_and(Counts::is_empty) {
            compared.surplus = name(hands, table, seen.pop().unwrap_or_default(), rows_max).await?;
            return Ok(compared);
        }
        sleep(PAUSE).await;
    }
    // What was there in all of the last looks is no matter of time.
    let mut steady = seen.pop().unwrap_or_default();
    let last = &seen[seen.len().saturating_sub(LOOKS)..];
    steady.retain(|hash, counts| last.iter().all(|look| look.get(hash) == Some(counts)));
    compared.surplus = name(hands, table, steady, rows_max).await?;
    compared.restless = true;
    Ok(compared)
}

/// What differs at the moment: first which parts of the table, then which rows of them.
async fn look(hands: &mut Hands, table: &Table) -> Result<Counts, Error> {
    let [a, b] = hands.both(&table.buckets_sql()?).await?;
    let of_b: HashMap<&Option<Vec<u8>>, &RawRow> = b.iter().map(|row| (&row[0], row)).collect();
    let of_a: HashMap<&Option<Vec<u8>>, &RawRow> = a.iter().map(|row| (&row[0], row)).collect();
    let changed = a.iter().filter(|row| of_b.get(&row[0]) != Some(row));
    let alone = b.iter().filter(|row| !of_a.contains_key(&row[0]));
    let buckets: Vec<String> = changed.chain(alone).map(text).collect();
    if buckets.is_empty() {
        return Ok(Counts::new());
    }
    let rows = hands.both(&table.groups_sql(&buckets)?).await?;
    let mut counts = Counts::new();
    for (side, rows) in rows.iter().enumerate() {
        for row in rows {
            counts.entry(text(row)).or_default()[side] = number(Some(row), 1);
        }
    }
    counts.retain(|_, [a, b]| a != b);
    Ok(counts)
}

/// The rows behind the hashes.
async fn name(
    hands: &mut Hands,
    table: &Table,
    mut counts: Counts,
    rows_max: u64,
) -> Result<Vec<Surplus>, Error> {
    if counts.len() as u64 > rows_max {
        table.tally.give_up();
    }
    while counts.len() as u64 > rows_max {
        counts.pop_last();
    }
    let hashes: Vec<String> = counts.keys().cloned().collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: HashMap<String, Row> = HashMap::new();
    for raw in hands
        .both(&table.rows_with_sql(&hashes)?)
        .await?
        .into_iter()
        .flatten()
    {
        if let Entry::Vacant(place) = rows.entry(text(&raw)) {
            let raw = raw.into_iter().skip(1).collect();
            place.insert(parse_row(&table.info, raw)?);
        }
    }
    let surplus = counts.into_iter().map(|(hash, counts)| Surplus {
        counts,
        row: rows.remove(&hash),
    });
    Ok(surplus.collect())
}

/// The text that a row begins with.
fn text(row: &RawRow) -> String {
    let bytes = row.first().and_then(Option::as_deref).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}
