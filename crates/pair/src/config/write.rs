//! From a [`Config`] to the text of its `twinlog.toml`, with comments that teach the keys.

use std::fmt::Write as _;
use std::path::Path;

use toml::Value;

use super::error::ConfigError;
use super::model::{Config, Runtime, Server};
use super::node::{Node, Password};
use super::options::Options;
use super::values::{key, named, option, path_value, text, texts};
use super::{period, read, size};

/// Lines of TOML, values beside each other's comments.
struct Lines<'c> {
    config: &'c Config,
    text: String,
}

/// The text of the file; reading it from `config.dir` gives `config` again.
pub(super) fn render(config: &Config) -> Result<String, ConfigError> {
    let mut lines = Lines {
        config,
        text: String::new(),
    };
    lines.line("# A dual primary run by twinlog. `twinlog plan` shows what this means, `twinlog up` makes it so.");
    lines.line("# No password belongs into this file. Relative paths start at its directory.");
    lines.key(
        "name",
        text(&config.name),
        "names containers, directories, accounts",
    );
    lines.note(
        "databases = [\"shop\"]",
        config.databases.is_none(),
        "default: all but system schemas",
    );
    if let Some(databases) = &config.databases {
        lines.key("databases", texts(databases), "replicate only these");
    }
    let writes = named(&read::WRITES, config.writes);
    lines.key(
        "writes",
        writes,
        "both | one: may clients write on both nodes, or on one at a time",
    );
    lines.server()?;
    for node in &config.nodes {
        lines.node(node)?;
    }
    lines.replication();
    lines.tls()?;
    lines.conflicts();
    lines.agent();
    Ok(lines.text)
}

