//! Where things are: the pair's directories, secrets and certificates on this machine, and how to reach its servers.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use twinlog_server::{
    certs::{self, CertError, NodeFiles, NodeNames},
    conn::{Address, ClientTls, Conn, Endpoint, Error as ConnError},
    dialect::Account,
    docker, files,
    process::{self, Paths, RunAs},
    secrets::{SecretError, SecretStore, read_password_env, read_password_file},
};

use crate::{
    config::{self, Config, Node, Password, Runtime},
    container,
};

/// The secret that holds the password of root on the nodes that twinlog runs.
pub const ROOT_SECRET: &str = "root";
/// What root's password is until twinlog replaces it: public images leave it in the environment of their first server.
pub const BOOTSTRAP_SECRET: &str = "bootstrap";
/// The secrets of a pair. `set-id` is no password: it tells which generation of them a server was given.
const SECRETS: [&str; 5] = [
    ROOT_SECRET,
    BOOTSTRAP_SECRET,
    "replication",
    "agent",
    SET_ID,
];
const SET_ID: &str = "set-id";

/// As whom twinlog logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// root, or the account configured for an external node.
    Admin,
    /// twinlog's own account.
    Agent,
}

/// A pair as this machine sees it.
#[derive(Debug, Clone)]
pub struct Site {
    /// What `twinlog.toml` says.
    pub config: Config,
    /// The pair's id: made once, kept in the data directory.
    pub pair_id: String,
    secrets: SecretStore,
}

/// What went wrong with the pair's own files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// A node's directory or process.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// A file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Another twinlog is at work on this pair.
    #[error("another twinlog is changing this pair ({} is locked)", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Secret(error) => error.hint(),
            Self::Certificate(error) => error.hint(),
            Self::Process(error) => error.hint(),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("the disk is full: free some space, then run the same command again".into())
            }
            Self::Io { .. } => Some("check `data_dir` in [server]: its owner and its mode".into()),
            Self::Busy { .. } => Some("wait for it to end, or look for it with `ps`".into()),
        }
    }
}

