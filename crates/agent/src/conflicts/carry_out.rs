//! Writes what a person decided.

use std::time::{Duration, Instant};

use twinlog_converge::Side;

use super::{Book, Error, Found, Nodes, Proposal, want::key_text};
use crate::{
    history::{self, Entry, Ruling, State, close_ruled_sql, is_ruled, rule_sql, seal},
    resolve::{ARRIVAL_TIMEOUT, How, JudgedRow, Mark, Plan, Repair, Tried, plan, try_repair},
};
use twinlog_row::{read_held, run};

/// How long the history's row may be on its way to the node that is written.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the write may take to come to the other node before that is said.
const COPY_TIMEOUT: Duration = Duration::from_secs(5);
const COPY_POLL: Duration = Duration::from_millis(20);

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What the conflict is now.
    pub state: State,
    /// The nodes that were written.
    pub written: Vec<String>,
    /// Whether both nodes were seen to hold what is wanted; if not, a link has yet to deliver it.
    pub equal: bool,
}

/// Writes what was proposed. `by` is who decided it, `now_us` the time in microseconds since 1970.
///
/// # Errors
/// See [`Error`]; where one comes, nothing was written, but for [`Error::Half`].
pub async fn carry_out(
    nodes: &mut Nodes,
    proposal: &Proposal,
    by: &str,
    now_us: u64,
) -> Result<Done, Error> {
    let mut how = How::InPlace;
    loop {
        let (first, second) = match plan(&proposal.judged, how) {
            Plan::Nothing => return settle_unwritten(nodes, proposal, by, now_us).await,
            Plan::Person(reason) => {
                return Err(Error::Obstacle {
                    id: proposal.entry.id.clone(),
                    reason,
                });
            }
            Plan::Repair { first, second } => (first, second),
        };
        let state = if second.is_some() {
            State::Open
        } else {
            State::Repaired
        };
        let ruled = proposal.ruled(state, by, now_us);
        let mark = Mark::Ruled(rule_sql(&proposal.entry, &proposal.seal, &ruled));
        let hands = nodes.hands(first.side);
        let tried = try_repair(hands, &first, &mark, HISTORY_TIMEOUT, None).await?;
        if tried.is_duplicate() && how == How::InPlace {
            how = How::Rebuilt;
            continue;
        }
        done(nodes, proposal, &first, tried)?;
        let mut written = vec![nodes.name(first.side).to_owned()];
        if let Some(second) = second {
            finish(nodes, proposal, first.side, &second, now_us)
                .await
                .map_err(|cause| Error::Half {
                    written: written[0].clone(),
                    cause: Box::new(cause),
                })?;
            written.push(nodes.name(second.side).to_owned());
        }
        return Ok(Done {
            state: State::Repaired,
            written,
            equal: wait_until_equal(nodes, &proposal.judged.rows).await?,
        });
    }
}

/// The other node's part, once the first one's row of the history has come there.
async fn finish(
    nodes: &mut Nodes,
    proposal: &Proposal,
    first: Side,
    second: &Repair,
    now_us: u64,
) -> Result<(), Error> {
    let id = &proposal.entry.id;
    // Both nodes have a row of that id from before: the one to close is that which the first one's has made of it.
    let ruled = seal(nodes.hand(first).conn(), id).await?;
    let mark = Mark::Close {
        arrived: is_ruled(id, &ruled),
        sql: close_ruled_sql(id, &ruled, now_us),
        must: true,
    };
    let hands = nodes.hands(second.side);
    let tried = try_repair(hands, second, &mark, ARRIVAL_TIMEOUT, None).await?;
    if let Tried::NotYet = tried {
        return Err(Error::NotArrived {
            node: nodes.name(second.side).to_owned(),
        });
    }
    done(nodes, proposal, second, tried)
}

