//! Rows that both nodes wrote before their table's definition changed, or its name.

use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// The tables, and what becomes of each before the agent looks; the name it has then.
const CASES: [(&str, &str, Option<&str>); 9] = [
    (
        "added",
        "ALTER TABLE shop.added ADD COLUMN z INT DEFAULT 7",
        Some("added"),
    ),
    (
        "first",
        "ALTER TABLE shop.first ADD COLUMN z INT DEFAULT 7 FIRST",
        Some("first"),
    ),
    (
        "dropped_column",
        "ALTER TABLE shop.dropped_column DROP COLUMN w",
        Some("dropped_column"),
    ),
    (
        "swapped",
        "ALTER TABLE shop.swapped MODIFY w INT FIRST",
        Some("swapped"),
    ),
    (
        "renamed_column",
        "ALTER TABLE shop.renamed_column CHANGE w w2 BIGINT",
        Some("renamed_column"),
    ),
    (
        "old",
        "RENAME TABLE shop.old TO shop.between, shop.between TO shop.new",
        Some("new"),
    ),
    (
        "older",
        "ALTER TABLE shop.older ADD COLUMN z INT, RENAME TO shop.newer",
        Some("newer"),
    ),
    ("gone", "DROP TABLE shop.gone", None),
    (
        FOR_A_PERSON,
        "ALTER TABLE shop.widened CHANGE v v2 BIGINT",
        None,
    ),
];

/// Nothing tells which node holds the chosen version: the column that both wrote has another name and type.
const FOR_A_PERSON: &str = "widened";

async fn all(kind: ServerKind) {
    let setup: String = CASES
        .iter()
        .map(|(name, ..)| {
            format!(
                "; CREATE TABLE shop.{name} (id INT PRIMARY KEY, v INT, w INT); INSERT INTO shop.{name} VALUES (1, 0, 0)"
            )
        })
        .collect();
    let setup = format!("CREATE DATABASE shop{setup}");
    let pair = Up::with(kind, "policy = \"prefer:b\"", &setup).await;
    let write = |v: i32| {
        let writes = CASES.map(|(name, ..)| format!("UPDATE shop.{name} SET v = {v} WHERE id = 1"));
        writes.join("; ")
    };
    pair.apart(&write(1), &write(2)).await;
    for (name, ..) in CASES {
        // Both have crossed.
        let sql = format!("SELECT v FROM shop.{name}");
        super::swapped(&pair, &sql).await;
    }
    for (_, sql, _) in CASES {
        pair.exec(Side::A, sql).await;
    }
    let summary = pair.once().await;
    assert_eq!(
        (summary.open, summary.to_verify),
        (1, 0),
        "{kind}: {summary:?}"
    );
    for (_, _, name) in CASES {
        let Some(name) = name else { continue };
        pair.both(&format!("SELECT v FROM shop.{name}"), &["2"])
            .await;
        let told = format!("SELECT state FROM twinlog.conflict WHERE table_name = '{name}'");
        pair.both(&told, &["repaired"]).await;
    }
    let told = format!("SELECT state FROM twinlog.conflict WHERE table_name = '{FOR_A_PERSON}'");
    pair.both(&told, &["open"]).await;
    // It goes on from there.
    pair.apart(
        "UPDATE shop.added SET v = 3, z = 3",
        "UPDATE shop.added SET v = 4, z = 4",
    )
    .await;
    let summary = pair.once().await;
    assert_eq!((summary.conflicts, summary.repaired), (1, 1), "{kind}");
    pair.both("SELECT z FROM shop.added", &["4"]).await;
}

#[tokio::test]
async fn definitions_that_change_are_followed_on_mysql() {
    all(ServerKind::MySql97).await;
}

#[tokio::test]
async fn definitions_that_change_are_followed_on_mariadb() {
    all(ServerKind::MariaDb1011).await;
}

/// Rows that both nodes wrote, of tables that are emptied or made anew before the agent looks: they do not come back.
async fn wiped(kind: ServerKind) {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.emptied (id INT PRIMARY KEY, v INT); \
                 INSERT INTO shop.emptied VALUES (1, 0); CREATE TABLE shop.anew (id INT PRIMARY KEY, v INT); \
                 INSERT INTO shop.anew VALUES (1, 0)";
    let pair = Up::with(kind, "policy = \"prefer:b\"", setup).await;
    let write = |v: i32| format!("UPDATE shop.emptied SET v = {v}; UPDATE shop.anew SET v = {v}");
    pair.apart(&write(1), &write(2)).await;
    for table in ["emptied", "anew"] {
        super::swapped(&pair, &format!("SELECT v FROM shop.{table}")).await;
    }
    pair.exec(
        Side::A,
        "TRUNCATE TABLE shop.emptied; DROP TABLE shop.anew; CREATE TABLE shop.anew (id INT PRIMARY KEY, v INT)",
    )
    .await;
    let summary = pair.once().await;
    assert_eq!(
        (summary.repaired, summary.open, summary.to_verify),
        (0, 0, 0),
        "{kind}"
    );
    pair.both(
        "SELECT v FROM shop.emptied UNION ALL SELECT v FROM shop.anew",
        &[],
    )
    .await;
    pair.both(
        "SELECT state FROM twinlog.conflict",
        &["superseded", "superseded"],
    )
    .await;
}

#[tokio::test]
async fn wiped_rows_stay_wiped_on_mysql() {
    wiped(ServerKind::MySql97).await;
}

#[tokio::test]
async fn wiped_rows_stay_wiped_on_mariadb() {
    wiped(ServerKind::MariaDb1011).await;
}
