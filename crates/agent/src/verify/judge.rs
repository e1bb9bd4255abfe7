//! Whether rows that differed do so at a moment that both nodes have in common.
//!
//! Clients write and links carry: at any moment some rows differ, and nothing is wrong with them. First it is waited until
//! each node has executed all that the other had when the row was seen, and whatever is equal by then is forgotten. What
//! still differs is read on both nodes with a shared lock, so that neither clients nor appliers change it, and both nodes
//! are asked what they have executed. Once each has what the other had *then*, nothing that wrote the rows before can be on
//! its way any more: an applier that had yet to change one of them would wait for the lock, and its node would not have
//! executed it. The rows differ, whatever comes. Where that does not come about in a fraction of a second, the locks are
//! let go of, and it is tried again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use twinlog_binlog::Value;
use twinlog_server::conn;

use super::{
    Error,
    chunk::{Suspect, differing},
    hands::Hands,
    table::Table,
};
use crate::row::{Row, RowError, same};

/// How long rows are held while both nodes come to have what the other had.
const LOCKED_MAX: Duration = Duration::from_millis(300);
/// How many rows are looked at in one statement, and how many locked in one transaction.
const LOOK_ROWS: usize = 100;
const LOCK_ROWS: usize = 20;
/// A row is tried so often.
const TRIES_MAX: u32 = 30;
/// Between two tries of the same rows.
const PAUSE: Duration = Duration::from_millis(100);
/// A link that has carried nothing for so long, though there is something to carry, is not waited for.
const STILL_MAX: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_secs(1);

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

/// Looks at suspects until all are judged.
pub(super) async fn judge(hands: &mut Hands, mut suspects: Vec<Suspect>) -> Result<Judged, Error> {
    let mut judged = Judged::default();
    while !suspects.is_empty() {
        wait(hands).await?;
        let mut again = Vec::new();
        for group in groups(suspects, LOOK_ROWS) {
            let still = still(hands, group, &mut judged.equal).await?;
            let (fresh, tried): (Vec<_>, Vec<_>) =
                still.into_iter().partition(|suspect| suspect.tries == 0);
            // One row that never stands still must not keep others from being judged.
            let batches = groups(fresh, LOCK_ROWS).into_iter().chain(groups(tried, 1));
            for batch in batches {
                prove(hands, batch, &mut judged, &mut again).await?;
            }
        }
        suspects = again;
        if !suspects.is_empty() {
            sleep(PAUSE).await;
        }
    }
    Ok(judged)
}

/// Waits until each node has executed all that the other has by now.
pub(super) async fn wait(hands: &mut Hands) -> Result<(), Error> {
    let moment = hands.now().await?;
    let mut last = hands.now().await?;
    let mut moved = Instant::now();
    while !hands.passed(&moment, STEP).await? {
        let now = hands.now().await?;
        if last.moved(&now) {
            moved = Instant::now();
            last = now;
        }
        if moved.elapsed() > STILL_MAX {
            return Err(Error::Still {
                seconds: STILL_MAX.as_secs(),
            });
        }
    }
    Ok(())
}

/// So many at most together, each of one table.
fn groups(suspects: Vec<Suspect>, max: usize) -> Vec<Vec<Suspect>> {
    let mut groups: Vec<Vec<Suspect>> = Vec::new();
    for suspect in suspects {
        let fits = |group: &&mut Vec<Suspect>| {
            group.len() < max
                && group
                    .first()
                    .is_some_and(|first| Arc::ptr_eq(&first.table, &suspect.table))
        };
        match groups.last_mut().filter(fits) {
            Some(group) => group.push(suspect),
            None => groups.push(vec![suspect]),
        }
    }
    groups
}

