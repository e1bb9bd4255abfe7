//! From what a person wants to what would be written where.

use std::sync::Arc;

use futures_util::future::try_join;
use twinlog_binlog::Value;
use twinlog_converge::{Side, TableName};
use twinlog_pair::site::{Login, Site};
use twinlog_server::{
    dialect::Dialect,
    facts::{Standing, read_dialect},
};

use super::{
    Error, Which,
    book::CONNECT_TIMEOUT,
    statements::statements,
    trial,
    versions::{content, is_known, versions},
};
use crate::{
    history::{self, Entry, Kind, RuledRow, Ruling, State, Told, cells, seal},
    resolve::{Content, Hand, How, Judged, JudgedRow, OpKind, Plan, Repair, plan},
    row::{TableInfo, canonical, read_held},
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

/// Both nodes, for reading and writing rows.
#[derive(Debug)]
pub struct Nodes {
    names: [String; 2],
    hands: [Hand; 2],
    dialects: [Dialect; 2],
}

impl Nodes {
    /// Connects to both.
    ///
    /// # Errors
    /// Where one does not answer.
    pub async fn open(site: &Site) -> Result<Self, Error> {
        let [a, b] = site.nodes();
        let (mut a, mut b) = try_join(
            site.connect(a, Login::Agent, CONNECT_TIMEOUT),
            site.connect(b, Login::Agent, CONNECT_TIMEOUT),
        )
        .await?;
        let dialects = [read_dialect(&mut a).await?, read_dialect(&mut b).await?];
        Ok(Self {
            names: site.nodes().map(|node| node.name.clone()),
            hands: [Hand::new(a).await?, Hand::new(b).await?],
            dialects,
        })
    }

    pub(super) fn hand(&mut self, side: Side) -> &mut Hand {
        &mut self.hands[side.index()]
    }

    /// A node's name.
    pub fn name(&self, side: Side) -> &str {
        &self.names[side.index()]
    }

    /// Closes the connections.
    pub async fn close(self) {
        for hand in self.hands {
            hand.close().await;
        }
    }
}

/// A row on one node.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: &'a str,
    pub(super) table: &'a TableInfo,
    pub(super) key: &'a [Value],
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
    let entry = history::find(conn, id).await?;
    check(&entry, request)?;
    let mut rows = read(nodes, &entry).await?;
    want(nodes, &entry, &mut rows, request).await?;
    let proposed = rows.iter().map(|row| ProposedRow {
        now: row.now.each_ref().map(told),
        wanted: told(&row.wanted),
    });
    let proposed = proposed.collect();
    let judged = judged(rows);
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
        must_pass(nodes, repair, &judged).await?;
        let node = nodes.name(repair.side).to_owned();
        shown.extend(statements(repair)?.into_iter().map(|sql| Statement {
            node: node.clone(),
            sql,
        }));
    }
    let (what, chosen, chosen_node) = words(&nodes.names, request);
    Ok(Proposal {
        notes: notes(nodes).await?,
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

/// A row with what it is now.
struct Read {
    table: Arc<TableInfo>,
    key: Vec<Value>,
    now: [Content; 2],
    wanted: Content,
}

async fn read(nodes: &mut Nodes, entry: &Entry) -> Result<Vec<Read>, Error> {
    let detail = &entry.detail;
    let changed = |table: &TableName| Error::Changed {
        id: entry.id.clone(),
        table: table.to_string(),
    };
    let mut tables = Vec::new();
    for shape in &detail.tables {
        let name = TableName {
            database: shape.schema.as_str().into(),
            name: shape.name.as_str().into(),
        };
        for side in Side::BOTH {
            let table = TableInfo::load(nodes.hand(side).conn(), &name).await?;
            let same = table.columns.len() == shape.columns.len()
                && table.columns.iter().zip(&shape.columns).all(|(now, then)| {
                    now.name.to_lowercase() == then.name.to_lowercase()
                        && now.generated == then.generated
                })
                && table.key()?.columns == shape.key;
            if !same {
                return Err(changed(&name));
            }
            if side == Side::A {
                tables.push(Arc::new(table));
            }
        }
    }
    let mut rows = Vec::new();
    for (at, row) in detail.rows.iter().enumerate() {
        let table = tables
            .get(row.table)
            .ok_or_else(|| not_told(entry, at, "the table"))?;
        let columns = &table.key()?.columns;
        let key = row
            .key
            .iter()
            .zip(columns)
            .map(|(cell, &column)| Some(canonical(&table.columns[column].kind, cell.value()?)));
        let key: Vec<Value> = key
            .collect::<Option<_>>()
            .ok_or_else(|| not_told(entry, at, "the key"))?;
        let mut now = [Content::Gone, Content::Gone];
        for side in Side::BOTH {
            now[side.index()] = read_held(nodes.hand(side).conn(), table, &key)
                .await?
                .into();
        }
        rows.push(Read {
            table: Arc::clone(table),
            wanted: now[0].clone(),
            key,
            now,
        });
    }
    Ok(rows)
}

/// Fills in what each row shall be.
async fn want(
    nodes: &mut Nodes,
    entry: &Entry,
    rows: &mut [Read],
    request: &Request,
) -> Result<(), Error> {
    let which = match request {
        Request::Resolve { keep, .. } => keep.map(Which::Of),
        Request::Restore(which) => Some(*which),
    };
    if let Some(which) = which {
        let told = versions(&entry.detail, which);
        for (at, row) in rows.iter_mut().enumerate() {
            let told = told.get(at).and_then(|told| content(&row.table, told));
            row.wanted = told.ok_or_else(|| not_told(entry, at, &version_name(nodes, which)))?;
        }
    }
    let Request::Resolve { keep, set } = request else {
        return Ok(());
    };
    for (at, row) in rows.iter().enumerate() {
        let [a, b] = &row.now;
        let known = |now: &Content| is_known(&entry.detail, at, &row.table, now);
        if keep.is_some() && !(known(a) && known(b)) {
            return Err(Error::WrittenSince {
                id: entry.id.clone(),
                row: at + 1,
                key: key_text(entry, at),
            });
        }
        if keep.is_none() && !a.same(&row.table, b) {
            return Err(Error::NoStart {
                row: at + 1,
                key: key_text(entry, at),
            });
        }
    }
    for at in 0..rows.len() {
        let set = of_row(entry, set, at)?;
        if !set.is_empty() {
            assign(nodes, entry, &mut rows[at], at, &set).await?;
        }
    }
    Ok(())
}

/// What is set in one row.
fn of_row<'a>(
    entry: &Entry,
    set: &'a [Assignment],
    at: usize,
) -> Result<Vec<&'a Assignment>, Error> {
    let rows = entry.detail.rows.len();
    let mut found = Vec::new();
    for assignment in set {
        match assignment.row {
            None if rows > 1 => {
                return Err(Error::WhichRow {
                    id: entry.id.clone(),
                    rows,
                });
            }
            Some(row) if row == 0 || row > rows => {
                return Err(Error::NoRowOfNumber {
                    id: entry.id.clone(),
                    rows,
                    row,
                });
            }
            row if row.is_none_or(|row| row == at + 1) => found.push(assignment),
            _ => {}
        }
    }
    Ok(found)
}

