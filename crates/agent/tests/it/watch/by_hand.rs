//! What a person decides where rows outside the conflict are in the way.

use twinlog_agent::{
    conflicts::{Nodes, Request, carry_out, propose},
    history::{State, Told},
};
use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// A row that only one node holds so has the unique key that the kept version needs: it becomes what the other node has,
/// which is shown before and kept.
async fn resolves(kind: ServerKind) {
    let conflicts = "policy = \"last-write-wins\"\n[[conflicts.tables]]\nmatch = \"shop.m\"\npolicy = \"manual\"";
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.m (id INT PRIMARY KEY, u INT UNIQUE); \
         INSERT INTO shop.m VALUES (1, 1), (2, 2), (3, 3)";
    let pair = Up::with(kind, conflicts, setup).await;
    let agent = pair.agent();
    pair.apart(
        "UPDATE shop.m SET u = 10 WHERE id = 1",
        "UPDATE shop.m SET u = 20 WHERE id = 1",
    )
    .await;
    pair.both("SELECT state FROM twinlog.conflict", &["open"])
        .await;
    assert_eq!(
        pair.rows(Side::A, "SELECT u FROM shop.m WHERE id = 1")
            .await,
        ["20"]
    );
    // The links have swapped the two versions.
    pair.quietly(Side::A, "UPDATE shop.m SET u = 10 WHERE id = 2")
        .await;
    let id = pair
        .rows(Side::A, "SELECT id FROM twinlog.conflict")
        .await
        .remove(0);

    let mut nodes = Nodes::open(&pair.site).await.unwrap();
    let keep = Request::Resolve {
        keep: Some(Side::A),
        set: Vec::new(),
    };
    let proposal = propose(&mut nodes, &id, 0, &keep).await.unwrap();
    assert_eq!(proposal.rows.len(), 2);
    assert_eq!(
        proposal
            .entry
            .detail
            .key_text(&proposal.entry.detail.rows[1]),
        "id=2"
    );
    assert_eq!(proposal.rows[1].wanted, proposal.rows[1].now[1]);
    assert_ne!(proposal.rows[1].wanted, proposal.rows[1].now[0]);
    assert!(
        proposal
            .notes
            .iter()
            .any(|note| note.starts_with("1 more row is in the way")),
        "{:?}",
        proposal.notes
    );
    let sql: Vec<&str> = proposal
        .statements
        .iter()
        .map(|it| it.sql.as_str())
        .collect();
    assert_eq!(
        sql,
        [
            "UPDATE `shop`.`m` SET `u` = 2 WHERE `id` = 2",
            "UPDATE `shop`.`m` SET `u` = 10 WHERE `id` = 1"
        ]
    );
    let done = carry_out(&mut nodes, &proposal, "ana@db1", 1_700_000_000_000_000)
        .await
        .unwrap();
    assert_eq!((done.state, done.equal), (State::Repaired, true));
    pair.both("SELECT u FROM shop.m ORDER BY id", &["10", "2", "3"])
        .await;
    pair.both("SELECT state FROM twinlog.conflict", &["repaired"])
        .await;
    let entry = twinlog_agent::history::find(&mut pair.root(Side::B).await, &id)
        .await
        .unwrap();
    let ruled = &entry.detail.rulings[0].rows[1];
    assert!(matches!(&ruled.found[0], Told::Row(cells) if cells[1].to_string() == "10"));
    nodes.close().await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_in_a_persons_way_is_shown_and_kept_on_mysql() {
    resolves(ServerKind::MySql97).await;
    resolves(ServerKind::MySql56).await;
}

#[tokio::test]
async fn what_is_in_a_persons_way_is_shown_and_kept_on_mariadb() {
    resolves(ServerKind::MariaDb1011).await;
}
