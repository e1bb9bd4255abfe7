//! One server of the pair, as `[nodes.<name>]` describes it.

use std::net::IpAddr;
use std::path::PathBuf;

use super::model::Runtime;
use super::options::Options;

/// `[nodes.<name>]`: one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// `a` or `b` unless the user names it: `[a-z][a-z0-9-]*`.
    pub name: String,
    /// Overrides `server.runtime`.
    pub runtime: Option<Runtime>,
    /// Overrides `server.binary`, for two versions during an upgrade.
    pub binary: Option<PathBuf>,
    /// Overrides `server.image`, for two versions during an upgrade.
    pub image: Option<String>,
    /// This node's own directory, such as on another disk. Default `<server.data_dir>/<name>`.
    pub data_dir: Option<PathBuf>,
    /// Where twinlog and clients reach it. Default `127.0.0.1`.
    pub host: String,
    /// Where twinlog and clients reach it. Required.
    pub port: u16,
    /// Where a node that twinlog runs listens: an IP address. Default `127.0.0.1`.
    pub bind_address: Option<IpAddr>,
    /// The server id. Default: twinlog chooses one for a node it runs, and keeps that of an external node.
    pub server_id: Option<u32>,
    /// External nodes: the account twinlog connects as. Required there.
    pub user: Option<String>,
    /// External nodes: where the account's password is. Required there.
    pub password: Option<Password>,
    /// External nodes: how twinlog's own connection is encrypted. Default: verified
    /// ([`ClientTls::VerifyIdentity`]) if `ssl_ca` is given, else [`ClientTls::Preferred`].
    pub tls: Option<ClientTls>,
    /// External nodes: the authority (PEM) that signed the server's certificate.
    pub ssl_ca: Option<PathBuf>,
    /// The address the peer replicates from, where it differs from `host`.
    pub replication_host: Option<String>,
    /// The port the peer replicates from, where it differs from `port`.
    pub replication_port: Option<u16>,
    /// This node's own `[mysqld]` lines, over those of `[server.options]`.
    pub options: Options,
}

impl Node {
    /// Where nodes are when the file does not say.
    pub const DEFAULT_HOST: &'static str = "127.0.0.1";

    /// A node with every default.
    #[must_use]
    pub fn new(name: &str, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            runtime: None,
            binary: None,
            image: None,
            data_dir: None,
            host: Self::DEFAULT_HOST.to_owned(),
            port,
            bind_address: None,
            server_id: None,
            user: None,
            password: None,
            tls: None,
            ssl_ca: None,
            replication_host: None,
            replication_port: None,
            options: Options::new(),
        }
    }

    /// How twinlog's own connection to an external node is encrypted, defaults applied.
    #[must_use]
    pub fn client_tls(&self) -> ClientTls {
        self.tls.unwrap_or(match self.ssl_ca {
            Some(_) => ClientTls::VerifyIdentity,
            None => ClientTls::Preferred,
        })
    }
}

/// Where the password of an external node is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// `password_file`: the file's first line.
    File(PathBuf),
    /// `password_env`: the *name* of an environment variable.
    Env(String),
    /// `no_password = true`: the account's password is empty.
    Empty,
}

/// How twinlog's own connection to a node is encrypted; as `--ssl-mode` of the `mysql` client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTls {
    /// In the clear.
    Off,
    /// Encrypted where the server can, else in the clear.
    Preferred,
    /// Encrypted, certificate not verified.
    Required,
    /// Encrypted, certificate signed by `ssl_ca`.
    VerifyCa,
    /// Encrypted, certificate signed by `ssl_ca` and made out to `host`.
    VerifyIdentity,
}
