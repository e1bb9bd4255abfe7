//! Images: having them, and knowing which server is in them.

use std::collections::HashMap;

use bollard::models::ContainerCreateBody;
use bollard::models::HostConfig;
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, WaitContainerOptions,
};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::container::creation_error;
use super::spec::confined;
use super::storage::if_exists;
use super::{DockerError, Engine, Result};

/// Of the containers that only tell a version, so that those of killed runs are found again.
const LABEL_PROBE: &str = "twinlog.probe";
/// A probe takes a second; one that old was left behind.
const PROBE_STALE_S: i64 = 600;

/// One step of a pull, as the engine tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// The layer it is about, or the tag.
    pub layer: Option<String>,
    /// What happens to it, in the engine's words, e.g. `Downloading`.
    pub status: String,
    /// How many bytes are done.
    pub done_bytes: Option<u64>,
    /// Of how many.
    pub total_bytes: Option<u64>,
}

impl Engine {
    /// Sees to it that an image is on this machine: pulls it where it is not, telling of each step. Whether it pulled.
    ///
    /// # Errors
    /// [`DockerError::Pull`] with the engine's own words.
    pub async fn ensure_image(
        &self,
        image: &str,
        mut progress: impl FnMut(PullProgress),
    ) -> Result<bool> {
        if self.image_env(image).await?.is_some() {
            return Ok(false);
        }
        let failed = |error| match DockerError::of("pull")(error) {
            DockerError::Refused { message, .. } | DockerError::Failed { message, .. } => {
                DockerError::Pull {
                    image: image.to_owned(),
                    message,
                }
            }
            other => other,
        };
        let options = CreateImageOptionsBuilder::default()
            .from_image(&with_tag(image))
            .build();
        let mut steps = self.docker.create_image(Some(options), None, None);
        while let Some(step) = steps.next().await {
            let step = step.map_err(failed)?;
            let bytes = step.progress_detail.unwrap_or_default();
            progress(PullProgress {
                layer: step.id,
                status: step.status.unwrap_or_default(),
                done_bytes: bytes.current.and_then(|count| count.try_into().ok()),
                total_bytes: bytes.total.and_then(|count| count.try_into().ok()),
            });
        }
        Ok(true)
    }

    /// Which server an image holds, as text with a version in it: `9.7.0` or `10.11.9-MariaDB` by the public images' own
    /// word, or else what `mysqld --version` prints in a container without network. The image must be there.
    ///
    /// # Errors
    /// [`DockerError::NoImage`]; [`DockerError::NotAServer`] where no server can be asked.
    pub async fn image_version(&self, image: &str) -> Result<String> {
        let env = self.image_env(image).await?;
        let env = env.ok_or_else(|| DockerError::NoImage {
            image: image.to_owned(),
        })?;
        match version_in(&env) {
            Some(version) => Ok(version),
            None => self.ask_version(image).await,
        }
    }

    /// An image's environment; nothing where there is no such image.
    async fn image_env(&self, image: &str) -> Result<Option<Vec<String>>> {
        let found = self.docker.inspect_image(image).await;
        let found = if_exists(found, || format!("inspect image `{image}`"))?;
        Ok(found.map(|image| {
            image
                .config
                .and_then(|config| config.env)
                .unwrap_or_default()
        }))
    }

