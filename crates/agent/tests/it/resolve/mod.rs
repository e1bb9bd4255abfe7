//! Repairs on real servers.

mod both_nodes;
mod families;
mod from_logs;
mod guard;
mod in_the_way;
mod killed;
mod lead;

use std::sync::Arc;

use twinlog_agent::history::{Detail, Entry, Kind, State, insert_sql};
use twinlog_agent::resolve::{
    Content, Execution, Hand, How, Judged, JudgedRow, Leadership, Mark, Outcome, Plan, Progress,
    Repair, plan,
};
use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_row::TableInfo;
use twinlog_testbed::Server;

use crate::support::{Pair, open};

pub(crate) const NOW_US: u64 = 1_700_000_000_000_000;

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
            as_held: false,
            compared: false,
            attempts: Vec::new(),
            rulings: Vec::new(),
        },
    }
}

/// A row of integers; `None` is NULL.
pub(crate) fn ints(values: &[Option<i64>]) -> Content {
    let value = |n: &Option<i64>| n.map_or(Value::Null, Value::Int);
    Content::Row(values.iter().map(value).collect())
}

pub(crate) fn row<const N: usize>(values: [i64; N]) -> Content {
    ints(&values.map(Some))
}

pub(crate) fn judged_row(
    table: &Arc<TableInfo>,
    id: i64,
    held: [Content; 2],
    chosen: Content,
) -> JudgedRow {
    JudgedRow::new(Arc::clone(table), vec![Value::Int(id)], held, chosen)
}

pub(crate) fn judged(rows: Vec<JudgedRow>) -> Judged {
    Judged {
        aged: false,
        rows,
        decided: true,
    }
}

/// The repair of a node that holds the first of each row's two contents, and shall hold the second.
pub(crate) fn repair(rows: Vec<(&Arc<TableInfo>, i64, Content, Content)>) -> Repair {
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

pub(crate) async fn ends(hand: &mut Hand, repair: &Repair, entry: &Entry) -> Outcome {
    let mark = Mark::Insert(insert_sql(entry));
    let mut execution = Execution::new(hand, repair, &mark);
    loop {
        if let Progress::Ended(outcome) = execution.step().await.unwrap() {
            return outcome;
        }
    }
}

pub(crate) async fn rows(server: &Server) -> Vec<String> {
    server
        .query("SELECT CONCAT_WS(',', id, IFNULL(u, 'null'), v) FROM shop.t ORDER BY id")
        .await
}

pub(crate) const SHOP: &str = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, u INT UNIQUE, v INT NOT NULL) ENGINE = InnoDB; \
     INSERT INTO shop.t VALUES (1, 1, 10), (2, 2, 20), (3, 3, 30), (5, 5, 50)";
pub(crate) const BEFORE: [&str; 4] = ["1,1,10", "2,2,20", "3,3,30", "5,5,50"];
pub(crate) const AFTER: [&str; 4] = ["1,2,11", "2,1,21", "4,3,40", "5,5,50"];

/// Two rows swap a unique key, one goes, and a new one takes its unique key.
pub(crate) fn swap(table: &Arc<TableInfo>) -> Repair {
    repair(vec![
        (table, 1, row([1, 1, 10]), row([1, 2, 11])),
        (table, 2, row([2, 2, 20]), row([2, 1, 21])),
        (table, 4, Content::Gone, row([4, 3, 40])),
        (table, 3, row([3, 3, 30]), Content::Gone),
    ])
}

pub(crate) async fn history(server: &Server) -> Vec<String> {
    server
        .query("SELECT CONCAT(id, ' ', state) FROM twinlog.conflict ORDER BY id")
        .await
}

pub(crate) async fn lead(pair: &Pair) -> Leadership {
    let conns = [
        open(pair.node(Side::A)).await,
        open(pair.node(Side::B)).await,
    ];
    Leadership::take(nodes(), conns).await.unwrap()
}
