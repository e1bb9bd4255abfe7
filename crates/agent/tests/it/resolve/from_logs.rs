//! Episodes as real logs tell them.

use std::sync::Arc;

use twinlog_agent::history::{Kind, State, Told, chosen, find, set_repair_gtids};
use twinlog_agent::resolve::{Judged, Settled, Tables, draft, settle};
use twinlog_converge::{Conflict, Decision, Episode, EpisodeRow, Held, Side, Version, Write};
use twinlog_testbed::{ServerKind, wait_until};

use super::{NOW_US, lead, nodes};
use crate::support::{DEADLINE, Pair, changes, info, logged, table};

/// Both nodes write a row unseen; what was in their logs becomes an episode, its repair, and its row of the history.
async fn from_the_logs(kind: ServerKind) {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT UNSIGNED PRIMARY KEY, name VARCHAR(20) CHARACTER SET utf8mb4, \
         price DECIMAL(10,2), at TIMESTAMP(3) NULL, f FLOAT) ENGINE = InnoDB; \
         INSERT INTO shop.t VALUES (4000000000, 'base', 1.50, '2024-01-01 00:00:00.5', 0.1)";
    let pair = Pair::linked(kind, setup).await;
    let name = table("shop", "t");
    let mariadb = kind.is_mariadb();
    let (stop, start) = if kind == ServerKind::MySql97 {
        ("STOP REPLICA", "START REPLICA")
    } else {
        ("STOP SLAVE", "START SLAVE")
    };
    for server in &pair.nodes {
        server.exec(stop).await;
    }
    pair.node(Side::A)
        .exec("UPDATE shop.t SET name = 'von a', price = 2 WHERE id = 4000000000")
        .await;
    pair.node(Side::B)
        .exec("UPDATE shop.t SET name = 'von b \u{1F600}', f = 0.2 WHERE id = 4000000000")
        .await;
    let mut logs = Vec::new();
    for server in &pair.nodes {
        let all = logged(server).await;
        logs.push(
            all.into_iter()
                .rfind(|it| !changes(std::slice::from_ref(it), &name).is_empty())
                .unwrap(),
        );
    }
    for server in &pair.nodes {
        server.exec(start).await;
    }
    let names = "SELECT CAST(name AS CHAR) FROM shop.t";
    let swapped = [("a", Side::A, "von b \u{1F600}"), ("b", Side::B, "von a")];
    for (node, side, expected) in swapped {
        wait_until(DEADLINE, node, async || {
            (pair.node(side).query_one::<String>(names).await == expected).then_some(())
        })
        .await;
    }
    let write = |side: Side| {
        let transaction = &logs[side.index()];
        let [before, after] = changes(std::slice::from_ref(transaction), &name)
            .pop()
            .unwrap();
        Write {
            origin: side,
            gtid: transaction.gtid.clone().unwrap(),
            committed: transaction.committed,
            before: Some((0, before.unwrap())),
            after: Some((0, after.unwrap())),
            repair: false,
            against: vec![1 - side.index()],
            after_writes: Vec::new(),
        }
    };
    let writes = Side::BOTH.map(write);
    let version = |side: Side| {
        writes[side.index()]
            .after
            .clone()
            .map(|(_, image)| Version::Row(image))
            .unwrap()
    };
    let table = info(pair.node(Side::A), "shop", "t").await;
    let episode = Episode {
        rows: vec![EpisodeRow {
            table: name.clone(),
            keys: Arc::new(table.keys()),
            key: writes[0].before.clone().unwrap().1,
            base: writes[0]
                .before
                .clone()
                .map(|(_, image)| Version::Row(image)),
            held: [Held::Unknown, Held::Known(version(Side::A))],
        }],
        conflicts: vec![Conflict {
            gtids: [writes[0].gtid.clone(), writes[1].gtid.clone()],
        }],
        writes: writes.to_vec(),
        repaired: false,
    };
    let decision = Decision {
        rows: Some(vec![twinlog_converge::Outcome::Version(version(Side::A))]),
        chosen: Some(Side::A),
        rule: "because a".to_owned(),
    };
    let tables: Tables = [(name.clone(), table)].into();
    let mut leadership = lead(&pair).await;
    let mut judged = Judged::new(&episode, &decision, &tables).unwrap();
    assert_eq!(judged.unknown(Side::A).count(), 1);
    judged
        .ask(Side::A, leadership.hand(Side::A).conn())
        .await
        .unwrap();
    let draft = draft(
        &episode,
        &decision,
        &judged,
        &tables,
        "prefer:a",
        &nodes(),
        NOW_US,
    )
    .unwrap();
    let id = draft.id().to_owned();
    assert_eq!(
        settle(&mut leadership, &judged, draft, NOW_US, None)
            .await
            .unwrap(),
        Settled::Repaired
    );
    pair.both(names, &["von a"]).await;
    let entry = find(leadership.hand(Side::B).conn(), &id).await;
    let entry = match entry {
        Ok(entry) => entry,
        Err(_) => find(leadership.hand(Side::A).conn(), &id).await.unwrap(),
    };
    assert_eq!(
        (entry.state, entry.kind, entry.row_key.as_str()),
        (State::Repaired, Kind::Conflict, "id=4000000000")
    );
    assert_eq!(entry.chosen_us, Some(logs[0].committed.micros));
    let cell = |row: &Told, at: usize| match row {
        Told::Row(cells) => cells[at].to_string(),
        other => panic!("{other:?}"),
    };
    let told = &entry.detail.rows[0];
    assert_eq!(cell(&told.base, 2), "1.50");
    assert_eq!(
        [
            cell(&told.held[0], 1),
            cell(&told.held[1], 1),
            cell(&told.chosen, 1)
        ],
        ["'von b \u{1F600}'", "'von a'", "'von a'"]
    );
    assert_eq!(
        [cell(&told.held[0], 4), cell(&told.held[1], 4)],
        ["0.2", "0.1"]
    );
    assert_eq!(cell(&told.base, 3), "'2024-01-01 00:00:00.500'");
    assert_eq!(entry.detail.writes.len(), 2);
    // In the log the repair is marked by its row of the history.
    let repair = logged(pair.node(Side::A))
        .await
        .into_iter()
        .rfind(|it| !changes(std::slice::from_ref(it), &name).is_empty())
        .unwrap();
    let mark = changes(
        std::slice::from_ref(&repair),
        &crate::support::table("twinlog", "conflict"),
    );
    let mark = chosen(mark[0][1].as_ref().unwrap().as_image()).unwrap();
    assert_eq!(
        (mark.id, mark.node.as_deref(), mark.micros),
        (id.clone(), Some("a"), entry.chosen_us)
    );
    let gtid = repair.gtid.unwrap().to_string();
    set_repair_gtids(
        leadership.hand(Side::A).conn(),
        &[(id.clone(), gtid.clone())],
    )
    .await
    .unwrap();
    pair.both(
        "SELECT IFNULL(repair_gtid, '') FROM twinlog.conflict",
        &[&gtid],
    )
    .await;
    assert_eq!(gtid.contains(':'), !mariadb);
}

#[tokio::test]
async fn an_episode_of_real_logs_is_ended_on_mysql() {
    from_the_logs(ServerKind::MySql97).await;
    from_the_logs(ServerKind::MySql56).await;
}

#[tokio::test]
async fn an_episode_of_real_logs_is_ended_on_mariadb() {
    from_the_logs(ServerKind::MariaDb1011).await;
    from_the_logs(ServerKind::MariaDb118).await;
}
