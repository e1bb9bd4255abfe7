//! One server's data onto an empty one: beside what is used for it today, and how it grows.

use std::{
    fs,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mysql_async::prelude::Queryable;
use twinlog_testbed::{Server, ServerKind, ServerOptions, TestDir, Twinlog};

use crate::{
    Length,
    duo::{DATABASE, Node, USER},
    load::{self, Load, TABLES},
    times::{Figures, verdict},
};

/// Streams at once, for all that is measured.
const PARALLEL: &str = "2";
/// Both servers alike: large enough a buffer for what is copied, as any server has that holds so much.
const LINES: [&str; 3] = [
    "log_bin = bin",
    "log_slave_updates",
    "innodb_buffer_pool_size = 1G",
];
/// How memory is looked at.
const POLL: Duration = Duration::from_millis(10);

pub(crate) fn run(kind: ServerKind, length: Length) {
    load::measure(async {
        let rows = length.pick(500_000, 25_000);
        let source = Source::new(kind, rows).await;
        beside_todays(&source, rows, length).await;
        locked(&source, length).await;
        drop(source);
        let small = Source::new(kind, rows / 10).await;
        let large = Source::new(kind, rows).await;
        growth(&small, &large, rows, length).await;
    });
}

/// A server that has data.
struct Source {
    server: Server,
    node: Node,
}

async fn start(kind: ServerKind, id: u32) -> Server {
    let id = format!("server_id = {id}");
    let mut lines = vec![id.as_str()];
    lines.extend(LINES);
    if !kind.is_mariadb() {
        lines.extend(["gtid_mode = ON", "enforce_gtid_consistency = ON"]);
    }
    Server::start(kind, &ServerOptions::with(&lines)).await
}

impl Source {
    async fn new(kind: ServerKind, rows: u32) -> Self {
        let server = start(kind, 1).await;
        let node = Node {
            name: "a",
            socket: server.socket(),
            pid: server.pid(),
            root: server
                .tcp_opts()
                .socket(server.socket().to_str())
                .prefer_socket(true),
        };
        let user = format!("CREATE USER {USER}@localhost");
        let grant = format!("GRANT ALL ON *.* TO {USER}@localhost");
        let database = format!("CREATE DATABASE {DATABASE}");
        node.exec(&[&user, &grant, &database]).await;
        Load::fill(&node, rows);
        Self { server, node }
    }

    /// Takes away what made it a node, so that it can be one of another pair.
    async fn clean(&self) {
        let (replica, reset_log) = match self.server.kind().is_mariadb() {
            true => ("SLAVE", "RESET MASTER; SET GLOBAL gtid_slave_pos = ''"),
            false => ("REPLICA", "RESET BINARY LOGS AND GTIDS"),
        };
        self.node
            .exec(&[
                "SET sql_log_bin = 0",
                &format!("STOP {replica}"),
                &format!("RESET {replica} ALL"),
                "DROP DATABASE twinlog",
                "DROP USER twinlog, twinlog_repl",
                // What the last target wrote would be missing on the next one, of the same name.
                reset_log,
            ])
            .await;
    }
}

/// An empty server.
async fn target(kind: ServerKind) -> Server {
    let server = start(kind, 2).await;
    let user = format!("CREATE USER {USER}@localhost");
    let grant = format!("GRANT ALL ON *.* TO {USER}@localhost");
    server
        .exec(&format!(
            "SET sql_log_bin = 0; {user}; {grant}; SET GLOBAL local_infile = ON"
        ))
        .await;
    server
}

/// What a copy took.
struct Took {
    /// All of it, with the links made and proven.
    time: Duration,
    locked_ms: f64,
    resident_mib: f64,
}

async fn copy(source: &Source) -> Took {
    let target = target(source.server.kind()).await;
    let dir = TestDir::new();
    let twinlog = Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), &dir);
    let node = |server: &Server| {
        format!(
            "host = \"127.0.0.1\"\nport = {}\nuser = \"root\"\nno_password = true\n",
            server.port()
        )
    };
    let toml = format!(
        "[server]\nruntime = \"external\"\n[nodes.a]\n{}[nodes.b]\n{}",
        node(&source.server),
        node(&target)
    );
    twinlog.write("twinlog.toml", &toml);
    let began = Instant::now();
    let running = twinlog.spawn(&["copy", "--yes", "--parallel", PARALLEL]);
    let pid = running.pid();
    let ended = Arc::new(AtomicBool::new(false));
    let watcher = std::thread::spawn({
        let ended = Arc::clone(&ended);
        move || resident_max(pid, &ended)
    });
    let output = running.wait();
    let time = began.elapsed();
    ended.store(true, Ordering::Relaxed);
    output.expect_code(0);
    let (_, held) = output.stderr.split_once("held up for ").unwrap();
    let locked_ms = held.split(' ').next().unwrap().parse().unwrap();
    source.clean().await;
    Took {
        time,
        locked_ms,
        resident_mib: watcher.join().unwrap(),
    }
}

/// The most memory that a process had, in MiB.
fn resident_max(pid: u32, ended: &AtomicBool) -> f64 {
    let mut most: f64 = 0.0;
    while !ended.load(Ordering::Relaxed) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        most = most.max(kib.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(POLL);
    }
    most
}

/// What is used for it today.
#[derive(Debug, Clone, Copy)]
enum Today {
    /// `mysqldump | mysql`, by whichever names they have.
    Dump,
    /// mydumper and myloader.
    Dumper,
}

