//! `run --once`: under load, on a pair with one writer, and on a part of its databases.

use std::time::{Duration, Instant};

use serde_json::Value;
use twinlog_testbed::ServerKind;

use super::kit::{contents, count, drained, equal, finds_nothing, links, settles};
use super::load::Load;
use crate::support::{Db, Pair};

/// However much clients write, it comes to an end.
const ONCE_MAX: Duration = Duration::from_secs(30);

const TABLE: [&str; 3] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, n INT)",
    "INSERT INTO shop.t VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0)",
];

/// Both nodes write the same rows all the time: it settles what there was when it began.
async fn under_load(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&TABLE).await;
    drained(&pair, kind).await;
    let write = |number: u64| {
        vec![format!(
            "UPDATE shop.t SET n = n + 1 WHERE id = {}",
            number % 10
        )]
    };
    let loads = [Load::start(a, write), Load::start(b, write)];
    for _ in 0..2 {
        let began = Instant::now();
        let output = pair.twinlog.run(&["run", "--once", "--json"]);
        let summary: Value = serde_json::from_str(output.expect_code(0)).unwrap();
        assert!(began.elapsed() < ONCE_MAX, "{:?}", began.elapsed());
        let fields: Vec<&String> = summary.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            [
                "conflicts",
                "divergences",
                "open",
                "repaired",
                "to_verify",
                "transactions"
            ]
        );
    }
    for load in loads {
        load.stop().await;
    }
    settles(&pair);
    equal(&pair).await;
    finds_nothing(&pair, kind).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_on_mysql_9_7() {
    under_load(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_on_mariadb_10_11() {
    under_load(ServerKind::MariaDb1011).await;
}

/// One node takes clients' writes. Where somebody writes on the other all the same, it is repaired there too.
#[tokio::test]
async fn with_one_writer() {
    let kind = ServerKind::MySql97;
    let pair = Pair::new(kind, "");
    let config = std::fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    pair.twinlog
        .write("twinlog.toml", &format!("writes = \"one\"\n{config}"));
    pair.up();
    let [a, b] = pair.both();
    a.run(&TABLE).await;
    drained(&pair, kind).await;
    let summary = settles(&pair);
    assert_eq!(count(&summary, "conflicts"), 0);
    assert_eq!(b.rows("SELECT @@GLOBAL.read_only").await, [["1"]]);
    links(&pair, kind, "STOP").await;
    // root may.
    b.run(&[
        "SET timestamp = UNIX_TIMESTAMP() - 5",
        "SET GLOBAL read_only = 0",
        "UPDATE shop.t SET n = 2 WHERE id = 1",
        "SET GLOBAL read_only = 1",
    ])
    .await;
    a.run(&["UPDATE shop.t SET n = 1 WHERE id = 1"]).await;
    links(&pair, kind, "START").await;
    let summary = settles(&pair);
    assert_eq!(count(&summary, "repaired"), 1, "{summary:#}");
    assert_eq!(equal(&pair).await["shop.t"][1], ["1", "1"]);
    assert_eq!(b.rows("SELECT @@GLOBAL.read_only").await, [["1"]]);
    finds_nothing(&pair, kind).await;
}

/// What is not replicated is not compared.
#[tokio::test]
async fn on_some_databases() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::new(kind, "");
    let config = std::fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    pair.twinlog
        .write("twinlog.toml", &format!("databases = [\"shop\"]\n{config}"));
    pair.up();
    let [a, b] = pair.both();
    a.run(&TABLE).await;
    drained(&pair, kind).await;
    let own = async |db: &Db, value: u32| {
        let insert = format!("INSERT INTO own.t VALUES (1, {value})");
        db.run(&[
            "CREATE DATABASE own",
            "CREATE TABLE own.t (id INT PRIMARY KEY, n INT)",
            &insert,
        ])
        .await;
    };
    links(&pair, kind, "STOP").await;
    own(&a, 1).await;
    own(&b, 2).await;
    a.run(&["UPDATE shop.t SET n = 1 WHERE id = 1"]).await;
    b.run(&["UPDATE shop.t SET n = 2 WHERE id = 1"]).await;
    links(&pair, kind, "START").await;
    let summary = settles(&pair);
    assert_eq!(
        (count(&summary, "conflicts"), count(&summary, "repaired")),
        (1, 1),
        "{summary:#}"
    );
    let [on_a, on_b] = contents(&pair).await;
    assert_eq!(on_a["shop.t"], on_b["shop.t"]);
    assert_eq!(
        (&on_a["own.t"], &on_b["own.t"]),
        (
            &vec![vec!["1".into(), "1".into()]],
            &vec![vec!["1".into(), "2".into()]]
        )
    );
    finds_nothing(&pair, kind).await;
}
