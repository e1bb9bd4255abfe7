//! `--since`: only rows that the logs say were written.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use twinlog_testbed::{ServerKind, wait_until};

use super::{filled, report, rows, verify};
use crate::support::{DEADLINE, Pair, assert_fails, same_rows};

/// Some logs tell the second only.
const SECOND: Duration = Duration::from_millis(1100);

async fn silently(pair: &Pair, node: &str, statements: &[&str]) {
    let all: Vec<&str> = ["SET sql_log_bin = 0"]
        .iter()
        .chain(statements)
        .copied()
        .collect();
    pair.exec(node, &all).await;
}

/// Waits until what was written last on each node is on the other.
async fn crossed(pair: &Pair, mark: u32) {
    let insert = |own: u32| format!("INSERT INTO shop.mark VALUES ({mark}{own})");
    pair.exec("a", &[&insert(1)]).await;
    pair.exec("b", &[&insert(2)]).await;
    for db in pair.both() {
        let sql = format!("SELECT COUNT(*) FROM shop.mark WHERE id IN ({mark}1, {mark}2)");
        db.wait_for_rows(&sql, &vec![vec!["2".to_owned()]]).await;
    }
}

/// A moment with a second before it and after it in which nothing is written.
async fn moment() -> String {
    tokio::time::sleep(SECOND).await;
    let now = Timestamp::now();
    tokio::time::sleep(SECOND).await;
    now.to_string()
}

fn tables(report: &Value) -> BTreeSet<&str> {
    let tables = report["tables"].as_array().unwrap().iter();
    tables
        .map(|table| table["table"].as_str().unwrap())
        .filter(|table| *table != "shop.mark")
        .collect()
}

fn set(rows: &[&str]) -> BTreeSet<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

async fn since(kind: ServerKind) {
    let pair = filled(kind).await;
    pair.exec(
        "a",
        &[
            "CREATE TABLE shop.mark (id INT PRIMARY KEY)",
            "CREATE TABLE shop.parent (id INT PRIMARY KEY) ENGINE = InnoDB",
            "CREATE TABLE shop.child (id INT PRIMARY KEY, p INT, n INT, FOREIGN KEY (p) REFERENCES shop.parent (id) ON DELETE \
             CASCADE) ENGINE = InnoDB",
            "INSERT INTO shop.parent VALUES (1), (2)",
            "INSERT INTO shop.child VALUES (1, 1, 0), (2, 2, 0), (3, 2, 0)",
        ],
    )
    .await;
    same_rows(&pair.both(), "SELECT COUNT(*) FROM shop.child").await;
    crossed(&pair, 1).await;
    let before = moment().await;
    // Of old rows nothing is looked at, whatever was done to them.
    let old = [
        "UPDATE shop.many SET v = 'old' WHERE id = 35",
        "UPDATE shop.types SET d = 7 WHERE id = 2",
        "UPDATE shop.bag SET a = 4 WHERE a = 2",
        "UPDATE shop.child SET n = 1 WHERE id = 3",
    ];
    silently(&pair, "b", &old).await;
    keys(&pair, &before).await;
    whole_tables(&pair, &before).await;
    all_the_log(&pair).await;
    purged(&pair).await;
}

async fn keys(pair: &Pair, before: &str) {
    pair.exec(
        "a",
        &[
            "UPDATE shop.many SET v = 'logged' WHERE id IN (7, 14, 21)",
            "UPDATE shop.many SET id = 1 WHERE id = 28",
            "INSERT INTO shop.texts VALUES ('fresh', 1)",
            "DELETE FROM shop.pairs WHERE a = 1 AND b = 'a' AND c = 1",
        ],
    )
    .await;
    pair.exec("b", &["UPDATE shop.plain SET v = 'b' WHERE id = 1"])
        .await;
    crossed(pair, 2).await;
    let planted = [
        "UPDATE shop.many SET v = 'x' WHERE id = 7",
        "INSERT INTO shop.many VALUES (28, 'back')",
        "DELETE FROM shop.texts WHERE name = 'fresh'",
        "INSERT INTO shop.pairs VALUES (1, 'a', 1, 9)",
    ];
    silently(pair, "b", &planted).await;
    silently(
        pair,
        "a",
        &["UPDATE shop.plain SET w = 'x' WHERE id IN (1, 2)"],
    )
    .await;
    let found = report(pair, 1, &["--since", before]);
    let expected = [
        "shop.many id=28",
        "shop.many id=7",
        "shop.pairs a=1, b='a', c=1",
        "shop.plain id=1",
        "shop.texts name='fresh'",
    ];
    assert_eq!(rows(&found), set(&expected), "{found:#}");
    let looked_at = ["shop.many", "shop.pairs", "shop.plain", "shop.texts"];
    assert_eq!(tables(&found), looked_at.into());
    let many = found["tables"].as_array().unwrap();
    let many = many
        .iter()
        .find(|table| table["table"] == "shop.many")
        .unwrap();
    assert_eq!(many["rows"], serde_json::json!({"a": 4, "b": 5}));
    assert!(found["since"].as_str().is_some());
    let some = report(
        pair,
        1,
        &[
            "--since",
            before,
            "--tables",
            "shop.plain",
            "--tables",
            "shop.empty",
        ],
    );
    assert_eq!(rows(&some), set(&["shop.plain id=1"]));
    let text = verify(pair, &["--since", before]);
    assert!(text.expect_code(1).contains(" written since 2"));
}

