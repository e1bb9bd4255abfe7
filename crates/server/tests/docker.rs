//! The docker runtime on a real engine, with images that keep the public images' contract.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use secrecy::ExposeSecret;
use twinlog_server::docker::{
    ContainerSpec, ContainerState, Creation, DataState, DockerError, Engine, Health, Kind,
    NodeFacts, NodeId, Seen, Upload,
};
use twinlog_testbed::DockerEngine;
use uuid::Uuid;

const MYSQL: &str = "twinlog-test/mysql:9.7";
const MARIADB: &str = "twinlog-test/mariadb:10.11";
const ROOT_PASSWORD: &str = r"rO0t's \password";
const DEADLINE: Duration = Duration::from_secs(90);

/// One engine for all tests of this file; it ends with the process.
fn docker() -> Option<&'static DockerEngine> {
    static ENGINE: OnceLock<Option<DockerEngine>> = OnceLock::new();
    ENGINE
        .get_or_init(|| DockerEngine::start(&["mysql:9.7", "mariadb:10.11"]))
        .as_ref()
}

/// A pair of its own for a test, of which nothing is left afterwards.
struct Pair {
    docker: &'static DockerEngine,
    engine: Engine,
    name: String,
    id: Uuid,
}

impl Pair {
    async fn new() -> Option<Self> {
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

    fn node(&self, node: &str) -> NodeId {
        NodeId {
            pair: self.name.clone(),
            pair_id: self.id,
            node: node.into(),
        }
    }

    fn spec(&self, node: &str, image: &str) -> ContainerSpec {
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
    async fn create(&self, spec: &ContainerSpec) -> Creation {
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

    async fn observe(&self, node: &NodeId) -> NodeFacts {
        self.engine.observe(node, Some(MYSQL)).await.expect("facts")
    }

    /// What a `docker` command prints.
    fn cli(&self, arguments: &[&str]) -> String {
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
    fn is_healthy(&self, container: &str) -> bool {
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

async fn log_in(port: u16) -> mysql_async::Result<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .prefer_socket(false)
        .user(Some("root"))
        .pass(Some(ROOT_PASSWORD))
        // Without TLS the newer accounts ask for the server's key.
        .init(vec!["SELECT 1"]);
    Conn::new(options).await
}

/// Waits until root can log in, as a caller does; a server that ends meanwhile fails the test with its log.
async fn wait_ready(pair: &Pair, spec: &ContainerSpec) -> Conn {
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

async fn wait_until<F: Future<Output = bool>>(what: &str, mut seen: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !seen().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn ours<T>(seen: Seen<T>) -> T {
    match seen {
        Seen::Ours(found) => found,
        Seen::Absent => panic!("absent"),
        Seen::Stranger(why) => panic!("a stranger: {why}"),
    }
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_with_a_hint() {
    let error = Engine::connect_to("unix:///nonexistent/docker.sock")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot reach the docker engine at /nonexistent/docker.sock: No such file or directory (os error 2)"
    );
    assert!(error.hint().unwrap().contains("started?"));

    let error = Engine::connect_to("tcp://10.0.0.1:2375").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "docker host `tcp://10.0.0.1:2375` is not a unix socket"
    );
}

#[tokio::test]
async fn a_node_from_nothing_through_its_life() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    engine.ping().await.unwrap();
    assert!(!engine.version().await.unwrap().api.is_empty());
    let pulled = engine
        .ensure_image(MYSQL, |_| panic!("it is here"))
        .await
        .unwrap();
    assert!(!pulled);
    let version = engine.image_version(MYSQL).await.unwrap();
    assert!(version.starts_with("9.7."), "{version}");

    let mut spec = pair.spec("a", MYSQL);
    let key = "-----BEGIN PRIVATE KEY----- of-the-server";
    spec.files.push(Upload {
        path: "/etc/twinlog/tls/server-key.pem".into(),
        mode: 0o400,
        contents: key.into(),
    });
    let node = pair.node("a");
    let name = node.container();
    let nothing = NodeFacts {
        network: Seen::Absent,
        volume: Seen::Absent,
        container: Seen::Absent,
    };
    assert_eq!(pair.observe(&node).await, nothing);

    assert_eq!(pair.create(&spec).await, Creation::Created);
    assert_eq!(pair.create(&spec).await, Creation::Unchanged);
    let facts = pair.observe(&node).await;
    assert_eq!(ours(facts.volume).data, DataState::Empty);
    let container = ours(facts.container);
    assert_eq!(container.state, ContainerState::Created);
    assert_eq!(container.config_hash, spec.config_hash());
    assert_eq!(container.image, MYSQL);
    assert_eq!(
        container.published,
        Some((Ipv4Addr::LOCALHOST, spec.port).into())
    );
    assert_eq!(
        (container.started_at, container.kept_running),
        (None, false)
    );

    engine.start(&node).await.unwrap();
    let mut conn = wait_ready(&pair, &spec).await;
    let seen: (u32, String, u64) = conn
        .query_first("SELECT @@server_id, @@hostname, @@innodb_buffer_pool_size")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, (7, name.clone(), 64 << 20));
    conn.query_drop("CREATE DATABASE kept").await.unwrap();
    assert_eq!(
        ours(pair.observe(&node).await.volume).data,
        DataState::Unfinished
    );
    engine.mark_ready(&node).await.unwrap();
    let facts = pair.observe(&node).await;
    assert_eq!(ours(facts.volume).data, DataState::Ready);
    let container = ours(facts.container);
    assert!(container.kept_running && container.started_at.is_some());
    assert_eq!(container.state, ContainerState::Running);
    assert!(pair.is_healthy(&name));
    wait_until("the engine's own health check", async || {
        ours(pair.observe(&node).await.container).health == Health::Healthy
    })
    .await;

    // The server's user, and nobody else, may read what was uploaded.
    let file = "/etc/twinlog/tls/server-key.pem";
    assert_eq!(
        pair.cli(&["exec", "--user", "mysql", &name, "cat", file]),
        key
    );
    let modes = pair.cli(&[
        "exec",
        &name,
        "stat",
        "--format=%U %a",
        file,
        "/etc/twinlog/root-password",
    ]);
    assert_eq!(modes, "mysql 400\nmysql 400");
    // The limits hold, no privilege is given, and nothing secret is shown.
    let inspected = pair.cli(&["inspect", &name]);
    for secret in [ROOT_PASSWORD, "rO0t", "of-the-server"] {
        assert!(!inspected.contains(secret), "{secret} in {inspected}");
    }
    for setting in [
        "\"Memory\": 1073741824",
        "\"MemorySwap\": 1073741824",
        "\"NanoCpus\": 1500000000",
        "\"Privileged\": false",
        "\"no-new-privileges\"",
        "\"max-size\": \"10m\"",
        "\"StopTimeout\": 120",
    ] {
        assert!(inspected.contains(setting), "no {setting} in {inspected}");
    }
    let status = pair.cli(&[
        "exec",
        "--user",
        "mysql",
        &name,
        "cat",
        "/proc/1/status",
        "/proc/1/limits",
    ]);
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(
        status.contains("65536                65536                files"),
        "{status}"
    );

    // Through a restart, and through another configuration, with its data.
    engine
        .restart(&node, Duration::from_secs(60))
        .await
        .unwrap();
    wait_ready(&pair, &spec).await;
    spec.config.push_str("max_connections = 77\n");
    spec.root_password = None;
    assert_eq!(
        engine.create_container(&spec).await.unwrap(),
        Creation::Recreated
    );
    engine.start(&node).await.unwrap();
    let mut conn = wait_ready(&pair, &spec).await;
    let seen: (u32, String) = conn
        .query_first("SELECT @@max_connections, schema_name FROM information_schema.schemata WHERE schema_name = 'kept'")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, (77, "kept".to_owned()));
    let facts = pair.observe(&node).await;
    assert_eq!(ours(facts.volume).data, DataState::Ready);
    let environment = pair.cli(&["exec", "--user", "mysql", &name, "cat", "/proc/1/environ"]);
    assert!(
        !environment.contains("rO0t"),
        "a password in the server's environment"
    );

    engine.stop(&node, Duration::from_secs(60)).await.unwrap();
    let stopped = ContainerState::Exited {
        exit_code: 0,
        oom_killed: false,
    };
    assert_eq!(ours(pair.observe(&node).await.container).state, stopped);
    engine.remove_container(&node).await.unwrap();
    assert_eq!(
        ours(pair.observe(&node).await.volume).data,
        DataState::Ready
    );
    engine.remove_leftovers(&node).await.unwrap();
    engine.remove_volume(&node).await.unwrap();
    engine.remove_network(&node).await.unwrap();
    assert_eq!(pair.observe(&node).await, nothing);
}

#[tokio::test]
async fn the_nodes_of_a_pair_reach_each_other_by_name() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let (a, b) = (pair.spec("a", MARIADB), pair.spec("b", MYSQL));
    let version = pair.engine.image_version(MARIADB).await.unwrap();
    assert!(
        version.contains("Ver 10.11.") && version.contains("MariaDB"),
        "{version}"
    );
    for spec in [&a, &b] {
        pair.create(spec).await;
        pair.engine.start(&spec.node).await.unwrap();
    }
    for (from, to, client, version) in [(&a, &b, "mariadb", "9.7."), (&b, &a, "mysql", "10.11.")] {
        wait_ready(&pair, to).await;
        pair.engine.mark_ready(&to.node).await.unwrap();
        wait_ready(&pair, from).await;
        let password = format!("MYSQL_PWD={ROOT_PASSWORD}");
        let target = to.node.container();
        let seen = pair.cli(&[
            "exec",
            "--env",
            &password,
            &from.node.container(),
            client,
            "--no-defaults",
            "--user=root",
            "--host",
            &target,
            "--skip-column-names",
            "--execute=SELECT VERSION()",
        ]);
        assert!(seen.starts_with(version), "{seen}");
    }
    assert!(pair.is_healthy(&a.node.container()));
    let error = pair.engine.remove_network(&a.node).await.unwrap_err();
    assert!(
        error.to_string().contains("has active endpoints"),
        "{error}"
    );
}

#[tokio::test]
async fn a_strangers_things_are_never_touched() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    let node = pair.node("a");
    let (container, volume) = (node.container(), node.volume());
    let is_strange = |result: Result<(), DockerError>, kind: Kind| match result {
        Err(DockerError::Stranger {
            kind: seen, why, ..
        }) => {
            assert_eq!((seen, why.as_str()), (kind, "twinlog did not make it"));
        }
        other => panic!("{other:?}"),
    };

    pair.cli(&["network", "create", node.network()]);
    is_strange(engine.create_network(&node).await, Kind::Network);
    is_strange(engine.remove_network(&node).await, Kind::Network);
    pair.cli(&["volume", "create", &volume]);
    is_strange(engine.create_volume(&node).await, Kind::Volume);
    is_strange(engine.remove_volume(&node).await, Kind::Volume);
    let id = pair.cli(&[
        "create",
        "--name",
        &container,
        "--entrypoint",
        "sleep",
        MYSQL,
        "600",
    ]);
    is_strange(engine.start(&node).await, Kind::Container);
    is_strange(engine.stop(&node, Duration::ZERO).await, Kind::Container);
    is_strange(engine.restart(&node, Duration::ZERO).await, Kind::Container);
    is_strange(engine.remove_container(&node).await, Kind::Container);
    is_strange(engine.mark_ready(&node).await, Kind::Container);
    is_strange(engine.logs_tail(&node, 1).await.map(drop), Kind::Container);
    let spec = pair.spec("a", MYSQL);
    is_strange(
        engine.create_container(&spec).await.map(drop),
        Kind::Network,
    );
    let facts = pair.observe(&node).await;
    let strange = |why: &str| Seen::<()>::Stranger(why.to_owned());
    assert_eq!(facts.network, strange("twinlog did not make it"));
    assert!(
        matches!(facts.volume, Seen::Stranger(_)) && matches!(facts.container, Seen::Stranger(_))
    );

    // Nor are those of another pair of the same name.
    pair.cli(&["network", "rm", node.network()]);
    let other = NodeId {
        pair_id: Uuid::new_v4(),
        ..node.clone()
    };
    engine.create_network(&other).await.unwrap();
    let error = engine.create_network(&node).await.unwrap_err();
    assert!(
        error.to_string().contains(&other.pair_id.to_string()),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("docker network rm"));

    assert_eq!(
        pair.cli(&[
            "inspect",
            "--format",
            "{{.Id}} {{.State.Status}}",
            &container
        ]),
        format!("{id} created")
    );
    pair.cli(&["volume", "inspect", &volume]);
}

#[tokio::test]
async fn a_server_that_dies_at_start_shows_why() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let mut spec = pair.spec("a", MYSQL);
    spec.config.push_str("no_such_option = 1\n");
    pair.create(&spec).await;
    let error = pair.engine.ensure_alive(&spec.node).await.unwrap_err();
    assert!(matches!(error, DockerError::NotRunning { .. }), "{error}");
    pair.engine.start(&spec.node).await.unwrap();
    let mut death = None;
    wait_until("its death", async || {
        pair.engine.ensure_alive(&spec.node).await.is_err()
    })
    .await;
    death.replace(pair.engine.ensure_alive(&spec.node).await.unwrap_err());
    let error = death.unwrap();
    assert!(
        matches!(error, DockerError::Died { exit_code: 1, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("unknown variable 'no_such_option=1'"),
        "{error}"
    );
    assert!(
        !error
            .to_string()
            .contains(spec.root_password.unwrap().expose_secret())
    );
}

#[tokio::test]
async fn a_first_initialisation_cut_short_is_seen() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    let mut spec = pair.spec("a", MYSQL);
    spec.env
        .insert("TEST_INITIALISATION_PAUSE_S".into(), "600".into());
    let node = &spec.node;
    let name = node.container();
    pair.create(&spec).await;
    engine.start(node).await.unwrap();
    wait_until("the temporary server", async || {
        let log = engine.logs_tail(node, 50).await.unwrap();
        log.iter()
            .any(|line| line.contains("temporary server started"))
    })
    .await;

    // It answers on its socket and is not ready.
    pair.cli(&[
        "exec",
        &name,
        "mysqladmin",
        "--no-defaults",
        "--socket=/var/run/mysqld/mysqld.sock",
        "ping",
    ]);
    assert!(!pair.is_healthy(&name));
    assert!(log_in(spec.port).await.is_err());
    engine.ensure_alive(node).await.unwrap();

    pair.cli(&["kill", &name]);
    let facts = pair.observe(node).await;
    let killed = ContainerState::Exited {
        exit_code: 137,
        oom_killed: false,
    };
    assert_eq!(ours(facts.container).state, killed);
    assert_eq!(ours(facts.volume).data, DataState::Unfinished);
    engine.remove_container(node).await.unwrap();
    assert_eq!(
        ours(pair.observe(node).await.volume).data,
        DataState::Unfinished
    );
    for no_image in [None, Some("twinlog-test/absent:1")] {
        let facts = engine.observe(node, no_image).await.unwrap();
        assert_eq!(ours(facts.volume).data, DataState::Unknown);
    }
    engine.remove_volume(node).await.unwrap();
    engine.create_volume(node).await.unwrap();
    let facts = pair.observe(node).await;
    assert_eq!(ours(facts.volume).data, DataState::Empty);
    assert_eq!(facts.container, Seen::Absent);
}

#[tokio::test]
async fn a_creation_cut_short_is_finished_by_the_next() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let spec = pair.spec("a", MYSQL);
    let node = &spec.node;
    pair.engine.create_network(node).await.unwrap();
    let error = pair.engine.create_container(&spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("there is no volume `{}`", node.volume())
    );
    pair.engine.create_volume(node).await.unwrap();
    // As a run leaves it that was killed before it had filled it.
    let unfinished = format!("{}.new", node.container());
    let label = format!("twinlog.pair-id={}", pair.id);
    pair.cli(&["create", "--name", &unfinished, "--label", &label, MYSQL]);
    assert_eq!(pair.observe(node).await.container, Seen::Absent);
    assert_eq!(pair.create(&spec).await, Creation::Created);
    let all = pair.cli(&[
        "ps",
        "--all",
        "--filter",
        &format!("name={}", pair.name),
        "--format",
        "{{.Names}}",
    ]);
    assert_eq!(all, node.container());
}

