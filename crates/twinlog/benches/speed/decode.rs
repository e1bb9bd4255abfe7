//! A log, read over the network: twinlog's reader, decoder and tracker beside the servers' own tools.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::runtime::Builder;
use twinlog_testbed::{Server, ServerKind, ServerOptions, TestDir};

use crate::{
    Length, machine, reader,
    times::{Figures, verdict},
};

/// Row changes in each transaction: an insert, two updates and a delete, as in sysbench's `oltp_write_only`.
const CHANGES_PER_TRANSACTION: usize = 4;
/// twinlog's speed in that of the server's tool.
const RATIO_MIN: f64 = 2.0;

/// What a log is made by. A row takes about 190 bytes in it, an update twice that.
const TABLE: &str = "CREATE DATABASE test; CREATE TABLE test.sbtest (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, \
                     c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL, KEY (k)) ENGINE=InnoDB DEFAULT CHARSET=latin1";
const FILL: &str = "CREATE PROCEDURE test.fill(first INT, last INT) BEGIN \
    WHILE first < last DO START TRANSACTION; \
    INSERT INTO test.sbtest VALUES (first, first, REPEAT(CHAR(97 + first % 26), 120), REPEAT('x', 60)); \
    UPDATE test.sbtest SET k = k + 1 WHERE id = first; \
    UPDATE test.sbtest SET c = REPEAT(CHAR(97 + first % 25), 120) WHERE id = first; \
    DELETE FROM test.sbtest WHERE id = first - 1; \
    COMMIT; SET first = first + 1; END WHILE; END";
/// Sessions that fill at once.
const FILLERS: usize = 4;
/// Calls of the procedure per session: each is bounded by the testbed's patience with a statement.
const TRANSACTIONS_PER_CALL: usize = 10_000;

pub(crate) fn run(kind: ServerKind, length: Length) {
    let changes = length.pick(2_000_000, 100_000);
    let runs = length.pick(5, 1);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let log = runtime.block_on(Log::make(kind, changes));
    println!(
        "{:14} {changes} changes in {} transactions, {:.0} MB",
        kind.name(),
        log.transactions,
        log.megabytes
    );
    let tools = [
        Tool::Raw,
        Tool::Verbose,
        Tool::Twinlog(reader::DECODE),
        Tool::Twinlog(reader::TRACK),
        Tool::Twinlog(reader::TRACK_TWO),
    ];
    let mut wall = vec![Figures::default(); tools.len()];
    let mut processor = vec![Figures::default(); tools.len()];
    // By turns, after one that does not count.
    for run in 0..=runs {
        for (place, tool) in tools.iter().enumerate() {
            let (took, used) = log.time(tool);
            if run > 0 {
                wall[place].push_seconds(took);
                processor[place].push_seconds(used);
            }
        }
    }
    for (place, tool) in tools.iter().enumerate() {
        println!(
            "{:14} {:44} {:24} processor {:24} {:5.0} MB/s",
            "",
            tool.name(kind),
            wall[place].in_seconds(),
            processor[place].in_seconds(),
            log.megabytes * tool.logs() / wall[place].median()
        );
    }
    let [raw, verbose, _, track, track_two] = [0, 1, 2, 3, 4].map(|place| wall[place].median());
    let ratio = verbose / track;
    println!(
        "{:14} decoded and tracked: {ratio:.2} × the speed of -v, goal {RATIO_MIN}: {}; two logs {:.2} ×; raw stream in {:.2} \
         of the time",
        "",
        verdict(ratio >= RATIO_MIN),
        2.0 * verbose / track_two,
        raw / track
    );
}

/// What reads the log.
#[derive(Debug, Clone, Copy)]
enum Tool {
    /// The server's tool writing the log to a file as it is.
    Raw,
    /// The server's tool showing the rows, to nowhere.
    Verbose,
    /// This.
    Twinlog(&'static str),
}

impl Tool {
    fn name(self, kind: ServerKind) -> String {
        let tool = tool(kind);
        match self {
            Self::Raw => format!("{tool} --raw, to a file"),
            Self::Verbose => format!("{tool} -v, to nowhere"),
            Self::Twinlog(reader::DECODE) => "twinlog: decoded".into(),
            Self::Twinlog(reader::TRACK) => "twinlog: decoded once, tracked as both logs".into(),
            Self::Twinlog(_) => "twinlog: two logs decoded and tracked".into(),
        }
    }

