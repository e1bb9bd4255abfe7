//! Rows that hang together: by foreign keys and by unique ones.

use serde_json::Value;
use twinlog_testbed::ServerKind;

use super::{document, is_equal, outcomes, silently, wait_for};
use crate::support::Pair;

async fn family(kind: ServerKind) -> Pair {
    let pair = Pair::proven(kind);
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.z_people (id INT PRIMARY KEY, name VARCHAR(20), UNIQUE (name))",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, person INT, boss INT, FOREIGN KEY (person) REFERENCES shop.z_people (id) \
             ON DELETE CASCADE, FOREIGN KEY (boss) REFERENCES shop.orders (id))",
            "CREATE TABLE shop.a_lines (o INT, n INT, v INT, PRIMARY KEY (o, n), FOREIGN KEY (o) REFERENCES shop.orders (id))",
            "INSERT INTO shop.z_people VALUES (1, 'ana'), (2, 'bob'), (3, 'cyd'), (4, 'dan'), (5, 'eve')",
            "INSERT INTO shop.orders VALUES (10, 1, NULL), (20, 2, 10), (21, 2, 20), (30, 3, NULL)",
            "INSERT INTO shop.a_lines VALUES (10, 1, 1), (20, 1, 1), (20, 2, 2), (30, 1, 1)",
        ],
    )
    .await;
    wait_for(&pair, "SELECT COUNT(*) FROM shop.a_lines", "4").await;
    pair
}

const BROKEN: &[&str] = &[
    // Parents and children are missing.
    "DELETE FROM shop.a_lines WHERE o = 20",
    "DELETE FROM shop.orders WHERE person = 2",
    "DELETE FROM shop.z_people WHERE id = 2",
    // Others are too many.
    "INSERT INTO shop.z_people VALUES (7, 'gus'), (8, 'bob')",
    "INSERT INTO shop.orders VALUES (70, 7, NULL), (71, 7, 70)",
    "INSERT INTO shop.a_lines VALUES (70, 1, 1), (71, 1, 1)",
    // A unique key was swapped, another goes round.
    "UPDATE shop.z_people SET name = 'x' WHERE id = 4",
    "UPDATE shop.z_people SET name = 'dan' WHERE id = 5",
    "UPDATE shop.z_people SET name = 'eve' WHERE id = 4",
];

fn all_repaired(document: &Value) {
    let rows = document["rows"].as_array().unwrap().len();
    assert_eq!(
        outcomes(document),
        [("repaired".to_owned(), rows)].into(),
        "{document:#}"
    );
    assert!(rows >= 13, "{document:#}");
}

async fn tied(kind: ServerKind, keep: &str) {
    let pair = family(kind).await;
    silently(&pair, "b", BROKEN).await;
    let done = document(&pair, 0, &["--keep", keep, "--yes"]);
    all_repaired(&done);
    is_equal(&pair).await;
    let orphans = "SELECT COUNT(*) FROM shop.orders o LEFT JOIN shop.z_people p ON p.id = o.person WHERE p.id IS NULL";
    wait_for(&pair, orphans, "0").await;
    let name = if keep == "a" { "dan" } else { "eve" };
    wait_for(&pair, "SELECT name FROM shop.z_people WHERE id = 4", name).await;
}

#[tokio::test]
async fn families_and_swapped_keys_on_mysql_9_7() {
    tied(ServerKind::MySql97, "a").await;
}

#[tokio::test]
async fn families_and_swapped_keys_the_other_way() {
    tied(ServerKind::MySql97, "b").await;
}

#[tokio::test]
async fn families_and_swapped_keys_on_mysql_5_6() {
    tied(ServerKind::MySql56, "a").await;
}

#[tokio::test]
async fn families_and_swapped_keys_on_mariadb() {
    tied(ServerKind::MariaDb1011, "a").await;
}

/// What was not asked for is not written, though it is in the way.
#[tokio::test]
async fn other_tables_are_not_taken_in_unasked() {
    let pair = family(ServerKind::MariaDb1011).await;
    silently(&pair, "b", BROKEN).await;
    let done = document(
        &pair,
        1,
        &["--keep", "a", "--yes", "--tables", "shop.orders"],
    );
    let left: Vec<&Value> = done["rows"].as_array().unwrap().iter().collect();
    assert_eq!(
        outcomes(&done),
        [("left".to_owned(), left.len())].into(),
        "{done:#}"
    );
    for row in left {
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.contains("which was not compared"), "{reason}");
        assert!(row["id"].is_string(), "{done:#}");
    }
    let all = document(&pair, 0, &["--keep", "a", "--yes"]);
    all_repaired(&all);
    is_equal(&pair).await;
    // Those that were left open are closed by what came after.
    wait_for(
        &pair,
        "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'open'",
        "0",
    )
    .await;
}
