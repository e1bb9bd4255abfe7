//! The network of a pair and the volume of a node.

use std::collections::HashMap;

use bollard::models::{NetworkCreateRequest, NetworkInspect, Volume, VolumeCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, RemoveVolumeOptions};

use super::names::{Kind, NodeId};
use super::{DockerError, Engine, Result};

impl Engine {
    /// Makes the pair's network, where the nodes reach each other by name; it may exist already.
    ///
    /// # Errors
    /// [`DockerError::Stranger`] where that name is somebody else's, or what the engine says.
    pub async fn create_network(&self, node: &NodeId) -> Result<()> {
        if self.own_network(node).await?.is_some() {
            return Ok(());
        }
        let request = NetworkCreateRequest {
            name: node.network().to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(node.pair_labels()),
            ..NetworkCreateRequest::default()
        };
        let made = self.docker.create_network(request).await;
        made.map(drop).map_err(DockerError::of(format!(
            "create network `{}`",
            node.network()
        )))
    }

    /// Removes the pair's network; the engine refuses while a container is in it.
    ///
    /// # Errors
    /// As [`Engine::create_network`].
    pub async fn remove_network(&self, node: &NodeId) -> Result<()> {
        let Some(network) = self.own_network(node).await? else {
            return Ok(());
        };
        let id = network.id.unwrap_or_else(|| node.network().to_owned());
        let removed = self.docker.remove_network(&id).await;
        removed.map_err(DockerError::of(format!(
            "remove network `{}`",
            node.network()
        )))
    }

    /// Makes the node's volume; it may exist already.
    ///
    /// # Errors
    /// [`DockerError::Stranger`] where that name is somebody else's, or what the engine says.
    pub async fn create_volume(&self, node: &NodeId) -> Result<()> {
        if self.own_volume(node).await?.is_some() {
            return Ok(());
        }
        let request = VolumeCreateRequest {
            name: Some(node.volume()),
            labels: Some(node.labels()),
            ..VolumeCreateRequest::default()
        };
        let made = self.docker.create_volume(request).await;
        made.map(drop).map_err(DockerError::of(format!(
            "create volume `{}`",
            node.volume()
        )))
    }

    /// Removes the node's volume and all data in it; its container must be gone.
    ///
    /// # Errors
    /// As [`Engine::create_volume`].
    pub async fn remove_volume(&self, node: &NodeId) -> Result<()> {
        if self.own_volume(node).await?.is_none() {
            return Ok(());
        }
        let removed = self
            .docker
            .remove_volume(&node.volume(), None::<RemoveVolumeOptions>)
            .await;
        removed.map_err(DockerError::of(format!(
            "remove volume `{}`",
            node.volume()
        )))
    }

    /// The network of the pair's name, whoever made it.
    pub(super) async fn inspect_network(&self, node: &NodeId) -> Result<Option<NetworkInspect>> {
        let found = self
            .docker
            .inspect_network(node.network(), None::<InspectNetworkOptions>)
            .await;
        let found = if_exists(found, || format!("inspect network `{}`", node.network()))?;
        // The engine also takes the beginning of an id for a name, and a pair may be called `cafe`.
        Ok(found.filter(|network| network.name.as_deref() == Some(node.network())))
    }

    /// The volume of the node's name, whoever made it.
    pub(super) async fn inspect_volume(&self, node: &NodeId) -> Result<Option<Volume>> {
        let found = self.docker.inspect_volume(&node.volume()).await;
        if_exists(found, || format!("inspect volume `{}`", node.volume()))
    }

    pub(super) async fn own_network(&self, node: &NodeId) -> Result<Option<NetworkInspect>> {
        let found = self.inspect_network(node).await?;
        let labels = |network: &NetworkInspect| network.labels.clone().unwrap_or_default();
        own(node, Kind::Network, node.network(), found, labels)
    }

    pub(super) async fn own_volume(&self, node: &NodeId) -> Result<Option<Volume>> {
        let found = self.inspect_volume(node).await?;
        own(node, Kind::Volume, &node.volume(), found, |volume| {
            volume.labels.clone()
        })
    }
}

/// Lets through what is absent or the pair's own.
pub(super) fn own<T>(
    node: &NodeId,
    kind: Kind,
    name: &str,
    found: Option<T>,
    labels: impl Fn(&T) -> HashMap<String, String>,
) -> Result<Option<T>> {
    let foreign = found
        .as_ref()
        .and_then(|found| node.foreign(&labels(found)));
    match foreign {
        None => Ok(found),
        Some(why) => Err(DockerError::Stranger {
            kind,
            name: name.to_owned(),
            why,
        }),
    }
}

/// The engine's "no such thing" as nothing.
pub(super) fn if_exists<T>(
    answer: Result<T, bollard::errors::Error>,
    doing: impl Fn() -> String,
) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(None),
        Err(error) => Err(DockerError::of(doing())(error)),
    }
}
