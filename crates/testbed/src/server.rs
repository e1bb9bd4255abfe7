//! A running server that "someone else configured".

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, chown};
use tokio::time::{sleep, timeout};

use crate::dir::TestDir;
use crate::port::{Port, free_port};
use crate::process::{server_command, spawn, stand_in};
use crate::servers::ServerKind;
use crate::template::copy_template;

/// A start on two busy cores takes a few seconds.
const START_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// One attempt to connect or one query of the helpers below: longer than any that ends.
const QUERY_DEADLINE: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 40;

/// How a server is to be set up.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Lines for `[mysqld]`, after the ones that say where it lives (so they win).
    pub extra: Vec<String>,
}

impl ServerOptions {
    /// With these lines for `[mysqld]`.
    pub fn with(extra: &[&str]) -> Self {
        Self {
            extra: extra.iter().map(|&line| line.to_owned()).collect(),
        }
    }
}

/// A server on a fresh data directory, with a socket and a port on 127.0.0.1. Its only account is `root@localhost`,
/// without a password. It is killed, and its directory removed, when the value is dropped.
#[derive(Debug)]
pub struct Server {
    kind: ServerKind,
    port: Port,
    child: Option<Child>,
    dir: TestDir,
}

impl Server {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Panics
    /// When it does not within 30 s; the end of its log is in the message.
    pub async fn start(kind: ServerKind, options: &ServerOptions) -> Self {
        Self::try_start(kind, options)
            .await
            .unwrap_or_else(|error| panic!("{kind} did not start: {error:#}"))
    }

    async fn try_start(kind: ServerKind, options: &ServerOptions) -> anyhow::Result<Self> {
        let mut server = Self {
            kind,
            port: free_port(),
            child: None,
            dir: TestDir::new(),
        };
        copy_template(kind, &server.data_dir())?;
        for name in ["run", "tmp"] {
            let path = server.dir.join(name);
            fs::create_dir(&path)?;
            if let Some(user) = stand_in()? {
                chown(&path, Some(user.uid), Some(user.gid))?;
            }
        }
        server.launch(&options.extra).await?;
        Ok(server)
    }

    async fn launch(&mut self, extra: &[String]) -> anyhow::Result<()> {
        fs::write(self.config_file(), self.config(extra)?)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut command = server_command(&self.kind.server_binary())?;
        command
            .arg(format!("--defaults-file={}", self.config_file().display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.child = Some(spawn(command)?);
        self.wait_for_connections().await
    }

    fn config(&self, extra: &[String]) -> anyhow::Result<String> {
        let mut text = "[mysqld]\n".to_owned();
        for (name, path) in [
            ("basedir", self.kind.basedir()),
            ("datadir", self.data_dir()),
            ("socket", self.socket()),
            ("pid-file", self.dir.join("run/server.pid")),
            // A starting MariaDB deletes the temporary tables that it finds, another running one's too.
            ("tmpdir", self.dir.join("tmp")),
        ] {
            writeln!(text, "{name} = {}", path.display())?;
        }
        writeln!(text, "port = {}\nbind-address = 127.0.0.1", self.port)?;
        if self.kind == ServerKind::MySql97 {
            // The folder that it was built to use is made by its package's scripts; the X protocol has a port of its own.
            text.push_str("secure-file-priv =\nloose-mysqlx = 0\n");
        }
        for line in extra {
            writeln!(text, "{line}")?;
        }
        Ok(text)
    }

    async fn wait_for_connections(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + START_DEADLINE;
        loop {
            let last = match timeout(START_DEADLINE, Conn::new(self.socket_opts())).await {
                Ok(Ok(conn)) => return Ok(conn.disconnect().await?),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "a connection hung".to_owned(),
            };
            if let Some(status) = self
                .child
                .as_mut()
                .map(Child::try_wait)
                .transpose()?
                .flatten()
            {
                bail!("it ended with {status}\n{}", self.log_tail());
            }
            if Instant::now() > end {
                bail!(
                    "no connection within {START_DEADLINE:?}: {last}\n{}",
                    self.log_tail()
                );
            }
            sleep(POLL).await;
        }
    }

    /// What it is.
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Its TCP port on 127.0.0.1; it keeps it over restarts.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("run/s")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Its `my.cnf`.
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("my.cnf")
    }

    /// The directory of all of it, for a test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it was stopped.
    pub fn pid(&self) -> u32 {
        self.running().id()
    }

    /// All that it has logged, over restarts too.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    fn running(&self) -> &Child {
        self.child
            .as_ref()
            .unwrap_or_else(|| panic!("{} was stopped", self.kind))
    }

