//! Transactions that bear a name, or a server id, which is not theirs: what clients have written is never taken back for it.

use twinlog_testbed::ServerKind;

use super::kit::{count, drained, history, links, run_once, settles};
use crate::support::{Db, Pair, Rows, assert_fails};

const ALL: &str = "SELECT id, v FROM shop.t ORDER BY id";

async fn with_two_rows(kind: ServerKind) -> Pair {
    let pair = Pair::proven(kind);
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
            "INSERT INTO shop.t VALUES (1, 500), (2, 500)",
        ],
    )
    .await;
    settles(&pair);
    pair
}

fn rows(rows: &[[&str; 2]]) -> Rows {
    rows.iter()
        .map(|row| row.map(str::to_owned).into())
        .collect()
}

/// a writes under b's server id, and b passes over it.
async fn under_the_peers_server_id(pair: &Pair, a: &Db) {
    a.run(&["SET GLOBAL server_id = 2"]).await;
    let up = pair.twinlog.run(&["up"]);
    let said = "a runs under server id 2, which is b's";
    assert_fails(&up, 1, &[said, "SET GLOBAL server_id = 1"]);
    a.run(&[
        "UPDATE shop.t SET v = 600 WHERE id = 1",
        "INSERT INTO shop.t VALUES (3, 600)",
        "SET GLOBAL server_id = 1",
    ])
    .await;
}

#[tokio::test]
async fn under_the_peers_server_id_on_mysql_9_7() {
    let kind = ServerKind::MySql97;
    let pair = with_two_rows(kind).await;
    let [a, b] = pair.both();
    under_the_peers_server_id(&pair, &a).await;
    // As doctor's TL112 advises, though the nodes differ.
    let lacks = "SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{}')";
    let has = b.rows("SELECT @@GLOBAL.gtid_executed").await.remove(0);
    let lacking = a
        .rows(&lacks.replace("{}", &has[0]))
        .await
        .remove(0)
        .remove(0);
    let (uuid, numbers) = lacking.split_once(':').unwrap();
    let (first, last) = numbers.split_once('-').unwrap();
    for number in first.parse::<u64>().unwrap()..=last.parse().unwrap() {
        b.run(&[
            &format!("SET gtid_next = '{uuid}:{number}'"),
            "BEGIN",
            "COMMIT",
            "SET gtid_next = AUTOMATIC",
        ])
        .await;
    }
    run_once(&pair);
    // What a's client wrote stands, on both nodes.
    let kept = rows(&[["1", "600"], ["2", "500"], ["3", "600"]]);
    assert_eq!(a.rows(ALL).await, kept);
    assert_eq!(b.rows(ALL).await, kept, "{:?}", history(&pair).await);
}

#[tokio::test]
async fn under_the_peers_server_id_on_mariadb_10_11() {
    let kind = ServerKind::MariaDb1011;
    let pair = with_two_rows(kind).await;
    let [a, b] = pair.both();
    under_the_peers_server_id(&pair, &a).await;
    a.run(&["INSERT INTO shop.t VALUES (4, 4)"]).await;
    b.wait_for_rows("SELECT v FROM shop.t WHERE id = 4", &vec![vec!["4".into()]])
        .await;
    drained(&pair, kind).await;
    run_once(&pair);
    let kept = rows(&[["1", "600"], ["2", "500"], ["3", "600"], ["4", "4"]]);
    assert_eq!(a.rows(ALL).await, kept, "{:?}", history(&pair).await);
}

/// Rows under a's name that a's log has nothing of, and rows under a name that is neither node's: b alone has them.
#[tokio::test]
async fn under_a_name_of_others_on_mysql_9_7() {
    let kind = ServerKind::MySql97;
    let pair = with_two_rows(kind).await;
    let [a, b] = pair.both();
    let next = "SELECT CONCAT(@@server_uuid, ':', 1000)";
    let of_a = a.rows(next).await.remove(0).remove(0);
    let of_none = "aaaaaaaa-0000-4000-8000-000000000001:1".to_owned();
    links(&pair, kind, "STOP").await;
    for (id, gtid) in [(7, &of_a), (8, &of_none)] {
        let name = format!("SET gtid_next = '{gtid}'");
        let back = "SET gtid_next = AUTOMATIC";
        let row = format!("INSERT INTO shop.t VALUES ({id}, {id})");
        a.run(&[&name, "BEGIN", "COMMIT", back]).await;
        b.run(&[&name, &row, back]).await;
    }
    links(&pair, kind, "START").await;
    drained(&pair, kind).await;
    let output = run_once(&pair);
    let summary: serde_json::Value = serde_json::from_str(output.expect_code(1)).unwrap();
    assert_eq!(count(&summary, "repaired"), 0, "{summary:#}");
    let held = b.rows(ALL).await;
    assert_eq!(held[2..], rows(&[["7", "7"], ["8", "8"]]));
    let open: Vec<String> = history(&pair)
        .await
        .iter()
        .map(|row| row[3].clone())
        .collect();
    assert_eq!(open, ["open", "open"]);
}

/// One name for two transactions: MySQL tells by the times of their commits.
#[tokio::test]
async fn under_one_name_on_both_nodes_on_mysql_9_7() {
    let kind = ServerKind::MySql97;
    let pair = with_two_rows(kind).await;
    let [a, b] = pair.both();
    let of_a = "SELECT CONCAT('SET gtid_next = ''', @@server_uuid, ':1000''')";
    let name = a.rows(of_a).await.remove(0).remove(0);
    links(&pair, kind, "STOP").await;
    for (db, id) in [(&a, 7), (&b, 8)] {
        let row = format!("INSERT INTO shop.t VALUES ({id}, {id})");
        db.run(&[&name, &row, "SET gtid_next = AUTOMATIC"]).await;
    }
    links(&pair, kind, "START").await;
    drained(&pair, kind).await;
    let output = run_once(&pair);
    let summary: serde_json::Value = serde_json::from_str(output.expect_code(1)).unwrap();
    assert_eq!(count(&summary, "repaired"), 0, "{summary:#}");
    let said =
        "shop.t cannot be followed: two transactions that are not the same have the same GTID";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert_eq!(a.rows(ALL).await[2..], rows(&[["7", "7"]]));
    assert_eq!(b.rows(ALL).await[2..], rows(&[["8", "8"]]));
    assert!(history(&pair).await.is_empty());
}
