//! Whether rows that differed do so at a moment that both nodes have in common.
//!
//! Clients write and links carry: at any moment some rows differ, and nothing is wrong with them. First it is waited until
//! each node has executed all that the other had when the row was seen, and whatever is equal by then is forgotten. What
//! still differs is read on both nodes with a shared lock, so that neither clients nor appliers change it, and both nodes
//! are asked what they have executed. Once each has what the other had *then*, nothing that wrote the rows before can be on
//! its way any more: an applier that had yet to change one of them would wait for the lock, and its node would not have
//! executed it. The rows differ, whatever comes. Where a link takes longer than rows may be held, they are read without a
//! lock instead, and again when all has been carried over: those that did not change meanwhile differ.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};
use twinlog_binlog::Value;

use super::{
    Error,
    bookmark::{self, Keeper},
    chunk::{Suspect, differing},
    found::Found,
    hands::Hands,
    look::{Locked, Looks, locked, look},
    progress::Progress,
    table::Table,
};
use twinlog_row::{Row, same};

/// How many rows are looked at in one statement, and how many locked in one transaction.
const LOOK_ROWS: usize = 100;
const LOCK_ROWS: usize = 20;
/// How many are looked at in one round; their values are in memory.
const ROUND_ROWS: usize = 1000;
/// A row is tried so often. A try while a link is behind takes that link's time, twice, and counts for many.
const TRIES_MAX: u32 = 30;
const TRIES_OF_LATE: u32 = 6;
/// Between two tries of the same rows.
const PAUSE: Duration = Duration::from_millis(100);
/// So much of what rows that differ hold is kept for the report; then long values are left out.
const KEPT_BYTES_MAX: usize = 64 << 20;
const LONG_BYTES: usize = 64;

/// Judges what the workers find; at the end once more what differs.
pub(super) struct Judge {
    pub(super) hands: Hands,
    pub(super) progress: Arc<Progress>,
    pub(super) keeper: Arc<Keeper>,
    /// A table is given up once more of its rows differ.
    pub(super) rows_max: u64,
}

impl Judge {
    /// Judges these, and those that come until nobody sends any more.
    pub(super) async fn run(
        mut self,
        first: Vec<Suspect>,
        mut suspects: mpsc::Receiver<Vec<Suspect>>,
    ) -> Result<Found, Error> {
        let (mut found, mut differ) = (Found::default(), Vec::new());
        self.progress.suspect(first.len() as u64);
        let mut pool = first;
        loop {
            // New ones do not wait for those that never stand still.
            while pool.len() < ROUND_ROWS
                && let Ok(part) = suspects.try_recv()
            {
                pool.extend(part);
            }
            if pool.is_empty() {
                let Some(part) = suspects.recv().await else {
                    break;
                };
                pool = part;
            }
            let before = pool.len();
            let judged = round(&mut self.hands, &mut pool, Some(self.rows_max)).await?;
            self.progress
                .judged((before - pool.len()) as u64, judged.differ.len() as u64);
            self.keeper.cleared(&judged.equal);
            // What they hold is read again at the end.
            differ.extend(judged.differ.into_iter().map(|(suspect, _)| suspect.anew()));
            found.unknown.extend(judged.unknown);
        }
        // What a run before this one had found beyond a gap was found again.
        let mut seen = HashSet::new();
        differ.retain(|suspect| seen.insert(bookmark::name_of(suspect)));
        self.look_again(&differ, &mut found).await?;
        self.hands.close().await;
        Ok(found)
    }

    /// Looks once more at what differs: it may have been mended meanwhile.
    async fn look_again(&mut self, differ: &[Suspect], found: &mut Found) -> Result<(), Error> {
        let mut kept = 0;
        for part in differ.chunks(ROUND_ROWS) {
            let mut pool = part.to_vec();
            while !pool.is_empty() {
                let judged = round(&mut self.hands, &mut pool, None).await?;
                found.mended += judged.equal.len() as u64;
                found.unknown.extend(judged.unknown);
                for (suspect, mut rows) in judged.differ {
                    lighten(&mut rows, &mut kept);
                    found.differ.push((suspect, rows));
                }
            }
        }
        Ok(())
    }
}

/// Which of these rows both nodes hold alike by now, by [`name_of`](bookmark::name_of).
pub(crate) async fn equal_by_now(
    hands: &mut Hands,
    suspects: &[Suspect],
) -> Result<HashSet<String>, Error> {
    let mut equal = HashSet::new();
    for part in suspects.chunks(ROUND_ROWS) {
        let mut pool = part.to_vec();
        while !pool.is_empty() {
            let judged = round(hands, &mut pool, None).await?;
            equal.extend(judged.equal.iter().map(bookmark::name_of));
        }
    }
    Ok(equal)
}

/// Leaves long values out, once what is kept for the report is much.
fn lighten(rows: &mut [Option<Row>; 2], kept: &mut usize) {
    for value in rows.iter_mut().flatten().flatten() {
        let (Value::Bytes(bytes) | Value::Geometry(bytes)) = value else {
            continue;
        };
        if bytes.len() > LONG_BYTES && *kept + bytes.len() > KEPT_BYTES_MAX {
            *value = Value::Absent;
        } else {
            *kept += bytes.len();
        }
    }
}

