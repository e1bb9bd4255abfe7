//! Do two unlinked servers hold the same data? Asked once, before a pair is made of servers that both have some.
//!
//! This is a whole-table comparison without locks: the logs' ends are read before and after it, and only when neither
//! moved is the answer worth anything.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use twinlog_server::{
    conn::{Conn, Error},
    facts::{Coordinates, OWN_SCHEMA, SYSTEM_SCHEMAS},
    sql::{identifier, literal},
};

use crate::{
    observe::PairFacts,
    site::{Login, Site},
};

/// How long the checksum of one table may take.
const TABLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3600);
/// How many differing tables are named.
pub const NAMED_MAX: usize = 10;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The same rows in the same tables, while the logs stood at these places (in the order of the nodes).
    Equal(Vec<Option<Coordinates>>),
    /// Different: the first tables that are, each with how.
    Different(Vec<String>),
    /// Somebody wrote meanwhile.
    Moving,
    /// It could not be done.
    Failed(String),
}

/// Whether the nodes must be compared: both answer, both have data (or one has, and a link may not have carried all of
/// it yet), and they are not linked in both directions.
pub fn is_due(facts: &PairFacts) -> bool {
    let servers: Vec<_> = facts.nodes.iter().filter_map(|node| node.facts()).collect();
    let data = servers
        .iter()
        .filter(|server| server.has_user_data())
        .count();
    let linked = servers.iter().any(|server| !server.links.is_empty());
    servers.len() == 2
        && (data == 2 || data == 1 && linked)
        && servers.iter().any(|server| server.links.is_empty())
        && facts.nodes.iter().any(|node| node.origin.is_none())
        && facts.nodes.iter().all(|node| node.half_copy.is_none())
}

/// Compares all tables of users, or of the configured databases, on both nodes.
pub async fn compare(site: &Site) -> Comparison {
    try_compare(site)
        .await
        .unwrap_or_else(|error| Comparison::Failed(error.to_string()))
}

async fn try_compare(site: &Site) -> Result<Comparison, Error> {
    let [a, b] = site.nodes();
    let databases = site.config.databases.as_deref();
    let (a, b) = try_join(
        async {
            digest(
                &mut site.connect(a, Login::Admin, site.patience()).await?,
                databases,
            )
            .await
        },
        async {
            digest(
                &mut site.connect(b, Login::Admin, site.patience()).await?,
                databases,
            )
            .await
        },
    )
    .await?;
    if a.before != a.after || b.before != b.after {
        return Ok(Comparison::Moving);
    }
    let differences = differences(&a.tables, &b.tables);
    Ok(if differences.is_empty() {
        Comparison::Equal(vec![a.before, b.before])
    } else {
        Comparison::Different(differences)
    })
}

/// One server's tables by name, each with a text that is equal where the table is.
struct Digest {
    before: Option<Coordinates>,
    tables: BTreeMap<String, String>,
    after: Option<Coordinates>,
}

async fn digest(conn: &mut Conn, databases: Option<&[String]>) -> Result<Digest, Error> {
    // TIMESTAMP is shown in the session's time zone, and two servers may have two.
    conn.execute("SET time_zone = '+00:00'").await?;
    let before = log_end(conn).await?;
    let mut tables = BTreeMap::new();
    for (schema, table, is_view) in list_tables(conn, databases).await? {
        let columns = columns(conn, &schema, &table).await?;
        let rows = if is_view {
            "view".to_owned()
        } else {
            rows_digest(conn, &schema, &table, &columns).await?
        };
        tables.insert(
            format!("{schema}.{table}"),
            format!("{rows} ({})", columns.join(", ")),
        );
    }
    let after = log_end(conn).await?;
    Ok(Digest {
        before,
        tables,
        after,
    })
}

async fn log_end(conn: &mut Conn) -> Result<Option<Coordinates>, Error> {
    let dialect = twinlog_server::facts::read_dialect(conn).await?;
    Ok(conn
        .row(dialect.row().binlog_status)
        .await?
        .as_ref()
        .and_then(Coordinates::of_log_end))
}

