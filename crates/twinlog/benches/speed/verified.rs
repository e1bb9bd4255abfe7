//! Both nodes compared: beside the same hashes asked for bare, beside what is used for it today, and beside clients.

use std::{
    convert::Infallible,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use mysql_async::prelude::Queryable;
use tokio::process;
use twinlog_testbed::ServerKind;

use crate::{
    Length,
    duo::{DATABASE, Duo, Node, Pair, USER},
    load::{self, Load, Rows, TABLES},
    times::{Figures, verdict},
};

/// Pieces at once on each node, for all that is measured.
const PARALLEL: usize = 2;
/// The tool that is used for it today compares one direction, and writes its results to the source.
const TODAY: &str = "pt-table-checksum";

pub(crate) fn run(kind: ServerKind, length: Length) {
    load::measure(async {
        let pair = Pair::new(kind, "");
        pair.up();
        let duo = pair.duo();
        duo.prepare().await;
        let rows = length.pick(500_000, 50_000);
        let load = Load::prepare(&duo, rows).await;
        at_rest(&pair, &duo, rows, length).await;
        beside_clients(&pair, &duo, &load, length).await;
    });
}

async fn at_rest(pair: &Pair, duo: &Duo, rows: u32, length: Length) {
    let [mut bare, mut ours, mut today] =
        [Figures::default(), Figures::default(), Figures::default()];
    for turn in 0..length.pick(6, 2) {
        // By turns in both orders.
        if turn % 2 == 0 {
            bare.push_seconds(hash_bare(duo).await);
            ours.push_seconds(verify(pair));
        } else {
            ours.push_seconds(verify(pair));
            bare.push_seconds(hash_bare(duo).await);
        }
    }
    for _ in 0..length.pick(3, 1) {
        if let Some(time) = checksum_today(&duo.nodes[0]).await {
            today.push_seconds(time);
        }
    }
    let ratio = ours.median() / bare.median();
    println!(
        "{:14} {} × {rows} rows: verify {}, the same hashes bare {}; ratio {ratio:.2}: {}",
        duo.kind.name(),
        TABLES,
        ours.in_seconds(),
        bare.in_seconds(),
        verdict(ratio <= 1.25)
    );
    if today.len() == 0 {
        println!(
            "{:14}   skipped: no {TODAY} on PATH (a distribution's package)",
            ""
        );
        return;
    }
    let times = today.median() / ours.median();
    println!(
        "{:14}   {TODAY} {}: {times:.1} times as long: {}",
        "",
        today.in_seconds(),
        verdict(times >= 5.0)
    );
}

/// What `verify` asks for of sysbench's tables, of whole tables.
fn hash(kind: ServerKind) -> String {
    let row = "CONCAT_WS(CAST('#' AS BINARY), id, k, LENGTH(c), c, pad)";
    if kind.is_mariadb() {
        format!("BIT_XOR(CAST(CONV(LEFT(SHA1({row}), 16), 16, 10) AS UNSIGNED))")
    } else {
        format!("HEX(BIT_XOR(UNHEX(SHA2({row}, 256))))")
    }
}

/// The hashes of all tables, on both nodes at once.
async fn hash_bare(duo: &Duo) -> Duration {
    let began = Instant::now();
    let hash = hash(duo.kind);
    let mut tasks = Vec::new();
    for node in &duo.nodes {
        for worker in 0..PARALLEL as u32 {
            tasks.push(hash_some(node, worker, &hash));
        }
    }
    join_all(tasks).await;
    began.elapsed()
}

/// Those of every second table.
async fn hash_some(node: &Node, worker: u32, hash: &str) {
    let mut conn = node.conn().await;
    for table in (1..=TABLES).skip(worker as usize).step_by(PARALLEL) {
        let sql = format!("SELECT COUNT(*), {hash} FROM {DATABASE}.sbtest{table}");
        conn.query_drop(sql).await.unwrap();
    }
}

fn verify(pair: &Pair) -> Duration {
    let began = Instant::now();
    let output = pair.twinlog.run(&["verify", "--full-speed"]);
    output.expect_code(0);
    began.elapsed()
}

async fn checksum_today(node: &Node) -> Option<Duration> {
    let grant = format!("GRANT ALL ON percona.* TO {USER}@localhost");
    let global = format!("GRANT PROCESS, REPLICATION SLAVE, SUPER ON *.* TO {USER}@localhost");
    node.exec(&["SET sql_log_bin = 0", &grant, &global]).await;
    let began = Instant::now();
    let status = Command::new(TODAY)
        .args([
            "--no-check-binlog-format",
            "--no-check-replication-filters",
            "--recursion-method=none",
        ])
        .args([
            "--quiet",
            "--no-version-check",
            &format!("--databases={DATABASE}"),
        ])
        .arg(format!("S={},u={USER}", node.socket.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .status()
        .ok()?;
    status.success().then(|| began.elapsed())
}

/// What clients that write as fast as they can lose to it.
async fn beside_clients(pair: &Pair, duo: &Duo, load: &Load, length: Length) {
    let time = length.pick(Duration::from_secs(15), Duration::from_secs(5));
    let [mut without, mut with, mut costs] =
        [Figures::default(), Figures::default(), Figures::default()];
    for turn in 0..length.pick(6, 2) {
        let mut rates = [0.0; 2];
        for place in 0..2 {
            let beside = (turn + place) % 2 == 1;
            let running = load.start(duo, Rows::Shared, time, None).end();
            let had = if beside {
                tokio::select! {
                    had = running => had,
                    never = verify_on_and_on(pair) => match never {},
                }
            } else {
                running.await
            };
            let had = had.unwrap();
            duo.drained().await;
            rates[usize::from(beside)] = had[0].rate + had[1].rate;
        }
        without.push(rates[0]);
        with.push(rates[1]);
        costs.push(1.0 - rates[1] / rates[0]);
    }
    println!(
        "{:14}   clients as fast as they go: {} /s without, {} /s beside it; cost {}, mean {}: {}",
        "",
        without.show(1.0, 0, ""),
        with.show(1.0, 0, ""),
        costs.show(100.0, 1, " %"),
        costs.mean_and_error(100.0, 1, " %"),
        verdict(costs.mean() < 0.1)
    );
}

/// Comparisons, one after the other; the last is ended when this is dropped.
async fn verify_on_and_on(pair: &Pair) -> Infallible {
    loop {
        let ended = process::Command::new(env!("CARGO_BIN_EXE_twinlog"))
            .args(["verify", "--json"])
            .current_dir(pair.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // One that was ended at the end of a turn is gone on with, which is said.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await;
        assert_eq!(ended.unwrap().code(), Some(0));
    }
}
