//! A client holds a row for longer than the applier waits.

use twinlog_converge::Side;
use twinlog_row::run;
use twinlog_testbed::{ServerKind, wait_until};

use super::Up;
use crate::support::DEADLINE;

/// MySQL 5.6 would apply the half before the lock and drop the rest: its link stops instead, with all of the transaction
/// still to come, and the agent starts it.
#[tokio::test]
async fn half_a_transaction_is_not_lost_on_mysql_5_6() {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); \
         INSERT INTO shop.t VALUES (1, 0), (2, 0), (3, 0)";
    let pair = Up::with(ServerKind::MySql56, "policy = \"last-write-wins\"", setup).await;
    // The applier's thread takes it when it starts.
    pair.exec(
        Side::B,
        "SET GLOBAL innodb_lock_wait_timeout = 1; STOP SLAVE; START SLAVE",
    )
    .await;
    let mut client = pair.root(Side::B).await;
    run(
        &mut client,
        "START TRANSACTION; SELECT v FROM shop.t WHERE id = 2 FOR UPDATE",
    )
    .await
    .unwrap();
    pair.exec(
        Side::A,
        "START TRANSACTION; UPDATE shop.t SET v = 1 WHERE id = 1; UPDATE shop.t SET v = 1 WHERE id = 2; \
         UPDATE shop.t SET v = 1 WHERE id = 3; COMMIT",
    )
    .await;
    let mut conn = pair.root(Side::B).await;
    wait_until(DEADLINE, "the applier stops", async || {
        let status = conn.row("SHOW SLAVE STATUS").await.unwrap().unwrap();
        (status.get("Last_SQL_Errno") == Some("1205")).then_some(())
    })
    .await;
    let values = "SELECT v FROM shop.t ORDER BY id";
    assert_eq!(pair.rows(Side::B, values).await, ["0", "0", "0"]);
    let agent = pair.agent();
    wait_until(DEADLINE, "the agent has tried in vain", async || {
        let status = conn.row("SHOW SLAVE STATUS").await.unwrap().unwrap();
        (status.get("Slave_SQL_Running") == Some("Yes")).then_some(())
    })
    .await;
    run(&mut client, "ROLLBACK").await.unwrap();
    pair.both(values, &["1", "1", "1"]).await;
    let summary = agent.stop().await.unwrap();
    assert_eq!((summary.conflicts, summary.divergences), (0, 0));
}
