//! A server that is written to, and what is read from it.

use std::time::Duration;

use tokio::time::timeout;
use twinlog_agent::stream::{Error, Item, Lag, LogReader, LogStream, Options, Permit};
use twinlog_binlog::{Change, Transaction};
use twinlog_server::{
    conn::{Address, ClientTls, Endpoint},
    facts::Coordinates,
    gtid::GtidSet,
    version::Flavour,
};
use twinlog_testbed::{Server, ServerKind, ServerOptions};

/// Longer than anything here takes on two busy cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What a node of a pair has in its option file, as far as it matters to who reads its log.
fn lines(kind: ServerKind) -> Vec<&'static str> {
    let mut lines = vec!["server-id = 7", "log-bin = bin", "binlog-format = ROW"];
    lines.extend(match kind {
        ServerKind::MySql97 => &["gtid-mode = ON", "enforce-gtid-consistency = ON"][..],
        ServerKind::MySql56 => &[
            "gtid-mode = ON",
            "enforce-gtid-consistency = ON",
            "log-slave-updates",
        ],
        ServerKind::MariaDb1011 | ServerKind::MariaDb118 => {
            &["gtid-domain-id = 1", "gtid-strict-mode = ON"]
        }
    });
    lines
}

pub(crate) fn options(kind: ServerKind, extra: &[&str]) -> ServerOptions {
    ServerOptions::with(&[&lines(kind)[..], extra].concat())
}

/// A server with a table to write to.
pub(crate) async fn start(kind: ServerKind, extra: &[&str]) -> Server {
    let server = Server::start(kind, &options(kind, extra)).await;
    server
        .exec(
            "CREATE DATABASE t; CREATE TABLE t.t (id INT PRIMARY KEY, v LONGTEXT) ENGINE = InnoDB",
        )
        .await;
    server
}

pub(crate) fn flavour(kind: ServerKind) -> Flavour {
    if kind.is_mariadb() {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    }
}

/// All that is in the server's log.
pub(crate) async fn logged(server: &Server) -> GtidSet {
    let variable = if server.kind().is_mariadb() {
        "gtid_binlog_pos"
    } else {
        "gtid_executed"
    };
    let text: String = server
        .query_one(&format!("SELECT @@GLOBAL.{variable}"))
        .await;
    GtidSet::parse(flavour(server.kind()), &text).expect("the server's own")
}

/// The end of the server's log.
pub(crate) async fn log_end(server: &Server) -> Coordinates {
    let sql = match server.kind() {
        ServerKind::MySql97 => "SHOW BINARY LOG STATUS",
        _ => "SHOW MASTER STATUS",
    };
    let row: mysql_async::Row = server.query_one(sql).await;
    Coordinates {
        file: row.get(0).expect("a file"),
        position: row.get(1).expect("a position"),
    }
}

/// Inserts rows of these ids, one transaction each, every one with this much text.
pub(crate) async fn insert(server: &Server, ids: std::ops::Range<u32>, bytes: usize) {
    use mysql_async::prelude::Queryable;
    let mut conn = server.conn().await;
    for id in ids {
        let sql = format!("INSERT INTO t.t VALUES ({id}, CONCAT('<{id}>', REPEAT('x', {bytes})))");
        conn.query_drop(sql).await.expect("inserted");
    }
}

pub(crate) fn endpoint(server: &Server) -> Endpoint {
    Endpoint {
        address: Address::Socket(server.socket()),
        user: "root".into(),
        password: None,
        tls: ClientTls::Off,
    }
}

pub(crate) fn from_here(server: &Server, from: GtidSet) -> Options {
    Options::new(endpoint(server), from, vec![7])
}

/// What has been read.
pub(crate) struct Reading {
    pub(crate) stream: LogStream,
    reader: LogReader,
    /// The ids of inserted rows, in order.
    pub(crate) ids: Vec<u32>,
    pub(crate) statements: Vec<String>,
    pub(crate) lags: Vec<Lag>,
    pub(crate) connected: usize,
    /// Why connections ended.
    pub(crate) causes: Vec<String>,
    pub(crate) error: Option<Error>,
    /// Permits kept back: `Some` for a consumer that does not let go.
    pub(crate) kept: Option<Vec<Permit>>,
}

