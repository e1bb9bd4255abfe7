//! Load from sysbench.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::runtime::Builder;
use twinlog_testbed::TestDir;

use crate::duo::{DATABASE, Duo, Node, USER};

const SCRIPT: &str = include_str!("oltp.lua");
/// Tables, and clients on each node.
pub(crate) const TABLES: u32 = 4;
pub(crate) const THREADS: u32 = 4;
/// Of each table, the rows that both nodes' clients write in [`Rows::Same`].
const SAME_ROWS: u32 = 1000;

/// Whether the load can be made at all.
fn is_there() -> bool {
    let found = Command::new("sysbench")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// Measures what takes a load; says so where it cannot be made.
pub(crate) fn measure(work: impl Future<Output = ()>) {
    if !is_there() {
        println!("skipped: no sysbench on PATH (a distribution's package)");
        return;
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work);
}

/// Which rows each node's clients write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Half of them each: no row is written on both nodes.
    Shared,
    /// All of the first ones, by chance: some are written on both nodes at once.
    Same,
}

/// How sysbench runs.
pub(crate) struct Load {
    script: PathBuf,
    rows: u32,
    dir: TestDir,
}

/// What the clients of one node, or of both, had.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Had {
    /// Transactions per second.
    pub(crate) rate: f64,
    /// 95 of 100 transactions took no longer, in milliseconds.
    pub(crate) p95_ms: f64,
}

impl Load {
    /// Makes the tables, on a; they come to b over the link.
    pub(crate) async fn prepare(duo: &Duo, rows: u32) -> Self {
        let load = Self::fill(&duo.nodes[0], rows);
        duo.drained().await;
        load
    }

    /// Makes the tables on one node.
    pub(crate) fn fill(node: &Node, rows: u32) -> Self {
        let dir = TestDir::new();
        let script = dir.join("oltp.lua");
        fs::write(&script, SCRIPT).unwrap();
        let load = Self { script, rows, dir };
        let mut command = load.command(node, "prepare");
        let made = command
            .arg(format!("--table-size={rows}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stdout).into_owned();
        assert!(made.status.success(), "sysbench prepare: {said}");
        load
    }

    fn command(&self, node: &Node, what: &str) -> Command {
        let mut command = Command::new("sysbench");
        command
            .arg(&self.script)
            .current_dir(self.dir.path())
            .args(["--db-driver=mysql", "--rand-type=uniform"])
            .arg(format!("--mysql-socket={}", node.socket.display()))
            .arg(format!("--mysql-user={USER}"))
            .arg(format!("--mysql-db={DATABASE}"))
            .arg(format!("--tables={TABLES}"))
            // Given by us: what the servers give is every second number.
            .arg("--auto-inc=off")
            // A deadlock with the applier is tried again.
            .arg("--mysql-ignore-errors=1213,1020,1205,1062")
            .arg(format!("--threads={THREADS}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .arg(what);
        command
    }

    /// Begins to write on both nodes for that long; at `rate` transactions per second on each, or as fast as it goes.
    pub(crate) fn start(
        &self,
        duo: &Duo,
        rows: Rows,
        time: Duration,
        rate: Option<u32>,
    ) -> Running {
        let children = [0, 1].map(|side| {
            let mut command = self.command(&duo.nodes[side], "run");
            let (half, range) = match rows {
                Rows::Shared => (side, self.rows),
                Rows::Same => (2, self.rows.min(SAME_ROWS)),
            };
            command.arg(format!("--side={half}"));
            command.arg(format!("--table-size={range}"));
            // By itself it goes by the clock, and both nodes' clients would write the same at the same time.
            command.arg(format!("--rand-seed={}", side + 1));
            command.arg(format!("--time={}", time.as_secs()));
            if let Some(rate) = rate {
                command.arg(format!("--rate={rate}"));
            }
            command.spawn().unwrap()
        });
        Running { children }
    }
}

/// Clients at work on both nodes.
pub(crate) struct Running {
    children: [Child; 2],
}

impl Running {
    /// Waits for their end, not blocking what goes on beside them. `None` where they could not keep the rate.
    pub(crate) async fn end(self) -> Option<[Had; 2]> {
        let outputs = self
            .children
            .map(|child| tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()));
        let [a, b] = outputs;
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        let had = |output: std::process::Output| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if !output.status.success() || said.contains("queue is full") {
                let kept = said.contains("queue is full");
                assert!(
                    kept,
                    "sysbench: {said}{}",
                    String::from_utf8_lossy(&output.stderr)
                );
                return None;
            }
            Some(Had {
                rate: figure(&said, "transactions:", '('),
                p95_ms: figure(&said, "95th percentile:", ':'),
            })
        };
        Some([had(a)?, had(b)?])
    }
}

/// The number after a mark in the line that begins with a name.
fn figure(said: &str, name: &str, mark: char) -> f64 {
    said.lines()
        .find(|line| line.trim_start().starts_with(name))
        .and_then(|line| line.split_once(mark))
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}
