//! Entries of the history that a repair has left open: it was cut off, or could not be made.

use twinlog_converge::Side;

use super::{Error, bench::Bench};
use crate::{
    conflicts::{self, content, read},
    history::{self, Entry, Filter, Kind, State},
    resolve::Content,
};

/// More than these are not looked at.
const ENTRIES_MAX: u32 = 10_000;

/// Closes those of which the rows are equal by now. Where they are neither that nor what they were, and nobody was told to
/// decide, they are found again under another id; else under the same.
pub(super) async fn close_left(bench: &mut Bench) -> Result<(), Error> {
    bench.hands.catch_up().await?;
    for side in Side::BOTH {
        let filter = Filter {
            kind: Some(Kind::Divergence),
            states: vec![State::Open],
            limit: Some(ENTRIES_MAX),
            ..Filter::default()
        };
        let entries = history::list(bench.book.hand(side).conn(), &filter).await?;
        for entry in entries.iter().filter(|entry| entry.detail.compared) {
            if let Some(state) = state(bench, entry).await? {
                bench.end(&[&entry.id], side, state).await?;
            }
        }
        // What was closed on this node is closed on the other before that is looked at.
        bench.hands.catch_up().await?;
    }
    Ok(())
}

/// What became of an entry; `None` where it waits still.
async fn state(bench: &mut Bench, entry: &Entry) -> Result<Option<State>, Error> {
    let rows = match read(&mut bench.book, entry).await {
        Ok(rows) => rows,
        // Of another table there is nothing to say.
        Err(conflicts::Error::Changed { .. } | conflicts::Error::Row(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let all = |is: &dyn Fn(usize, usize, &Content) -> bool| {
        let mut rows = rows.iter().enumerate();
        rows.all(|(at, row)| {
            let mut nodes = row.now.iter().enumerate();
            nodes.all(|(node, now)| is(at, node, now))
        })
    };
    let detail = &entry.detail;
    let is = |at: usize, told: &history::Told, now: &Content| {
        let table = &rows[at].table;
        content(table, told).is_some_and(|told| told.same(table, now))
    };
    let waits = !detail.attempts.is_empty()
        || all(&|at, node, now| is(at, &detail.rows[at].held[node], now));
    let are_equal = rows
        .iter()
        .all(|row| row.now[0].same(&row.table, &row.now[1]));
    Ok(if all(&|at, _, now| is(at, &detail.rows[at].chosen, now)) {
        Some(State::Repaired)
    } else if waits && !are_equal {
        None
    } else {
        Some(State::Superseded)
    })
}
