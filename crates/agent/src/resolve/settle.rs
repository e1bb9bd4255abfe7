//! From a judged episode to what both nodes hold: plans, repairs, tries again, and writes the history.

use std::time::{Duration, Instant};

use rand::Rng;
use tokio::time::sleep;
use twinlog_converge::Side;
use twinlog_server::conn::Error;

use super::{
    Draft, Execution, Hand, How, Judged, Leadership, Mark, Outcome, Plan, Progress, Repair,
    StepError, in_the_way::BECAUSE_OF_OTHERS, plan,
};
use crate::{
    history::{Attempt, State, insert_sql, is_closed, record},
    row::{RowError, run, text_literal},
};

/// How often a repair is tried against other transactions' locks. With a second per lock wait that is three seconds at
/// most: longer it would keep other repairs waiting, and is tried again after them.
const TRIES: u32 = 3;
/// The first pause between two tries; each is twice the one before, up to [`PAUSE_MAX`], and takes half of that at random.
const PAUSE_MIN: Duration = Duration::from_millis(4);
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// How long the second repair waits for the first one's row of the history: a link that is idle takes milliseconds.
pub(crate) const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);
const ARRIVAL_POLL: Duration = Duration::from_millis(5);

/// ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, and MariaDB's ER_CHECKREAD: someone else was there at the same time.
const AGAIN: [u16; 3] = [1205, 1213, 1020];
/// ER_DUP_ENTRY, and its form with the key's name.
const DUPLICATE: [u16; 2] = [1062, 1586];

/// What became of an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Both nodes held the same and nothing was overwritten unseen: nothing was wrong, nothing is written down.
    Quiet,
    /// Both nodes held what was chosen already; written down.
    Equal,
    /// Repaired, and written down.
    Repaired,
    /// Not repaired: it waits for a person, and is written down with the reason.
    Open(String),
    /// Clients have written all its rows since; written down.
    Superseded,
    /// A client held its rows too long. Nothing was written on that node, nothing is written down: try again later.
    Busy {
        /// Where.
        side: Side,
        /// The server's words.
        reason: String,
    },
    /// Rows outside the episode do not let it be: see [`super::in_the_way`]. Nothing was written on that node, nothing is
    /// written down.
    Blocked {
        /// Where.
        side: Side,
        /// The server's words.
        reason: String,
    },
    /// A row was written meanwhile. Nothing was written, nothing is written down: the episode must be judged again with
    /// that write in it.
    Changed {
        /// Where.
        side: Side,
        /// The row: an index into the episode's.
        row: usize,
        /// Where one half of the repair was done before: its row of the history is open.
        half: Option<Side>,
    },
}

/// What ended a resolver's work altogether.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A connection: with it the lock is gone.
    #[error(transparent)]
    Server(#[from] Error),
    /// The rows cannot be read.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl ResolveError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Row(error) => error.hint(),
        }
    }
}

