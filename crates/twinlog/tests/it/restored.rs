//! A node whose data directory is put back to an older copy, and a log that was reset: nothing goes on as if nothing had
//! happened.

use std::path::Path;
use std::process::Command;

use twinlog_testbed::{ServerKind, wait_until};

use crate::support::{DEADLINE, Pair, assert_fails, same_rows};

const ALL: &str = "SELECT id, v FROM shop.t ORDER BY id";
const LOST: &str = "b has lost transactions that a has had from it";

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "{}",
        to.display()
    );
}

/// b lacks three transactions of its own that a has; the agent has seen them.
pub(crate) async fn with_an_older_b(kind: ServerKind) -> Pair {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))",
        "INSERT INTO shop.t VALUES (1, 'of a')",
    ])
    .await;
    b.wait_for_rows(ALL, &vec![vec!["1".into(), "of a".into()]])
        .await;
    b.run(&["INSERT INTO shop.t VALUES (2, 'of b')"]).await;
    same_rows(&pair.both(), ALL).await;
    pair.twinlog.run(&["down"]).expect_code(0);
    let (data, aside) = (pair.node_dir("b").join("data"), pair.dir.join("older"));
    copy(&data, &aside);
    pair.up();
    let [a, b] = pair.both();
    for id in 3..6 {
        b.run(&[&format!("INSERT INTO shop.t VALUES ({id}, 'lost')")])
            .await;
    }
    a.run(&["INSERT INTO shop.t VALUES (6, 'of a')"]).await;
    same_rows(&pair.both(), ALL).await;
    pair.twinlog.run(&["run", "--once"]).expect_code(0);
    pair.twinlog.run(&["down"]).expect_code(0);
    copy(&aside, &data);
    pair
}

async fn is_refused(kind: ServerKind) {
    let pair = with_an_older_b(kind).await;
    // Twice: neither the first nor what it started hides it.
    for _ in 0..2 {
        let up = pair.twinlog.run(&["up"]);
        assert_fails(&up, 1, &[LOST, "keep clients away from b"]);
    }
    for _ in 0..2 {
        let status = pair.twinlog.run(&["status"]);
        status.expect_code(1);
        assert!(status.stdout.contains(LOST), "{}", status.stdout);
    }
    let doctor = pair.twinlog.run(&["doctor"]);
    assert!(doctor.stdout.contains("TL117"), "{}", doctor.stdout);
    let agent = pair.twinlog.run(&["run", "--once"]);
    assert_fails(&agent, 3, &[LOST, "keep clients away from b"]);

    // Clients get in: b's new transactions have the names of the lost ones, and then more.
    let [a, b] = pair.both();
    for id in 10..20 {
        b.run(&[&format!("INSERT INTO shop.t VALUES ({id}, 'again')")])
            .await;
    }
    a.run(&["INSERT INTO shop.t VALUES (30, 'of a')"]).await;
    let agent = pair.twinlog.run(&["run", "--once"]);
    assert_fails(
        &agent,
        3,
        &[
            "b has lost transactions that were read from its log before",
            "keep clients away from b",
        ],
    );
    is_made_anew(&pair, kind).await;
}

/// What docs/operations.md says, with statements in place of a dump.
async fn is_made_anew(pair: &Pair, kind: ServerKind) {
    let [a, b] = pair.both();
    let (stop, reset, executed) = if kind.is_mariadb() {
        ("STOP SLAVE", "RESET MASTER", "SELECT @@gtid_current_pos")
    } else {
        (
            "STOP REPLICA",
            "RESET BINARY LOGS AND GTIDS",
            "SELECT @@GLOBAL.gtid_executed",
        )
    };
    a.run(&[stop]).await;
    b.run(&[stop, "SET sql_log_bin = 0", "DROP DATABASE shop", reset])
        .await;
    let had = a.rows(executed).await.remove(0).remove(0);
    let rows: Vec<String> = a
        .rows(ALL)
        .await
        .iter()
        .map(|row| format!("({}, '{}')", row[0], row[1]))
        .collect();
    b.run(&[
        "SET sql_log_bin = 0",
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))",
        &format!("INSERT INTO shop.t VALUES {}", rows.join(", ")),
    ])
    .await;
    if kind.is_mariadb() {
        b.run(&[
            &format!("SET GLOBAL gtid_slave_pos = '{had}'"),
            &format!("SET GLOBAL gtid_binlog_state = '{had}'"),
        ])
        .await;
        a.run(&[&format!("SET GLOBAL gtid_slave_pos = '{had}'")])
            .await;
    } else {
        b.run(&[&format!("SET GLOBAL gtid_purged = '{had}'")]).await;
    }
    pair.up();
    // What was passed over stays to be compared: that is all that it says.
    pair.twinlog
        .run(&["run", "--once", "--from-now"])
        .expect_code(1);
    b.run(&["INSERT INTO shop.t VALUES (40, 'of b')"]).await;
    a.run(&["INSERT INTO shop.t VALUES (41, 'of a')"]).await;
    let all = format!("SELECT COUNT(*) = {} FROM shop.t", rows.len() + 2);
    for db in pair.both() {
        db.wait_for_rows(&all, &vec![vec!["1".into()]]).await;
    }
    same_rows(&pair.both(), ALL).await;
    let again = pair.twinlog.run(&["run", "--once"]);
    again.expect_code(1);
    assert!(!again.stderr.contains("error:"), "{}", again.stderr);
}

#[tokio::test]
async fn on_mysql_9_7() {
    is_refused(ServerKind::MySql97).await;
}

#[tokio::test]
async fn on_mariadb_10_11() {
    is_refused(ServerKind::MariaDb1011).await;
}

/// Under a running agent.
async fn a_log_is_reset(kind: ServerKind, reset: &str) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    let mut agent = pair.twinlog.spawn(&["run"]);
    agent.wait_for_line("reading the log of");
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))",
    ])
    .await;
    b.wait_for_rows("SELECT COUNT(*) FROM shop.t", &vec![vec!["0".into()]])
        .await;
    // A MariaDB lets no log be reset that is being read.
    wait_until(DEADLINE, "the reset", async || {
        let reading =
            "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'";
        for id in a.rows(reading).await {
            let _ = a.try_rows(&format!("KILL {}", id[0])).await;
        }
        a.try_rows(reset).await.ok()
    })
    .await;
    let ended = tokio::task::spawn_blocking(move || agent.wait());
    let output = tokio::time::timeout(DEADLINE, ended)
        .await
        .unwrap()
        .unwrap();
    // The reader of its log says so in other words.
    assert_fails(&output, 3, &["keep clients away from"]);
    let up = pair.twinlog.run(&["up"]);
    assert_fails(&up, 1, &["a has lost transactions that b has had from it"]);
}

#[tokio::test]
async fn a_reset_log_on_mysql_9_7() {
    a_log_is_reset(ServerKind::MySql97, "RESET BINARY LOGS AND GTIDS").await;
}

#[tokio::test]
async fn a_reset_log_on_mariadb_10_11() {
    a_log_is_reset(ServerKind::MariaDb1011, "RESET MASTER").await;
}
