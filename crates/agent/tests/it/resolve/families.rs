//! Foreign keys.

use twinlog_agent::resolve::{Content, Hand, Outcome};
use twinlog_testbed::ServerKind;

use super::{ends, entry, history, repair, row, rows};
use crate::support::{info, node, open};

const FAMILY: &str = "CREATE DATABASE shop; \
     CREATE TABLE shop.p (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = InnoDB; \
     CREATE TABLE shop.t (id INT PRIMARY KEY, u INT, v INT NOT NULL, FOREIGN KEY (u) REFERENCES shop.p (id)) ENGINE = InnoDB; \
     CREATE TABLE shop.q (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES shop.p (id) ON DELETE CASCADE) ENGINE = InnoDB; \
     INSERT INTO shop.p VALUES (1, 10), (2, 20), (7, 70); INSERT INTO shop.t VALUES (1, 1, 10), (2, 2, 20); INSERT INTO shop.q VALUES (1, 7)";

/// Parents come before their children and go after them; what would cascade is refused.
async fn families(kind: ServerKind) {
    let server = node(kind, 1).await;
    server.exec(FAMILY).await;
    let (parent, child) = (
        info(&server, "shop", "p").await,
        info(&server, "shop", "t").await,
    );
    let mut hand = Hand::new(open(&server).await).await.unwrap();
    let repair_all = repair(vec![
        (&parent, 1, row([1, 10]), Content::Gone),
        (&parent, 3, Content::Gone, row([3, 30])),
        (&child, 1, row([1, 1, 10]), row([1, 3, 10])),
        (&child, 2, row([2, 2, 20]), Content::Gone),
        (&parent, 2, row([2, 20]), Content::Gone),
        (&child, 4, Content::Gone, row([4, 3, 40])),
    ]);
    assert_eq!(
        ends(&mut hand, &repair_all, &entry("000000000001")).await,
        Outcome::Committed
    );
    assert_eq!(rows(&server).await, ["1,3,10", "4,3,40"]);
    let cascade = repair(vec![(&parent, 7, row([7, 70]), Content::Gone)]);
    let Outcome::Cascades(reason) = ends(&mut hand, &cascade, &entry("000000000002")).await else {
        panic!("it cascaded");
    };
    assert!(
        reason.starts_with("rows of shop.q refer to a row of shop.p"),
        "{reason}"
    );
    assert_eq!(
        server.query_one::<u32>("SELECT COUNT(*) FROM shop.q").await,
        1
    );
    assert_eq!(history(&server).await, ["000000000001 open"]);
}

#[tokio::test]
async fn families_stay_whole() {
    for kind in ServerKind::ALL {
        families(kind).await;
    }
}
