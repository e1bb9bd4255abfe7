//! What the agent compares by itself: on a schedule, and what it could not follow.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use twinlog_agent::verify;
use twinlog_converge::Side;
use twinlog_pair::{
    status::Status,
    watch_state::{Comparisons, Why},
};
use twinlog_testbed::{ServerKind, wait_until};

use super::{Up, problems};
use crate::support::DEADLINE;

const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); INSERT INTO shop.t VALUES (1, 0), (2, 0); \
                    CREATE TABLE shop.k (v INT); INSERT INTO shop.k VALUES (1), (2)";
/// Nothing of what an agent does when it is told to stop takes longer.
const STOP_MAX: Duration = Duration::from_secs(2);

async fn pair(kind: ServerKind, agent: &str) -> Up {
    let conflicts = format!("policy = \"prefer:b\"\n[agent]\n{agent}");
    Up::with(kind, &conflicts, SHOP).await
}

fn said(status: &Status) -> Comparisons {
    let agent = status.agent.as_ref();
    agent.map(|agent| agent.verify.clone()).unwrap_or_default()
}

async fn on_a_schedule(kind: ServerKind) {
    let pair = pair(kind, "verify_every = \"2s\"\nverify_load = 100").await;
    pair.quietly(Side::B, "UPDATE shop.t SET v = 7 WHERE id = 2")
        .await;
    let agent = pair.agent();
    let status = pair
        .until("the difference", |status| {
            !said(status).differing.is_empty()
        })
        .await;
    let verify = said(&status);
    let last = verify.last.as_ref().unwrap();
    assert_eq!((last.tables, last.rows, last.differing_rows), (2, 4, 1));
    assert_eq!(
        (last.tables_unknown, last.schema_differences),
        (0, 0),
        "{verify:?}"
    );
    assert_eq!(
        (verify.differing[0].table.as_str(), verify.differing[0].rows),
        ("shop.t", 1)
    );
    assert!(verify.next_at.is_some());
    assert!(!status.healthy);
    let problem = problems(&status);
    assert!(
        problem.starts_with(
            "the nodes differ: 1 row of shop.t differs, as the agent's comparison saw at 2"
        ),
        "{problem}"
    );
    // Made equal by hand, it is seen so by the next.
    pair.quietly(Side::A, "UPDATE shop.t SET v = 7 WHERE id = 2")
        .await;
    let status = pair
        .until("that it is equal again", |status| status.healthy)
        .await;
    assert!(said(&status).differing.is_empty());
    agent.stop().await.unwrap();
    // What was found is known without it.
    assert!(said(&pair.status().await).last.is_some());
}

#[tokio::test]
async fn a_difference_is_found_on_a_schedule_on_mysql_9_7() {
    on_a_schedule(ServerKind::MySql97).await;
}

#[tokio::test]
async fn a_difference_is_found_on_a_schedule_on_mysql_5_6() {
    on_a_schedule(ServerKind::MySql56).await;
}

#[tokio::test]
async fn a_difference_is_found_on_a_schedule_on_mariadb() {
    on_a_schedule(ServerKind::MariaDb1011).await;
}

/// A table without a key cannot be followed.
async fn soon_after_it_was_named(kind: ServerKind) {
    let pair = pair(kind, "verify_every = \"7d\"\nverify_load = 100").await;
    let agent = pair.agent();
    pair.exec(Side::A, "UPDATE shop.k SET v = 3 WHERE v = 2")
        .await;
    let named = |status: &Status| {
        let agent = status.agent.as_ref();
        agent.is_some_and(|agent| !agent.to_verify.is_empty())
    };
    pair.until("that it is named", named).await;
    let status = pair
        .until("that it is equal", |status| !named(status))
        .await;
    assert!(status.healthy, "{}", problems(&status));
    // It is followed no better than before.
    pair.exec(Side::A, "UPDATE shop.k SET v = 4 WHERE v = 3")
        .await;
    pair.until("that it is named again", named).await;
    agent.stop().await.unwrap();

    // One that differs stays named.
    pair.quietly(Side::B, "UPDATE shop.k SET v = 9 WHERE v = 1")
        .await;
    let agent = pair.agent();
    let status = pair
        .until("that it differs", |status| {
            !said(status).differing.is_empty()
        })
        .await;
    assert!(named(&status));
    let verify = said(&status);
    assert_eq!(
        (verify.differing[0].table.as_str(), verify.differing[0].rows),
        ("shop.k", 2)
    );
    assert!(verify.last.is_none(), "{verify:?}");
    agent.stop().await.unwrap();
    // The next agent knows, too.
    let status = pair.status().await;
    assert!(named(&status) && !said(&status).differing.is_empty());
}