#[tokio::test]
async fn images_that_are_missing_or_no_servers_are_named() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let engine = &pair.engine;
    // Nothing listens there, so no name has to be looked up.
    let absent = "127.0.0.1:1/absent:1";
    let error = engine.ensure_image(absent, drop).await.unwrap_err();
    assert!(
        matches!(&error, DockerError::Pull { image, .. } if image == absent),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("cannot pull image `127.0.0.1:1/absent:1`: "),
        "{error}"
    );
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(error.hint().unwrap().contains("docker load"));

    let spec = pair.spec("a", absent);
    engine.create_network(&spec.node).await.unwrap();
    engine.create_volume(&spec.node).await.unwrap();
    let error = engine.create_container(&spec).await.unwrap_err();
    assert!(
        matches!(&error, DockerError::NoImage { image } if image == absent),
        "{error}"
    );
    let error = engine.image_version(absent).await.unwrap_err();
    assert!(matches!(error, DockerError::NoImage { .. }), "{error}");

    let empty = "twinlog-test/empty:1";
    let dir = tempfile::tempdir().unwrap();
    let tar = dir.path().join("empty.tar");
    std::fs::write(&tar, [0; 1024]).unwrap();
    pair.cli(&["import", tar.to_str().unwrap(), empty]);
    let error = engine.image_version(empty).await.unwrap_err();
    assert!(matches!(&error, DockerError::NotAServer { .. }), "{error}");
    let spec = pair.spec("a", empty);
    let error = engine.create_container(&spec).await.unwrap_err();
    assert!(
        matches!(
            &error,
            DockerError::NotAServer { .. } | DockerError::Refused { .. }
        ),
        "{error}"
    );
    assert_eq!(pair.observe(&spec.node).await.container, Seen::Absent);
}

#[tokio::test]
async fn a_port_in_use_is_said() {
    let Some(pair) = Pair::new().await else {
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut spec = pair.spec("a", MYSQL);
    spec.port = listener.local_addr().unwrap().port();
    pair.create(&spec).await;
    let error = pair.engine.start(&spec.node).await.unwrap_err();
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    assert!(
        matches!(error, DockerError::PortTaken { port, address, .. } if port == spec.port && address == here),
        "{error}"
    );
    drop(listener);
    pair.engine.start(&spec.node).await.unwrap();
    pair.engine.ensure_alive(&spec.node).await.unwrap();
}
