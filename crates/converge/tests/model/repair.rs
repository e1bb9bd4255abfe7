//! What a repair checks, and in which order it writes.

use twinlog_converge::{Conflict, Decision, Episode, Held, Side, Version};

use crate::{
    pair::{Id, Mark, Pair},
    schema::{Change, ID, Row, State, Table},
    wire,
};

/// Whether a node's log has something on these rows that it did not have at a verdict.
pub(crate) fn written_since(
    pair: &Pair,
    side: Side,
    said_at: [usize; 2],
    rows: &[(usize, i32)],
) -> bool {
    let at = side.index();
    pair.nodes[at].log[said_at[at]..].iter().any(|&id| {
        let copy = pair.transactions[id].logged[at].as_deref();
        copy.unwrap_or_default().iter().any(|change| {
            let ids = [change.before, change.after].map(|row| row.and_then(|row| row[ID]));
            rows.iter()
                .any(|&(table, id)| change.table == table && ids.contains(&Some(id)))
        })
    })
}

pub(crate) fn known(held: Held) -> Option<Row> {
    match held {
        Held::Known(Version::Row(image)) => Some(wire::decode(&image)),
        Held::Known(Version::Gone) => None,
        Held::Unknown => unreachable!("the node was asked"),
    }
}

/// When and where what was chosen had been committed.
pub(crate) fn mark(episode: &Episode, decision: &Decision, now: u64) -> Mark {
    let of = |side: Option<Side>| {
        let writes = episode
            .writes
            .iter()
            .filter(move |write| side.is_none_or(|side| write.origin == side));
        writes
            .map(|write| Mark {
                micros: write.committed.micros,
                origin: write.origin,
            })
            .max()
    };
    let origin = decision.chosen.unwrap_or(Side::A);
    of(decision.chosen).unwrap_or(Mark {
        micros: now,
        origin,
    })
}

/// Writes rows in an order that the keys allow: children go first, parents come first. What stands in its own way
/// (two rows that change places) is deleted and inserted. `None` where the server refuses.
pub(crate) fn write(pair: &Pair, state: &mut State, due: Vec<Change>) -> Option<Vec<Change>> {
    let mut made = Vec::new();
    let rank = |change: &Change| match (change.before, change.after) {
        (Some(_), None) => (0, usize::MAX - change.table),
        (Some(_), Some(_)) => (1, change.table),
        _ => (2, change.table),
    };
    let mut left = due;
    let mut split = false;
    while !left.is_empty() {
        left.sort_by_key(rank);
        without_orphans(pair, &mut left);
        let before = left.len();
        left.retain(|change| {
            let done = state.change(&pair.schema, change).is_ok();
            if done {
                made.push(*change);
            }
            !done
        });
        if left.len() < before {
            continue;
        }
        if split {
            return None;
        }
        split = true;
        left = left
            .into_iter()
            .flat_map(|change| match change {
                Change {
                    before: Some(_),
                    after: Some(_),
                    ..
                } => {
                    vec![
                        Change {
                            after: None,
                            ..change
                        },
                        Change {
                            before: None,
                            ..change
                        },
                    ]
                }
                _ => vec![change],
            })
            .collect();
    }
    Some(made)
}

/// A row that goes while another takes over what children refer to is deleted without a look at them.
fn without_orphans(pair: &Pair, due: &mut [Change]) {
    let all = due.to_vec();
    for change in due.iter_mut().filter(|change| change.after.is_none()) {
        let Some((_, column)) = pair.schema[change.table].referenced else {
            continue;
        };
        let value = |row: Option<Row>| row.and_then(|row| row[column]);
        change.unchecked = all
            .iter()
            .any(|other| other.table == change.table && value(other.after) == value(change.before));
    }
}

/// The pair of transactions of a conflict.
pub(crate) fn pair_of(pair: &Pair, conflict: &Conflict) -> [Id; 2] {
    [
        pair.named(&conflict.gtids[0]),
        pair.named(&conflict.gtids[1]),
    ]
}

/// The rows outside `due` that keep a server from making it so: they have a unique key that one of these shall have,
/// refer to one that shall go, or are the parent that one of these shall refer to, as `from` has it.
pub(crate) fn in_the_way(pair: &Pair, side: Side, from: Side, due: &[Change]) -> Vec<(usize, i32)> {
    let [here, there] = [side, from].map(|side| &pair.nodes[side.index()].state);
    let mut found = Vec::new();
    let rows =
        |state: &State, table: usize| state.tables[table].values().copied().collect::<Vec<_>>();
    for change in due {
        let definition: &Table = &pair.schema[change.table];
        for other in rows(here, change.table) {
            let same = |index: usize| {
                let wanted = change.after.and_then(|row| definition.key(index, &row));
                wanted.is_some() && wanted == definition.key(index, &other)
            };
            if (0..definition.unique.len()).any(same) {
                found.extend(other[ID].map(|id| (change.table, id)));
            }
        }
        if let Some((child, column)) = definition.referenced {
            let value = change.before.and_then(|row| row[column]);
            let children = rows(here, child).into_iter();
            let refer =
                children.filter(|row| value.is_some() && row[crate::schema::PARENT] == value);
            found.extend(refer.filter_map(|row| row[ID]).map(|id| (child, id)));
        }
        if let Some((parent, column)) = definition.foreign {
            let value = change.after.and_then(|row| row[crate::schema::PARENT]);
            let parents = rows(there, parent).into_iter();
            let of = parents.filter(|row| value.is_some() && row[column] == value);
            found.extend(of.filter_map(|row| row[ID]).map(|id| (parent, id)));
        }
    }
    found.retain(|key| {
        !due.iter().any(|change| {
            let id = change.before.or(change.after).and_then(|row| row[ID]);
            (change.table, id) == (key.0, Some(key.1))
        })
    });
    found.sort_unstable();
    found.dedup();
    found
}