impl Reading {
    pub(crate) fn begin(options: Options) -> Self {
        let (stream, reader) = LogReader::spawn(options);
        Self {
            stream,
            reader,
            ids: Vec::new(),
            statements: Vec::new(),
            lags: Vec::new(),
            connected: 0,
            causes: Vec::new(),
            error: None,
            kept: None,
        }
    }

    /// Takes items until `done`, or the end.
    pub(crate) async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let read = async {
            while !done(self) {
                match self.stream.next().await {
                    Some(Ok(item)) => self.take(item),
                    Some(Err(error)) => self.error = Some(error),
                    None => break,
                }
            }
        };
        let ended = timeout(DEADLINE, read).await.is_ok();
        assert!(
            ended && done(self),
            "in vain for: {what}; {} rows up to {:?}, causes {:?}, error {:?}, at {}",
            self.ids.len(),
            self.ids.last(),
            self.causes,
            self.error,
            self.stream.read_up_to().place()
        );
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Connected(_) => self.connected += 1,
            Item::Reconnecting(again) => self.causes.push(again.cause.to_string()),
            Item::Position(_) => {}
            Item::Transaction(received) => {
                self.lags.push(received.lag);
                self.look_into(&received.transaction);
                if let Some(kept) = &mut self.kept {
                    kept.push(received.permit);
                }
            }
        }
    }

    fn look_into(&mut self, transaction: &Transaction) {
        for change in &transaction.changes {
            match change {
                Change::Rows(rows) => self.ids.extend(id_in(&rows.data)),
                Change::Statement(statement) => {
                    self.statements
                        .push(String::from_utf8_lossy(&statement.text).into_owned());
                }
            }
        }
    }

    /// Reads all that is in the log now.
    pub(crate) async fn catch_up(&mut self, server: &Server) {
        let end = log_end(server).await;
        self.until("the end of the log", |reading| {
            reading.stream.read_up_to().has_position(&end)
        })
        .await;
        assert!(self.stream.read_up_to().has_gtids(&logged(server).await));
    }

    /// Stops, within the time that is allowed, and tells what was read.
    pub(crate) async fn stop(self) -> GtidSet {
        let stopped = timeout(Duration::from_secs(2), self.reader.stop()).await;
        assert!(stopped.is_ok(), "it does not stop");
        self.stream.read_up_to().gtids().clone()
    }

    /// The error that ended it.
    pub(crate) async fn failure(&mut self) -> Error {
        self.until("an error", |reading| reading.error.is_some())
            .await;
        assert!(
            self.stream.next().await.is_none(),
            "something after the last error"
        );
        self.error.clone().expect("there is one")
    }
}

/// The number in `<…>` of an image.
fn id_in(bytes: &[u8]) -> Option<u32> {
    // An id's own byte may be a `<` too.
    bytes.split(|&byte| byte == b'<').skip(1).find_map(|part| {
        let (digits, _) = std::str::from_utf8(part.get(..part.len().min(12))?)
            .ok()?
            .split_once('>')?;
        digits.parse().ok()
    })
}

pub(crate) fn numbers(ids: std::ops::Range<u32>) -> Vec<u32> {
    ids.collect()
}

/// The server's side of every stream. (A query of the information schema makes MySQL 5.6 write a temporary file.)
pub(crate) async fn dumps(server: &Server) -> Vec<u64> {
    let rows: Vec<mysql_async::Row> = server.query("SHOW PROCESSLIST").await;
    let dumps = rows.into_iter().filter(|row| {
        let command: Option<String> = row.get("Command");
        command.is_some_and(|command| command.starts_with("Binlog Dump"))
    });
    dumps.filter_map(|row| row.get("Id")).collect()
}

/// Ends the server's side of every stream, as `KILL` by an operator would.
pub(crate) async fn kill_dumps(server: &Server) {
    use mysql_async::prelude::Queryable;
    for id in dumps(server).await {
        // It may have ended by itself.
        let _ = server.conn().await.query_drop(format!("KILL {id}")).await;
    }
}

/// The same test for each server.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        $(mod $test {
            use twinlog_testbed::ServerKind;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql_9_7() {
                super::$test(ServerKind::MySql97).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql_5_6() {
                super::$test(ServerKind::MySql56).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb_10_11() {
                super::$test(ServerKind::MariaDb1011).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb_11_8() {
                super::$test(ServerKind::MariaDb118).await;
            }
        })+
    };
}
pub(crate) use on_each_server;
