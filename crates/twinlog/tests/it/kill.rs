//! `up` killed at every step: the next run completes the pair, and what clients wrote in between is on both nodes.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;
use twinlog_testbed::ServerKind;

use crate::support::{Db, Pair, processes_with, same_rows};

/// How long after a step's line it is killed, at most.
const DELAY_MAX_MS: u64 = 80;

/// When `up` is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as this step is announced.
    Step(usize),
    /// Some milliseconds into it.
    Within(usize),
}

impl Moment {
    fn step(self) -> usize {
        match self {
            Self::Step(step) | Self::Within(step) => step,
        }
    }

    /// Between 0 and [`DELAY_MAX_MS`], the same in every run.
    fn delay(self) -> Duration {
        match self {
            Self::Step(_) => Duration::ZERO,
            Self::Within(step) => {
                let mixed = (step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                Duration::from_millis(mixed % (DELAY_MAX_MS + 1))
            }
        }
    }
}

/// Kills `up` at each of the moments of one share in `shares`, until it has no step of that number.
async fn every_step(
    kind: ServerKind,
    mode: &str,
    moment: fn(usize) -> Moment,
    share: usize,
    shares: usize,
) {
    let mut step = share + 1;
    while killed_at(kind, mode, moment(step)).await {
        step += shares;
    }
    assert!(step > 8, "`up` has fewer steps than a pair can be made in");
}

/// Whether `up` had such a step.
async fn killed_at(kind: ServerKind, mode: &str, moment: Moment) -> bool {
    let pair = Pair::new(kind, &format!("[replication]\nmode = \"{mode}\"\n"));
    let mut up = pair.twinlog.spawn(&["up"]);
    let mark = format!("[{}] ", moment.step());
    loop {
        match up.next_line() {
            Some(line) if line.starts_with(&mark) => break,
            Some(_) => {}
            None => {
                crate::support::assert_proven(&up.wait());
                return false;
            }
        }
    }
    tokio::time::sleep(moment.delay()).await;
    let killed = up.kill();
    println!(
        "{kind} {mode} {moment:?}: {}",
        killed.stderr.lines().last().unwrap_or_default()
    );

    let writer = Writer::start(pair.db("a")).await;
    let again = pair.twinlog.run(&["up"]);
    let written = writer.stop().await;
    assert_eq!(
        again.code,
        Some(0),
        "after {moment:?}\n{}\nthe next run:\n{}",
        killed.stderr,
        again.stderr
    );
    crate::support::assert_proven(&again);
    if let Some(written) = written {
        assert!(written > 1, "{moment:?}: nothing was written meanwhile");
        let rows = same_rows(
            &pair.both(),
            "SELECT id, COUNT(*) FROM client.seen GROUP BY id ORDER BY id",
        )
        .await;
        let expected: Vec<Vec<String>> = (0..written)
            .map(|id| vec![id.to_string(), "1".to_owned()])
            .collect();
        // One more may have been committed without the client hearing of it.
        assert_eq!(
            rows.get(..expected.len()),
            Some(expected.as_slice()),
            "{moment:?}"
        );
        assert!(rows.len() <= expected.len() + 1, "{moment:?}: {rows:?}");
    }
    one_server_each(&pair);
    true
}

/// A client of node a that writes from before the next `up` until after it, if the node takes writes already.
struct Writer {
    /// Its rows are 0 to this.
    task: Option<JoinHandle<usize>>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Writer {
    async fn start(db: Db) -> Self {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let made = async {
            let mut conn = db.conn().await?;
            conn.query_drop("CREATE DATABASE client").await?;
            // No key: a row that is applied twice is there twice.
            conn.query_drop(
                "CREATE TABLE client.seen (id INT NOT NULL, row_id INT AUTO_INCREMENT PRIMARY KEY)",
            )
            .await?;
            conn.query_drop("INSERT INTO client.seen (id) VALUES (0)")
                .await?;
            mysql_async::Result::Ok(conn)
        };
        let task = match made.await {
            Ok(mut conn) => Some(tokio::spawn(async move {
                let mut written = 1;
                while !*stopped.borrow() {
                    let sql = format!("INSERT INTO client.seen (id) VALUES ({written})");
                    if conn.query_drop(sql).await.is_err() {
                        break;
                    }
                    written += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                written
            })),
            // It does not run yet.
            Err(mysql_async::Error::Io(_)) => None,
            Err(error) => panic!("node a lets nobody write: {error}"),
        };
        Self { task, stop }
    }

    /// How many rows it was told are written, if it could write at all.
    async fn stop(self) -> Option<usize> {
        let task = self.task?;
        self.stop.send(true).unwrap_or_default();
        Some(task.await.unwrap())
    }
}

#[track_caller]
fn one_server_each(pair: &Pair) {
    for node in ["a", "b"] {
        let processes = pair.processes(node);
        assert_eq!(processes.len(), 1, "{node}: processes {processes:?}");
    }
    let all = processes_with(&pair.dir.join("data").display().to_string());
    assert_eq!(all.len(), 2, "a stray process of {all:?}");
}

macro_rules! shares {
    ($($name:ident: $kind:ident $mode:literal $moment:ident, $share:literal of $shares:literal;)*) => {$(
        // The client must write while `up` runs.
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            every_step(ServerKind::$kind, $mode, Moment::$moment, $share, $shares).await;
        }
    )*};
}

shares! {
    mariadb_by_gtid_1: MariaDb1011 "gtid" Step, 0 of 2;
    mariadb_by_gtid_2: MariaDb1011 "gtid" Step, 1 of 2;
    mariadb_by_position_1: MariaDb1011 "position" Within, 0 of 2;
    mariadb_by_position_2: MariaDb1011 "position" Within, 1 of 2;
    mysql_by_gtid_1: MySql97 "gtid" Step, 0 of 4;
    mysql_by_gtid_2: MySql97 "gtid" Step, 1 of 4;
    mysql_by_gtid_3: MySql97 "gtid" Step, 2 of 4;
    mysql_by_gtid_4: MySql97 "gtid" Step, 3 of 4;
}
