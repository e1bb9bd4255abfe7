//! What is in the history of a conflict.

use twinlog_converge::Side;
use twinlog_testbed::{ServerKind, wait_until};

use super::Up;
use crate::support::DEADLINE;

const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); \
     CREATE TABLE shop.m (id INT PRIMARY KEY, v INT); \
     INSERT INTO shop.t VALUES (1, 0), (2, 0); INSERT INTO shop.m VALUES (1, 0), (2, 0)";

/// Under `manual` a write that is on no node waits for a person, also where both nodes are equal; a conflict that is seen
/// again is the one that is there.
async fn told_once(kind: ServerKind) {
    let conflicts =
        "policy = \"prefer:b\"\n[[conflicts.tables]]\nmatch = \"shop.m\"\npolicy = \"manual\"";
    let pair = Up::with(kind, conflicts, SHOP).await;
    let agent = pair.agent();
    pair.apart(
        "UPDATE shop.m SET v = 5 WHERE id = 1; UPDATE shop.t SET v = 5 WHERE id = 1; UPDATE shop.m SET v = 7 WHERE id = 2",
        "DELETE FROM shop.m WHERE id = 1; UPDATE shop.t SET v = 6 WHERE id = 1; UPDATE shop.m SET v = 7 WHERE id = 2",
    )
    .await;
    let all = "SELECT CONCAT_WS(' ', table_name, row_key, state) FROM twinlog.conflict ORDER BY table_name, row_key";
    let expected = ["m id=1 open", "m id=2 equal", "t id=1 repaired"];
    pair.both(all, &expected).await;
    pair.both("SELECT v FROM shop.t", &["6", "0"]).await;
    pair.both("SELECT CONCAT(id, v) FROM shop.m", &["27"]).await;
    agent.stop().await.unwrap();
    // Read again from the beginning, with what a client wrote since, it is the same conflict.
    pair.exec(Side::A, "UPDATE shop.t SET v = 9 WHERE id = 1")
        .await;
    let settled = pair
        .rows(Side::A, "SELECT settled FROM twinlog.checkpoint")
        .await;
    assert_eq!(settled.len(), 1);
    pair.exec(Side::A, "DELETE FROM twinlog.checkpoint").await;
    pair.both("SELECT settled FROM twinlog.checkpoint", &[])
        .await;
    pair.both("SELECT v FROM shop.t", &["9", "0"]).await;
    let agent = pair.agent();
    wait_until(DEADLINE, "all is settled again", async || {
        let now = pair
            .rows(Side::A, "SELECT settled FROM twinlog.checkpoint")
            .await;
        (!now.is_empty() && now.iter().all(|now| now.len() >= settled[0].len())).then_some(())
    })
    .await;
    agent.stop().await.unwrap();
    assert_eq!(pair.rows(Side::A, all).await, expected);
    pair.both(all, &expected).await;
}

#[tokio::test]
async fn a_conflict_is_told_once_on_mysql() {
    told_once(ServerKind::MySql97).await;
    told_once(ServerKind::MySql56).await;
}

#[tokio::test]
async fn a_conflict_is_told_once_on_mariadb() {
    told_once(ServerKind::MariaDb1011).await;
}
