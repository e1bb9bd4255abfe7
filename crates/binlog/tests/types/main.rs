//! Every column type, as each server logged it (`record.sh`), held against what the server's own SELECT printed.

mod mutations;
mod printed;
mod recorded;

use printed::{Printed, printed};
use recorded::{Recorded, rows};
use twinlog_binlog::{ColumnHint, ColumnType, Value};

const SERVERS: [&str; 4] = ["mysql-9.7", "mysql-5.6", "mariadb-10.11", "mariadb-11.8"];

/// After all changes of the log, each column of each row has the value that SELECT printed then.
#[test]
fn values_are_those_that_select_prints() {
    for server in SERVERS {
        let printed = printed(server);
        let log = Recorded::read(server);
        let tables = rows(&log, &printed);
        for it in &printed {
            let place = format!("{server}: {}.{} of row {}", it.table, it.column, it.id);
            let row = tables
                .get(&it.table)
                .and_then(|table| table.get(&it.id))
                .unwrap_or_else(|| panic!("{place} is not in the log"));
            let (column, value) = row
                .get(it.position)
                .unwrap_or_else(|| panic!("{place} has no column in the log"));
            assert_eq!(it.form(column, value), it.text, "{place}: {value:?}");
        }
        let rows = tables.values().map(|table| table.len()).sum::<usize>();
        let with_values = printed
            .iter()
            .map(|it| (&it.table, it.id))
            .collect::<std::collections::HashSet<_>>();
        assert_eq!(
            rows,
            with_values.len(),
            "{server}: rows that SELECT does not see"
        );
    }
}

/// Where the log says the names (all but MySQL 5.6), they are the table's.
#[test]
fn columns_have_their_names() {
    for server in SERVERS.into_iter().filter(|it| *it != "mysql-5.6") {
        let printed = printed(server);
        let log = Recorded::read(server);
        for (table, columns) in log.tables() {
            for it in printed.iter().filter(|it| it.table == table) {
                assert_eq!(
                    columns[it.position].name.as_deref(),
                    Some(it.column.as_str())
                );
                if it.kind.ends_with("unsigned") && columns[it.position].unsigned.is_some() {
                    assert_eq!(
                        columns[it.position].unsigned,
                        Some(true),
                        "{table}.{}",
                        it.column
                    );
                }
            }
        }
    }
}

/// What `information_schema` would say of a column.
fn hint(it: &Printed) -> ColumnHint {
    match it.kind.as_str() {
        "inet4" => ColumnHint::Inet4,
        "inet6" => ColumnHint::Inet6,
        "uuid" => ColumnHint::Uuid,
        kind if kind.ends_with("unsigned") => ColumnHint::Unsigned,
        _ => ColumnHint::None,
    }
}

/// A column's type with its value.
type Cell = (ColumnType, Value);
