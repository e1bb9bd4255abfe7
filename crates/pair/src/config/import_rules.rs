//! What becomes of each option of a hand-written `my.cnf`.

/// What becomes of one option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Becomes an entry of `options`.
    Keep,
    /// Becomes an entry of `options`, with a word about it.
    KeepWith(&'static str),
    /// Is left out, for this reason.
    LeaveOut(&'static str),
    /// `port`, `server_id`: becomes a key of the node.
    Port,
    ServerId,
    /// Names a database to replicate: becomes an entry of `databases`.
    DoDatabase,
    /// `replicate_wild_do_table`: as [`Fate::DoDatabase`] if it takes a whole database.
    WildDoTable,
    /// `gtid_mode`, `enforce_gtid_consistency` and MariaDB's kin: decides `replication.mode`.
    Gtid,
    /// Decides `replication.semi_sync`.
    SemiSync,
}

const PATH: &str = "a path of this machine: twinlog sets it for nodes it runs, and leaves an external node's alone";
const LOG: &str = "both logs are needed and twinlog names them; an external node keeps its names";
const TLS: &str = "an external node keeps its certificates; `[tls]` is for nodes twinlog runs";
const RENDERED: &str =
    "twinlog sets it as a dual primary needs it; put it into `options` to insist";
const AUTO_INCREMENT: &str =
    "twinlog sets increment 2 and offsets 1 and 2, so that both nodes can insert at once";
const FILTER: &str =
    "such a filter lets the nodes differ without an error; `databases` chooses what is replicated";
const SKIP_ERRORS: &str = "skipping replication errors hides that the nodes differ";
const SECRET: &str = "it may hold a password, and none belongs into this file";
const OTHER_ENGINE: &str =
    "it is for Galera or Group Replication, and this pair replicates natively";
const NETWORK: &str =
    "the peer and twinlog connect by TCP; `bind_address` of a node says where it listens";
const START: &str = "links must come back by themselves when a server restarts";
const SYMLINKS: &str = "off by default and deprecated since MySQL 8.0; on MySQL 5.x and MariaDB put `symbolic_links = 0` into `options` to keep it off";
const UTF8: &str = "`utf8` means utf8mb3, three bytes at most, no emoji: kept, since changing it changes new tables";

const RULES: &[(&str, Fate)] = &[
    ("port", Fate::Port),
    ("server_id", Fate::ServerId),
    ("binlog_do_db", Fate::DoDatabase),
    ("replicate_do_db", Fate::DoDatabase),
    ("replicate_wild_do_table", Fate::WildDoTable),
    ("gtid_mode", Fate::Gtid),
    ("enforce_gtid_consistency", Fate::Gtid),
    ("gtid_strict_mode", Fate::Gtid),
    ("gtid_domain_id", Fate::Gtid),
    ("rpl_semi_sync_master_enabled", Fate::SemiSync),
    ("rpl_semi_sync_slave_enabled", Fate::SemiSync),
    ("rpl_semi_sync_source_enabled", Fate::SemiSync),
    ("rpl_semi_sync_replica_enabled", Fate::SemiSync),
    ("symbolic_links", Fate::LeaveOut(SYMLINKS)),
    ("skip_symbolic_links", Fate::LeaveOut(SYMLINKS)),
    (
        "user",
        Fate::LeaveOut("the account of the server's process; `server.user` for nodes twinlog runs"),
    ),
    ("bind_address", Fate::LeaveOut(NETWORK)),
    ("skip_networking", Fate::LeaveOut(NETWORK)),
    ("report_password", Fate::LeaveOut(SECRET)),
    ("report_user", Fate::LeaveOut(SECRET)),
    ("tls_passphrase", Fate::LeaveOut(SECRET)),
    ("ssl_passphrase", Fate::LeaveOut(SECRET)),
    ("slave_skip_errors", Fate::LeaveOut(SKIP_ERRORS)),
    ("replica_skip_errors", Fate::LeaveOut(SKIP_ERRORS)),
    ("skip_slave_start", Fate::LeaveOut(START)),
    ("skip_replica_start", Fate::LeaveOut(START)),
    ("binlog_ignore_db", Fate::LeaveOut(FILTER)),
    ("replicate_do_table", Fate::LeaveOut(FILTER)),
    ("replicate_ignore_db", Fate::LeaveOut(FILTER)),
    ("replicate_ignore_table", Fate::LeaveOut(FILTER)),
    ("replicate_wild_ignore_table", Fate::LeaveOut(FILTER)),
    ("replicate_rewrite_db", Fate::LeaveOut(FILTER)),
    ("auto_increment_increment", Fate::LeaveOut(AUTO_INCREMENT)),
    ("auto_increment_offset", Fate::LeaveOut(AUTO_INCREMENT)),
];

/// By exact name: where the server keeps things.
const PATHS: &[&str] = &[
    "basedir",
    "character_sets_dir",
    "datadir",
    "general_log_file",
    "innodb_data_home_dir",
    "innodb_log_group_home_dir",
    "innodb_tmpdir",
    "innodb_undo_directory",
    "lc_messages_dir",
    "log_error",
    "pid_file",
    "plugin_dir",
    "secure_file_priv",
    "slow_query_log_file",
    "socket",
    "tmpdir",
    "slave_load_tmpdir",
    "replica_load_tmpdir",
];
const LOGS: &[&str] = &[
    "log_basename",
    "log_bin",
    "log_bin_index",
    "relay_log",
    "relay_log_index",
    "relay_log_info_file",
    "master_info_file",
    "skip_log_bin",
    "disable_log_bin",
];
const CERTIFICATES: &[&str] = &[
    "skip_ssl",
    "ssl",
    "ssl_ca",
    "ssl_capath",
    "ssl_cert",
    "ssl_crl",
    "ssl_crlpath",
    "ssl_key",
];
/// What twinlog sets on both nodes for the pair to be safe.
const RENDERED_NAMES: &[&str] = &[
    "binlog_checksum",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_metadata",
    "binlog_row_value_options",
    "innodb_flush_log_at_trx_commit",
    "log_replica_updates",
    "log_slave_updates",
    "master_info_repository",
    "read_only",
    "relay_log_info_repository",
    "relay_log_purge",
    "relay_log_recovery",
    "replica_exec_mode",
    "replica_net_timeout",
    "replica_parallel_type",
    "replica_parallel_workers",
    "replica_preserve_commit_order",
    "replicate_same_server_id",
    "slave_ddl_exec_mode",
    "slave_exec_mode",
    "slave_net_timeout",
    "slave_parallel_mode",
    "slave_parallel_threads",
    "slave_parallel_type",
    "slave_parallel_workers",
    "slave_preserve_commit_order",
    "super_read_only",
    "sync_binlog",
    "sync_master_info",
    "sync_relay_log",
    "sync_relay_log_info",
];

/// What becomes of the option of that normalised name and value.
pub(super) fn fate(name: &str, value: Option<&str>) -> Fate {
    let name = name.strip_prefix("loose_").unwrap_or(name);
    if let Some((_, fate)) = RULES.iter().find(|(rule, _)| *rule == name) {
        return *fate;
    }
    let groups = [
        (PATHS, PATH),
        (LOGS, LOG),
        (CERTIFICATES, TLS),
        (RENDERED_NAMES, RENDERED),
    ];
    if let Some((_, why)) = groups.iter().find(|(names, _)| names.contains(&name)) {
        return Fate::LeaveOut(why);
    }
    if name.starts_with("wsrep_") || name.starts_with("group_replication_") {
        return Fate::LeaveOut(OTHER_ENGINE);
    }
    let three_bytes = value.is_some_and(|value| value.eq_ignore_ascii_case("utf8"));
    if three_bytes && matches!(name, "character_set_server" | "default_character_set") {
        return Fate::KeepWith(UTF8);
    }
    Fate::Keep
}
