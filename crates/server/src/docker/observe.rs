//! What the engine has for a node, without changing it.

use std::collections::HashMap;
use std::net::SocketAddr;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum,
    HostConfig, RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use jiff::Timestamp;

use super::container::{READY_MARKER, config_hash, container_labels, creation_error};
use super::names::NodeId;
use super::spec::{DATA_DIR, confined, container_port, data_mount};
use super::{DockerError, Engine, Result};

/// Something that has a name, which somebody may have taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// There is none.
    Absent,
    /// It exists and is not this pair's, and why that is known. It must not be touched.
    Stranger(String),
    /// It is this pair's.
    Ours(T),
}

/// All that the engine has for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// The network of the pair.
    pub network: Seen<()>,
    /// The volume of the node.
    pub volume: Seen<VolumeFacts>,
    /// The container of the node.
    pub container: Seen<ContainerFacts>,
}

/// A node's volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeFacts {
    /// What is in it.
    pub data: DataState,
}

/// What is in a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    /// It could not be looked into: the node has no container, and no image to look with was at hand.
    Unknown,
    /// No server was ever initialised in it.
    Empty,
    /// A server's files, and no server was ever seen ready with them: the first initialisation is under way, or has
    /// ended before its time, or nobody has called [`Engine::mark_ready`] yet. See the module's documentation.
    Unfinished,
    /// A server was ready with them: they may hold what somebody needs.
    Ready,
}

/// A node's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFacts {
    /// The engine's id of it.
    pub id: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// What its health check says.
    pub health: Health,
    /// Its image, as it was named at creation.
    pub image: String,
    /// The hash of the specification it was made from, see [`ContainerSpec::config_hash`](super::ContainerSpec::config_hash).
    pub config_hash: String,
    /// When it was last started.
    pub started_at: Option<Timestamp>,
    /// Where on this machine the server's port is published.
    pub published: Option<SocketAddr>,
    /// Whether the engine keeps it running, as it does once [`Engine::mark_ready`] was called.
    pub kept_running: bool,
    /// How often the engine has restarted it since it was last started by hand.
    pub restarts: i64,
}

/// Whether a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// Not started yet.
    Created,
    /// It runs.
    Running,
    /// It has ended, and the engine is about to start it again.
    Restarting {
        /// What it ended with.
        exit_code: i64,
    },
    /// It has ended.
    Exited {
        /// What it ended with.
        exit_code: i64,
        /// Whether the kernel killed it for want of memory.
        oom_killed: bool,
    },
    /// Somebody paused it.
    Paused,
    /// The engine is removing it, or failed to.
    Removing,
}

/// What a container's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing: it does not run.
    None,
    /// Not yet well, and not yet due to be.
    Starting,
    /// It accepts connections.
    Healthy,
    /// It does not.
    Unhealthy,
}

impl Engine {
    /// What the engine has for a node. A volume whose container is gone is looked into through a container of `image`
    /// that is never started, where that image is on this machine.
    ///
    /// # Errors
    /// What the engine says; a stranger's thing is a fact, not an error.
    pub async fn observe(&self, node: &NodeId, image: Option<&str>) -> Result<NodeFacts> {
        let network = self.inspect_network(node).await?;
        let network = seen(node, network, |network| {
            network.labels.clone().unwrap_or_default()
        });
        let container = self.inspect_container(&node.container()).await?;
        let container = seen(node, container, container_labels);
        let volume = self.inspect_volume(node).await?;
        let volume = seen(node, volume, |volume| volume.labels.clone());
        let volume = match volume {
            Seen::Absent => Seen::Absent,
            Seen::Stranger(why) => Seen::Stranger(why),
            Seen::Ours(_) => {
                let data = match (&container, image) {
                    (Seen::Ours(_), _) => self.data_seen_from(&node.container()).await?,
                    (_, Some(image)) => self.data_seen_with(node, image).await?,
                    (_, None) => DataState::Unknown,
                };
                Seen::Ours(VolumeFacts { data })
            }
        };
        Ok(NodeFacts {
            network: network.map(drop),
            volume,
            container: container.map(|found| container_facts(&found)),
        })
    }

