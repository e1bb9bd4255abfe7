//! Reads a table's definition from `information_schema`.

use std::collections::BTreeMap;

use twinlog_converge::{ForeignKey, TableName};
use twinlog_server::conn::{Conn, Row};

use super::{ColumnInfo, Kind, Reference, RowError, TableInfo, UniqueIndex, text_literal};

/// The primary key's name, on every server.
const PRIMARY: &str = "PRIMARY";

impl TableInfo {
    /// Reads a table's definition.
    ///
    /// # Errors
    /// [`RowError::NoTable`], or the server's.
    pub async fn load(conn: &mut Conn, name: &TableName) -> Result<Self, RowError> {
        let here = Place::of(name);
        let mut info = Self::load_alone(conn, name).await?;
        let names: Vec<&str> = info
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let foreign = foreign(conn, &here, &names).await?;
        let referring = referring(conn, &here, &names).await?;
        info.triggers = triggers(conn, &here).await?;
        (info.foreign, info.referring) = (foreign, referring);
        Ok(info)
    }

    /// Reads a table's columns and unique indexes, and nothing of what ties it to others, which takes a server long that has
    /// many tables: [`Self::foreign`], [`Self::referring`] and [`Self::triggers`] are empty.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_alone(conn: &mut Conn, name: &TableName) -> Result<Self, RowError> {
        let here = Place::of(name);
        let table = conn
            .rows(&format!(
                "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, TABLE_TYPE AS kind, ENGINE AS engine, \
                 (SELECT e.TRANSACTIONS FROM information_schema.ENGINES e WHERE e.ENGINE = TABLES.ENGINE) AS trx \
                 FROM information_schema.TABLES WHERE {}",
                here.is("TABLE_SCHEMA", "TABLE_NAME")
            ))
            .await?
            .into_iter()
            .find(|row| here.found(row))
            .ok_or_else(|| RowError::NoTable { table: name.to_string() })?;
        let columns = columns(conn, name).await?;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let (unique, opaque) = unique(conn, &here, &names).await?;
        Ok(Self {
            name: name.clone(),
            unique,
            opaque,
            foreign: Vec::new(),
            referring: Vec::new(),
            triggers: Vec::new(),
            obstacle: obstacle(&table, &columns),
            columns,
        })
    }
}

/// A table in conditions on `information_schema`.
struct Place<'a> {
    name: &'a TableName,
    schema: String,
    table: String,
}

impl<'a> Place<'a> {
    fn of(name: &'a TableName) -> Self {
        Self {
            name,
            schema: text_literal(&name.database),
            table: text_literal(&name.name),
        }
    }

    /// Constants in both columns: older servers then open this table only.
    fn is(&self, schema: &str, table: &str) -> String {
        format!("{schema} = {} AND {table} = {}", self.schema, self.table)
    }

    /// The comparison above may go by a collation in which `t` is `T`.
    fn found(&self, row: &Row) -> bool {
        row.get("s") == Some(&self.name.database) && row.get("t") == Some(&self.name.name)
    }
}

async fn columns(conn: &mut Conn, name: &TableName) -> Result<Vec<ColumnInfo>, RowError> {
    let here = Place::of(name);
    let rows = conn
        .rows(&format!(
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS name, DATA_TYPE AS data_type, COLUMN_TYPE AS column_type, \
             CHARACTER_SET_NAME AS cs, COLLATION_NAME AS coll, CHARACTER_OCTET_LENGTH AS octets, \
             IS_NULLABLE AS nullable, EXTRA AS extra \
             FROM information_schema.COLUMNS WHERE {} ORDER BY ORDINAL_POSITION",
            here.is("TABLE_SCHEMA", "TABLE_NAME")
        ))
        .await?;
    Ok(rows
        .iter()
        .filter(|row| here.found(row))
        .map(column)
        .collect())
}

