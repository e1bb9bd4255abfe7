//! No false alarm: where no row is written on both nodes, nothing is told and nothing is written, whatever is done.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twinlog_testbed::ServerKind;

use super::kit::{drained, equal, finds_nothing};
use super::load::Load;
use crate::support::{Db, Pair};

/// Some rounds of the load below.
const ROUNDS: u64 = 60;

const TABLES: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id BIGINT PRIMARY KEY, u VARCHAR(40) UNIQUE, n INT, j JSON, \
     w VARCHAR(60) AS (CONCAT(u, '!')) STORED)",
    "CREATE TABLE shop.parent (id BIGINT PRIMARY KEY, v INT)",
    "CREATE TABLE shop.child (id BIGINT PRIMARY KEY, pid BIGINT, v INT, FOREIGN KEY (pid) REFERENCES shop.parent (id))",
    "CREATE TABLE shop.of_a (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
];

/// One round of a client that has the ids from `first` on to itself; some statements of each kind.
fn round(number: u64, first: u64) -> Vec<String> {
    let id = first + number * 10;
    let last = id.saturating_sub(10).max(first);
    let text = [
        format!("INSERT INTO shop.t (id, u, n, j) VALUES ({id}, 'u{id}', 0, '{{\"a\": 1}}')"),
        format!(
            "INSERT INTO shop.t (id, u, n, j) VALUES ({}, 'v{id}', 0, NULL), ({}, NULL, 0, NULL)",
            id + 1,
            id + 2
        ),
        format!(
            "UPDATE shop.t SET n = n + 1 WHERE id BETWEEN {last} AND {}",
            id + 2
        ),
        format!(
            "REPLACE INTO shop.t (id, u, n, j) VALUES ({}, 'v{id}', 7, NULL)",
            id + 3
        ),
        format!(
            "INSERT INTO shop.t (id, u, n, j) VALUES ({id}, 'x', 0, NULL) ON DUPLICATE KEY UPDATE n = n + 5"
        ),
        format!("UPDATE shop.t SET id = {} WHERE id = {}", id + 4, id + 2),
        format!("DELETE FROM shop.t WHERE id = {}", id + 4),
        // Values that another row had.
        format!("UPDATE shop.t SET u = NULL WHERE id = {id}"),
        format!("UPDATE shop.t SET u = 'u{id}' WHERE id = {}", id + 3),
        "BEGIN".to_owned(),
        format!("INSERT INTO shop.parent VALUES ({id}, 1)"),
        "SAVEPOINT s".to_owned(),
        format!("INSERT INTO shop.child VALUES ({id}, {id}, 1)"),
        format!("UPDATE shop.t SET n = 99 WHERE id = {id}"),
        "ROLLBACK TO s".to_owned(),
        format!("INSERT INTO shop.child VALUES ({id}, {id}, 2)"),
        "COMMIT".to_owned(),
        format!(
            "UPDATE shop.parent p JOIN shop.child c ON c.pid = p.id SET p.v = p.v + 1, c.v = c.v + 1 WHERE p.id = {id}"
        ),
        format!(
            "DELETE shop.child FROM shop.child JOIN shop.parent ON pid = parent.id \
             WHERE parent.id = {last} AND parent.id <> {id}"
        ),
        format!("XA START 'y{id}'"),
        format!("UPDATE shop.t SET n = n + 1 WHERE id = {id}"),
        format!("XA END 'y{id}'"),
        format!("XA COMMIT 'y{id}' ONE PHASE"),
        format!("XA START 'x{id}'"),
        format!("INSERT INTO shop.t (id, n) VALUES ({}, 1)", id + 5),
        format!("XA END 'x{id}'"),
        format!("XA PREPARE 'x{id}'"),
        format!(
            "XA {} 'x{id}'",
            if number.is_multiple_of(3) {
                "ROLLBACK"
            } else {
                "COMMIT"
            }
        ),
    ];
    text.to_vec()
}

/// What one node does to definitions while both write.
async fn define(a: &Db, file: &str) {
    let load = format!("LOAD DATA INFILE '{file}' INTO TABLE shop.of_a (v)");
    a.run(&[
        &load,
        "TRUNCATE TABLE shop.of_a",
        &load,
        "ALTER TABLE shop.of_a ADD COLUMN w INT DEFAULT 5 AFTER id",
        &load,
        "UPDATE shop.of_a SET w = 6 WHERE id < 100",
        // Of a table that both write.
        "ALTER TABLE shop.t ADD COLUMN more INT DEFAULT 3",
        "CREATE TABLE shop.new LIKE shop.of_a",
        "INSERT INTO shop.new SELECT * FROM shop.of_a",
        "RENAME TABLE shop.new TO shop.newer",
        "DELETE FROM shop.newer WHERE v = 2",
        "DROP TABLE shop.newer",
        "CREATE TABLE shop.newer (id INT PRIMARY KEY)",
        "INSERT INTO shop.newer VALUES (1), (2)",
    ])
    .await;
}

async fn nothing_is_told(kind: ServerKind) {
    let pair = Pair::new(kind, "options = { secure_file_priv = \"\" }\n");
    pair.up();
    let [a, b] = pair.both();
    a.run(TABLES).await;
    drained(&pair, kind).await;
    let file = pair.dir.join("values");
    fs::write(&file, "1\n2\n3\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();

    let mut agent = pair.twinlog.spawn(&["run"]);
    agent.wait_for_line("reading both logs from");
    let loads = [
        Load::times(a.clone(), ROUNDS, move |number| round(number, 1_000)),
        Load::times(b.clone(), ROUNDS, move |number| round(number, 1_000_000)),
    ];
    define(&a, &file.display().to_string()).await;
    for load in loads {
        assert_eq!(load.end().await, ROUNDS);
    }
    drained(&pair, kind).await;
    kill(Pid::from_raw(agent.pid().cast_signed()), Signal::SIGTERM).unwrap();
    let told = agent.wait();
    told.expect_code(0);
    for word in ["WARN", "ERROR", "conflict", "divergence"] {
        assert!(!told.stderr.contains(word), "{word}:\n{}", told.stderr);
    }
    // What the agent had not come to.
    let once = pair.twinlog.run(&["run", "--once"]);
    let once = once.expect_code(0);
    assert!(
        once.contains("no row was written on both nodes unseen, and none differs"),
        "{once}"
    );
    equal(&pair).await;
    // A repair has a row of the history in its transaction: no row, no repair.
    for db in [&a, &b] {
        assert_eq!(
            db.rows("SELECT * FROM twinlog.conflict").await,
            [[""; 0]; 0]
        );
    }
    finds_nothing(&pair, kind).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql_9_7() {
    nothing_is_told(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_10_11() {
    nothing_is_told(ServerKind::MariaDb1011).await;
}
