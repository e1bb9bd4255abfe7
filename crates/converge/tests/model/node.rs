//! One server: what clients may do, what the applier makes of another server's rows, and what both leave in the log.

use crate::pair::Flavour;
use crate::schema::{COUNTER, Change, ID, KEYS, PARENT, Refused, Row, State, Table, VALUES, WIDTH};

/// A statement of a client. Numbers of 0 stand for NULL where the column may be NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Do {
    Insert {
        table: u8,
        id: u8,
        keys: [u8; 3],
        parent: u8,
        plain: bool,
    },
    Update {
        table: u8,
        id: u8,
        set: Set,
        keys: [u8; 3],
        parent: u8,
    },
    Move {
        table: u8,
        id: u8,
        to: u8,
    },
    Delete {
        table: u8,
        id: u8,
    },
}

/// Which columns an update writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Set {
    pub(crate) values: [bool; 2],
    pub(crate) keys: [bool; 3],
    pub(crate) parent: bool,
    pub(crate) counter: i8,
    /// Not a number of its own but always the same: two clients may write equal rows.
    pub(crate) plain: bool,
}

/// What a client's change wrote that can be found again: columns and their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) columns: [bool; 2],
    pub(crate) number: i32,
}

fn cell(number: u8) -> Option<i32> {
    (number > 0).then_some(i32::from(number))
}

/// The change that a statement asks for, and what it writes.
pub(crate) fn intent(
    state: &State,
    statement: Do,
    number: i32,
) -> Result<(Change, Stamp), Refused> {
    let tables = state.tables.len();
    let mut stamp = Stamp {
        columns: [false; 2],
        number,
    };
    let found = |table: usize, id: u8| state.row(table, i32::from(id)).ok_or(Refused::NotFound);
    let change = match statement {
        Do::Insert {
            table,
            id,
            keys,
            parent,
            plain,
        } => {
            let mut row: Row = [None; WIDTH];
            row[ID] = Some(i32::from(id));
            for (column, key) in KEYS.into_iter().zip(keys) {
                row[column] = cell(key);
            }
            row[PARENT] = cell(parent);
            row[COUNTER] = Some(0);
            for value in VALUES {
                row[value] = Some(if plain { 0 } else { number });
            }
            stamp.columns = [!plain; 2];
            Change::new(usize::from(table) % tables, None, Some(row))
        }
        Do::Update {
            table,
            id,
            set,
            keys,
            parent,
        } => {
            let table = usize::from(table) % tables;
            let before = found(table, id)?;
            let mut row = before;
            for at in 0..3 {
                if set.keys[at] {
                    row[KEYS[at]] = cell(keys[at]);
                }
            }
            if set.parent {
                row[PARENT] = cell(parent);
            }
            row[COUNTER] = row[COUNTER].map(|counter| counter + i32::from(set.counter));
            for at in 0..2 {
                if set.values[at] {
                    row[VALUES[at]] = Some(if set.plain { 0 } else { number });
                }
            }
            stamp.columns = set.values.map(|value| value && !set.plain);
            Change::new(table, Some(before), Some(row))
        }
        Do::Move { table, id, to } => {
            let table = usize::from(table) % tables;
            let before = found(table, id)?;
            let mut row = before;
            row[ID] = Some(i32::from(to));
            row[VALUES[0]] = Some(number);
            stamp.columns = [true, false];
            Change::new(table, Some(before), Some(row))
        }
        Do::Delete { table, id } => {
            let table = usize::from(table) % tables;
            Change::new(table, Some(found(table, id)?), None)
        }
    };
    Ok((change, stamp))
}

/// Applies another server's changes as `IDEMPOTENT` does and returns what the log says of it.
///
/// As MySQL 9.7 and MariaDB 10.11 were seen to do: a row is found by its primary key; what is not found, or
/// what a key forbids, is left out without a word; an insert removes the rows in its way, the one that stands there by
/// the table's last unique key by an update unless another table refers to this one; an update to what is there
/// already is no change and not logged. Only MySQL (since its foreign keys are not InnoDB's any more) deletes a row in the
/// way that others refer to if the row that comes has what they refer to.
pub(crate) fn apply(
    flavour: Flavour,
    state: &mut State,
    schema: &[Table],
    changes: &[Change],
) -> Vec<Change> {
    let mut logged = Vec::new();
    for change in changes {
        match (change.before, change.after) {
            (None, Some(row)) => insert(flavour, state, schema, (change, row), &mut logged),
            (Some(before), after) => {
                let found = before[ID].and_then(|id| state.row(change.table, id));
                if let Some(found) = found {
                    let change = Change {
                        before: Some(found),
                        after,
                        ..*change
                    };
                    if after != Some(found) && state.change(schema, &change).is_ok() {
                        logged.push(change);
                    }
                }
            }
            (None, None) => {}
        }
    }
    logged
}

fn insert(
    flavour: Flavour,
    state: &mut State,
    schema: &[Table],
    (inserted, row): (&Change, Row),
    logged: &mut Vec<Change>,
) {
    let table = inserted.table;
    let definition = &schema[table];
    loop {
        let in_the_way = definition.duplicate(&state.tables[table], &row, None);
        let change = match in_the_way {
            None => Change::new(table, None, Some(row)),
            Some((key, other))
                if key + 1 == definition.unique.len() && definition.referenced.is_none() =>
            {
                Change::new(table, Some(other), Some(row))
            }
            Some((_, other)) => Change::new(table, Some(other), None),
        };
        let change = Change {
            unchecked: inserted.unchecked,
            ..change
        };
        if change.before == change.after {
            return;
        }
        let kept = |(_, column): (usize, usize)| {
            flavour == Flavour::MySql
                && change
                    .before
                    .is_some_and(|other| other[column] == row[column])
        };
        if change.after.is_none() && definition.referenced.is_some_and(kept) {
            state.replay(&change);
            logged.push(change);
            continue;
        }
        // A change that a foreign key forbids ends the insert; what was deleted for it stays deleted.
        if state.change(schema, &change).is_err() {
            return;
        }
        logged.push(change);
        if change.after.is_some() {
            return;
        }
    }
}