/// Ends an episode: repairs what must be, and writes it down. `now_us` is the time, in microseconds since 1970.
///
/// # Errors
/// Where a connection is lost. What was committed until then is whole: judged again, the episode goes on from there.
pub async fn settle(
    leadership: &mut Leadership,
    judged: &Judged,
    mut draft: Draft,
    now_us: u64,
) -> Result<Settled, ResolveError> {
    // Where nobody contends and the nodes agree there is nothing to choose, whatever the logs seem to say.
    if judged.is_equal() && !draft.is_conflict() {
        return equal(leadership, &draft, now_us).await;
    }
    let mut how = How::InPlace;
    loop {
        let (first, second) = match plan(judged, how) {
            Plan::Nothing => return equal(leadership, &draft, now_us).await,
            Plan::Person(reason) => {
                record(
                    leadership.hand(Side::A).conn(),
                    &draft.entry(State::Open, now_us),
                )
                .await?;
                return Ok(Settled::Open(reason));
            }
            Plan::Repair { first, second } => (first, second),
        };
        let state = if second.is_some() {
            State::Open
        } else {
            State::Repaired
        };
        let sql = insert_sql(&draft.entry(state, now_us));
        let mark = mark(leadership.hand(first.side.peer()), draft.id(), sql).await?;
        let mut tried =
            try_repair(leadership.hand(first.side), &first, &mark, ARRIVAL_TIMEOUT).await?;
        let mut side = first.side;
        if let (Tried::Done, Some(second)) = (&tried, &second) {
            side = second.side;
            let mark = Mark::Close {
                id: draft.id().to_owned(),
                sql: close_sql(draft.id(), now_us),
            };
            tried = try_repair(leadership.hand(side), second, &mark, ARRIVAL_TIMEOUT).await?;
        }
        match tried {
            Tried::Done => return Ok(Settled::Repaired),
            Tried::Changed(row) => {
                let repair = if side == first.side {
                    Some(&first)
                } else {
                    second.as_ref()
                };
                let row = repair.map_or(0, |repair| place(judged, repair, row));
                let half = (side != first.side).then_some(first.side);
                return Ok(Settled::Changed { side, row, half });
            }
            Tried::Busy(reason) => return Ok(Settled::Busy { side, reason }),
            tried if tried.is_duplicate() && how == How::InPlace => how = How::Rebuilt,
            Tried::Refused {
                code: Some(code),
                message: reason,
            } if BECAUSE_OF_OTHERS.contains(&code) => return Ok(Settled::Blocked { side, reason }),
            tried => {
                let (code, message) = tried.reason();
                draft.attempt(Attempt {
                    node: draft.node(side).to_owned(),
                    code,
                    message: message.clone(),
                });
                record(
                    leadership.hand(side).conn(),
                    &draft.entry(State::Open, now_us),
                )
                .await?;
                return Ok(Settled::Open(message));
            }
        }
    }
}

/// Ends an episode of which both nodes hold the same, as was chosen: what was overwritten unseen is written down.
async fn equal(
    leadership: &mut Leadership,
    draft: &Draft,
    now_us: u64,
) -> Result<Settled, ResolveError> {
    if !draft.is_conflict() && !draft.has_lost() {
        return Ok(Settled::Quiet);
    }
    let conn = leadership.hand(Side::A).conn();
    if let Some(id) = draft.told_as()
        && is_closed(conn, id).await?
    {
        return Ok(Settled::Quiet);
    }
    record(conn, &draft.entry(State::Equal, now_us)).await?;
    Ok(Settled::Equal)
}

/// Ends an episode whose rows clients have all written since: each has a verdict of its own, or needs none. It is written
/// down also where only the nodes differed: what one of them lacked may have been overwritten by a client that never saw
/// it.
///
/// # Errors
/// As [`settle`].
pub async fn supersede(
    leadership: &mut Leadership,
    draft: &Draft,
    now_us: u64,
) -> Result<Settled, ResolveError> {
    let entry = draft.entry(State::Superseded, now_us);
    record(leadership.hand(Side::A).conn(), &entry).await?;
    Ok(Settled::Superseded)
}

/// Leaves an episode to a person.
///
/// # Errors
/// As [`settle`].
pub async fn leave_open(
    leadership: &mut Leadership,
    mut draft: Draft,
    reason: String,
    now_us: u64,
) -> Result<Settled, ResolveError> {
    draft.attempt(Attempt {
        node: draft.node(Side::A).to_owned(),
        code: None,
        message: reason.clone(),
    });
    let entry = draft.entry(State::Open, now_us);
    record(leadership.hand(Side::A).conn(), &entry).await?;
    Ok(Settled::Open(reason))
}

/// Where a repair's row is among the episode's.
fn place(judged: &Judged, repair: &Repair, row: usize) -> usize {
    let guard = &repair.rows[row];
    let same = |row: &super::JudgedRow| row.table.name == guard.table.name && row.key == guard.key;
    judged.rows.iter().position(same).unwrap_or_default()
}

/// How a repair ended after all tries.
#[derive(Debug)]
pub(crate) enum Tried {
    /// It is committed.
    Done,
    /// A row is not what was judged: which of [`Repair::rows`].
    Changed(usize),
    /// The row of the history that it should change is not there as it should be.
    NotYet,
    /// Clients hold the rows.
    Busy(String),
    /// The server, or what is known of its rows, does not allow it.
    Refused { code: Option<u16>, message: String },
}

