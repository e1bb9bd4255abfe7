//! What the tests of the binary share: a pair in a directory of its own, and SQL to its nodes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};
use twinlog_testbed::{Output, Port, Running, ServerKind, TestDir, Twinlog, free_port, wait_until};

/// Longer than anything that happens at all takes on two busy cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Rows as text.
pub(crate) type Rows = Vec<Vec<String>>;

/// The binary, in a directory.
pub(crate) fn twinlog(dir: &TestDir) -> Twinlog {
    Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), dir)
}

/// A pair that twinlog runs as local processes.
pub(crate) struct Pair {
    /// Runs twinlog where the pair's `twinlog.toml` is.
    pub(crate) twinlog: Twinlog,
    /// Of nodes a and b.
    pub(crate) ports: [Port; 2],
    /// Dropped last: what still runs in it is killed.
    pub(crate) dir: TestDir,
}

impl Pair {
    /// Writes the `twinlog.toml` of a pair of `kind`; `more` are lines after `[server]`, and the tables that follow.
    pub(crate) fn new(kind: ServerKind, more: &str) -> Self {
        Self::with_binary(&kind.server_binary().display().to_string(), more)
    }

    /// As [`Pair::new`], with any program as the server.
    pub(crate) fn with_binary(binary: &str, more: &str) -> Self {
        let (dir, ports) = (TestDir::new(), [free_port(), free_port()]);
        let twinlog = twinlog(&dir);
        twinlog.write("twinlog.toml", &toml(binary, &ports, more));
        Self {
            twinlog,
            ports,
            dir,
        }
    }

    /// Replaces the `twinlog.toml`.
    pub(crate) fn configure(&self, kind: ServerKind, more: &str) {
        let binary = kind.server_binary().display().to_string();
        self.twinlog
            .write("twinlog.toml", &toml(&binary, &self.ports, more));
    }

    /// `twinlog up`, which must prove both links.
    #[track_caller]
    pub(crate) fn up(&self) -> Output {
        let output = self.twinlog.run(&["up"]);
        assert_proven(&output);
        output
    }

    /// A proven pair of `kind`, with nothing configured beyond that.
    pub(crate) fn proven(kind: ServerKind) -> Self {
        let pair = Self::new(kind, "");
        pair.up();
        pair
    }

    /// The process id of a node's server.
    pub(crate) fn pid(&self, node: &str) -> String {
        let pid = fs::read_to_string(self.node_dir(node).join("mysqld.pid")).unwrap();
        pid.trim().to_owned()
    }

    /// Sends a node's server a signal (`KILL`, `STOP`, `CONT`).
    pub(crate) fn signal(&self, node: &str, signal: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &self.pid(node)])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "{node}: no {signal}"
        );
    }

    /// Runs statements on a node as root, in one session.
    pub(crate) async fn exec(&self, node: &str, statements: &[&str]) {
        self.db(node).run(statements).await;
    }

    /// The directory of a node.
    pub(crate) fn node_dir(&self, node: &str) -> PathBuf {
        self.dir.join("data").join(node)
    }

    /// SQL to a node as root, over its socket.
    pub(crate) fn db(&self, node: &str) -> Db {
        let secret = fs::read_to_string(self.dir.join("data/secrets/root")).unwrap_or_default();
        Db::new(
            node,
            OptsBuilder::default()
                .socket(self.node_dir(node).join("mysqld.sock").to_str())
                .user(Some("root"))
                .pass(Some(secret.trim())),
        )
    }

    /// SQL to both nodes.
    pub(crate) fn both(&self) -> [Db; 2] {
        [self.db("a"), self.db("b")]
    }

    /// The server processes of a node: those that read its option file.
    pub(crate) fn processes(&self, node: &str) -> Vec<u32> {
        processes_with(&self.node_dir(node).join("my.cnf").display().to_string())
    }
}

fn toml(binary: &str, ports: &[Port; 2], more: &str) -> String {
    let [a, b] = ports;
    // `user` matters only where the tests run as root.
    format!(
        "[nodes.a]\nport = {a}\n[nodes.b]\nport = {b}\n[server]\nbinary = \"{binary}\"\nuser = \"nobody\"\n{more}"
    )
}

