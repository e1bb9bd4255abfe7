//! The agent at work on real pairs, as `twinlog up` makes them.

mod by_hand;
mod cascade;
mod compared;
mod definitions;
mod documents;
mod idle;
mod lock;
mod locked_applier;
mod long;
mod many;
mod partial;
mod prepared;
mod state;
mod told_once;

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::watch, task::JoinHandle};
use twinlog_agent::{
    run,
    watch::{Error, Options, Summary, watch as watch_logs},
};
use twinlog_converge::Side;
use twinlog_pair::{
    apply::Progress,
    config::Config,
    plan::{Plan, Step},
    site::{Login, Site},
    status::{Status, status},
    up::{self, Ui},
};
use twinlog_row::run as run_sql;
use twinlog_server::conn::Conn;
use twinlog_testbed::{Port, ServerKind, TestDir, free_port, wait_until};

use crate::support::DEADLINE;

/// How long a server may take to let a test in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &Step) {}
    fn end(&self, _: &Step, _: Duration) {}
    fn waiting(&self, _: &str, _: Duration) {}
}

impl Ui for Silent {
    fn approve(&self, _: &Plan, _: bool) -> bool {
        true
    }
}

/// All that a status complains about.
pub(crate) fn problems(status: &Status) -> String {
    let all = status.problems.iter();
    let all: Vec<&str> = all.map(|problem| problem.message.as_str()).collect();
    all.join("\n")
}

/// A pair that is up.
pub(crate) struct Up {
    pub(crate) kind: ServerKind,
    pub(crate) site: Arc<Site>,
    _ports: [Port; 2],
    dir: TestDir,
}

/// An agent that runs.
pub(crate) struct Agent {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<Summary, Error>>,
}

impl Up {
    /// Makes one; `conflicts` is the text below `[conflicts]`, `setup` is run on both nodes outside their logs.
    pub(crate) async fn with(kind: ServerKind, conflicts: &str, setup: &str) -> Self {
        let (dir, ports) = (TestDir::new(), [free_port(), free_port()]);
        let [a, b] = ports.each_ref().map(Port::number);
        // `user` matters only where the tests run as root.
        let toml = format!(
            "[nodes.a]\nport = {a}\n[nodes.b]\nport = {b}\n[server]\nbinary = \"{}\"\nuser = \"nobody\"\n\
             [conflicts]\n{conflicts}\n",
            kind.server_binary().display()
        );
        let path = dir.join("twinlog.toml");
        std::fs::write(&path, toml).unwrap();
        let mut site = Site::open(Config::load(&path).unwrap()).unwrap();
        up::up(&mut site, &Silent).await.unwrap();
        let pair = Self {
            kind,
            site: Arc::new(site),
            _ports: ports,
            dir,
        };
        for side in Side::BOTH {
            pair.quietly(side, setup).await;
        }
        pair
    }

    /// A connection as root.
    pub(crate) async fn root(&self, side: Side) -> Conn {
        let node = self.site.nodes()[side.index()];
        let conn = self.site.connect(node, Login::Admin, CONNECT_TIMEOUT);
        conn.await.unwrap()
    }

    pub(crate) async fn exec(&self, side: Side, sql: &str) {
        run_sql(&mut self.root(side).await, sql).await.unwrap();
    }

    /// Runs statements on a node without telling the other.
    pub(crate) async fn quietly(&self, side: Side, sql: &str) {
        self.exec(side, &format!("SET SESSION sql_log_bin = 0; {sql}"))
            .await;
    }

    /// The first column.
    pub(crate) async fn rows(&self, side: Side, sql: &str) -> Vec<String> {
        let rows = run_sql(&mut self.root(side).await, sql).await.unwrap();
        let first = rows.into_iter().map(|row| row.into_iter().next().flatten());
        first
            .map(|value| String::from_utf8(value.unwrap_or_default()).unwrap())
            .collect()
    }

    /// Waits until a query gives this on both nodes.
    pub(crate) async fn both(&self, sql: &str, expected: &[&str]) {
        wait_until(DEADLINE, sql, async || {
            for side in Side::BOTH {
                if self.rows(side, sql).await != expected {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// Each node writes without seeing the other; then their links run again.
    pub(crate) async fn apart(&self, a: &str, b: &str) {
        let word = if self.kind == ServerKind::MySql97 {
            "REPLICA"
        } else {
            "SLAVE"
        };
        for side in Side::BOTH {
            self.exec(side, &format!("STOP {word} SQL_THREAD")).await;
        }
        self.exec(Side::A, a).await;
        self.exec(Side::B, b).await;
        for side in Side::BOTH {
            self.exec(side, &format!("START {word} SQL_THREAD")).await;
        }
    }

    /// How the pair is.
    pub(crate) async fn status(&self) -> Status {
        status(&self.site, DEADLINE).await
    }

    /// Waits until the pair is so.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        wait_until(DEADLINE, what, async || {
            let status = self.status().await;
            is(&status).then_some(status)
        })
        .await
    }

    /// Starts an agent.
    pub(crate) fn agent(&self) -> Agent {
        let (stop, stopped) = watch::channel(false);
        let site = Arc::clone(&self.site);
        let work = move || Handle::current().block_on(run::run(&site, Options::default(), stopped));
        let task = tokio::task::spawn_blocking(work);
        Agent { stop, task }
    }

    /// Starts one watch, which does not begin again where it fails.
    pub(crate) fn watch(&self) -> Agent {
        let (stop, mut stopped) = watch::channel(false);
        let site = Arc::clone(&self.site);
        // What it does cannot be sent between threads.
        let work = move || {
            let mut options = Options::default();
            Handle::current().block_on(watch_logs(&site, &mut options, &mut stopped))
        };
        let task = tokio::task::spawn_blocking(work);
        Agent { stop, task }
    }

    /// Settles all that there is.
    pub(crate) async fn once(&self) -> Summary {
        self.once_with(Options::default()).await
    }

    /// The same, begun in another way.
    pub(crate) async fn once_with(&self, options: Options) -> Summary {
        let options = Options {
            once: true,
            ..options
        };
        let (_stop, stopped) = watch::channel(false);
        run::run(&self.site, options, stopped).await.unwrap()
    }
}

impl Agent {
    /// Whether it has ended by itself.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// What ended it.
    pub(crate) async fn ended(self) -> Result<Summary, Error> {
        let ended = tokio::time::timeout(DEADLINE, self.task).await;
        ended.unwrap().unwrap()
    }

    pub(crate) async fn stop(self) -> Result<Summary, Error> {
        self.stop.send(true).unwrap();
        self.task.await.unwrap()
    }
}

/// Waits until the two nodes hold what the other has written: 2 on A, 1 on B.
pub(crate) async fn swapped(pair: &Up, sql: &str) {
    wait_until(DEADLINE, sql, async || {
        let (a, b) = (pair.rows(Side::A, sql).await, pair.rows(Side::B, sql).await);
        (a == ["2"] && b == ["1"]).then_some(())
    })
    .await;
}
