//! Whether rows that differed do so at a moment that both nodes have in common.
//!
//! Clients write and links carry: at any moment some rows differ, and nothing is wrong with them. First it is waited until
//! each node has executed all that the other had when the row was seen, and whatever is equal by then is forgotten. What
//! still differs is read on both nodes with a shared lock, so that neither clients nor appliers change it, and both nodes
//! are asked what they have executed. Once each has what the other had *then*, nothing that wrote the rows before can be on
//! its way any more: an applier that had yet to change one of them would wait for the lock, and its node would not have
//! executed it. The rows differ, whatever comes. Where a link takes longer than rows may be held, they are read without a
//! lock instead, and again when all has been carried over: those that did not change meanwhile differ.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::sleep;
use twinlog_binlog::Value;
use twinlog_server::conn;

use super::{
    Error,
    chunk::{Suspect, differing},
    hands::Hands,
    table::Table,
};
use crate::row::{RawRow, Row, RowError, same};

/// How long rows are held while both nodes come to have what the other had.
const LOCKED_MAX: Duration = Duration::from_millis(300);
/// How many rows are looked at in one statement, and how many locked in one transaction.
const LOOK_ROWS: usize = 100;
const LOCK_ROWS: usize = 20;
/// A row is tried so often.
const TRIES_MAX: u32 = 30;
/// Between two tries of the same rows.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of suspects.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Those that differ, with what each node holds.
    pub(super) differ: Vec<(Suspect, [Option<Row>; 2])>,
    /// Those that do not.
    pub(super) equal: Vec<Suspect>,
    /// Those that never stood still.
    pub(super) unknown: Vec<Suspect>,
}

/// Looks at suspects until all are judged. A table is given up once more than `rows_max` of its rows differ; without that
/// number those are looked at again that were found before.
pub(super) async fn judge(
    hands: &mut Hands,
    mut suspects: Vec<Suspect>,
    rows_max: Option<u64>,
) -> Result<Judged, Error> {
    let mut judged = Judged::default();
    while !suspects.is_empty() {
        hands.catch_up().await?;
        let mut again = Vec::new();
        for group in groups(suspects, LOOK_ROWS) {
            let table = Arc::clone(&group.table);
            // What was found before is looked at again whatever became of the rest of its table.
            if rows_max.is_some() && table.tally.is_given_up() {
                continue;
            }
            let before = judged.differ.len();
            let judging = judge_group(hands, group, &mut judged, &mut again).await;
            table.tally.survive(judging)?;
            if let Some(max) = rows_max {
                let found = &judged.differ[before..];
                found.iter().for_each(|_| table.tally.found(max));
            }
        }
        suspects = again;
        if !suspects.is_empty() {
            sleep(PAUSE).await;
        }
    }
    Ok(judged)
}

/// Suspects of one table.
struct Group {
    table: Arc<Table>,
    suspects: Vec<Suspect>,
}

impl Group {
    fn keys(&self) -> Vec<Vec<Value>> {
        let keys = self.suspects.iter().map(|suspect| suspect.key.clone());
        keys.collect()
    }
}

/// So many at most together.
fn groups(suspects: Vec<Suspect>, max: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for suspect in suspects {
        let fits = |group: &&mut Group| {
            group.suspects.len() < max && Arc::ptr_eq(&group.table, &suspect.table)
        };
        match groups.last_mut().filter(fits) {
            Some(group) => group.suspects.push(suspect),
            None => groups.push(Group {
                table: Arc::clone(&suspect.table),
                suspects: vec![suspect],
            }),
        }
    }
    groups
}

/// Looks at suspects of one table.
async fn judge_group(
    hands: &mut Hands,
    group: Group,
    judged: &mut Judged,
    again: &mut Vec<Suspect>,
) -> Result<(), Error> {
    let still = still(hands, group, &mut judged.equal).await?;
    let (fresh, tried): (Vec<_>, Vec<_>) =
        still.into_iter().partition(|suspect| suspect.tries == 0);
    // One row that never stands still must not keep others from being judged.
    let batches = groups(fresh, LOCK_ROWS).into_iter().chain(groups(tried, 1));
    for batch in batches {
        prove(hands, batch, judged, again).await?;
    }
    Ok(())
}

