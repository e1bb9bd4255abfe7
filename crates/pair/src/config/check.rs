//! What must hold between the values of a configuration, each of which is well-formed by itself.

use std::collections::BTreeSet;

use super::check_nodes;
use super::model::{Config, Filter, Policy, Runtime};
use super::options::{Options, normalised};
use super::pattern::Pattern;

/// Longest name of a pair: with a node's name it makes a host name, of at most 60 characters on the
/// oldest servers.
const PAIR_NAME_CHARS_MAX: usize = 32;
/// Longest name of a node.
pub(super) const NODE_NAME_CHARS_MAX: usize = 16;
/// Longest name of a database, table or column in MySQL and MariaDB.
const IDENTIFIER_CHARS_MAX: usize = 64;
/// Docker refuses a container less than this.
const MEMORY_BYTES_MIN: u64 = 6 << 20;

/// Databases that belong to the server and are never replicated.
const SYSTEM_SCHEMAS: [&str; 5] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "sys",
    "ndbinfo",
];

/// Options that have a key of their own, or that twinlog must set itself to find its server again.
const RESERVED_OPTIONS: [(&str, &str); 8] = [
    ("port", "use `port` of the node"),
    ("server_id", "use `server_id` of the node"),
    ("bind_address", "use `bind_address` of the node"),
    ("datadir", "use `data_dir`"),
    ("user", "use `server.user`"),
    ("socket", "twinlog places it beside the data"),
    ("pid_file", "twinlog places it beside the data"),
    (
        "binlog_do_db",
        "use `databases`, with `replication.filter = \"binlog-do-db\"` for this form",
    ),
];

/// Something that does not hold, and the key that says so.
pub(super) struct Finding {
    pub(super) key: Vec<String>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, key: &[&str], message: String, hint: &str) {
        self.0.push(Finding {
            key: key.iter().map(|part| (*part).to_owned()).collect(),
            message,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        });
    }
}

/// Everything that does not hold.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Findings::default();
    pair(config, &mut findings);
    databases(config, &mut findings);
    server(config, &mut findings);
    check_nodes::check(config, &mut findings);
    conflicts(config, &mut findings);
    agent(config, &mut findings);
    findings.0
}

/// Lower case letters, digits and inner hyphens, beginning with a letter: fit for host names.
pub(super) fn is_label(name: &str, chars_max: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(inner)
        && !name.ends_with('-')
        && name.len() <= chars_max
}

fn pair(config: &Config, findings: &mut Findings) {
    if !is_label(&config.name, PAIR_NAME_CHARS_MAX) {
        let message = format!("{:?} cannot name a pair", config.name);
        findings.add(
            &["name"],
            message,
            "lower case letters, digits and `-`, a letter first, at most 32: it names containers, \
             directories and accounts",
        );
    }
}

fn databases(config: &Config, findings: &mut Findings) {
    let Some(databases) = &config.databases else {
        if config.replication.filter == Filter::BinlogDoDb {
            findings.add(
                &["replication", "filter"],
                "filter \"binlog-do-db\" filters nothing without `databases`".to_owned(),
                "list the `databases`, or leave `filter` out",
            );
        }
        return;
    };
    if databases.is_empty() {
        let message = "`databases` is empty: nothing would be replicated".to_owned();
        findings.add(
            &["databases"],
            message,
            "leave the key out to replicate all of them",
        );
    }
    let mut seen = BTreeSet::new();
    for (index, name) in databases.iter().enumerate() {
        let key = ["databases", &index.to_string()];
        if is_system_schema(name) {
            let message = format!("{name:?} is a system schema: each server keeps its own");
            findings.add(&key, message, "leave it out");
        } else if !is_identifier(name) {
            findings.add(&key, format!("{name:?} cannot be a database's name"), "");
        } else if !seen.insert(name) {
            findings.add(&key, format!("{name:?} is listed twice"), "");
        }
    }
}

pub(super) fn is_system_schema(name: &str) -> bool {
    SYSTEM_SCHEMAS
        .iter()
        .any(|schema| schema.eq_ignore_ascii_case(name))
}

/// Any characters but control characters; no space at the end.
fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= IDENTIFIER_CHARS_MAX
        && !name.chars().any(char::is_control)
        && !name.ends_with(' ')
}

fn server(config: &Config, findings: &mut Findings) {
    options(&["server", "options"], &config.server.options, findings);
    image(&["server", "image"], &config.server.image, findings);
    if is_spaced(&config.server.user) {
        let message = format!("{:?} cannot be an account's name", config.server.user);
        findings.add(&["server", "user"], message, "");
    }
    let limits = config.server.docker;
    if limits
        .memory_bytes
        .is_some_and(|bytes| bytes < MEMORY_BYTES_MIN)
    {
        let message = "a container needs at least 6 MiB of memory".to_owned();
        findings.add(
            &["server", "docker", "memory"],
            message,
            "a server needs some hundred: \"1g\"",
        );
    }
    if limits
        .cpus
        .is_some_and(|cpus| !(cpus.is_finite() && cpus > 0.0))
    {
        let message = "`cpus` must be more than 0".to_owned();
        findings.add(&["server", "docker", "cpus"], message, "");
    }
}

