//! Many conflicts at once, as links leave them that were stopped.

#![expect(clippy::print_stdout, reason = "how fast it was is worth a line")]

use std::time::Instant;

use twinlog_converge::Side;
use twinlog_testbed::{ServerKind, wait_until};

use super::Up;
use crate::support::DEADLINE;

/// Enough to keep all of the agent's hands busy for a while.
const ROWS: usize = 1000;

/// All are repaired, and each is noted once.
async fn are_repaired(kind: ServerKind) {
    let values: Vec<String> = (0..ROWS).map(|id| format!("({id}, {id}, 0)")).collect();
    let setup = format!(
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, u INT UNIQUE, v INT); \
         INSERT INTO shop.t VALUES {}",
        values.join(", ")
    );
    let pair = Up::with(kind, "policy = \"prefer:b\"", &setup).await;
    let writes = |v: u32| {
        let writes: Vec<String> = (0..ROWS)
            .map(|id| format!("UPDATE shop.t SET v = {v} WHERE id = {id}"))
            .collect();
        writes.join("; ")
    };
    let agent = pair.agent();
    pair.apart(&writes(1), &writes(2)).await;
    let began = Instant::now();
    let done = format!(
        "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'repaired' HAVING COUNT(*) = {ROWS}"
    );
    wait_until(DEADLINE, "all repairs", async || {
        let repaired = pair.rows(Side::B, &done).await;
        (repaired.len() == 1).then_some(())
    })
    .await;
    let took = began.elapsed();
    println!(
        "{}: {ROWS} repairs in {:.2} s, {:.0} per second",
        kind.name(),
        took.as_secs_f64(),
        ROWS as f64 / took.as_secs_f64()
    );
    pair.both(
        "SELECT CONCAT(COUNT(*), ' ', SUM(v)) FROM shop.t",
        &[&format!("{ROWS} {}", 2 * ROWS)],
    )
    .await;
    pair.both(
        "SELECT CONCAT_WS(' ', COUNT(*), SUM(state = 'repaired'), COUNT(repair_gtid)) FROM twinlog.conflict",
        &[&format!("{ROWS} {ROWS} {ROWS}")],
    )
    .await;
    let summary = agent.stop().await.unwrap();
    assert_eq!(summary.repaired, ROWS as u64);
}

#[tokio::test]
async fn many_repairs_on_mysql_9_7() {
    are_repaired(ServerKind::MySql97).await;
}

#[tokio::test]
async fn many_repairs_on_mysql_5_6() {
    are_repaired(ServerKind::MySql56).await;
}

#[tokio::test]
async fn many_repairs_on_mariadb() {
    are_repaired(ServerKind::MariaDb1011).await;
}

/// `--once` ends when it is written down which transaction repaired what, and not before.
#[tokio::test]
async fn each_is_named_when_once_ends() {
    let values: Vec<String> = (0..ROWS).map(|id| format!("({id}, 0)")).collect();
    let setup = format!(
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); INSERT INTO shop.t VALUES {}",
        values.join(", ")
    );
    let pair = Up::with(ServerKind::MariaDb1011, "policy = \"prefer:b\"", &setup).await;
    pair.apart("UPDATE shop.t SET v = 1", "UPDATE shop.t SET v = 2")
        .await;
    let summary = pair.once().await;
    assert_eq!(summary.repaired, ROWS as u64);
    let named = "SELECT CONCAT_WS(' ', COUNT(*), COUNT(repair_gtid)) FROM twinlog.conflict";
    assert_eq!(pair.rows(Side::A, named).await, [format!("{ROWS} {ROWS}")]);
}
