//! A repair on both nodes of which one half was made when the agent ended, while the links were down and clients wrote on:
//! the next agent comes to another verdict, and what the first one had left open in the history is open no more.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use twinlog_testbed::{ServerKind, wait_until};

use super::kit::{drained, equal, history, links, settles};
use crate::support::{DEADLINE, Pair};

/// Each node moves a row that the other changes, both to the same key: either node has one row that must go.
const CROSSED: [(&str, &str); 4] = [
    ("b", "UPDATE shop.t SET id = 2, v = 'of b 1' WHERE id = 1"),
    ("a", "UPDATE shop.t SET id = 2, v = 'of a 3' WHERE id = 3"),
    ("b", "UPDATE shop.t SET v = 'of b 3' WHERE id = 3"),
    ("a", "UPDATE shop.t SET v = 'of a 1' WHERE id = 1"),
];

async fn is_taken_up(kind: ServerKind) {
    let pair = Pair::proven(kind);
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))",
            "INSERT INTO shop.t VALUES (1, 'x'), (3, 'x')",
        ],
    )
    .await;
    drained(&pair, kind).await;
    links(&pair, kind, "STOP").await;
    for (at, (node, sql)) in CROSSED.iter().enumerate() {
        // Where the log has only seconds, they decide.
        let clock = format!("SET timestamp = UNIX_TIMESTAMP() + {at}");
        pair.exec(node, &[&clock, sql]).await;
    }
    links(&pair, kind, "START").await;
    drained(&pair, kind).await;
    links(&pair, kind, "STOP").await;
    // One half is made; the other waits for it to come over the link.
    let agent = pair.twinlog.spawn(&["run"]);
    let [a, b] = pair.both();
    let half = "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'open'";
    let other = wait_until(DEADLINE, "one half", async || {
        for (db, other) in [(&a, "b"), (&b, "a")] {
            if db.rows(half).await[0][0] == "1" {
                return Some(other);
            }
        }
        None
    })
    .await;
    kill(Pid::from_raw(agent.pid().cast_signed()), Signal::SIGKILL).unwrap();
    agent.wait();
    let later = "INSERT INTO shop.t VALUES (1, 'later') ON DUPLICATE KEY UPDATE v = 'later'";
    pair.exec(other, &[later]).await;
    links(&pair, kind, "START").await;
    drained(&pair, kind).await;
    settles(&pair);
    drained(&pair, kind).await;
    equal(&pair).await;
    let history = history(&pair).await;
    let open = history.iter().filter(|row| row[3] == "open");
    assert_eq!(open.count(), 0, "{history:#?}");
    assert!(history.len() > 1, "{history:#?}");
}

#[tokio::test]
async fn is_taken_up_on_mysql_9_7() {
    is_taken_up(ServerKind::MySql97).await;
}

#[tokio::test]
async fn is_taken_up_on_mariadb_10_11() {
    is_taken_up(ServerKind::MariaDb1011).await;
}