/// What became of suspects.
#[derive(Debug, Default)]
struct Judged {
    /// Those that differ, with what each node holds.
    differ: Vec<(Suspect, [Option<Row>; 2])>,
    /// Those that do not.
    equal: Vec<Suspect>,
    /// Those that never stood still.
    unknown: Vec<Suspect>,
}

/// Looks at each suspect of a pool once, and leaves there what is to be tried again. A table is given up once more than
/// `rows_max` of its rows differ; without that number those are looked at again that were found before.
async fn round(
    hands: &mut Hands,
    pool: &mut Vec<Suspect>,
    rows_max: Option<u64>,
) -> Result<Judged, Error> {
    if pool.iter().any(|suspect| suspect.tries > 0) {
        sleep(PAUSE).await;
    }
    hands.catch_up().await?;
    let mut round = Round {
        hands,
        rows_max,
        judged: Judged::default(),
        again: Vec::new(),
        late: Vec::new(),
    };
    for group in groups(std::mem::take(pool), LOOK_ROWS) {
        // What was found before is looked at again whatever became of the rest of its table.
        if rows_max.is_some() && group.table.tally.is_given_up() {
            continue;
        }
        let table = Arc::clone(&group.table);
        table.tally.survive(round.judge(group).await)?;
    }
    round.judge_late().await?;
    *pool = round.again;
    Ok(round.judged)
}

/// One look at each of some suspects.
struct Round<'a> {
    hands: &'a mut Hands,
    rows_max: Option<u64>,
    judged: Judged,
    /// Those that did not stand still.
    again: Vec<Suspect>,
    /// Those that cannot be held for as long as the links take.
    late: Vec<Group>,
}

impl Round<'_> {
    /// Looks at suspects of one table.
    async fn judge(&mut self, group: Group) -> Result<(), Error> {
        let still = self.still(group).await?;
        let (fresh, tried): (Vec<_>, Vec<_>) =
            still.into_iter().partition(|suspect| suspect.tries == 0);
        // One row that never stands still must not keep others from being judged.
        let batches = groups(fresh, LOCK_ROWS).into_iter().chain(groups(tried, 1));
        for batch in batches {
            // Where one batch could not be held long enough, others are not tried: clients wait for each.
            if self.late.is_empty() {
                self.judge_locked(batch).await?;
            } else {
                self.late.push(batch);
            }
        }
        Ok(())
    }

    /// Those of a table's suspects that still differ.
    async fn still(&mut self, group: Group) -> Result<Vec<Suspect>, Error> {
        let table = &group.table;
        let rows = self
            .hands
            .both(&table.digests_of_sql(&group.keys())?)
            .await?;
        let differ = differing(table, rows)?;
        let suspects = group.suspects.into_iter();
        let (still, gone) = suspects.partition(|suspect| differ.contains(&suspect.key));
        self.judged.equal.extend(gone);
        Ok(still)
    }

    /// Looks at some rows of a table while nobody changes them.
    async fn judge_locked(&mut self, batch: Group) -> Result<(), Error> {
        match locked(self.hands, &batch.table, &batch.keys()).await? {
            Locked::Looks(looks) => self.conclude(batch, Some(&looks), 1),
            Locked::Busy => self.conclude(batch, None, 1),
            Locked::Behind => self.late.push(batch),
        }
        Ok(())
    }

    /// Looks twice without a lock at those that are late, and waits between for as long as the links take, once for all of
    /// them. A row that was changed and changed back meanwhile is taken for one that stood still: what differs is looked at
    /// once more before it is reported.
    async fn judge_late(&mut self) -> Result<(), Error> {
        let late = std::mem::take(&mut self.late);
        if late.is_empty() {
            return Ok(());
        }
        let mut first = Vec::new();
        for batch in late {
            let seen = look(self.hands, &batch.table, &batch.keys(), false).await;
            if let Some(seen) = batch.table.tally.survive(seen)? {
                first.push((batch, seen));
            }
        }
        self.hands.catch_up().await?;
        for (batch, first) in first {
            let seen = look(self.hands, &batch.table, &batch.keys(), false).await;
            if let Some(second) = batch.table.tally.survive(seen)? {
                self.conclude(batch, Some(&Looks::new(first, second)), TRIES_OF_LATE);
            }
        }
        Ok(())
    }

    /// Says what is known of some rows after two looks at them, a try that counts for so many.
    fn conclude(&mut self, batch: Group, looks: Option<&Looks>, tries: u32) {
        for suspect in batch.suspects {
            let rows = looks.map(|looks| looks.of(&suspect.key));
            match rows {
                Some([_, [Some(a), Some(b)]]) if same(&suspect.table.info, &a, &b) => {
                    self.judged.equal.push(suspect);
                }
                Some([_, [None, None]]) => self.judged.equal.push(suspect),
                Some([first, second]) if first == second => {
                    if let Some(max) = self.rows_max {
                        suspect.table.tally.found(max);
                    }
                    self.judged.differ.push((suspect, second));
                }
                _ if suspect.tries >= TRIES_MAX => self.judged.unknown.push(suspect),
                _ => self.again.push(Suspect {
                    tries: suspect.tries + tries,
                    ..suspect
                }),
            }
        }
    }
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
