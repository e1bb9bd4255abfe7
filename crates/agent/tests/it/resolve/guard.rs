//! What a repair checks under its rows' locks.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use twinlog_agent::resolve::{Content, Settled, Sight, Witness, settle};
use twinlog_converge::Side;
use twinlog_row::run;
use twinlog_server::{conn::Conn, facts::Coordinates};
use twinlog_testbed::ServerKind;

use super::{NOW_US, SHOP, entry, history, judged, judged_row, lead, row, rows};
use crate::support::{Pair, connect, info};

/// Says what it is told to, and tries to write each row as it is asked.
struct Told {
    sights: Vec<Sight>,
    client: Conn,
    /// Where the logs were when it was asked.
    ends: Vec<[Coordinates; 2]>,
}

impl Witness for Told {
    fn look(&mut self, ends: [Coordinates; 2], _: Duration) -> BoxFuture<'_, Sight> {
        async move {
            self.ends.push(ends);
            for id in [1, 2] {
                let sql = format!("UPDATE shop.t SET v = v + 100 WHERE id = {id}");
                let refused = run(&mut self.client, &sql).await.unwrap_err();
                assert!(refused.to_string().contains("1205"), "{refused}");
            }
            self.sights.remove(0)
        }
        .boxed()
    }
}

/// All rows that were judged together are locked, the right one too; whoever reads the logs is asked then, and nothing is
/// written where someone else has, although every row is what was judged.
async fn is_asked(kind: ServerKind) {
    let pair = Pair::linked(kind, SHOP).await;
    let table = info(pair.node(Side::A), "shop", "t").await;
    let mut leadership = lead(&pair).await;
    pair.quietly(Side::B, "UPDATE shop.t SET v = 11 WHERE id = 1")
        .await;
    let episode = judged(vec![
        judged_row(
            &table,
            1,
            [row([1, 1, 10]), row([1, 1, 11])],
            row([1, 1, 10]),
        ),
        judged_row(
            &table,
            2,
            [row([2, 2, 20]), row([2, 2, 20])],
            row([2, 2, 20]),
        ),
    ]);
    let mut told = Told {
        sights: vec![Sight::Touched, Sight::Untouched],
        client: connect(pair.node(Side::B)).await,
        ends: Vec::new(),
    };
    let before = rows(pair.node(Side::B)).await;
    let draft = || entry("aaaaaaaaaaaa").into();
    let eyes = Some(&mut told as &mut dyn Witness);
    let settled = settle(&mut leadership, &episode, draft(), NOW_US, eyes).await;
    let half = None;
    assert_eq!(
        settled.unwrap(),
        Settled::Changed {
            side: Side::B,
            half
        }
    );
    assert_eq!(rows(pair.node(Side::B)).await, before);
    assert_eq!(history(pair.node(Side::B)).await, [""; 0]);

    let eyes = Some(&mut told as &mut dyn Witness);
    let settled = settle(&mut leadership, &episode, draft(), NOW_US, eyes).await;
    assert_eq!(settled.unwrap(), Settled::Repaired);
    pair.both(
        "SELECT v FROM shop.t ORDER BY id",
        &["10", "20", "30", "50"],
    )
    .await;
    let places = told.ends.iter().flatten();
    assert!(
        places
            .clone()
            .all(|end| end.position > 4 && end.file.starts_with("bin."))
    );

    // A row that is right must stay what it was judged to be, too.
    pair.quietly(
        Side::B,
        "UPDATE shop.t SET v = 11 WHERE id = 1; UPDATE shop.t SET v = 21 WHERE id = 2",
    )
    .await;
    let settled = settle(&mut leadership, &episode, draft(), NOW_US, None).await;
    assert_eq!(
        settled.unwrap(),
        Settled::Changed {
            side: Side::B,
            half
        }
    );
    leadership.release().await;
}

#[tokio::test]
async fn a_repair_asks_who_reads_the_logs_on_mysql() {
    is_asked(ServerKind::MySql97).await;
    is_asked(ServerKind::MySql56).await;
}

#[tokio::test]
async fn a_repair_asks_who_reads_the_logs_on_mariadb() {
    is_asked(ServerKind::MariaDb1011).await;
}

/// A parent goes and another takes over what its child refers to: the child has not lost anything.
async fn parent_is_replaced(kind: ServerKind) {
    let setup = "CREATE DATABASE shop; \
         CREATE TABLE shop.p (id INT PRIMARY KEY, u INT, v INT, UNIQUE (u)) ENGINE = InnoDB; \
         CREATE TABLE shop.c (id INT PRIMARY KEY, u INT, FOREIGN KEY (u) REFERENCES shop.p (u)) ENGINE = InnoDB; \
         INSERT INTO shop.p VALUES (2, NULL, 0), (3, 2, 0); INSERT INTO shop.c VALUES (1, 2)";
    let pair = Pair::linked(kind, setup).await;
    pair.quietly(
        Side::B,
        "SET SESSION foreign_key_checks = 0; DELETE FROM shop.p WHERE id = 3; UPDATE shop.p SET u = 2 WHERE id = 2",
    )
    .await;
    let parent = info(pair.node(Side::A), "shop", "p").await;
    let mut leadership = lead(&pair).await;
    let empty = super::ints(&[Some(2), None, Some(0)]);
    let episode = judged(vec![
        judged_row(&parent, 2, [empty, row([2, 2, 0])], row([2, 2, 0])),
        judged_row(&parent, 3, [row([3, 2, 0]), Content::Gone], Content::Gone),
    ]);
    let draft = entry("bbbbbbbbbbbb").into();
    let settled = settle(&mut leadership, &episode, draft, NOW_US, None).await;
    assert_eq!(settled.unwrap(), Settled::Repaired);
    pair.both("SELECT CONCAT(id, ',', u) FROM shop.p", &["2,2"])
        .await;
    pair.both("SELECT u FROM shop.c", &["2"]).await;
    leadership.release().await;
}

#[tokio::test]
async fn a_parent_may_give_way_to_another() {
    for kind in [
        ServerKind::MySql97,
        ServerKind::MySql56,
        ServerKind::MariaDb1011,
    ] {
        parent_is_replaced(kind).await;
    }
}
