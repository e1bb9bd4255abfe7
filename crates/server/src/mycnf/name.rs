//! Option names: spellings that mean the same, prefixes, options that add up, and what values mean.

/// The server's own options that begin like a prefix; from `--help` of MySQL 5.6 and 9.7 and MariaDB 10.11 and 11.8,
/// and for Windows from the manual.
const WHOLE_NAMES: [&str; 12] = [
    "enable_cascade_triggers",
    "enable_named_pipe",
    "enable_secondary_engine_statistics",
    "skip_grant_tables",
    "skip_host_cache",
    "skip_name_resolve",
    "skip_networking",
    "skip_new",
    "skip_replica_start",
    "skip_show_database",
    "skip_slave_start",
    "skip_stack_trace",
];

/// Options of which every occurrence counts; of all others the last one does.
const ADDING_UP: [&str; 12] = [
    "binlog_do_db",
    "binlog_ignore_db",
    "ignore_db_dir",
    "performance_schema_instrument",
    "plugin_load_add",
    "replicate_do_db",
    "replicate_do_table",
    "replicate_ignore_db",
    "replicate_ignore_table",
    "replicate_rewrite_db",
    "replicate_wild_do_table",
    "replicate_wild_ignore_table",
];

/// What a written name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) loose: bool,
    /// The value a `skip-`, `disable-` or `enable-` prefix gives.
    pub(super) switch: Option<bool>,
}

/// One spelling for all: lower case (MariaDB takes any case, MySQL only this one) with underscores.
pub(super) fn normalise(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Takes prefixes off as the server does: one after another, the last one before the option's own name deciding.
/// `--skip-loose-x` therefore switches x on.
pub(super) fn resolve(written: &str, value: Option<&str>) -> Resolved {
    let whole = normalise(written);
    let (mut name, mut loose, mut switch) = (whole.as_str(), false, None);
    while !WHOLE_NAMES.contains(&name) {
        let rest = |prefix| {
            name.strip_prefix(prefix)
                .filter(|rest: &&str| !rest.is_empty())
        };
        if let Some(rest) = rest("loose_") {
            (name, loose, switch) = (rest, true, None);
        } else if let Some(rest) = rest("skip_").or_else(|| rest("disable_")) {
            // A doubly negative `skip-x = 0` switches x on.
            (name, switch) = (rest, Some(value == Some("0")));
        } else if let Some(rest) = rest("enable_") {
            (name, switch) = (rest, Some(value != Some("0")));
        } else {
            break;
        }
    }
    Resolved {
        name: name.to_owned(),
        loose,
        switch,
    }
}

/// Whether every occurrence of this option counts. MariaDB's filters for one connection, written
/// `connection.replicate_do_db`, add up too.
pub(super) fn adds_up(name: &str) -> bool {
    ADDING_UP.contains(&name.rsplit('.').next().unwrap_or(name))
}

/// Whether its value is for nobody's eyes.
pub(super) fn is_secret(name: &str) -> bool {
    ["password", "passphrase", "wsrep_sst_auth", "filekey"]
        .iter()
        .any(|word| name.contains(word))
}

/// A boolean option's value: what is not one of these, the servers warn of and take for OFF.
pub(super) fn as_bool(value: Option<&str>) -> Option<bool> {
    let Some(value) = value else {
        return Some(true);
    };
    let is = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
    if is(["1", "on", "true"]) {
        Some(true)
    } else if is(["0", "off", "false"]) {
        Some(false)
    } else {
        None
    }
}

/// A whole number with an optional unit suffix: K, M, G, and T, P, E, which MySQL before 8.0.14 refuses.
pub(super) fn as_number(value: &str) -> Option<u64> {
    let shift = match value.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        b'p' => 50,
        b'e' => 60,
        _ => 0,
    };
    let digits = if shift == 0 {
        value
    } else {
        &value[..value.len() - 1]
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| digits.parse::<u64>().ok()).flatten()?;
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let cases = [
            ("Server-ID", Some("1"), "server_id", false, None),
            (
                "loose-group_replication_x",
                Some("1"),
                "group_replication_x",
                true,
                None,
            ),
            ("loose_skip-ssl", None, "ssl", true, Some(false)),
            ("skip-log-bin", None, "log_bin", false, Some(false)),
            ("disable_log_bin", None, "log_bin", false, Some(false)),
            (
                "skip-symbolic-links",
                Some("0"),
                "symbolic_links",
                false,
                Some(true),
            ),
            (
                "enable-symbolic-links",
                None,
                "symbolic_links",
                false,
                Some(true),
            ),
            (
                "enable-symbolic-links",
                Some("0"),
                "symbolic_links",
                false,
                Some(false),
            ),
            ("skip-name-resolve", None, "skip_name_resolve", false, None),
            (
                "disable-skip-name-resolve",
                None,
                "skip_name_resolve",
                false,
                Some(false),
            ),
            (
                "loose-skip-replica-start",
                None,
                "skip_replica_start",
                true,
                None,
            ),
            (
                "skip-loose-symbolic-links",
                None,
                "symbolic_links",
                true,
                None,
            ),
            (
                "disabled-storage-engines",
                Some("x"),
                "disabled_storage_engines",
                false,
                None,
            ),
            (
                "maximum-sort-buffer-size",
                Some("1"),
                "maximum_sort_buffer_size",
                false,
                None,
            ),
            ("skip-", None, "skip_", false, None),
        ];
        for (written, value, name, loose, switch) in cases {
            let expected = Resolved {
                name: name.to_owned(),
                loose,
                switch,
            };
            assert_eq!(resolve(written, value), expected, "{written}");
        }
    }

    #[test]
    fn values() {
        assert_eq!(as_number("16M"), Some(16 << 20));
        assert_eq!(as_number("1t"), Some(1 << 40));
        assert_eq!(as_number("18446744073709551615"), Some(u64::MAX));
        for text in ["", "M", "-1", "1.5G", "16 M", "16MB", "99E", "é"] {
            assert_eq!(as_number(text), None, "{text}");
        }
        assert_eq!(as_bool(None), Some(true));
        assert_eq!(
            (as_bool(Some("On")), as_bool(Some("FALSE"))),
            (Some(true), Some(false))
        );
        assert_eq!((as_bool(Some("yes")), as_bool(Some(""))), (None, None));
        assert!(adds_up("east.replicate_do_db") && !adds_up("server_id"));
    }
}
