//! What a pair holds at rest: its tables and its history.

use std::collections::HashSet;
use std::fmt;

use crate::schema::{Row, Table};

/// The tables of one node, by index.
pub(crate) type Content = Vec<Vec<Row>>;

/// A row of the conflict history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) table: String,
    pub(crate) state: String,
    /// All other columns.
    pub(crate) rest: String,
    /// What it says in full.
    pub(crate) detail: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            table,
            state,
            rest,
            ..
        } = self;
        write!(f, "{id} {table} {state} {rest}")
    }
}

/// Both nodes at a moment of rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The tables of each.
    pub(crate) nodes: [Content; 2],
    /// The history of each.
    pub(crate) history: [Vec<Entry>; 2],
}

/// The marks in a text: between two tildes.
pub(crate) fn marks_in(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('~')
        .scan(0, move |end, piece| {
            let from = *end;
            *end += piece.len();
            Some((from, *end))
        })
        .filter_map(move |(from, to)| {
            // The piece ends with a tilde; the one before it ended with the opening one.
            let mark = text.get(from.checked_sub(1)?..to)?;
            (mark.len() > 2 && mark.starts_with('~') && mark.ends_with('~')).then_some(mark)
        })
}

impl Rest {
    /// The marks that a node's tables hold.
    pub(crate) fn in_tables<'a>(&'a self, tables: &'a [Table]) -> HashSet<&'a str> {
        let nodes = self.nodes.iter();
        nodes
            .flat_map(|node| node.iter().zip(tables))
            .flat_map(|(rows, table)| rows.iter().flat_map(|row| table.marks(row)))
            .collect()
    }

    pub(crate) fn in_history(&self) -> HashSet<&str> {
        let entries = self.history.iter().flatten();
        entries.flat_map(|entry| marks_in(&entry.detail)).collect()
    }
}
