//! Files in and out of a container, through the engine; see [`archive`] for what they are.

use std::io;

use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::{TryStreamExt, stream};

use super::archive::{self, SERVER_USER};
use super::spec::ContainerSpec;
use super::storage::if_exists;
use super::{DockerError, Engine, Result};

impl Engine {
    /// Whether there is such a path in a container, running or not.
    pub(super) async fn has_path(&self, name: &str, path: &str) -> Result<bool> {
        let options = ContainerArchiveInfoOptionsBuilder::default()
            .path(path)
            .build();
        let found = self
            .docker
            .get_container_archive_info(name, Some(options))
            .await;
        let found = if_exists(found, || format!("look for {path} in container `{name}`"))?;
        Ok(found.is_some())
    }

    /// Puts the specification's files into a container that was just created.
    pub(super) async fn fill(&self, spec: &ContainerSpec, container: &str) -> Result<()> {
        let options = DownloadFromContainerOptionsBuilder::default()
            .path("/etc/passwd")
            .build();
        let not_a_server = || DockerError::NotAServer {
            image: spec.image.clone(),
            why: format!("it has no user `{SERVER_USER}` in /etc/passwd"),
        };
        let passwd = self
            .docker
            .download_from_container(container, Some(options))
            .try_fold(Vec::new(), async |mut archive, part| {
                archive.extend_from_slice(&part);
                Ok(archive)
            })
            .await;
        let passwd = if_exists(passwd, || {
            format!("read /etc/passwd of container `{container}`")
        })?;
        let passwd = archive::unpack_one(&passwd.ok_or_else(not_a_server)?).map_err(|source| {
            DockerError::Archive {
                container: container.to_owned(),
                source,
            }
        })?;
        let server = archive::server_user(&passwd).ok_or_else(not_a_server)?;
        self.upload(container, "/", archive::pack(spec, server))
            .await
    }

    pub(super) async fn upload(
        &self,
        container: &str,
        directory: &str,
        archive: io::Result<Vec<u8>>,
    ) -> Result<()> {
        let archive = archive.map_err(|source| DockerError::Archive {
            container: container.to_owned(),
            source,
        })?;
        let options = UploadToContainerOptionsBuilder::default()
            .path(directory)
            .build();
        // As a stream, though it is one piece: the library traces the body of any other request, secrets and all.
        let body = bollard::body_stream(stream::once(async { archive.into() }));
        let uploaded = self
            .docker
            .upload_to_container(container, Some(options), body)
            .await;
        uploaded.map_err(DockerError::of(format!(
            "take files for container `{container}`"
        )))
    }
}