/// The processes whose command line contains `text`.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let bytes = fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&bytes)
                .contains(text)
                .then_some(pid)
        })
        .collect()
}

/// Both links were proven, and the exit code says so.
#[track_caller]
pub(crate) fn assert_proven(output: &Output) {
    let proofs = output.expect_code(0);
    for link in ["a→b: proven", "b→a: proven"] {
        assert!(
            proofs.contains(link),
            "no '{link}'\n{proofs}\n{}",
            output.stderr
        );
    }
}

/// A refusal or failure: its exit code, and what its messages must say.
#[track_caller]
pub(crate) fn assert_fails(output: &Output, code: i32, says: &[&str]) {
    output.expect_code(code);
    for text in says {
        assert!(
            output.stderr.contains(text),
            "does not say '{text}':\n{}",
            output.stderr
        );
    }
    assert!(
        output.stderr.contains("hint: "),
        "no hint:\n{}",
        output.stderr
    );
}

/// A server to be asked, on a fresh connection each time.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    name: String,
    opts: Opts,
}

impl Db {
    pub(crate) fn new(name: &str, opts: impl Into<Opts>) -> Self {
        Self {
            name: name.to_owned(),
            opts: opts.into(),
        }
    }

    /// A connection of the test's own.
    pub(crate) async fn conn(&self) -> mysql_async::Result<Conn> {
        Conn::new(self.opts.clone()).await
    }

    /// The rows of a statement's last result.
    pub(crate) async fn try_rows(&self, sql: &str) -> mysql_async::Result<Rows> {
        let mut conn = self.conn().await?;
        let rows: Vec<Row> = conn.query(sql).await?;
        conn.disconnect().await?;
        Ok(rows.into_iter().map(texts).collect())
    }

    /// The rows of a statement.
    pub(crate) async fn rows(&self, sql: &str) -> Rows {
        let rows = tokio::time::timeout(DEADLINE, self.try_rows(sql)).await;
        match rows {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => panic!("{}: {error}: {sql}", self.name),
            Err(_) => panic!("{}: no answer: {sql}", self.name),
        }
    }

    /// Statements one after the other, on one connection.
    pub(crate) async fn run(&self, statements: &[&str]) {
        let mut conn = self
            .conn()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        for sql in statements {
            let done = conn.query_drop(*sql).await;
            done.unwrap_or_else(|error| panic!("{}: {error}: {sql}", self.name));
        }
        conn.disconnect().await.unwrap();
    }

    /// Waits until a query's rows are these.
    pub(crate) async fn wait_for_rows(&self, sql: &str, expected: &Rows) {
        let what = format!("{}: {sql} gives {expected:?}", self.name);
        wait_until(DEADLINE, &what, async || {
            (self.try_rows(sql).await.ok()? == *expected).then_some(())
        })
        .await;
    }

    /// Its links, as the rows of `SHOW … STATUS` in both spellings.
    pub(crate) async fn links(&self) -> Vec<Vec<(String, String)>> {
        let mut conn = self.conn().await.unwrap();
        let rows: Vec<Row> = match conn.query("SHOW REPLICA STATUS").await {
            Ok(rows) => rows,
            Err(_) => conn.query("SHOW SLAVE STATUS").await.unwrap(),
        };
        conn.disconnect().await.unwrap();
        rows.into_iter()
            .map(|row| {
                let names: Vec<String> = row
                    .columns_ref()
                    .iter()
                    .map(|column| column.name_str().into_owned())
                    .collect();
                names.into_iter().zip(texts(row)).collect()
            })
            .collect()
    }

    /// A column of its only link, by the old or the new name.
    pub(crate) async fn link(&self, old: &str, new: &str) -> String {
        let links = self.links().await;
        let [link] = links.as_slice() else {
            panic!("{}: {} links", self.name, links.len())
        };
        let found = link.iter().find(|(name, _)| name == old || name == new);
        found.map_or_else(
            || panic!("{}: no {old}", self.name),
            |(_, value)| value.clone(),
        )
    }
}

