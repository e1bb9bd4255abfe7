//! A repair that does not come to its end.

use twinlog_agent::history::{State, insert_sql};
use twinlog_agent::resolve::{Content, Draft, Execution, Hand, Mark, Outcome, Progress};
use twinlog_testbed::{ServerKind, wait_until};

use super::{AFTER, BEFORE, NOW_US, SHOP, ends, entry, history, ints, rows, swap};
use crate::support::{DEADLINE, info, node, open};

/// Killed before any step, a repair has left nothing, or all.
async fn killed_anywhere(kind: ServerKind) {
    let server = node(kind, 1).await;
    server.exec(SHOP).await;
    let table = info(&server, "shop", "t").await;
    let repair = swap(&table);
    let mark = Mark::Insert(insert_sql(
        &Draft::from(entry("0123456789ab")).entry(State::Repaired, NOW_US),
    ));
    let mut kept = 0;
    loop {
        let mut hand = Hand::new(open(&server).await).await.unwrap();
        let id = hand.conn().id();
        let mut execution = Execution::new(&mut hand, &repair, &mark);
        let mut ended = None;
        for _ in 0..kept {
            if let Progress::Ended(outcome) = execution.step().await.unwrap() {
                ended = Some(outcome);
            }
        }
        drop(hand);
        wait_until(DEADLINE, "the connection's end", async || {
            let alive: Vec<u32> = server
                .query(&format!(
                    "SELECT ID FROM information_schema.PROCESSLIST WHERE ID = {id}"
                ))
                .await;
            alive.is_empty().then_some(())
        })
        .await;
        if ended.is_some() {
            assert_eq!(ended, Some(Outcome::Committed));
            break;
        }
        assert_eq!(rows(&server).await, BEFORE, "{kept}");
        assert_eq!(history(&server).await, [""; 0], "{kept}");
        kept += 1;
    }
    assert!(kept > 10, "{kept}");
    assert_eq!(rows(&server).await, AFTER);
    assert_eq!(history(&server).await, ["0123456789ab repaired"]);
    // Whoever does it again finds rows that are not what was judged, and leaves them.
    let mut hand = Hand::new(open(&server).await).await.unwrap();
    let again = ends(&mut hand, &repair, &entry("0123456789ab")).await;
    assert!(matches!(again, Outcome::Changed { .. }), "{again:?}");
    assert_eq!(rows(&server).await, AFTER);
    assert_eq!(history(&server).await, ["0123456789ab repaired"]);
}

#[tokio::test]
async fn killed_anywhere_a_repair_is_there_or_not() {
    for kind in ServerKind::ALL {
        killed_anywhere(kind).await;
    }
}

#[tokio::test]
async fn a_row_that_someone_wrote_meanwhile_is_left_alone() {
    let server = node(ServerKind::MySql97, 1).await;
    server.exec(SHOP).await;
    let table = info(&server, "shop", "t").await;
    let mut hand = Hand::new(open(&server).await).await.unwrap();
    for (sql, undo, row, found) in [
        (
            "UPDATE shop.t SET v = 99 WHERE id = 1",
            "UPDATE shop.t SET v = 10 WHERE id = 1",
            0,
            super::row([1, 1, 99]),
        ),
        (
            "INSERT INTO shop.t VALUES (4, NULL, 1)",
            "DELETE FROM shop.t WHERE id = 4",
            2,
            ints(&[Some(4), None, Some(1)]),
        ),
        (
            "DELETE FROM shop.t WHERE id = 2",
            "INSERT INTO shop.t VALUES (2, 2, 20)",
            1,
            Content::Gone,
        ),
    ] {
        server.exec(sql).await;
        let before = rows(&server).await;
        let outcome = ends(&mut hand, &swap(&table), &entry("0123456789ab")).await;
        assert_eq!(outcome, Outcome::Changed { row, found });
        assert_eq!(rows(&server).await, before);
        server.exec(undo).await;
    }
    assert_eq!(history(&server).await, [""; 0]);
    // Nor is a row that has become what was chosen by itself: a merge is not what one of its parts came to by chance.
    server.exec("DELETE FROM shop.t WHERE id = 3").await;
    let outcome = ends(&mut hand, &swap(&table), &entry("0123456789ab")).await;
    assert!(
        matches!(outcome, Outcome::Changed { row: 3, .. }),
        "{outcome:?}"
    );
    assert_eq!(history(&server).await, [""; 0]);
}
