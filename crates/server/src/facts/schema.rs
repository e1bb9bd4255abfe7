//! What tables look like: read from the information schema in six statements, whatever the number of tables.
//!
//! REFERENCES, TRIGGER and EVENT on `*.*` are enough to see all of it, data excluded (tried on MySQL 5.6 and 9.7,
//! MariaDB 10.11 and 11.8). An account with less sees fewer rows and gets no error, so a caller who has only such an
//! account must say so: [`sees_all_schemas`].

use std::collections::BTreeMap;

use super::{OWN_SCHEMA, SYSTEM_SCHEMAS};
use crate::{
    conn::{Conn, Error, Row},
    sql::literal,
};

/// The schemas of users on one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaFacts {
    /// Their tables, ordered by schema and name; views and sequences are not among them.
    pub tables: Vec<Table>,
    /// MariaDB's sequences, as `schema.name`, ordered.
    pub sequences: Vec<String>,
    /// Their triggers.
    pub triggers: Vec<Trigger>,
    /// Their events.
    pub events: Vec<Event>,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether it is MariaDB's system-versioned kind, which keeps its rows' past.
    pub is_versioned: bool,
    /// Its storage engine; empty where the server cannot open the table.
    pub engine: String,
    /// The number that the next row gets; `None` without an `AUTO_INCREMENT` column.
    pub auto_increment: Option<u64>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its keys, ordered by name.
    pub keys: Vec<Key>,
    /// Its foreign keys, ordered by name.
    pub foreign_keys: Vec<ForeignKey>,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in full, such as `int(10) unsigned`.
    pub kind: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Its default, as the server writes it.
    pub default: Option<String>,
    /// `auto_increment`, `on update …`, `VIRTUAL GENERATED` and the like.
    pub extra: String,
    /// Its collation, where it holds text.
    pub collation: Option<String>,
}

/// One key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Its name; `PRIMARY` for the primary key.
    pub name: String,
    /// Whether no two rows may agree in it.
    pub unique: bool,
    /// Whether one of its columns may be NULL.
    pub nullable: bool,
    /// Its columns, in order, with the length of a prefix: `name(10)`.
    pub columns: Vec<String>,
}

/// One foreign key, seen from the child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The schema of the parent.
    pub parent_schema: String,
    /// The parent's table name.
    pub parent: String,
    /// `CASCADE`, `SET NULL`, `RESTRICT` or `NO ACTION`, when the parent's key changes.
    pub on_update: String,
    /// The same, when the parent's row goes.
    pub on_delete: String,
}

/// One trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trigger {
    /// The schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// When it fires: `BEFORE INSERT`.
    pub when: String,
    /// What it does.
    pub statement: String,
}

/// One event of the scheduler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `ENABLED`, `DISABLED`, `SLAVESIDE_DISABLED` or `REPLICA_SIDE_DISABLED`.
    pub status: String,
}

