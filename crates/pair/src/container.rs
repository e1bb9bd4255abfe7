//! A docker node: its container's specification, what is there of it, and the work behind its steps.

use std::{collections::BTreeMap, fs, time::Duration};

use secrecy::SecretString;
use twinlog_server::{
    conn::{Conn, Endpoint, Error as ConnError},
    dialect::Dialect,
    docker::{
        self, ContainerSpec, ContainerState, DataState, DockerError, Engine, NodeId, Seen, Upload,
    },
    facts,
    sql::Sql,
    version::Version,
};

use crate::{
    apply::{Cause, STOP_TIMEOUT},
    config::Node,
    site::{BOOTSTRAP_SECRET, Login, ROOT_SECRET, Site},
};

/// How often a starting container is tried.
const POLL: Duration = Duration::from_millis(100);
/// How long the entry script and a first initialisation may take while the container lives.
const READY_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The authority's file in a container.
pub const CA_FILE: &str = "/etc/twinlog/ca.pem";
/// The node's certificate in a container.
pub const CERT_FILE: &str = "/etc/twinlog/cert.pem";
/// Its key.
pub const KEY_FILE: &str = "/etc/twinlog/key.pem";

/// What is there of a docker node.
#[derive(Debug)]
pub struct DockerFacts {
    /// What the engine has, or why it cannot be asked.
    pub seen: Result<docker::NodeFacts, DockerError>,
    /// The image's server, or why it is not known; `None` where the image is not on this machine yet.
    pub version: Option<Result<Version, String>>,
    /// Whether the port on this machine belongs to somebody else.
    pub port_taken: bool,
    /// The certificate files that exist: where they go in the container, and what is in them.
    pub uploads: Vec<(&'static str, SecretString)>,
}

impl DockerFacts {
    /// Whether its container runs.
    pub fn is_running(&self) -> bool {
        self.container()
            .is_some_and(|container| container.state == ContainerState::Running)
    }

    /// Its container, if there is one of ours.
    pub fn container(&self) -> Option<&docker::ContainerFacts> {
        match self.seen.as_ref().ok().map(|seen| &seen.container) {
            Some(Seen::Ours(container)) => Some(container),
            _ => None,
        }
    }