impl Lines<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, header: &str, comment: &str) {
        let comment = if comment.is_empty() {
            String::new()
        } else {
            format!(
                "{:width$}# {comment}",
                "",
                width = 32_usize.saturating_sub(header.len()).max(1)
            )
        };
        self.line(&format!("\n{header}{comment}"));
    }

    fn key(&mut self, key: &str, value: impl AsRef<str>, comment: &str) {
        let pair = format!("{key} = {}", value.as_ref());
        if comment.is_empty() {
            self.line(&pair);
        } else {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "{pair:<31} # {comment}");
        }
    }

    /// A key that is not set, as an example to uncomment.
    fn note(&mut self, pair: &str, absent: bool, comment: &str) {
        if absent {
            let _ = writeln!(self.text, "# {pair:<29} # {comment}");
        }
    }

    fn path(&mut self, key: &str, path: &Path, comment: &str) -> Result<(), ConfigError> {
        let value = path_value(&self.config.dir, path)?;
        self.key(key, value, comment);
        Ok(())
    }

    fn server(&mut self) -> Result<(), ConfigError> {
        let server = &self.config.server;
        self.section(
            "[server]",
            "what the nodes that twinlog runs have in common",
        );
        let runtime = named(&read::RUNTIMES, server.runtime);
        self.key("runtime", runtime, "process | docker | external");
        self.note(
            "binary = \"mysqld\"",
            server.binary.is_none(),
            "process: a name on PATH or a path",
        );
        if let Some(binary) = &server.binary {
            self.binary(binary)?;
        }
        if server.runtime == Runtime::Docker || server.image != Server::DEFAULT_IMAGE {
            self.key("image", text(&server.image), "docker");
        }
        self.path(
            "data_dir",
            &server.data_dir,
            "a directory per node, and secrets/",
        )?;
        if server.user != Server::DEFAULT_USER {
            self.key(
                "user",
                text(&server.user),
                "runs the process nodes when twinlog is root",
            );
        }
        self.options(
            "server.options",
            &server.options,
            "extra [mysqld] lines; they win over twinlog's",
        );
        if server.docker.memory_bytes.is_some() || server.docker.cpus.is_some() {
            self.section("[server.docker]", "limits of each container");
        }
        if let Some(bytes) = server.docker.memory_bytes {
            self.key("memory", text(&size::format(bytes)), "");
        }
        if let Some(cpus) = server.docker.cpus {
            self.key("cpus", Value::Float(cpus).to_string(), "");
        }
        Ok(())
    }

    fn binary(&mut self, binary: &Path) -> Result<(), ConfigError> {
        let bare = binary.to_str().filter(|name| !name.contains('/'));
        match bare {
            Some(name) => self.key("binary", text(name), "found on PATH"),
            None => self.path("binary", binary, "")?,
        }
        Ok(())
    }

    fn options(&mut self, table: &str, options: &Options, comment: &str) {
        if options.is_empty() {
            return;
        }
        self.section(&format!("[{table}]"), comment);
        for (name, value) in options {
            let name = if name.contains('.') {
                text(name)
            } else {
                name.clone()
            };
            self.key(&name, option(value), "");
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), ConfigError> {
        self.section(&format!("[nodes.{}]", node.name), "");
        if let Some(runtime) = node.runtime {
            self.key("runtime", named(&read::RUNTIMES, runtime), "");
        }
        let external = self.config.runtime_of(node) == Runtime::External;
        if external || node.host != Node::DEFAULT_HOST {
            self.key(
                "host",
                text(&node.host),
                "where twinlog and clients reach it",
            );
        }
        self.key("port", node.port.to_string(), "");
        if let Some(address) = node.bind_address {
            self.key(
                "bind_address",
                text(&address.to_string()),
                "where it listens",
            );
        }
        if let Some(id) = node.server_id {
            self.key("server_id", id.to_string(), "");
        }
        self.access(node)?;
        if let Some(host) = &node.replication_host {
            self.key("replication_host", text(host), "the peer's way here");
        }
        if let Some(port) = node.replication_port {
            self.key("replication_port", port.to_string(), "the peer's way here");
        }
        if let Some(binary) = &node.binary {
            self.binary(binary)?;
        }
        if let Some(image) = &node.image {
            self.key("image", text(image), "");
        }
        if let Some(dir) = &node.data_dir {
            self.path("data_dir", dir, "this node's alone")?;
        }
        self.options(
            &format!("nodes.{}.options", node.name),
            &node.options,
            "over [server.options]",
        );
        Ok(())
    }

    /// How twinlog itself enters an external node.
    fn access(&mut self, node: &Node) -> Result<(), ConfigError> {
        if let Some(user) = &node.user {
            self.key("user", text(user), "the account twinlog connects as");
        }
        match &node.password {
            Some(Password::File(file)) => self.path("password_file", file, "its first line")?,
            Some(Password::Env(name)) => {
                self.key(
                    "password_env",
                    text(name),
                    "the variable's name, not its value",
                );
            }
            Some(Password::Empty) => self.key("no_password", "true", "the password is empty"),
            None => {}
        }
        if let Some(tls) = node.tls {
            let comment = "off | preferred | required | verify-ca | verify-identity";
            self.key("tls", named(&read::CLIENT_TLS, tls), comment);
        }
        if let Some(ca) = &node.ssl_ca {
            self.path("ssl_ca", ca, "signed its certificate")?;
        }
        Ok(())
    }

    fn replication(&mut self) {
        let replication = self.config.replication;
        self.section("[replication]", "the two links");
        self.key(
            "mode",
            named(&read::MODES, replication.mode),
            "gtid | position",
        );
        let semi_sync = "true: a commit waits until the peer has received it";
        self.key("semi_sync", replication.semi_sync.to_string(), semi_sync);
        self.key(
            "tls",
            named(&read::LINK_TLS, replication.tls),
            "required | preferred | off",
        );
        let filter = "replica | binlog-do-db (loses cross-database statements)";
        self.key("filter", named(&read::FILTERS, replication.filter), filter);
    }

    fn tls(&mut self) -> Result<(), ConfigError> {
        let Some(tls) = &self.config.tls else {
            return Ok(());
        };
        self.section(
            "[tls]",
            "your own certificates; without, twinlog makes them",
        );
        self.path("ca", &tls.ca, "signed both nodes' certificates")?;
        for (name, identity) in &tls.nodes {
            self.section(&format!("[tls.nodes.{}]", key(name)), "");
            self.path("cert", &identity.cert, "")?;
            self.path("key", &identity.key, "")?;
        }
        Ok(())
    }

    fn conflicts(&mut self) {
        let conflicts = &self.config.conflicts;
        self.section("[conflicts]", "when both nodes wrote the same row");
        let comment = "last-write-wins | first-write-wins | prefer:NODE | merge | manual";
        self.key("policy", text(&conflicts.policy.to_string()), comment);
        if conflicts.tables.is_empty() {
            self.line("# [[conflicts.tables]]          # the first entry that matches a table decides for it");
            self.line("# match = \"shop.stock\"          # database.table, * for any characters");
            self.line("# policy = \"merge\"");
            self.line("# counters = [\"quantity\"]       # columns whose changes are added up");
        }
        for entry in &conflicts.tables {
            self.section("[[conflicts.tables]]", "");
            self.key(
                "match",
                text(&entry.pattern),
                "database.table, * for any characters",
            );
            self.key("policy", text(&entry.policy.to_string()), "");
            if !entry.counters.is_empty() {
                self.key(
                    "counters",
                    texts(&entry.counters),
                    "columns whose changes are added up",
                );
            }
        }
    }

    fn agent(&mut self) {
        let agent = self.config.agent;
        self.section("[agent]", "the long-running part: twinlog run");
        self.key(
            "listen",
            text(&agent.listen.to_string()),
            "dashboard, API, metrics",
        );
        let comment = "the one address clients use; absent: no router";
        self.note(
            "router = \"127.0.0.1:3306\"",
            agent.router.is_none(),
            comment,
        );
        if let Some(router) = agent.router {
            self.key("router", text(&router.to_string()), comment);
        }
        let every = agent
            .verify_every
            .map_or_else(|| read::NEVER.to_owned(), period::format);
        self.key(
            "verify_every",
            text(&every),
            "it compares all rows of both nodes so often; or \"never\"",
        );
        self.key(
            "verify_load",
            agent.verify_load.to_string(),
            "percent of its time that a comparison works; it rests the others",
        );
    }
}