async fn assign(
    nodes: &mut Nodes,
    entry: &Entry,
    row: &mut Read,
    at: usize,
    set: &[&Assignment],
) -> Result<(), Error> {
    let Content::Row(wanted) = &mut row.wanted else {
        return Err(Error::NoSuchRow {
            row: at + 1,
            key: key_text(entry, at),
        });
    };
    let mut columns = Vec::new();
    for assignment in set {
        let column = trial::position(&row.table, &assignment.column)?;
        columns.push((column, assignment.value.as_deref()));
    }
    if let Some(reason) = &row.table.obstacle {
        return Err(Error::Obstacle {
            id: entry.id.clone(),
            reason: format!("{} cannot be repaired because {reason}", row.table.name),
        });
    }
    // Where the row is there already, nothing else of it is touched.
    let side = if row.now[0].row().is_none() && row.now[1].row().is_some() {
        Side::B
    } else {
        Side::A
    };
    let node = nodes.name(side).to_owned();
    let place = Place {
        node: &node,
        table: &row.table,
        key: &row.key,
    };
    let values = trial::values(nodes.hand(side), &place, wanted, &columns).await?;
    for ((column, _), value) in columns.into_iter().zip(values) {
        wanted[column] = value;
    }
    Ok(())
}

fn judged(rows: Vec<Read>) -> Judged {
    let rows = rows
        .into_iter()
        .map(|row| JudgedRow::new(row.table, row.key, row.now, row.wanted));
    Judged {
        rows: rows.collect(),
        decided: true,
    }
}