/// White space and control characters, or nothing at all: in no name of the system's.
pub(super) fn is_spaced(text: &str) -> bool {
    text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control())
}

pub(super) fn image(key: &[&str], image: &str, findings: &mut Findings) {
    if is_spaced(image) {
        let hint = "such as \"mysql:8.4\" or \"mariadb:11.8\"";
        findings.add(key, format!("{image:?} cannot be an image's name"), hint);
    }
}

/// An option becomes one line of a configuration file.
pub(super) fn options(key: &[&str], options: &Options, findings: &mut Findings) {
    for (name, value) in options {
        let key: Vec<&str> = key.iter().copied().chain([name.as_str()]).collect();
        let reserved = RESERVED_OPTIONS
            .iter()
            .find(|(reserved, _)| reserved == name);
        if let Some((_, hint)) = reserved {
            let message = format!("option `{name}` cannot be set through `options`");
            findings.add(&key, message, hint);
        } else if !is_option_name(name) {
            let message = format!("{name:?} cannot be the name of a server option");
            findings.add(&key, message, "");
        } else if value.to_string().chars().any(char::is_control) {
            let message = format!("the value of option `{name}` must be one line");
            findings.add(&key, message, "");
        }
    }
}

fn is_option_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    normalised(name) == name
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(word)
}

fn conflicts(config: &Config, findings: &mut Findings) {
    prefer(
        &["conflicts", "policy"],
        &config.conflicts.policy,
        config,
        findings,
    );
    let mut seen = BTreeSet::new();
    for (index, entry) in config.conflicts.tables.iter().enumerate() {
        let index = index.to_string();
        let key = |name| ["conflicts", "tables", &index, name];
        if !is_pattern(&entry.pattern) {
            let message = format!("{:?} does not match any table", entry.pattern);
            let hint = "write `database.table`, `*` for any characters: \"shop.stock\", \"shop.*\"; a name with a dot goes \
                        between backticks: \"`we.ird`.stock\"";
            findings.add(&key("match"), message, hint);
        } else if !seen.insert(&entry.pattern) {
            let message = format!("{:?} has an entry above", entry.pattern);
            findings.add(
                &key("match"),
                message,
                "the first entry that matches decides: join the two",
            );
        }
        prefer(&key("policy"), &entry.policy, config, findings);
        if !entry.counters.is_empty() && entry.policy != Policy::Merge {
            let message = format!("`counters` mean nothing under policy \"{}\"", entry.policy);
            findings.add(
                &key("counters"),
                message,
                "counters are added up by policy \"merge\"",
            );
        }
    }
}

/// Something before a dot and after it, and no other dot but between backticks.
fn is_pattern(text: &str) -> bool {
    Pattern::parse(text).is_some_and(|pattern| {
        let parts = pattern.parts().map(|part| part.join("*"));
        !pattern.is_doubtful && parts.iter().all(|part| is_identifier(part))
    })
}

fn prefer(key: &[&str], policy: &Policy, config: &Config, findings: &mut Findings) {
    let Policy::Prefer(name) = policy else {
        return;
    };
    if config.node(name).is_none() {
        let nodes = config
            .nodes
            .iter()
            .map(|node| format!("\"prefer:{}\"", node.name));
        let hint = format!("write {}", nodes.collect::<Vec<_>>().join(" or "));
        findings.add(key, format!("\"{policy}\" names no node"), &hint);
    }
}

fn agent(config: &Config, findings: &mut Findings) {
    let agent = &config.agent;
    let addresses = [("listen", Some(agent.listen)), ("router", agent.router)];
    for (name, address) in addresses {
        let Some(address) = address else { continue };
        if address.port() == 0 {
            let message = format!("`{name}` needs a port other than 0");
            findings.add(&["agent", name], message, "");
        }
        let clash = config.nodes.iter().find(|node| {
            config.runtime_of(node) != Runtime::External && node.port == address.port()
        });
        if let Some(node) = clash {
            let message = format!("port {} is that of node {}", address.port(), node.name);
            findings.add(
                &["agent", name],
                message,
                "give the agent a port of its own",
            );
        }
    }
    if agent
        .router
        .is_some_and(|router| router.port() == agent.listen.port())
    {
        let message = format!("port {} is that of `listen`", agent.listen.port());
        findings.add(&["agent", "router"], message, "give each a port of its own");
    }
}
