//! Which tables are compared, and what of the schemas is not the same.

use std::collections::HashMap;

use twinlog_converge::{Side, TableName};
use twinlog_pair::{config::is_like, schemas, site::Site};
use twinlog_server::facts::schema::SchemaFacts;

use super::{Error, Options, SchemaDifference, hands::Hands};

/// What both nodes' schemas come to.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The tables that both have.
    pub(super) tables: Vec<TableName>,
    /// Those whose rows cannot be compared, and why.
    pub(super) incomparable: Vec<(TableName, String)>,
    pub(super) differences: Vec<SchemaDifference>,
    /// How many rows the first node thinks that each table has.
    pub(super) rows_estimated: HashMap<TableName, u64>,
}

/// Reads both schemas.
pub(super) async fn read(
    site: &Site,
    hands: &mut Hands,
    options: &Options,
) -> Result<Scope, Error> {
    let databases = site.config.databases.as_deref();
    let a = SchemaFacts::read(hands.conn(Side::A), databases).await?;
    let b = SchemaFacts::read(hands.conn(Side::B), databases).await?;
    let meant = |table: &str| {
        let (database, name) = table.split_once('.').unwrap_or_default();
        let mut wanted = options.tables.iter();
        options.tables.is_empty() || wanted.any(|like| is_like(like, database, name))
    };
    let names = site.nodes().map(|node| node.name.as_str());
    let mut scope = Scope::default();
    for table in &a.tables {
        if !meant(&table.full_name()) {
            continue;
        }
        let Some(other) = b.table(&table.schema, &table.name) else {
            continue;
        };
        let name = TableName {
            database: table.schema.as_str().into(),
            name: table.name.as_str().into(),
        };
        match schemas::incomparable(names, [table, other]) {
            Some(reason) => scope.incomparable.push((name, reason)),
            None => scope.tables.push(name),
        }
    }
    let kinds = schemas::Kind::ALL.into_iter();
    let differences = kinds.flat_map(|kind| schemas::differences(names, [&a, &b], kind));
    scope.differences = differences
        .filter(|difference| meant(&difference.table))
        .map(|difference| SchemaDifference {
            at: difference.at,
            seen: difference.seen,
        })
        .collect();
    scope.rows_estimated = rows_estimated(hands).await?;
    let nothing =
        scope.tables.is_empty() && scope.incomparable.is_empty() && scope.differences.is_empty();
    if nothing && !options.tables.is_empty() {
        return Err(Error::NoTable(options.tables.clone()));
    }
    Ok(scope)
}

async fn rows_estimated(hands: &mut Hands) -> Result<HashMap<TableName, u64>, Error> {
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_TYPE <> 'VIEW'";
    let rows = hands.conn(Side::A).rows(sql).await?;
    let row = |row: &twinlog_server::conn::Row| {
        let name = TableName {
            database: row.at(0)?.into(),
            name: row.at(1)?.into(),
        };
        Some((name, row.at(2)?.parse().ok()?))
    };
    Ok(rows.iter().filter_map(row).collect())
}