    /// How many logs it reads.
    fn logs(self) -> f64 {
        match self {
            Self::Twinlog(reader::TRACK_TWO) => 2.0,
            _ => 1.0,
        }
    }
}

fn tool(kind: ServerKind) -> &'static str {
    if kind.is_mariadb() {
        "mariadb-binlog"
    } else {
        "mysqlbinlog"
    }
}

/// A server with the log.
struct Log {
    server: Server,
    first_file: String,
    transactions: usize,
    megabytes: f64,
}

impl Log {
    async fn make(kind: ServerKind, changes: usize) -> Self {
        let mut options = ServerOptions::with(&[
            "server_id = 1",
            "log_bin = binlog",
            "binlog_format = ROW",
            "binlog_row_image = FULL",
            "binlog_row_metadata = FULL",
            "binlog_checksum = CRC32",
            "max_binlog_size = 1G",
            // How it is written is not what is measured.
            "sync_binlog = 0",
            "innodb_flush_log_at_trx_commit = 0",
        ]);
        if !kind.is_mariadb() {
            options.extra.push("gtid_mode = ON".into());
            options.extra.push("enforce_gtid_consistency = ON".into());
        }
        let server = Server::start(kind, &options).await;
        server.exec(TABLE).await;
        server.exec(FILL).await;
        fill(&server, changes / CHANGES_PER_TRANSACTION).await;
        let executed = if kind.is_mariadb() {
            "SELECT @@gtid_binlog_pos"
        } else {
            "SELECT @@gtid_executed"
        };
        let executed: String = server.query_one(executed).await;
        let last = executed
            .rsplit(['-', ':'])
            .next()
            .and_then(|number| number.parse().ok());
        let files: Vec<mysql_async::Row> = server.query("SHOW BINARY LOGS").await;
        let size = |row: &mysql_async::Row| row.get::<u64, _>(1).unwrap_or(0);
        Self {
            first_file: files[0].get(0).unwrap(),
            transactions: last.unwrap(),
            megabytes: files.iter().map(size).sum::<u64>() as f64 / 1e6,
            server,
        }
    }

    /// How long it takes, and how much processor.
    fn time(&self, tool: &Tool) -> (Duration, Duration) {
        let out = TestDir::new();
        let mut command = self.command(tool, &out);
        command.stdout(Stdio::null());
        let used = machine::children_time();
        let started = Instant::now();
        let status = command.status().unwrap();
        let took = started.elapsed();
        assert!(status.success(), "{tool:?}: {status}");
        (took, machine::children_time().saturating_sub(used))
    }

    fn command(&self, tool: &Tool, out: &TestDir) -> Command {
        let kind = self.server.kind();
        // One processor: the first; the server may take the others.
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        if let Tool::Twinlog(work) = tool {
            let flavour = if kind.is_mariadb() {
                "mariadb"
            } else {
                "mysql"
            };
            command
                .arg(std::env::current_exe().unwrap())
                .arg(reader::ARG)
                .arg(self.server.port().to_string())
                .args([flavour, &self.transactions.to_string(), work]);
            return command;
        }
        command
            .arg(kind.basedir().join("bin").join(self::tool(kind)))
            .args([
                "--no-defaults",
                "--read-from-remote-server",
                "--to-last-log",
            ])
            .args(["--host=127.0.0.1", "--user=root"])
            .arg(format!("--port={}", self.server.port()));
        match tool {
            Tool::Raw => {
                let files = format!("--result-file={}/", out.path().display());
                command.args(["--raw", &files]);
            }
            Tool::Verbose | Tool::Twinlog(_) => {
                command.arg("--verbose");
            }
        }
        command.arg(if kind.is_mariadb() {
            "--skip-ssl"
        } else {
            "--ssl-mode=DISABLED"
        });
        command.arg(&self.first_file);
        command
    }
}

/// Several sessions, each with ids of its own.
async fn fill(server: &Server, transactions: usize) {
    let share = transactions / FILLERS;
    let filler = async |first: usize| {
        let mut next = first;
        while next < first + share {
            let last = (next + TRANSACTIONS_PER_CALL).min(first + share);
            server
                .exec(&format!("CALL test.fill({next}, {last})"))
                .await;
            next = last;
        }
    };
    join_all((0..FILLERS).map(|place| filler(1 + place * (share + 1)))).await;
}
