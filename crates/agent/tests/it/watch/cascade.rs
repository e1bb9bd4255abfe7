//! A repair that would end rows of other tables with its own.

use twinlog_agent::history::{Told, find};
use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// Rows that would go, or lose their reference, with a parent become part of its repair: they are kept, and written for
/// themselves, so that all logs have them.
async fn children_are_part_of_it(kind: ServerKind) {
    let child = |name: &str, action: &str| {
        format!(
            "CREATE TABLE shop.{name} (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES shop.p (id) \
             ON DELETE {action} ON UPDATE CASCADE) ENGINE = InnoDB"
        )
    };
    let setup = format!(
        "CREATE DATABASE shop; CREATE TABLE shop.p (id INT PRIMARY KEY, v INT) ENGINE = InnoDB; {}; {}; \
         INSERT INTO shop.p VALUES (2, 0); INSERT INTO shop.n VALUES (9, NULL)",
        child("c", "CASCADE"),
        child("n", "SET NULL")
    );
    let pair = Up::with(kind, "policy = \"prefer:a\"", &setup).await;
    pair.apart(
        "UPDATE shop.p SET id = 12 WHERE id = 2",
        "UPDATE shop.p SET id = 22 WHERE id = 2",
    )
    .await;
    // Both have skipped what the other did.
    pair.exec(Side::A, "INSERT INTO shop.p VALUES (100, 0)")
        .await;
    pair.exec(Side::B, "INSERT INTO shop.p VALUES (101, 0)")
        .await;
    pair.both("SELECT COUNT(*) FROM shop.p WHERE id >= 100", &["2"])
        .await;
    pair.quietly(
        Side::B,
        "INSERT INTO shop.c VALUES (7, 22); UPDATE shop.n SET p = 22 WHERE id = 9",
    )
    .await;
    let agent = pair.agent();
    pair.both("SELECT id FROM shop.p ORDER BY id", &["12", "100", "101"])
        .await;
    pair.both("SELECT id FROM shop.c", &[]).await;
    pair.both("SELECT IFNULL(p, 'NULL') FROM shop.n", &["NULL"])
        .await;
    pair.both("SELECT state FROM twinlog.conflict", &["repaired"])
        .await;
    let id = pair
        .rows(Side::A, "SELECT id FROM twinlog.conflict")
        .await
        .remove(0);
    let entry = find(&mut pair.root(Side::B).await, &id).await.unwrap();
    let kept = entry.detail.rows.iter().any(|row| {
        entry.detail.table_name(row) == "shop.c"
            && matches!(&row.held[1], Told::Row(cells) if cells[1].to_string() == "22")
    });
    assert!(kept, "{:?}", entry.detail.rows);
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn what_would_cascade_is_part_of_the_repair_on_mysql() {
    children_are_part_of_it(ServerKind::MySql97).await;
    children_are_part_of_it(ServerKind::MySql56).await;
}

#[tokio::test]
async fn what_would_cascade_is_part_of_the_repair_on_mariadb() {
    children_are_part_of_it(ServerKind::MariaDb1011).await;
}
