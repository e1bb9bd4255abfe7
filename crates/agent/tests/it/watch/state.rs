//! What `status` knows of the agent: what it has found, what it could not follow, and whether it is there at all.

use std::time::Duration;

use twinlog_agent::watch::{Error, Options, StartError};
use twinlog_converge::Side;
use twinlog_pair::{config::Config, site::Site, up, watch_state::ALL_TABLES};
use twinlog_row::run as run_sql;
use twinlog_testbed::{ServerKind, wait_until};

use super::{Up, problems, swapped};
use crate::support::DEADLINE;

const POLICY: &str = "policy = \"prefer:b\"";
const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); INSERT INTO shop.t VALUES (1, 0); \
                    CREATE TABLE shop.k (v INT); INSERT INTO shop.k VALUES (1)";
/// Longer than everything that an agent does now and then, its state while it is at work among it.
const IDLE: Duration = Duration::from_secs(3);

async fn logged(pair: &Up, kind: ServerKind) -> Vec<String> {
    let sql = match kind.is_mariadb() {
        true => "SELECT @@gtid_binlog_state",
        false => "SELECT @@GLOBAL.gtid_executed",
    };
    let mut both = pair.rows(Side::A, sql).await;
    both.extend(pair.rows(Side::B, sql).await);
    both
}

/// While rows are known to differ the pair is not healthy; nor is it once the agent is gone. When all is done nothing is
/// written any more.
async fn knows_what_is_open(kind: ServerKind) {
    let pair = Up::with(kind, POLICY, SHOP).await;
    assert!(pair.status().await.healthy);
    pair.apart("UPDATE shop.t SET v = 1", "UPDATE shop.t SET v = 2")
        .await;
    swapped(&pair, "SELECT v FROM shop.t").await;
    let mut clients = [pair.root(Side::A).await, pair.root(Side::B).await];
    for client in &mut clients {
        let lock = "START TRANSACTION; SELECT v FROM shop.t FOR UPDATE";
        run_sql(client, lock).await.unwrap();
    }
    let agent = pair.agent();
    let status = pair
        .until("what it has found", |status| {
            let agent = status.agent.as_ref();
            agent.is_some_and(|agent| agent.verdicts_open == Some(1))
        })
        .await;
    assert_eq!(
        problems(&status),
        "the nodes differ: 1 conflict was found and not settled yet"
    );
    let shown = status.agent.unwrap();
    assert!(shown.running && shown.stays);
    assert_eq!(shown.pid, Some(std::process::id()));
    for client in &mut clients {
        run_sql(client, "ROLLBACK").await.unwrap();
    }
    pair.both("SELECT v FROM shop.t", &["2"]).await;
    let status = pair.until("health", |status| status.healthy).await;
    let shown = status.agent.unwrap();
    assert_eq!(
        (shown.verdicts_open, shown.in_flight_transactions),
        (Some(0), Some(0))
    );
    let mut before = logged(&pair, kind).await;
    wait_until(DEADLINE, "the logs stand still", async || {
        tokio::time::sleep(IDLE).await;
        let now = logged(&pair, kind).await;
        (std::mem::replace(&mut before, now.clone()) == now).then_some(())
    })
    .await;

    agent.stop().await.unwrap();
    let gone = "does not run any more";
    let status = pair.until(gone, |status| !status.healthy).await;
    assert!(problems(&status).contains(gone), "{}", problems(&status));
    let agent = pair.agent();
    pair.until("another", |status| status.healthy).await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_open_on_mysql_9_7() {
    knows_what_is_open(ServerKind::MySql97).await;
}

#[tokio::test]
async fn what_is_open_on_mysql_5_6() {
    knows_what_is_open(ServerKind::MySql56).await;
}

#[tokio::test]
async fn what_is_open_on_mariadb() {
    knows_what_is_open(ServerKind::MariaDb1011).await;
}

/// What could not be followed is known until someone says that it was compared.
async fn remembers_what_to_compare(kind: ServerKind) {
    let pair = Up::with(kind, POLICY, SHOP).await;
    pair.exec(Side::A, "UPDATE shop.k SET v = 2").await;
    pair.both("SELECT v FROM shop.k", &["2"]).await;
    // Another agent, another, and one that finds nothing new.
    for _ in 0..3 {
        assert_eq!(pair.once().await.to_verify, 1);
        let status = pair
            .until("what is to be compared", |status| !status.healthy)
            .await;
        assert!(
            problems(&status).starts_with("whether shop.k is equal on both nodes is not known"),
            "{}",
            problems(&status)
        );
    }
    let compared = Options {
        compared: true,
        ..Options::default()
    };
    assert_eq!(pair.once_with(compared).await.to_verify, 0);
    pair.until("health", |status| status.healthy).await;
    assert_eq!(pair.once().await.to_verify, 0);

    // What is passed over is not compared.
    pair.apart("UPDATE shop.t SET v = 1", "UPDATE shop.t SET v = 2")
        .await;
    swapped(&pair, "SELECT v FROM shop.t").await;
    let from_now = Options {
        from_now: true,
        ..Options::default()
    };
    assert_eq!(pair.once_with(from_now).await.to_verify, 1);
    assert_eq!(pair.once().await.to_verify, 1);
    let status = pair
        .until("what is to be compared", |status| !status.healthy)
        .await;
    let agent = status.agent.as_ref().unwrap();
    assert_eq!(agent.to_verify[0].table, ALL_TABLES);
    assert!(
        problems(&status).starts_with("whether the tables are equal on both nodes is not known"),
        "{}",
        problems(&status)
    );
}

#[tokio::test]
async fn what_to_compare_on_mysql_9_7() {
    remembers_what_to_compare(ServerKind::MySql97).await;
}

#[tokio::test]
async fn what_to_compare_on_mariadb() {
    remembers_what_to_compare(ServerKind::MariaDb1011).await;
}

/// A table of twinlog's own that is not there keeps the agent from starting: it must not begin at another place.
async fn needs_its_tables(kind: ServerKind) {
    let pair = Up::with(kind, POLICY, SHOP).await;
    pair.once().await;
    pair.apart("UPDATE shop.t SET v = 1", "UPDATE shop.t SET v = 2")
        .await;
    swapped(&pair, "SELECT v FROM shop.t").await;
    pair.quietly(Side::A, "DROP TABLE twinlog.conflict").await;
    let error = pair.agent().ended().await.unwrap_err();
    assert!(
        matches!(&error, Error::Start(StartError::NotReady(_))),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("a: the schema twinlog has no conflict"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("`twinlog up`"));
    let status = pair.status().await;
    assert!(
        problems(&status).contains("not there: conflict on a"),
        "{}",
        problems(&status)
    );

    let config = Config::load(&pair.dir.join("twinlog.toml")).unwrap();
    up::up(&mut Site::open(config).unwrap(), &super::Silent)
        .await
        .unwrap();
    let summary = pair.once().await;
    assert_eq!((summary.conflicts, summary.repaired), (1, 1));
    pair.both("SELECT v FROM shop.t", &["2"]).await;
}

#[tokio::test]
async fn without_its_tables_on_mysql_9_7() {
    needs_its_tables(ServerKind::MySql97).await;
}

#[tokio::test]
async fn without_its_tables_on_mariadb() {
    needs_its_tables(ServerKind::MariaDb1011).await;
}
