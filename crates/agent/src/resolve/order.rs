//! The order of a repair's statements.
//!
//! A statement that frees a unique key comes before the one that takes it; one that makes a parent before those that refer
//! to it; one that ends a reference before the one that ends the parent. Where that is a circle (two rows swap a unique
//! key), its updates become deletions and insertions.

use twinlog_binlog::Value;

use super::{Guard, Op, OpKind, plan::rebuilt};
use twinlog_row::{Kind, Row, TableInfo};

/// Puts statements in order.
pub(super) fn order(rows: &[Guard], ops: Vec<Op>) -> Vec<Op> {
    let (mut ordered, stuck) = sort(rows, ops);
    if stuck.is_empty() {
        return ordered;
    }
    let split = stuck.into_iter().flat_map(|op| match op.kind {
        OpKind::Update => rebuilt(&rows[op.row], op.row).to_vec(),
        OpKind::Delete | OpKind::Insert => vec![op],
    });
    let (rest, mut stuck) = sort(rows, split.collect());
    ordered.extend(rest);
    // Rows that refer to each other in a circle: the server says whether that can be.
    stuck.sort_by_key(|op| op.kind);
    ordered.extend(stuck);
    ordered
}

/// What can be put in order, and what is in a circle or behind one. Deletions come first where nothing says otherwise.
fn sort(rows: &[Guard], mut ops: Vec<Op>) -> (Vec<Op>, Vec<Op>) {
    ops.sort_by_key(|op| op.kind);
    let mut ordered = Vec::new();
    loop {
        let free = (0..ops.len()).find(|&at| {
            !(0..ops.len()).any(|other| other != at && before(rows, &ops[other], &ops[at]))
        });
        match free {
            Some(at) => ordered.push(ops.remove(at)),
            None => return (ordered, ops),
        }
    }
}

/// What a statement finds, and what it leaves.
fn images<'a>(rows: &'a [Guard], op: &Op) -> (Option<&'a Row>, Option<&'a Row>) {
    let guard = &rows[op.row];
    match op.kind {
        OpKind::Delete => (guard.expect.as_ref(), None),
        OpKind::Update => (guard.expect.as_ref(), guard.want.as_ref()),
        OpKind::Insert => (None, guard.want.as_ref()),
    }
}

/// Whether `x` must come before `y`.
fn before(rows: &[Guard], x: &Op, y: &Op) -> bool {
    let (x_table, y_table) = (&rows[x.row].table, &rows[y.row].table);
    let (x_before, x_after) = images(rows, x);
    let (y_before, y_after) = images(rows, y);
    let unique = x_table.name == y_table.name
        && x_table.unique.iter().any(|index| {
            let freed = lost(x_table, &index.columns, x_before, x_after);
            let taken = lost(y_table, &index.columns, y_after, y_before);
            match (freed, taken) {
                (Some(freed), Some(taken)) => {
                    index.prefix || may_equal(x_table, &index.columns, &freed, &taken)
                }
                _ => false,
            }
        });
    let parent = y_table.foreign.iter().any(|key| {
        key.parent == x_table.name
            && match (
                lost(x_table, &key.parent_columns, x_after, x_before),
                lost(y_table, &key.columns, y_after, y_before),
            ) {
                (Some(made), Some(referred)) => may_equal(y_table, &key.columns, &made, &referred),
                _ => false,
            }
    });
    let child = x_table.foreign.iter().any(|key| {
        key.parent == y_table.name
            && match (
                lost(x_table, &key.columns, x_before, x_after),
                lost(y_table, &key.parent_columns, y_before, y_after),
            ) {
                (Some(referred), Some(ended)) => {
                    may_equal(x_table, &key.columns, &referred, &ended)
                }
                _ => false,
            }
    });
    unique || parent || child
}

/// The values in these columns that `from` has and `to` has not; `None` where it has them too, or they hold a NULL.
fn lost<'a>(
    table: &TableInfo,
    columns: &[usize],
    from: Option<&'a Row>,
    to: Option<&'a Row>,
) -> Option<Vec<&'a Value>> {
    let values = |row: Option<&'a Row>| -> Option<Vec<&'a Value>> {
        let row = row?;
        columns.iter().map(|&at| row.get(at)).collect()
    };
    let from = values(from)?;
    if from.contains(&&Value::Null) || table.columns.is_empty() {
        return None;
    }
    (values(to).as_ref() != Some(&from)).then_some(from)
}

/// Whether the server may hold these for equal. A collation does so with what differs in bytes: of text beyond ASCII
/// anything is thought possible, which costs nothing but an order that was not needed.
fn may_equal(table: &TableInfo, columns: &[usize], a: &[&Value], b: &[&Value]) -> bool {
    a.iter().zip(b).zip(columns).all(|((a, b), &at)| {
        let is_text = matches!(
            table.columns.get(at).map(|column| &column.kind),
            Some(Kind::Text { .. })
        );
        match (a, b) {
            (Value::Bytes(a), Value::Bytes(b)) if is_text => {
                let (a, b) = (a.trim_ascii_end(), b.trim_ascii_end());
                !a.is_ascii() || !b.is_ascii() || a.eq_ignore_ascii_case(b)
            }
            // Computed, and not in the log.
            (Value::Absent, _) | (_, Value::Absent) => true,
            _ => a == b,
        }
    })
}
