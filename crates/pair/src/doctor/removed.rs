//! Options that newer servers no longer know, or values that they no longer take: such a server does not start.
//!
//! From the lists "removed" of the MySQL 8.0, 8.4 and 9.x manuals; `character_set_server = utf8` was tried on 9.7.4.

use twinlog_server::{mycnf::Opt, version::Version};

/// An option, the first MySQL version that refuses it, and what to write instead.
pub(super) const REMOVED: &[(&str, (u16, u16, u16), &str)] = &[
    (
        "binlog_transaction_dependency_tracking",
        (8, 4, 0),
        "leave it out: WRITESET is what the server does",
    ),
    ("date_format", (8, 0, 3), "leave it out"),
    (
        "default_authentication_plugin",
        (8, 4, 0),
        "authentication_policy",
    ),
    ("expire_logs_days", (8, 4, 0), "binlog_expire_logs_seconds"),
    ("innodb_file_format", (8, 0, 0), "leave it out"),
    ("innodb_large_prefix", (8, 0, 0), "leave it out"),
    ("innodb_support_xa", (8, 0, 0), "leave it out"),
    ("log_warnings", (8, 0, 3), "log_error_verbosity"),
    (
        "master_info_repository",
        (8, 3, 0),
        "leave it out: it is TABLE",
    ),
    ("multi_range_count", (8, 0, 3), "leave it out"),
    ("old_passwords", (8, 0, 11), "leave it out"),
    ("query_cache_limit", (8, 0, 3), "leave it out"),
    ("query_cache_size", (8, 0, 3), "leave it out"),
    ("query_cache_type", (8, 0, 3), "leave it out"),
    (
        "relay_log_info_repository",
        (8, 3, 0),
        "leave it out: it is TABLE",
    ),
    (
        "replica_parallel_type",
        (8, 4, 0),
        "leave it out: it is LOGICAL_CLOCK",
    ),
    ("secure_auth", (8, 0, 3), "leave it out"),
    (
        "slave_parallel_type",
        (8, 4, 0),
        "leave it out: it is LOGICAL_CLOCK",
    ),
    ("slave_rows_search_algorithms", (8, 3, 0), "leave it out"),
    ("sync_frm", (8, 0, 0), "leave it out"),
    (
        "transaction_write_set_extraction",
        (8, 3, 0),
        "leave it out: it is XXHASH64",
    ),
    ("tx_isolation", (8, 0, 3), "transaction_isolation"),
    ("tx_read_only", (8, 0, 3), "transaction_read_only"),
];

/// Since when a server refuses an option as it is written, and what to do instead.
pub(super) fn refused(opt: &Opt) -> Option<((u16, u16, u16), &'static str)> {
    if opt.loose {
        return None;
    }
    let is_utf8 = || {
        opt.value
            .as_deref()
            .is_some_and(|value| value.eq_ignore_ascii_case("utf8"))
    };
    if opt.name == "character_set_server" && is_utf8() {
        return Some(((9, 7, 0), "write utf8mb4, or utf8mb3 for what utf8 was"));
    }
    REMOVED
        .iter()
        .find(|(name, ..)| *name == opt.name)
        .map(|(_, since, instead)| (*since, *instead))
}

/// Whether a server of this version is one of those.
pub(super) fn concerns(since: (u16, u16, u16), version: &Version) -> bool {
    version.at_least(since.0, since.1, since.2)
}
