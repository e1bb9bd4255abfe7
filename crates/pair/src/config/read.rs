//! From the text of a `twinlog.toml` to a [`Config`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::error::{ConfigError, Problem, position};
use super::keys;
use super::model::{
    Agent, Config, Conflicts, DockerLimits, Filter, Identity, LinkTls, Mode, Policy, Replication,
    Runtime, Server, TablePolicy, Tls, Writes,
};
use super::node::{ClientTls, Node, Password};
use super::options::{OptionValue, Options, normalised};
use super::period;
use super::size;
use super::table::{Sink, Table, float, integer, resolved};

/// What `verify_every` says where nothing is compared.
pub(super) const NEVER: &str = "never";

pub(super) const WRITES: [(&str, Writes); 2] = [("both", Writes::Both), ("one", Writes::One)];
pub(super) const RUNTIMES: [(&str, Runtime); 3] = [
    ("process", Runtime::Process),
    ("docker", Runtime::Docker),
    ("external", Runtime::External),
];
pub(super) const CLIENT_TLS: [(&str, ClientTls); 5] = [
    ("off", ClientTls::Off),
    ("preferred", ClientTls::Preferred),
    ("required", ClientTls::Required),
    ("verify-ca", ClientTls::VerifyCa),
    ("verify-identity", ClientTls::VerifyIdentity),
];
pub(super) const MODES: [(&str, Mode); 2] = [("gtid", Mode::Gtid), ("position", Mode::Position)];
pub(super) const LINK_TLS: [(&str, LinkTls); 3] = [
    ("required", LinkTls::Required),
    ("preferred", LinkTls::Preferred),
    ("off", LinkTls::Off),
];
pub(super) const FILTERS: [(&str, Filter); 2] = [
    ("replica", Filter::Replica),
    ("binlog-do-db", Filter::BinlogDoDb),
];

/// Reads `text`, the content of `file`; relative paths in it start at `dir`, which is absolute.
pub(super) fn read(text: &str, file: &Path, dir: &Path) -> Result<Config, ConfigError> {
    let invalid = |problems: Vec<Problem>| ConfigError::Invalid {
        file: file.to_path_buf(),
        problems,
    };
    let sink = Sink::new(text);
    let parsed = match DeTable::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            sink.note(offset, format!("not TOML: {}", error.message()), None);
            return Err(invalid(sink.into_problems()));
        }
    };
    let config = config(&Table::top(&sink, parsed.get_ref()), dir);
    let problems = sink.into_problems();
    if !problems.is_empty() {
        return Err(invalid(problems));
    }
    let sink = Sink::new(text);
    for finding in check::check(&config) {
        let offset = locate(parsed.get_ref(), &finding.key);
        sink.note(offset, finding.message, finding.hint);
    }
    let problems = sink.into_problems();
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(invalid(problems))
    }
}

/// The line where the dotted key, or the innermost table around it, stands; `None` if neither does.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let parsed = DeTable::parse(text).ok()?;
    let parts: Vec<String> = key.split('.').map(str::to_owned).collect();
    let offset = locate(parsed.get_ref(), &parts);
    (offset > 0).then(|| position(text, offset).0)
}

/// Where the key stands, or else the innermost table around it that does.
fn locate(top: &DeTable<'_>, key: &[String]) -> usize {
    let mut offset = 0;
    let mut table = Some(top);
    let mut list: Option<&toml::de::DeArray<'_>> = None;
    for part in key {
        let found: Option<(usize, &Spanned<DeValue<'_>>)> = match (table, list) {
            (Some(table), _) => table
                .iter()
                .find(|(name, _)| normalised(name.get_ref()) == normalised(part))
                .map(|(name, value)| (name.span().start, value)),
            (None, Some(list)) => {
                let index = part.parse::<usize>().ok();
                let item = index.and_then(|index| list.get(index));
                item.map(|item| (item.span().start, item))
            }
            (None, None) => None,
        };
        let Some((start, value)) = found else {
            return offset;
        };
        table = value.get_ref().as_table();
        list = value.get_ref().as_array();
        offset = if table.is_some() {
            start
        } else {
            value.span().start
        };
    }
    offset
}

