//! An episode with its rows decoded.

mod aged;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use twinlog_binlog::Value;
use twinlog_converge::{Decision, Episode, EpisodeRow, Held, Outcome, Side, TableName, Version};
use twinlog_server::conn::Conn;

use self::aged::{carried_over, is_aged};
use super::Place;
use twinlog_row::{
    Documents, Kind, Row, RowError, TableInfo, canonical, key_of, read_held, read_image, same,
};

/// The tables that are known, by name.
pub type Tables = HashMap<TableName, Arc<TableInfo>>;

/// What a row is at some moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// It exists, and holds this.
    Row(Row),
    /// It does not exist.
    Gone,
}

impl Content {
    /// Its values, if it exists.
    pub fn row(&self) -> Option<&Row> {
        match self {
            Self::Row(row) => Some(row),
            Self::Gone => None,
        }
    }

    /// Whether both are the same to the byte in every stored column.
    pub(crate) fn same(&self, table: &TableInfo, other: &Self) -> bool {
        match (self, other) {
            (Self::Gone, Self::Gone) => true,
            (Self::Row(a), Self::Row(b)) => same(table, a, b),
            _ => false,
        }
    }
}

impl From<Option<Row>> for Content {
    fn from(row: Option<Row>) -> Self {
        row.map_or(Self::Gone, Self::Row)
    }
}

/// One row of an episode.
#[derive(Debug, Clone)]
pub struct JudgedRow {
    /// Its table.
    pub table: Arc<TableInfo>,
    /// The values that name it.
    pub key: Vec<Value>,
    /// What it was before; `None` where nobody knows.
    pub base: Option<Content>,
    /// What each node holds; `None` where the node must be asked.
    pub held: [Option<Content>; 2],
    /// What both shall hold; `None` for nothing chosen.
    pub chosen: Option<Content>,
    /// The node whose content both shall hold, whatever it turns out to be.
    as_held: Option<Side>,
    /// What both shall hold, from before the table's definition changed: without the columns that are new.
    wanted: Option<Row>,
    /// All that the episode says it was at some moment; empty where no log was asked.
    versions: Vec<Content>,
    /// Documents that logs have of it.
    pub(super) documents: Arc<Documents>,
}

impl JudgedRow {
    /// A row of which all is known but its past.
    #[must_use]
    pub fn new(
        table: Arc<TableInfo>,
        key: Vec<Value>,
        held: [Content; 2],
        chosen: Content,
    ) -> Self {
        Self {
            table,
            key,
            base: None,
            held: held.map(Some),
            chosen: Some(chosen),
            as_held: None,
            wanted: None,
            versions: Vec::new(),
            documents: Arc::default(),
        }
    }

    /// Whether both nodes hold what none of the episode's writes has left: someone else wrote it, whose transaction was
    /// read and judged before (by another agent: it is in the checkpoint), or is in no log.
    fn is_of_others(&self) -> bool {
        let [Some(a), Some(b)] = &self.held else {
            return false;
        };
        let is = |version: &Content| version.same(&self.table, a);
        let mut versions = self.versions.iter().chain(&self.base);
        !self.versions.is_empty() && a.same(&self.table, b) && !versions.any(is)
    }
}

/// An episode's rows, decoded, with what was decided.
#[derive(Debug, Clone)]
pub struct Judged {
    /// In the episode's order.
    pub rows: Vec<JudgedRow>,
    /// Whether anything was chosen at all. If not, a person must.
    pub decided: bool,
    /// Whether a table's definition has changed since one of the writes: then the rows are taken as a node holds them.
    pub aged: bool,
}

impl Judged {
    /// Decodes the rows of an episode.
    ///
    /// # Errors
    /// [`RowError::NoTable`] for a table that is not among `tables`, and what [`read_image`] says.
    pub fn new(episode: &Episode, decision: &Decision, tables: &Tables) -> Result<Self, RowError> {
        if is_aged(episode, tables) {
            return Self::aged(episode, decision, tables);
        }
        let outcomes = decision.rows.as_ref();
        let rows = episode.rows.iter().enumerate().map(|(at, row)| {
            let table = tables.get(&row.table).ok_or_else(|| RowError::NoTable {
                table: row.table.to_string(),
            })?;
            let content = |version: &Version| -> Result<Content, RowError> {
                Ok(match version {
                    Version::Row(image) => Content::Row(read_image(table, image.as_image())?),
                    Version::Gone => Content::Gone,
                })
            };
            let held = |side: Side| match &row.held[side.index()] {
                Held::Known(version) => content(version).map(Some),
                Held::Unknown => Ok(None),
            };
            let (mut chosen, mut as_held) = (None, None);
            match outcomes.and_then(|outcomes| outcomes.get(at)) {
                Some(Outcome::Version(version)) => chosen = Some(content(version)?),
                Some(Outcome::Merged(values)) => {
                    let values = values.iter().zip(&table.columns);
                    let row = values.map(|(value, column)| canonical(&column.kind, value.clone()));
                    chosen = Some(Content::Row(row.collect()));
                }
                Some(Outcome::AsHeld(side)) => as_held = Some(*side),
                None => {}
            }
            Ok(JudgedRow {
                key: key_of(table, &read_image(table, row.key.as_image())?)?,
                base: row.base.as_ref().map(content).transpose()?,
                held: [held(Side::A)?, held(Side::B)?],
                table: Arc::clone(table),
                chosen,
                as_held,
                wanted: None,
                versions: Vec::new(),
                documents: Arc::default(),
            })
        });
        let mut rows = rows.collect::<Result<Vec<JudgedRow>, RowError>>()?;
        for write in &episode.writes {
            // What a write finds it has left gone, until another fills it.
            for (side, gone) in [(&write.before, true), (&write.after, false)] {
                let Some((at, image)) = side else { continue };
                let Some(row) = rows.get_mut(*at) else {
                    continue;
                };
                let content = Content::Row(read_image(&row.table, image.as_image())?);
                row.versions.push(content);
                if gone || write.before.is_none() {
                    row.versions.push(Content::Gone);
                }
            }
        }
        for (at, row) in rows.iter_mut().enumerate() {
            let chosen = outcomes.and_then(|outcomes| outcomes.get(at));
            row.documents = documents(episode, at, chosen, &row.table)?.into();
        }
        let mut judged = Self {
            rows,
            decided: outcomes.is_some(),
            aged: false,
        };
        judged.choose_as_held();
        Ok(judged)
    }