/// Under STRICT a copy that inserts what is there, or changes what is not, stops the peer's applier.
async fn must_pass(nodes: &mut Nodes, repair: &Repair, judged: &Judged) -> Result<(), Error> {
    let peer = repair.side.peer();
    let there = |row: usize| {
        let guard = &repair.rows[row];
        judged.rows.iter().any(|row| {
            let held = row.held[peer.index()].as_ref();
            row.table.name == guard.table.name
                && row.key == guard.key
                && held.is_some_and(|held| held.row().is_some())
        })
    };
    let stops = repair.ops.iter().any(|op| match op.kind {
        OpKind::Insert => {
            there(op.row)
                && !repair
                    .ops
                    .iter()
                    .any(|other| other.row == op.row && other.kind == OpKind::Delete)
        }
        OpKind::Update | OpKind::Delete => !there(op.row),
    });
    let Some(variable) = nodes.dialects[peer.index()].variable("replica_exec_mode") else {
        return Ok(());
    };
    if !stops {
        return Ok(());
    }
    let sql = format!("SELECT @@GLOBAL.{}", variable.name);
    let mode = nodes.hand(peer).conn().value(&sql).await?;
    match mode {
        Some(mode) if mode.eq_ignore_ascii_case("STRICT") => Err(Error::Strict {
            node: nodes.name(peer).to_owned(),
            variable: variable.name,
        }),
        _ => Ok(()),
    }
}

/// What a person should know of the links before the rows are written.
async fn notes(nodes: &mut Nodes) -> Result<Vec<String>, Error> {
    let mut standings = Vec::new();
    for side in Side::BOTH {
        let dialect = nodes.dialects[side.index()];
        standings.push(Standing::read(nodes.hand(side).conn(), &dialect).await?);
    }
    let mut notes = Vec::new();
    for side in Side::BOTH {
        let (source, replica) = (&standings[side.peer().index()], &standings[side.index()]);
        let has = replica.applied.merge(&replica.logged);
        // Two flavours cannot be a pair, and so always compare.
        if !has
            .and_then(|has| has.covers(&source.logged))
            .unwrap_or(true)
        {
            notes.push(format!(
                "{} has not executed all yet that {} has: what comes over the link later may touch these rows again \
                 (`twinlog status`)",
                nodes.name(side),
                nodes.name(side.peer())
            ));
        }
    }
    Ok(notes)
}

/// What is wanted, what was chosen, and the node whose version that is.
fn words(names: &[String; 2], request: &Request) -> (String, Option<String>, Option<String>) {
    let name = |side: Side| names[side.index()].clone();
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

fn version_name(nodes: &Nodes, which: Which) -> String {
    match which {
        Which::Base => "the version before".into(),
        Which::Of(side) => format!("the version of {}", nodes.name(side)),
    }
}

fn not_told(entry: &Entry, at: usize, version: &str) -> Error {
    Error::NotTold {
        id: entry.id.clone(),
        version: version.to_owned(),
        row: at + 1,
        key: key_text(entry, at),
    }
}

/// A row's key, for people: `id=5`.
pub(super) fn key_text(entry: &Entry, at: usize) -> String {
    let row = entry.detail.rows.get(at);
    row.map(|row| entry.detail.key_text(row))
        .unwrap_or_default()
}

fn told(content: &Content) -> Told {
    match content {
        Content::Row(row) => Told::Row(cells(row)),
        Content::Gone => Told::Gone,
    }
}
