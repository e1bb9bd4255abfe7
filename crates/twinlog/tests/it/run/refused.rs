//! Pairs that cannot be followed, or not from where the last agent was: what is said, and what helps.

use twinlog_testbed::ServerKind;

use super::kit::{count, drained, equal, finds_nothing, links, settles};
use crate::support::{Pair, assert_fails};

/// The log that comes after the checkpoint is gone.
async fn a_purged_log(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
    ])
    .await;
    settles(&pair);
    a.run(&[
        "INSERT INTO shop.t VALUES (1, 1), (2, 2)",
        "INSERT INTO shop.t VALUES (3, 3)",
    ])
    .await;
    drained(&pair, kind).await;
    for db in [&a, &b] {
        db.run(&["FLUSH BINARY LOGS"]).await;
        let files = db.rows("SHOW BINARY LOGS").await;
        let last = files.last().unwrap();
        db.run(&[&format!("PURGE BINARY LOGS TO '{}'", last[0])])
            .await;
    }
    for args in [["run", "--once"].as_slice(), &["run"]] {
        let output = pair.twinlog.run(args);
        assert_fails(
            &output,
            3,
            &[
                "has purged transactions from its log that were not read yet",
                "--from-now",
            ],
        );
    }
    // Nobody was told what was in it. From here on everything is seen.
    for args in [
        ["run", "--once", "--from-now"].as_slice(),
        &["run", "--once"],
    ] {
        let output = pair.twinlog.run(args);
        let told = output.expect_code(1);
        assert!(told.contains("1 tables could not be followed"), "{told}");
        assert!(output.stderr.contains("passed over"), "{}", output.stderr);
    }
    pair.twinlog
        .run(&["run", "--once", "--compared"])
        .expect_code(0);
    links(&pair, kind, "STOP").await;
    a.run(&["UPDATE shop.t SET v = 10"]).await;
    b.run(&["UPDATE shop.t SET v = 20"]).await;
    links(&pair, kind, "START").await;
    let summary = settles(&pair);
    assert_eq!(count(&summary, "repaired"), 3, "{summary}");
    equal(&pair).await;
    finds_nothing(&pair, kind).await;
}

#[tokio::test]
async fn a_purged_log_on_mysql_9_7() {
    a_purged_log(ServerKind::MySql97).await;
}

#[tokio::test]
async fn a_purged_log_on_mariadb_10_11() {
    a_purged_log(ServerKind::MariaDb1011).await;
}

#[tokio::test]
async fn by_position() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::new(kind, "[replication]\nmode = \"position\"\n");
    pair.up();
    for args in [["run", "--once"].as_slice(), &["run"]] {
        let output = pair.twinlog.run(args);
        assert_fails(&output, 2, &["the links go by position", "mode = \"gtid\""]);
    }
}

/// A pair that an older twinlog made.
#[tokio::test]
async fn without_its_own_tables() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::proven(kind);
    for db in pair.both() {
        db.run(&[
            "SET sql_log_bin = 0",
            "DROP TABLE twinlog.conflict",
            "DROP TABLE twinlog.checkpoint",
        ])
        .await;
    }
    let output = pair.twinlog.run(&["run", "--once"]);
    assert_fails(
        &output,
        3,
        &[
            "a: the schema twinlog has no conflict, checkpoint; b: the schema",
            "twinlog up",
        ],
    );
    pair.up();
    settles(&pair);
}