async fn list_tables(
    conn: &mut Conn,
    databases: Option<&[String]>,
) -> Result<Vec<(String, String, bool)>, Error> {
    let condition = match databases {
        Some(names) => format!("IN ({})", list(names.iter().map(String::as_str))),
        None => format!(
            "NOT IN ({})",
            list(SYSTEM_SCHEMAS.into_iter().chain([OWN_SCHEMA]))
        ),
    };
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA {condition}"
    );
    let rows = conn.rows(&sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some((
                row.at(0)?.to_owned(),
                row.at(1)?.to_owned(),
                row.at(2)?.contains("VIEW"),
            ))
        })
        .collect())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(literal).collect::<Vec<_>>().join(", ")
}

async fn columns(conn: &mut Conn, schema: &str, table: &str) -> Result<Vec<String>, Error> {
    let sql = format!(
        "SELECT COLUMN_NAME, CONCAT_WS('/', DATA_TYPE, IF(COLUMN_TYPE LIKE '%unsigned%', 'unsigned', 'signed'), \
         CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, COLLATION_NAME, IS_NULLABLE, COLUMN_KEY) \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
         ORDER BY ORDINAL_POSITION",
        literal(schema),
        literal(table)
    );
    let rows = conn.rows(&sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| Some(format!("{} {}", identifier(row.at(0)?), row.at(1)?)))
        .collect())
}

/// The number of rows and an order-free checksum of 2 × 32 bits; NULLs are told apart from empty values.
///
/// CRC32 alone is linear: values that changed places between rows would cancel out. MySQL 9.7 has no MD5 any more.
async fn rows_digest(
    conn: &mut Conn,
    schema: &str,
    table: &str,
    columns: &[String],
) -> Result<String, Error> {
    let names: Vec<&str> = columns
        .iter()
        .filter_map(|column| column.rsplit_once(' '))
        .map(|(name, _)| name)
        .collect();
    // Each column by itself: joined as they are, ('a#', 'b') would equal ('a', '#b'), and a long row would be cut.
    let each: Vec<String> = names
        .iter()
        .map(|name| format!("COALESCE(SHA2({name}, 256), '-')"))
        .collect();
    let row = format!("CONCAT_WS('#', {})", each.join(", "));
    let sql = format!(
        "SELECT COUNT(*), COALESCE(BIT_XOR(CRC32({row})), 0), COALESCE(BIT_XOR(CRC32(SHA2({row}, 256))), 0) FROM {}.{}",
        identifier(schema),
        identifier(table)
    );
    let sets = conn.result_sets(&sql, &sql, TABLE_TIMEOUT).await?;
    let row = sets
        .into_iter()
        .next()
        .and_then(|set| set.rows.into_iter().next())
        .unwrap_or_default();
    let part = |index| row.at(index).unwrap_or_default().to_owned();
    Ok(format!(
        "{} rows, checksum {}-{}",
        part(0),
        part(1),
        part(2)
    ))
}

fn differences(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let describe =
        |digest: Option<&String>| digest.map_or("missing".to_owned(), |text| shorten(text));
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .take(NAMED_MAX)
        .map(|name| match (a.get(name), b.get(name)) {
            (Some(left), Some(right)) if shorten(left) == shorten(right) => {
                format!("{name}: columns differ")
            }
            (left, right) => format!("{name}: {} against {}", describe(left), describe(right)),
        })
        .collect()
}

fn shorten(text: &str) -> String {
    text.split(" (").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries
            .iter()
            .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()))
            .collect()
    }

    #[test]
    fn a_missing_table_a_differing_row_and_a_differing_column_are_named() {
        let a = tables(&[
            ("t.x", "1 rows, checksum 1-1 (`a` int)"),
            ("t.y", "2 rows, checksum 2-2 (`a` int)"),
            ("t.z", "0 rows (`a` int)"),
        ]);
        let b = tables(&[
            ("t.y", "2 rows, checksum 2-3 (`a` int)"),
            ("t.z", "0 rows (`a` bigint)"),
        ]);
        assert_eq!(
            differences(&a, &b),
            [
                "t.x: 1 rows, checksum 1-1 against missing",
                "t.y: 2 rows, checksum 2-2 against 2 rows, checksum 2-3",
                "t.z: columns differ",
            ]
        );
    }
}
