//! `twinlog rebuild`: a node that diverged, was lost or was restored becomes what its peer is, while the peer serves.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use twinlog_testbed::ServerKind;

use crate::{
    hand::Hand,
    restored::with_an_older_b,
    support::{Db, Pair, assert_fails, assert_proven, insert_on_both, same_rows, walk},
};

const ALL: &str = "SELECT id, v FROM shop.t ORDER BY id";
const SETTINGS: &str = "SELECT @@read_only, @@local_infile, @@sql_log_bin";
const SHOP: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20), KEY (v))",
    "CREATE TABLE shop.keyless (v INT)",
    "CREATE TABLE shop.emptied (id INT PRIMARY KEY)",
    "CREATE TABLE shop.written (id INT PRIMARY KEY AUTO_INCREMENT)",
    "INSERT INTO shop.t VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    "INSERT INTO shop.keyless VALUES (1)",
    "CREATE VIEW shop.view AS SELECT v FROM shop.t",
    "CREATE TRIGGER shop.loud BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.v = COALESCE(NEW.v, 'none')",
];

/// What b does that never comes to a, whose link stands still.
async fn diverge(kind: ServerKind, [a, b]: [&Db; 2]) {
    let stop = match kind.is_mariadb() {
        true => "STOP SLAVE",
        false => "STOP REPLICA",
    };
    a.run(&[stop]).await;
    b.run(&[
        "INSERT INTO shop.t VALUES (100, 'only on b')",
        "UPDATE shop.t SET v = 'of b' WHERE id = 1",
        "INSERT INTO shop.emptied VALUES (1)",
        "TRUNCATE TABLE shop.emptied",
        "INSERT INTO shop.keyless VALUES (2)",
        "DROP VIEW shop.view",
        "CREATE TABLE shop.only (id INT PRIMARY KEY)",
        "CREATE DATABASE other CHARACTER SET latin1",
        "CREATE TABLE other.t (id INT PRIMARY KEY)",
        "SET SESSION sql_log_bin = 0",
        "UPDATE shop.t SET v = 'in no log' WHERE id = 3",
        "ALTER TABLE shop.written ADD COLUMN more INT",
    ])
    .await;
    a.run(&["UPDATE shop.t SET v = 'of a' WHERE id = 1"]).await;
}

/// Inserts until it is told to end; how many rows.
fn writer(db: &Db) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (db, stopped) = (db.clone(), Arc::clone(&stop));
    let task = tokio::spawn(async move {
        let mut count = 0;
        while !stopped.load(Ordering::Relaxed) {
            db.run(&["INSERT INTO shop.written () VALUES ()"]).await;
            count += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        count
    });
    (stop, task)
}

async fn a_diverged_node(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(SHOP).await;
    same_rows(&pair.both(), "SELECT v FROM shop.keyless").await;
    // One table has no key to follow it by.
    pair.twinlog.run(&["run", "--once"]).expect_code(1);
    diverge(kind, [&a, &b]).await;
    assert_fails(
        &pair.twinlog.run(&["rebuild", "c", "--yes"]),
        2,
        &["no node is called 'c'"],
    );

    // Nobody has agreed.
    let asked = pair.twinlog.run(&["rebuild", "b"]);
    asked.expect_code(1);
    let shown = &asked.stderr;
    assert!(shown.contains("in these databases: other, shop"), "{shown}");
    assert_eq!(b.rows("SELECT @@read_only").await[0][0], "0");
    let settings = b.rows(SETTINGS).await;
    let (stop, writing) = writer(&a);
    let done = pair.twinlog.run(&["rebuild", "b", "--yes"]);
    stop.store(true, Ordering::Relaxed);
    let written = writing.await.unwrap();
    assert_proven(&done);
    let rows = same_rows(&pair.both(), ALL).await;
    assert_eq!(rows[0][1], "of a", "{rows:?}");
    assert_eq!(rows.len(), 3, "{rows:?}");
    let count = same_rows(&pair.both(), "SELECT COUNT(*) FROM shop.written").await;
    assert_eq!(count[0][0], written.to_string());
    for sql in [
        "SELECT * FROM shop.keyless",
        "SELECT v FROM shop.view ORDER BY v",
        "SHOW TABLES FROM shop",
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop'",
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'",
    ] {
        same_rows(&pair.both(), sql).await;
    }
    assert!(b.try_rows("SELECT * FROM other.t").await.is_err());
    assert_eq!(b.rows(SETTINGS).await, settings);
    walk(&pair.both()).await;

    is_saved(&pair).await;
    // A finished pair, that an agent follows from here.
    assert_proven(&pair.twinlog.run(&["up"]));
    insert_on_both(&pair.both(), 5).await;
    pair.twinlog.run(&["run", "--once"]).expect_code(0);
    pair.twinlog.run(&["verify"]).expect_code(0);
}