/// Every key read, the default where it is absent or wrong (what is wrong has been noted).
fn config(top: &Table<'_>, dir: &Path) -> Config {
    let mut config = Config::local(dir, "pair");
    set(&mut config.name, top.text("name"));
    config.databases = top.texts("databases");
    set(&mut config.writes, top.choice("writes", &WRITES));
    if let Some(table) = top.table("server", &keys::SERVER) {
        config.server = server(&table, dir);
    }
    let title = |name: &str| format!("[nodes.{name}]");
    let nodes = top.named_tables("nodes", &keys::NODE, title);
    config.nodes = nodes
        .iter()
        .map(|(name, table)| node(name, table, dir))
        .collect();
    if let Some(table) = top.table("replication", &keys::REPLICATION) {
        config.replication = replication(&table);
    }
    config.tls = top
        .table("tls", &keys::TLS)
        .and_then(|table| tls(&table, dir));
    if let Some(table) = top.table("conflicts", &keys::CONFLICTS) {
        config.conflicts = conflicts(&table);
    }
    if let Some(table) = top.table("agent", &keys::AGENT) {
        config.agent = agent(&table);
    }
    config
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn server(table: &Table<'_>, dir: &Path) -> Server {
    let mut server = Server::in_dir(dir);
    set(&mut server.runtime, table.choice("runtime", &RUNTIMES));
    server.binary = binary(table, dir);
    set(&mut server.image, table.text("image"));
    set(&mut server.data_dir, table.path("data_dir", dir));
    set(&mut server.user, table.text("user"));
    server.options = options(table);
    if let Some(limits) = table.table("docker", &keys::DOCKER) {
        server.docker = docker(&limits);
    }
    server
}

/// A bare name is for `PATH` to find; anything with a slash is a path.
fn binary(table: &Table<'_>, dir: &Path) -> Option<PathBuf> {
    let text = table.text("binary")?;
    Some(if text.contains('/') {
        resolved(dir, Path::new(&text))
    } else {
        PathBuf::from(text)
    })
}

fn docker(table: &Table<'_>) -> DockerLimits {
    let memory = |value: &DeValue<'_>| match value.as_str() {
        Some(text) => size::parse(text),
        None => integer(value).and_then(|bytes| u64::try_from(bytes).ok()),
    };
    let cpus = |value: &DeValue<'_>| float(value).or_else(|| integer(value).map(|n| n as f64));
    DockerLimits {
        memory_bytes: table.value_as(
            "memory",
            "bytes or a size such as \"512m\" or \"2g\"",
            memory,
        ),
        cpus: table.value_as("cpus", "a number such as 1.5", cpus),
    }
}

fn node(name: &str, table: &Table<'_>, dir: &Path) -> Node {
    // Zero stands for a missing port only until the missing key, noted here, ends the reading.
    let mut node = Node::new(name, 0);
    node.runtime = table.choice("runtime", &RUNTIMES);
    node.binary = binary(table, dir);
    node.image = table.text("image");
    node.data_dir = table.path("data_dir", dir);
    set(&mut node.host, table.text("host"));
    set(&mut node.port, table.integer("port", 1..=u16::MAX));
    if !table.has("port") {
        table.missing("port", "3307");
    }
    let address = |text: &str| text.parse::<IpAddr>().ok();
    node.bind_address = table.parsed("bind_address", "an IP address such as \"0.0.0.0\"", address);
    node.server_id = table.integer("server_id", 1..=u32::MAX);
    node.user = table.text("user");
    node.password = password(table, dir);
    node.tls = table.choice("tls", &CLIENT_TLS);
    node.ssl_ca = table.path("ssl_ca", dir);
    node.replication_host = table.text("replication_host");
    node.replication_port = table.integer("replication_port", 1..=u16::MAX);
    node.options = options(table);
    node
}

fn password(table: &Table<'_>, dir: &Path) -> Option<Password> {
    let file = table.path("password_file", dir).map(Password::File);
    let variable = |text: &str| is_variable(text).then(|| text.to_owned());
    let expected = "the name of an environment variable, such as \"SHOP_A_PASSWORD\"";
    let env = table
        .parsed("password_env", expected, variable)
        .map(Password::Env);
    let empty = table
        .switch("no_password")
        .filter(|empty| *empty)
        .map(|_| Password::Empty);
    let mut given = [file, env, empty].into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        table.exclusive("`password_file`, `password_env` or `no_password`");
    }
    first
}

fn is_variable(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(word) && text.starts_with(|c: char| !c.is_ascii_digit())
}