#[tokio::test]
async fn a_table_is_compared_soon_after_it_was_named_on_mysql_9_7() {
    soon_after_it_was_named(ServerKind::MySql97).await;
}

#[tokio::test]
async fn a_table_is_compared_soon_after_it_was_named_on_mariadb() {
    soon_after_it_was_named(ServerKind::MariaDb1011).await;
}

/// Conflicts are settled while a comparison goes on; told to stop, the agent does, and the next one goes on with it.
async fn beside_the_watch(kind: ServerKind) {
    let pair = pair(kind, "verify_every = \"1s\"\nverify_load = 1").await;
    let digits = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION \
                  SELECT 7 UNION SELECT 8 UNION SELECT 9)";
    let many = format!(
        "CREATE TABLE shop.many (id INT PRIMARY KEY, v VARCHAR(200)); INSERT INTO shop.many SELECT \
         r.d * 100000 + q.d * 10000 + w.d * 1000 + x.d * 100 + y.d * 10 + z.d, REPEAT('v', 200) \
         FROM {digits} z, {digits} y, {digits} x, {digits} w, {digits} q, (SELECT 0 d UNION SELECT 1 UNION SELECT 2) r"
    );
    for side in Side::BOTH {
        pair.quietly(side, &many).await;
    }
    let under_way = |status: &Status| {
        let going = said(status).under_way;
        going.filter(|going| going.why == Why::Schedule && going.rows_done > 0)
    };
    let agent = pair.agent();
    let status = pair
        .until("a comparison", |status| under_way(status).is_some())
        .await;
    let first = under_way(&status).unwrap();
    assert!(
        first.rows_done < first.rows_estimated && first.tables == 3,
        "{first:?}"
    );
    pair.apart(
        "UPDATE shop.t SET v = 1 WHERE id = 1",
        "UPDATE shop.t SET v = 2 WHERE id = 1",
    )
    .await;
    pair.both("SELECT v FROM shop.t WHERE id = 1", &["2"]).await;
    assert!(under_way(&pair.status().await).is_some());
    // How far it is, is written down now and then.
    wait_until(DEADLINE, "a bookmark", async || {
        let mut dirs = std::fs::read_dir(pair.site.verify_dir()).ok()?.flatten();
        dirs.any(|dir| dir.path().join("bookmark.json").exists())
            .then_some(())
    })
    .await;
    let (asked, stopped_at) = (Instant::now(), jiff::Timestamp::now());
    let summary = agent.stop().await.unwrap();
    assert!(asked.elapsed() < STOP_MAX, "{:?}", asked.elapsed());
    assert_eq!((summary.conflicts, summary.repaired), (1, 1));
    // Without an agent nothing goes on.
    assert_eq!(said(&pair.status().await).under_way, None);
    let agent = pair.agent();
    let status = pair
        .until("the comparison", |status| under_way(status).is_some())
        .await;
    let second = under_way(&status).unwrap();
    let began: jiff::Timestamp = second.began_at.parse().unwrap();
    assert!(began < stopped_at, "{first:?} {second:?}");
    assert!(second.rows_done >= first.rows_done, "{first:?} {second:?}");
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn conflicts_are_settled_beside_a_comparison_on_mysql_9_7() {
    beside_the_watch(ServerKind::MySql97).await;
}

#[tokio::test]
async fn conflicts_are_settled_beside_a_comparison_on_mariadb() {
    beside_the_watch(ServerKind::MariaDb1011).await;
}

/// A server would go on with a statement whose client is gone.
async fn given_up(kind: ServerKind) {
    let pair = pair(kind, "verify_every = \"never\"").await;
    let asleep = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(60)%' AND ID <> CONNECTION_ID()";
    let options = verify::Options {
        tables: vec!["shop.*".to_owned()],
        beside: false,
        only: Some("SLEEP(60) = 0".to_owned()),
        since: None,
        rows_max: 10,
        anew: true,
        limits: verify::Limits {
            parallel: 2,
            yields: false,
            lag_max: Duration::from_secs(10),
            load_percent: 100,
            settled_first: false,
        },
    };
    let site = Arc::clone(&pair.site);
    let comparison =
        tokio::spawn(async move { verify::verify(&site, &options, Arc::default()).await });
    wait_until(DEADLINE, "statements that take long", async || {
        for side in Side::BOTH {
            if pair.rows(side, asleep).await == ["0"] {
                return None;
            }
        }
        Some(())
    })
    .await;
    comparison.abort();
    let began = Instant::now();
    pair.both(asleep, &["0"]).await;
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_is_given_up_ends_on_the_servers_on_mysql_9_7() {
    given_up(ServerKind::MySql97).await;
}

#[tokio::test]
async fn what_is_given_up_ends_on_the_servers_on_mariadb() {
    given_up(ServerKind::MariaDb1011).await;
}