impl SchemaFacts {
    /// Reads everything. `schemas` restricts it to some; `None` means all that users made.
    ///
    /// # Errors
    /// The first statement that fails.
    pub async fn read(conn: &mut Conn, schemas: Option<&[String]>) -> Result<Self, Error> {
        let only = |column: &str| condition(column, schemas);
        ask_for_fresh_numbers(conn).await?;
        let mut tables = TableMap::default();
        let listed = conn
            .rows(&format!(
                "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, AUTO_INCREMENT, TABLE_TYPE FROM information_schema.TABLES \
                 WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND {}",
                only("TABLE_SCHEMA")
            ))
            .await?;
        let (sequences, listed): (Vec<Row>, Vec<Row>) = listed
            .into_iter()
            .partition(|row| row.at(4) == Some("SEQUENCE"));
        tables.list(listed);
        tables.columns(
            conn.rows(&format!(
                "SELECT TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, \
                 COLUMN_DEFAULT, EXTRA, COLLATION_NAME FROM information_schema.COLUMNS WHERE {}",
                only("TABLE_SCHEMA")
            ))
            .await?,
        );
        tables.keys(
            conn.rows(&format!(
                "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, NON_UNIQUE, COLUMN_NAME, SUB_PART, NULLABLE \
                 FROM information_schema.STATISTICS WHERE {}",
                only("TABLE_SCHEMA")
            ))
            .await?,
        );
        tables.foreign_keys(
            conn.rows(&format!(
                "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE, \
                 UNIQUE_CONSTRAINT_SCHEMA FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE {}",
                only("CONSTRAINT_SCHEMA")
            ))
            .await?,
        );
        let triggers = conn
            .rows(&format!(
                "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE, CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION), \
                 ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE {}",
                only("TRIGGER_SCHEMA")
            ))
            .await?;
        let events = conn
            .rows(&format!(
                "SELECT EVENT_SCHEMA, EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE {}",
                only("EVENT_SCHEMA")
            ))
            .await?;
        Ok(Self {
            tables: tables.finish(),
            sequences: sorted(
                sequences,
                |row| format!("{}.{}", text(row, 0), text(row, 1)),
                String::clone,
            ),
            triggers: sorted(triggers, trigger, |t| (t.schema.clone(), t.name.clone())),
            events: sorted(events, event, |e| (e.schema.clone(), e.name.clone())),
        })
    }

    /// The table of that name.
    pub fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables
            .binary_search_by(|table| {
                (table.schema.as_str(), table.name.as_str()).cmp(&(schema, name))
            })
            .ok()
            .map(|at| &self.tables[at])
    }
}

impl Table {
    /// `schema.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == "PRIMARY")
    }

    /// The column that gets its numbers by itself.
    pub fn auto_increment_column(&self) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.extra.contains("auto_increment"))
    }
}

/// Whether an account with these grants (lines of `SHOW GRANTS`) is shown every table, trigger and event.
pub fn sees_all_schemas(grants: &[String]) -> bool {
    let lists: Vec<String> = grants
        .iter()
        .filter_map(|line| line.split_once(" ON *.* "))
        .map(|(list, _)| list.to_ascii_uppercase())
        .collect();
    let has = |privilege: &str| {
        lists
            .iter()
            .any(|list| list == "GRANT ALL PRIVILEGES" || list.contains(privilege))
    };
    ["REFERENCES", "TRIGGER", "EVENT"].into_iter().all(has)
}

/// MySQL 8 answers AUTO_INCREMENT and sizes from statistics of up to a day ago unless told not to; others know no such
/// variable (1193).
///
/// # Errors
/// As [`Conn::execute`].
pub async fn ask_for_fresh_numbers(conn: &mut Conn) -> Result<(), Error> {
    conn.set_if_known("SET SESSION information_schema_stats_expiry = 0")
        .await
}

/// A condition for `information_schema`: that the column names one of these schemas, or one that users made.
pub fn condition(column: &str, schemas: Option<&[String]>) -> String {
    let list = |names: Vec<String>| names.join(", ");
    match schemas {
        Some(names) => format!(
            "{column} IN ({})",
            list(names.iter().map(|name| literal(name)).collect())
        ),
        None => format!(
            "{column} NOT IN ({})",
            list(
                SYSTEM_SCHEMAS
                    .iter()
                    .chain([&OWN_SCHEMA])
                    .map(|name| literal(name))
                    .collect()
            )
        ),
    }
}

/// Tables under construction, with what belongs to them still out of order.
#[derive(Default)]
struct TableMap(BTreeMap<(String, String), Draft>);

#[derive(Default)]
struct Draft {
    table: Table,
    columns: Vec<(u32, Column)>,
    parts: BTreeMap<String, Vec<(u32, Row)>>,
}

