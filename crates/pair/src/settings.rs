//! The server settings that a dual primary needs, each with its reason: what `my.cnf` gets, what an external server
//! is asked to set, and what `doctor` holds a server against.

use twinlog_server::{dialect::Dialect, facts::ServerFacts};

use crate::config::{Config, Filter, Mode, Node, Runtime, Writes};

/// How long binary logs are kept: an outage of the peer may last a month before its missing changes are gone.
pub const BINLOG_RETENTION_S: u64 = 30 * 24 * 3600;
/// After how long without a word (a heartbeat comes every 2 s) a replica reconnects.
pub const NET_TIMEOUT_S: u32 = 10;
/// Transactions applied side by side.
pub const APPLIER_WORKERS: u32 = 4;
/// How often the applier tries a transaction again that hit a lock or a deadlock; the servers' own 10 can be used up
/// by one long client transaction.
pub const TRANSACTION_RETRIES: u32 = 100;

/// What happens without a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The pair works, but loses safety or comfort: set where it can be, advised where it cannot.
    Advised,
    /// Without it there is no dual primary.
    Required,
}

/// One server setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// twinlog's key for the variable (see [`Dialect::variable`]), or the option's own name for a user's option.
    pub key: String,
    /// The name on this version.
    pub name: String,
    /// The value.
    pub value: String,
    /// Why, in one sentence.
    pub reason: String,
    /// What happens without it.
    pub need: Need,
}

/// A wish before it is looked up in the dialect.
struct Wish(&'static str, String, Need, &'static str);

/// The settings of one node (`index` 0 or 1), in the order they are shown; the user's `options` win.
pub fn desired(config: &Config, index: usize, server_id: u32, dialect: &Dialect) -> Vec<Setting> {
    let options = config.options_of(&config.nodes[index]);
    wishes(config, index, server_id, dialect)
        .into_iter()
        .filter_map(|Wish(key, value, need, reason)| {
            let name = dialect.variable(key)?.name.to_owned();
            let value = if name == "expire_logs_days" {
                in_days(&value)
            } else {
                value
            };
            Some(match options.get(&name).or_else(|| options.get(key)) {
                Some(own) => Setting {
                    key: key.into(),
                    name,
                    reason: format!("your option (twinlog would set {value}: {reason})"),
                    value: own.to_string(),
                    need: Need::Advised,
                },
                None => Setting {
                    key: key.into(),
                    name,
                    value,
                    reason: reason.into(),
                    need,
                },
            })
        })
        .collect()
}

fn in_days(seconds: &str) -> String {
    (seconds.parse().unwrap_or(0_u64) / 86_400).to_string()
}