fn done(nodes: &Nodes, proposal: &Proposal, repair: &Repair, tried: Tried) -> Result<(), Error> {
    let node = nodes.name(repair.side).to_owned();
    match tried {
        Tried::Done => Ok(()),
        Tried::NotYet | Tried::Touched => Err(Error::Overtaken {
            id: proposal.entry.id.clone(),
        }),
        Tried::Cascades(message) => Err(Error::Refused {
            node,
            code: None,
            message,
        }),
        Tried::Busy(message) => Err(Error::Busy { node, message }),
        Tried::Refused { code, message } => Err(Error::Refused {
            node,
            code,
            message,
        }),
        Tried::Changed(row) => {
            let guard = &repair.rows[row];
            let same = |row: &JudgedRow| row.table.name == guard.table.name && row.key == guard.key;
            let at = proposal.judged.rows.iter().position(same);
            let at = at.unwrap_or_default();
            Err(Error::WrittenMeanwhile {
                node,
                row: at + 1,
                key: key_text(&proposal.entry, at),
            })
        }
    }
}

/// Both nodes hold what is wanted: an open conflict is closed by that, another stays what it is.
async fn settle_unwritten(
    nodes: &mut Nodes,
    proposal: &Proposal,
    by: &str,
    now_us: u64,
) -> Result<Done, Error> {
    let state = proposal.entry.state;
    if state == State::Open {
        let ruled = proposal.ruled(State::Kept, by, now_us);
        let sql = rule_sql(&proposal.entry, &proposal.seal, &ruled);
        let conn = nodes.hand(proposal.place).conn();
        write_alone(conn, &sql, &ruled.id).await?;
        return Ok(Done {
            state: State::Kept,
            written: Vec::new(),
            equal: true,
        });
    }
    Ok(Done {
        state,
        written: Vec::new(),
        equal: true,
    })
}

/// Closes an open conflict and leaves the rows as they are.
///
/// # Errors
/// [`Error::NotOpen`], [`Error::Overtaken`], or the server's.
pub async fn leave(book: &mut Book, found: &Found, by: &str, now_us: u64) -> Result<Done, Error> {
    let id = &found.entry.id;
    let Some(conn) = book.conn(found.place) else {
        return Err(Error::Overtaken { id: id.clone() });
    };
    // Before the entry: what is written between the two does not count as read.
    let sealed = seal(conn, id).await?;
    let entry = &history::find(conn, id).await?;
    if entry.state != State::Open {
        return Err(Error::NotOpen {
            id: id.clone(),
            state: entry.state,
            rule: entry.rule.clone(),
        });
    }
    let mut ruled = Entry {
        state: State::Kept,
        rule: format!("{by} decided: leave it"),
        resolved_us: Some(now_us),
        ..entry.clone()
    };
    ruled.detail.rulings.push(Ruling {
        at_us: now_us,
        by: by.to_owned(),
        what: "leave it".into(),
        instead_of: format!("{}: {}", entry.state, entry.rule),
        rows: Vec::new(),
    });
    write_alone(conn, &rule_sql(entry, &sealed, &ruled), &entry.id).await?;
    Ok(Done {
        state: State::Kept,
        written: Vec::new(),
        equal: false,
    })
}

/// Writes to the history alone.
async fn write_alone(
    conn: &mut twinlog_server::conn::Conn,
    sql: &str,
    id: &str,
) -> Result<(), Error> {
    let changed = run(conn, &format!("{sql}; SELECT ROW_COUNT()")).await?;
    let changed = changed
        .first()
        .and_then(|row| row.first())
        .is_some_and(|count| count.as_deref() == Some(b"1"));
    if changed {
        Ok(())
    } else {
        Err(Error::Overtaken { id: id.to_owned() })
    }
}

/// Waits until both nodes hold what is wanted, or for [`COPY_TIMEOUT`].
async fn wait_until_equal(nodes: &mut Nodes, rows: &[JudgedRow]) -> Result<bool, Error> {
    let started = Instant::now();
    loop {
        if is_equal(nodes, rows).await? {
            return Ok(true);
        }
        if started.elapsed() > COPY_TIMEOUT {
            return Ok(false);
        }
        tokio::time::sleep(COPY_POLL).await;
    }
}

async fn is_equal(nodes: &mut Nodes, rows: &[JudgedRow]) -> Result<bool, Error> {
    for row in rows {
        for side in Side::BOTH {
            let now = read_held(nodes.hand(side).conn(), &row.table, &row.key).await?;
            let wanted = row.chosen.as_ref();
            if !wanted.is_some_and(|wanted| wanted.same(&row.table, &now.into())) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
