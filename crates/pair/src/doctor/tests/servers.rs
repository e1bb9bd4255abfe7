//! Faults of servers' settings, alone and side by side.

use jiff::civil::date;
use twinlog_server::version::{Flavour, Version};

use super::{
    Case,
    baseline::{UUIDS, live, mariadb, mysql, mysql_57, of_texts, set},
};
use crate::{
    config::{Mode, OptionValue, Policy, Writes},
    doctor::examine,
};

pub(super) const CASES: &[Case] = &[
    Case("TL001", mysql, |s| set(s, 0, "server_id", "0")),
    Case("TL002", mysql, |s| set(s, 1, "server_id", "1")),
    Case("TL003", mysql, |s| set(s, 1, "server_uuid", UUIDS[0])),
    Case("TL004", mariadb, |s| set(s, 1, "gtid_domain_id", "1")),
    Case("TL005", mysql, |s| set(s, 0, "gtid_mode", "OFF_PERMISSIVE")),
    Case("TL005", mysql, |s| {
        set(s, 0, "enforce_gtid_consistency", "WARN")
    }),
    Case("TL007", mariadb, |s| set(s, 0, "gtid_strict_mode", "OFF")),
    Case("TL008", mysql, |s| {
        set(s, 0, "auto_increment_increment", "1")
    }),
    Case("TL009", mysql, |s| set(s, 1, "auto_increment_offset", "1")),
    Case("TL009", mysql, |s| {
        set(s, 1, "auto_increment_increment", "3")
    }),
    Case("TL009", mysql, |s| set(s, 1, "auto_increment_offset", "5")),
    Case("TL010", mysql, |s| set(s, 0, "log_bin", "OFF")),
    Case("TL011", mariadb, |s| set(s, 0, "binlog_format", "MIXED")),
    Case("TL012", mysql, |s| set(s, 0, "binlog_row_image", "MINIMAL")),
    Case("TL013", mariadb, |s| {
        set(s, 0, "binlog_row_metadata", "NO_LOG")
    }),
    Case("TL014", mysql, |s| {
        set(s, 0, "binlog_row_value_options", "PARTIAL_JSON")
    }),
    Case("TL015", mysql, |s| set(s, 0, "log_replica_updates", "OFF")),
    Case("TL015", mysql_57, |s| set(s, 0, "log_slave_updates", "OFF")),
    Case("TL016", mysql, |s| set(s, 0, "binlog_checksum", "NONE")),
    Case("TL017", mysql, |s| {
        set(s, 0, "binlog_expire_logs_seconds", "86400")
    }),
    Case("TL017", mysql_57, |s| set(s, 0, "expire_logs_days", "3")),
    Case("TL018", mariadb, |s| {
        set(s, 0, "binlog_expire_logs_seconds", "0");
        set(s, 0, "expire_logs_days", "0.000000");
    }),
    Case("TL018", mysql, |s| {
        set(s, 0, "binlog_expire_logs_auto_purge", "OFF")
    }),
    Case("TL019", mysql, |s| {
        live(s, 0).facts.binlog_do_db = Some("test".into())
    }),
    Case("TL019", mysql, |s| {
        live(s, 0).facts.binlog_ignore_db = Some("x".into())
    }),
    Case("TL021", mysql, |s| set(s, 0, "sync_binlog", "1000")),
    Case("TL022", mysql, |s| {
        set(s, 0, "innodb_flush_log_at_trx_commit", "2")
    }),
    Case("TL023", mysql, |s| {
        set(s, 0, "innodb_doublewrite", "DETECT_ONLY")
    }),
    Case("TL024", mysql, |s| set(s, 0, "relay_log_recovery", "OFF")),
    Case("TL025", mysql_57, |s| {
        set(s, 0, "relay_log_info_repository", "FILE")
    }),
    Case("TL026", mysql, |s| set(s, 0, "relay_log_purge", "OFF")),
    Case("TL030", mysql, |s| {
        set(s, 0, "replica_preserve_commit_order", "OFF")
    }),
    Case("TL030", mysql_57, |s| {
        s.subjects[0].settings.unset("slave_preserve_commit_order")
    }),
    Case("TL031", mariadb, |s| {
        set(s, 0, "slave_parallel_mode", "optimistic")
    }),
    Case("TL032", mysql, |s| {
        set(s, 0, "replica_skip_errors", "1062,1032")
    }),
    Case("TL033", mysql, |s| {
        s.config.as_mut().expect("a pair").conflicts.policy = Policy::Manual;
        set(s, 1, "replica_exec_mode", "STRICT");
    }),
    Case("TL033", mariadb, |s| {
        s.config.as_mut().expect("a pair").conflicts.policy = Policy::Manual;
        set(s, 1, "slave_exec_mode", "STRICT");
    }),
    Case("TL039", mysql, |s| set(s, 0, "replica_exec_mode", "STRICT")),
    Case("TL039", mariadb, |s| set(s, 0, "slave_exec_mode", "STRICT")),
    Case("TL034", mysql, |s| set(s, 0, "replica_net_timeout", "3600")),
    Case("TL035", mysql, |s| {
        set(s, 0, "replica_transaction_retries", "0")
    }),
    Case("TL036", mysql, |s| set(s, 0, "skip_replica_start", "ON")),
    Case("TL037", mysql, |s| {
        set(s, 0, "replica_type_conversions", "ALL_LOSSY,ALL_NON_LOSSY")
    }),
    Case("TL038", mysql, |s| {
        let other = of_texts(["[mysqld]\nreplicate-same-server-id\n", ""], None);
        s.subjects[0].options = other.subjects[0].options.clone();
    }),
    Case("TL059", mysql, |s| {
        s.config.as_mut().expect("a pair").replication.mode = Mode::Position
    }),
    Case("TL060", mariadb, |s| {
        let variables = &mut live(s, 1).facts.variables;
        variables.insert("slave_ddl_exec_mode".into(), "IDEMPOTENT".into());
    }),
    Case("TL040", mysql, |s| set(s, 1, "lower_case_table_names", "1")),
    Case("TL041", mysql, |s| {
        set(s, 1, "collation_server", "utf8mb4_0900_ai_ci")
    }),
    Case("TL042", mysql, |s| set(s, 1, "sql_mode", "")),
    Case("TL043", mysql, |s| set(s, 1, "system_time_zone", "CST")),
    Case("TL044", mysql, |s| {
        set(s, 1, "max_allowed_packet", "4194304")
    }),
    Case("TL045", mysql, |s| {
        set(s, 0, "event_scheduler", "ON");
        set(s, 1, "event_scheduler", "ON");
    }),
    Case("TL046", mysql_57, |s| s.today = date(2023, 11, 1)),
    Case("TL047", mysql, |s| version(s, Flavour::MySql, (9, 7, 5))),
    Case("TL048", mysql, |s| version(s, Flavour::MySql, (8, 4, 5))),
    Case("TL049", mysql, |s| version(s, Flavour::MariaDb, (11, 8, 5))),
    Case("TL050", mysql, |s| {
        live(s, 1).facts.clock_offset_us = -1_500_000
    }),
    Case("TL051", mysql, |s| {
        s.subjects[0].disk_free_bytes = Some(1 << 20)
    }),
    Case("TL052", mysql, |s| set(s, 0, "read_only", "ON")),
    Case("TL052", mysql, |s| {
        s.config.as_mut().expect("a pair").writes = Writes::One
    }),
    Case("TL053", mysql, |s| {
        let config = s.config.as_mut().expect("a pair");
        config
            .server
            .options
            .insert("sync_binlog".into(), OptionValue::Integer(0));
    }),
    Case("TL054", mysql, |s| {
        set(s, 0, "default_storage_engine", "MyISAM")
    }),
    Case("TL055", mysql, |s| set(s, 0, "lower_case_table_names", "1")),
    Case("TL056", mysql, |s| {
        set(s, 0, "character_set_server", "utf8mb3")
    }),
    Case("TL057", mysql, |s| set(s, 0, "relay_log", "vm-relay-bin")),
    Case("TL057", mysql, |s| {
        set(s, 0, "log_bin_basename", "/x/vm-bin")
    }),
    Case("TL058", mysql, |s| set(s, 0, "skip_networking", "ON")),
];

