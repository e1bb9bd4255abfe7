//! Which tables are compared, and what of the schemas is not the same.

use std::collections::{HashMap, HashSet};

use twinlog_converge::{Side, TableName};
use twinlog_pair::{
    beside::{self, Beside},
    config::is_like,
    schemas,
    site::Site,
};
use twinlog_server::{
    conn,
    facts::schema::{SchemaFacts, Table},
};

use super::{Error, Options, SchemaDifference, Unseen, hands::Hands, table::Size};

/// What both nodes' schemas come to.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The tables that both have.
    pub(super) tables: Vec<TableName>,
    /// Those whose rows cannot be compared, and why.
    pub(super) incomparable: Vec<(TableName, String)>,
    pub(super) differences: Vec<SchemaDifference>,
    /// What beside the tables could not be compared.
    pub(super) unseen: Vec<Unseen>,
    pub(super) sizes: HashMap<TableName, Size>,
}

/// Reads both schemas. What differs is read again once all has been carried over: a definition may be on its way.
pub(super) async fn read(
    site: &Site,
    hands: &mut Hands,
    options: &Options,
) -> Result<Scope, Error> {
    let mut scope = look(site, hands, options).await?;
    if !scope.differences.is_empty() || !scope.incomparable.is_empty() {
        hands.catch_up().await?;
        let before = std::mem::replace(&mut scope, look(site, hands, options).await?);
        scope
            .differences
            .retain(|one| before.differences.contains(one));
    }
    scope.sizes = sizes(hands).await?;
    Ok(scope)
}

async fn look(site: &Site, hands: &mut Hands, options: &Options) -> Result<Scope, Error> {
    let databases = site.config.databases.as_deref();
    let a = SchemaFacts::read(hands.conn(Side::A), databases).await?;
    let b = SchemaFacts::read(hands.conn(Side::B), databases).await?;
    // The agent names tables as they are, whatever their names are made of.
    let is_meant = |pattern: &str, table: &Table| {
        is_like(pattern, &table.schema, &table.name) || pattern == table.full_name()
    };
    let both = || a.tables.iter().chain(&b.tables);
    for pattern in &options.tables {
        if !both().any(|table| is_meant(pattern, table)) {
            return Err(Error::NoTable(pattern.clone()));
        }
    }
    let meant: HashSet<String> = both()
        .filter(|table| {
            let mut patterns = options.tables.iter();
            options.tables.is_empty() || patterns.any(|pattern| is_meant(pattern, table))
        })
        .map(Table::full_name)
        .collect();
    let meant = |table: &str| meant.contains(table);
    let names = site.nodes().map(|node| node.name.as_str());
    let mut scope = Scope::default();
    for table in a.tables.iter().filter(|table| meant(&table.full_name())) {
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
    let mut kinds = schemas::Kind::ALL.to_vec();
    if options.beside {
        // They are among what is beside tables.
        kinds.retain(|kind| *kind != schemas::Kind::Trigger);
        scope.take(beside::compare(site).await?);
    }
    let kinds = kinds.into_iter();
    let differences = kinds.flat_map(|kind| schemas::differences(names, [&a, &b], kind));
    let of_tables = differences
        .filter(|difference| meant(&difference.table))
        .map(|difference| SchemaDifference {
            at: difference.at,
            seen: difference.seen,
        });
    // Tables are told first.
    scope.differences.splice(0..0, of_tables);
    Ok(scope)
}

impl Scope {
    fn take(&mut self, beside: Beside) {
        self.differences = beside
            .differences
            .into_iter()
            .map(|one| SchemaDifference {
                at: one.at,
                seen: one.said,
            })
            .collect();
        self.unseen = beside
            .unseen
            .into_iter()
            .map(|one| Unseen {
                at: one.at,
                reason: one.said,
            })
            .collect();
    }
}

/// What the first node thinks of its tables' sizes.
async fn sizes(hands: &mut Hands) -> Result<HashMap<TableName, Size>, Error> {
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_TYPE <> 'VIEW'";
    let rows = hands.conn(Side::A).rows(sql).await?;
    let row = |row: &conn::Row| {
        let name = TableName {
            database: row.at(0)?.into(),
            name: row.at(1)?.into(),
        };
        let size = Size {
            rows: row.at(2)?.parse().ok()?,
            bytes: row.at(3)?.parse().ok()?,
        };
        Some((name, size))
    };
    Ok(rows.iter().filter_map(row).collect())
}
