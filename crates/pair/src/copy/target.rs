//! What the target is given around its rows: databases and tables before them, indexes and foreign keys after them.

use twinlog_row::SESSION;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    sql::identifier,
};

use super::{
    Error, ddl,
    definitions::Definitions,
    inventory::{DATABASE, Database, Inventory, Kind, TABLE, Table, show},
    mark::{self, Made},
    recipe, run_all,
};

/// Nothing of a copy is logged: the links carry what comes after it. What is in the source is right. A killed run's rows may
/// still be taken back while the next one begins.
const UNLOGGED: &str = "SET SESSION sql_log_bin = 0, SESSION foreign_key_checks = 0, SESSION unique_checks = 0, \
     SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', SESSION wait_timeout = 604800, \
     SESSION net_read_timeout = 3600, SESSION lock_wait_timeout = 60, SESSION innodb_lock_wait_timeout = 3600";
/// What a connection that writes is set to, on every server.
pub(super) const SESSION_OF_COPY: [&str; 2] = [SESSION, UNLOGGED];
/// What some servers have and would refuse a source's tables or rows for.
const LENIENT: [&str; 5] = [
    "SET SESSION innodb_strict_mode = OFF",
    "SET SESSION sql_require_primary_key = OFF",
    "SET SESSION sql_generate_invisible_primary_key = OFF",
    "SET SESSION restrict_fk_on_non_standard_key = OFF",
    "SET SESSION check_constraint_checks = OFF",
];
/// A table of fewer bytes is filled with its indexes.
const LATER_BYTES: u64 = 1 << 20;

/// Prepares a connection that writes.
pub(super) async fn writer(
    conn: &mut Conn,
    [source, target]: [&Dialect; 2],
) -> Result<(), ConnError> {
    run_all(
        conn,
        SESSION_OF_COPY
            .into_iter()
            .chain(target.row().no_time_limit),
    )
    .await?;
    for sql in LENIENT {
        conn.set_if_known(sql).await?;
    }
    // MariaDB would load an empty table in a way of its own, which stands still for ever when somebody reads the table at that
    // moment (seen on 10.11.19: both wait for a latch).
    if target.is_mariadb() {
        conn.execute("SET SESSION unique_checks = 1").await?;
    }
    // Where a table's collation is not said, the source meant this one of its own.
    if let Some(collation) = source.row().silent_collation {
        let sql = format!("SET SESSION default_collation_for_utf8mb4 = '{collation}'");
        conn.set_if_known(&sql).await?;
    }
    Ok(())
}

/// Whether a node lets only one connection at a time load a table with a counter.
pub(super) async fn locks_counters(conn: &mut Conn) -> Result<bool, ConnError> {
    let mode = conn
        .value("SELECT @@GLOBAL.innodb_autoinc_lock_mode")
        .await?;
    Ok(mode.as_deref() != Some("2"))
}

/// Makes databases, sequences and tables. Of what a run before this one has made, tables stay that are defined the same.
/// Returns for each table of the source whether it may hold rows already.
pub(super) async fn prepare(
    conn: &mut Conn,
    definitions: &Definitions,
    present: &Inventory,
    made: &Made,
) -> Result<Vec<bool>, Error> {
    let wanted = &definitions.inventory;
    let mut dropped = Vec::new();
    for database in present.outdated(made, wanted) {
        conn.execute(&format!("DROP DATABASE {}", identifier(&database.name)))
            .await?;
        dropped.push(database.name.as_str());
    }
    for database in &wanted.databases {
        let is_there = |other: &Database| other.name == database.name;
        if dropped.contains(&database.name.as_str()) || !present.databases.iter().any(is_there) {
            mark::will_make(conn, DATABASE, &database.name, "").await?;
        }
        conn.execute(&database.create).await?;
    }
    // A trigger would fire for what is loaded.
    for object in &present.objects {
        if dropped.contains(&object.database.as_str()) {
            continue;
        }
        conn.execute(&object.drop_sql()).await?;
    }
    let same = |there: &Table, wanted: &Table| {
        there.info.name == wanted.info.name && there.parts.is_begin_of(&wanted.parts)
    };
    let mut tables = present.tables.clone();
    tables.retain(|table| !dropped.contains(&&*table.info.name.database));
    for table in &tables {
        let is_wanted = wanted.tables.iter().any(|other| same(table, other));
        let is_own = table.is_own() && !wanted.tables.iter().any(|other| other.is_own());
        if !is_wanted && !is_own {
            conn.execute(&format!("DROP TABLE {}", table.info.sql_name()))
                .await?;
        }
    }
    // They hold fast the indexes, and the tables, that others of them refer to; what is missing comes last.
    for table in tables
        .iter()
        .filter(|table| wanted.tables.iter().any(|other| same(table, other)))
    {
        drop_foreign(conn, table).await?;
    }
    // A column's default may be the next number of one.
    let sequences = definitions
        .recipes
        .iter()
        .filter(|recipe| recipe.object.kind == Kind::Sequence);
    recipe::make_all(conn, &sequences.collect::<Vec<_>>()).await?;
    let mut begun = Vec::new();
    for table in &wanted.tables {
        let is_there = tables.iter().any(|other| same(other, table));
        match is_there {
            true => drop_unique(conn, table).await?,
            false => create(conn, table).await?,
        }
        begun.push(is_there);
    }
    Ok(begun)
}

/// Makes a table; a small one with its indexes.
pub(super) async fn create(conn: &mut Conn, table: &Table) -> Result<(), Error> {
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

/// Lets a table that was there already count on from where the other one's counter stands.
pub(super) async fn set_counter(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    if let Some(next) = ddl::counter(&table.parts.create) {
        let name = table.info.sql_name();
        long(conn, &format!("ALTER TABLE {name} AUTO_INCREMENT = {next}")).await?;
    }
    Ok(())
}

/// Takes a table's foreign keys away.
async fn drop_foreign(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    let keys = table.parts.foreign.iter();
    let drops: Vec<String> = keys
        .map(|part| format!("DROP FOREIGN KEY {}", identifier(&part.name)))
        .collect();
    if !drops.is_empty() {
        let name = table.info.sql_name();
        long(conn, &format!("ALTER TABLE {name} {}", drops.join(", "))).await?;
    }
    Ok(())
}

/// Takes a large table's secondary unique indexes away until its rows are there: they come in several stretches, and a row of
/// one may stand in the way of another's.
async fn drop_unique(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    let name = table.info.sql_name();
    let present = ddl::parts(&show(conn, "TABLE", &name).await?);
    let unique = present.indexes.iter().filter(|part| part.is_unique());
    let drops: Vec<String> = unique
        .map(|part| format!("DROP INDEX {}", identifier(&part.name)))
        .collect();
    if table.bytes >= LATER_BYTES && !drops.is_empty() {
        long(conn, &format!("ALTER TABLE {name} {}", drops.join(", "))).await?;
    }
    Ok(())
}

/// Gives a table the indexes that it lacks.
pub(super) async fn add_indexes(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    let name = table.info.sql_name();
    let present = ddl::parts(&show(conn, "TABLE", &name).await?);
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
    let present = ddl::parts(&show(conn, "TABLE", &name).await?);
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
