//! From a judged episode to what both nodes hold: plans, repairs, tries again, and writes the history.

use std::time::Duration;

use twinlog_converge::Side;
use twinlog_server::conn::Error;

use super::{
    Draft, Hand, How, Judged, Leadership, Mark, Plan, StepError, Tried, Watched,
    in_the_way::BECAUSE_OF_OTHERS, plan, tries::is_passing, try_repair, witness::again,
};
use crate::history::{Attempt, Entry, State, insert_sql, record, state};
use twinlog_row::{RowError, text_literal};

/// How long the second repair waits for the first one's row of the history: a link that is idle takes milliseconds.
pub(crate) const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

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
        /// Where one half of the repair was done before: its row of the history is open.
        half: Option<Side>,
    },
    /// Rows outside the episode do not let it be: see [`super::in_the_way`]. Nothing was written on that node, nothing is
    /// written down.
    Blocked {
        /// Where.
        side: Side,
        /// The server's words.
        reason: String,
        /// Where one half of the repair was done before: its row of the history is open.
        half: Option<Side>,
    },
    /// Rows were written meanwhile. Nothing was written, nothing is written down: the episode must be judged again with
    /// that write in it.
    Changed {
        /// Where that was seen.
        side: Side,
        /// Where one half of the repair was done before: its row of the history is open.
        half: Option<Side>,
    },
}

