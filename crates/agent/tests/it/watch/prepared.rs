//! What is prepared and never ended keeps nobody else waiting.

use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// A conflict beside it is settled, and so is what it writes in the end.
async fn is_left(kind: ServerKind) {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); \
         INSERT INTO shop.t VALUES (1, 0), (2, 0)";
    let pair = Up::with(kind, "policy = \"prefer:b\"", setup).await;
    pair.exec(
        Side::A,
        "XA START 'left'; UPDATE shop.t SET v = 7 WHERE id = 2; XA END 'left'; XA PREPARE 'left'",
    )
    .await;
    pair.apart(
        "UPDATE shop.t SET v = 1 WHERE id = 1",
        "UPDATE shop.t SET v = 2 WHERE id = 1",
    )
    .await;
    for repaired in [1, 0] {
        let summary = pair.once().await;
        assert_eq!((summary.repaired, summary.open), (repaired, 0));
        pair.both("SELECT v FROM shop.t ORDER BY id", &["2", "0"])
            .await;
    }
    pair.exec(Side::A, "XA COMMIT 'left'").await;
    let summary = pair.once().await;
    assert_eq!((summary.repaired, summary.open), (0, 0));
    pair.both("SELECT v FROM shop.t ORDER BY id", &["2", "7"])
        .await;
}

#[tokio::test]
async fn is_left_on_mysql_9_7() {
    is_left(ServerKind::MySql97).await;
}

#[tokio::test]
async fn is_left_on_mariadb() {
    is_left(ServerKind::MariaDb1011).await;
}