    /// Looks into the volume through a container it is mounted in.
    async fn data_seen_from(&self, container: &str) -> Result<DataState> {
        let has = async |name: &str| {
            self.has_path(container, &format!("{DATA_DIR}/{name}"))
                .await
        };
        if has(READY_MARKER).await? {
            return Ok(DataState::Ready);
        }
        // The schema `mysql` is what the entry scripts take for an initialised server; the others come before it.
        for name in ["mysql", "ibdata1", "aria_log_control", "auto.cnf"] {
            if has(name).await? {
                return Ok(DataState::Unfinished);
            }
        }
        Ok(DataState::Empty)
    }

    /// Looks into the volume of a node that has no container.
    async fn data_seen_with(&self, node: &NodeId, image: &str) -> Result<DataState> {
        let name = format!("{}.peek", node.container());
        self.remove_leftover(node, &name).await?;
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            labels: Some(node.labels()),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                mounts: Some(vec![data_mount(node, true)]),
                network_mode: Some("none".to_owned()),
                ..confined(&[])
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let made = self.docker.create_container(Some(options), body).await;
        match made.map_err(|error| creation_error(image, &name, error)) {
            Ok(_) => {}
            Err(DockerError::NoImage { .. }) => return Ok(DataState::Unknown),
            Err(error) => return Err(error),
        }
        let data = self.data_seen_from(&name).await;
        self.remove_leftover(node, &name).await?;
        data
    }
}

impl<T> Seen<T> {
    /// The same with what is ours looked at in another way.
    fn map<U>(self, look: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Absent => Seen::Absent,
            Self::Stranger(why) => Seen::Stranger(why),
            Self::Ours(found) => Seen::Ours(look(found)),
        }
    }
}

fn seen<T>(
    node: &NodeId,
    found: Option<T>,
    labels: impl Fn(&T) -> HashMap<String, String>,
) -> Seen<T> {
    match found {
        None => Seen::Absent,
        Some(found) => match node.foreign(&labels(&found)) {
            Some(why) => Seen::Stranger(why),
            None => Seen::Ours(found),
        },
    }
}

fn container_facts(container: &ContainerInspectResponse) -> ContainerFacts {
    let state = container.state.as_ref();
    let host = container.host_config.as_ref();
    let policy = host.and_then(|host| host.restart_policy.as_ref()?.name);
    let config = container.config.as_ref();
    ContainerFacts {
        id: container.id.clone().unwrap_or_default(),
        state: container_state(container),
        health: health(container),
        image: config
            .and_then(|config| config.image.clone())
            .unwrap_or_default(),
        config_hash: config_hash(container).unwrap_or_default(),
        // The engine writes the year 1 for never.
        started_at: state
            .and_then(|state| state.started_at.as_deref()?.parse().ok())
            .filter(|at| *at > Timestamp::UNIX_EPOCH),
        published: published(container),
        kept_running: policy == Some(RestartPolicyNameEnum::UNLESS_STOPPED),
        restarts: container.restart_count.unwrap_or_default(),
    }
}

fn container_state(container: &ContainerInspectResponse) -> ContainerState {
    use ContainerStateStatusEnum as Status;

    let state = container.state.clone().unwrap_or_default();
    let exit_code = state.exit_code.unwrap_or_default();
    match state.status {
        // Stopping is podman's word for one that still runs.
        Some(Status::RUNNING | Status::STOPPING) => ContainerState::Running,
        Some(Status::PAUSED) => ContainerState::Paused,
        Some(Status::RESTARTING) => ContainerState::Restarting { exit_code },
        Some(Status::EXITED) => ContainerState::Exited {
            exit_code,
            oom_killed: state.oom_killed.unwrap_or_default(),
        },
        Some(Status::REMOVING | Status::DEAD) => ContainerState::Removing,
        Some(Status::CREATED | Status::EMPTY) | None => ContainerState::Created,
    }
}

fn health(container: &ContainerInspectResponse) -> Health {
    let state = container.state.as_ref();
    match state.and_then(|state| state.health.as_ref()?.status) {
        _ if state.is_none_or(|state| state.running != Some(true)) => Health::None,
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => Health::None,
    }
}

/// Where the server's port is to be on this machine, running or not.
pub(super) fn published(container: &ContainerInspectResponse) -> Option<SocketAddr> {
    let bindings = container.host_config.as_ref()?.port_bindings.as_ref()?;
    let binding = bindings.get(&container_port())?.as_ref()?.first()?;
    let ip = binding.host_ip.as_deref()?.parse().ok()?;
    let port = binding.host_port.as_deref()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}
