//! What keeps a repair from being made.

use twinlog_agent::history::{Filter, list};
use twinlog_agent::resolve::{Content, Leadership, Settled, settle};
use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_row::run;
use twinlog_testbed::ServerKind;

use super::{NOW_US, entry, history, judged, judged_row, nodes};
use crate::support::{connect, info, node, open};

/// A collation's `A` is in the way of an `a` that another row gives up; clients hold locks; what the
/// server refuses is written down in its words.
async fn in_the_way(kind: ServerKind) {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, u VARCHAR(9) CHARACTER SET utf8mb4 UNIQUE, \
         v INT NOT NULL) ENGINE = InnoDB; INSERT INTO shop.t VALUES (1, 'ä', 1), (2, 'b', 2)";
    let [a, b] = [node(kind, 1).await, node(kind, 2).await];
    a.exec(setup).await;
    b.exec(setup).await;
    let table = info(&a, "shop", "t").await;
    let mut leadership = Leadership::take(nodes(), [open(&a).await, open(&b).await])
        .await
        .unwrap();
    let row = |id: i64, u: &str, v: i64| {
        Content::Row(vec![Value::Int(id), Value::Bytes(u.into()), Value::Int(v)])
    };
    let swapped = |v: i64, to: i64| {
        judged(vec![
            judged_row(
                &table,
                1,
                [row(1, "ä", v), row(1, "B", to)],
                row(1, "B", to),
            ),
            judged_row(&table, 2, [row(2, "b", 2), row(2, "Ä", 2)], row(2, "Ä", 2)),
        ])
    };
    let mut client = connect(&a).await;
    run(
        &mut client,
        "START TRANSACTION; UPDATE shop.t SET v = v + 1 WHERE id = 1",
    )
    .await
    .unwrap();
    // A client that does not let go keeps no other repair waiting: it is tried again later.
    let swapping = swapped(1, 9);
    let held = settle(
        &mut leadership,
        &swapping,
        entry("dddddddddddd").into(),
        NOW_US,
        None,
    )
    .await;
    assert!(matches!(held.unwrap(), Settled::Busy { side: Side::A, .. }));
    assert_eq!(history(&a).await, [""; 0]);
    run(&mut client, "ROLLBACK").await.unwrap();
    let settled = settle(
        &mut leadership,
        &swapping,
        entry("dddddddddddd").into(),
        NOW_US,
        None,
    )
    .await;
    assert_eq!(settled.unwrap(), Settled::Repaired);
    let held: Vec<String> = a
        .query("SELECT CONCAT(id, CAST(u AS CHAR), v) FROM shop.t ORDER BY id")
        .await;
    assert_eq!(held, ["1B9", "2Ä2"]);
    // A stranger's row holds what is to be inserted: nobody chose between the two.
    let stranger = judged(vec![judged_row(
        &table,
        5,
        [Content::Gone, row(5, "b", 5)],
        row(5, "b", 5),
    )]);
    let settled = settle(
        &mut leadership,
        &stranger,
        entry("eeeeeeeeeeee").into(),
        NOW_US,
        None,
    )
    .await
    .unwrap();
    // Its rows must be judged with it: that is the caller's to do, and nothing is written down before.
    assert!(
        matches!(&settled, Settled::Blocked { side: Side::A, reason, .. } if reason.contains("Duplicate entry 'b'")),
        "{settled:?}"
    );
    let all = list(leadership.hand(Side::A).conn(), &Filter::default()).await;
    assert!(all.unwrap().iter().all(|entry| entry.id != "eeeeeeeeeeee"));
    // A trigger that bends what is written is found before it is committed.
    a.exec("CREATE TRIGGER shop.bend BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.v = NEW.v + 1")
        .await;
    let bent = judged(vec![judged_row(
        &table,
        6,
        [Content::Gone, row(6, "x", 6)],
        row(6, "x", 6),
    )]);
    let settled = settle(
        &mut leadership,
        &bent,
        entry("ffffffffffff").into(),
        NOW_US,
        None,
    )
    .await
    .unwrap();
    assert!(
        matches!(&settled, Settled::Open(reason) if reason.contains("a trigger")),
        "{settled:?}"
    );
    assert_eq!(a.query_one::<u32>("SELECT COUNT(*) FROM shop.t").await, 2);
}

#[tokio::test]
async fn what_is_in_the_way_is_tried_again_or_written_down() {
    for kind in ServerKind::ALL {
        in_the_way(kind).await;
    }
}
