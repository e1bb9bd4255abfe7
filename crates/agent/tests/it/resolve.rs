//! Repairs on real servers.

use std::sync::Arc;

use twinlog_agent::history::{
    Detail, Entry, Filter, Kind, State, Told, chosen, find, insert_sql, list, set_repair_gtid,
};
use twinlog_agent::resolve::{
    Content, Draft, Execution, Hand, How, Judged, JudgedRow, LOCK_NAME, Leadership,
    LeadershipError, Outcome, Plan, Progress, Repair, Settled, Tables, draft, plan, settle,
};
use twinlog_agent::row::{TableInfo, run};
use twinlog_binlog::Value;
use twinlog_converge::{Conflict, Decision, Episode, EpisodeRow, Held, Side, Version, Write};
use twinlog_testbed::{Server, ServerKind, wait_until};

use crate::support::{DEADLINE, Pair, changes, connect, info, logged, node, open, table};

const NOW_US: u64 = 1_700_000_000_000_000;

pub(crate) fn nodes() -> [String; 2] {
    ["a".to_owned(), "b".to_owned()]
}

pub(crate) fn entry(id: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        found_us: NOW_US,
        schema_name: "shop".to_owned(),
        table_name: "t".to_owned(),
        row_key: "id=1".to_owned(),
        kind: Kind::Conflict,
        state: State::Open,
        policy: "last-write-wins".to_owned(),
        rule: "the later commit: b".to_owned(),
        chosen: Some("b".to_owned()),
        chosen_node: Some("b".to_owned()),
        chosen_us: Some(NOW_US - 1),
        gtid_a: Some("1-1-5".to_owned()),
        gtid_b: Some("2-2-7".to_owned()),
        repair_gtid: None,
        resolved_us: None,
        detail: Detail {
            version: 1,
            nodes: nodes(),
            tables: Vec::new(),
            rows: Vec::new(),
            writes: Vec::new(),
            conflicts: Vec::new(),
            statements: None,
            attempts: Vec::new(),
        },
    }
}

/// A row of integers; `None` is NULL.
fn ints(values: &[Option<i64>]) -> Content {
    let value = |n: &Option<i64>| n.map_or(Value::Null, Value::Int);
    Content::Row(values.iter().map(value).collect())
}

fn row<const N: usize>(values: [i64; N]) -> Content {
    ints(&values.map(Some))
}

fn judged_row(table: &Arc<TableInfo>, id: i64, held: [Content; 2], chosen: Content) -> JudgedRow {
    JudgedRow::new(Arc::clone(table), vec![Value::Int(id)], held, chosen)
}

fn judged(rows: Vec<JudgedRow>) -> Judged {
    Judged {
        rows,
        decided: true,
    }
}

/// The repair of a node that holds the first of each row's two contents, and shall hold the second.
fn repair(rows: Vec<(&Arc<TableInfo>, i64, Content, Content)>) -> Repair {
    let rows = rows
        .into_iter()
        .map(|(table, id, from, to)| judged_row(table, id, [from, to.clone()], to))
        .collect();
    match plan(&judged(rows), How::InPlace) {
        Plan::Repair {
            first,
            second: None,
        } => first,
        other => panic!("{other:?}"),
    }
}

async fn ends(hand: &mut Hand, repair: &Repair, entry: &Entry) -> Outcome {
    let sql = insert_sql(entry);
    let mut execution = Execution::new(hand, repair, &sql);
    loop {
        if let Progress::Ended(outcome) = execution.step().await.unwrap() {
            return outcome;
        }
    }
}

async fn rows(server: &Server) -> Vec<String> {
    server
        .query("SELECT CONCAT_WS(',', id, IFNULL(u, 'null'), v) FROM shop.t ORDER BY id")
        .await
}

const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, u INT UNIQUE, v INT NOT NULL) ENGINE = InnoDB; \
     INSERT INTO shop.t VALUES (1, 1, 10), (2, 2, 20), (3, 3, 30), (5, 5, 50)";
const BEFORE: [&str; 4] = ["1,1,10", "2,2,20", "3,3,30", "5,5,50"];
const AFTER: [&str; 4] = ["1,2,11", "2,1,21", "4,3,40", "5,5,50"];

/// Two rows swap a unique key, one goes, and a new one takes its unique key.
fn swap(table: &Arc<TableInfo>) -> Repair {
    repair(vec![
        (table, 1, row([1, 1, 10]), row([1, 2, 11])),
        (table, 2, row([2, 2, 20]), row([2, 1, 21])),
        (table, 4, Content::Gone, row([4, 3, 40])),
        (table, 3, row([3, 3, 30]), Content::Gone),
    ])
}

async fn history(server: &Server) -> Vec<String> {
    server
        .query("SELECT CONCAT(id, ' ', state) FROM twinlog.conflict ORDER BY id")
        .await
}