/// Where keys do not tell what was written, the table is compared as a whole.
async fn whole_tables(pair: &Pair, before: &str) {
    pair.exec(
        "a",
        &[
            "ALTER TABLE shop.types ADD COLUMN later INT",
            "INSERT INTO shop.bag VALUES (9, 'z')",
            "DELETE FROM shop.parent WHERE id = 1",
        ],
    )
    .await;
    crossed(pair, 3).await;
    let found = report(pair, 1, &["--since", before]);
    let more = ["shop.bag -", "shop.child id=3", "shop.types id=2"];
    for row in more {
        assert!(rows(&found).contains(row), "{row}: {found:#}");
    }
    assert_eq!(rows(&found).len(), 5 + more.len(), "{found:#}");
    // A repair knows what it repairs.
    pair.twinlog
        .run(&[
            "repair",
            "--since",
            before,
            "--tables",
            "shop.many",
            "--keep",
            "a",
            "--yes",
        ])
        .expect_code(0);
    let some = report(pair, 0, &["--since", before, "--tables", "shop.many"]);
    assert!(rows(&some).is_empty());
}

/// The log has how the tables were made.
async fn all_the_log(pair: &Pair) {
    let found = report(pair, 1, &["--since", "1h", "--tables", "shop.many"]);
    assert_eq!(rows(&found), set(&["shop.many id=35"]));
    verify(pair, &["--since", "1h", "--where", "id = 1"]).expect_code(2);
    verify(pair, &["--since", "soon"]).expect_code(2);
}

/// There is no silent half of a comparison.
async fn purged(pair: &Pair) {
    let a = pair.db("a");
    pair.exec("a", &["FLUSH BINARY LOGS"]).await;
    crossed(pair, 4).await;
    let between = moment().await;
    pair.exec("a", &["UPDATE shop.many SET v = 'last' WHERE id = 42"])
        .await;
    crossed(pair, 5).await;
    wait_until(DEADLINE, "one file is left", async || {
        let files = a.try_rows("SHOW BINARY LOGS").await.ok()?;
        let purge = format!("PURGE BINARY LOGS TO '{}'", files.last()?[0]);
        a.try_rows(&purge).await.ok()?;
        (files.len() == 1).then_some(())
    })
    .await;
    let refused = verify(pair, &["--since", "1h", "--tables", "shop.many"]);
    let says = [
        "the log of a does not reach back to 2",
        "its first transaction is of 2",
        "without --since",
    ];
    assert_fails(&refused, 3, &says);
    assert_eq!(refused.stdout, "");
    silently(
        pair,
        "b",
        &["UPDATE shop.many SET v = 'other' WHERE id = 42"],
    )
    .await;
    let found = report(pair, 1, &["--since", &between, "--tables", "shop.many"]);
    assert_eq!(rows(&found), set(&["shop.many id=42"]));
}

#[tokio::test]
async fn only_what_the_logs_say_was_written_on_mysql_9_7() {
    since(ServerKind::MySql97).await;
}

#[tokio::test]
async fn only_what_the_logs_say_was_written_on_mysql_5_6() {
    since(ServerKind::MySql56).await;
}

#[tokio::test]
async fn only_what_the_logs_say_was_written_on_mariadb() {
    since(ServerKind::MariaDb1011).await;
}
