//! The document's walk-through on pairs that twinlog runs, then `down` and `up` again.

use std::fs;

use twinlog_testbed::ServerKind;

use crate::support::{Pair, insert_on_both, same_rows, walk};

async fn walk_through(kind: ServerKind, mode: &str) {
    let pair = Pair::new(kind, &format!("[replication]\nmode = \"{mode}\"\n"));
    pair.up();
    walk(&pair.both()).await;
    insert_on_both(&pair.both(), 20).await;
    let rows = same_rows(&pair.both(), "SELECT * FROM test.info ORDER BY id").await;

    let down = pair.twinlog.run(&["down"]);
    down.expect_code(0);
    assert!(
        pair.processes("a").is_empty() && pair.processes("b").is_empty(),
        "{}",
        down.stderr
    );

    pair.up();
    let after = same_rows(&pair.both(), "SELECT * FROM test.info ORDER BY id").await;
    assert_eq!(after, rows);
    insert_on_both(&pair.both(), 3).await;

    let plan = pair.twinlog.run(&["plan"]);
    assert!(
        plan.expect_code(0).starts_with("Nothing is missing."),
        "{}",
        plan.stdout
    );
    let again = pair.up();
    assert!(
        again.stderr.ends_with("nothing was missing\n"),
        "{}",
        again.stderr
    );

    pair.twinlog
        .run(&["down", "--purge", "--yes"])
        .expect_code(0);
    let left: Vec<_> = fs::read_dir(&pair.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["twinlog.toml"]);
    assert!(pair.processes("a").is_empty() && pair.processes("b").is_empty());
}

/// The published `twinlog.toml` asks for what the document's my.cnf does: one database, names folded, a character set.
#[tokio::test]
async fn the_documents_own_settings() {
    let pair = Pair::new(
        ServerKind::MySql97,
        "options = { lower_case_table_names = 1, character_set_server = \"utf8mb3\" }\n",
    );
    let text = fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    pair.twinlog
        .write("twinlog.toml", &format!("databases = [\"test\"]\n{text}"));
    pair.up();
    let nodes = pair.both();
    walk(&nodes).await;
    insert_on_both(&nodes, 5).await;
    // From another database, by another spelling: what `binlog-do-db` would lose.
    nodes[0]
        .run(&[
            "USE mysql",
            "UPDATE TEST.Info SET name = 'x'",
            "CREATE TABLE test.More (id INT PRIMARY KEY)",
        ])
        .await;
    nodes[1]
        .wait_for_rows(
            "SELECT DISTINCT name FROM test.info",
            &vec![vec!["x".into()]],
        )
        .await;
    nodes[1]
        .wait_for_rows("SELECT COUNT(*) FROM test.more", &vec![vec!["0".into()]])
        .await;
    // Other databases stay where they are.
    nodes[0]
        .run(&[
            "CREATE DATABASE other",
            "CREATE TABLE test.last (id INT PRIMARY KEY)",
        ])
        .await;
    nodes[1]
        .wait_for_rows("SELECT COUNT(*) FROM test.last", &vec![vec!["0".into()]])
        .await;
    assert!(
        nodes[1]
            .rows("SHOW DATABASES LIKE 'other'")
            .await
            .is_empty()
    );
    assert_eq!(pair.up().stderr, "nothing was missing\n");
}

#[tokio::test]
async fn mysql_9_7_by_gtid() {
    walk_through(ServerKind::MySql97, "gtid").await;
}

#[tokio::test]
async fn mysql_9_7_by_position() {
    walk_through(ServerKind::MySql97, "position").await;
}

#[tokio::test]
async fn mysql_5_6_by_gtid() {
    walk_through(ServerKind::MySql56, "gtid").await;
}

#[tokio::test]
async fn mysql_5_6_by_position() {
    walk_through(ServerKind::MySql56, "position").await;
}

#[tokio::test]
async fn mariadb_10_11_by_gtid() {
    walk_through(ServerKind::MariaDb1011, "gtid").await;
}

#[tokio::test]
async fn mariadb_10_11_by_position() {
    walk_through(ServerKind::MariaDb1011, "position").await;
}

#[tokio::test]
async fn mariadb_11_8_by_gtid() {
    walk_through(ServerKind::MariaDb118, "gtid").await;
}
