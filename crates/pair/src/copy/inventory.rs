//! What there is to copy.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twinlog_converge::TableName;
use twinlog_row::{RowError, TableInfo};
use twinlog_server::{
    conn::{Conn, Error as ConnError, Row},
    facts::{
        OWN_SCHEMA,
        schema::{ask_for_fresh_numbers, condition},
    },
    sql::identifier,
};

use super::{Error, ddl, ddl::Parts, mark::Made};

/// Of twinlog's own tables the one that goes along: what was found of conflicts, wherever a person looks.
const HISTORY: &str = "conflict";
/// The word for a table, beside those of [`Kind::word`].
pub(super) const TABLE: &str = "TABLE";
/// The word for a database.
pub(super) const DATABASE: &str = "DATABASE";

/// A table, its definition and its size as the server estimates it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) info: TableInfo,
    pub(super) parts: Parts,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Anything else that a database has, by the word that `SHOW CREATE` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) database: String,
    pub(crate) name: String,
}

/// In the order in which they are made: a view may call a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Sequence,
    Function,
    Procedure,
    PackageSpec,
    PackageBody,
    View,
    Trigger,
    Event,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sequence => "SEQUENCE",
            Self::Function => "FUNCTION",
            Self::Procedure => "PROCEDURE",
            Self::PackageSpec => "PACKAGE",
            Self::PackageBody => "PACKAGE BODY",
            Self::View => "VIEW",
            Self::Trigger => "TRIGGER",
            Self::Event => "EVENT",
        }
    }

    fn of_routine(word: &str) -> Option<Self> {
        [
            Self::Function,
            Self::Procedure,
            Self::PackageSpec,
            Self::PackageBody,
        ]
        .into_iter()
        .find(|kind| kind.word() == word)
    }
}

impl Object {
    /// Its name for SQL.
    pub(super) fn sql_name(&self) -> String {
        format!("{}.{}", identifier(&self.database), identifier(&self.name))
    }

    /// The statement after which it is not there.
    pub(super) fn drop_sql(&self) -> String {
        format!("DROP {} IF EXISTS {}", self.kind.word(), self.sql_name())
    }
}

/// A database, and what its tables are in where they do not say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    collation: String,
    /// The statement that makes it.
    pub(super) create: String,
}

impl Database {
    /// Whether tables that say nothing of it would be in something else.
    fn differs(&self, other: &Self) -> bool {
        self.collation != other.collation
    }
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) databases: Vec<Database>,
    pub(super) tables: Vec<Arc<Table>>,
    pub(super) objects: Vec<Object>,
}

impl Table {
    /// Whether it is twinlog's.
    pub(super) fn is_own(&self) -> bool {
        &*self.info.name.database == OWN_SCHEMA
    }

    /// Whether documents are among its rows: they go as text, which does not show all of them.
    pub(super) fn has_documents(&self) -> bool {
        let mut columns = self.info.columns.iter();
        columns.any(|column| column.kind == twinlog_row::Kind::Json)
    }
}

impl Inventory {
    /// Reads it. `databases` are those to be copied; `None` for all of users.
    pub(super) async fn read(conn: &mut Conn, databases: Option<&[String]>) -> Result<Self, Error> {
        let mut inventory = Self::default();
        ask_for_fresh_numbers(conn).await?;
        let names = conn
            .rows(&format!(
                "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE {}",
                condition("SCHEMA_NAME", databases)
            ))
            .await?;
        for row in &names {
            let name = text(row, 0);
            let create = show(conn, "DATABASE IF NOT EXISTS", &identifier(&name)).await?;
            inventory.databases.push(Database {
                name,
                collation: text(row, 1),
                create,
            });
        }
        let listed = conn
            .rows(&format!(
                "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES WHERE {} \
                 OR TABLE_SCHEMA = '{OWN_SCHEMA}' AND TABLE_NAME = '{HISTORY}'",
                condition("TABLE_SCHEMA", databases)
            ))
            .await?;
        for row in &listed {
            match text(row, 2).as_str() {
                "VIEW" | "SYSTEM VIEW" => inventory.push(Kind::View, row),
                "SEQUENCE" => inventory.push(Kind::Sequence, row),
                _ => inventory.tables.push(Arc::new(table(conn, row).await?)),
            }
        }
        inventory.read_programs(conn, databases).await?;
        inventory.objects.sort_by_key(|object| object.kind);
        Ok(inventory)
    }

    /// Why a snapshot would not show all of it as it was.
    pub(super) fn obstacles(&self) -> Vec<String> {
        let obstacle = |table: &Arc<Table>| {
            let why = table.info.obstacle.as_ref()?;
            Some(format!("{} ({why})", table.info.name))
        };
        self.tables.iter().filter_map(obstacle).collect()
    }

    /// How many tables of users there are.
    pub(super) fn users_tables(&self) -> usize {
        self.tables.iter().filter(|table| !table.is_own()).count()
    }

    /// All of it, as what a copy has made.
    pub(super) fn as_made(&self) -> Made {
        let databases = self.databases.iter();
        databases
            .map(|database| (DATABASE.to_owned(), database.name.clone(), String::new()))
            .chain(self.names())
            .collect()
    }

