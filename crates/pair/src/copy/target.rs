//! What the target is given around its rows: databases and tables before them; indexes, foreign keys, views and programs
//! after them.

use twinlog_row::SESSION;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    sql::{identifier, literal},
};

use super::{
    Error, ddl,
    inventory::{Inventory, Kind, Object, TABLE, Table, show},
    mark, run_all,
};

/// Nothing of a copy is logged: the links carry what comes after it. What is in the source is right.
const UNLOGGED: &str = "SET SESSION sql_log_bin = 0, SESSION foreign_key_checks = 0, SESSION unique_checks = 0, \
     SESSION wait_timeout = 604800, SESSION net_read_timeout = 3600, SESSION lock_wait_timeout = 60";
/// What some servers have and would refuse a source's tables for.
const LENIENT: [&str; 3] = [
    "SET SESSION innodb_strict_mode = OFF",
    "SET SESSION sql_require_primary_key = OFF",
    "SET SESSION sql_generate_invisible_primary_key = OFF",
];
/// `ER_UNKNOWN_SYSTEM_VARIABLE`.
const UNKNOWN_VARIABLE: u16 = 1193;
/// A table of fewer bytes is filled with its indexes.
const LATER_BYTES: u64 = 1 << 20;

/// Prepares a connection that writes.
pub(super) async fn writer(conn: &mut Conn, dialect: &Dialect) -> Result<(), ConnError> {
    let limit = dialect.row().no_time_limit;
    run_all(conn, [SESSION, UNLOGGED].into_iter().chain(limit)).await?;
    for sql in LENIENT {
        match conn.execute(sql).await {
            Ok(())
            | Err(ConnError::Statement {
                code: UNKNOWN_VARIABLE,
                ..
            }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes databases and tables. Of what a run before this one has made, tables stay that are defined the same. Returns for each table of the source whether
/// it may hold rows already.
pub(super) async fn prepare(
    conn: &mut Conn,
    wanted: &Inventory,
    present: &Inventory,
) -> Result<Vec<bool>, Error> {
    for (name, create) in &wanted.databases {
        if !present.databases.iter().any(|(other, _)| other == name) {
            conn.execute(create).await?;
        }
    }
    // A trigger would fire for what is loaded.
    for object in &present.objects {
        conn.execute(&object.drop_sql()).await?;
    }
    let same = |there: &Table, wanted: &Table| {
        there.info.name == wanted.info.name && there.parts.is_begin_of(&wanted.parts)
    };
    for table in &present.tables {
        if !wanted.tables.iter().any(|other| same(table, other)) {
            conn.execute(&format!("DROP TABLE {}", table.info.sql_name()))
                .await?;
        }
    }
    let mut begun = Vec::new();
    for table in &wanted.tables {
        let is_there = present.tables.iter().any(|other| same(other, table));
        if !is_there {
            create(conn, table).await?;
        }
        begun.push(is_there);
    }
    Ok(begun)
}

async fn create(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    let name = &table.info.name;
    mark::will_make(conn, TABLE, &name.database, &name.name).await?;
    conn.execute(&format!("USE {}", identifier(&table.info.name.database)))
        .await?;
    conn.execute(&table.parts.create).await?;
    if table.bytes < LATER_BYTES {
        add_indexes(conn, table).await?;
    }
    Ok(())
}

/// Gives a table the indexes that it lacks.
pub(super) async fn add_indexes(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    let name = table.info.sql_name();
    let present = ddl::parts(&show(conn, "TABLE", &name, 1).await?);
    for sql in ddl::missing_indexes(&name, &table.parts.indexes, &present) {
        long(conn, &sql).await?;
    }
    Ok(())
}

/// Gives a table the foreign keys that it lacks.
pub(super) async fn add_foreign(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    if table.parts.foreign.is_empty() {
        return Ok(());
    }
    let name = table.info.sql_name();
    let present = ddl::parts(&show(conn, "TABLE", &name, 1).await?);
    // A name of a table within its own database has no database in a definition.
    conn.execute(&format!("USE {}", identifier(&table.info.name.database)))
        .await?;
    if let Some(sql) = ddl::missing_foreign(&name, &table.parts.foreign, &present) {
        long(conn, &sql).await?;
    }
    Ok(())
}

/// Without a deadline.
async fn long(conn: &mut Conn, sql: &str) -> Result<(), Error> {
    conn.result_sets(sql, sql, super::STATEMENT_MAX).await?;
    Ok(())
}

/// How an object is made: what the session must be set to, and the statement.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    object: Object,
    session: String,
    create: String,
    after: Option<String>,
}

impl Recipe {
    /// Reads it from the source.
    pub(super) async fn read(conn: &mut Conn, object: &Object) -> Result<Self, Error> {
        let name = object.sql_name();
        let row = conn
            .row(&format!("SHOW CREATE {} {name}", object.kind.word()))
            .await?
            .unwrap_or_default();
        let create = row
            .columns()
            .find(|(column, _)| {
                column.starts_with("Create ")
                    || *column == "SQL Original Statement"
                    || *column == "Table"
            })
            .and_then(|(_, text)| text);
        let create = match object.kind {
            // Its second column is called like a table's.
            Kind::Sequence => row.at(1),
            _ => create,
        };
        let Some(create) = create else {
            return Err(Error::Unseen(format!(
                "{} {name}",
                object.kind.word().to_lowercase()
            )));
        };
        let mut session = String::new();
        for (variable, column) in [
            ("sql_mode", "sql_mode"),
            ("character_set_client", "character_set_client"),
            ("collation_connection", "collation_connection"),
            ("time_zone", "time_zone"),
        ] {
            if let Some(value) = row.get(column) {
                let separator = if session.is_empty() {
                    "SET SESSION "
                } else {
                    ", SESSION "
                };
                session += &format!("{separator}{variable} = {}", literal(value));
            }
        }
        let after = match object.kind {
            Kind::Sequence => {
                let next = conn
                    .value(&format!("SELECT next_not_cached_value FROM {name}"))
                    .await?;
                next.map(|next| format!("DO SETVAL({name}, {next}, 0)"))
            }
            _ => None,
        };
        Ok(Self {
            object: object.clone(),
            session,
            create: create.to_owned(),
            after,
        })
    }

    /// Makes it on the target.
    async fn make(&self, conn: &mut Conn, dialect: &Dialect) -> Result<(), ConnError> {
        let Object {
            kind,
            database,
            name,
        } = &self.object;
        mark::will_make(conn, kind.word(), database, name).await?;
        conn.execute(&format!("USE {}", identifier(database)))
            .await?;
        if !self.session.is_empty() {
            conn.execute(&self.session).await?;
        }
        let made = conn.execute(&self.create).await;
        conn.execute(SESSION).await?;
        conn.execute("SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0")
            .await?;
        made?;
        if let Some(after) = &self.after {
            conn.execute(after).await?;
        }
        if *kind == Kind::Event {
            // As replication itself does it: an event runs on the node that it was made on.
            conn.execute(&format!(
                "ALTER EVENT {} {}",
                self.object.sql_name(),
                dialect.row().disable_event
            ))
            .await?;
        }
        Ok(())
    }
}

/// Makes all of them. A view may need another one first: those that cannot be made yet are tried again as long as any can.
pub(super) async fn make_objects(
    conn: &mut Conn,
    dialect: &Dialect,
    recipes: &[Recipe],
) -> Result<(), Error> {
    let mut left: Vec<&Recipe> = recipes.iter().collect();
    while !left.is_empty() {
        let (before, mut failed, mut last) = (left.len(), Vec::new(), None);
        for recipe in left {
            match recipe.make(conn, dialect).await {
                Ok(()) => {}
                Err(error @ ConnError::Statement { .. }) => {
                    failed.push(recipe);
                    last = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        left = failed;
        if let (true, Some(error)) = (left.len() == before, last) {
            return Err(error.into());
        }
    }
    Ok(())
}
