//! What must be written where. No I/O.

use std::sync::Arc;

use twinlog_binlog::Value;
use twinlog_converge::Side;

use super::{Content, Judged, JudgedRow, order};
use twinlog_row::{Documents, Row, TableInfo};

/// What is to be done about an episode.
#[derive(Debug)]
pub enum Plan {
    /// Both nodes hold what was chosen, or the same where nothing was.
    Nothing,
    /// It cannot be done, or shall not: a person decides. Why, in words.
    Person(String),
    /// A repair, and one on the other node after it where each node lacks something.
    Repair {
        /// The first, and mostly the only one.
        first: Repair,
        /// On the other node.
        second: Option<Repair>,
    },
}

/// One transaction on one node.
#[derive(Debug)]
pub struct Repair {
    /// On which node.
    pub side: Side,
    /// All rows that were judged together, and what each must be for it to be right: what was chosen for one was chosen
    /// because of the others.
    pub rows: Vec<Guard>,
    /// The statements, in an order that unique and foreign keys allow.
    pub ops: Vec<Op>,
    /// Whether it follows another on the other node, whose copy has made rows what they shall be: those that it wrote, and
    /// those that were in their way. But not all: one whose unique key another row has here was skipped.
    pub second: bool,
}

/// A row that is locked, and judged again, before anything is written.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Its table.
    pub table: Arc<TableInfo>,
    /// The values that name it.
    pub key: Vec<Value>,
    /// What it must be; `None` for no such row.
    pub expect: Option<Row>,
    /// What it shall be.
    pub want: Option<Row>,
    /// How documents in it are written with their types.
    pub documents: Arc<Documents>,
}

/// One statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// Of which of [`Repair::rows`].
    pub row: usize,
    /// What.
    pub kind: OpKind,
    /// Whether foreign keys are checked, and cascade. Not where a row is deleted to come back with the key that others
    /// refer to.
    pub checks: bool,
}

/// What a statement does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpKind {
    /// Deletes it as it was expected.
    Delete,
    /// Gives it other values.
    Update,
    /// Inserts it as it shall be.
    Insert,
}

/// How rows that exist become others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By updates, as far as their unique keys allow an order.
    InPlace,
    /// By deleting them all before any comes back: where an order was found that the server refuses, because a collation
    /// holds for equal what differs in bytes.
    Rebuilt,
}

/// Plans the repair of an episode whose every row is known on both nodes.
#[must_use]
pub fn plan(judged: &Judged, how: How) -> Plan {
    if judged.is_equal()
        && (!judged.decided
            || Side::BOTH
                .iter()
                .all(|side| wrong(judged, *side).is_empty()))
    {
        return Plan::Nothing;
    }
    if let Some(reason) = obstacle(judged) {
        return Plan::Person(reason);
    }
    let sides = Side::BOTH.map(|side| wrong(judged, side));
    let first = if sides[1].len() > sides[0].len() {
        Side::B
    } else {
        Side::A
    };
    let second = first.peer();
    let mut rest = sides[second.index()].iter();
    let more = rest.any(|row| !sides[first.index()].contains(row));
    Plan::Repair {
        second: more.then(|| repair(judged, second, &sides[second.index()], true, how)),
        first: repair(judged, first, &sides[first.index()], false, how),
    }
}

/// The rows that are not on that node as they were chosen.
fn wrong(judged: &Judged, side: Side) -> Vec<usize> {
    let is_wrong = |row: &JudgedRow| match (&row.held[side.index()], &row.chosen) {
        (Some(held), Some(chosen)) => !held.same(&row.table, chosen),
        _ => true,
    };
    (0..judged.rows.len())
        .filter(|&at| is_wrong(&judged.rows[at]))
        .collect()
}

fn obstacle(judged: &Judged) -> Option<String> {
    if !judged.decided {
        return Some("nothing was chosen".into());
    }
    judged.rows.iter().find_map(|row| {
        let name = &row.table.name;
        if let Some(reason) = &row.table.obstacle {
            return Some(format!("{name} cannot be repaired because {reason}"));
        }
        let known = row.held.iter().all(Option::is_some) && row.chosen.is_some();
        let absent = row
            .chosen
            .as_ref()
            .and_then(|chosen| chosen.row())
            .is_some_and(|chosen| {
                row.table
                    .stored()
                    .any(|at| chosen.get(at).is_none_or(|value| *value == Value::Absent))
            });
        if !known {
            Some(format!("it is not known what a row of {name} is"))
        } else if absent {
            Some(format!(
                "the log does not have the whole row of {name} (binlog_row_image is not FULL)"
            ))
        } else {
            None
        }
    })
}

/// Writes these rows on a node.
fn repair(judged: &Judged, side: Side, rows: &[usize], second: bool, how: How) -> Repair {
    let guard = |row: &JudgedRow| {
        let content =
            |content: Option<&Content>| content.and_then(|content| content.row()).cloned();
        Guard {
            table: Arc::clone(&row.table),
            key: row.key.clone(),
            expect: content(row.held[side.index()].as_ref()),
            want: content(row.chosen.as_ref()),
            documents: Arc::clone(&row.documents),
        }
    };
    let guards: Vec<Guard> = judged.rows.iter().map(guard).collect();
    let mut ops = Vec::new();
    for &at in rows {
        let guard = &guards[at];
        let peer_has = || {
            let held = judged.rows[at].held[side.peer().index()].as_ref();
            held.is_some_and(|held| held.row().is_some())
        };
        let op = |kind, checks| Op {
            row: at,
            kind,
            checks,
        };
        match (&guard.expect, &guard.want) {
            (Some(_), None) => ops.push(op(OpKind::Delete, !is_replaced(&guards, guard))),
            (None, Some(_)) => ops.push(op(OpKind::Insert, true)),
            (None, None) => {}
            // The peer has no such row: an update would find nothing there.
            (Some(_), Some(_)) if how == How::Rebuilt || !peer_has() => {
                ops.extend(rebuilt(guard, at));
            }
            (Some(_), Some(_)) => ops.push(op(OpKind::Update, true)),
        }
    }
    Repair {
        side,
        ops: order::order(&guards, ops),
        rows: guards,
        second,
    }
}

/// Whether other rows take over all that others refer to in a row that goes: those keep their parent.
fn is_replaced(guards: &[Guard], gone: &Guard) -> bool {
    let references = &gone.table.referring;
    let takes_over = |columns: &[usize], other: &Guard| {
        other.table.name == gone.table.name
            && columns
                .iter()
                .all(|&at| value(other.want.as_ref(), at) == value(gone.expect.as_ref(), at))
    };
    !references.is_empty()
        && references.iter().all(|reference| {
            let mut others = guards.iter();
            others.any(|other| takes_over(&reference.columns, other))
        })
}

/// An update as a deletion and an insertion.
pub(super) fn rebuilt(guard: &Guard, row: usize) -> [Op; 2] {
    let moved = guard
        .table
        .referring
        .iter()
        .flat_map(|reference| &reference.columns)
        .any(|&at| value(guard.expect.as_ref(), at) != value(guard.want.as_ref(), at));
    [
        Op {
            row,
            kind: OpKind::Delete,
            checks: moved,
        },
        Op {
            row,
            kind: OpKind::Insert,
            checks: true,
        },
    ]
}

fn value(row: Option<&Row>, at: usize) -> Option<&Value> {
    row.and_then(|row| row.get(at))
}

#[cfg(test)]
mod tests;
