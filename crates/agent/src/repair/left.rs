//! Entries of the history that a repair has left open, because it was cut off.

use twinlog_converge::Side;

use super::{Error, bench::Bench};
use crate::{
    conflicts::{self, content, read},
    history::{self, Entry, Filter, Kind, State},
    resolve::Content,
};

/// A repair leaves open what it has at once in hand; several may have been cut off.
const ENTRIES_MAX: u32 = 10_000;

/// Closes those of which the rows are what was chosen, or are no longer what they were. The others are found again by this
/// comparison or a later one, under the same id.
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
        let left = |entry: &&Entry| entry.detail.compared && entry.detail.attempts.is_empty();
        for entry in entries.iter().filter(left) {
            if let Some(state) = state(bench, entry).await? {
                bench.end(&[&entry.id], side, state).await?;
            }
        }
        // What was closed on this node is closed on the other before that is looked at.
        bench.hands.catch_up().await?;
    }
    Ok(())
}

/// What became of an entry; `None` where its rows are what they were.
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
    Ok(if all(&|at, _, now| is(at, &detail.rows[at].chosen, now)) {
        Some(State::Repaired)
    } else if all(&|at, node, now| is(at, &detail.rows[at].held[node], now)) {
        None
    } else {
        Some(State::Superseded)
    })
}