/// Killed before any step, a repair has left nothing, or all.
async fn killed_anywhere(kind: ServerKind) {
    let server = node(kind, 1).await;
    server.exec(SHOP).await;
    let table = info(&server, "shop", "t").await;
    let repair = swap(&table);
    let sql = insert_sql(&Draft::from(entry("0123456789ab")).entry(State::Repaired, NOW_US));
    let mut kept = 0;
    loop {
        let mut hand = Hand::new(open(&server).await).await.unwrap();
        let id = hand.conn().id();
        let mut execution = Execution::new(&mut hand, &repair, &sql);
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
    // Whoever does it again finds it done.
    let mut hand = Hand::new(open(&server).await).await.unwrap();
    assert_eq!(
        ends(&mut hand, &repair, &entry("0123456789ab")).await,
        Outcome::Committed
    );
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
            self::row([1, 1, 99]),
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
    // A row that is already as it shall be is no change.
    server.exec("DELETE FROM shop.t WHERE id = 3").await;
    assert_eq!(
        ends(&mut hand, &swap(&table), &entry("0123456789ab")).await,
        Outcome::Committed
    );
    assert_eq!(rows(&server).await, AFTER);
}

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
    let Outcome::Refused(reason) = ends(&mut hand, &cascade, &entry("000000000002")).await else {
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

async fn lead(pair: &Pair) -> Leadership {
    let conns = [
        open(pair.node(Side::A)).await,
        open(pair.node(Side::B)).await,
    ];
    Leadership::take(nodes(), conns).await.unwrap()
}

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

/// A collation's `A` is in the way of an `a` that another row gives up; locks of clients are waited for; what the
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
    let freed = async {
        wait_until(DEADLINE, "a lock wait", async || {
            let waits: Vec<u32> = a.query("SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'").await;
            (waits == [1]).then_some(())
        })
        .await;
        run(&mut client, "ROLLBACK").await.unwrap();
    };
    let swapping = swapped(1, 9);
    let (settled, ()) = tokio::join!(
        settle(
            &mut leadership,
            &swapping,
            entry("dddddddddddd").into(),
            NOW_US
        ),
        freed
    );
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
    )
    .await
    .unwrap();
    assert!(
        matches!(&settled, Settled::Open(reason) if reason.contains("Duplicate entry 'b'")),
        "{settled:?}"
    );
    let written = find(leadership.hand(Side::A).conn(), "eeeeee")
        .await
        .unwrap();
    assert_eq!(written.state, State::Open);
    assert_eq!(written.detail.attempts[0].code, Some(1062));
    assert_eq!(written.detail.attempts[0].node, "a");
    let open = Filter {
        states: vec![State::Open],
        ..Filter::default()
    };
    assert_eq!(
        list(leadership.hand(Side::A).conn(), &open).await.unwrap(),
        [written]
    );
    // A trigger that bends what is written is found before it is committed.
    a.exec("CREATE TRIGGER shop.bend BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.v = NEW.v + 1")
        .await;
    let bent = judged(vec![judged_row(
        &table,
        6,
        [Content::Gone, row(6, "x", 6)],
        row(6, "x", 6),
    )]);
    let settled = settle(&mut leadership, &bent, entry("ffffffffffff").into(), NOW_US)
        .await
        .unwrap();
    assert!(
        matches!(&settled, Settled::Open(reason) if reason.contains("a trigger")),
        "{settled:?}"
    );
    assert_eq!(a.query_one::<u32>("SELECT COUNT(*) FROM shop.t").await, 2);
}

#[tokio::test]
async fn what_is_in_the_way_is_waited_for_or_written_down() {
    for kind in ServerKind::ALL {
        in_the_way(kind).await;
    }
}

#[tokio::test]
async fn only_one_agent_leads() {
    for kind in ServerKind::ALL {
        let [a, b] = [node(kind, 1).await, node(kind, 2).await];
        let mut first = Leadership::take(nodes(), [open(&a).await, open(&b).await])
            .await
            .unwrap();
        let holder = first.hand(Side::A).conn().id();
        let second = Leadership::take(nodes(), [open(&a).await, open(&b).await]).await;
        let Err(LeadershipError::Held {
            node,
            holder: words,
        }) = second
        else {
            panic!("{second:?}");
        };
        assert_eq!(node, "a");
        assert!(
            words.starts_with(&format!("connection {holder} of 'root' from localhost")),
            "{words}"
        );
        if !kind.is_mariadb() {
            assert!(
                words.ends_with(&format!(", process {} there", std::process::id())),
                "{words}"
            );
        }
        // Losing one of the two ends it.
        let lost = first.hand(Side::B).conn().id();
        b.exec(&format!("KILL {lost}")).await;
        assert!(first.check().await.is_err());
        first.release().await;
        wait_until(DEADLINE, "both locks free", async || {
            let sql = format!("SELECT IS_FREE_LOCK('{LOCK_NAME}')");
            let free = [
                a.query_one::<u32>(&sql).await,
                b.query_one::<u32>(&sql).await,
            ];
            (free == [1, 1]).then_some(())
        })
        .await;
    }
}

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
        settle(&mut leadership, &judged, draft, NOW_US)
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
    set_repair_gtid(leadership.hand(Side::A).conn(), &id, &gtid)
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
