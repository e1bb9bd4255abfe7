//! Clients that write, an agent that watches, and a repair that is cut off.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use mysql_async::prelude::Queryable;
use serde_json::Value;
use twinlog_testbed::{ServerKind, wait_until};

use super::{document, is_equal, outcomes, silently, wait_for};
use crate::support::{DEADLINE, Db, Pair, same_rows};

/// So many rows, of which every third has no fellow on the other node, or another.
const ROWS: u32 = 1500;
/// Between two writes of a client: what it writes is equal afterwards, and needs no repair.
const PAUSE: Duration = Duration::from_millis(15);

async fn counters(kind: ServerKind) -> Pair {
    let pair = Pair::proven(kind);
    let rows: Vec<String> = (0..ROWS).map(|id| format!("({id}, 0, '')")).collect();
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.c (id INT PRIMARY KEY, n INT, v VARCHAR(20))",
            &format!("INSERT INTO shop.c VALUES {}", rows.join(", ")),
        ],
    )
    .await;
    wait_for(&pair, "SELECT COUNT(*) FROM shop.c", &ROWS.to_string()).await;
    pair
}

const BROKEN: &[&str] = &[
    "UPDATE shop.c SET n = -1000000, v = 'wrong' WHERE id % 3 = 0",
    "DELETE FROM shop.c WHERE id % 30 = 0",
];

