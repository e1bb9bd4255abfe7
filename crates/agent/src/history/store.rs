//! Statements on `twinlog.conflict`.

use std::collections::HashMap;

use jiff::Timestamp;
use twinlog_server::conn::{Conn, Error, Row};

use super::{Entry, Filter, HistoryError, Kind, State, packed};
use twinlog_row::{run, text_literal};

/// The columns of a row, times as microseconds.
fn columns() -> String {
    format!(
        "id, {} AS found_us, schema_name, table_name, row_key, kind, state, policy, rule, chosen, chosen_node, chosen_us, \
         gtid_a, gtid_b, repair_gtid, {} AS resolved_us, detail",
        micros("found_at"),
        micros("resolved_at")
    )
}

/// A DATETIME column as microseconds since 1970. Without the session's time zone, which `UNIX_TIMESTAMP` would add.
pub(super) fn micros(column: &str) -> String {
    format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column})")
}

/// Microseconds since 1970 as a DATETIME(6).
pub(crate) fn datetime(micros: u64) -> String {
    // Microseconds of the next 290 000 years fit, and jiff knows those of the next 8 000.
    let time = i64::try_from(micros)
        .ok()
        .and_then(|us| Timestamp::from_microsecond(us).ok());
    let time = time.unwrap_or(Timestamp::MAX);
    format!("'{}'", time.strftime("%Y-%m-%d %H:%M:%S%.6f"))
}

fn text_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".into(), text_literal)
}

fn time_or_null(micros: Option<u64>) -> String {
    micros.map_or_else(|| "NULL".into(), datetime)
}

/// The statement that writes an entry, to be run within the transaction that repairs it. Where there is one with this id
/// that is still open, it is brought up to date; one that is not open stays as it is, whoever closed it.
#[must_use]
pub fn insert_sql(entry: &Entry) -> String {
    // Assigned in this order, each seeing what those before it left: the state last, as all others ask for it.
    const UPDATED: [&str; 10] = [
        "policy",
        "rule",
        "chosen",
        "chosen_node",
        "chosen_us",
        "gtid_a",
        "gtid_b",
        "resolved_at",
        "detail",
        "state",
    ];
    let updates =
        UPDATED.map(|name| format!("{name} = IF(state = 'open', VALUES({name}), {name})"));
    let detail = packed::pack(&entry.detail);
    format!(
        "INSERT INTO `twinlog`.`conflict` (id, found_at, schema_name, table_name, row_key, kind, state, policy, rule, chosen, \
         chosen_node, chosen_us, gtid_a, gtid_b, repair_gtid, resolved_at, detail) \
         VALUES ({}, {}, {}, {}, {}, '{}', '{}', {}, {}, {}, {}, {}, {}, {}, {}, {}, {}) ON DUPLICATE KEY UPDATE {}",
        text_literal(&entry.id),
        datetime(entry.found_us),
        text_literal(&entry.schema_name),
        text_literal(&entry.table_name),
        text_literal(&entry.row_key),
        entry.kind,
        entry.state,
        text_literal(&entry.policy),
        text_literal(&entry.rule),
        text_or_null(entry.chosen.as_deref()),
        text_or_null(entry.chosen_node.as_deref()),
        entry
            .chosen_us
            .map_or_else(|| "NULL".into(), |us| us.to_string()),
        text_or_null(entry.gtid_a.as_deref()),
        text_or_null(entry.gtid_b.as_deref()),
        text_or_null(entry.repair_gtid.as_deref()),
        time_or_null(entry.resolved_us),
        text_literal(&detail),
        updates.join(", ")
    )
}

/// Writes an entry on its own, for what needs no repair or cannot have one.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn record(conn: &mut Conn, entry: &Entry) -> Result<(), Error> {
    run(conn, &insert_sql(entry)).await.map(drop)
}

/// The state of the entry with this id; `None` where there is none.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn state(conn: &mut Conn, id: &str) -> Result<Option<State>, Error> {
    let sql = format!(
        "SELECT state FROM `twinlog`.`conflict` WHERE id = {}",
        text_literal(id)
    );
    let word = conn.value(&sql).await?;
    Ok(State::ALL
        .into_iter()
        .find(|state| word.as_deref() == Some(state.word())))
}

