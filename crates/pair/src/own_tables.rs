//! The tables that twinlog keeps in each server, in a schema of its own.
//!
//! `up` makes them on each node outside its binary log, so that a node without a history stays without one; what is
//! written into them later is replicated like a user's rows, `node` excepted. Filters made from `databases` let the
//! schema through.

use twinlog_server::sql::Sql;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnTable {
    /// Its name in the schema `twinlog`.
    pub name: &'static str,
    create: &'static str,
}

const SCHEMA: &str = "CREATE DATABASE IF NOT EXISTS `twinlog` CHARACTER SET utf8mb4";

/// All of them.
pub const TABLES: [OwnTable; 4] = [
    OwnTable {
        name: "node",
        create: "CREATE TABLE IF NOT EXISTS `twinlog`.`node` (\
     `only_row` TINYINT NOT NULL PRIMARY KEY DEFAULT 1, `pair_id` VARCHAR(64) NOT NULL, `node` VARCHAR(64) NOT NULL, \
     `origin_file` VARCHAR(255) NOT NULL, `origin_position` BIGINT UNSIGNED NOT NULL, `origin_gtids` LONGTEXT NOT NULL, \
     `sameness` VARCHAR(16) NOT NULL, `secrets_id` VARCHAR(64) NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 \
     COMMENT='which node of which twinlog pair this server is; not replicated'",
    },
    OwnTable {
        name: "canary",
        create: "CREATE TABLE IF NOT EXISTS `twinlog`.`canary` (\
     `node` VARCHAR(64) NOT NULL PRIMARY KEY, `token` VARCHAR(64) NOT NULL, `written_at` VARCHAR(32) NOT NULL) \
     ENGINE=InnoDB CHARACTER SET utf8mb4 COMMENT='twinlog writes here to prove that replication works'",
    },
    OwnTable {
        name: "conflict",
        create: "CREATE TABLE IF NOT EXISTS `twinlog`.`conflict` (\
     `id` CHAR(12) CHARACTER SET ascii NOT NULL PRIMARY KEY COMMENT 'the same whoever finds it', \
     `found_at` DATETIME(6) NOT NULL COMMENT 'UTC', \
     `schema_name` VARCHAR(64) NOT NULL, `table_name` VARCHAR(64) NOT NULL, \
     `row_key` TEXT NOT NULL COMMENT 'the key that both nodes wrote', \
     `kind` VARCHAR(16) NOT NULL, `state` VARCHAR(16) NOT NULL, \
     `policy` VARCHAR(128) NOT NULL, `rule` TEXT NOT NULL COMMENT 'why this version was chosen', \
     `chosen` VARCHAR(64) NULL, `chosen_node` VARCHAR(64) NULL, \
     `chosen_us` BIGINT UNSIGNED NULL COMMENT 'when the chosen version was committed, in microseconds since 1970', \
     `gtid_a` VARCHAR(128) NULL, `gtid_b` VARCHAR(128) NULL, `repair_gtid` VARCHAR(128) NULL, \
     `resolved_at` DATETIME(6) NULL COMMENT 'UTC', \
     `detail` LONGTEXT NOT NULL COMMENT 'every version in full, as JSON', \
     KEY (`found_at`), KEY (`schema_name`, `table_name`), KEY (`state`)) \
     ENGINE=InnoDB CHARACTER SET utf8mb4 \
     COMMENT='conflicts that twinlog found between the nodes, with every version; see twinlog conflicts'",
    },
    OwnTable {
        name: "checkpoint",
        create: "CREATE TABLE IF NOT EXISTS `twinlog`.`checkpoint` (\
     `only_row` TINYINT NOT NULL PRIMARY KEY DEFAULT 1, \
     `settled` LONGTEXT NOT NULL COMMENT 'GTIDs up to which both logs were compared', \
     `written_at` DATETIME(6) NOT NULL COMMENT 'UTC', \
     `detail` LONGTEXT NOT NULL COMMENT 'what the agent says of itself, as JSON') \
     ENGINE=InnoDB CHARACTER SET utf8mb4 COMMENT='how far the twinlog agent has compared the nodes: the next one goes on from here'",
    },
];

/// The statements that make what is missing of them.
pub fn create() -> impl Iterator<Item = Sql> {
    std::iter::once(SCHEMA)
        .chain(TABLES.map(|table| table.create))
        .map(Sql::new)
}

/// Those that are not among `present`.
pub fn missing(present: &[String]) -> Vec<&'static str> {
    TABLES
        .iter()
        .map(|table| table.name)
        .filter(|name| !present.iter().any(|found| found == name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_pair_lacks_is_named() {
        let old = ["canary", "node"].map(str::to_owned);
        assert_eq!(missing(&old), ["conflict", "checkpoint"]);
        assert_eq!(missing(&TABLES.map(|table| table.name.to_owned())), [""; 0]);
    }

    #[test]
    fn every_table_is_innodb_and_says_what_it_is() {
        for (table, sql) in TABLES.iter().zip(create().skip(1)) {
            let sql = sql.to_string();
            assert!(
                sql.contains(&format!("`twinlog`.`{}`", table.name)),
                "{sql}"
            );
            assert!(
                sql.contains("ENGINE=InnoDB CHARACTER SET utf8mb4 COMMENT="),
                "{sql}"
            );
        }
    }
}