    /// What is in its volume.
    pub fn data(&self) -> DataState {
        match self.seen.as_ref().ok().map(|seen| &seen.volume) {
            Some(Seen::Ours(volume)) => volume.data,
            _ => DataState::Empty,
        }
    }
}

/// The engine's names for a node.
pub fn id(site: &Site, node: &Node) -> NodeId {
    NodeId {
        pair: site.config.name.clone(),
        pair_id: site.pair_id.parse().unwrap_or_default(),
        node: node.name.clone(),
    }
}

/// Looks at a node through the engine.
pub async fn observe(site: &Site, node: &Node) -> DockerFacts {
    let image = site.config.image_of(node);
    let (seen, version) = match Engine::connect().await {
        Ok(engine) => (
            engine.observe(&id(site, node), Some(image)).await,
            version(&engine, image).await,
        ),
        Err(error) => (Err(error), None),
    };
    let mut facts = DockerFacts {
        seen,
        version,
        port_taken: false,
        uploads: uploads(site, node),
    };
    facts.port_taken = facts.container().is_none() && crate::observe::port_taken(node);
    facts
}

async fn version(engine: &Engine, image: &str) -> Option<Result<Version, String>> {
    match engine.image_version(image).await {
        Ok(text) => {
            let parsed = Version::parse(&text, "")
                .or_else(|_| Version::from_program("mysqld".as_ref(), &text));
            Some(parsed.map_err(|error| error.to_string()))
        }
        Err(DockerError::NoImage { .. }) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

/// The certificate files of a node that exist.
fn uploads(site: &Site, node: &Node) -> Vec<(&'static str, SecretString)> {
    let files = site.certificates(node);
    [
        (files.ca, CA_FILE),
        (files.cert, CERT_FILE),
        (files.key, KEY_FILE),
    ]
    .into_iter()
    .filter_map(|(from, to)| Some((to, fs::read_to_string(from).ok()?.into())))
    .collect()
}

/// The specification of a node's container; without a root password, which is no part of what tells two apart.
pub fn spec(
    site: &Site,
    node: &Node,
    config: &str,
    uploads: &[(&'static str, SecretString)],
) -> ContainerSpec {
    // The time zone tables would be loaded with the binary log on, and every node born with transactions of its own.
    let env = BTreeMap::from([("MYSQL_INITDB_SKIP_TZINFO".to_owned(), "1".to_owned())]);
    let upload = |(path, contents): &(&'static str, SecretString)| Upload {
        path: (*path).to_owned(),
        mode: 0o400,
        contents: contents.clone(),
    };
    ContainerSpec {
        node: id(site, node),
        image: site.config.image_of(node).to_owned(),
        port: node.port,
        bind_address: node
            .bind_address
            .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into()),
        memory_bytes: site.config.server.docker.memory_bytes,
        cpus: site.config.server.docker.cpus,
        config: config.to_owned(),
        root_password: None,
        files: uploads.iter().map(upload).collect(),
        env,
    }
}

/// Makes the pair's network.
///
/// # Errors
/// What the engine says.
pub async fn create_network(site: &Site) -> Result<(), Cause> {
    Ok(Engine::connect()
        .await?
        .create_network(&id(site, site.nodes()[0]))
        .await?)
}

/// Makes the volume and the container; a container of another specification is made again.
///
/// # Errors
/// What the engine says.
pub async fn create(site: &Site, node: &Node, config: &str) -> Result<(), Cause> {
    let engine = Engine::connect().await?;
    let id = id(site, node);
    engine.create_volume(&id).await?;
    let seen = engine
        .observe(&id, Some(site.config.image_of(node)))
        .await?;
    let ready = matches!(&seen.volume, Seen::Ours(volume) if volume.data == DataState::Ready);
    let root_password = if ready {
        None
    } else {
        Some(site.secret(BOOTSTRAP_SECRET)?)
    };
    let spec = spec(site, node, config, &uploads(site, node));
    engine
        .create_container(&ContainerSpec {
            root_password,
            ..spec
        })
        .await?;
    Ok(())
}

/// Fetches a node's image.
///
/// # Errors
/// What the engine says.
pub async fn pull(site: &Site, node: &Node) -> Result<(), Cause> {
    let image = site.config.image_of(node);
    Engine::connect()
        .await?
        .ensure_image(
            image,
            |progress| tracing::info!(image, layer = ?progress.layer, "{}", progress.status),
        )
        .await?;
    Ok(())
}

/// Starts a node's container, waits until its server lets twinlog in, and gives root its lasting password.
///
/// # Errors
/// [`DockerError::Died`] with the container's last words.
pub async fn start(site: &Site, node: &Node) -> Result<(), Cause> {
    let engine = Engine::connect().await?;
    let id = id(site, node);
    engine.start(&id).await?;
    let started = std::time::Instant::now();
    loop {
        match log_in(site, node).await {
            Ok(conn) => {
                conn.close().await;
                return Ok(engine.mark_ready(&id).await?);
            }
            Err(error @ ConnError::Refused { code: 1045, .. })
                if started.elapsed() > READY_TIMEOUT =>
            {
                return Err(error.into());
            }
            Err(_) => engine.ensure_alive(&id).await?,
        }
        if started.elapsed() > READY_TIMEOUT {
            return Err(Cause::TimedOut {
                what: format!("{}: its server answers", node.name),
                after: READY_TIMEOUT,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Logs in as root, first time round with the bootstrap password, which it then replaces.
async fn log_in(site: &Site, node: &Node) -> Result<Conn, ConnError> {
    let refused = match site
        .connect(node, Login::Admin, Duration::from_secs(5))
        .await
    {
        Err(error @ ConnError::Refused { code: 1045, .. }) => error,
        result => return result,
    };
    let (Ok(endpoint), Ok(bootstrap)) = (
        site.endpoint(node, Login::Admin),
        site.secret(BOOTSTRAP_SECRET),
    ) else {
        return Err(refused);
    };
    let mut conn = Conn::open(&Endpoint {
        password: Some(bootstrap),
        ..endpoint
    })
    .await?;
    let dialect = facts::read_dialect(&mut conn).await?;
    for statement in root_statements(dialect) {
        let shown = statement.to_string();
        let exposed = statement
            .expose(|name| site.secret(name))
            .map_err(|error| ConnError::Lost {
                address: conn.address().clone(),
                reason: error.to_string(),
                sql: shown.clone(),
            })?;
        conn.execute_secret(&exposed, &shown).await?;
    }
    Ok(conn)
}

/// root@'%' last: its password tells that both have theirs.
fn root_statements(dialect: Dialect) -> Vec<Sql> {
    let set = |host: &str| {
        if dialect.row().user_if_not_exists {
            Sql::new(format!("ALTER USER 'root'@'{host}' IDENTIFIED BY ")).secret(ROOT_SECRET)
        } else {
            Sql::new(format!("SET PASSWORD FOR 'root'@'{host}' = PASSWORD("))
                .secret(ROOT_SECRET)
                .text(")")
        }
    };
    vec!["SET sql_log_bin = 0".into(), set("localhost"), set("%")]
}

/// Stops a node's container cleanly. Returns whether it ran.
///
/// # Errors
/// What the engine says.
pub async fn stop(site: &Site, node: &Node) -> Result<bool, Cause> {
    let engine = Engine::connect().await?;
    let running = observe(site, node).await.is_running();
    if running {
        engine.stop(&id(site, node), STOP_TIMEOUT).await?;
    }
    Ok(running)
}

/// Removes a container and a volume whose first initialisation never ended.
///
/// # Errors
/// What the engine says.
pub async fn discard(site: &Site, node: &Node) -> Result<(), Cause> {
    let engine = Engine::connect().await?;
    engine.remove_container(&id(site, node)).await?;
    Ok(engine.remove_volume(&id(site, node)).await?)
}

/// Removes everything of a node from the engine; the network goes with the last of them.
///
/// # Errors
/// What the engine says.
pub async fn purge(site: &Site, node: &Node) -> Result<(), Cause> {
    let engine = Engine::connect().await?;
    let id = id(site, node);
    engine.remove_container(&id).await?;
    engine.remove_leftovers(&id).await?;
    Ok(engine.remove_volume(&id).await?)
}

/// Removes the pair's network.
///
/// # Errors
/// What the engine says.
pub async fn purge_network(site: &Site, node: &Node) -> Result<(), Cause> {
    Ok(Engine::connect()
        .await?
        .remove_network(&id(site, node))
        .await?)
}
