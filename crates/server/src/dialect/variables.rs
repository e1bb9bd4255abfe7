//! The server variables that twinlog sets or checks: what each version calls them and when they can change.
//!
//! Sources: the "Server System Variables" and "Replication Options" chapters of the MySQL 5.6 to 9.x reference
//! manuals and of the MariaDB knowledge base; tried on MySQL 5.6.24 and 9.7, MariaDB 10.11 and 11.8.

use crate::version::Flavour::{self, MariaDb, MySql};

/// When a variable may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Any time, by `SET GLOBAL`.
    Live,
    /// By `SET GLOBAL` while the server's own applier is stopped.
    LinkStopped,
    /// Only by an option file and a restart.
    Restart,
}

/// One spelling of a variable and the versions that have it.
#[derive(Debug)]
pub struct Variable {
    /// twinlog's name for the variable, whatever the version calls it: its newest MySQL name.
    pub key: &'static str,
    /// The name on these versions, in `SHOW GLOBAL VARIABLES`.
    pub name: &'static str,
    /// Whose.
    pub flavour: Flavour,
    /// The first version that has it.
    pub from: (u16, u16, u16),
    /// The first version that no longer has it (or has it under another name).
    pub until: (u16, u16, u16),
    /// When it may change.
    pub changes: Changes,
}

const END: (u16, u16, u16) = (u16::MAX, 0, 0);
const ANY: (u16, u16, u16) = (0, 0, 0);

const fn v(
    key: &'static str,
    name: &'static str,
    flavour: Flavour,
    from: (u16, u16, u16),
    until: (u16, u16, u16),
    changes: Changes,
) -> Variable {
    Variable {
        key,
        name,
        flavour,
        from,
        until,
        changes,
    }
}

use Changes::{LinkStopped, Live, Restart};

