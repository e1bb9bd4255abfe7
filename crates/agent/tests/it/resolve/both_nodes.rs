//! Repairs that must reach both nodes.

use twinlog_agent::resolve::{Content, Settled, settle};
use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::{NOW_US, SHOP, entry, judged, judged_row, lead, row};
use crate::support::{Pair, info};

/// A merge, of which neither node has the outcome, and rows of which each node lacks some.
async fn both_nodes(kind: ServerKind) {
    let pair = Pair::linked(kind, SHOP).await;
    let table = info(pair.node(Side::A), "shop", "t").await;
    let mut leadership = lead(&pair).await;
    // Neither holds it, and b has no row 2: one transaction ends both.
    pair.quietly(Side::A, "UPDATE shop.t SET v = 11 WHERE id = 1")
        .await;
    pair.quietly(
        Side::B,
        "UPDATE shop.t SET v = 12 WHERE id = 1; DELETE FROM shop.t WHERE id = 2",
    )
    .await;
    let merge = judged(vec![
        judged_row(
            &table,
            1,
            [row([1, 1, 11]), row([1, 1, 12])],
            row([1, 1, 13]),
        ),
        judged_row(&table, 2, [row([2, 2, 20]), Content::Gone], row([2, 2, 21])),
    ]);
    let settled = settle(
        &mut leadership,
        &merge,
        entry("aaaaaaaaaaaa").into(),
        NOW_US,
        None,
    )
    .await
    .unwrap();
    assert_eq!(settled, Settled::Repaired);
    let all = "SELECT CONCAT_WS(',', id, IFNULL(u, 'null'), v) FROM shop.t ORDER BY id";
    pair.both(all, &["1,1,13", "2,2,21", "3,3,30", "5,5,50"])
        .await;
    let ids = "SELECT CONCAT(id, ' ', state) FROM twinlog.conflict ORDER BY id";
    pair.both(ids, &["aaaaaaaaaaaa repaired"]).await;
    // a lacks row 6, and b row 7: each node is repaired, and the second closes the history.
    pair.quietly(Side::B, "INSERT INTO shop.t VALUES (6, 6, 60)")
        .await;
    pair.quietly(Side::A, "INSERT INTO shop.t VALUES (7, 7, 70)")
        .await;
    let halves = judged(vec![
        judged_row(&table, 6, [Content::Gone, row([6, 6, 60])], row([6, 6, 60])),
        judged_row(&table, 7, [row([7, 7, 70]), Content::Gone], row([7, 7, 70])),
    ]);
    let settled = settle(
        &mut leadership,
        &halves,
        entry("bbbbbbbbbbbb").into(),
        NOW_US,
        None,
    )
    .await
    .unwrap();
    assert_eq!(settled, Settled::Repaired);
    pair.both(
        all,
        &["1,1,13", "2,2,21", "3,3,30", "5,5,50", "6,6,60", "7,7,70"],
    )
    .await;
    pair.both(ids, &["aaaaaaaaaaaa repaired", "bbbbbbbbbbbb repaired"])
        .await;
    let sums = "SELECT SHA2(GROUP_CONCAT(id, state, detail, resolved_at ORDER BY id), 256) FROM twinlog.conflict";
    let sum: String = pair.node(Side::A).query_one(sums).await;
    pair.both(sums, &[&sum]).await;
    // Row 8 shall have the key that b's row 9 has: the copy of the first half is skipped there, and the second does it.
    pair.quietly(
        Side::A,
        "INSERT INTO shop.t VALUES (8, 80, 1), (10, 100, 1)",
    )
    .await;
    pair.quietly(Side::B, "INSERT INTO shop.t VALUES (8, 81, 1), (9, 82, 1)")
        .await;
    let skipped = judged(vec![
        judged_row(
            &table,
            8,
            [row([8, 80, 1]), row([8, 81, 1])],
            row([8, 82, 1]),
        ),
        judged_row(&table, 9, [Content::Gone, row([9, 82, 1])], Content::Gone),
        judged_row(
            &table,
            10,
            [row([10, 100, 1]), Content::Gone],
            Content::Gone,
        ),
    ]);
    let draft = entry("dddddddddddd").into();
    let settled = settle(&mut leadership, &skipped, draft, NOW_US, None).await;
    assert_eq!(settled.unwrap(), Settled::Repaired);
    pair.both(
        all,
        &[
            "1,1,13", "2,2,21", "3,3,30", "5,5,50", "6,6,60", "7,7,70", "8,82,1",
        ],
    )
    .await;
    // Nothing to do is written down for a conflict.
    let equal = judged(vec![judged_row(
        &table,
        1,
        [row([1, 1, 13]), row([1, 1, 13])],
        row([1, 1, 13]),
    )]);
    let settled = settle(
        &mut leadership,
        &equal,
        entry("cccccccccccc").into(),
        NOW_US,
        None,
    )
    .await
    .unwrap();
    assert_eq!(settled, Settled::Equal);
    leadership.check().await.unwrap();
    leadership.release().await;
}

#[tokio::test]
async fn both_nodes_are_repaired_on_mysql_9_7() {
    both_nodes(ServerKind::MySql97).await;
}

#[tokio::test]
async fn both_nodes_are_repaired_on_mysql_5_6() {
    both_nodes(ServerKind::MySql56).await;
}

#[tokio::test]
async fn both_nodes_are_repaired_on_mariadb() {
    both_nodes(ServerKind::MariaDb1011).await;
}