impl Settled {
    /// Where one half of the repair was done, and the other was not.
    pub(crate) fn half(&self) -> Option<Side> {
        match self {
            Self::Busy { half, .. } | Self::Blocked { half, .. } | Self::Changed { half, .. } => {
                *half
            }
            _ => None,
        }
    }
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
/// `watched` is asked under the rows' locks.
///
/// # Errors
/// Where a connection is lost. What was committed until then is whole: judged again, the episode goes on from there.
pub async fn settle(
    leadership: &mut Leadership,
    judged: &Judged,
    mut draft: Draft,
    now_us: u64,
    mut watched: Watched<'_>,
) -> Result<Settled, ResolveError> {
    // Where nobody contends and the nodes agree there is nothing to choose, whatever the logs seem to say.
    let needs_nothing = judged.is_equal() && !draft.is_conflict();
    let mut how = How::InPlace;
    // The node whose part of the repair is done, where there are two.
    let mut half = None;
    loop {
        let plan = if needs_nothing {
            Plan::Nothing
        } else {
            plan(judged, how)
        };
        let (first, second) = match plan {
            Plan::Nothing if draft.is_known() => return Ok(Settled::Quiet),
            // Both nodes have lost it, and nobody has chosen that.
            Plan::Nothing if !judged.decided && draft.has_lost() => {
                write_down(leadership, &draft.entry(State::Open, now_us)).await?;
                return Ok(Settled::Open("nothing was chosen".to_owned()));
            }
            Plan::Nothing if draft.is_conflict() || draft.has_lost() => {
                write_down(leadership, &draft.entry(State::Equal, now_us)).await?;
                return Ok(Settled::Equal);
            }
            Plan::Nothing => return Ok(Settled::Quiet),
            Plan::Person(reason) => {
                write_down(leadership, &draft.entry(State::Open, now_us)).await?;
                return Ok(Settled::Open(reason));
            }
            Plan::Repair { first, second } => (first, second),
        };
        let state = if second.is_some() {
            State::Open
        } else {
            State::Repaired
        };
        let mut side = first.side;
        let mut tried = Tried::Done;
        if half.is_none() {
            let sql = insert_sql(&draft.entry(state, now_us));
            let mark = mark(leadership.hand(side.peer()), draft.id(), sql).await?;
            let hands = leadership.hands(side);
            let eyes = again(&mut watched);
            tried = try_repair(hands, &first, &mark, ARRIVAL_TIMEOUT, eyes).await?;
        }
        if let (Tried::Done, Some(second)) = (&tried, &second) {
            half = Some(first.side);
            side = second.side;
            let mark = Mark::Close {
                arrived: has_id(draft.id()),
                sql: close_sql(draft.id(), now_us),
                must: false,
            };
            let hands = leadership.hands(side);
            let eyes = again(&mut watched);
            tried = try_repair(hands, second, &mark, ARRIVAL_TIMEOUT, eyes).await?;
        }
        match tried {
            Tried::Done => return Ok(Settled::Repaired),
            Tried::Changed(_) | Tried::Touched => return Ok(Settled::Changed { side, half }),
            Tried::Cascades(reason) => return Ok(Settled::Blocked { side, reason, half }),
            Tried::Busy(reason) => return Ok(Settled::Busy { side, reason, half }),
            tried if tried.is_duplicate() && how == How::InPlace => how = How::Rebuilt,
            Tried::Refused {
                code: Some(code),
                message: reason,
            } if BECAUSE_OF_OTHERS.contains(&code) => {
                return Ok(Settled::Blocked { side, reason, half });
            }
            tried => {
                let (code, message) = tried.reason();
                draft.attempt(Attempt {
                    node: draft.node(side).to_owned(),
                    code,
                    message: message.clone(),
                });
                write_down(leadership, &draft.entry(State::Open, now_us)).await?;
                return Ok(Settled::Open(message));
            }
        }
    }
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
    write_down(leadership, &entry).await?;
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
    write_down(leadership, &entry).await?;
    Ok(Settled::Open(reason))
}

/// Writes an entry without a repair: on the second node where only that has its row yet, or else on the first. Inserted on
/// both, the two would overwrite each other and differ.
async fn write_down(leadership: &mut Leadership, entry: &Entry) -> Result<(), Error> {
    let mut there = Vec::new();
    for side in Side::BOTH {
        there.push(
            state(leadership.hand(side).conn(), &entry.id)
                .await?
                .is_some(),
        );
    }
    let side = if there == [false, true] {
        Side::B
    } else {
        Side::A
    };
    let hand = leadership.hand(side);
    let reason = match hand.write(&insert_sql(entry)).await {
        Ok(()) => return Ok(()),
        Err(StepError::Server(Error::Statement { code, .. })) if is_passing(code) => {
            return record(hand.conn(), entry).await;
        }
        Err(StepError::Server(error @ Error::Lost { .. })) => return Err(error),
        Err(error) => error.to_string(),
    };
    record(hand.conn(), &cut(entry, reason)).await
}

/// An entry that the server does not take because of its size: open, with all but its long values. Where it is that of a
/// repair, that was not made, and the rows have them.
fn cut(entry: &Entry, reason: String) -> Entry {
    let mut entry = entry.clone();
    entry.state = State::Open;
    entry.resolved_us = None;
    entry.detail.leave_out_long();
    entry.detail.attempts.push(Attempt {
        node: entry.detail.nodes[0].clone(),
        code: None,
        message: format!("its long values are not here: {reason}"),
    });
    entry
}

/// How a repair is marked. Where the peer has the row already (another half of this repair, or an earlier try), it must
/// come over the link first: inserted on both nodes, the two would overwrite each other and differ.
async fn mark(peer: &mut Hand, id: &str, sql: String) -> Result<Mark, Error> {
    Ok(match state(peer.conn(), id).await? {
        Some(_) => Mark::Close {
            arrived: has_id(id),
            sql,
            must: false,
        },
        None => Mark::Insert(sql),
    })
}

fn has_id(id: &str) -> String {
    format!("id = {}", text_literal(id))
}

/// The statement by which the second repair closes what the first has left open: its own mark.
fn close_sql(id: &str, now_us: u64) -> String {
    let at = crate::history::datetime(now_us);
    format!(
        "UPDATE `twinlog`.`conflict` SET state = 'repaired', resolved_at = {at} WHERE id = {} AND state = 'open'",
        text_literal(id)
    )
}
