//! From what a person wants to what would be written where.

use std::sync::Arc;

use twinlog_converge::Side;

use super::{
    Error, Which,
    nodes::Nodes,
    others::take_in,
    statements::statements,
    want::{Read, read, want},
};
use crate::{
    history::{self, Entry, Kind, RuledRow, Ruling, State, Told, cells, seal},
    resolve::{Content, How, Judged, JudgedRow, Plan, plan},
};

/// What a person wants of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// That an open one be settled, and no newer write be lost over it.
    Resolve {
        /// By what was written on this node.
        keep: Option<Side>,
        /// With these columns set on top; of what both nodes hold, where nothing is kept.
        set: Vec<Assignment>,
    },
    /// That both nodes hold this version again, whatever has become of the rows.
    Restore(Which),
}

/// A column that a person sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Of which row, from 1; `None` for the only one.
    pub row: Option<usize>,
    /// The column's name.
    pub column: String,
    /// The value as it was typed; `None` for NULL.
    pub value: Option<String>,
}

/// What would be done.
#[derive(Debug)]
pub struct Proposal {
    /// The conflict.
    pub entry: Entry,
    /// What is wanted, in words.
    pub what: String,
    /// Its rows.
    pub rows: Vec<ProposedRow>,
    /// What to know before it is done.
    pub notes: Vec<String>,
    /// What is written where; none where both nodes hold what is wanted.
    pub statements: Vec<Statement>,
    pub(super) judged: Judged,
    pub(super) seal: String,
    pub(super) chosen: Option<String>,
    pub(super) chosen_node: Option<String>,
    pub(super) place: Side,
}

/// A row of a proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedRow {
    /// What each node holds.
    pub now: [Told; 2],
    /// What both shall hold.
    pub wanted: Told,
}

/// A statement of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// On which node.
    pub node: String,
    /// It, for people: only the columns that change. What is run sets them all, byte by byte.
    pub sql: String,
}

impl Proposal {
    /// Whether both nodes hold what is wanted already.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.statements.is_empty()
    }

    /// The entry with the decision in it.
    pub(super) fn ruled(&self, state: State, by: &str, now_us: u64) -> Entry {
        let mut entry = self.entry.clone();
        let ruled = |(row, proposed): (usize, &ProposedRow)| RuledRow {
            row,
            found: proposed.now.clone(),
            wanted: proposed.wanted.clone(),
        };
        let rows: Vec<RuledRow> = self.rows.iter().enumerate().map(ruled).collect();
        for (row, proposed) in entry.detail.rows.iter_mut().zip(&self.rows) {
            row.chosen = proposed.wanted.clone();
        }
        entry.detail.rulings.push(Ruling {
            at_us: now_us,
            by: by.to_owned(),
            what: self.what.clone(),
            instead_of: format!("{}: {}", entry.state, entry.rule),
            rows,
        });
        Entry {
            state,
            rule: format!("{by} decided: {}", self.what),
            chosen: self.chosen.clone(),
            chosen_node: self.chosen_node.clone(),
            chosen_us: None,
            repair_gtid: None,
            resolved_us: (state != State::Open).then_some(now_us),
            ..entry
        }
    }
}

/// Reads what the nodes hold now, and says what would be written where. Nothing is changed; what is set is tried in a
/// transaction that is rolled back.
///
/// # Errors
/// See [`Error`].
pub async fn propose(
    nodes: &mut Nodes,
    id: &str,
    place: usize,
    request: &Request,
) -> Result<Proposal, Error> {
    let place = Side::BOTH[place.min(1)];
    let conn = nodes.hand(place).conn();
    // Before the entry: what is written between the two does not count as read.
    let seal = seal(conn, id).await?;
    let mut entry = history::find(conn, id).await?;
    check(&entry, request)?;
    let mut rows = read(nodes, &entry).await?;
    want(nodes, &entry, &mut rows, request).await?;
    let others = take_in(nodes, &mut entry, &mut rows).await?;
    let proposed = rows.iter().map(|row| ProposedRow {
        now: row.now.each_ref().map(told),
        wanted: told(&row.wanted),
    });
    let proposed = proposed.collect();
    let judged = judged(&rows);
    let repairs = match plan(&judged, How::InPlace) {
        Plan::Nothing => Vec::new(),
        Plan::Person(reason) => {
            return Err(Error::Obstacle {
                id: entry.id,
                reason,
            });
        }
        Plan::Repair { first, second } => [Some(first), second].into_iter().flatten().collect(),
    };
    let mut shown = Vec::new();
    for repair in &repairs {
        nodes.must_take(repair, &judged).await?;
        let node = nodes.name(repair.side).to_owned();
        shown.extend(statements(repair)?.into_iter().map(|sql| Statement {
            node: node.clone(),
            sql,
        }));
    }
    let (what, chosen, chosen_node) = words(nodes, request);
    let mut notes = nodes.notes().await?;
    if others > 0 {
        notes.push(format!(
            "{others} more row{} in the way of that: the last of the rows here; what {} kept in the conflict's history",
            if others == 1 { " is" } else { "s are" },
            if others == 1 { "it was is" } else { "they were is" },
        ));
    }
    Ok(Proposal {
        notes,
        entry,
        what,
        rows: proposed,
        statements: shown,
        judged,
        seal,
        chosen,
        chosen_node,
        place,
    })
}

fn check(entry: &Entry, request: &Request) -> Result<(), Error> {
    if matches!(request, Request::Resolve { .. }) && entry.state != State::Open {
        return Err(Error::NotOpen {
            id: entry.id.clone(),
            state: entry.state,
            rule: entry.rule.clone(),
        });
    }
    if entry.kind == Kind::Ddl || entry.detail.rows.is_empty() {
        return Err(Error::Definition {
            id: entry.id.clone(),
            table: format!("{}.{}", entry.schema_name, entry.table_name),
        });
    }
    Ok(())
}

pub(super) fn judged(rows: &[Read]) -> Judged {
    let rows = rows.iter().map(|row| {
        let (now, wanted) = (row.now.clone(), row.wanted.clone());
        JudgedRow::new(Arc::clone(&row.table), row.key.clone(), now, wanted)
    });
    Judged {
        aged: false,
        rows: rows.collect(),
        decided: true,
    }
}

/// What is wanted, what was chosen, and the node whose version that is.
fn words(nodes: &Nodes, request: &Request) -> (String, Option<String>, Option<String>) {
    let name = |side: Side| nodes.name(side).to_owned();
    match request {
        Request::Restore(Which::Base) => (
            "restore what it was before".into(),
            Some("base".into()),
            None,
        ),
        Request::Restore(Which::Of(side)) => (
            format!("restore the version of {}", name(*side)),
            Some(name(*side)),
            Some(name(*side)),
        ),
        Request::Resolve { keep, set } => {
            let sets = set.iter().map(|set| {
                let value = set.value.as_deref().unwrap_or("NULL");
                format!("set {} = {}", set.column, short(value))
            });
            let keep_words = keep.map(|side| format!("keep {}", name(side)));
            let what: Vec<String> = keep_words.into_iter().chain(sets).collect();
            let node = keep.filter(|_| set.is_empty()).map(name);
            (
                what.join(", "),
                node.clone().or_else(|| Some("by hand".into())),
                node,
            )
        }
    }
}

/// A value in a sentence: all of it is in the detail.
fn short(value: &str) -> String {
    const CHARS_MAX: usize = 40;
    match value.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

pub(crate) fn told(content: &Content) -> Told {
    match content {
        Content::Row(row) => Told::Row(cells(row)),
        Content::Gone => Told::Gone,
    }
}