    fn socket_opts(&self) -> OptsBuilder {
        OptsBuilder::default()
            .socket(self.socket().to_str())
            .user(Some("root"))
    }

    /// Options for connections over TCP as root, to be changed at will (`user`, `pass`, `ssl_opts`).
    pub fn tcp_opts(&self) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port())
            .prefer_socket(false)
            .user(Some("root"))
    }

    /// A connection as root, through the socket.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn conn(&self) -> Conn {
        self.bounded("connect", Conn::new(self.socket_opts())).await
    }

    /// All rows of a query, as root on a fresh connection.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn query<T: FromRow + Send + 'static>(&self, sql: &str) -> Vec<T> {
        let mut conn = self.conn().await;
        self.bounded(sql, conn.query(sql)).await
    }

    /// The first row of a query, as root on a fresh connection.
    ///
    /// # Panics
    /// When the server refuses it, or there is no row.
    pub async fn query_one<T: FromRow + Send + 'static>(&self, sql: &str) -> T {
        let row = self.query(sql).await.into_iter().next();
        row.unwrap_or_else(|| panic!("{}: no row: {sql}", self.kind))
    }

    /// Runs one or more statements, separated by semicolons, as root on a fresh connection.
    ///
    /// # Panics
    /// When the server refuses one.
    pub async fn exec(&self, sql: &str) {
        let mut conn = self.conn().await;
        self.bounded(sql, conn.query_drop(sql)).await;
    }

    async fn bounded<T>(
        &self,
        what: &str,
        work: impl Future<Output = mysql_async::Result<T>>,
    ) -> T {
        match timeout(QUERY_DEADLINE, work).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => panic!("{}: {error}: {what}", self.kind),
            Err(_) => panic!("{}: no answer within {QUERY_DEADLINE:?}: {what}", self.kind),
        }
    }

    /// Shuts it down as an operator would (SIGTERM) and waits for its end.
    ///
    /// # Panics
    /// When it does not end within 30 s.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let end = Instant::now() + STOP_DEADLINE;
        loop {
            if let Some(status) = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten())
            {
                self.child = None;
                return status;
            }
            assert!(
                Instant::now() < end,
                "{} did not stop in {STOP_DEADLINE:?}\n{}",
                self.kind,
                self.log_tail()
            );
            sleep(POLL).await;
        }
    }

    /// Kills it (SIGKILL), as a power cut would; nothing happens when it was stopped.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Either it dies of this or it was dead.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Freezes it (SIGSTOP): connections hang, the port stays open.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // Its threads stop one by one, and may answer until then; this returns when all of them have.
        let stopped = waitid(Id::Pid(self.os_pid()), WaitPidFlag::WSTOPPED);
        stopped.unwrap_or_else(|error| panic!("{}: it did not stop: {error}", self.kind));
    }

    /// Lets it go on after [`Server::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let sent = kill(self.os_pid(), signal);
        sent.unwrap_or_else(|error| panic!("{}: cannot send {signal}: {error}", self.kind));
    }

    fn os_pid(&self) -> Pid {
        // Linux gives no process id above 2^22.
        Pid::from_raw(self.pid() as i32)
    }

    /// Stops it if it runs and starts it again on its data, with other lines for `[mysqld]`.
    ///
    /// # Panics
    /// As [`Server::start`] and [`Server::stop`] do.
    pub async fn restart(&mut self, options: &ServerOptions) {
        if self.child.is_some() {
            self.stop().await;
        }
        let started = self.launch(&options.extra).await;
        started.unwrap_or_else(|error| panic!("{} did not start again: {error:#}", self.kind));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
