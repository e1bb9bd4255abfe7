//! The docker runtime: one node as one container, one named volume and one network shared by the pair.
//!
//! Everything here is an operation of the engine; what is done when is the planner's matter. Only the contract of the
//! public `mysql` and `mariadb` images is relied on: an entry script that starts as root, initialises
//! `/var/lib/mysql` where it is empty, sets root's password from `MYSQL_ROOT_PASSWORD_FILE` and becomes `mysqld` as the
//! user mysql; options from `/etc/mysql/conf.d`.
//!
//! Three rules hold throughout:
//! - **A stranger's thing is never touched.** What twinlog makes carries labels with the pair's id; a container, volume
//!   or network of the right name without them is an error, also where it would only be read or started.
//! - **A container of the right name is whole.** It is made under another name, filled, and then renamed, so a run
//!   killed in between leaves nothing that looks finished, and the next [`Engine::create_container`] clears it away.
//! - **A volume is ready only when a server in it was seen to be.** On its first start the entry script runs a temporary
//!   server that listens on the socket only; killed during that, it leaves a data directory that starts but has no
//!   proper root account. Nothing in the directory tells, so after the first login over TCP the caller calls
//!   [`Engine::mark_ready`], which leaves a marker in the volume and only then hands the container to the engine's
//!   restart policy. [`DataState::Unfinished`] together with a container that has ended, or that answers but refuses
//!   root's password, is a volume to remove and make again; together with one that still runs, it may yet get ready.

mod archive;
mod container;
mod error;
mod image;
mod names;
mod observe;
mod spec;
mod storage;
mod transfer;

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::net::UnixStream;

pub use container::Creation;
pub use error::DockerError;
pub use image::PullProgress;
pub use names::{Kind, NodeId};
pub use observe::{
    ContainerFacts, ContainerState, DataState, Health, NodeFacts, Seen, VolumeFacts,
};
pub use spec::{ContainerSpec, DATA_DIR, SERVER_PORT, UPLOAD_DIR, Upload};

/// What a function of this module returns.
pub type Result<T, E = DockerError> = std::result::Result<T, E>;

/// How long one request may take, except those that wait for something by their nature.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// A connection to the docker engine of this machine.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    socket: PathBuf,
}

/// What the engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineVersion {
    /// The engine's version, e.g. `20.10.24`.
    pub engine: String,
    /// The newest API version it speaks, e.g. `1.41`.
    pub api: String,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, or to the one at the usual socket.
    ///
    /// # Errors
    /// [`DockerError::UnsupportedHost`] where it is not a unix socket, [`DockerError::Unreachable`] where no engine
    /// answers.
    pub async fn connect() -> Result<Self> {
        match env::var("DOCKER_HOST") {
            Ok(host) if !host.is_empty() => Self::connect_to(&host).await,
            _ => Self::open(usual_socket()).await,
        }
    }

    /// Connects to the engine at `host`, written as in `DOCKER_HOST`: `unix:///path/of/socket`.
    ///
    /// # Errors
    /// Those of [`Engine::connect`].
    pub async fn connect_to(host: &str) -> Result<Self> {
        match host.strip_prefix("unix://") {
            Some(path) => Self::open(path.into()).await,
            None => Err(DockerError::UnsupportedHost { host: host.into() }),
        }
    }

    async fn open(socket: PathBuf) -> Result<Self> {
        let unreachable = |source| DockerError::Unreachable {
            socket: socket.clone(),
            source,
        };
        // Asked first by hand: the library says only that something went wrong, not that permission was denied.
        UnixStream::connect(&socket).await.map_err(unreachable)?;
        let path = socket.to_str().ok_or_else(|| {
            unreachable(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path is not UTF-8",
            ))
        })?;
        let docker =
            Docker::connect_with_unix(path, REQUEST_TIMEOUT.as_secs(), API_DEFAULT_VERSION)
                .map_err(DockerError::of("open its socket"))?
                .negotiate_version()
                .await
                .map_err(DockerError::of("tell its version"))?;
        Ok(Self { docker, socket })
    }

    /// The socket it is connected to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the engine still answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        let answer = self.docker.ping().await;
        answer.map(drop).map_err(DockerError::of("answer a ping"))
    }

    /// The engine's versions.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<EngineVersion> {
        let said = self.docker.version().await;
        let said = said.map_err(DockerError::of("tell its version"))?;
        Ok(EngineVersion {
            engine: said.version.unwrap_or_default(),
            api: said.api_version.unwrap_or_default(),
        })
    }
}

/// The system's engine, or the user's own (rootless) where only that one exists.
fn usual_socket() -> PathBuf {
    let system = PathBuf::from(DEFAULT_SOCKET);
    let own = env::var_os("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("docker.sock"));
    match own {
        Some(own) if !system.exists() && own.exists() => own,
        _ => system,
    }
}