    /// Databases that a copy has made, of which the source has none or another.
    pub(super) fn outdated<'a>(
        &'a self,
        made: &'a Made,
        source: &'a Self,
    ) -> impl Iterator<Item = &'a Database> {
        self.databases.iter().filter(|database| {
            let alike = |other: &Database| other.name == database.name && !other.differs(database);
            let key = (DATABASE.to_owned(), database.name.clone(), String::new());
            made.contains(&key) && !source.databases.iter().any(alike)
        })
    }

    /// Users' tables and objects: kind, database, name.
    fn names(&self) -> impl Iterator<Item = (String, String, String)> {
        let tables = self.tables.iter().filter(|table| !table.is_own());
        let tables = tables.map(|table| {
            let name = &table.info.name;
            (TABLE, name.database.to_string(), name.name.to_string())
        });
        let objects = self.objects.iter().map(|object| {
            (
                object.kind.word(),
                object.database.clone(),
                object.name.clone(),
            )
        });
        let all = tables.chain(objects);
        all.map(|(kind, database, name)| (kind.to_owned(), database, name))
    }

    /// What of it a copy has not made, and databases that are not like those of the source.
    pub(super) fn strange(&self, made: &Made, source: &Self) -> Vec<String> {
        let is_other = |database: &&Database| {
            let mut others = source
                .databases
                .iter()
                .filter(|other| other.name == database.name);
            let key = (DATABASE.to_owned(), database.name.clone(), String::new());
            others.any(|other| other.differs(database)) && !made.contains(&key)
        };
        let databases = self.databases.iter().filter(is_other);
        let databases = databases.map(|database| {
            format!(
                "database {} (its default collation is {})",
                database.name, database.collation
            )
        });
        self.names()
            .filter(|name| !made.contains(name))
            .map(|(kind, database, name)| format!("{} {database}.{name}", kind.to_lowercase()))
            .chain(databases)
            .collect()
    }

    async fn read_programs(
        &mut self,
        conn: &mut Conn,
        databases: Option<&[String]>,
    ) -> Result<(), ConnError> {
        let routines = conn
            .rows(&format!(
                "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE {}",
                condition("ROUTINE_SCHEMA", databases)
            ))
            .await?;
        for row in &routines {
            if let Some(kind) = Kind::of_routine(&text(row, 2)) {
                self.push(kind, row);
            }
        }
        let triggers = conn
            .rows(&format!(
                "SELECT TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE {} \
                 ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_ORDER, CREATED",
                condition("TRIGGER_SCHEMA", databases)
            ))
            .await?;
        triggers
            .iter()
            .for_each(|row| self.push(Kind::Trigger, row));
        let events = conn
            .rows(&format!(
                "SELECT EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS WHERE {}",
                condition("EVENT_SCHEMA", databases)
            ))
            .await?;
        events.iter().for_each(|row| self.push(Kind::Event, row));
        Ok(())
    }

    fn push(&mut self, kind: Kind, row: &Row) {
        self.objects.push(Object {
            kind,
            database: text(row, 0),
            name: text(row, 1),
        });
    }
}

/// What databases have beside tables.
pub(crate) async fn objects(
    conn: &mut Conn,
    databases: Option<&[String]>,
) -> Result<Vec<Object>, ConnError> {
    let mut inventory = Inventory::default();
    let listed = conn
        .rows(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES \
             WHERE TABLE_TYPE IN ('VIEW', 'SEQUENCE') AND {}",
            condition("TABLE_SCHEMA", databases)
        ))
        .await?;
    for row in &listed {
        match text(row, 2).as_str() {
            "SEQUENCE" => inventory.push(Kind::Sequence, row),
            _ => inventory.push(Kind::View, row),
        }
    }
    inventory.read_programs(conn, databases).await?;
    Ok(inventory.objects)
}

async fn table(conn: &mut Conn, row: &Row) -> Result<Table, Error> {
    let name = TableName {
        database: text(row, 0).into(),
        name: text(row, 1).into(),
    };
    let mut info = match TableInfo::load_alone(conn, &name).await {
        Err(RowError::Server(error)) => return Err(error.into()),
        info => info?,
    };
    if text(row, 2) == "SYSTEM VERSIONED" {
        info.obstacle = Some("it keeps older versions of its rows".into());
    }
    let parts = ddl::parts(&show(conn, "TABLE", &info.sql_name()).await?);
    Ok(Table {
        info,
        parts,
        rows: row.at(3).and_then(|rows| rows.parse().ok()).unwrap_or(0),
        bytes: row.at(4).and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
    })
}

/// The statement that makes a database or a table.
pub(super) async fn show(conn: &mut Conn, what: &str, name: &str) -> Result<String, ConnError> {
    let row = conn.row(&format!("SHOW CREATE {what} {name}")).await?;
    Ok(row.as_ref().map(|row| text(row, 1)).unwrap_or_default())
}

fn text(row: &Row, at: usize) -> String {
    row.at(at).unwrap_or_default().to_owned()
}
