//! One agent repairs, and only while it holds its locks.

use twinlog_agent::watch::Error;
use twinlog_converge::Side;
use twinlog_pair::watch_state::AGENT_LOCK;
use twinlog_testbed::{ServerKind, wait_until};

use super::Up;
use crate::support::DEADLINE;

const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); INSERT INTO shop.t VALUES (1, 0)";

async fn holder(pair: &Up, side: Side, lock: &str) -> Option<String> {
    let sql = format!("SELECT IFNULL(IS_USED_LOCK('{lock}'), '')");
    let holder = pair.rows(side, &sql).await.remove(0);
    (!holder.is_empty()).then_some(holder)
}

async fn held(pair: &Up, side: Side) -> String {
    wait_until(DEADLINE, "the agent's lock", async || {
        holder(pair, side, AGENT_LOCK).await
    })
    .await
}

/// A watch whose lock is taken from it ends although nothing happens; `run` takes the lock again and goes on.
async fn loses_its_lock(kind: ServerKind) {
    let pair = Up::with(kind, "policy = \"prefer:b\"", SHOP).await;
    let agent = pair.watch();
    let id = held(&pair, Side::B).await;
    pair.exec(Side::B, &format!("KILL {id}")).await;
    let error = agent.ended().await.unwrap_err();
    assert!(
        matches!(&error, Error::Leadership(_)) && error.is_transient(),
        "{error}"
    );
    assert!(
        error.to_string().starts_with("the lock on b is lost"),
        "{error}"
    );

    let agent = pair.agent();
    let id = held(&pair, Side::A).await;
    pair.exec(Side::A, &format!("KILL {id}")).await;
    wait_until(DEADLINE, "the lock to be taken again", async || {
        let now = holder(&pair, Side::A, AGENT_LOCK).await;
        now.filter(|now| *now != id)
    })
    .await;
    pair.apart("UPDATE shop.t SET v = 1", "UPDATE shop.t SET v = 2")
        .await;
    pair.both("SELECT v FROM shop.t", &["2"]).await;

    // What another agent's connections may still be in the middle of keeps a new one waiting.
    agent.stop().await.unwrap();
    let mut other = pair.root(Side::B).await;
    other
        .value(&format!("SELECT GET_LOCK('{AGENT_LOCK}.1', 5)"))
        .await
        .unwrap();
    let error = pair.watch().ended().await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("another agent holds the lock on b"),
        "{error}"
    );
}

#[tokio::test]
async fn an_agent_without_its_lock_ends_on_mysql_9_7() {
    loses_its_lock(ServerKind::MySql97).await;
}

#[tokio::test]
async fn an_agent_without_its_lock_ends_on_mysql_5_6() {
    loses_its_lock(ServerKind::MySql56).await;
}

#[tokio::test]
async fn an_agent_without_its_lock_ends_on_mariadb() {
    loses_its_lock(ServerKind::MariaDb1011).await;
}
