//! A table's stretches: each long enough to be worth a transaction, short enough that little is done twice after a kill.

use twinlog_binlog::Value;
use twinlog_row::{Kind, Span, TableInfo, identifier, parse_columns, run_within};
use twinlog_server::conn::Conn;

use super::{Error, STATEMENT_MAX, inventory::Table};

/// How much of a table is one stretch.
const STRETCH_BYTES: u64 = 32 << 20;

/// The number of rows is a guess, and may be far too low.
const STRETCH_ROWS_MIN: u64 = 1000;

/// Cuts a table, as the connection sees it.
pub(super) async fn cut(conn: &mut Conn, table: &Table) -> Result<Vec<Span>, Error> {
    let parts = table.bytes / STRETCH_BYTES;
    if parts == 0 || !table.info.is_walkable() {
        return Ok(vec![Span::default()]);
    }
    let keys = match counted_by(&table.info) {
        Some(at) => evenly(conn, &table.info, at, parts).await?,
        None => {
            walk(
                conn,
                &table.info,
                (table.rows / parts).max(STRETCH_ROWS_MIN),
            )
            .await?
        }
    };
    Ok(between(keys))
}

/// The stretches before, between and after some keys.
fn between(keys: Vec<Vec<Value>>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut after = None;
    for key in keys {
        spans.push(Span {
            after: after.replace(key.clone()),
            upto: Some(key),
        });
    }
    spans.push(Span { after, upto: None });
    spans
}

/// The column of a key that is one whole number.
fn counted_by(table: &TableInfo) -> Option<usize> {
    let [at] = table.key().ok()?.columns[..] else {
        return None;
    };
    matches!(table.columns[at].kind, Kind::Int { .. }).then_some(at)
}

/// Numbers in even steps from the least to the greatest. Where ids have gaps some stretches hold less; nothing is read for
/// it.
async fn evenly(
    conn: &mut Conn,
    table: &TableInfo,
    at: usize,
    parts: u64,
) -> Result<Vec<Vec<Value>>, Error> {
    let column = identifier(&table.columns[at].name);
    let sql = format!(
        "SELECT MIN({column}), MAX({column}) FROM {}",
        table.sql_name()
    );
    let row = run_within(conn, &sql, STATEMENT_MAX)
        .await
        .map_err(|error| Error::of_source(error, table))?
        .into_iter()
        .next();
    let number = |bytes: &Option<Vec<u8>>| -> Option<i128> {
        std::str::from_utf8(bytes.as_deref()?).ok()?.parse().ok()
    };
    let ends = row
        .as_deref()
        .map(|row| row.iter().map(number).collect::<Vec<_>>());
    let Some([Some(least), Some(most)]) = ends.as_deref() else {
        return Ok(Vec::new());
    };
    Ok(steps(*least, *most, parts)
        .into_iter()
        .filter_map(|number| Some(vec![value(&table.columns[at].kind, number)?]))
        .collect())
}

/// The ends of all but the last of so many parts.
fn steps(least: i128, most: i128, parts: u64) -> Vec<i128> {
    let parts = i128::from(parts);
    let mut ends: Vec<i128> = (1..parts)
        .map(|part| least + (most - least) * part / parts)
        .collect();
    ends.dedup();
    ends
}

fn value(kind: &Kind, number: i128) -> Option<Value> {
    match kind {
        Kind::Int { unsigned: true, .. } => number.try_into().ok().map(Value::UInt),
        _ => number.try_into().ok().map(Value::Int),
    }
}

/// Every so manieth key, found by walking the index.
async fn walk(conn: &mut Conn, table: &TableInfo, rows: u64) -> Result<Vec<Vec<Value>>, Error> {
    let mut keys = Vec::new();
    let mut rest = Span::default();
    loop {
        let sql = rest.nth(table, rows, None)?;
        let Some(found) = run_within(conn, &sql, STATEMENT_MAX)
            .await
            .map_err(|error| Error::of_source(error, table))?
            .into_iter()
            .next()
        else {
            return Ok(keys);
        };
        let columns = table.key()?.columns.clone();
        let key = parse_columns(table, columns.into_iter(), found)?;
        rest.after = Some(key.clone());
        keys.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_each_other_without_a_gap() {
        let key = |n| vec![Value::Int(n)];
        let spans = between(vec![key(1), key(5)]);
        let ends: Vec<_> = spans
            .into_iter()
            .map(|span| (span.after, span.upto))
            .collect();
        assert_eq!(
            ends,
            [
                (None, Some(key(1))),
                (Some(key(1)), Some(key(5))),
                (Some(key(5)), None)
            ]
        );
        assert_eq!(between(Vec::new()), [Span::default()]);
    }

    #[test]
    fn steps_are_even_whatever_the_numbers() {
        assert_eq!(steps(0, 100, 4), [25, 50, 75]);
        assert_eq!(steps(i128::from(i64::MIN), i128::from(i64::MAX), 2), [-1]);
        assert_eq!(steps(7, 7, 3), [7]);
        assert_eq!(steps(0, 9, 1), [0; 0]);
    }
}
