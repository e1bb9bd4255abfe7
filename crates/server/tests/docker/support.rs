//! An engine, a pair of containers on it, and how to wait for them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mysql_async::{Conn, OptsBuilder};
use twinlog_server::docker::{ContainerSpec, Creation, Engine, NodeFacts, NodeId, Seen};
use twinlog_testbed::DockerEngine;
use uuid::Uuid;

pub(crate) const MYSQL: &str = "twinlog-test/mysql:9.7";
pub(crate) const MARIADB: &str = "twinlog-test/mariadb:10.11";
pub(crate) const ROOT_PASSWORD: &str = r"rO0t's \password";
const DEADLINE: Duration = Duration::from_secs(90);

/// One engine for all tests of this file; it ends with the process.
fn docker() -> Option<&'static DockerEngine> {
    static ENGINE: OnceLock<Option<DockerEngine>> = OnceLock::new();
    ENGINE
        .get_or_init(|| DockerEngine::start(&["mysql:9.7", "mariadb:10.11"]))
        .as_ref()
}

/// A pair of its own for a test, of which nothing is left afterwards.
pub(crate) struct Pair {
    pub(crate) docker: &'static DockerEngine,
    pub(crate) engine: Engine,
    pub(crate) name: String,
    pub(crate) id: Uuid,
}

impl Pair {
    pub(crate) async fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let docker = docker()?;
        let engine = Engine::connect_to(&docker.host())
            .await
            .expect("the engine answers");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            docker,
            engine,
            name: format!("tl{}x{number}", std::process::id()),
            id: Uuid::new_v4(),
        })
    }

    pub(crate) fn node(&self, node: &str) -> NodeId {
        NodeId {
            pair: self.name.clone(),
            pair_id: self.id,
            node: node.into(),
        }
    }

    pub(crate) fn spec(&self, node: &str, image: &str) -> ContainerSpec {
        ContainerSpec {
            node: self.node(node),
            image: image.into(),
            port: free_port(),
            bind_address: Ipv4Addr::LOCALHOST.into(),
            memory_bytes: Some(1 << 30),
            cpus: Some(1.5),
            config: "[mysqld]\nserver_id = 7\ninnodb_buffer_pool_size = 64M\n".into(),
            root_password: Some(ROOT_PASSWORD.into()),
            files: Vec::new(),
            env: BTreeMap::new(),
        }
    }

    /// Network, volume and container, the last not yet started.
    pub(crate) async fn create(&self, spec: &ContainerSpec) -> Creation {
        self.engine
            .create_network(&spec.node)
            .await
            .expect("a network");
        self.engine
            .create_volume(&spec.node)
            .await
            .expect("a volume");
        self.engine
            .create_container(spec)
            .await
            .expect("a container")
    }

    pub(crate) async fn observe(&self, node: &NodeId) -> NodeFacts {
        self.engine.observe(node, Some(MYSQL)).await.expect("facts")
    }

    /// What a `docker` command prints.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = self
            .docker
            .command(arguments)
            .output()
            .expect("docker runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Whether the container's health check, run now, says that it is well.
    pub(crate) fn is_healthy(&self, container: &str) -> bool {
        let check = self.cli(&[
            "inspect",
            "--format",
            "{{index .Config.Healthcheck.Test 1}}",
            container,
        ]);
        let status = self
            .docker
            .command(&["exec", container, "sh", "-c", &check])
            .output();
        status.expect("docker runs").status.success()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for (list, remove) in [
            (&["ps", "--all"][..], &["rm", "--force", "--volumes"][..]),
            (&["volume", "ls"], &["volume", "rm"]),
            (&["network", "ls"], &["network", "rm"]),
        ] {
            let filter = format!("name={}", self.name);
            let list = [list, &["--quiet", "--filter", &filter]].concat();
            let found = self.docker.command(&list).output().expect("docker runs");
            for id in String::from_utf8_lossy(&found.stdout).split_whitespace() {
                let remove = [remove, &[id]].concat();
                self.docker.command(&remove).output().expect("docker runs");
            }
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

pub(crate) async fn log_in(port: u16) -> mysql_async::Result<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .prefer_socket(false)
        .user(Some("root"))
        .pass(Some(ROOT_PASSWORD));
    Conn::new(options).await
}

/// Waits until root can log in, as a caller does; a server that ends meanwhile fails the test with its log.
pub(crate) async fn wait_ready(pair: &Pair, spec: &ContainerSpec) -> Conn {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match log_in(spec.port).await {
            Ok(conn) => return conn,
            Err(error) => assert!(Instant::now() < deadline, "no login in time: {error}"),
        }
        if let Err(error) = pair.engine.ensure_alive(&spec.node).await {
            panic!("{error}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, mut seen: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !seen().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) fn ours<T>(seen: Seen<T>) -> T {
    match seen {
        Seen::Ours(found) => found,
        Seen::Absent => panic!("absent"),
        Seen::Stranger(why) => panic!("a stranger: {why}"),
    }
}
