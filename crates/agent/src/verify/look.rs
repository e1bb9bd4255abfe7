//! What both nodes hold of some rows, at moments that they have in common.

use std::{collections::HashMap, time::Duration};

use twinlog_binlog::Value;
use twinlog_server::conn;

use super::{Error, hands::Hands, table::Table};
use twinlog_row::{RawRow, Row, RowError};

/// How long rows are held while both nodes come to have what the other had.
const LOCKED_MAX: Duration = Duration::from_millis(300);

/// What a node holds of some rows, by their keys: values have no order and no hash, but a text.
type Held = HashMap<String, Row>;

/// What both nodes held at two moments, with all of the first one carried over between them.
pub(super) struct Looks([[Held; 2]; 2]);

impl Looks {
    /// One look, and the one that was taken before it.
    pub(super) fn new(first: Look, second: Look) -> Self {
        Self([first.0, second.0])
    }

    /// Of one row: at the first moment on both nodes, and at the second.
    pub(super) fn of(&self, key: &[Value]) -> [[Option<Row>; 2]; 2] {
        let name = name(key);
        let row = |held: &Held| held.get(&name).cloned();
        self.0.each_ref().map(|look| look.each_ref().map(row))
    }
}

fn name(key: &[Value]) -> String {
    format!("{key:?}")
}

/// What both nodes held at one moment.
pub(super) struct Look([Held; 2]);

/// Reads some rows on both nodes; `locked` in the transaction that is begun.
pub(super) async fn look(
    hands: &mut Hands,
    table: &Table,
    keys: &[Vec<Value>],
    locked: bool,
) -> Result<Look, Error> {
    let rows = hands.both(&table.rows_sql(keys, locked)?).await?;
    let by_key = |rows: Vec<RawRow>| -> Result<Held, RowError> {
        let rows = rows.into_iter().map(|row| {
            let (key, row) = table.row(row)?;
            Ok((name(&key), row))
        });
        rows.collect()
    };
    let [a, b] = rows.map(by_key);
    Ok(Look([a?, b?]))
}

/// What came of rows that were locked.
pub(super) enum Locked {
    Looks(Looks),
    /// The links took longer than rows may be held.
    Behind,
    /// Somebody else had one of them.
    Busy,
}

/// Looks at some rows twice while nobody changes them.
pub(super) async fn locked(
    hands: &mut Hands,
    table: &Table,
    keys: &[Vec<Value>],
) -> Result<Locked, Error> {
    let locked = match hold(hands, table, keys).await {
        Err(Error::Server(error)) if is_wait(&error) => Ok(Locked::Busy),
        locked => locked,
    };
    hands.end_locks().await?;
    locked
}

/// Locks the rows on both nodes, and looks twice: no lock keeps anyone from inserting a row that is not there, nor from
/// writing a table without transactions.
async fn hold(hands: &mut Hands, table: &Table, keys: &[Vec<Value>]) -> Result<Locked, Error> {
    hands.begin_locks().await?;
    let first = look(hands, table, keys, true).await?;
    let moment = hands.now().await?;
    if !hands.passed(&moment, LOCKED_MAX).await? {
        return Ok(Locked::Behind);
    }
    let second = look(hands, table, keys, true).await?;
    Ok(Locked::Looks(Looks::new(first, second)))
}

/// Whether somebody else had the lock: a lock wait, a deadlock, or a row that was changed since the snapshot (MariaDB's
/// `innodb_snapshot_isolation`).
fn is_wait(error: &conn::Error) -> bool {
    matches!(error.code(), Some(1205 | 1213 | 1020))
}
