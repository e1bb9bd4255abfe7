//! The document's own setting, two containers, through twinlog: on an engine of the test's own.

use std::process::Command;
use std::sync::LazyLock;

use mysql_async::OptsBuilder;
use twinlog_testbed::{DockerEngine, Port, TestDir, Twinlog, free_port};

use crate::support::{Db, assert_fails, assert_proven, insert_on_both, same_rows, twinlog, walk};

const IMAGE: &str = "mysql:9.7";

/// One engine for all tests; it ends with this process, of which its keeper holds a pipe.
static ENGINE: LazyLock<Option<DockerEngine>> = LazyLock::new(|| DockerEngine::start(&[IMAGE]));

/// A pair of containers.
struct Containers {
    name: &'static str,
    engine: &'static DockerEngine,
    twinlog: Twinlog,
    ports: [Port; 2],
    dir: TestDir,
}

impl Containers {
    /// `None` where there can be no engine; the reason is printed.
    fn new(name: &'static str) -> Option<Self> {
        let engine = ENGINE.as_ref()?;
        let (dir, ports) = (TestDir::new(), [free_port(), free_port()]);
        let twinlog = twinlog(&dir).with_env("DOCKER_HOST", engine.host());
        let text = format!(
            "name = \"{name}\"\n[nodes.a]\nport = {}\n[nodes.b]\nport = {}\n[server]\nruntime = \"docker\"\n\
             image = \"twinlog-test/{IMAGE}\"\n[server.docker]\nmemory = \"1g\"\n",
            ports[0], ports[1]
        );
        twinlog.write("twinlog.toml", &text);
        Some(Self {
            name,
            engine,
            twinlog,
            ports,
            dir,
        })
    }

    fn db(&self, index: usize) -> Db {
        let secret =
            std::fs::read_to_string(self.dir.join("data/secrets/root")).unwrap_or_default();
        let opts = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.ports[index].number())
            .prefer_socket(false)
            .user(Some("root"))
            .pass(Some(secret.trim()));
        Db::new(["a", "b"][index], opts)
    }

    fn both(&self) -> [Db; 2] {
        [self.db(0), self.db(1)]
    }

    /// The names of what the engine has of this pair.
    fn left(&self) -> String {
        let filter = format!("name={}", self.name);
        [
            &["ps", "-a", "--format={{.Names}}"][..],
            &["volume", "ls", "-q"],
            &["network", "ls", "--format={{.Name}}"],
        ]
        .into_iter()
        .map(|list| self.docker(&[list, &["--filter", &filter]].concat()))
        .collect()
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::output(&mut self.engine.command(arguments)).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[tokio::test]
async fn a_pair_of_containers_from_nothing_to_nothing() {
    let Some(pair) = Containers::new("whole") else {
        return;
    };
    assert_proven(&pair.twinlog.run(&["up"]));
    walk(&pair.both()).await;
    insert_on_both(&pair.both(), 5).await;
    let again = pair.twinlog.run(&["up"]);
    assert_proven(&again);
    assert_eq!(again.stderr, "nothing was missing\n");

    let inspected = pair.docker(&["inspect", "whole-a", "whole-b"]);
    assert!(inspected.contains("\"Privileged\": false"), "{inspected}");
    for secret in ["root", "replication", "agent", "bootstrap"] {
        let value = std::fs::read_to_string(pair.dir.join("data/secrets").join(secret)).unwrap();
        assert!(
            !inspected.contains(value.trim()),
            "{secret} can be seen by `docker inspect`"
        );
    }

    pair.twinlog.run(&["down"]).expect_code(0);
    assert_proven(&pair.twinlog.run(&["up"]));
    same_rows(&pair.both(), "SELECT * FROM test.info ORDER BY id").await;

    pair.twinlog
        .run(&["down", "--purge", "--yes"])
        .expect_code(0);
    assert_eq!(pair.left(), "");
}

#[tokio::test]
async fn killed_while_containers_are_made_and_while_they_initialise() {
    let Some(pair) = Containers::new("killed") else {
        return;
    };
    for title in [
        "docker network",
        "make its container",
        "start its container",
        "accounts and tables",
    ] {
        let mut running = pair.twinlog.spawn(&["up"]);
        running.wait_for_line(title);
        running.kill();
    }
    assert_proven(&pair.twinlog.run(&["up"]));
    walk(&pair.both()).await;
    insert_on_both(&pair.both(), 5).await;
}

#[tokio::test]
async fn a_strangers_container_is_left_alone() {
    let Some(pair) = Containers::new("strange") else {
        return;
    };
    let image = format!("twinlog-test/{IMAGE}");
    let id = pair.docker(&["create", "--name", "strange-b", &image]);
    assert_fails(
        &pair.twinlog.run(&["up"]),
        1,
        &["node b", "not this pair's"],
    );
    assert_eq!(
        pair.docker(&["inspect", "--format={{.Id}} {{.State.Status}}", "strange-b"]),
        format!("{} created\n", id.trim())
    );
    assert_eq!(pair.left(), "strange-b\n");
}

#[test]
fn without_an_engine_the_error_says_so() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir).with_env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let (a, b) = (free_port(), free_port());
    twinlog.write(
        "twinlog.toml",
        &format!("[nodes.a]\nport = {a}\n[nodes.b]\nport = {b}\n[server]\nruntime = \"docker\"\n"),
    );
    assert_fails(
        &twinlog.run(&["up"]),
        3,
        &["node a", "/nowhere/docker.sock"],
    );
}
