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
