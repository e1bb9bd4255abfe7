//! What a backup says of itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use twinlog_converge::TableName;
use twinlog_row::TableInfo;
use twinlog_server::{dialect::Dialect, facts::LinkFacts, version::Version};

use super::{
    super::snapshot::Snapshot,
    Error,
    part::{Part, Sum, Sums},
};
use crate::copy::{
    ddl::Parts,
    inventory::{Database, Table},
    recipe::Recipe,
};

/// The format that this twinlog writes, and the only one it reads.
pub(super) const FORMAT: u32 = 1;
/// The manifest's file.
pub(super) const MANIFEST: &str = "manifest.json";
/// The file that is written last; it holds the manifest's checksum.
pub(super) const COMPLETE: &str = "complete";

/// All but the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's number.
    pub format: u32,
    /// The version of twinlog that has written it.
    pub twinlog: String,
    /// The backup's name, which no other has.
    pub id: String,
    /// When its snapshot was opened, in UTC.
    pub taken_at: String,
    /// The pair's name.
    pub pair: String,
    /// The node whose data it is.
    pub node: String,
    /// That node's server, as it names its version.
    pub server: String,
    /// Where the node's log stood, and how much of its peer's it had executed.
    pub position: Position,
    pub(super) databases: Vec<Database>,
    pub(super) tables: Vec<SavedTable>,
    pub(super) programs: Vec<Program>,
}

/// Where a node stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Position {
    /// Its binary log's file.
    pub file: String,
    /// The byte position in it.
    pub position: u64,
    /// All that it had executed, as GTIDs.
    pub gtids: String,
    /// Its links.
    pub links: Vec<Link>,
}

/// How far a link had executed its source's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// The channel (MySQL) or connection (MariaDB).
    pub channel: String,
    /// The source's address.
    pub source: String,
    /// Its binary log's file.
    pub file: String,
    /// The byte position in it.
    pub position: u64,
}

/// A table, and where its rows are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedTable {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) definition: Parts,
    /// The statement that takes a part's rows.
    pub(super) load: String,
    /// What to select of a row, to get the lines of the parts again.
    pub(super) columns: String,
    pub(super) rows: u64,
    /// How large the server takes it to be.
    pub(super) bytes: u64,
    /// The sum of its lines' hashes, whatever their order: XXH3 of 128 bits each, modulo 2¹²⁸, in hexadecimal digits.
    pub(super) sum: String,
    /// Which of the columns are JSON documents, from 0.
    pub(super) documents: Vec<usize>,
    /// The same sum without these.
    pub(super) plain_sum: String,
    pub(super) parts: Vec<Part>,
}

/// How what a node has stored of a table compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Same,
    /// Some JSON documents are not what they were: their text does not show all that they held.
    AllButDocuments,
    Other,
}

impl SavedTable {
    /// Compares what its rows add up to on a node.
    pub(super) fn compare(&self, sums: &Sums) -> Stored {
        let is_same = |sum: &Sum, digits: &str| sum.rows == self.rows && sum.digits() == digits;
        if is_same(&sums.all, &self.sum) {
            return Stored::Same;
        }
        match !self.documents.is_empty() && is_same(&sums.plain, &self.plain_sum) {
            true => Stored::AllButDocuments,
            false => Stored::Other,
        }
    }

    /// As a copy's table; what its columns are is said by `load` and `columns`.
    pub(super) fn table(&self) -> Table {
        let name = TableName {
            database: self.database.as_str().into(),
            name: self.name.as_str().into(),
        };
        Table {
            info: TableInfo {
                name,
                columns: Vec::new(),
                unique: Vec::new(),
                opaque: Vec::new(),
                foreign: Vec::new(),
                referring: Vec::new(),
                triggers: Vec::new(),
                obstacle: None,
            },
            parts: self.definition.clone(),
            rows: self.rows,
            bytes: self.bytes,
        }
    }

    /// Selects all of its rows.
    pub(super) fn select(&self) -> String {
        let name = self.table().info.sql_name();
        format!("SELECT {} FROM {name}", self.columns)
    }
}

/// A view, a routine, a trigger, an event or a sequence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Program {
    #[serde(flatten)]
    pub(super) recipe: Recipe,
    /// The number that a sequence gives next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) next: Option<String>,
}

impl Position {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let link = |link: &LinkFacts| Link {
            channel: link.channel.clone(),
            source: format!("{}:{}", link.source_host, link.source_port),
            file: link.executed.file.clone(),
            position: link.executed.position,
        };
        Self {
            file: snapshot.end.file.clone(),
            position: snapshot.end.position,
            gtids: snapshot.gtids.clone(),
            links: snapshot.links.iter().map(link).collect(),
        }
    }
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// [`Error::Unknown`] for another format, [`Error::Damaged`] for what is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged = |error: serde_json::Error| Error::Damaged {
            file: MANIFEST.to_owned(),
            what: error.to_string(),
        };
        // Of a later format only this is known.
        let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(Error::Unknown(format));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// How many tables of users.
    pub fn tables(&self) -> usize {
        let tables = self.tables.iter().map(SavedTable::table);
        tables.filter(|table| !table.is_own()).count()
    }

    /// How large the files of its rows are, in bytes.
    pub fn stored_bytes(&self) -> u64 {
        self.parts().map(|part| part.stored_bytes).sum()
    }

    /// The databases it has.
    pub fn databases(&self) -> BTreeSet<&str> {
        let databases = self.databases.iter();
        databases.map(|database| database.name.as_str()).collect()
    }

    /// The dialect of the server it is from; `None` where this twinlog does not know it.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        Dialect::of(&Version::parse(&self.server, "").ok()?).ok()
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.tables.iter().flat_map(|table| &table.parts)
    }
}