fn texts(row: Row) -> Vec<String> {
    let text = |value| match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(true),
    };
    row.unwrap().into_iter().map(text).collect()
}

/// Waits for what a running command brings about; where it does not come, says what the command has said.
pub(crate) async fn met(
    running: Running,
    what: &str,
    check: impl AsyncFnMut() -> Option<()>,
) -> Running {
    let coming = wait_until(DEADLINE * 2, what, check);
    if tokio::time::timeout(DEADLINE, coming).await.is_err() {
        panic!("waited in vain for {what}:\n{}", running.kill().stderr);
    }
    running
}

/// Waits until a query gives the same rows on both nodes, and returns them.
pub(crate) async fn same_rows([a, b]: &[Db; 2], sql: &str) -> Rows {
    wait_until(DEADLINE, &format!("{sql} is equal"), async || {
        let rows = a.try_rows(sql).await.ok()?;
        (rows == b.try_rows(sql).await.ok()?).then_some(rows)
    })
    .await
}

const INFO: &str = "SELECT id, name, email FROM test.info ORDER BY id";

/// The document's own walk-through: a database and a table with two rows on a, seen on b, a third row there, seen on a.
pub(crate) async fn walk([a, b]: &[Db; 2]) {
    a.run(&[
        "CREATE DATABASE `test` CHARACTER SET utf8 COLLATE utf8_general_ci",
        "USE test",
        "SET FOREIGN_KEY_CHECKS=0",
        "DROP TABLE IF EXISTS `info`",
        "CREATE TABLE `info` (
           `id` int(11) NOT NULL AUTO_INCREMENT,
           `name` varchar(255) NOT NULL,
           `email` varchar(255) NOT NULL,
           PRIMARY KEY (`id`)
         ) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8",
        "INSERT INTO `info` VALUES ('0', 'xiongjun', 'xiongjun@cpms.com.cn')",
        "INSERT INTO `info` VALUES ('0', 'liuyanwen', 'liuyanwen@cpms.com.cn')",
    ])
    .await;
    let written = a.rows(INFO).await;
    assert_eq!(written.len(), 2);
    b.wait_for_rows(INFO, &written).await;
    b.run(&[
        "USE test",
        "INSERT INTO `info` VALUES ('0', 'liuxiaolei', 'liuxiaolei@cpms.com.cn')",
    ])
    .await;
    let written = b.rows(INFO).await;
    assert_eq!(written.len(), 3, "an id collided");
    a.wait_for_rows(INFO, &written).await;
}

/// Rows on both nodes at the same moment: no id is given twice, and both nodes end up with all of them.
pub(crate) async fn insert_on_both(nodes: &[Db; 2], rows: usize) {
    let before = same_rows(nodes, INFO).await.len();
    let insert = async |db: &Db| {
        let mut conn = db.conn().await.unwrap();
        conn.query_drop("USE test").await.unwrap();
        for number in 0..rows {
            let sql = format!("INSERT INTO info (name, email) VALUES ('{number}', 'x')");
            conn.query_drop(sql).await.unwrap();
        }
        conn.disconnect().await.unwrap();
    };
    futures_util::future::join(insert(&nodes[0]), insert(&nodes[1])).await;
    let all = format!("SELECT COUNT(*) = {} FROM test.info", before + 2 * rows);
    for node in nodes {
        node.wait_for_rows(&all, &vec![vec!["1".into()]]).await;
    }
    same_rows(nodes, INFO).await;
}

/// Everything below a directory: paths, sizes and modes. Sockets and logs change by themselves and are left out.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = vec![dir.to_owned()];
    while let Some(next) = rest.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let meta = entry.metadata().unwrap();
            let path = entry.path();
            let size = if meta.is_dir() { 0 } else { meta.len() };
            found.push(format!("{} {size} {:o}", path.display(), meta.mode()));
            if meta.is_dir() {
                rest.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path from the repository's root.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