fn column(row: &Row) -> ColumnInfo {
    let text = |name: &str| row.get(name).unwrap_or_default();
    let extra = text("extra").to_ascii_uppercase();
    let declared = match row.get("coll") {
        Some(collation) => format!("{} COLLATE {collation}", text("column_type")),
        None => text("column_type").to_owned(),
    };
    ColumnInfo {
        name: text("name").to_owned(),
        kind: Kind::of(
            text("data_type"),
            text("column_type"),
            row.get("cs"),
            row.number("octets"),
        ),
        declared,
        // MySQL: `VIRTUAL GENERATED`, `STORED GENERATED`; MariaDB the same, older ones `VIRTUAL`, `PERSISTENT`. Not the
        // `DEFAULT_GENERATED` of a default that is an expression. MariaDB's `STORED GENERATED` also marks row versions.
        generated: extra
            .split([',', ' '])
            .any(|word| matches!(word.trim(), "VIRTUAL" | "STORED" | "PERSISTENT")),
        nullable: text("nullable") == "YES",
    }
}

async fn unique(
    conn: &mut Conn,
    here: &Place<'_>,
    columns: &[&str],
) -> Result<(Vec<UniqueIndex>, Vec<String>), RowError> {
    let rows = conn
        .rows(&format!(
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, INDEX_NAME AS name, COLUMN_NAME AS col, SUB_PART AS part, \
             NULLABLE AS nullable FROM information_schema.STATISTICS \
             WHERE {} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX",
            here.is("TABLE_SCHEMA", "TABLE_NAME")
        ))
        .await?;
    let mut indexes: BTreeMap<String, Option<UniqueIndex>> = BTreeMap::new();
    for row in rows.iter().filter(|row| here.found(row)) {
        let name = row.get("name").unwrap_or_default();
        let index = indexes.entry(name.to_owned()).or_insert_with(|| {
            Some(UniqueIndex {
                name: name.to_owned(),
                columns: Vec::new(),
                prefix: false,
                nullable: false,
            })
        });
        let position = row
            .get("col")
            .and_then(|column| columns.iter().position(|name| *name == column));
        match (position, index.as_mut()) {
            (Some(position), Some(index)) => {
                index.columns.push(position);
                index.prefix |= row.get("part").is_some();
                index.nullable |= row.get("nullable") == Some("YES");
            }
            _ => *index = None,
        }
    }
    let opaque = indexes
        .iter()
        .filter(|(_, index)| index.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let mut indexes: Vec<UniqueIndex> = indexes.into_values().flatten().collect();
    // Both nodes must name rows by the same key, whatever order the indexes were made in. By name is the order of the map.
    indexes.sort_by_key(|index| (index.name != PRIMARY, index.nullable));
    Ok((indexes, opaque))
}

async fn foreign(
    conn: &mut Conn,
    here: &Place<'_>,
    columns: &[&str],
) -> Result<Vec<ForeignKey>, RowError> {
    let rows = conn
        .rows(&format!(
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, CONSTRAINT_NAME AS name, COLUMN_NAME AS col, \
             REFERENCED_TABLE_SCHEMA AS ps, REFERENCED_TABLE_NAME AS pt, REFERENCED_COLUMN_NAME AS pcol \
             FROM information_schema.KEY_COLUMN_USAGE WHERE {} AND REFERENCED_TABLE_NAME IS NOT NULL \
             ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION",
            here.is("TABLE_SCHEMA", "TABLE_NAME")
        ))
        .await?;
    let mut keys: BTreeMap<String, (TableName, Vec<(usize, String)>)> = BTreeMap::new();
    for row in rows.iter().filter(|row| here.found(row)) {
        let text = |name: &str| row.get(name).unwrap_or_default().to_owned();
        let parent = TableName {
            database: text("ps").into(),
            name: text("pt").into(),
        };
        let Some(column) = columns.iter().position(|name| *name == text("col")) else {
            continue;
        };
        let key = keys
            .entry(text("name"))
            .or_insert_with(|| (parent, Vec::new()));
        key.1.push((column, text("pcol")));
    }
    let mut foreign = Vec::new();
    for (parent, pairs) in keys.into_values() {
        let names: Vec<String> = if parent == *here.name {
            columns.iter().map(|&name| name.to_owned()).collect()
        } else {
            let columns = self::columns(conn, &parent).await?;
            columns.into_iter().map(|column| column.name).collect()
        };
        // Names of columns go without regard to case where one table speaks of another.
        let place = |wanted: &String| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(wanted))
        };
        let parent_columns: Option<Vec<usize>> =
            pairs.iter().map(|(_, name)| place(name)).collect();
        // A parent that one may not see, or that is gone (foreign_key_checks = 0), ties nothing.
        if let Some(parent_columns) = parent_columns {
            foreign.push(ForeignKey {
                columns: pairs.iter().map(|(column, _)| *column).collect(),
                parent,
                parent_columns,
            });
        }
    }
    Ok(foreign)
}