/// Those of these entries that there are and that are not open.
///
/// # Errors
/// As [`Conn::rows`].
pub(crate) async fn settled(conn: &mut Conn, ids: &[String]) -> Result<Vec<String>, Error> {
    let ids: Vec<String> = ids.iter().map(|id| text_literal(id)).collect();
    let sql = format!(
        "SELECT id FROM `twinlog`.`conflict` WHERE id IN ({}) AND state <> 'open'",
        ids.join(", ")
    );
    let rows = conn.rows(&sql).await?;
    let ids = rows.iter().filter_map(|row| row.get("id"));
    Ok(ids.map(str::to_owned).collect())
}

/// Closes an entry that is still open: another has taken its place.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn supersede(conn: &mut Conn, id: &str, now_us: u64) -> Result<(), Error> {
    let sql = format!(
        "UPDATE `twinlog`.`conflict` SET state = 'superseded', resolved_at = {} WHERE id = {} AND state = 'open'",
        datetime(now_us),
        text_literal(id)
    );
    run(conn, &sql).await.map(drop)
}

/// The newest rows that the filter lets through, the newest first.
///
/// # Errors
/// The server's, or [`HistoryError::Unreadable`].
pub async fn list(conn: &mut Conn, filter: &Filter) -> Result<Vec<Entry>, HistoryError> {
    select(
        conn,
        &format!(
            "{} ORDER BY found_at DESC, id LIMIT {}",
            filter.condition(),
            filter.limit.unwrap_or(super::LIST_LIMIT_DEFAULT)
        ),
    )
    .await
}

/// How many rows the filter lets through, whatever its limit: all of them, and the open ones.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn total(conn: &mut Conn, filter: &Filter) -> Result<(u64, u64), Error> {
    let sql = format!(
        "SELECT COUNT(*) AS n, COALESCE(SUM(state = 'open'), 0) AS open FROM `twinlog`.`conflict` WHERE {}",
        filter.condition()
    );
    let row = conn.row(&sql).await?.unwrap_or_default();
    let number = |name| row.number(name).unwrap_or_default();
    Ok((number("n"), number("open")))
}

/// The row with this id, or the only one whose id begins so.
///
/// # Errors
/// [`HistoryError::NoSuch`], [`HistoryError::Ambiguous`], or as [`list`].
pub async fn find(conn: &mut Conn, id: &str) -> Result<Entry, HistoryError> {
    let no_such = || HistoryError::NoSuch { id: id.to_owned() };
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(no_such());
    }
    let mut found = select(
        conn,
        &format!("id LIKE '{}%' ORDER BY id", id.to_lowercase()),
    )
    .await?;
    match found.len() {
        0 | 1 => found.pop().ok_or_else(no_such),
        count => Err(HistoryError::Ambiguous {
            id: id.to_owned(),
            count,
        }),
    }
}

async fn select(conn: &mut Conn, rest: &str) -> Result<Vec<Entry>, HistoryError> {
    let sql = format!(
        "SELECT {} FROM `twinlog`.`conflict` WHERE {rest}",
        columns()
    );
    conn.rows(&sql).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry, HistoryError> {
    let text = |name: &str| row.get(name).unwrap_or_default().to_owned();
    let some = |name: &str| row.get(name).map(str::to_owned);
    let unreadable = |what| HistoryError::Unreadable {
        id: text("id"),
        what,
    };
    let detail = packed::unpack(&text("detail")).map_err(|_| unreadable("detail"))?;
    Ok(Entry {
        id: text("id"),
        found_us: row
            .number("found_us")
            .ok_or_else(|| unreadable("found_at"))?,
        schema_name: text("schema_name"),
        table_name: text("table_name"),
        row_key: text("row_key"),
        kind: Kind::ALL
            .into_iter()
            .find(|kind| kind.word() == text("kind"))
            .ok_or_else(|| unreadable("kind"))?,
        state: State::ALL
            .into_iter()
            .find(|state| state.word() == text("state"))
            .ok_or_else(|| unreadable("state"))?,
        policy: text("policy"),
        rule: text("rule"),
        chosen: some("chosen"),
        chosen_node: some("chosen_node"),
        chosen_us: row.number("chosen_us"),
        gtid_a: some("gtid_a"),
        gtid_b: some("gtid_b"),
        repair_gtid: some("repair_gtid"),
        resolved_us: row.number("resolved_us"),
        detail,
    })
}

/// How many rows there are in each state.
pub type Counts = HashMap<State, u64>;

/// Counts the rows by state.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn counts(conn: &mut Conn) -> Result<Counts, Error> {
    let rows = conn
        .rows("SELECT state, COUNT(*) AS n FROM `twinlog`.`conflict` GROUP BY state")
        .await?;
    let state = |row: &Row| {
        State::ALL
            .into_iter()
            .find(|state| row.get("state") == Some(state.word()))
    };
    Ok(rows
        .iter()
        .filter_map(|row| Some((state(row)?, row.number("n")?)))
        .collect())
}