    async fn ask_version(&self, image: &str) -> Result<String> {
        self.remove_stale_probes().await?;
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Newer MariaDB images have no program of the old name.
            entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
            cmd: Some(vec!["mysqld --version || mariadbd --version".to_owned()]),
            labels: Some(HashMap::from([(
                LABEL_PROBE.to_owned(),
                "version".to_owned(),
            )])),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..confined(&[])
            }),
            ..ContainerCreateBody::default()
        };
        let made = self
            .docker
            .create_container(None::<CreateContainerOptions>, body)
            .await;
        let id = made
            .map_err(|error| creation_error(image, "for its version", error))?
            .id;
        let answer = self.run_probe(&id).await;
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let removed = self.docker.remove_container(&id, Some(options)).await;
        let (exit_code, said) = answer.map_err(|error| match error {
            // No shell in it, say.
            DockerError::Refused {
                status: 400,
                message,
                ..
            } => DockerError::NotAServer {
                image: image.to_owned(),
                why: message,
            },
            other => other,
        })?;
        removed.map_err(DockerError::of("remove the container that told a version"))?;
        let version = said.iter().find(|line| line.contains("Ver "));
        match version {
            Some(version) if exit_code == 0 => Ok(version.clone()),
            _ => Err(DockerError::NotAServer {
                image: image.to_owned(),
                why: format!(
                    "`mysqld --version` ended with exit code {exit_code}: {}",
                    said.join("; ")
                ),
            }),
        }
    }

    /// Runs a container to its end; its exit code and what it said.
    async fn run_probe(&self, id: &str) -> Result<(i64, Vec<String>)> {
        let started = self
            .docker
            .start_container(id, None::<StartContainerOptions>)
            .await;
        started.map_err(DockerError::of("start a container for its version"))?;
        let ended = self
            .docker
            .wait_container(id, None::<WaitContainerOptions>)
            .try_collect::<Vec<_>>()
            .await;
        let exit_code = match ended {
            Ok(_) => 0,
            Err(bollard::errors::Error::DockerContainerWaitError { code, .. }) => code,
            Err(error) => {
                return Err(DockerError::of(
                    "wait for a container that tells its version",
                )(error));
            }
        };
        Ok((exit_code, self.log_of(id, 10).await?))
    }

    async fn remove_stale_probes(&self) -> Result<()> {
        let filters = HashMap::from([("label", vec![LABEL_PROBE])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let probes = self.docker.list_containers(Some(options)).await;
        let stale_before = Timestamp::now().as_second() - PROBE_STALE_S;
        for probe in probes.map_err(DockerError::of("list containers"))? {
            if let (Some(id), true) = (probe.id, probe.created.is_some_and(|at| at < stale_before))
            {
                let options = RemoveContainerOptionsBuilder::default()
                    .force(true)
                    .v(true)
                    .build();
                let removed = self.docker.remove_container(&id, Some(options)).await;
                if_exists(removed, || "remove a container left behind".to_owned())?;
            }
        }
        Ok(())
    }
}

/// An image's full name: without a tag the engine would pull all there are.
fn with_tag(image: &str) -> String {
    let last_part = image.rsplit('/').next().unwrap_or(image);
    if last_part.contains([':', '@']) {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}

/// The version that the public images keep in their environment, as `SELECT VERSION()` would begin.
fn version_in(env: &[String]) -> Option<String> {
    let value_of = |name: &str| {
        env.iter()
            .find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
            // E.g. 8.4.2-1.el9, 5.7.44-1debian10, 1:10.11.9+maria~ubu2204
            .map(|version| version.rsplit(':').next().unwrap_or(version))
            .map(|version| version.split(['-', '+', '~']).next().unwrap_or(version))
            .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    };
    match value_of("MARIADB_VERSION") {
        Some(version) => Some(format!("{version}-MariaDB")),
        None => value_of("MYSQL_VERSION").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_never_pulled_with_all_its_tags() {
        assert_eq!(with_tag("mysql"), "mysql:latest");
        assert_eq!(with_tag("mysql:8.4"), "mysql:8.4");
        assert_eq!(
            with_tag("registry.example:5000/db/mysql"),
            "registry.example:5000/db/mysql:latest"
        );
        assert_eq!(with_tag("mysql@sha256:00"), "mysql@sha256:00");
    }

    #[test]
    fn the_public_images_tell_their_version() {
        let version = |variable: &str| version_in(&["PATH=/bin".to_owned(), variable.to_owned()]);
        assert_eq!(
            version("MYSQL_VERSION=9.7.0-1.el9").as_deref(),
            Some("9.7.0")
        );
        assert_eq!(
            version("MYSQL_VERSION=5.7.44-1debian10").as_deref(),
            Some("5.7.44")
        );
        assert_eq!(
            version("MARIADB_VERSION=1:10.11.9+maria~ubu2204").as_deref(),
            Some("10.11.9-MariaDB")
        );
        assert_eq!(
            version("MARIADB_VERSION=11.8.2").as_deref(),
            Some("11.8.2-MariaDB")
        );
        assert_eq!(version("MYSQL_VERSION="), None);
        assert_eq!(version("GOSU_VERSION=1.17"), None);
    }
}
