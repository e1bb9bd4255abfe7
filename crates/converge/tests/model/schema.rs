//! The tables of the model, and which state their keys allow.

use std::collections::BTreeMap;

/// Columns of every table of the model; those that a shape does not use stay NULL.
pub(crate) const WIDTH: usize = 8;
/// The primary key.
pub(crate) const ID: usize = 0;
/// Columns of secondary unique keys.
pub(crate) const KEYS: [usize; 3] = [1, 2, 3];
/// What refers to a row of the parent table.
pub(crate) const PARENT: usize = 4;
/// A number that clients add to.
pub(crate) const COUNTER: usize = 5;
/// Values that tell who wrote them: every client's change writes a number of its own.
pub(crate) const VALUES: [usize; 2] = [6, 7];

/// One row; `None` is NULL.
pub(crate) type Row = [Option<i32>; WIDTH];

/// A table's rows by their primary key.
pub(crate) type Rows = BTreeMap<i32, Row>;

/// One table's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// The columns of each unique key, in the server's order; the primary key first.
    pub(crate) unique: Vec<Vec<usize>>,
    /// A foreign key of [`PARENT`]: the table, and the one column there that it refers to.
    pub(crate) foreign: Option<(usize, usize)>,
    /// Who refers to this table: the table, and this table's column.
    pub(crate) referenced: Option<(usize, usize)>,
}

impl Table {
    /// The values of a row under a unique key; `None` where one of them is NULL.
    pub(crate) fn key(&self, index: usize, row: &Row) -> Option<Vec<i32>> {
        self.unique[index]
            .iter()
            .map(|&column| row[column])
            .collect()
    }

    /// The first unique key, in the server's order, that another row has already.
    pub(crate) fn duplicate(
        &self,
        rows: &Rows,
        row: &Row,
        own: Option<i32>,
    ) -> Option<(usize, Row)> {
        (0..self.unique.len()).find_map(|index| {
            let key = self.key(index, row)?;
            rows.values()
                .find(|other| {
                    other[ID] != own && self.key(index, other).as_deref() == Some(&key[..])
                })
                .map(|other| (index, *other))
        })
    }
}

/// Why a server refuses a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// 1062.
    Duplicate,
    /// 1452: the parent is not there.
    NoParent,
    /// 1451: a child refers to the row.
    Referenced,
    /// The row to change is not there.
    NotFound,
}

/// One change of one row, as a log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    pub(crate) table: usize,
    pub(crate) before: Option<Row>,
    pub(crate) after: Option<Row>,
    /// Foreign keys are not checked: the session said so, and the log carries it to the peer.
    pub(crate) unchecked: bool,
}

impl Change {
    pub(crate) fn new(table: usize, before: Option<Row>, after: Option<Row>) -> Self {
        Self {
            table,
            before,
            after,
            unchecked: false,
        }
    }
}

/// What one node holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) tables: Vec<Rows>,
}

impl State {
    pub(crate) fn new(tables: usize) -> Self {
        Self {
            tables: vec![Rows::new(); tables],
        }
    }

    pub(crate) fn row(&self, table: usize, id: i32) -> Option<Row> {
        self.tables[table].get(&id).copied()
    }

    /// Puts `after` where `before` is, whatever the keys say: how a log is replayed.
    pub(crate) fn replay(&mut self, change: &Change) {
        if let Some(id) = change.before.and_then(|row| row[ID]) {
            self.tables[change.table].remove(&id);
        }
        if let Some((id, row)) = change.after.and_then(|row| Some((row[ID]?, row))) {
            self.tables[change.table].insert(id, row);
        }
    }

    /// Whether some child refers to `row` of `table` by the given column's value.
    fn has_children(&self, schema: &[Table], table: usize, row: &Row) -> bool {
        schema[table].referenced.is_some_and(|(child, column)| {
            row[column].is_some()
                && self.tables[child]
                    .values()
                    .any(|other| other[PARENT] == row[column])
        })
    }

    fn parent_is_missing(&self, schema: &[Table], table: usize, row: &Row) -> bool {
        schema[table].foreign.is_some_and(|(parent, column)| {
            row[PARENT].is_some()
                && !self.tables[parent]
                    .values()
                    .any(|other| other[column] == row[PARENT])
        })
    }

    /// Whether the keys allow a change of a row that is as `before` says.
    pub(crate) fn check(&self, schema: &[Table], change: &Change) -> Result<(), Refused> {
        let Change {
            table,
            before,
            after,
            unchecked,
        } = *change;
        if let Some(after) = after {
            let own = before.and_then(|row| row[ID]);
            if schema[table]
                .duplicate(&self.tables[table], &after, own)
                .is_some()
            {
                return Err(Refused::Duplicate);
            }
            let moved = before.is_none_or(|row| row[PARENT] != after[PARENT]);
            if moved && !unchecked && self.parent_is_missing(schema, table, &after) {
                return Err(Refused::NoParent);
            }
        }
        if let Some(before) = before {
            let kept = after.is_some_and(|after| {
                schema[table]
                    .referenced
                    .is_none_or(|(_, column)| after[column] == before[column])
            });
            if !kept && !unchecked && self.has_children(schema, table, &before) {
                return Err(Refused::Referenced);
            }
        }
        Ok(())
    }

    /// Makes a change if the keys allow it.
    pub(crate) fn change(&mut self, schema: &[Table], change: &Change) -> Result<(), Refused> {
        self.check(schema, change)?;
        self.replay(change);
        Ok(())
    }
}
