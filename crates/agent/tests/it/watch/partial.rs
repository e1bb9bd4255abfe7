//! Writes that the log of their node tells only in part: nothing is known to differ, so nothing is touched.

use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

const SETUP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT, w INT); \
                     INSERT INTO shop.t VALUES (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0), (5, 0, 0)";
const ROWS: &str = "SELECT CONCAT_WS(' ', id, v, w) FROM shop.t ORDER BY id";
const WANTED: [&str; 5] = ["1 100 0", "2 200 0", "3 0 0", "4 0 100", "7 7 7"];

async fn are_left_alone(kind: ServerKind) {
    let pair = Up::with(kind, "policy = \"last-write-wins\"", SETUP).await;
    for sql in [
        "SET SESSION binlog_row_image = 'MINIMAL'; UPDATE shop.t SET v = 100 WHERE id = 1",
        "SET SESSION binlog_row_image = 'NOBLOB'; UPDATE shop.t SET v = 200 WHERE id = 2",
        "SET SESSION binlog_format = 'STATEMENT'; UPDATE shop.t SET w = w + 100 WHERE id = 4; \
         DELETE FROM shop.t WHERE id = 5; INSERT INTO shop.t VALUES (7, 7, 7)",
    ] {
        pair.exec(Side::A, sql).await;
    }
    pair.both(ROWS, &WANTED).await;
    let summary = pair.once().await;
    pair.both(ROWS, &WANTED).await;
    assert_eq!(
        (summary.conflicts, summary.divergences, summary.to_verify),
        (0, 0, 1),
        "{kind}"
    );
    // What comes after them is followed again.
    pair.apart(
        "UPDATE shop.t SET v = 1 WHERE id = 3",
        "DO SLEEP(0.01); UPDATE shop.t SET v = 2 WHERE id = 3",
    )
    .await;
    let summary = pair.once().await;
    assert_eq!((summary.conflicts, summary.open), (1, 0), "{kind}");
    let (a, b) = (
        pair.rows(Side::A, ROWS).await,
        pair.rows(Side::B, ROWS).await,
    );
    assert_eq!(a, b, "{kind}");
}

/// A part of a document is logged, not the row.
#[tokio::test]
async fn partial_documents_are_left_alone() {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, doc JSON); \
                 INSERT INTO shop.t VALUES (1, '{\"a\": 1, \"b\": \"a longer text than what takes its place\"}')";
    let pair = Up::with(ServerKind::MySql97, "policy = \"last-write-wins\"", setup).await;
    pair.exec(
        Side::A,
        "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'; UPDATE shop.t SET doc = JSON_SET(doc, '$.a', 2)",
    )
    .await;
    pair.both("SELECT doc->'$.a' FROM shop.t", &["2"]).await;
    let summary = pair.once().await;
    assert_eq!(
        (summary.conflicts, summary.divergences, summary.to_verify),
        (0, 0, 1)
    );
    pair.both("SELECT doc->'$.a' FROM shop.t", &["2"]).await;
}

#[tokio::test]
async fn partial_logs_are_left_alone_on_mysql() {
    are_left_alone(ServerKind::MySql97).await;
}

#[tokio::test]
async fn partial_logs_are_left_alone_on_mariadb() {
    are_left_alone(ServerKind::MariaDb1011).await;
}
