//! The server's own client, opened with the pair's password and without showing it.
//!
//! The password travels in an option file that has no name: an unlinked file with mode 0600 that the client inherits
//! open and reads as `/dev/fd/N`. It is on no command line and in no environment, and nothing stays behind, however
//! this ends.

use std::{
    fs::File,
    io::{Seek, Write},
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use secrecy::ExposeSecret;
use twinlog_pair::{
    config::{ClientTls, Node, Runtime},
    site::{Login, Site},
};
use twinlog_server::{
    conn::{Address, Conn, Endpoint},
    mycnf::{self, Line, Section},
    process::Binary,
};

use crate::failure::{Failure, WORLD};

/// A client program.
#[derive(Debug)]
struct Client {
    path: PathBuf,
    /// Whether it is MariaDB's, which spells the TLS options in its own way.
    mariadb: bool,
}

/// Becomes the client. Returns only when that fails.
pub(super) async fn open(
    site: &Site,
    node: &Node,
    mut conn: Conn,
    database: Option<&str>,
) -> Result<ExitCode, Failure> {
    let version = conn.value("SELECT VERSION()").await?.unwrap_or_default();
    conn.close().await;
    let client = find(&beside(site, node), version.contains("MariaDB")).ok_or_else(|| {
        Failure::new(
            WORLD,
            "there is no client: neither mariadb nor mysql is beside the server program or on PATH",
            Some(format!(
                "install one (mariadb-client or mysql-client), or give a statement: `twinlog sql {} -e 'SELECT 1'`",
                node.name
            )),
        )
    })?;
    let endpoint = site.endpoint(node, Login::Admin)?;
    let tls = (site.config.runtime_of(node) == Runtime::External).then(|| node.client_tls());
    let options = options(&endpoint, tls, &node.name, client.mariadb);
    let file = hand_over(&options).map_err(|error| {
        Failure::new(
            WORLD,
            format!("cannot hand the client its options: {error}"),
            None,
        )
    })?;
    let mut command = Command::new(&client.path);
    command.arg(format!("--defaults-file=/dev/fd/{}", file.as_raw_fd()));
    command.args(database);
    // What the user's own environment and login file say is for other servers.
    command
        .env_remove("MYSQL_PWD")
        .env("MYSQL_TEST_LOGIN_FILE", "/dev/null/none");
    let error = command.exec();
    let message = format!("cannot run {}: {error}", client.path.display());
    Err(Failure::new(WORLD, message, None))
}

/// The folders where the client of this node's server would be.
fn beside(site: &Site, node: &Node) -> Vec<PathBuf> {
    if site.config.runtime_of(node) != Runtime::Process {
        return Vec::new();
    }
    let Ok(binary) = Binary::find(&site.binary_name(node)) else {
        return Vec::new();
    };
    let own = binary.path.parent().map(Path::to_owned);
    own.into_iter()
        .chain([binary.basedir.join("bin")])
        .collect()
}

/// The client of the server's flavour before the other's, one beside the server before one on `PATH`.
fn find(beside: &[PathBuf], mariadb: bool) -> Option<Client> {
    let names = if mariadb {
        ["mariadb", "mysql"]
    } else {
        ["mysql", "mariadb"]
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = [beside, on_path.as_slice()];
    let mut programs = places.iter().flat_map(|folders| {
        names
            .iter()
            .flat_map(move |name| folders.iter().map(move |folder| folder.join(name)))
    });
    programs.find_map(|path| {
        let said = Command::new(&path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let mariadb = String::from_utf8_lossy(&said.stdout).contains("MariaDB");
        said.status.success().then_some(Client { path, mariadb })
    })
}

/// What the client has to know, as lines of `[client]` and `[mysql]`, which both flavours' clients read.
fn options(endpoint: &Endpoint, tls: Option<ClientTls>, node: &str, mariadb: bool) -> Vec<Section> {
    let line = |name: &str, value: Option<String>| Line {
        name: name.into(),
        value,
        reason: String::new(),
    };
    let mut client = vec![line("user", Some(endpoint.user.clone()))];
    let password = endpoint.password.as_ref();
    let password = password.map_or("", |password| password.expose_secret());
    client.push(line("password", Some(password.to_owned())));
    match &endpoint.address {
        Address::Socket(path) => {
            client.push(line("socket", Some(path.display().to_string())));
        }
        Address::Tcp(host, port) => {
            client.push(line("protocol", Some("tcp".into())));
            client.push(line("host", Some(host.clone())));
            client.push(line("port", Some(port.to_string())));
            let ca = match &endpoint.tls {
                twinlog_server::conn::ClientTls::Required { ca } => ca.as_deref(),
                twinlog_server::conn::ClientTls::Off => None,
            };
            let tls = tls.unwrap_or(ClientTls::Preferred);
            let lines = if mariadb {
                mariadb_tls(tls, ca)
            } else {
                mysql_tls(tls, ca)
            };
            client.extend(lines.into_iter().map(|(name, value)| line(name, value)));
        }
    }
    let prompt = line("prompt", Some(format!("{node} [\\d]> ")));
    vec![
        Section {
            name: "client".into(),
            options: client,
        },
        Section {
            name: "mysql".into(),
            options: vec![prompt],
        },
    ]
}

type TlsLine = (&'static str, Option<String>);

fn mysql_tls(tls: ClientTls, ca: Option<&Path>) -> Vec<TlsLine> {
    let mode = match tls {
        ClientTls::Off => "DISABLED",
        ClientTls::Preferred => "PREFERRED",
        ClientTls::Required => "REQUIRED",
        ClientTls::VerifyCa => "VERIFY_CA",
        ClientTls::VerifyIdentity => "VERIFY_IDENTITY",
    };
    let mut lines = vec![("ssl-mode", Some(mode.to_owned()))];
    lines.extend(ca.map(|ca| ("ssl-ca", Some(ca.display().to_string()))));
    if matches!(tls, ClientTls::Off | ClientTls::Preferred) {
        // Without TLS a password of this flavour travels encrypted with the server's key, asked for first.
        lines.push(("get-server-public-key", None));
    }
    lines
}

fn mariadb_tls(tls: ClientTls, ca: Option<&Path>) -> Vec<TlsLine> {
    match tls {
        ClientTls::Off => vec![("skip-ssl", None)],
        // It asks for TLS by itself, and from 11.4 on also for a certificate it can verify.
        ClientTls::Preferred => vec![("skip-ssl-verify-server-cert", None)],
        ClientTls::Required => vec![("ssl", None), ("skip-ssl-verify-server-cert", None)],
        // It verifies both or neither.
        ClientTls::VerifyCa | ClientTls::VerifyIdentity => {
            let ca = ca.map(|ca| ("ssl-ca", Some(ca.display().to_string())));
            ca.into_iter()
                .chain([("ssl-verify-server-cert", None)])
                .collect()
        }
    }
}

/// The options in a file without a name, which the program that this one becomes inherits open.
fn hand_over(options: &[Section]) -> std::io::Result<File> {
    let text = mycnf::render(options).map_err(std::io::Error::other)?;
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(file)
}
