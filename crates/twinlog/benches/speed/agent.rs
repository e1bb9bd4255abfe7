//! `twinlog run`, watched.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use mysql_async::{Conn, prelude::Queryable};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::sleep;
use twinlog_pair::watch_state::AgentState;

use crate::duo::Pair;

const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A `twinlog run` that is ended when this is dropped.
pub(crate) struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Starts it and waits until it reads both logs.
    pub(crate) async fn start(pair: &Pair, args: &[&str]) -> Self {
        let log = pair.dir.join("agent.log");
        let child = pair
            .twinlog
            .command(&[&["run"], args].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut agent = Self { child, log };
        let end = Instant::now() + START_MAX;
        while agent.said().matches("reading the log of").count() < 2 {
            agent.assert_alive();
            assert!(Instant::now() < end, "it does not begin: {}", agent.said());
            sleep(POLL).await;
        }
        agent
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Fails when it has ended.
    pub(crate) fn assert_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended: {}", self.said());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> String {
        self.assert_alive();
        // Linux gives no process id above 2^22.
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
        self.said()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Of no effect on one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it last wrote of itself into the pair, and up to where it has compared; `None` before the first time.
pub(crate) async fn checkpoint(conn: &mut Conn) -> Option<(AgentState, String)> {
    let sql = "SELECT detail, settled FROM twinlog.checkpoint";
    let (detail, settled): (String, String) = conn.query_first(sql).await.unwrap()?;
    Some((serde_json::from_str(&detail).unwrap(), settled))
}