/// What b alone had is in a file, and in the history, from where it is brought back.
async fn is_saved(pair: &Pair) {
    let saved: Vec<_> = fs::read_dir(pair.dir.join("data/rebuilt"))
        .unwrap()
        .collect();
    let [Ok(file)] = saved.as_slice() else {
        panic!("{saved:?}")
    };
    let lines = fs::read_to_string(file.path()).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 9, "{lines:?}");
    assert_eq!(lines[0]["table"], "shop.t");
    assert_eq!(lines[0]["after"]["v"]["text"], "only on b");
    assert_eq!(lines[1]["before"]["v"]["text"], "one");
    assert!(
        lines[6]["statement"]
            .as_str()
            .unwrap()
            .contains("shop.only"),
        "{lines:?}"
    );

    let list = pair
        .twinlog
        .run(&["conflicts", "list", "--state", "open", "--json"]);
    let list: serde_json::Value = serde_json::from_str(list.expect_code(0)).unwrap();
    let entries = list["conflicts"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{list}");
    for entry in entries {
        let id = entry["id"].as_str().unwrap();
        let keep = pair
            .twinlog
            .run(&["conflicts", "resolve", id, "--keep", "b", "--yes"]);
        keep.expect_code(0);
    }
    let rows = same_rows(&pair.both(), ALL).await;
    assert_eq!(
        [&rows[0][1], &rows[3][1]],
        ["of b", "only on b"],
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diverged_node_on_mysql_9_7() {
    a_diverged_node(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diverged_node_on_mariadb_10_11() {
    a_diverged_node(ServerKind::MariaDb1011).await;
}

/// Its data directory is gone.
async fn a_lost_node(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(SHOP).await;
    b.run(&["INSERT INTO shop.t VALUES (4, 'of b')"]).await;
    same_rows(&pair.both(), ALL).await;
    pair.twinlog.run(&["down"]).expect_code(0);
    fs::remove_dir_all(pair.node_dir("b")).unwrap();
    assert_fails(&pair.twinlog.run(&["up"]), 1, &["`twinlog rebuild b`"]);
    // The one that still has all of it.
    assert_fails(&pair.twinlog.run(&["rebuild", "a", "--yes"]), 1, &["b"]);
    assert_proven(&pair.twinlog.run(&["rebuild", "b", "--yes"]));
    assert_eq!(same_rows(&pair.both(), ALL).await.len(), 4);
    let [_, b] = pair.both();
    b.run(&["INSERT INTO shop.t VALUES (5, 'of b, again')"])
        .await;
    walk(&pair.both()).await;
    insert_on_both(&pair.both(), 5).await;
    same_rows(&pair.both(), ALL).await;
    pair.twinlog.run(&["verify"]).expect_code(0);
    pair.twinlog.run(&["run", "--once"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_on_mysql_9_7() {
    a_lost_node(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_on_mariadb_10_11() {
    a_lost_node(ServerKind::MariaDb1011).await;
}

/// What a restored node alone has cannot be told from what it lost: whoever wants it rebuilt must say that it may go.
async fn a_restored_node(kind: ServerKind) {
    let pair = with_an_older_b(kind).await;
    assert_fails(&pair.twinlog.run(&["up"]), 1, &["b has lost transactions"]);
    let kept = pair.twinlog.run(&["rebuild", "b", "--yes"]);
    assert_fails(&kept, 1, &["b was restored", "--discard"]);
    // The node with fewer is never the model.
    assert_fails(
        &pair.twinlog.run(&["rebuild", "a", "--yes"]),
        1,
        &["b has lost transactions"],
    );
    assert_proven(&pair.twinlog.run(&["rebuild", "b", "--yes", "--discard"]));
    assert_eq!(same_rows(&pair.both(), ALL).await.len(), 6);
    walk(&pair.both()).await;
    insert_on_both(&pair.both(), 5).await;
    pair.twinlog.run(&["run", "--once"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_node_on_mysql_9_7() {
    a_restored_node(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_node_on_mariadb_10_11() {
    a_restored_node(ServerKind::MariaDb1011).await;
}

/// Killed anywhere, the next one goes on.
async fn killed(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(SHOP).await;
    same_rows(&pair.both(), ALL).await;
    diverge(kind, [&a, &b]).await;
    for line in [
        "] take b out of the pair",
        "] copy all data",
        "] b: follow a",
    ] {
        let mut running = pair.twinlog.spawn(&["rebuild", "b", "--yes"]);
        running.wait_for_line(line);
        running.kill();
        if line.ends_with("data") {
            let status = pair.twinlog.run(&["status"]);
            status.expect_code(1);
            let said = &status.stdout;
            assert!(said.contains("b holds half a copy of a"), "{said}");
        }
    }
    assert_proven(&pair.twinlog.run(&["up"]));
    assert_eq!(same_rows(&pair.both(), ALL).await.len(), 3);
    let open = pair
        .twinlog
        .run(&["conflicts", "list", "--state", "open", "--json"]);
    let open: serde_json::Value = serde_json::from_str(open.expect_code(0)).unwrap();
    assert_eq!(open["conflicts"].as_array().unwrap().len(), 2, "{open}");
}

/// A new data directory is no different.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_killed() {
    let pair = Pair::proven(ServerKind::MySql97);
    pair.db("a").run(SHOP).await;
    pair.twinlog.run(&["down"]).expect_code(0);
    fs::remove_dir_all(pair.node_dir("b")).unwrap();
    let mut running = pair.twinlog.spawn(&["rebuild", "b", "--yes"]);
    running.wait_for_line("] copy all data");
    running.kill();
    assert_fails(
        &pair.twinlog.run(&["rebuild", "a", "--yes"]),
        1,
        &["b holds half a copy of a"],
    );
    assert_proven(&pair.twinlog.run(&["up"]));
    assert_eq!(same_rows(&pair.both(), ALL).await.len(), 3);
}

/// Far behind, and with rows of its own: those are saved, and only those. What a repair does does not end them.
async fn a_node_behind(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(SHOP).await;
    same_rows(&pair.both(), ALL).await;
    let stop = match kind.is_mariadb() {
        true => "STOP SLAVE",
        false => "STOP REPLICA",
    };
    a.run(&[stop]).await;
    b.run(&[
        stop,
        "INSERT INTO shop.t VALUES (100, 'of b'), (101, 'too')",
        "INSERT INTO twinlog.conflict (id, found_at, schema_name, table_name, row_key, kind, state, policy, rule, detail) \
         SELECT 'abcabcabcabc', NOW(6), 'shop', 't', 'id=1', 'conflict', 'repaired', 'x', 'x', '{\"version\":1,\"nodes\":[\"a\",\"b\"],\"tables\":[],\"rows\":[]}'",
    ])
    .await;
    a.run(&[
        "INSERT INTO shop.t VALUES (4, 'of a')",
        "CREATE TABLE shop.isam (id INT PRIMARY KEY) ENGINE = MyISAM",
    ])
    .await;
    // What cannot be copied is said before anything is done.
    let refused = pair.twinlog.run(&["rebuild", "b", "--yes"]);
    assert_fails(&refused, 3, &["shop.isam"]);
    assert_eq!(b.rows("SELECT @@read_only").await[0][0], "0");
    assert_eq!(b.links().await.len(), 1);
    a.run(&["DROP TABLE shop.isam"]).await;

    assert_proven(&pair.twinlog.run(&["rebuild", "b", "--yes"]));
    assert_eq!(same_rows(&pair.both(), ALL).await.len(), 4);
    same_rows(&pair.both(), "SELECT id FROM twinlog.conflict ORDER BY id").await;
    let handed = "SELECT COUNT(*) FROM twinlog.conflict WHERE id = 'abcabcabcabc'";
    assert_eq!(a.rows(handed).await[0][0], "1");
    pair.twinlog
        .run(&["repair", "--keep", "a", "--yes"])
        .expect_code(0);
    let open = pair
        .twinlog
        .run(&["conflicts", "list", "--state", "open", "--json"]);
    let open: serde_json::Value = serde_json::from_str(open.expect_code(0)).unwrap();
    assert_eq!(open["conflicts"].as_array().unwrap().len(), 2, "{open}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_on_mysql_9_7() {
    a_node_behind(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_on_mariadb_10_11() {
    a_node_behind(ServerKind::MariaDb1011).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_mysql_9_7() {
    killed(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_mariadb_10_11() {
    killed(ServerKind::MariaDb1011).await;
}

/// A row of b's holds, in a later stretch of its table, what a row of a's has in an earlier one.
async fn unique_keys_across_stretches(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20) NOT NULL, pad CHAR(250) NOT NULL, UNIQUE KEY (v))",
        "INSERT INTO shop.t (v, pad) VALUES (UUID_SHORT(), REPEAT('x', 250))",
    ])
    .await;
    for _ in 0..18 {
        a.run(&["INSERT INTO shop.t (v, pad) SELECT UUID_SHORT(), pad FROM shop.t"])
            .await;
    }
    // A foreign key holds such an index fast.
    a.run(&[
        "CREATE TABLE shop.child (id INT PRIMARY KEY, word VARCHAR(20) NOT NULL, \
         CONSTRAINT of_t FOREIGN KEY (word) REFERENCES shop.t (v) ON UPDATE CASCADE)",
        "INSERT INTO shop.child SELECT id, v FROM shop.t WHERE id < 10",
    ])
    .await;
    // By which a table is cut.
    a.run(&["ANALYZE TABLE shop.t"]).await;
    let count = "SELECT COUNT(*) FROM shop.t";
    same_rows(&pair.both(), count).await;
    let stop = match kind.is_mariadb() {
        true => "STOP SLAVE",
        false => "STOP REPLICA",
    };
    a.run(&[stop]).await;
    b.run(&[stop]).await;
    b.run(&["INSERT INTO shop.t VALUES (10000000, 'same', '')"])
        .await;
    a.run(&["UPDATE shop.t SET v = 'same' WHERE id = (SELECT least FROM (SELECT MIN(id) AS least FROM shop.t) AS t)"])
        .await;
    assert_proven(
        &pair
            .twinlog
            .run(&["rebuild", "b", "--yes", "--parallel", "1"]),
    );
    same_rows(&pair.both(), count).await;
    same_rows(
        &pair.both(),
        "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_NAME = 't' ORDER BY 1",
    )
    .await;
    let foreign = "SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop'";
    assert_eq!(same_rows(&pair.both(), foreign).await.len(), 1);
    pair.twinlog.run(&["verify"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unique_keys_across_stretches_on_mysql_9_7() {
    unique_keys_across_stretches(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unique_keys_across_stretches_on_mariadb_10_11() {
    unique_keys_across_stretches(ServerKind::MariaDb1011).await;
}

/// Two servers of someone else's with data that differs: nobody can tell what one alone has.
async fn never_a_pair(kind: ServerKind, more: &str) {
    let lines = [1, 2].map(|id| format!("server_id = {id}"));
    let lines = [0, 1].map(|at| [lines[at].as_str(), "log_bin = bin", "log_slave_updates"]);
    let hand = Hand::start(kind, [&lines[0], &lines[1]], more).await;
    let [a, b] = hand.both();
    a.run(SHOP).await;
    b.run(SHOP).await;
    b.run(&["DELETE FROM shop.t WHERE id = 1"]).await;
    assert_fails(
        &hand.twinlog.run(&["up", "--yes"]),
        1,
        &["differs", "twinlog rebuild b"],
    );
    let kept = hand.twinlog.run(&["rebuild", "b", "--yes"]);
    assert_fails(&kept, 1, &["--discard"]);
    assert_proven(&hand.twinlog.run(&["rebuild", "b", "--yes", "--discard"]));
    assert_eq!(same_rows(&hand.both(), ALL).await.len(), 3);
    walk(&hand.both()).await;
    insert_on_both(&hand.both(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_a_pair_by_position() {
    never_a_pair(ServerKind::MySql56, "[replication]\nmode = \"position\"\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_a_pair_on_mariadb() {
    never_a_pair(ServerKind::MariaDb1011, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_a_pair_on_mysql() {
    never_a_pair(ServerKind::MySql97, "").await;
}

/// An agent follows both logs, and another replica that of b.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_the_log_is_in_the_way() {
    let pair = Pair::proven(ServerKind::MySql97);
    pair.db("a").run(SHOP).await;
    let mut agent = pair.twinlog.spawn(&["run"]);
    agent.wait_for_line("reading the log of");
    let watched = pair.twinlog.run(&["rebuild", "b", "--yes"]);
    assert_fails(&watched, 1, &["an agent follows this pair"]);
    agent.kill();
}

/// As many names were given again as had been given before: only what the node was made of tells. (A MariaDB's position
/// has no gaps: there the peer's next transaction hides it.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_log_on_mysql_9_7() {
    let pair = Pair::proven(ServerKind::MySql97);
    let [a, b] = pair.both();
    a.run(SHOP).await;
    same_rows(&pair.both(), "SELECT v FROM shop.keyless").await;
    assert_proven(&pair.twinlog.run(&["rebuild", "b", "--yes"]));
    a.run(&["STOP REPLICA"]).await;
    b.run(&[
        "RESET BINARY LOGS AND GTIDS",
        "INSERT INTO shop.t VALUES (100, 'only on b')",
        "INSERT INTO shop.t VALUES (101, 'only on b')",
        "INSERT INTO shop.t VALUES (102, 'only on b')",
    ])
    .await;
    let status = pair.twinlog.run(&["status"]);
    let lost = "b has lost transactions that a has had from it";
    assert!(
        status.expect_code(1).replace("\n  ", " ").contains(lost),
        "{}",
        status.stdout
    );
    let says = ["its log was reset", "--discard"];
    assert_fails(&pair.twinlog.run(&["rebuild", "b", "--yes"]), 1, &says);
    assert_eq!(b.rows("SELECT COUNT(*) FROM shop.t").await, [["6"]]);
}