/// Those of a table's suspects that still differ.
async fn still(
    hands: &mut Hands,
    group: Group,
    equal: &mut Vec<Suspect>,
) -> Result<Vec<Suspect>, Error> {
    let table = &group.table;
    let rows = hands.both(&table.digests_of_sql(&group.keys())?).await?;
    let differ = differing(table, rows)?;
    let suspects = group.suspects.into_iter();
    let (still, gone) = suspects.partition(|suspect| differ.contains(&suspect.key));
    equal.extend(gone);
    Ok(still)
}

/// Looks at some rows of a table while nobody changes them.
async fn prove(
    hands: &mut Hands,
    batch: Group,
    judged: &mut Judged,
    again: &mut Vec<Suspect>,
) -> Result<(), Error> {
    let (table, keys) = (&batch.table, batch.keys());
    let locked = match locked(hands, table, &keys).await {
        Err(Error::Server(error)) if is_wait(&error) => Ok(Locked::Busy),
        locked => locked,
    };
    hands.end_locks().await?;
    let looks = match locked? {
        Locked::Looks(looks) => Some(looks),
        Locked::Behind => Some(apart(hands, table, &keys).await?),
        Locked::Busy => None,
    };
    for suspect in batch.suspects {
        let rows = looks.as_ref().map(|looks| looks.of(&suspect.key));
        match rows {
            Some([_, [Some(a), Some(b)]]) if same(&suspect.table.info, &a, &b) => {
                judged.equal.push(suspect)
            }
            Some([_, [None, None]]) => judged.equal.push(suspect),
            Some([first, second]) if first == second => judged.differ.push((suspect, second)),
            _ if suspect.tries >= TRIES_MAX => judged.unknown.push(suspect),
            _ => again.push(Suspect {
                tries: suspect.tries + 1,
                ..suspect
            }),
        }
    }
    Ok(())
}

/// What a node holds of some rows, by their keys: values have no order and no hash, but a text.
type Held = HashMap<String, Row>;

/// What both nodes held at two moments, with all of the first one carried over between them.
struct Looks([[Held; 2]; 2]);

impl Looks {
    /// Of one row: at the first moment on both nodes, and at the second.
    fn of(&self, key: &[Value]) -> [[Option<Row>; 2]; 2] {
        let name = name(key);
        let row = |held: &Held| held.get(&name).cloned();
        self.0.each_ref().map(|look| look.each_ref().map(row))
    }
}

fn name(key: &[Value]) -> String {
    format!("{key:?}")
}

/// What came of rows that were locked.
enum Locked {
    Looks(Looks),
    /// The links took longer than rows may be held.
    Behind,
    /// Somebody else had one of them.
    Busy,
}

/// Locks the rows on both nodes, and looks twice: no lock keeps anyone from inserting a row that is not there, nor from
/// writing a table without transactions.
async fn locked(hands: &mut Hands, table: &Table, keys: &[Vec<Value>]) -> Result<Locked, Error> {
    hands.begin_locks().await?;
    let sql = table.rows_sql(keys, true)?;
    let first = held(table, hands.both(&sql).await?)?;
    let moment = hands.now().await?;
    if !hands.passed(&moment, LOCKED_MAX).await? {
        return Ok(Locked::Behind);
    }
    let second = held(table, hands.both(&sql).await?)?;
    Ok(Locked::Looks(Looks([first, second])))
}

/// Looks at rows twice without a lock, and waits between for as long as the links take. A row that was changed and
/// changed back meanwhile is taken for one that stood still: what differs is looked at once more before it is reported.
async fn apart(hands: &mut Hands, table: &Table, keys: &[Vec<Value>]) -> Result<Looks, Error> {
    let sql = table.rows_sql(keys, false)?;
    let first = held(table, hands.both(&sql).await?)?;
    hands.catch_up().await?;
    let second = held(table, hands.both(&sql).await?)?;
    Ok(Looks([first, second]))
}

fn held(table: &Table, rows: [Vec<RawRow>; 2]) -> Result<[Held; 2], RowError> {
    let by_key = |rows: Vec<RawRow>| -> Result<Held, RowError> {
        let rows = rows.into_iter().map(|row| {
            let (key, row) = table.row(row)?;
            Ok((name(&key), row))
        });
        rows.collect()
    };
    let [a, b] = rows.map(by_key);
    Ok([a?, b?])
}

/// Whether somebody else had the lock: a lock wait, a deadlock, or a row that was changed since the snapshot (MariaDB's
/// `innodb_snapshot_isolation`).
fn is_wait(error: &conn::Error) -> bool {
    matches!(error.code(), Some(1205 | 1213 | 1020))
}
