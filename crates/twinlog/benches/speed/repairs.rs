//! From a conflict's second commit to its repair, with links that have nothing else to do.

use std::time::{Duration, Instant};

use mysql_async::{Conn, prelude::Queryable};
use tokio::{runtime::Builder, time::sleep};
use twinlog_testbed::ServerKind;

use crate::{
    Length,
    agent::Agent,
    duo::Pair,
    times::{Figures, verdict},
};

const POLICY: &str = "[conflicts]\npolicy = \"last-write-wins\"\n";
/// Goals.
const MEDIAN_MAX_S: f64 = 0.05;
const P99_MAX_S: f64 = 0.5;
/// How often the history is asked for a repair: what a figure may be too great by.
const POLL: Duration = Duration::from_millis(1);
const REPAIR_MAX: Duration = Duration::from_secs(30);

pub(crate) fn run(kind: ServerKind, length: Length) {
    let conflicts = length.pick(400, 40);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pair = Pair::new(kind, POLICY);
        pair.up();
        let duo = pair.duo();
        duo.prepare().await;
        let [a, b] = &duo.nodes;
        let table = "CREATE TABLE test.row (id INT PRIMARY KEY, v INT NOT NULL)";
        a.exec(&[table]).await;
        let mut fill = String::from("INSERT INTO test.row VALUES (0, 0)");
        for id in 1..conflicts {
            fill.push_str(&format!(", ({id}, 0)"));
        }
        a.exec(&[&fill]).await;
        duo.drained().await;
        let agent = Agent::start(&pair, &[]).await;
        let mut writers = [a.conn().await, b.conn().await];
        let mut readers = [a.conn().await, b.conn().await];
        let (mut first, mut both) = (Figures::default(), Figures::default());
        for id in 0..conflicts {
            let committed = conflict(&mut writers, id).await;
            let (on_one, on_both) = repaired(&mut readers, id + 1, committed).await;
            first.push_seconds(on_one);
            both.push_seconds(on_both);
        }
        let said = agent.stop();
        let own = own_times(&said);
        println!(
            "{:14} {} conflicts; from the second commit's answer to the repair's commit {}, 99th percentile {:.0} ms; goals {:.0} \
             and {:.0} ms: {}",
            kind.name(),
            conflicts,
            first.in_milliseconds(),
            first.quantile(0.99) * 1000.0,
            MEDIAN_MAX_S * 1000.0,
            P99_MAX_S * 1000.0,
            verdict(first.median() < MEDIAN_MAX_S && first.quantile(0.99) < P99_MAX_S)
        );
        println!(
            "{:14} until it is on both nodes {}, 99th percentile {:.0} ms; by the agent's own watch, from its verdict on: {} of \
             {}",
            "",
            both.in_milliseconds(),
            both.quantile(0.99) * 1000.0,
            own.in_milliseconds(),
            own.len()
        );
    });
}

/// Writes one row on both nodes; neither sees the other: each holds its lock before the other commits. Returns when the
/// second was told that it is committed.
async fn conflict(writers: &mut [Conn; 2], id: u32) -> Instant {
    for (side, conn) in writers.iter_mut().enumerate() {
        conn.query_drop("BEGIN").await.unwrap();
        let write = format!("UPDATE test.row SET v = {} WHERE id = {id}", side + 1);
        conn.query_drop(write).await.unwrap();
    }
    let [a, b] = writers;
    let (a, b) = tokio::join!(a.query_drop("COMMIT"), b.query_drop("COMMIT"));
    a.unwrap();
    b.unwrap();
    Instant::now()
}

/// How long after `since` that many repairs are seen on one node, and on both.
async fn repaired(readers: &mut [Conn; 2], wanted: u32, since: Instant) -> (Duration, Duration) {
    let mut seen = [None, None];
    loop {
        for (conn, seen) in readers.iter_mut().zip(&mut seen) {
            if seen.is_none() {
                let sql = "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'repaired'";
                let count: u32 = conn.query_first(sql).await.unwrap().unwrap();
                *seen = (count >= wanted).then(|| since.elapsed());
            }
        }
        if let [Some(a), Some(b)] = seen {
            return (a.min(b), a.max(b));
        }
        assert!(
            since.elapsed() < REPAIR_MAX,
            "conflict {wanted} is not repaired"
        );
        sleep(POLL).await;
    }
}

/// What the agent says: `repaired after N ms`.
fn own_times(said: &str) -> Figures {
    let mut times = Figures::default();
    for line in said.lines() {
        let ms = line
            .split_once("repaired after ")
            .and_then(|(_, rest)| rest.split_once(" ms"))
            .and_then(|(ms, _)| ms.parse::<f64>().ok());
        if let Some(ms) = ms {
            times.push(ms / 1000.0);
        }
    }
    times
}
