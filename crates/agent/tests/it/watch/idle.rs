//! An agent that has nothing to do.

use std::time::Duration;

use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// What a server that wants to be rid of idle connections is set to, in seconds.
const WAIT_TIMEOUT_S: u64 = 1;

/// A night without a write is nothing to an agent: it has all its connections in the morning.
async fn rests(kind: ServerKind) {
    let pair = Up::with(
        kind,
        "policy = \"prefer:b\"",
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); INSERT INTO shop.t VALUES (1, 0)",
    )
    .await;
    for side in Side::BOTH {
        let sql = format!("SET GLOBAL wait_timeout = {WAIT_TIMEOUT_S}");
        pair.exec(side, &sql).await;
    }
    // Not `run`, which would begin again where a connection is lost.
    let agent = pair.watch();
    // Time must pass here: it is what the server counts.
    tokio::time::sleep(Duration::from_secs(3 * WAIT_TIMEOUT_S)).await;
    pair.apart("UPDATE shop.t SET v = 1", "UPDATE shop.t SET v = 2")
        .await;
    pair.both("SELECT v FROM shop.t", &["2"]).await;
    pair.both("SELECT state FROM twinlog.conflict", &["repaired"])
        .await;
    tokio::time::sleep(Duration::from_secs(3 * WAIT_TIMEOUT_S)).await;
    pair.both(
        "SELECT state FROM twinlog.conflict WHERE repair_gtid <> ''",
        &["repaired"],
    )
    .await;
    assert!(!agent.is_finished());
    let summary = agent.stop().await.unwrap();
    assert_eq!((summary.conflicts, summary.repaired), (1, 1));
}

#[tokio::test]
async fn an_idle_agent_keeps_its_connections_on_mysql() {
    rests(ServerKind::MySql97).await;
    rests(ServerKind::MySql56).await;
}

#[tokio::test]
async fn an_idle_agent_keeps_its_connections_on_mariadb() {
    rests(ServerKind::MariaDb1011).await;
}
