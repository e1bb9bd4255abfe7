//! The settings that rules look at: their spellings, and what holds where an option file does not say.
//!
//! Defaults: the reference manuals of MySQL 5.6 to 9.7 and MariaDB's, and `--verbose --help` of MySQL 5.6.24 and
//! 9.7.4, MariaDB 10.11 and 11.8. MySQL's change of `gtid_mode` to ON was seen in 9.7; 8.4's manual has OFF.

use twinlog_server::version::Flavour::{self, MariaDb, MySql};

/// A version's three numbers.
pub(super) type Number = (u16, u16, u16);

/// One setting.
#[derive(Debug)]
pub(super) struct Entry {
    /// The name that rules use for it: its newest MySQL name.
    pub(super) key: &'static str,
    /// All its names, as options and as variables.
    pub(super) names: &'static [&'static str],
    /// Its defaults: from which version of which flavour on, and `None` where there is no such setting.
    pub(super) defaults: &'static [(Flavour, Number, Option<&'static str>)],
}

const ANY: Number = (0, 0, 0);

const fn e(
    key: &'static str,
    names: &'static [&'static str],
    defaults: &'static [(Flavour, Number, Option<&'static str>)],
) -> Entry {
    Entry {
        key,
        names,
        defaults,
    }
}

/// All settings with a default that matters. Others are known only where they are written.
#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    e("log_bin", &["log_bin"],
        &[(MySql, ANY, Some("OFF")), (MySql, (8, 0, 3), Some("ON")), (MariaDb, ANY, Some("OFF"))]),
    e("binlog_format", &["binlog_format"],
        &[(MySql, ANY, Some("STATEMENT")), (MySql, (5, 7, 7), Some("ROW")), (MariaDb, ANY, Some("MIXED"))]),
    e("binlog_row_image", &["binlog_row_image"],
        &[(MySql, ANY, Some("FULL")), (MariaDb, ANY, Some("FULL"))]),
    e("binlog_row_metadata", &["binlog_row_metadata"],
        &[(MySql, ANY, None), (MySql, (8, 0, 1), Some("MINIMAL")), (MariaDb, ANY, Some("NO_LOG"))]),
    e("binlog_row_value_options", &["binlog_row_value_options"],
        &[(MySql, ANY, None), (MySql, (8, 0, 3), Some("")), (MariaDb, ANY, None)]),
    e("log_replica_updates", &["log_replica_updates", "log_slave_updates"],
        &[(MySql, ANY, Some("OFF")), (MySql, (8, 0, 3), Some("ON")), (MariaDb, ANY, Some("OFF"))]),
    e("binlog_checksum", &["binlog_checksum"],
        &[(MySql, ANY, Some("CRC32")), (MariaDb, ANY, Some("CRC32"))]),
    e("gtid_mode", &["gtid_mode"],
        &[(MySql, ANY, Some("OFF")), (MySql, (9, 7, 0), Some("ON")), (MariaDb, ANY, None)]),
    e("enforce_gtid_consistency", &["enforce_gtid_consistency"],
        &[(MySql, ANY, Some("OFF")), (MySql, (9, 7, 0), Some("ON")), (MariaDb, ANY, None)]),
    e("gtid_domain_id", &["gtid_domain_id"], &[(MySql, ANY, None), (MariaDb, ANY, Some("0"))]),
    e("gtid_strict_mode", &["gtid_strict_mode"], &[(MySql, ANY, None), (MariaDb, ANY, Some("OFF"))]),
    e("auto_increment_increment", &["auto_increment_increment"],
        &[(MySql, ANY, Some("1")), (MariaDb, ANY, Some("1"))]),
    e("auto_increment_offset", &["auto_increment_offset"],
        &[(MySql, ANY, Some("1")), (MariaDb, ANY, Some("1"))]),
    e("sync_binlog", &["sync_binlog"],
        &[(MySql, ANY, Some("0")), (MySql, (5, 7, 7), Some("1")), (MariaDb, ANY, Some("0"))]),
    e("innodb_flush_log_at_trx_commit", &["innodb_flush_log_at_trx_commit"],
        &[(MySql, ANY, Some("1")), (MariaDb, ANY, Some("1"))]),
    e("innodb_doublewrite", &["innodb_doublewrite"],
        &[(MySql, ANY, Some("ON")), (MariaDb, ANY, Some("ON"))]),
    e("relay_log_recovery", &["relay_log_recovery"],
        &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("relay_log_purge", &["relay_log_purge"],
        &[(MySql, ANY, Some("ON")), (MariaDb, ANY, Some("ON"))]),
    e("source_info_repository", &["master_info_repository"],
        &[(MySql, ANY, Some("FILE")), (MySql, (8, 0, 2), Some("TABLE")), (MySql, (8, 3, 0), None), (MariaDb, ANY, None)]),
    e("relay_log_info_repository", &["relay_log_info_repository"],
        &[(MySql, ANY, Some("FILE")), (MySql, (8, 0, 2), Some("TABLE")), (MySql, (8, 3, 0), None), (MariaDb, ANY, None)]),
    e("replica_parallel_workers", &["replica_parallel_workers", "slave_parallel_workers", "slave_parallel_threads"],
        &[(MySql, ANY, Some("0")), (MySql, (8, 0, 27), Some("4")), (MariaDb, ANY, Some("0"))]),
    e("replica_preserve_commit_order", &["replica_preserve_commit_order", "slave_preserve_commit_order"],
        &[(MySql, ANY, None), (MySql, (5, 7, 5), Some("OFF")), (MySql, (8, 0, 27), Some("ON")), (MariaDb, ANY, None)]),
    e("slave_parallel_mode", &["slave_parallel_mode"],
        &[(MySql, ANY, None), (MariaDb, ANY, Some("optimistic"))]),
    e("replica_skip_errors", &["replica_skip_errors", "slave_skip_errors"],
        &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("replica_exec_mode", &["replica_exec_mode", "slave_exec_mode"],
        &[(MySql, ANY, Some("STRICT")), (MariaDb, ANY, Some("STRICT"))]),
    e("replica_type_conversions", &["replica_type_conversions", "slave_type_conversions"],
        &[(MySql, ANY, Some("")), (MariaDb, ANY, Some(""))]),
    e("replica_net_timeout", &["replica_net_timeout", "slave_net_timeout"],
        &[(MySql, ANY, Some("3600")), (MySql, (5, 7, 7), Some("60")), (MariaDb, ANY, Some("60"))]),
    e("replica_transaction_retries", &["replica_transaction_retries", "slave_transaction_retries"],
        &[(MySql, ANY, Some("10")), (MariaDb, ANY, Some("10"))]),
    e("skip_replica_start", &["skip_replica_start", "skip_slave_start"],
        &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("replicate_same_server_id", &["replicate_same_server_id"],
        &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("binlog_expire_logs_seconds", &["binlog_expire_logs_seconds"],
        &[(MySql, ANY, None), (MySql, (8, 0, 11), Some("2592000")), (MariaDb, ANY, Some("0"))]),
    e("expire_logs_days", &["expire_logs_days"],
        &[(MySql, ANY, Some("0")), (MySql, (8, 4, 0), None), (MariaDb, ANY, Some("0"))]),
    e("default_storage_engine", &["default_storage_engine", "storage_engine"],
        &[(MySql, ANY, Some("InnoDB")), (MariaDb, ANY, Some("InnoDB"))]),
    e("lower_case_table_names", &["lower_case_table_names"],
        &[(MySql, ANY, Some("0")), (MariaDb, ANY, Some("0"))]),
    e("character_set_server", &["character_set_server"],
        &[(MySql, ANY, Some("latin1")), (MySql, (8, 0, 1), Some("utf8mb4")),
          (MariaDb, ANY, Some("latin1")), (MariaDb, (11, 6, 0), Some("utf8mb4"))]),
    e("event_scheduler", &["event_scheduler"],
        &[(MySql, ANY, Some("OFF")), (MySql, (8, 0, 3), Some("ON")), (MariaDb, ANY, Some("OFF"))]),
    e("skip_networking", &["skip_networking"],
        &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("skip_grant_tables", &["skip_grant_tables"],
        &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("read_only", &["read_only"], &[(MySql, ANY, Some("OFF")), (MariaDb, ANY, Some("OFF"))]),
    e("sync_source_info", &["sync_source_info", "sync_master_info"],
        &[(MySql, ANY, Some("10000")), (MariaDb, ANY, Some("10000"))]),
    e("sync_relay_log", &["sync_relay_log"],
        &[(MySql, ANY, Some("10000")), (MariaDb, ANY, Some("10000"))]),
    e("sync_relay_log_info", &["sync_relay_log_info"],
        &[(MySql, ANY, Some("10000")), (MariaDb, ANY, Some("10000"))]),
];

/// The entry of that key.
pub(super) fn entry(key: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.key == key)
}

/// The default of one version; `None` where it has no such setting.
pub(super) fn default_of(entry: &Entry, flavour: Flavour, number: Number) -> Option<&'static str> {
    entry
        .defaults
        .iter()
        .rev()
        .find(|(of, from, _)| *of == flavour && *from <= number)
        .and_then(|(_, _, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_change_with_the_version() {
        let of = |key, flavour, number| default_of(entry(key).expect("known"), flavour, number);
        assert_eq!(of("sync_binlog", MySql, (5, 7, 6)), Some("0"));
        assert_eq!(of("sync_binlog", MySql, (5, 7, 44)), Some("1"));
        assert_eq!(of("source_info_repository", MySql, (8, 4, 0)), None);
        assert_eq!(of("gtid_mode", MariaDb, (10, 11, 0)), None);
    }

    #[test]
    fn every_entry_is_in_order_and_has_both_flavours() {
        for entry in ENTRIES {
            for flavour in [MySql, MariaDb] {
                let numbers: Vec<Number> = entry
                    .defaults
                    .iter()
                    .filter(|(of, ..)| *of == flavour)
                    .map(|(_, number, _)| *number)
                    .collect();
                assert_eq!(numbers.first(), Some(&ANY), "{}", entry.key);
                assert!(numbers.is_sorted(), "{}", entry.key);
            }
        }
    }
}
