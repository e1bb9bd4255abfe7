use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use bollard::errors::Error as EngineError;

use super::names::Kind;

/// What can go wrong between twinlog and the docker engine.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// `DOCKER_HOST` is not a unix socket.
    #[error("docker host `{host}` is not a unix socket")]
    UnsupportedHost {
        /// What it says.
        host: String,
    },
    /// No engine answers at the socket.
    #[error("cannot reach the docker engine at {}: {source}", socket.display())]
    Unreachable {
        /// Where it was looked for.
        socket: PathBuf,
        /// Why it could not be opened.
        source: io::Error,
    },
    /// The engine answered no.
    #[error("the docker engine refused to {doing}: {message} (status {status})")]
    Refused {
        /// What was asked for.
        doing: String,
        /// The HTTP status of its answer.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// The engine did not answer, or not in a way that could be read.
    #[error("the docker engine failed to {doing}: {message}")]
    Failed {
        /// What was asked for.
        doing: String,
        /// What happened.
        message: String,
    },
    /// Something of that name exists and is not this pair's.
    #[error("{kind} `{name}` exists and is not this pair's: {why}")]
    Stranger {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// How that is known.
        why: String,
    },
    /// Something that must exist does not.
    #[error("there is no {kind} `{name}`")]
    Absent {
        /// What is missing.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The image is not on this machine.
    #[error("there is no image `{image}` on this machine")]
    NoImage {
        /// The image.
        image: String,
    },
    /// The image could not be fetched.
    #[error("cannot pull image `{image}`: {message}")]
    Pull {
        /// The image.
        image: String,
        /// The engine's own words.
        message: String,
    },
    /// The image is not one of a MySQL or MariaDB server.
    #[error("image `{image}` is not one of a MySQL or MariaDB server: {why}")]
    NotAServer {
        /// The image.
        image: String,
        /// What it lacks.
        why: String,
    },
    /// The port to publish is in use.
    #[error("cannot publish port {port} on {address} for container `{container}`: {message}")]
    PortTaken {
        /// The container that was to be started.
        container: String,
        /// The address on this machine.
        address: IpAddr,
        /// The port on this machine.
        port: u16,
        /// The engine's own words.
        message: String,
    },
    /// The server in the container ended by itself.
    #[error(
        "container `{container}` ended with exit code {exit_code}{}; the last lines of its log:{}",
        if *.oom_killed { " (it used more memory than it is allowed)" } else { "" },
        .log.iter().map(|line| format!("\n  {line}")).collect::<String>()
    )]
    Died {
        /// The container.
        container: String,
        /// What its first process ended with; above 128 it was killed by signal `exit_code - 128`.
        exit_code: i64,
        /// Whether the kernel killed it for want of memory.
        oom_killed: bool,
        /// What it said last, oldest first.
        log: Vec<String>,
    },
    /// The container exists and was not started, or is paused.
    #[error("container `{container}` is not running but {state}")]
    NotRunning {
        /// The container.
        container: String,
        /// What it is instead.
        state: String,
    },
    /// The files for a container could not be packed, or one of its own not unpacked.
    #[error("cannot exchange files with container `{container}`: {source}")]
    Archive {
        /// The container.
        container: String,
        /// Why.
        source: io::Error,
    },
}