fn replication(table: &Table<'_>) -> Replication {
    Replication {
        mode: table.choice("mode", &MODES).unwrap_or_default(),
        semi_sync: table.switch("semi_sync").unwrap_or_default(),
        tls: table.choice("tls", &LINK_TLS).unwrap_or_default(),
        filter: table.choice("filter", &FILTERS).unwrap_or_default(),
    }
}

fn tls(table: &Table<'_>, dir: &Path) -> Option<Tls> {
    let title = |name: &str| format!("[tls.nodes.{name}]");
    let mut nodes = BTreeMap::new();
    for (name, table) in table.named_tables("nodes", &keys::TLS_NODE, title) {
        for key in ["cert", "key"] {
            if !table.has(key) {
                table.missing(key, &format!("\"{name}-{key}.pem\""));
            }
        }
        if let (Some(cert), Some(key)) = (table.path("cert", dir), table.path("key", dir)) {
            nodes.insert(name, Identity { cert, key });
        }
    }
    if !table.has("ca") {
        table.missing("ca", "\"ca.pem\"");
    }
    let ca = table.path("ca", dir)?;
    Some(Tls { ca, nodes })
}

fn conflicts(table: &Table<'_>) -> Conflicts {
    let entry = |table: &Table<'_>| {
        for (key, example) in [("match", "\"shop.stock\""), ("policy", "\"merge\"")] {
            if !table.has(key) {
                table.missing(key, example);
            }
        }
        Some(TablePolicy {
            pattern: table.text("match")?,
            policy: policy(table)?,
            counters: table.texts("counters").unwrap_or_default(),
        })
    };
    let entries = table.list_of_tables("tables", &keys::TABLE_POLICY);
    Conflicts {
        policy: policy(table).unwrap_or_default(),
        tables: entries.iter().filter_map(entry).collect(),
    }
}

fn policy(table: &Table<'_>) -> Option<Policy> {
    let expected =
        "\"last-write-wins\", \"first-write-wins\", \"prefer:<node>\", \"merge\" or \"manual\"";
    table.parsed("policy", expected, Policy::parse)
}

fn agent(table: &Table<'_>) -> Agent {
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    let expected = "an IP address and port, such as \"127.0.0.1:7474\"";
    let mut agent = Agent::default();
    set(&mut agent.listen, table.parsed("listen", expected, address));
    agent.router = table.parsed("router", expected, address);
    let every = |text: &str| match text {
        NEVER => Some(None),
        text => period::parse(text).map(Some),
    };
    let expected = "a time such as \"7d\", \"12h\" or \"30m\", or \"never\"";
    set(
        &mut agent.verify_every,
        table.parsed("verify_every", expected, every),
    );
    set(
        &mut agent.verify_load,
        table.integer("verify_load", 1..=100),
    );
    agent
}

fn options(table: &Table<'_>) -> Options {
    let mut options = Options::new();
    if let Some((entries, sink)) = table.free_table("options") {
        flatten("", entries, sink, &mut options);
    }
    options
}

/// TOML reads `validate_password.policy = 1` as a table within a table; the server as one name.
fn flatten(prefix: &str, entries: &DeTable<'_>, sink: &Sink<'_>, options: &mut Options) {
    for (key, value) in entries {
        let name = format!("{prefix}{}", normalised(key.get_ref()));
        let start = value.span().start;
        let option = match value.get_ref() {
            DeValue::Table(inner) => {
                flatten(&format!("{name}."), inner, sink, options);
                continue;
            }
            DeValue::String(text) => Some(OptionValue::Text(text.to_string())),
            DeValue::Boolean(switch) => Some(OptionValue::Switch(*switch)),
            DeValue::Integer(_) => integer(value.get_ref()).map(OptionValue::Integer),
            DeValue::Float(_) => float(value.get_ref()).map(OptionValue::Float),
            DeValue::Datetime(_) | DeValue::Array(_) => None,
        };
        match option {
            None => {
                let message = format!("option `{name}` must be a string, a number, true or false");
                let hint = "put the value in quotes, as it stands in my.cnf after the `=`";
                sink.note(start, message, Some(hint.to_owned()));
            }
            Some(option) => {
                if options.insert(name.clone(), option).is_some() {
                    let message = format!("option `{name}` is given twice");
                    let hint = "`-` and `_` are the same in an option's name";
                    sink.note(key.span().start, message, Some(hint.to_owned()));
                }
            }
        }
    }
}
