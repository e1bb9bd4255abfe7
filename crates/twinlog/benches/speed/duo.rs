//! Two servers that replicate from each other, whoever set them up.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use tokio::time::sleep;
use twinlog_testbed::{Port, ServerKind, TestDir, Twinlog, free_port};

use crate::by_hand;

/// The database of all that is measured: the one that the document replicates.
pub(crate) const DATABASE: &str = "test";
/// An account without a password, which every client library can log in with.
pub(crate) const USER: &str = "bench";
/// Longer than any backlog here takes.
const CATCH_UP_MAX: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(20);

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) socket: PathBuf,
    pub(crate) pid: u32,
    pub(crate) root: OptsBuilder,
}

impl Node {
    pub(crate) async fn conn(&self) -> Conn {
        Conn::new(self.root.clone()).await.unwrap()
    }

    pub(crate) async fn exec(&self, statements: &[&str]) {
        let mut conn = self.conn().await;
        for sql in statements {
            conn.query_drop(*sql).await.unwrap();
        }
    }
}

/// Both, a first.
#[derive(Debug, Clone)]
pub(crate) struct Duo {
    pub(crate) kind: ServerKind,
    pub(crate) nodes: [Node; 2],
}

impl Duo {
    /// Makes the account and the database on both, past their logs, and the tables through the log of a.
    pub(crate) async fn prepare(&self) {
        let user = format!("CREATE USER {USER}@localhost");
        let grant = format!("GRANT ALL ON {DATABASE}.* TO {USER}@localhost");
        let database = format!("CREATE DATABASE {DATABASE}");
        for node in &self.nodes {
            node.exec(&["SET sql_log_bin = 0", &user, &grant, &database])
                .await;
        }
        let [a, b] = &self.nodes;
        a.exec(&[
            "USE test",
            "CREATE TABLE probe (side INT PRIMARY KEY, number BIGINT NOT NULL)",
            "INSERT INTO probe VALUES (0, 0), (1, 0)",
        ])
        .await;
        let mut conn = b.conn().await;
        let end = Instant::now() + CATCH_UP_MAX;
        while !matches!(
            conn.query_first("SELECT COUNT(*) FROM test.probe").await,
            Ok(Some(2))
        ) {
            assert!(
                Instant::now() < end,
                "the first rows have not come over the link"
            );
            sleep(POLL).await;
        }
    }

    /// Waits until each node has applied all that the other has committed by now; how long that took for each direction,
    /// from a to b first.
    pub(crate) async fn drained(&self) -> [Duration; 2] {
        let started = Instant::now();
        let [a, b] = &self.nodes;
        tokio::join!(crosses(a, b, 0, started), crosses(b, a, 1, started)).into()
    }
}

/// Writes a mark and waits until the other node has it: links apply in the order of commits.
async fn crosses(from: &Node, to: &Node, side: u32, started: Instant) -> Duration {
    let mut conn = from.conn().await;
    let set = format!("UPDATE test.probe SET number = number + 1 WHERE side = {side}");
    let get = format!("SELECT number FROM test.probe WHERE side = {side}");
    conn.query_drop("USE test").await.unwrap();
    conn.query_drop(&set).await.unwrap();
    let mark: u64 = conn.query_first(&get).await.unwrap().unwrap();
    let mut peer = to.conn().await;
    loop {
        let seen: u64 = peer.query_first(&get).await.unwrap().unwrap();
        if seen >= mark {
            return started.elapsed();
        }
        assert!(
            started.elapsed() < CATCH_UP_MAX,
            "{} does not catch up",
            to.name
        );
        sleep(POLL).await;
    }
}

/// A pair that twinlog runs as local processes.
pub(crate) struct Pair {
    pub(crate) twinlog: Twinlog,
    kind: ServerKind,
    /// Held as long as the pair is.
    _ports: [Port; 2],
    pub(crate) dir: TestDir,
}

impl Pair {
    /// Its `twinlog.toml` is there, it is yet to be built. `more` are tables of that file.
    pub(crate) fn new(kind: ServerKind, more: &str) -> Self {
        let (dir, ports) = (TestDir::new(), [free_port(), free_port()]);
        let twinlog = Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), &dir);
        // `user` matters only for root.
        let toml = format!(
            "[server]\nbinary = \"{}\"\nuser = \"{}\"\n[nodes.a]\nport = {}\n[nodes.b]\nport = {}\n{more}",
            kind.server_binary().display(),
            by_hand::STAND_IN,
            ports[0],
            ports[1]
        );
        twinlog.write("twinlog.toml", &toml);
        Self {
            twinlog,
            kind,
            _ports: ports,
            dir,
        }
    }

    /// Builds it.
    pub(crate) fn up(&self) {
        let output = self.twinlog.run(&["up"]);
        assert_eq!(output.expect_code(0).matches(": proven").count(), 2);
    }

    /// Its servers, once it is built.
    pub(crate) fn duo(&self) -> Duo {
        Duo {
            kind: self.kind,
            nodes: ["a", "b"].map(|name| self.node(name)),
        }
    }

    fn node(&self, name: &'static str) -> Node {
        let dir = self.dir.join("data").join(name);
        let socket = dir.join("mysqld.sock");
        let pid = fs::read_to_string(dir.join("mysqld.pid")).unwrap();
        let secret = fs::read_to_string(self.dir.join("data/secrets/root")).unwrap();
        Node {
            name,
            root: OptsBuilder::default()
                .socket(socket.to_str())
                .user(Some("root"))
                .pass(Some(secret.trim())),
            socket,
            pid: pid.trim().parse().unwrap(),
        }
    }
}