/// Adds one to rows all over the table until it is told to stop; how often it did, by row.
async fn count(db: Db, seed: u32, stop: Arc<AtomicBool>) -> Vec<i64> {
    let mut conn = db.conn().await.unwrap();
    let mut counts = vec![0; ROWS as usize];
    let mut turn: u32 = seed;
    while !stop.load(Relaxed) {
        turn = turn.wrapping_add(7919);
        let id = turn % ROWS;
        let sql = format!("UPDATE shop.c SET n = n + 1 WHERE id = {id}");
        match conn.query_drop(&sql).await {
            Ok(()) => counts[id as usize] += i64::from(conn.affected_rows() == 1),
            // A lock that a repair had for too long, or a deadlock.
            Err(mysql_async::Error::Server(error)) if [1205, 1213].contains(&error.code) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    counts
}

/// Clients of the node that is right write the rows that are repaired, all the time: each of their writes is there in the
/// end, on both nodes.
async fn under_load(kind: ServerKind, agent: bool) {
    let pair = Arc::new(counters(kind).await);
    let watching = agent.then(|| {
        let mut agent = pair.twinlog.spawn(&["run"]);
        agent.wait_for_line("reading the log of");
        agent
    });
    silently(&pair, "b", BROKEN).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..2)
        .map(|seed| tokio::spawn(count(pair.db("a"), seed, Arc::clone(&stop))))
        .collect();
    let on_it = Arc::clone(&pair);
    let args = ["--keep", "a", "--yes", "--full-speed"];
    let done = tokio::task::spawn_blocking(move || document(&on_it, 0, &args));
    let done = done.await.unwrap();
    stop.store(true, Relaxed);
    let mut expected = vec![0; ROWS as usize];
    let mut writes = 0;
    for client in clients {
        for (all, count) in expected.iter_mut().zip(client.await.unwrap()) {
            *all += count;
            writes += count;
        }
    }
    println!("{writes} writes beside the repair: {:?}", outcomes(&done));
    assert!(writes > 50, "{writes} writes");
    assert!(outcomes(&done)["repaired"] > 50, "{:?}", outcomes(&done));
    let rows = same_rows(&pair.both(), "SELECT id, n FROM shop.c ORDER BY id").await;
    let counts: Vec<i64> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
    assert_eq!(counts, expected);
    if let Some(agent) = watching {
        agent.kill();
    }
    let once = pair.twinlog.run(&["run", "--once", "--json"]);
    let once: Value = serde_json::from_str(once.expect_code(0)).unwrap();
    for count in ["conflicts", "repaired", "open"] {
        assert_eq!(once[count], 0, "{once:#}");
    }
    let conflicts =
        "SELECT COUNT(*) FROM twinlog.conflict WHERE kind = 'conflict' OR state = 'open'";
    wait_for(&pair, conflicts, "0").await;
    is_equal(&pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_lose_nothing_on_mysql_9_7() {
    under_load(ServerKind::MySql97, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_lose_nothing_on_mysql_5_6() {
    under_load(ServerKind::MySql56, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_lose_nothing_on_mariadb() {
    under_load(ServerKind::MariaDb1011, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_an_agent_on_mysql() {
    under_load(ServerKind::MySql97, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_an_agent_on_mariadb() {
    under_load(ServerKind::MariaDb1011, true).await;
}

/// Inserts rows that are missing and deletes them again, until it is told to stop; how often.
async fn flicker(db: Db, stop: Arc<AtomicBool>) -> u32 {
    let mut conn = db.conn().await.unwrap();
    let mut turns: u32 = 0;
    while !stop.load(Relaxed) {
        turns += 1;
        let id = turns.wrapping_mul(7919 * 30) % ROWS / 30 * 30;
        for sql in [
            format!("INSERT INTO shop.c VALUES ({id}, 7, 'client')"),
            format!("DELETE FROM shop.c WHERE id = {id} AND v = 'client'"),
        ] {
            match conn.query_drop(&sql).await {
                Ok(()) => {}
                // The repair was faster, or has it locked.
                Err(mysql_async::Error::Server(error))
                    if [1062, 1205, 1213].contains(&error.code) => {}
                Err(error) => panic!("{error}"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    turns
}

/// Clients of the node that is wrong insert and delete the very rows that are missing there: whoever comes first, both
/// nodes hold the same in the end.
async fn on_the_wrong_node(kind: ServerKind) {
    let pair = Arc::new(counters(kind).await);
    silently(&pair, "b", BROKEN).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| tokio::spawn(flicker(pair.db("b"), Arc::clone(&stop))))
        .collect();
    let on_it = Arc::clone(&pair);
    let args = ["--keep", "a", "--yes", "--full-speed"];
    let done = tokio::task::spawn_blocking(move || document(&on_it, 0, &args));
    let done = done.await.unwrap();
    stop.store(true, Relaxed);
    let mut turns = 0;
    for client in clients {
        turns += client.await.unwrap();
    }
    println!("{turns} rows came and went: {:?}", outcomes(&done));
    is_equal(&pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_the_wrong_node_on_mysql() {
    on_the_wrong_node(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_the_wrong_node_on_mariadb() {
    on_the_wrong_node(ServerKind::MariaDb1011).await;
}

/// Killed again and again: each row is what it was or what it shall be, and in the end all is done and written down.
async fn killed(kind: ServerKind) {
    let pair = counters(kind).await;
    silently(&pair, "b", BROKEN).await;
    let b = pair.db("b");
    let right = "SELECT COUNT(*) FROM shop.c WHERE n = 0 AND v = ''";
    let neither = "SELECT COUNT(*) FROM shop.c WHERE NOT (n = 0 AND v = '') AND NOT (n = -1000000 AND v = 'wrong')";
    let right_now = async || -> u32 { b.rows(right).await[0][0].parse().unwrap() };
    let mut before = right_now().await;
    for _ in 0..3 {
        let running = pair
            .twinlog
            .spawn(&["repair", "--keep", "a", "--yes", "--json"]);
        wait_until(DEADLINE, "some rows are repaired", async || {
            (right_now().await > before).then_some(())
        })
        .await;
        running.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(b.rows(neither).await, [["0"]]);
        before = right_now().await;
        assert!(before < ROWS, "it was not caught in the middle");
    }
    let done = document(&pair, 0, &["--keep", "a", "--yes"]);
    assert!(outcomes(&done)["repaired"] > 0);
    is_equal(&pair).await;
    wait_for(&pair, right, &ROWS.to_string()).await;
    // Each that was written has its entry, closed.
    let written = ROWS.div_ceil(3).to_string();
    let entries =
        "SELECT COUNT(DISTINCT row_key), COUNT(*), SUM(state = 'repaired') FROM twinlog.conflict";
    for db in pair.both() {
        db.wait_for_rows(entries, &vec![vec![written.clone(); 3]])
            .await;
    }
}

#[tokio::test]
async fn a_killed_one_leaves_whole_rows_on_mysql() {
    killed(ServerKind::MySql97).await;
}

#[tokio::test]
async fn a_killed_one_leaves_whole_rows_on_mariadb() {
    killed(ServerKind::MariaDb1011).await;
}