impl Site {
    /// Opens the pair's site without making anything: a pair that does not exist yet gets an id that is written down
    /// by [`Site::found`].
    ///
    /// # Errors
    /// [`Error::Io`] when the data directory cannot be read.
    pub fn open(config: Config) -> Result<Self, Error> {
        let secrets = SecretStore::new(config.secrets_dir());
        let path = config.server.data_dir.join("pair-id");
        let pair_id = match fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                uuid::Uuid::new_v4().to_string()
            }
            Err(source) => {
                return Err(Error::Io {
                    action: "read",
                    path,
                    source,
                });
            }
        };
        Ok(Self {
            config,
            pair_id,
            secrets,
        })
    }

    /// Whether the pair's id is written down.
    pub fn is_founded(&self) -> bool {
        self.config.server.data_dir.join("pair-id").is_file()
    }

    /// Writes the pair's id down, or adopts the one that another twinlog wrote first.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn found(&mut self) -> Result<(), Error> {
        let dir = &self.config.server.data_dir;
        fs::create_dir_all(dir).map_err(|source| Error::Io {
            action: "create",
            path: dir.clone(),
            source,
        })?;
        let path = dir.join("pair-id");
        let text = format!("{}\n", self.pair_id);
        files::create_whole(&path, text.as_bytes(), files::FILE_PUBLIC).map_err(|source| {
            Error::Io {
                action: "write",
                path: path.clone(),
                source,
            }
        })?;
        self.pair_id = fs::read_to_string(&path)
            .map_err(|source| Error::Io {
                action: "read",
                path,
                source,
            })?
            .trim()
            .to_owned();
        Ok(())
    }

    /// Holds the pair against other twinlogs on this machine until the returned lock is dropped.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Io`].
    pub fn lock(&self) -> Result<nix::fcntl::Flock<fs::File>, Error> {
        let path = self.config.server.data_dir.join("lock");
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| Error::Io {
                action: "open",
                path: path.clone(),
                source,
            })?;
        nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
            .map_err(|_| Error::Busy { path })
    }

    /// Both nodes.
    pub fn nodes(&self) -> [&Node; 2] {
        [&self.config.nodes[0], &self.config.nodes[1]]
    }

    /// The other node than `index`.
    pub fn peer(&self, index: usize) -> &Node {
        self.nodes()[1 - index]
    }

    /// The paths of a process node.
    pub fn paths(&self, node: &Node) -> Paths {
        Paths::new(self.config.data_dir_of(node))
    }

    /// The server program of a process node, as it is looked up.
    pub fn binary_name(&self, node: &Node) -> String {
        self.config
            .binary_of(node)
            .map_or("mysqld".into(), |path| path.display().to_string())
    }

    /// The user that process nodes run as; `None` when that is the caller.
    ///
    /// # Errors
    /// [`process::Error::NoUser`].
    pub fn run_as(&self) -> Result<Option<RunAs>, process::Error> {
        RunAs::choose(Some(&self.config.server.user))
    }

    /// Where comparisons keep how far they are.
    pub fn verify_dir(&self) -> PathBuf {
        self.config.server.data_dir.join("verify")
    }

    /// Where the pair's certificates are.
    pub fn tls_dir(&self) -> PathBuf {
        self.config.server.data_dir.join("tls")
    }

    /// The certificate files of a node that twinlog runs: the user's, or those twinlog mints.
    pub fn certificates(&self, node: &Node) -> NodeFiles {
        let own = self
            .config
            .tls
            .as_ref()
            .and_then(|tls| Some((tls, tls.nodes.get(&node.name)?)));
        match own {
            Some((tls, identity)) => NodeFiles {
                ca: tls.ca.clone(),
                cert: identity.cert.clone(),
                key: identity.key.clone(),
            },
            None => NodeFiles::of(&self.tls_dir(), &node.name),
        }
    }

    /// The nodes that twinlog runs and mints certificates for, with the names in them.
    pub fn minted_nodes(&self) -> Vec<NodeNames> {
        let own = |node: &&Node| {
            self.config
                .tls
                .as_ref()
                .is_some_and(|tls| tls.nodes.contains_key(&node.name))
        };
        self.nodes()
            .into_iter()
            .filter(|node| self.config.runtime_of(node) != Runtime::External && !own(node))
            .map(|node| {
                let mut sans = vec![self.host_for_peer(node)];
                for name in [node.host.as_str(), "127.0.0.1", "::1", "localhost"] {
                    if !sans.iter().any(|san| san == name) {
                        sans.push(name.to_owned());
                    }
                }
                NodeNames {
                    name: node.name.clone(),
                    sans,
                }
            })
            .collect()
    }

    /// Whether a certificate is missing, for other names, or about to expire.
    pub fn certificates_due(&self) -> bool {
        certs::is_due(&self.tls_dir(), &self.minted_nodes())
    }

    /// Makes what is missing of the certificates and lets the servers' user read them.
    ///
    /// # Errors
    /// [`Error::Certificate`] or [`Error::Process`].
    pub fn mint_certificates(&self) -> Result<(), Error> {
        let minted = certs::ensure(&self.tls_dir(), &self.minted_nodes())?;
        // Containers get copies of their own.
        let local = self
            .nodes()
            .iter()
            .any(|node| self.config.runtime_of(node) == Runtime::Process);
        let run_as = if local { self.run_as()? } else { None };
        let files: Vec<PathBuf> = minted
            .iter()
            .flat_map(|node| node.files.all().map(Path::to_owned))
            .collect();
        Ok(process::give_files(
            &self.tls_dir(),
            &files,
            run_as.as_ref(),
        )?)
    }

    /// The authority's file, as the server of node `index` sees it.
    pub fn ca_for_replica(&self, index: usize) -> String {
        let node = self.nodes()[index];
        match self.config.runtime_of(node) {
            Runtime::Docker => container::CA_FILE.to_owned(),
            Runtime::Process | Runtime::External => {
                self.certificates(node).ca.display().to_string()
            }
        }
    }

    /// Writes an option file, readable by the user its server runs as.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_config(&self, path: &Path, text: &str) -> Result<(), Error> {
        files::replace_whole(path, text.as_bytes(), files::FILE_PUBLIC).map_err(|source| {
            Error::Io {
                action: "write",
                path: path.to_owned(),
                source,
            }
        })
    }

    /// The host under which the peer reaches a node.
    pub fn host_for_peer(&self, node: &Node) -> String {
        let own = || match self.config.runtime_of(node) {
            // On the pair's network a container is found by its name, whatever address it was given.
            Runtime::Docker => container::id(self, node).container(),
            Runtime::Process | Runtime::External => node.host.clone(),
        };
        node.replication_host.clone().unwrap_or_else(own)
    }

    /// The port under which the peer reaches a node.
    pub fn port_for_peer(&self, node: &Node) -> u16 {
        let own = || match self.config.runtime_of(node) {
            Runtime::Docker => docker::SERVER_PORT,
            Runtime::Process | Runtime::External => node.port,
        };
        node.replication_port.unwrap_or_else(own)
    }

    /// The secrets that this pair needs.
    fn secret_names(&self) -> Vec<&'static str> {
        let docker = self
            .nodes()
            .iter()
            .any(|node| self.config.runtime_of(node) == Runtime::Docker);
        SECRETS
            .into_iter()
            .filter(|name| docker || *name != BOOTSTRAP_SECRET)
            .collect()
    }

    /// The secrets that do not exist yet.
    pub fn missing_secrets(&self) -> Vec<&'static str> {
        self.secret_names()
            .into_iter()
            .filter(|name| !self.secrets.path(name).is_ok_and(|path| path.exists()))
            .collect()
    }

    /// Generates the secrets that do not exist yet.
    ///
    /// # Errors
    /// [`Error::Secret`].
    pub fn make_secrets(&self) -> Result<(), Error> {
        // A new password makes another generation, which the accounts have yet to be given. The old one's name goes
        // first: killed in between, the next run finds it missing.
        let missing = self.missing_secrets();
        if !missing.is_empty() && !missing.contains(&SET_ID) {
            let path = self.secrets.path(SET_ID)?;
            fs::remove_file(&path).map_err(|source| Error::Io {
                action: "delete",
                path,
                source,
            })?;
        }
        self.secret_names()
            .iter()
            .try_for_each(|name| Ok(self.secrets.get_or_create(name).map(drop)?))
    }

    /// The secret of this name.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn secret(&self, name: &str) -> Result<SecretString, SecretError> {
        self.secrets.read(name)
    }

    /// Which generation of passwords the accounts should have; empty before there are any.
    pub fn secrets_id(&self) -> String {
        use secrecy::ExposeSecret;
        // Half of it: the file holds 32 characters like any secret, and this much is written into tables.
        self.secrets
            .read(SET_ID)
            .map(|id| id.expose_secret().chars().take(16).collect())
            .unwrap_or_default()
    }

    /// How twinlog reaches a node's server.
    ///
    /// # Errors
    /// [`SecretError`] when the password cannot be read.
    pub fn endpoint(&self, node: &Node, login: Login) -> Result<Endpoint, SecretError> {
        let external = self.config.runtime_of(node) == Runtime::External;
        let (user, password) = match login {
            Login::Agent => (
                Account::Agent.user().to_owned(),
                Some(self.secret(Account::Agent.secret())?),
            ),
            Login::Admin if external => (
                node.user.clone().unwrap_or_else(|| "root".into()),
                user_password(node)?,
            ),
            Login::Admin => ("root".to_owned(), Some(self.secret(ROOT_SECRET)?)),
        };
        let (address, tls) = match self.config.runtime_of(node) {
            Runtime::Process => (Address::Socket(self.paths(node).socket()), ClientTls::Off),
            // Published on this machine only; what is in between never leaves it.
            Runtime::Docker => (Address::Tcp(node.host.clone(), node.port), ClientTls::Off),
            Runtime::External => (Address::Tcp(node.host.clone(), node.port), client_tls(node)),
        };
        Ok(Endpoint {
            address,
            user,
            password,
            tls,
        })
    }

    /// Connects to a node's server within `limit`.
    ///
    /// # Errors
    /// As [`Conn::open`].
    pub async fn connect(
        &self,
        node: &Node,
        login: Login,
        limit: Duration,
    ) -> Result<Conn, ConnError> {
        let endpoint = self
            .endpoint(node, login)
            .map_err(|error| ConnError::Secret {
                address: Address::Tcp(node.host.clone(), node.port),
                error,
            })?;
        let preferred =
            node.client_tls() == config::ClientTls::Preferred && endpoint.tls != ClientTls::Off;
        match Conn::open_within(&endpoint, limit).await {
            // The server offers no TLS, and the user left the choice to us.
            Err(ConnError::Unreachable { .. }) if preferred => {
                Conn::open_within(
                    &Endpoint {
                        tls: ClientTls::Off,
                        ..endpoint
                    },
                    limit,
                )
                .await
            }
            result => result,
        }
    }

    /// How long to wait for a connection to a server that is known to answer.
    pub fn patience(&self) -> Duration {
        twinlog_server::conn::CONNECT_TIMEOUT
    }
}

fn user_password(node: &Node) -> Result<Option<SecretString>, SecretError> {
    match &node.password {
        None | Some(Password::Empty) => Ok(None),
        Some(Password::File(path)) => read_password_file(path).map(Some),
        Some(Password::Env(name)) => read_password_env(name).map(Some),
    }
}

fn client_tls(node: &Node) -> ClientTls {
    match node.client_tls() {
        config::ClientTls::Off => ClientTls::Off,
        config::ClientTls::Preferred | config::ClientTls::Required => {
            ClientTls::Required { ca: None }
        }
        config::ClientTls::VerifyCa | config::ClientTls::VerifyIdentity => ClientTls::Required {
            ca: node.ssl_ca.clone(),
        },
    }
}
