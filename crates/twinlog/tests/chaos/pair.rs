//! The pair under test, as a user has it: `twinlog init`, `up`, `run`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use twinlog_testbed::{Output, Port, ServerKind, TestDir, Twinlog, free_port};

use crate::plan::Side;
use crate::proxy::Proxy;
use crate::schema::{CLIENT, conflicts_toml, create};
use crate::transactions::COUNTERS;

/// One statement of the test's own.
const STATEMENT_MAX: Duration = Duration::from_secs(60);
/// SIGTERM ends an agent within 2 s; twice that on a busy machine.
const AGENT_STOP_MAX: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(20);

/// Two process nodes, each with the network to its peer in our hands.
pub(crate) struct Pair {
    pub(crate) kind: ServerKind,
    pub(crate) twinlog: Twinlog,
    /// In front of a (what b reads from) and of b.
    pub(crate) proxies: [Proxy; 2],
    agent: Mutex<Option<Child>>,
    /// Whether `twinlog run` is part of it.
    pub(crate) with_agent: bool,
    _ports: [Port; 4],
    pub(crate) dir: TestDir,
}

impl Pair {
    /// Makes one, with the tables in it.
    pub(crate) async fn start(kind: ServerKind, with_agent: bool) -> Self {
        let dir = TestDir::new();
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let [a, b, to_a, to_b] = [0, 1, 2, 3].map(|at| ports[at].number());
        let twinlog = Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), &dir);
        // `user` matters only where the tests run as root.
        let toml = format!(
            "[nodes.a]\nport = {a}\nreplication_port = {to_a}\n[nodes.b]\nport = {b}\nreplication_port = {to_b}\n\
             [server]\nbinary = \"{}\"\nuser = \"nobody\"\n{}",
            kind.server_binary().display(),
            conflicts_toml()
        );
        twinlog.write("twinlog.toml", &toml);
        let pair = Self {
            kind,
            twinlog,
            proxies: [Proxy::start(to_a, a).await, Proxy::start(to_b, b).await],
            agent: Mutex::new(None),
            with_agent,
            _ports: ports,
            dir,
        };
        pair.run(&["up"]).await.expect_code(0);
        let sql = create(COUNTERS);
        pair.root(Side::A, &sql).await.unwrap();
        pair.drained().await;
        pair
    }

    /// Runs twinlog to its end; one that does not come to it in time has no exit code.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        let (twinlog, args) = (self.twinlog.clone(), args.iter().map(|&arg| arg.to_owned()));
        let args: Vec<String> = args.collect();
        let run = tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            twinlog.run(&args)
        });
        run.await.unwrap_or_else(|error| Output {
            stdout: String::new(),
            stderr: match error
                .try_into_panic()
                .map(|panic| panic.downcast::<String>())
            {
                Ok(Ok(message)) => *message,
                _ => "it could not be run".to_owned(),
            },
            code: None,
        })
    }

    fn node_dir(&self, side: Side) -> PathBuf {
        self.dir.join("data").join(side.name())
    }

    fn opts(&self, side: Side, user: &str, password: &str) -> Opts {
        OptsBuilder::default()
            .socket(self.node_dir(side).join("mysqld.sock").to_str())
            .user(Some(user))
            .pass(Some(password))
            .into()
    }

    /// How clients connect.
    pub(crate) fn client_opts(&self, side: Side) -> Opts {
        self.opts(side, CLIENT, CLIENT)
    }

    /// A connection as root.
    pub(crate) async fn conn(&self, side: Side) -> mysql_async::Result<Conn> {
        let secret = fs::read_to_string(self.dir.join("data/secrets/root")).unwrap_or_default();
        Conn::new(self.opts(side, "root", secret.trim())).await
    }

    /// Statements as root, one after the other.
    pub(crate) async fn root(&self, side: Side, statements: &[String]) -> mysql_async::Result<()> {
        let mut conn = self.conn(side).await?;
        for sql in statements {
            conn.query_drop(sql).await?;
        }
        conn.disconnect().await
    }

    /// The rows of a query as root.
    pub(crate) async fn rows(&self, side: Side, sql: &str) -> Vec<Row> {
        let asked = async {
            let mut conn = self.conn(side).await?;
            let rows = conn.query(sql).await?;
            conn.disconnect().await?;
            mysql_async::Result::Ok(rows)
        };
        match timeout(STATEMENT_MAX, asked).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => panic!("{}: {error}: {sql}", side.name()),
            Err(_) => panic!("{}: no answer: {sql}", side.name()),
        }
    }

    /// The word for a link in its statements.
    pub(crate) fn replica(&self) -> &'static str {
        if self.kind == ServerKind::MySql97 {
            "REPLICA"
        } else {
            "SLAVE"
        }
    }

    /// Waits until each node has executed all that the other has committed.
    pub(crate) async fn drained(&self) {
        for side in Side::BOTH {
            let peer = Side::BOTH[1 - side.index()];
            self.executed(side, peer).await;
        }
    }

    async fn executed(&self, of: Side, on: Side) {
        let end = Instant::now() + STATEMENT_MAX;
        let mariadb = self.kind.is_mariadb();
        let position = if mariadb {
            "SELECT @@gtid_binlog_pos, @@gtid_domain_id"
        } else {
            "SELECT @@gtid_executed, ''"
        };
        let text = |row: &Row, at: usize| {
            row.get::<Option<String>, _>(at)
                .flatten()
                .unwrap_or_default()
        };
        let row = self.rows(of, position).await.remove(0);
        let (written, domain) = (text(&row, 0), text(&row, 1));
        let own = written
            .split(',')
            .find(|gtid| gtid.starts_with(&format!("{domain}-")));
        loop {
            let done = if mariadb {
                let row = self.rows(on, "SELECT @@gtid_slave_pos").await.remove(0);
                let number = |gtid: &str| gtid.rsplit('-').next()?.parse::<u64>().ok();
                let applied = text(&row, 0);
                let applied = applied
                    .split(',')
                    .find(|gtid| gtid.starts_with(&format!("{domain}-")));
                own.is_none() || applied.and_then(number) >= own.and_then(number)
            } else {
                let sql = format!("SELECT GTID_SUBSET('{written}', @@gtid_executed)");
                text(&self.rows(on, &sql).await.remove(0), 0) == "1"
            };
            if done {
                return;
            }
            assert!(
                Instant::now() < end,
                "{} has not executed all of {} within {STATEMENT_MAX:?}",
                on.name(),
                of.name()
            );
            sleep(POLL).await;
        }
    }

    /// The process of a node's server, if it runs.
    pub(crate) fn server(&self, side: Side) -> Option<Pid> {
        let pid = fs::read_to_string(self.node_dir(side).join("mysqld.pid")).ok()?;
        Some(Pid::from_raw(pid.trim().parse().ok()?))
    }

    /// Starts the agent, if there is to be one and it does not run; one that has ended by itself is told of.
    pub(crate) async fn start_agent(&self) -> Option<ExitStatus> {
        let mut agent = self.agent.lock().await;
        let ended = match agent.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => return None,
            Some(Ok(Some(status))) => Some(status),
            _ => None,
        };
        if self.with_agent {
            let log = File::options()
                .create(true)
                .append(true)
                .open(self.agent_log())
                .unwrap();
            // It dies with the test, however that ends.
            let command = self.twinlog.command(&["run"]);
            let mut wrapped = Command::new("setpriv");
            wrapped
                .args(["--pdeathsig", "KILL", "--"])
                .arg(command.get_program())
                .args(command.get_args())
                .current_dir(self.dir.path())
                .env_clear()
                .envs(
                    command
                        .get_envs()
                        .filter_map(|(name, value)| Some((name, value?))),
                )
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log);
            *agent = Some(wrapped.spawn().unwrap());
        }
        ended
    }

    /// What the agents said.
    pub(crate) fn agent_log(&self) -> PathBuf {
        self.dir.join("agent.log")
    }

    /// SIGKILL, to the agent.
    pub(crate) async fn kill_agent(&self) {
        if let Some(mut agent) = self.agent.lock().await.take() {
            // Either it dies of this or it was dead.
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }

    /// SIGTERM, to the agent, which must end in time and well; else, how it ended.
    pub(crate) async fn stop_agent(&self) -> Option<String> {
        let mut agent = self.agent.lock().await.take()?;
        let asked = Instant::now();
        // One that has ended meanwhile is seen below.
        let _ = kill(Pid::from_raw(agent.id().cast_signed()), Signal::SIGTERM);
        while asked.elapsed() < AGENT_STOP_MAX {
            match agent.try_wait() {
                Ok(Some(status)) if status.success() => return None,
                Ok(Some(status)) => return Some(format!("the agent ended with {status}")),
                Ok(None) => sleep(POLL).await,
                Err(error) => return Some(error.to_string()),
            }
        }
        let _ = agent.kill();
        let _ = agent.wait();
        Some(format!(
            "the agent did not end within {AGENT_STOP_MAX:?} of SIGTERM"
        ))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.get_mut().take() {
            // Of no effect on one that has ended.
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}