    /// The rows that a node must be asked for.
    pub fn unknown(&self, side: Side) -> impl Iterator<Item = usize> + '_ {
        (0..self.rows.len()).filter(move |&at| self.rows[at].held[side.index()].is_none())
    }

    /// Reads from a node what its log does not tell. What it holds may be newer than what both logs were read to: whoever
    /// asks reads them to where they ended afterwards, and leaves the rows alone that were written in between.
    ///
    /// # Errors
    /// As [`read_held`].
    pub async fn ask(&mut self, side: Side, conn: &mut Conn) -> Result<(), RowError> {
        for at in self.unknown(side).collect::<Vec<_>>() {
            let row = &self.rows[at];
            let found = read_held(conn, &row.table, &row.key).await?;
            self.tell(at, side, found.into());
        }
        Ok(())
    }

    /// These of its rows only: the others were written since.
    #[must_use]
    pub fn only(&self, rows: &BTreeSet<usize>) -> Self {
        Self {
            rows: rows
                .iter()
                .filter_map(|&at| self.rows.get(at).cloned())
                .collect(),
            decided: self.decided,
            aged: self.aged,
        }
    }

    /// Takes rows in that were not of the episode, and chooses for all rows what one node holds. Says whether any of them
    /// is new.
    pub fn take_whole(&mut self, from: Side, others: Vec<Place>) -> bool {
        let mut new = false;
        for (table, key) in others {
            let same = |row: &JudgedRow| row.table.name == table.name && row.key == key;
            if !self.rows.iter().any(same) {
                new = true;
                self.rows.push(JudgedRow {
                    table,
                    key,
                    base: None,
                    held: [None, None],
                    chosen: None,
                    as_held: None,
                    wanted: None,
                    versions: Vec::new(),
                    documents: Arc::default(),
                });
            }
        }
        for row in &mut self.rows {
            row.as_held = Some(from);
            row.wanted = None;
        }
        self.decided = true;
        self.forget();
        new
    }

    /// The rows that nobody of the episode has written last.
    pub fn of_others(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.rows.len()).filter(|&at| self.rows[at].is_of_others())
    }

    /// Forgets what the nodes hold: something was found changed, so both must be asked again.
    pub fn forget(&mut self) {
        for row in &mut self.rows {
            row.held = [None, None];
            if row.as_held.is_some() || row.wanted.is_some() {
                row.chosen = None;
            }
        }
    }

    /// Says what a node holds.
    pub fn tell(&mut self, row: usize, side: Side, content: Content) {
        if let Some(row) = self.rows.get_mut(row) {
            row.held[side.index()] = Some(content);
        }
        self.choose_as_held();
    }

    fn choose_as_held(&mut self) {
        for row in &mut self.rows {
            if let (None, Some(side)) = (&row.chosen, row.as_held) {
                row.chosen = row.held[side.index()].clone();
            }
            if let (None, Some(wanted), [Some(a), Some(b)]) = (&row.chosen, &row.wanted, &row.held)
            {
                row.chosen = carried_over(wanted, [a, b]).map(Content::Row);
                self.decided &= row.chosen.is_some();
            }
        }
    }

    /// Whether what both shall hold goes by what a node holds now, not only by what was written.
    #[must_use]
    pub fn as_held(&self) -> bool {
        self.aged || self.rows.iter().any(|row| row.as_held.is_some())
    }

    /// Whether both nodes hold the same in every row; `false` while one must be asked.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.rows.iter().all(|row| match &row.held {
            [Some(a), Some(b)] => a.same(&row.table, b),
            _ => false,
        })
    }
}

/// The documents of all that a row was; of what was chosen last.
fn documents<'a>(
    episode: &'a Episode,
    row: usize,
    chosen: Option<&'a Outcome>,
    table: &TableInfo,
) -> Result<Documents, RowError> {
    let mut documents = Documents::default();
    if !table.columns.iter().any(|column| column.kind == Kind::Json) {
        return Ok(documents);
    }
    let EpisodeRow { base, held, .. } = &episode.rows[row];
    let held = held.iter().filter_map(|held| match held {
        Held::Known(version) => Some(version),
        Held::Unknown => None,
    });
    let written = episode
        .writes
        .iter()
        .flat_map(|write| [&write.before, &write.after])
        .flatten()
        .filter(|(at, _)| *at == row)
        .map(|(_, image)| image);
    let image = |version: &'a Version| match version {
        Version::Row(image) => Some(image),
        Version::Gone => None,
    };
    let chosen = chosen.and_then(|chosen| match chosen {
        Outcome::Version(version) => image(version),
        Outcome::Merged(_) | Outcome::AsHeld(_) => None,
    });
    let images = base
        .iter()
        .chain(held)
        .filter_map(image)
        .chain(written)
        .chain(chosen);
    for image in images {
        documents.add(table, image.as_image())?;
    }
    Ok(documents)
}