/// Every variable, grouped by key.
#[rustfmt::skip]
pub const VARIABLES: &[Variable] = &[
    v("server_id", "server_id", MySql, ANY, END, Live),
    v("server_id", "server_id", MariaDb, ANY, END, Live),
    v("log_bin", "log_bin", MySql, ANY, END, Restart),
    v("log_bin", "log_bin", MariaDb, ANY, END, Restart),
    v("log_replica_updates", "log_slave_updates", MySql, ANY, (8, 0, 26), Restart),
    v("log_replica_updates", "log_replica_updates", MySql, (8, 0, 26), END, Restart),
    v("log_replica_updates", "log_slave_updates", MariaDb, ANY, END, Restart),
    v("binlog_format", "binlog_format", MySql, ANY, END, Live),
    v("binlog_format", "binlog_format", MariaDb, ANY, END, Live),
    v("binlog_row_image", "binlog_row_image", MySql, (5, 6, 2), END, Live),
    v("binlog_row_image", "binlog_row_image", MariaDb, ANY, END, Live),
    v("binlog_row_metadata", "binlog_row_metadata", MySql, (8, 0, 1), END, Live),
    v("binlog_row_metadata", "binlog_row_metadata", MariaDb, (10, 5, 0), END, Live),
    v("binlog_row_value_options", "binlog_row_value_options", MySql, (8, 0, 3), END, Live),
    v("binlog_checksum", "binlog_checksum", MySql, (5, 6, 2), END, Live),
    v("binlog_checksum", "binlog_checksum", MariaDb, ANY, END, Live),
    v("gtid_mode", "gtid_mode", MySql, (5, 6, 5), (5, 7, 6), Restart),
    v("gtid_mode", "gtid_mode", MySql, (5, 7, 6), END, Live),
    v("enforce_gtid_consistency", "enforce_gtid_consistency", MySql, (5, 6, 9), (5, 7, 6), Restart),
    v("enforce_gtid_consistency", "enforce_gtid_consistency", MySql, (5, 7, 6), END, Live),
    v("gtid_domain_id", "gtid_domain_id", MariaDb, ANY, END, Live),
    v("gtid_strict_mode", "gtid_strict_mode", MariaDb, ANY, END, Live),
    v("auto_increment_increment", "auto_increment_increment", MySql, ANY, END, Live),
    v("auto_increment_increment", "auto_increment_increment", MariaDb, ANY, END, Live),
    v("auto_increment_offset", "auto_increment_offset", MySql, ANY, END, Live),
    v("auto_increment_offset", "auto_increment_offset", MariaDb, ANY, END, Live),
    v("sync_binlog", "sync_binlog", MySql, ANY, END, Live),
    v("sync_binlog", "sync_binlog", MariaDb, ANY, END, Live),
    v("innodb_flush_log_at_trx_commit", "innodb_flush_log_at_trx_commit", MySql, ANY, END, Live),
    v("innodb_flush_log_at_trx_commit", "innodb_flush_log_at_trx_commit", MariaDb, ANY, END, Live),
    v("source_info_repository", "master_info_repository", MySql, (5, 6, 2), (8, 3, 0), LinkStopped),
    v("relay_log_info_repository", "relay_log_info_repository", MySql, (5, 6, 2), (8, 3, 0), LinkStopped),
    v("relay_log_recovery", "relay_log_recovery", MySql, ANY, END, Restart),
    v("relay_log_recovery", "relay_log_recovery", MariaDb, ANY, END, Restart),
    v("sync_source_info", "sync_master_info", MariaDb, ANY, END, Live),
    v("sync_relay_log", "sync_relay_log", MariaDb, ANY, END, Live),
    v("sync_relay_log_info", "sync_relay_log_info", MariaDb, ANY, END, Live),
    v("replica_parallel_type", "slave_parallel_type", MySql, (5, 7, 2), (8, 0, 26), LinkStopped),
    v("replica_parallel_type", "replica_parallel_type", MySql, (8, 0, 26), (8, 4, 0), LinkStopped),
    v("replica_parallel_workers", "slave_parallel_workers", MySql, (5, 6, 3), (8, 0, 26), LinkStopped),
    v("replica_parallel_workers", "replica_parallel_workers", MySql, (8, 0, 26), END, LinkStopped),
    v("replica_parallel_workers", "slave_parallel_threads", MariaDb, ANY, END, LinkStopped),
    v("slave_parallel_mode", "slave_parallel_mode", MariaDb, ANY, END, LinkStopped),
    v("replica_preserve_commit_order", "slave_preserve_commit_order", MySql, (5, 7, 5), (8, 0, 26), LinkStopped),
    v("replica_preserve_commit_order", "replica_preserve_commit_order", MySql, (8, 0, 26), END, LinkStopped),
    v("slave_ddl_exec_mode", "slave_ddl_exec_mode", MariaDb, ANY, END, Live),
    v("replica_net_timeout", "slave_net_timeout", MySql, ANY, (8, 0, 26), Live),
    v("replica_net_timeout", "replica_net_timeout", MySql, (8, 0, 26), END, Live),
    v("replica_net_timeout", "slave_net_timeout", MariaDb, ANY, END, LinkStopped),
    v("replica_transaction_retries", "slave_transaction_retries", MySql, ANY, (8, 0, 26), Live),
    v("replica_transaction_retries", "replica_transaction_retries", MySql, (8, 0, 26), END, Live),
    v("replica_transaction_retries", "slave_transaction_retries", MariaDb, ANY, END, Live),
    v("replica_exec_mode", "slave_exec_mode", MySql, ANY, (8, 0, 26), Live),
    v("replica_exec_mode", "replica_exec_mode", MySql, (8, 0, 26), END, Live),
    v("replica_exec_mode", "slave_exec_mode", MariaDb, ANY, END, Live),
    v("semi_sync_source", "rpl_semi_sync_master_enabled", MySql, ANY, (8, 0, 26), Live),
    v("semi_sync_source", "rpl_semi_sync_source_enabled", MySql, (8, 0, 26), END, Live),
    v("semi_sync_source", "rpl_semi_sync_master_enabled", MariaDb, ANY, END, Live),
    v("semi_sync_replica", "rpl_semi_sync_slave_enabled", MySql, ANY, (8, 0, 26), LinkStopped),
    v("semi_sync_replica", "rpl_semi_sync_replica_enabled", MySql, (8, 0, 26), END, LinkStopped),
    v("semi_sync_replica", "rpl_semi_sync_slave_enabled", MariaDb, ANY, END, LinkStopped),
    v("binlog_expire_logs_seconds", "expire_logs_days", MySql, ANY, (8, 0, 1), Live),
    v("binlog_expire_logs_seconds", "binlog_expire_logs_seconds", MySql, (8, 0, 1), END, Live),
    v("binlog_expire_logs_seconds", "expire_logs_days", MariaDb, ANY, (10, 6, 1), Live),
    v("binlog_expire_logs_seconds", "binlog_expire_logs_seconds", MariaDb, (10, 6, 1), END, Live),
    v("read_only", "read_only", MySql, ANY, END, Live),
    v("read_only", "read_only", MariaDb, ANY, END, Live),
    v("super_read_only", "super_read_only", MySql, (5, 7, 8), END, Live),
];