impl DockerError {
    /// Wraps an error of the engine, met while asking it to do `doing` (a verb with its object).
    pub(super) fn of(doing: impl Into<String>) -> impl FnOnce(EngineError) -> Self {
        let doing = doing.into();
        move |error| match error {
            EngineError::DockerResponseServerError {
                status_code,
                message,
            } => Self::Refused {
                doing,
                status: status_code,
                message: message.trim().to_owned(),
            },
            EngineError::RequestTimeoutError => Self::Failed {
                doing,
                message: "it did not answer in time".to_owned(),
            },
            other => Self::Failed {
                doing,
                message: with_causes(&other),
            },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnsupportedHost { .. } => {
                "set DOCKER_HOST to unix:///path/of/docker.sock of an engine on this machine, or unset it; for servers \
                 that run elsewhere use `runtime = \"external\"`"
                    .to_owned()
            }
            Self::Unreachable { socket, source } => unreachable_hint(&socket.display().to_string(), source),
            Self::Stranger { kind, name, .. } => format!(
                "rename the pair in twinlog.toml, or remove the other one yourself if nobody needs it: {}",
                kind.removal(name)
            ),
            Self::Absent { .. } => "run `twinlog up`, which makes what is missing".to_owned(),
            Self::NoImage { image } => format!("pull it (`docker pull {image}`) or load it (`docker load`)"),
            Self::Pull { image, message } => pull_hint(image, message),
            Self::NotAServer { .. } => {
                "use an official image, such as mysql:8.4 or mariadb:11.4, or one made from it".to_owned()
            }
            Self::PortTaken { port, .. } => {
                format!("give the node another port in twinlog.toml, or stop what listens there (`ss -ltnp 'sport = :{port}'`)")
            }
            Self::Died { oom_killed: true, .. } => {
                "allow the container more memory, or lower innodb_buffer_pool_size in its options".to_owned()
            }
            Self::Died { container, .. } => {
                format!("the server's own words above say why; all of them: `docker logs {container}`")
            }
            Self::NotRunning { container, .. } => format!("look at it: `docker inspect {container}`"),
            Self::Refused { message, .. } | Self::Failed { message, .. } if no_space(message) => {
                "free disk space where the engine keeps its data (`docker system df`)".to_owned()
            }
            Self::Refused { .. } | Self::Failed { .. } | Self::Archive { .. } => return None,
        };
        Some(hint)
    }
}

fn no_space(message: &str) -> bool {
    message.contains("no space left on device")
}

fn unreachable_hint(socket: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "this user may not use {socket}: run as root, or join the group that owns it (`sudo usermod -aG docker \
             $USER`, then log in again)"
        ),
        io::ErrorKind::NotFound => {
            "is docker installed (`apt-get install docker.io`) and started? DOCKER_HOST=unix:///… names another socket"
                .to_owned()
        }
        _ => "is the engine running? start it with `systemctl start docker`".to_owned(),
    }
}

fn pull_hint(image: &str, message: &str) -> String {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&[
        "manifest unknown",
        "not found",
        "does not exist",
        "denied",
        "unauthorized",
    ]) {
        format!(
            "check the name `{image}`; from a registry that asks for a login, pull it by hand: `docker pull {image}`"
        )
    } else if says(&["no space left"]) {
        "free disk space where the engine keeps its images (`docker system df`)".to_owned()
    } else {
        "the engine could not reach the image's registry: check its network or proxy, or bring the image in by hand \
         (`docker save` on another machine, `docker load` here)"
            .to_owned()
    }
}

/// An error with what caused it: the outermost one of the HTTP client says only that it failed.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_shows_exit_code_and_last_lines() {
        let error = DockerError::Died {
            container: "shop-a".into(),
            exit_code: 1,
            oom_killed: false,
            log: vec!["unknown variable 'x=1'".into(), "Aborting".into()],
        };
        assert_eq!(
            error.to_string(),
            "container `shop-a` ended with exit code 1; the last lines of its log:\n  unknown variable 'x=1'\n  Aborting"
        );
    }

    #[test]
    fn hints_follow_the_cause() {
        let unreachable = |kind: io::ErrorKind| {
            let socket = "/run/docker.sock".into();
            let source = kind.into();
            DockerError::Unreachable { socket, source }
                .hint()
                .unwrap_or_default()
        };
        assert!(unreachable(io::ErrorKind::PermissionDenied).contains("usermod"));
        assert!(unreachable(io::ErrorKind::NotFound).contains("installed"));
        assert!(unreachable(io::ErrorKind::ConnectionRefused).contains("systemctl start"));
        let pull = |message: &str| pull_hint("mysql:8.4", message);
        assert!(
            pull("manifest for mysql:8.4 not found: manifest unknown").contains("check the name")
        );
        assert!(
            pull("Get https://registry/v2/: dial tcp: lookup registry: no such host")
                .contains("docker load")
        );
    }
}
