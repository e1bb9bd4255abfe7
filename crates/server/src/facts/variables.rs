//! Global variables, each with its whole value.

use std::collections::BTreeMap;

use crate::conn::{Conn, Error, Row};

/// Those whose values outgrow the 1024 characters after which `SHOW GLOBAL VARIABLES` cuts without a word (tried on
/// MySQL 5.6 and 9.7): the GTIDs of some thirty servers do.
const LONG: [&str; 5] = [
    "gtid_executed",
    "gtid_purged",
    "gtid_binlog_pos",
    "gtid_current_pos",
    "gtid_slave_pos",
];

/// All of them, names in lower case.
pub(super) async fn read(conn: &mut Conn) -> Result<BTreeMap<String, String>, Error> {
    let mut variables = pairs(conn.rows("SHOW GLOBAL VARIABLES").await?);
    for name in LONG {
        if let Some(value) = variables.get_mut(name) {
            let whole = conn.value(&format!("SELECT @@GLOBAL.{name}")).await?;
            *value = whole.unwrap_or_default();
        }
    }
    Ok(variables)
}

/// Names and values of rows that hold them in this order; the names in lower case.
pub(super) fn pairs(rows: Vec<Row>) -> BTreeMap<String, String> {
    rows.iter()
        .filter_map(|row| {
            Some((
                row.at(0)?.to_ascii_lowercase(),
                row.at(1).unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}
