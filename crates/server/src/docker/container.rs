//! The life of a node's container.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerUpdateBody, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, RestartContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::archive;
use super::names::{Kind, LABEL_CONFIG, NodeId};
use super::spec::{ContainerSpec, DATA_DIR, STOP_TIMEOUT_S, restart_policy};
use super::storage::{if_exists, own};
use super::{DockerError, Engine, REQUEST_TIMEOUT, Result};

/// The file that says, in a volume, that a server in it was ready once. The servers overlook names with a dot in front.
pub(super) const READY_MARKER: &str = ".twinlog-ready";

/// How much of its log a dead container is reported with.
const LAST_WORDS: usize = 20;

/// What [`Engine::create_container`] found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// There was none.
    Created,
    /// There was one of another configuration; its volume is kept.
    Recreated,
    /// It was there.
    Unchanged,
}

impl Engine {
    /// Sees to it that the node's container exists as specified, not yet started if it had to be made, and then not kept
    /// running by the engine before [`Engine::mark_ready`]. Network, volume and image must be there. An old container of
    /// another configuration is stopped, and removed when the new one is whole.
    ///
    /// # Errors
    /// [`DockerError::Stranger`] and [`DockerError::Absent`] for what it needs, [`DockerError::NoImage`],
    /// [`DockerError::NotAServer`] for an image without the user mysql, or what the engine says.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<Creation> {
        let node = &spec.node;
        self.require(node).await?;
        let name = node.container();
        let old = self.own_container(node, &name).await?;
        if old
            .as_ref()
            .is_some_and(|old| config_hash(old) == Some(spec.config_hash()))
        {
            return Ok(Creation::Unchanged);
        }

        let unfinished = format!("{name}.new");
        self.remove_leftover(node, &unfinished).await?;
        let options = CreateContainerOptionsBuilder::default()
            .name(&unfinished)
            .build();
        let made = self
            .docker
            .create_container(Some(options), spec.create_body())
            .await;
        made.map_err(|error| creation_error(&spec.image, &name, error))?;
        self.fill(spec, &unfinished).await?;

