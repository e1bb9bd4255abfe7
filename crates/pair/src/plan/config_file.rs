//! The option file of a node that twinlog runs, each line under its reason.

use twinlog_server::{
    dialect::Dialect,
    mycnf::{Line, Section, render},
    process::Binary,
};

use crate::{
    config::{LinkTls, Options},
    container,
    settings::{self, ConfigLine},
    site::Site,
};

/// The option file of a process node.
///
/// The user's options come last, so that they win; those that replace one of twinlog's stand in its place.
pub fn render_config(
    site: &Site,
    index: usize,
    server_id: u32,
    binary: &Binary,
    dialect: &Dialect,
) -> String {
    let files = site.certificates(site.nodes()[index]);
    let tls = [files.ca, files.cert, files.key].map(|path| path.display().to_string());
    let lines = place_lines(site, index, binary, dialect);
    render_lines(site, index, server_id, dialect, lines, tls)
}

/// The option file of a docker node, which is read after the image's own.
pub(super) fn render_container_config(
    site: &Site,
    index: usize,
    server_id: u32,
    dialect: &Dialect,
) -> String {
    let mut lines = vec![skip_name_resolve()];
    lines.extend(mysqlx_off(dialect));
    let tls = [
        container::CA_FILE,
        container::CERT_FILE,
        container::KEY_FILE,
    ]
    .map(str::to_owned);
    render_lines(site, index, server_id, dialect, lines, tls)
}

fn render_lines(
    site: &Site,
    index: usize,
    server_id: u32,
    dialect: &Dialect,
    mut lines: Vec<ConfigLine>,
    tls: [String; 3],
) -> String {
    let node = site.nodes()[index];
    let options = site.config.options_of(node);
    lines.extend(link_lines(site, dialect, tls));
    let settings = settings::desired(&site.config, index, server_id, dialect);
    lines.extend(settings.iter().map(|setting| {
        // A plugin's variable is unknown while data directories are made, when no plugin is loaded.
        let name = if setting.key.starts_with("semi_sync") {
            format!("loose_{}", setting.name)
        } else {
            setting.name.clone()
        };
        (name, Some(setting.value.clone()), setting.reason.clone())
    }));
    lines.extend(settings::filter_lines(&site.config));
    if settings::starts_read_only(&site.config, node) {
        lines.push(line(
            "read_only",
            "ON",
            "writes = \"one\": refuses clients until `up` has decided who the writer is",
        ));
    }
    lines.retain(|(name, ..)| {
        !options.contains_key(name) || settings.iter().any(|setting| setting.name == *name)
    });
    let taken = |name: &str| {
        settings
            .iter()
            .any(|setting| setting.name == name || setting.key == name)
    };
    lines.extend(user_lines(&options, taken));
    let section = Section {
        name: "mysqld".into(),
        options: lines
            .into_iter()
            .map(|(name, value, reason)| Line {
                name,
                value,
                reason,
            })
            .collect(),
    };
    let head = format!(
        "# Rendered by twinlog for node {} of pair {}. Do not edit: change twinlog.toml and run `twinlog up`.\n",
        node.name, site.config.name
    );
    // Names are ours or were checked with the configuration; a value that no option file can hold is reported by the
    // server itself, which will not find it.
    head + &render(&[section])
        .unwrap_or_else(|error| format!("# twinlog could not render this file: {error}\n"))
}

fn line(name: &str, value: impl Into<String>, reason: &str) -> ConfigLine {
    (name.to_owned(), Some(value.into()), reason.to_owned())
}

/// Where the server keeps and finds things.
fn place_lines(site: &Site, index: usize, binary: &Binary, dialect: &Dialect) -> Vec<ConfigLine> {
    let node = site.nodes()[index];
    let paths = site.paths(node);
    let text = |path: std::path::PathBuf| path.display().to_string();
    let bind = node
        .bind_address
        .map_or("127.0.0.1".into(), |address| address.to_string());
    let mut lines = vec![
        line(
            "port",
            node.port.to_string(),
            "where clients and the peer connect",
        ),
        line(
            "bind_address",
            bind,
            "listens on this address only; `bind_address` in twinlog.toml changes it",
        ),
        line("socket", text(paths.socket()), "twinlog's own way in"),
        line("datadir", text(paths.data()), "the data directory"),
        line(
            "pid_file",
            text(paths.pid_file()),
            "the process id, for you and for twinlog",
        ),
        line("log_error", text(paths.error_log()), "the error log"),
        line(
            "secure_file_priv",
            text(paths.files()),
            "the only directory that SQL may read files from or write them to",
        ),
        line(
            "tmpdir",
            text(paths.tmp()),
            "its own: a starting server deletes the temporary tables it finds, another running one's too",
        ),
        skip_name_resolve(),
    ];
    for (name, path) in binary.relocation() {
        lines.push(line(
            name,
            text(path),
            "this server is unpacked elsewhere than it was built for",
        ));
    }
    lines.extend(mysqlx_off(dialect));
    lines
}

fn skip_name_resolve() -> ConfigLine {
    line(
        "skip_name_resolve",
        "ON",
        "no DNS look-up at each connection; accounts name addresses, not hosts",
    )
}

fn mysqlx_off(dialect: &Dialect) -> Option<ConfigLine> {
    let reason = "the X protocol would listen on a second port, the same for both nodes";
    dialect.row().mysqlx.then(|| line("mysqlx", "OFF", reason))
}

/// TLS, the relay log, and what is an option but no variable.
fn link_lines(site: &Site, dialect: &Dialect, [ca, cert, key]: [String; 3]) -> Vec<ConfigLine> {
    let mut lines = Vec::new();
    // TLS 1.0 only: a client that tries it fails, so it is there for encrypted links alone.
    if dialect.row().modern_tls || site.config.replication.tls != LinkTls::Off {
        lines.extend([
            line("ssl_ca", ca, "the pair's certificate authority"),
            line("ssl_cert", cert, "this node's certificate"),
            line("ssl_key", key, "its key"),
        ]);
    }
    lines.push(line(
        "relay_log",
        "relay",
        "a name of its own: the default holds the host's name and breaks when that changes",
    ));
    if dialect.is_mariadb() {
        lines.push(line(
            "master_retry_count",
            "0",
            "never gives up reconnecting to the peer",
        ));
    }
    if site.config.replication.semi_sync && !dialect.is_mariadb() {
        let new = dialect
            .variable("semi_sync_source")
            .is_some_and(|variable| variable.name.contains("source"));
        let plugins = if new {
            ["semisync_source.so", "semisync_replica.so"]
        } else {
            ["semisync_master.so", "semisync_slave.so"]
        };
        for plugin in plugins {
            lines.push(line("plugin_load_add", plugin, "semi_sync = true"));
        }
    }
    lines
}

fn user_lines(options: &Options, taken: impl Fn(&str) -> bool) -> Vec<ConfigLine> {
    options
        .iter()
        .filter(|(name, _)| !taken(name))
        .map(|(name, value)| {
            (
                name.clone(),
                Some(value.to_string()),
                "your option, from twinlog.toml".into(),
            )
        })
        .collect()
}