fn version(
    scene: &mut crate::doctor::Scene,
    flavour: Flavour,
    (major, minor, patch): (u16, u16, u16),
) {
    scene.subjects[1].version = Some(Version {
        flavour,
        major,
        minor,
        patch,
    });
}

#[test]
fn one_writer_at_a_time_needs_no_second_half_of_the_numbers() {
    let mut scene = mysql();
    scene.config.as_mut().expect("a pair").writes = Writes::One;
    set(&mut scene, 1, "read_only", "ON");
    set(&mut scene, 1, "auto_increment_offset", "1");
    assert_eq!(examine(&scene), []);
    set(&mut scene, 0, "auto_increment_increment", "1");
    assert_eq!(examine(&scene), []);
}

#[test]
fn an_option_that_is_as_safe_as_twinlogs_is_no_finding() {
    let mut scene = mysql();
    let config = scene.config.as_mut().expect("a pair");
    let options = &mut config.server.options;
    options.insert(
        "binlog_expire_logs_seconds".into(),
        OptionValue::Integer(9_999_999),
    );
    options.insert("replica_parallel_workers".into(), OptionValue::Integer(8));
    options.insert("sync_binlog".into(), OptionValue::Text("1".into()));
    assert_eq!(examine(&scene), []);
}

#[test]
fn clocks_that_cannot_be_read_exactly_are_not_called_apart() {
    let mut scene = mysql();
    let facts = &mut live(&mut scene, 1).facts;
    facts.clock_offset_us = 1_500_000;
    facts.clock_error_us = 600_000;
    assert_eq!(examine(&scene), []);
}

#[test]
fn servers_that_did_not_answer_are_not_accused() {
    let mut scene = mysql();
    for subject in &mut scene.subjects {
        subject.live = None;
        subject.settings = crate::doctor::Settings::unknown();
    }
    assert_eq!(examine(&scene), []);
}