        if old.is_some() {
            self.stop(node, Duration::from_secs(STOP_TIMEOUT_S.into()))
                .await?;
            self.remove_container(node).await?;
        }
        let options = RenameContainerOptionsBuilder::default().name(&name).build();
        let renamed = self.docker.rename_container(&unfinished, options).await;
        renamed.map_err(DockerError::of(format!("name container `{name}`")))?;
        Ok(if old.is_some() {
            Creation::Recreated
        } else {
            Creation::Created
        })
    }

    /// Starts the node's container; nothing happens to one that runs. That it started says nothing of the server in it:
    /// ask [`Engine::ensure_alive`] while waiting for that.
    ///
    /// # Errors
    /// [`DockerError::PortTaken`], [`DockerError::Absent`], [`DockerError::Stranger`], or what the engine says.
    pub async fn start(&self, node: &NodeId) -> Result<()> {
        let container = self.require_container(node).await?;
        let name = node.container();
        let started = self
            .docker
            .start_container(&name, None::<StartContainerOptions>)
            .await;
        let Err(error) = started.map_err(DockerError::of(format!("start container `{name}`")))
        else {
            return Ok(());
        };
        let taken = ["port is already allocated", "address already in use"];
        match (error, super::observe::published(&container)) {
            (DockerError::Refused { message, .. }, Some(published))
                if taken.iter().any(|words| message.contains(words)) =>
            {
                Err(DockerError::PortTaken {
                    container: name,
                    address: published.ip(),
                    port: published.port(),
                    message,
                })
            }
            (error, _) => Err(error),
        }
    }

    /// Stops the node's container, killing the server only when it has not ended after `timeout`. It stays stopped when
    /// the engine or the machine restarts. Nothing happens to one that does not run, or does not exist.
    ///
    /// # Errors
    /// [`DockerError::Stranger`], or what the engine says.
    pub async fn stop(&self, node: &NodeId, timeout: Duration) -> Result<()> {
        let name = node.container();
        if self.own_container(node, &name).await?.is_none() {
            return Ok(());
        }
        let options = StopContainerOptionsBuilder::default()
            .t(whole_seconds(timeout))
            .build();
        // The engine answers when it has stopped.
        let patient = self.docker.clone().with_timeout(timeout + REQUEST_TIMEOUT);
        let stopped = patient.stop_container(&name, Some(options)).await;
        stopped.map_err(DockerError::of(format!("stop container `{name}`")))
    }

    /// Stops and starts the node's container.
    ///
    /// # Errors
    /// [`DockerError::Absent`], [`DockerError::Stranger`], or what the engine says.
    pub async fn restart(&self, node: &NodeId, timeout: Duration) -> Result<()> {
        self.require_container(node).await?;
        let name = node.container();
        let options = RestartContainerOptionsBuilder::default()
            .t(whole_seconds(timeout))
            .build();
        let patient = self.docker.clone().with_timeout(timeout + REQUEST_TIMEOUT);
        let restarted = patient.restart_container(&name, Some(options)).await;
        restarted.map_err(DockerError::of(format!("restart container `{name}`")))
    }

    /// Removes the node's container, and what an interrupted creation left of one; its volume stays. A server that
    /// still runs is killed: [`Engine::stop`] it first.
    ///
    /// # Errors
    /// [`DockerError::Stranger`], or what the engine says.
    pub async fn remove_container(&self, node: &NodeId) -> Result<()> {
        self.remove_leftover(node, &node.container()).await
    }

    /// Removes what runs that were killed left under passing names.
    ///
    /// # Errors
    /// [`DockerError::Stranger`], or what the engine says.
    pub async fn remove_leftovers(&self, node: &NodeId) -> Result<()> {
        for ending in ["new", "peek"] {
            self.remove_leftover(node, &format!("{}.{ending}", node.container()))
                .await?;
        }
        Ok(())
    }

    /// Records that the server in the node's container was seen ready (somebody logged in as root over TCP): leaves the
    /// marker in its volume, and has the engine keep the container running from now on. May be repeated.
    ///
    /// # Errors
    /// [`DockerError::Absent`], [`DockerError::Stranger`], or what the engine says.
    pub async fn mark_ready(&self, node: &NodeId) -> Result<()> {
        self.require_container(node).await?;
        let name = node.container();
        let marker = archive::pack_one(READY_MARKER, &format!("{}\n", node.pair_id));
        self.upload(&name, DATA_DIR, marker).await?;
        let update = ContainerUpdateBody {
            restart_policy: Some(restart_policy(RestartPolicyNameEnum::UNLESS_STOPPED)),
            ..ContainerUpdateBody::default()
        };
        let updated = self.docker.update_container(&name, update).await;
        updated.map_err(DockerError::of(format!(
            "set the restart policy of container `{name}`"
        )))
    }

    /// Fails when the server in the node's container has ended: with its exit code and the last lines of its log.
    ///
    /// # Errors
    /// [`DockerError::Died`]; [`DockerError::NotRunning`] for one never started; [`DockerError::Absent`],
    /// [`DockerError::Stranger`], or what the engine says.
    pub async fn ensure_alive(&self, node: &NodeId) -> Result<()> {
        use ContainerStateStatusEnum as Status;

        let container = self.require_container(node).await?;
        let state = container.state.unwrap_or_default();
        match state.status {
            Some(Status::RUNNING) => Ok(()),
            Some(Status::EXITED | Status::RESTARTING | Status::DEAD) => Err(DockerError::Died {
                container: node.container(),
                exit_code: state.exit_code.unwrap_or_default(),
                oom_killed: state.oom_killed.unwrap_or_default(),
                log: self.logs_tail(node, LAST_WORDS).await?,
            }),
            other => Err(DockerError::NotRunning {
                container: node.container(),
                state: other.map_or("in an unknown state".to_owned(), |status| {
                    status.to_string()
                }),
            }),
        }
    }

    /// The last `lines` lines that the node's container has written, oldest first.
    ///
    /// # Errors
    /// [`DockerError::Absent`], [`DockerError::Stranger`], or what the engine says.
    pub async fn logs_tail(&self, node: &NodeId, lines: usize) -> Result<Vec<String>> {
        self.require_container(node).await?;
        self.log_of(&node.container(), lines).await
    }

    pub(super) async fn log_of(&self, name: &str, lines: usize) -> Result<Vec<String>> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut said = self.docker.logs(name, Some(options));
        let mut text = String::new();
        while let Some(part) = said.next().await {
            let part: LogOutput = part.map_err(DockerError::of(format!(
                "read the log of container `{name}`"
            )))?;
            text.push_str(&part.to_string());
        }
        Ok(text
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect())
    }

    /// The container of that name, if it is the pair's.
    pub(super) async fn own_container(
        &self,
        node: &NodeId,
        name: &str,
    ) -> Result<Option<ContainerInspectResponse>> {
        let found = self.inspect_container(name).await?;
        own(node, Kind::Container, name, found, container_labels)
    }

    /// The container of that name, whoever made it.
    pub(super) async fn inspect_container(
        &self,
        name: &str,
    ) -> Result<Option<ContainerInspectResponse>> {
        let found = self
            .docker
            .inspect_container(name, None::<InspectContainerOptions>)
            .await;
        if_exists(found, || format!("inspect container `{name}`"))
    }

    /// Removes a container of the pair, running or not; there may be none.
    pub(super) async fn remove_leftover(&self, node: &NodeId, name: &str) -> Result<()> {
        if self.own_container(node, name).await?.is_none() {
            return Ok(());
        }
        // With its nameless volumes, of which an image may declare more than the one for the data.
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let removed = self.docker.remove_container(name, Some(options)).await;
        if_exists(removed, || format!("remove container `{name}`")).map(drop)
    }

    /// What a container needs: the engine would make a missing volume itself, and without our labels.
    async fn require(&self, node: &NodeId) -> Result<()> {
        let absent = |kind, name: &str| DockerError::Absent {
            kind,
            name: name.to_owned(),
        };
        if self.own_network(node).await?.is_none() {
            return Err(absent(Kind::Network, node.network()));
        }
        match self.own_volume(node).await? {
            Some(_) => Ok(()),
            None => Err(absent(Kind::Volume, &node.volume())),
        }
    }

    async fn require_container(&self, node: &NodeId) -> Result<ContainerInspectResponse> {
        let name = node.container();
        let found = self.own_container(node, &name).await?;
        found.ok_or(DockerError::Absent {
            kind: Kind::Container,
            name,
        })
    }
}

pub(super) fn container_labels(container: &ContainerInspectResponse) -> HashMap<String, String> {
    let config = container.config.as_ref();
    config
        .and_then(|config| config.labels.clone())
        .unwrap_or_default()
}

pub(super) fn config_hash(container: &ContainerInspectResponse) -> Option<String> {
    container_labels(container).remove(LABEL_CONFIG)
}

/// Tells a missing image, the engine's only reason to answer 404 here, from the rest.
pub(super) fn creation_error(
    image: &str,
    container: &str,
    error: bollard::errors::Error,
) -> DockerError {
    match DockerError::of(format!("create container `{container}`"))(error) {
        DockerError::Refused { status: 404, .. } => DockerError::NoImage {
            image: image.to_owned(),
        },
        error => error,
    }
}

fn whole_seconds(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX)
}
