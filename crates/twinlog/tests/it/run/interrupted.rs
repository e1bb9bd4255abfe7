//! What passes: connections that end, servers that restart, a network that goes. The agent says so, and goes on.

use std::fs;
use std::time::{Duration, Instant};

use twinlog_testbed::{Running, ServerKind, wait_until};

use super::kit::{drained, links, logged};
use super::tap::{Line, Tap};
use crate::support::{DEADLINE, Pair, same_rows};

/// Long enough for everything that an agent does now and then.
const IDLE: Duration = Duration::from_secs(3);
/// Servers that do not answer are given up within this time.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What may come and go, in KiB.
const MEMORY_NOISE_KB: u64 = 1024;

/// A row is written on both nodes unseen: the agent ends that, whatever it has gone through.
async fn works(pair: &Pair, kind: ServerKind, id: u32) {
    let [a, b] = pair.both();
    a.run(&[&format!("INSERT INTO shop.t VALUES ({id}, 'new')")])
        .await;
    drained(pair, kind).await;
    links(pair, kind, "STOP").await;
    for db in [&a, &b] {
        db.run(&[&format!(
            "UPDATE shop.t SET v = CONCAT(v, @@server_id) WHERE id = {id}"
        )])
        .await;
    }
    links(pair, kind, "START").await;
    let repaired = format!(
        "SELECT COUNT(*) > 0 FROM twinlog.conflict WHERE row_key = 'id={id}' AND state = 'repaired'"
    );
    for db in [&a, &b] {
        db.wait_for_rows(&repaired, &vec![vec!["1".into()]]).await;
    }
    same_rows(&pair.both(), "SELECT id, v FROM shop.t ORDER BY id").await;
}

fn memory_kb(agent: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .unwrap()
}

/// Nobody writes: nor does the agent.
async fn is_quiet(pair: &Pair, kind: ServerKind, agent: &Running) {
    // The last checkpoint, and the notes of which transaction repaired what.
    let mut before = logged(pair, kind).await;
    wait_until(DEADLINE, "the logs stand still", async || {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let now = logged(pair, kind).await;
        (std::mem::replace(&mut before, now.clone()) == now).then_some(())
    })
    .await;
    let memory = memory_kb(agent);
    tokio::time::sleep(IDLE).await;
    assert_eq!(logged(pair, kind).await, before);
    let more = memory_kb(agent).saturating_sub(memory);
    assert!(more <= MEMORY_NOISE_KB, "{more} KiB more than {memory}");
}

/// Ends connections of the agent on a.
async fn kill_connections(pair: &Pair, which: &str) {
    let [a, _] = pair.both();
    let sql =
        format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'twinlog' AND {which}");
    let ids = a.rows(&sql).await;
    assert!(!ids.is_empty(), "{which}");
    for id in ids {
        // One may have ended by the other's end.
        let _ = a.try_rows(&format!("KILL {}", id[0])).await;
    }
}

async fn goes_on(kind: ServerKind) {
    let pair = Pair::proven(kind);
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))",
        ],
    )
    .await;
    let mut agent = pair.twinlog.spawn(&["run"]);
    agent.wait_for_line("reading the log of");
    works(&pair, kind, 1).await;
    is_quiet(&pair, kind, &agent).await;

    kill_connections(&pair, "COMMAND LIKE 'Binlog Dump%'").await;
    agent.wait_for_line("reconnecting");
    agent.wait_for_line("reading the log of a");
    works(&pair, kind, 2).await;

    kill_connections(&pair, "COMMAND NOT LIKE 'Binlog Dump%'").await;
    agent.wait_for_line("trying again");
    agent.wait_for_line("reading both logs");
    works(&pair, kind, 3).await;

    let server = format!("/proc/{}", pair.pid("a"));
    pair.signal("a", "KILL");
    agent.wait_for_line("trying again");
    // As long as there is a process of that number MySQL does not start.
    wait_until(DEADLINE, "the server's end", async || {
        (!fs::exists(&server).ok()?).then_some(())
    })
    .await;
    pair.up();
    agent.wait_for_line("reading both logs");
    works(&pair, kind, 4).await;

    let tap = Tap::on(&pair);
    // The agent's connections came before the tap.
    kill_connections(&pair, "COMMAND NOT LIKE 'Binlog Dump%'").await;
    agent.wait_for_line("reading both logs");
    tap.set(Line::Cut);
    agent.wait_for_line("trying again");
    tap.set(Line::Open);
    agent.wait_for_line("reading both logs");
    works(&pair, kind, 5).await;
    // Nothing tells the one server from the other here: once is enough for what takes so long.
    if kind.is_mariadb() {
        tap.set(Line::Silent);
        let silent = Instant::now();
        agent.wait_for_line("no sign of life for 10 s");
        agent.wait_for_line("trying again");
        assert!(silent.elapsed() < SILENCE_MAX, "{:?}", silent.elapsed());
        tap.set(Line::Open);
        agent.wait_for_line("reading both logs");
        works(&pair, kind, 6).await;
    }
    let told = agent.kill().stderr;
    for part in [
        "WARN the link a→b does not run: ",
        "INFO the link a→b runs again",
        "INFO conflict ",
        " in shop.t (id=5): repaired after ",
    ] {
        assert!(told.contains(part), "no {part}:\n{told}");
    }
}

// The tap works while a line is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql_9_7() {
    goes_on(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_10_11() {
    goes_on(ServerKind::MariaDb1011).await;
}