impl TableMap {
    fn list(&mut self, rows: Vec<Row>) {
        for row in rows {
            let (Some(schema), Some(name)) = (row.at(0), row.at(1)) else {
                continue;
            };
            let table = Table {
                schema: schema.to_owned(),
                name: name.to_owned(),
                is_versioned: row.at(4) == Some("SYSTEM VERSIONED"),
                engine: text(&row, 2),
                auto_increment: row.at(3).and_then(|number| number.parse().ok()),
                ..Table::default()
            };
            let draft = Draft {
                table,
                ..Draft::default()
            };
            self.0.insert((schema.to_owned(), name.to_owned()), draft);
        }
    }

    /// The table that a row is about; `None` for a view's.
    fn of(&mut self, row: &Row) -> Option<&mut Draft> {
        self.0
            .get_mut(&(row.at(0)?.to_owned(), row.at(1)?.to_owned()))
    }

    fn columns(&mut self, rows: Vec<Row>) {
        for row in rows {
            let Some(draft) = self.of(&row) else { continue };
            let column = Column {
                name: text(&row, 3),
                kind: text(&row, 4),
                nullable: row.at(5) == Some("YES"),
                default: row.at(6).map(str::to_owned),
                extra: text(&row, 7),
                collation: row.at(8).map(str::to_owned),
            };
            draft.columns.push((number(&row, 2), column));
        }
    }

    fn keys(&mut self, rows: Vec<Row>) {
        for row in rows {
            let (name, place) = (text(&row, 2), number(&row, 3));
            let Some(draft) = self.of(&row) else { continue };
            draft.parts.entry(name).or_default().push((place, row));
        }
    }

    fn foreign_keys(&mut self, rows: Vec<Row>) {
        for row in rows {
            let key = ForeignKey {
                name: text(&row, 2),
                parent_schema: text(&row, 6),
                parent: text(&row, 3),
                on_update: text(&row, 4),
                on_delete: text(&row, 5),
            };
            let Some(draft) = self.of(&row) else { continue };
            draft.table.foreign_keys.push(key);
        }
    }

    fn finish(self) -> Vec<Table> {
        self.0.into_values().map(Draft::finish).collect()
    }
}

impl Draft {
    fn finish(mut self) -> Table {
        self.columns.sort_by_key(|(place, _)| *place);
        self.table.columns = self.columns.into_iter().map(|(_, column)| column).collect();
        self.table.keys = self
            .parts
            .into_iter()
            .map(|(name, parts)| key(name, parts))
            .collect();
        self.table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
        self.table
    }
}

fn key(name: String, mut parts: Vec<(u32, Row)>) -> Key {
    parts.sort_by_key(|(place, _)| *place);
    let column = |row: &Row| {
        // A part of a functional key has no column.
        let column = row.at(5).unwrap_or("(expression)");
        row.at(6)
            .map_or(column.to_owned(), |length| format!("{column}({length})"))
    };
    Key {
        name,
        unique: parts.iter().any(|(_, row)| row.at(4) == Some("0")),
        nullable: parts.iter().any(|(_, row)| row.at(7) == Some("YES")),
        columns: parts.iter().map(|(_, row)| column(row)).collect(),
    }
}

fn trigger(row: &Row) -> Trigger {
    Trigger {
        schema: text(row, 0),
        name: text(row, 1),
        table: text(row, 2),
        when: text(row, 3),
        statement: text(row, 4),
    }
}

fn event(row: &Row) -> Event {
    Event {
        schema: text(row, 0),
        name: text(row, 1),
        status: text(row, 2),
    }
}

fn sorted<T, K: Ord>(rows: Vec<Row>, read: fn(&Row) -> T, key: fn(&T) -> K) -> Vec<T> {
    let mut all: Vec<T> = rows.iter().map(read).collect();
    all.sort_by_key(key);
    all
}

fn text(row: &Row, at: usize) -> String {
    row.at(at).unwrap_or_default().to_owned()
}

fn number(row: &Row, at: usize) -> u32 {
    row.at(at).and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