/// Those of a table's suspects that still differ.
async fn still(
    hands: &mut Hands,
    group: Vec<Suspect>,
    equal: &mut Vec<Suspect>,
) -> Result<Vec<Suspect>, Error> {
    let Some(table) = group.first().map(|first| Arc::clone(&first.table)) else {
        return Ok(group);
    };
    let [a, b] = hands.both(&table.digests_of_sql(&keys(&group))?).await?;
    let digests = |rows: Vec<_>| {
        rows.into_iter()
            .map(|row| table.digest(row))
            .collect::<Vec<_>>()
    };
    let differ = differing(digests(a).into_iter(), digests(b).into_iter());
    let differ = differ
        .into_iter()
        .map(|key| table.key(key))
        .collect::<Result<Vec<_>, _>>()?;
    let (still, gone) = group
        .into_iter()
        .partition(|suspect| differ.contains(&suspect.key));
    equal.extend(gone);
    Ok(still)
}

fn keys(group: &[Suspect]) -> Vec<Vec<Value>> {
    group.iter().map(|suspect| suspect.key.clone()).collect()
}

/// Looks at some rows of a table while nobody changes them.
async fn prove(
    hands: &mut Hands,
    batch: Vec<Suspect>,
    judged: &mut Judged,
    again: &mut Vec<Suspect>,
) -> Result<(), Error> {
    let Some(table) = batch.first().map(|first| Arc::clone(&first.table)) else {
        return Ok(());
    };
    let held = match locked(hands, &table, &keys(&batch)).await {
        Ok(held) => held,
        Err(Error::Server(error)) if is_wait(&error) => None,
        Err(error) => return Err(error),
    };
    hands.rollback().await?;
    for suspect in batch {
        let rows = held.as_ref().map(|held| held.of(&suspect.key));
        match rows {
            Some([Some(a), Some(b)]) if same(&table.info, &a, &b) => judged.equal.push(suspect),
            Some([None, None]) => judged.equal.push(suspect),
            Some(rows) if !held.as_ref().is_some_and(|held| held.came(&suspect.key)) => {
                judged.differ.push((suspect, rows));
            }
            _ if suspect.tries >= TRIES_MAX => judged.unknown.push(suspect),
            _ => again.push(Suspect {
                tries: suspect.tries + 1,
                ..suspect
            }),
        }
    }
    Ok(())
}

/// What both nodes hold in some rows at a moment.
struct Held {
    rows: [HashMap<String, Row>; 2],
    /// Rows that were there a moment later, and had not been: no lock keeps anyone from inserting.
    came: [HashMap<String, Row>; 2],
}

impl Held {
    fn of(&self, key: &[Value]) -> [Option<Row>; 2] {
        self.rows
            .each_ref()
            .map(|rows| rows.get(&name(key)).cloned())
    }

    fn came(&self, key: &[Value]) -> bool {
        let name = name(key);
        let mut both = self.rows.iter().zip(&self.came);
        both.any(|(rows, came)| !rows.contains_key(&name) && came.contains_key(&name))
    }
}

/// A key as a text: values have no order and no hash.
fn name(key: &[Value]) -> String {
    format!("{key:?}")
}

/// Locks the rows on both nodes; `None` where they had not all of each other's in time.
async fn locked(
    hands: &mut Hands,
    table: &Table,
    keys: &[Vec<Value>],
) -> Result<Option<Held>, Error> {
    hands.both("START TRANSACTION").await?;
    let sql = table.rows_sql(keys, true)?;
    let rows = hands.both(&sql).await?;
    let moment = hands.now().await?;
    if !hands.passed(&moment, LOCKED_MAX).await? {
        return Ok(None);
    }
    let came = hands.both(&table.rows_sql(keys, false)?).await?;
    let by_key = |rows: Vec<_>| -> Result<HashMap<String, Row>, RowError> {
        let rows = rows.into_iter().map(|row| {
            let (key, row) = table.row(row)?;
            Ok((name(&key), row))
        });
        rows.collect()
    };
    let [a, b] = rows.map(by_key);
    let [came_a, came_b] = came.map(by_key);
    Ok(Some(Held {
        rows: [a?, b?],
        came: [came_a?, came_b?],
    }))
}

/// Whether somebody else had the lock: a lock wait, or a deadlock.
fn is_wait(error: &conn::Error) -> bool {
    matches!(error.code(), Some(1205 | 1213))
}