fn wishes(config: &Config, index: usize, server_id: u32, dialect: &Dialect) -> Vec<Wish> {
    use Need::{Advised, Required};
    let wish = |key, value: &str, need, reason| Wish(key, value.to_owned(), need, reason);
    let number = index + 1;
    let mut wishes = vec![
        Wish(
            "server_id",
            server_id.to_string(),
            Required,
            "tells the two nodes' changes apart",
        ),
        wish(
            "log_bin",
            "binlog",
            Required,
            "the binary log is what the peer reads",
        ),
        wish(
            "log_replica_updates",
            "ON",
            Required,
            "each log must also show what came from the peer, to be compared",
        ),
        wish(
            "binlog_format",
            "ROW",
            Required,
            "logs the rows themselves, not statements that may act differently on the peer",
        ),
        wish(
            "binlog_row_image",
            "FULL",
            Required,
            "logs whole rows, without which a conflict cannot be seen or resolved",
        ),
        wish(
            "binlog_row_metadata",
            "FULL",
            Advised,
            "logs column names and signs, without which values decode wrongly",
        ),
        wish(
            "binlog_row_value_options",
            "",
            Required,
            "logs changed JSON values whole: from a part of one nobody can tell the value",
        ),
        wish(
            "binlog_checksum",
            "CRC32",
            Advised,
            "finds damaged events before they are applied",
        ),
    ];
    if config.replication.mode == Mode::Gtid {
        // `enforce` first: it must be in force before GTIDs are switched on.
        wishes.push(wish(
            "enforce_gtid_consistency",
            "ON",
            Required,
            "refuses what cannot be logged under one GTID",
        ));
        wishes.push(wish(
            "gtid_mode",
            "ON",
            Required,
            "names every transaction, so that a link resumes where it was",
        ));
    }
    wishes.extend([
        Wish(
            "gtid_domain_id",
            number.to_string(),
            Required,
            "one domain for each node: their changes are numbered apart",
        ),
        wish(
            "gtid_strict_mode",
            "ON",
            Advised,
            "refuses transactions out of order instead of mixing them up",
        ),
        wish(
            "auto_increment_increment",
            "2",
            Required,
            "two nodes hand out numbers: each takes every second one",
        ),
        Wish(
            "auto_increment_offset",
            number.to_string(),
            Required,
            "this node's half of the numbers",
        ),
        wish(
            "sync_binlog",
            "1",
            Advised,
            "a commit is in the log on disk, or a crash would lose what the peer already has",
        ),
        wish(
            "innodb_flush_log_at_trx_commit",
            "1",
            Advised,
            "a commit is on disk before the client hears of it",
        ),
        wish(
            "source_info_repository",
            "TABLE",
            Advised,
            "the link's place survives a crash",
        ),
        wish(
            "relay_log_info_repository",
            "TABLE",
            Advised,
            "the applier's place commits with the data",
        ),
        wish(
            "relay_log_recovery",
            "ON",
            Advised,
            "after a crash, fetches again what was received but not applied",
        ),
        wish(
            "replica_parallel_type",
            "LOGICAL_CLOCK",
            Advised,
            "applies in parallel what committed together on the source",
        ),
        // 5.6 could apply in parallel by schema only, and not keep the commit order.
        Wish(
            "replica_parallel_workers",
            if dialect.variable("replica_preserve_commit_order").is_some() || dialect.is_mariadb() {
                APPLIER_WORKERS.to_string()
            } else {
                "0".into()
            },
            Advised,
            "how many transactions are applied at a time",
        ),
        // MariaDB's default, optimistic, runs a transaction before the one it depends on and rolls it back; under an
        // applier that forgives missing rows there is no error to roll back on, and the change is lost.
        wish(
            "slave_parallel_mode",
            "conservative",
            Advised,
            "parallel, but never ahead of a transaction it depends on",
        ),
        wish(
            "replica_preserve_commit_order",
            "ON",
            Advised,
            "commits in the source's order, so that both logs can be compared",
        ),
        exec_mode(config),
        // MariaDB's default turns a CREATE TABLE that comes from the peer into CREATE OR REPLACE: where both nodes made a
        // table of one name, both lose its rows without a word.
        wish(
            "slave_ddl_exec_mode",
            "STRICT",
            Advised,
            "a CREATE TABLE from the peer never replaces a table, and its rows, that this node made itself",
        ),
        Wish(
            "replica_net_timeout",
            NET_TIMEOUT_S.to_string(),
            Advised,
            "notices a dead connection within seconds",
        ),
        if dialect.row().retries_whole {
            Wish(
                "replica_transaction_retries",
                TRANSACTION_RETRIES.to_string(),
                Advised,
                "outlasts locks held by clients",
            )
        } else {
            wish(
                "replica_transaction_retries",
                "0",
                Required,
                "this version's applier loses half a transaction in silence when it tries again after a client's lock: it stops \
                 instead, and `twinlog run` starts it",
            )
        },
        Wish(
            "binlog_expire_logs_seconds",
            BINLOG_RETENTION_S.to_string(),
            Advised,
            "outlasts a long outage of the peer",
        ),
    ]);
    if dialect.is_mariadb() && config.replication.mode == Mode::Position {
        for key in ["sync_source_info", "sync_relay_log", "sync_relay_log_info"] {
            wishes.push(wish(key, "1", Advised, "without GTIDs the link's place is in files, which must be on disk to survive a crash"));
        }
    }
    if config.replication.semi_sync {
        for key in ["semi_sync_source", "semi_sync_replica"] {
            wishes.push(wish(
                key,
                "ON",
                Required,
                "semi_sync = true: a commit waits until the peer has received it",
            ));
        }
    }
    wishes
}

