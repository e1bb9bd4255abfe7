//! Settings by version, by policy and by option.

use std::path::Path;

use twinlog_server::version::{Flavour, Version};

use super::*;
use crate::config::{OptionValue, Policy, TablePolicy};

fn dialect(flavour: Flavour, major: u16, minor: u16, patch: u16) -> Dialect {
    Dialect::of(&Version {
        flavour,
        major,
        minor,
        patch,
    })
    .expect("supported")
}

fn shown(config: &Config, dialect: &Dialect) -> String {
    desired(config, 1, 2, dialect)
        .iter()
        .map(|s| format!("{} = {}\n", s.name, s.value))
        .collect()
}

#[test]
fn each_version_gets_its_own_names() {
    let config = Config::local(Path::new("/x"), "shop");
    let all: String = [
        dialect(Flavour::MySql, 5, 6, 24),
        dialect(Flavour::MySql, 5, 7, 44),
        dialect(Flavour::MySql, 8, 0, 20),
        dialect(Flavour::MySql, 8, 4, 0),
        dialect(Flavour::MySql, 9, 7, 4),
        dialect(Flavour::MariaDb, 10, 5, 10),
        dialect(Flavour::MariaDb, 11, 8, 6),
    ]
    .iter()
    .map(|dialect| format!("== {}\n{}", dialect.version(), shown(&config, dialect)))
    .collect();
    insta::assert_snapshot!(all);
}

fn exec_mode(config: &Config) -> Setting {
    desired(config, 0, 1, &dialect(Flavour::MySql, 9, 7, 4))
        .into_iter()
        .find(|setting| setting.key == "replica_exec_mode")
        .expect("every version has it")
}

#[test]
fn the_applier_goes_on_only_where_twinlog_repairs() {
    let mut config = Config::local(Path::new("/x"), "shop");
    assert_eq!(exec_mode(&config).value, "IDEMPOTENT");
    config.replication.mode = Mode::Position;
    let by_position = exec_mode(&config);
    assert_eq!(by_position.value, "STRICT");
    assert!(
        by_position.reason.contains("GTID"),
        "{}",
        by_position.reason
    );
    config.replication.mode = Mode::Gtid;
    config.conflicts.policy = Policy::Manual;
    assert_eq!(exec_mode(&config).value, "STRICT");
    config.conflicts.tables.push(TablePolicy {
        pattern: "shop.stock".into(),
        policy: Policy::Merge,
        counters: Vec::new(),
    });
    assert_eq!(exec_mode(&config).value, "IDEMPOTENT");
}

#[test]
fn the_users_own_option_wins_and_says_so() {
    let mut config = Config::local(Path::new("/x"), "shop");
    config
        .server
        .options
        .insert("sync_binlog".into(), OptionValue::Integer(0));
    let settings = desired(&config, 0, 1, &dialect(Flavour::MySql, 9, 7, 4));
    let own = settings
        .iter()
        .find(|setting| setting.key == "sync_binlog")
        .expect("there");
    assert_eq!(own.value, "0");
    assert!(
        own.reason.starts_with("your option (twinlog would set 1"),
        "{}",
        own.reason
    );
}

#[test]
fn values_compare_by_meaning() {
    assert!(same_value("ON", "1"));
    assert!(same_value("row", "ROW"));
    assert!(!same_value("ON", "OFF_PERMISSIVE"));
}

#[test]
fn wildcards_in_a_database_name_are_escaped() {
    assert_eq!(wild_table_pattern("a_b%"), "a\\_b\\%.%");
}

#[test]
fn only_what_cannot_be_set_at_run_time_takes_a_restart() {
    let dialect = dialect(Flavour::MySql, 9, 7, 4);
    let config = Config::local(Path::new("/x"), "shop");
    let settings = desired(&config, 0, 1, &dialect);
    let server = |row_image: &str| {
        let variables = [("binlog_row_image".to_owned(), row_image.to_owned())].into();
        ServerFacts::foreseen(dialect, variables)
    };
    let started = "[mysqld]\n# why\nport = 1\nreplica_exec_mode = STRICT\n";
    let says =
        |text: &str, row_image| without_restart(started, text, &settings, Some(&server(row_image)));
    let mode = "[mysqld]\n# another why\nport = 1\nreplica_exec_mode = IDEMPOTENT\n";
    assert!(says(mode, "FULL"));
    let image = format!("{mode}binlog_row_image = FULL\n");
    assert!(says(&image, "full"));
    assert!(!says(&image, "MINIMAL"));
    assert!(!says(&mode.replace("port = 1", "port = 2"), "FULL"));
    assert!(!says("[mysqld]\nport = 1\n", "FULL"));
}