async fn referring(
    conn: &mut Conn,
    here: &Place<'_>,
    columns: &[&str],
) -> Result<Vec<Reference>, RowError> {
    let rows = conn
        .rows(&format!(
            "SELECT k.REFERENCED_TABLE_SCHEMA AS s, k.REFERENCED_TABLE_NAME AS t, k.CONSTRAINT_NAME AS name, \
             k.TABLE_SCHEMA AS cs, k.TABLE_NAME AS ct, k.COLUMN_NAME AS ccol, k.REFERENCED_COLUMN_NAME AS col, \
             r.DELETE_RULE AS on_delete, r.UPDATE_RULE AS on_update \
             FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
             ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
             AND r.TABLE_NAME = k.TABLE_NAME WHERE {} ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, \
             k.ORDINAL_POSITION",
            here.is("k.REFERENCED_TABLE_SCHEMA", "k.REFERENCED_TABLE_NAME")
        ))
        .await?;
    let mut references: BTreeMap<(String, String, String), Reference> = BTreeMap::new();
    for row in rows.iter().filter(|row| here.found(row)) {
        let text = |name: &str| row.get(name).unwrap_or_default().to_owned();
        let cascades = |rule: &str| !matches!(row.get(rule), Some("RESTRICT" | "NO ACTION"));
        let Some(column) = columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case(&text("col")))
        else {
            continue;
        };
        let reference = references
            .entry((text("cs"), text("ct"), text("name")))
            .or_insert_with(|| Reference {
                child: TableName {
                    database: text("cs").into(),
                    name: text("ct").into(),
                },
                child_columns: Vec::new(),
                columns: Vec::new(),
                deletes_cascade: cascades("on_delete"),
                updates_cascade: cascades("on_update"),
            });
        reference.child_columns.push(text("ccol"));
        reference.columns.push(column);
    }
    Ok(references.into_values().collect())
}

async fn triggers(conn: &mut Conn, here: &Place<'_>) -> Result<Vec<String>, RowError> {
    let rows = conn
        .rows(&format!(
            "SELECT EVENT_OBJECT_SCHEMA AS s, EVENT_OBJECT_TABLE AS t, TRIGGER_NAME AS name \
             FROM information_schema.TRIGGERS WHERE {} ORDER BY TRIGGER_NAME",
            here.is("EVENT_OBJECT_SCHEMA", "EVENT_OBJECT_TABLE")
        ))
        .await?;
    let names = rows.iter().filter(|row| here.found(row));
    Ok(names
        .filter_map(|row| row.get("name").map(str::to_owned))
        .collect())
}

fn obstacle(table: &Row, columns: &[ColumnInfo]) -> Option<String> {
    let kind = table.get("kind").unwrap_or_default();
    if kind != "BASE TABLE" {
        return Some(format!("it is a {}", kind.to_lowercase()));
    }
    if table.get("trx") != Some("YES") {
        let engine = table.get("engine").unwrap_or("unknown");
        return Some(format!("its engine {engine} has no transactions"));
    }
    let unknown = columns
        .iter()
        .find(|column| matches!(column.kind, Kind::Unknown(_)))?;
    Some(format!(
        "its column {} has the type {}",
        unknown.name, unknown.kind
    ))
}