/// Says what became of an open entry. Whether there was one.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn resolve(
    conn: &mut Conn,
    id: &str,
    state: State,
    rule: &str,
    at_us: u64,
) -> Result<bool, Error> {
    let open = format!("id = {} AND state = 'open'", text_literal(id));
    let sql = format!(
        "UPDATE `twinlog`.`conflict` SET state = '{state}', rule = {}, resolved_at = {} WHERE {open}",
        text_literal(rule),
        datetime(at_us)
    );
    affected(conn, &sql).await.map(|rows| rows > 0)
}

/// Fills in the transactions that repaired entries (ids, GTIDs), as read from the log: all in one statement. Of two
/// repairs of one entry the first stays.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn set_repair_gtids(conn: &mut Conn, named: &[(String, String)]) -> Result<(), Error> {
    if named.is_empty() {
        return Ok(());
    }
    // Of two branches for one id the first counts.
    let branches = named
        .iter()
        .map(|(id, gtid)| format!("WHEN {} THEN {}", text_literal(id), text_literal(gtid)));
    let branches: Vec<String> = branches.collect();
    let ids: Vec<String> = named.iter().map(|(id, _)| text_literal(id)).collect();
    let sql = format!(
        "UPDATE `twinlog`.`conflict` SET repair_gtid = CASE id {} END WHERE id IN ({}) AND repair_gtid IS NULL",
        branches.join(" "),
        ids.join(", ")
    );
    run(conn, &sql).await.map(drop)
}

/// How many entries [`prune`] would delete, and how many as old ones it would leave because they are open.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn prunable(conn: &mut Conn, before_us: u64) -> Result<(u64, u64), Error> {
    let filter = Filter {
        until_us: Some(before_us),
        ..Filter::default()
    };
    let (all, open) = total(conn, &filter).await?;
    Ok((all.saturating_sub(open), open))
}

/// Deletes entries that were found before a time and are not open, in small steps; how many.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn prune(conn: &mut Conn, before_us: u64) -> Result<u64, Error> {
    // One transaction of a thousand details of a few kilobytes is no burden for the link.
    const STEP: u64 = 1000;
    let sql = format!(
        "DELETE FROM `twinlog`.`conflict` WHERE found_at < {} AND state <> 'open' ORDER BY found_at, id LIMIT {STEP}",
        datetime(before_us)
    );
    let mut total = 0;
    loop {
        let rows = affected(conn, &sql).await?;
        total += rows;
        if rows < STEP {
            return Ok(total);
        }
    }
}

async fn affected(conn: &mut Conn, sql: &str) -> Result<u64, Error> {
    let sets = conn
        .result_sets(sql, sql, twinlog_row::STATEMENT_TIMEOUT)
        .await?;
    Ok(sets.iter().map(|set| set.affected).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_microseconds() {
        assert_eq!(datetime(1), "'1970-01-01 00:00:00.000001'");
        assert_eq!(
            datetime(1_700_000_000_000_000),
            "'2023-11-14 22:13:20.000000'"
        );
    }
}