impl Tried {
    /// Whether the statements' order may be what the server minds: see [`How::Rebuilt`].
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if DUPLICATE.contains(code))
    }

    /// What kept it from being done.
    fn reason(self) -> (Option<u16>, String) {
        match self {
            Self::Refused { code, message } => (code, message),
            Self::Busy(message) => (None, message),
            Self::Done | Self::Changed(_) | Self::NotYet => (
                None,
                "the other half of the repair has not come over the link".to_owned(),
            ),
        }
    }
}

/// Makes a repair, again where other transactions were in its way, or while the row of the history that it changes has
/// not come over the link, for so long at most.
pub(crate) async fn try_repair(
    hand: &mut Hand,
    repair: &Repair,
    mark: &Mark,
    arrival: Duration,
) -> Result<Tried, Error> {
    let started = Instant::now();
    let mut tries = 0;
    let mut pause = PAUSE_MIN;
    loop {
        tries += 1;
        let mut execution = Execution::new(hand, repair, mark);
        let ended = loop {
            match execution.step().await {
                Ok(Progress::More) => {}
                Ok(Progress::Ended(outcome)) => break Ok(outcome),
                Err(error) => break Err(error),
            }
        };
        match ended {
            Ok(Outcome::Committed) => return Ok(Tried::Done),
            Ok(Outcome::Changed { row, .. }) => return Ok(Tried::Changed(row)),
            Ok(Outcome::NotYet) if started.elapsed() < arrival => {
                sleep(ARRIVAL_POLL).await;
            }
            Ok(Outcome::NotYet) => return Ok(Tried::NotYet),
            Ok(Outcome::Refused(message)) => {
                return Ok(Tried::Refused {
                    code: None,
                    message,
                });
            }
            Err(StepError::Server(Error::Statement { code, .. }))
                if AGAIN.contains(&code) && tries < TRIES =>
            {
                hand.rollback().await?;
                let jitter = rand::rng().random_range(0.0..0.5);
                sleep(pause / 2 + pause.mul_f64(jitter)).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(StepError::Server(Error::Statement { code, message, .. })) => {
                hand.rollback().await?;
                if AGAIN.contains(&code) {
                    return Ok(Tried::Busy(message));
                }
                return Ok(Tried::Refused {
                    code: Some(code),
                    message,
                });
            }
            Err(StepError::Server(error)) => return Err(error),
            Err(error) => {
                hand.rollback().await?;
                let message = error.to_string();
                return Ok(Tried::Refused {
                    code: None,
                    message,
                });
            }
        }
    }
}

/// How a repair is marked. Where the peer has the row already (another half of this repair, or an earlier try), it must
/// come over the link first: inserted on both nodes, the two would overwrite each other and differ.
async fn mark(peer: &mut Hand, id: &str, sql: String) -> Result<Mark, Error> {
    let id = id.to_owned();
    let there = format!(
        "SELECT 1 FROM `twinlog`.`conflict` WHERE id = {}",
        text_literal(&id)
    );
    let there = !run(peer.conn(), &there).await?.is_empty();
    Ok(if there {
        Mark::Close { id, sql }
    } else {
        Mark::Insert(sql)
    })
}

/// The statement by which the second repair closes what the first has left open: its own mark.
fn close_sql(id: &str, now_us: u64) -> String {
    let at = crate::history::datetime(now_us);
    format!(
        "UPDATE `twinlog`.`conflict` SET state = 'repaired', resolved_at = {at} WHERE id = {} AND state = 'open'",
        text_literal(id)
    )
}

/// Leaves clients their share: after work follows rest, in proportion.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// What part of the time repairs may take, above 0 and up to 1.
    share: f64,
}

/// However long a repair took, the next does not wait longer for it.
const REST_MAX: Duration = Duration::from_millis(50);

impl Default for Pace {
    /// Half of the time.
    fn default() -> Self {
        Self { share: 0.5 }
    }
}

impl Pace {
    /// Repairs may take this part of the time.
    #[must_use]
    pub fn of(share: f64) -> Self {
        Self {
            share: share.clamp(0.01, 1.0),
        }
    }

    /// How long to rest after a repair that took that long.
    #[must_use]
    pub fn rest(self, worked: Duration) -> Duration {
        worked.mul_f64(1.0 / self.share - 1.0).min(REST_MAX)
    }
}
