//! What no log tells in full: definitions that change, tables without keys. It is named, and the agent goes on.

use twinlog_testbed::ServerKind;

use super::kit::{contents, drained, history, links, run_once, settles};
use crate::support::Pair;

const TABLES: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE TABLE shop.both_alter (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE shop.alter_last (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE shop.alter_middle (id INT PRIMARY KEY, v INT, w INT)",
    "CREATE TABLE shop.truncated (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE shop.keyless (id INT, v INT)",
    "CREATE TABLE shop.keyless_alone (id INT, v INT)",
    "CREATE TABLE shop.followed (id INT PRIMARY KEY, v INT)",
    "INSERT INTO shop.both_alter VALUES (1, 1)",
    "INSERT INTO shop.alter_last VALUES (1, 1)",
    "INSERT INTO shop.alter_middle VALUES (1, 1, 1)",
    "INSERT INTO shop.truncated VALUES (1, 1), (2, 2)",
    "INSERT INTO shop.keyless VALUES (1, 1), (2, 2)",
    "INSERT INTO shop.followed VALUES (1, 1)",
];
const ON_A: &[&str] = &[
    "ALTER TABLE shop.both_alter ADD COLUMN of_a INT",
    "ALTER TABLE shop.alter_last ADD COLUMN x INT DEFAULT 7",
    "ALTER TABLE shop.alter_middle ADD COLUMN x INT DEFAULT 7 AFTER id",
    "TRUNCATE TABLE shop.truncated",
    "UPDATE shop.keyless SET v = 10 WHERE id = 1",
    "INSERT INTO shop.keyless_alone VALUES (1, 1)",
    "UPDATE shop.followed SET v = 10",
];
const ON_B: &[&str] = &[
    "ALTER TABLE shop.both_alter ADD COLUMN of_b INT",
    "INSERT INTO shop.alter_last VALUES (2, 2)",
    "INSERT INTO shop.alter_middle VALUES (2, 2, 2)",
    "INSERT INTO shop.truncated VALUES (3, 3)",
    "UPDATE shop.keyless SET v = 20 WHERE id = 1",
    "UPDATE shop.followed SET v = 20",
];

async fn is_named(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(TABLES).await;
    drained(&pair, kind).await;
    links(&pair, kind, "STOP").await;
    a.run(ON_A).await;
    let mut later = vec!["SET timestamp = UNIX_TIMESTAMP() + 2"];
    later.extend(ON_B);
    b.run(&later).await;
    links(&pair, kind, "START").await;
    drained(&pair, kind).await;
    let output = pair.twinlog.run(&["run", "--once"]);
    let told = output.expect_code(1);
    for part in [" repaired, 1 open", "2 tables could not be followed"] {
        assert!(told.contains(part), "no {part}:\n{told}");
    }
    for part in [
        "both nodes changed the definition of shop.both_alter without having seen each other",
        "shop.keyless cannot be followed: it has no key that tells its rows apart",
        "shop.keyless_alone cannot be followed: it has no key",
    ] {
        let times = output.stderr.matches(part).count();
        assert_eq!(times, 1, "{part}:\n{}", output.stderr);
    }
    let [on_a, on_b] = contents(&pair).await;
    for (table, rows) in [
        ("followed", "[[\"1\", \"20\"]]"),
        // The rows that were there before it are gone, and the one that it did not see is there.
        ("truncated", "[[\"3\", \"3\"]]"),
        ("keyless_alone", "[[\"1\", \"1\"]]"),
        (
            "alter_last",
            "[[\"1\", \"1\", \"7\"], [\"2\", \"2\", \"7\"]]",
        ),
    ] {
        let table = format!("shop.{table}");
        assert_eq!(format!("{:?}", on_a[&table]), rows, "{table}");
        assert_eq!(format!("{:?}", on_b[&table]), rows, "{table}");
    }
    // Nothing is guessed.
    assert_ne!(on_a["shop.keyless"], on_b["shop.keyless"]);
    let history = history(&pair).await;
    let ddl: Vec<&Vec<String>> = history.iter().filter(|row| row[2] == "ddl").collect();
    assert_eq!(ddl.len(), 1, "{history:#?}");
    assert_eq!(
        (ddl[0][0].as_str(), ddl[0][3].as_str()),
        ("shop.both_alter", "open")
    );
    for statement in ["ADD COLUMN of_a INT", "ADD COLUMN of_b INT"] {
        assert!(ddl[0][5].contains(statement), "{ddl:?}");
    }
    // Written on one node only, before the new column was there: nobody lost anything.
    let quiet = |row: &&Vec<String>| row[0] == "shop.alter_last";
    assert_eq!(history.iter().find(quiet), None);
    // The next one does not forget, and says so once.
    a.run(&[
        "INSERT INTO shop.followed VALUES (2, 2)",
        "INSERT INTO shop.keyless_alone VALUES (2, 2)",
    ])
    .await;
    let again = run_once(&pair);
    for part in [
        "INFO whether shop.keyless is equal on both nodes is not known since an earlier run: it has no key",
        "INFO whether shop.keyless_alone is equal on both nodes is not known",
    ] {
        assert!(again.stderr.contains(part), "no {part}:\n{}", again.stderr);
    }
    assert!(!again.stderr.contains("WARN"), "{}", again.stderr);
    let status = pair.twinlog.run(&["status"]);
    let status = status.expect_code(1);
    for part in [
        "1 open",
        "whether shop.keyless is equal on both nodes is not known",
        "and 1 more table",
    ] {
        assert!(status.contains(part), "no {part}:\n{status}");
    }
}

#[tokio::test]
async fn on_mysql_9_7() {
    is_named(ServerKind::MySql97).await;
}

#[tokio::test]
async fn on_mariadb_10_11() {
    is_named(ServerKind::MariaDb1011).await;
}

/// Where MySQL 9.7's applier replaces a row that others refer to with CASCADE, it logs that they go without saying of
/// which table: an agent that began to read after those were written cannot know.
#[tokio::test]
async fn rows_of_a_table_that_is_not_described() {
    let kind = ServerKind::MySql97;
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, u INT UNIQUE)",
        "CREATE TABLE shop.c (id INT PRIMARY KEY, pid INT, FOREIGN KEY (pid) REFERENCES shop.t (id) ON DELETE CASCADE)",
        "INSERT INTO shop.t VALUES (5, 5)",
        "INSERT INTO shop.c VALUES (1, 5)",
    ])
    .await;
    drained(&pair, kind).await;
    settles(&pair);
    links(&pair, kind, "STOP").await;
    a.run(&["UPDATE shop.t SET u = 77 WHERE id = 5"]).await;
    b.run(&["INSERT INTO shop.t VALUES (4, 77)"]).await;
    links(&pair, kind, "START").await;
    let output = run_once(&pair);
    output.expect_code(1);
    let says = "shop.c cannot be followed: rows that refer to another table's went with them";
    let [on_a, on_b] = contents(&pair).await;
    assert_eq!(on_a["shop.t"], on_b["shop.t"]);
    assert!(output.stderr.contains(says), "{}", output.stderr);
    // It goes on, and does not forget.
    a.run(&["INSERT INTO shop.t VALUES (9, 9)"]).await;
    run_once(&pair).expect_code(1);
    pair.twinlog
        .run(&["run", "--once", "--compared"])
        .expect_code(0);
    settles(&pair);
}