/// How the applier takes a row that is not as it was on the source. Changing it acts at once on a running applier (tried
/// on MySQL 5.6 and 9.7, MariaDB 10.11).
fn exec_mode(config: &Config) -> Wish {
    let (value, reason) = match (config.conflicts.is_active(), config.replication.mode) {
        (true, Mode::Gtid) => (
            "IDEMPOTENT",
            "a conflict policy is set: the applier goes on past a row that both nodes wrote, and `twinlog run` repairs it",
        ),
        (true, Mode::Position) => (
            "STRICT",
            "the applier stops at a row that both nodes wrote: without GTIDs `twinlog run` cannot repair it",
        ),
        (false, _) => (
            "STRICT",
            "policy \"manual\": the applier stops at a row that is missing or in the way, as nothing would repair it",
        ),
    };
    Wish("replica_exec_mode", value.into(), Need::Required, reason)
}

/// Settings that act on everything at once when they are set at run time: no connection keeps a value of its own. For
/// these a server whose option file changes need not be restarted.
const AT_ONCE: [&str; 2] = ["replica_exec_mode", "slave_ddl_exec_mode"];

/// Whether a running server lacks nothing of its new option file but what can be set without a restart. `started` is
/// the file it was started with; remarks do not matter.
pub fn without_restart(
    started: &str,
    text: &str,
    settings: &[Setting],
    server: Option<&ServerFacts>,
) -> bool {
    let [old, new] = [started, text].map(options_of);
    let stays = |name: &str| new.iter().any(|(kept, _)| *kept == name);
    let is_known = |(name, value): &(&str, &str)| {
        old.contains(&(*name, *value))
            || settings
                .iter()
                .filter(|setting| setting.name == *name)
                .any(|setting| {
                    AT_ONCE.contains(&setting.key.as_str())
                        || server
                            .and_then(|server| server.named(name))
                            .is_some_and(|actual| same_value(&setting.value, actual))
                })
    };
    old.iter().all(|(name, _)| stays(name)) && new.iter().all(is_known)
}

/// The lines of an option file that a server reads: name and value.
fn options_of(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            (name.trim(), value.trim())
        })
        .collect()
}

/// Whether a server's value means what a setting asks for: `ON` is `1`, and case does not matter.
pub fn same_value(desired: &str, actual: &str) -> bool {
    let plain = |value: &str| match value.trim().to_ascii_uppercase().as_str() {
        "ON" | "TRUE" | "YES" => "1".to_owned(),
        "OFF" | "FALSE" | "NO" => "0".to_owned(),
        other => other.to_owned(),
    };
    plain(desired) == plain(actual)
}

/// One line of a rendered option file: name, value (`None` for a bare switch) and reason.
pub type ConfigLine = (String, Option<String>, String);

/// The filter lines for `databases`, in the form that was asked for.
pub fn filter_lines(config: &Config) -> Vec<ConfigLine> {
    let Some(databases) = &config.databases else {
        return Vec::new();
    };
    let own = twinlog_server::facts::OWN_SCHEMA.to_owned();
    let names = databases.iter().cloned().chain([own]);
    match config.replication.filter {
        Filter::Replica => names
            .map(|name| {
                ("replicate_wild_do_table".into(), Some(wild_table_pattern(&name)), format!(
                    "applies what changes {name}, whatever the client's current database was"
                ))
            })
            .collect(),
        Filter::BinlogDoDb => names
            .map(|name| {
                ("binlog_do_db".into(), Some(name.clone()), format!(
                    "filter = \"binlog-do-db\": logs only {name}; statements from another current database can be lost"
                ))
            })
            .collect(),
    }
}

/// `db.%`, with the wildcards in the name itself escaped. With `%` for the table, CREATE, ALTER and DROP DATABASE
/// pass too (MySQL manual, "--replicate-wild-do-table").
pub fn wild_table_pattern(database: &str) -> String {
    format!(
        "{}.%",
        database
            .replace('\\', "\\\\")
            .replace('_', "\\_")
            .replace('%', "\\%")
    )
}

/// Whether a node is started so that it refuses clients' writes until `up` has decided who the writer is.
pub fn starts_read_only(config: &Config, node: &Node) -> bool {
    config.writes == Writes::One && config.runtime_of(node) != Runtime::External
}

#[cfg(test)]
mod tests;