impl Today {
    fn programs(self) -> Option<[&'static str; 2]> {
        let is_there = |program: &str| {
            let version = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            version.is_ok_and(|status| status.success())
        };
        let known: &[[&str; 2]] = match self {
            Self::Dump => &[["mysqldump", "mysql"], ["mariadb-dump", "mariadb"]],
            Self::Dumper => &[["mydumper", "myloader"]],
        };
        known
            .iter()
            .copied()
            .find(|pair| pair.iter().all(|program| is_there(program)))
    }

    async fn copy(self, source: &Source, programs: [&str; 2]) -> Duration {
        let target = target(source.server.kind()).await;
        let [from, to] = [&source.server, &target]
            .map(|server| format!("--socket={}", server.socket().display()));
        let user = format!("--user={USER}");
        let dir = TestDir::new();
        let began = Instant::now();
        let done = match self {
            Self::Dump => {
                target.exec(&format!("CREATE DATABASE {DATABASE}")).await;
                let [dump, load] = programs;
                Command::new("sh")
                    .arg("-c")
                    .arg(format!(
                        "{dump} --no-defaults {user} {from} --single-transaction {DATABASE} | \
                         {load} --no-defaults {user} {to} --init-command='SET sql_log_bin = 0' {DATABASE}"
                    ))
                    .status()
            }
            Self::Dumper => {
                let all = ["--threads", PARALLEL, &user];
                let dumped = Command::new(programs[0])
                    .args(all)
                    .args([
                        &from,
                        "--database",
                        DATABASE,
                        "--rows=100000",
                        "--outputdir",
                    ])
                    .arg(dir.path())
                    .stderr(Stdio::null())
                    .status();
                assert!(dumped.unwrap().success());
                Command::new(programs[1])
                    .args(all)
                    .args([&to, "--directory"])
                    .arg(dir.path())
                    .status()
            }
        };
        assert!(done.unwrap().success());
        let took = began.elapsed();
        let rows: u64 = target
            .query_one(&format!("SELECT COUNT(*) FROM {DATABASE}.sbtest{TABLES}"))
            .await;
        assert!(rows > 0, "nothing was copied");
        took
    }
}

async fn beside_todays(source: &Source, rows: u32, length: Length) {
    let all = [(Today::Dumper, 1.5), (Today::Dump, 3.0)]
        .map(|(today, goal)| (today, goal, today.programs()));
    let [mut ours, mut memory] = [Figures::default(), Figures::default()];
    let mut theirs = [Figures::default(), Figures::default()];
    for turn in 0..length.pick(3, 1) {
        // By turns in both orders.
        for place in 0..2 {
            if (turn + place) % 2 == 0 {
                let took = copy(source).await;
                ours.push_seconds(took.time);
                memory.push(took.resident_mib);
                continue;
            }
            for (figures, (today, _, programs)) in theirs.iter_mut().zip(all) {
                if let Some(programs) = programs {
                    figures.push_seconds(today.copy(source, programs).await);
                }
            }
        }
    }
    println!(
        "{:14} {TABLES} × {rows} rows, {PARALLEL} streams: copied, linked and proven in {}; {} of memory: {}",
        source.server.kind().name(),
        ours.in_seconds(),
        memory.show(1.0, 0, " MiB"),
        verdict(memory.max() <= 64.0)
    );
    for (figures, (today, goal, programs)) in theirs.iter().zip(all) {
        match programs {
            None => println!(
                "{:14}   skipped: {today:?} is not on PATH (a distribution's package)",
                ""
            ),
            Some([from, to]) => {
                let times = figures.median() / ours.median();
                println!(
                    "{:14}   {from}, {to} {}: {times:.2} times as long: {}",
                    "",
                    figures.in_seconds(),
                    verdict(times >= goal)
                );
            }
        }
    }
}

/// For how long commits are held up, while clients write as fast as they can.
async fn locked(source: &Source, length: Length) {
    source
        .node
        .exec(&[
            "CREATE DATABASE little",
            "CREATE TABLE little.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)",
        ])
        .await;
    source
        .node
        .exec(&[&format!("DROP DATABASE {DATABASE}")])
        .await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(write(source.node.clone(), Arc::clone(&stop))))
        .collect();
    let mut figures = Figures::default();
    for _ in 0..length.pick(30, 5) {
        figures.push(copy(source).await.locked_ms);
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let most = figures.quantile(0.99);
    println!(
        "{:14}   commits held up, with 4 clients at work, in {} copies: {}, 99 of 100 within {most:.1} ms: {}",
        "",
        figures.len(),
        figures.show(1.0, 1, " ms"),
        verdict(most < 50.0)
    );
}

async fn write(node: Node, stop: Arc<AtomicBool>) {
    let mut conn = node.conn().await;
    while !stop.load(Ordering::Relaxed) {
        conn.query_drop("INSERT INTO little.t (v) VALUES (1)")
            .await
            .unwrap();
    }
}

/// Ten times the rows.
async fn growth(small: &Source, large: &Source, rows: u32, length: Length) {
    let mut figures = [Figures::default(), Figures::default()];
    for _ in 0..length.pick(3, 1) {
        for (figures, source) in figures.iter_mut().zip([small, large]) {
            figures.push_seconds(copy(source).await.time);
        }
    }
    let ratio = figures[1].median() / figures[0].median();
    println!(
        "{:14}   {TABLES} × {} rows in {}, {TABLES} × {rows} in {}: ten times the rows, {ratio:.1} times as long: {}",
        "",
        rows / 10,
        figures[0].in_seconds(),
        figures[1].in_seconds(),
        verdict(ratio <= 10.0)
    );
}
