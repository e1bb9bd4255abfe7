//! Servers of which one has data: `twinlog up` copies it, and links them from there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use twinlog_testbed::{Running, ServerKind, ServerOptions, wait_until};

use crate::{
    hand::Hand,
    support::{DEADLINE, Db, assert_fails, insert_on_both, met, same_rows, walk},
    verify::{FILL, TABLES},
};

const LINES: [[&str; 3]; 2] = [
    ["server_id = 1", "log_bin = bin", "log_slave_updates"],
    ["server_id = 2", "log_bin = bin", "log_slave_updates"],
];

/// What a schema has beside plain tables.
const MORE: &[&str] = &[
    "USE shop",
    "SET SESSION sql_mode = ''",
    "CREATE TABLE child (id INT PRIMARY KEY AUTO_INCREMENT, parent INT NOT NULL, n INT, twice INT AS (n * 2), \
     kept INT AS (n + 1) STORED, KEY by_n (n), UNIQUE KEY by_both (parent, id), \
     CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)",
    "CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(20) CHARACTER SET latin1, note TEXT, FULLTEXT KEY words (note))",
    "CREATE TABLE counted (a INT PRIMARY KEY, n INT NOT NULL AUTO_INCREMENT, KEY (n))",
    "CREATE TABLE big (id INT PRIMARY KEY AUTO_INCREMENT, k INT NOT NULL, c CHAR(120) NOT NULL, KEY k_1 (k), KEY c_1 (c(10)))",
    "INSERT INTO parent VALUES (1, 'Jürgen', 'one'), (2, 'tab\\tline\\nback\\\\slash', NULL), (0, '', '')",
    "INSERT INTO child (id, parent, n) VALUES (1, 1, 5), (2, 2, NULL), (7, 1, -1)",
    "INSERT INTO counted (a) VALUES (3), (1), (2)",
    "CREATE FUNCTION doubled (x INT) RETURNS INT DETERMINISTIC RETURN x * 2",
    "CREATE PROCEDURE `odd name` () SELECT 'it''s', \"a\"",
    "CREATE VIEW z_first AS SELECT id, doubled(n) AS d FROM child",
    "CREATE VIEW a_second AS SELECT d FROM z_first",
    "CREATE TRIGGER stamped BEFORE INSERT ON parent FOR EACH ROW SET NEW.note = CONCAT(NEW.note, '!')",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM shop.bag WHERE a < 0",
];

/// 24,576 rows of 120 bytes and more: a table that gets its indexes later, in several packets.
pub(crate) async fn fill(kind: ServerKind, db: &Db) {
    db.run(TABLES).await;
    db.run(FILL).await;
    db.run(&["USE shop", "SET SESSION foreign_key_checks = 0"])
        .await;
    let mut more = MORE.to_vec();
    more.insert(1, "SET SESSION foreign_key_checks = 0");
    let more: Vec<String> = more.iter().map(|sql| as_known(kind, sql)).collect();
    db.run(&more.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    match kind {
        ServerKind::MySql97 => db.run(MYSQL_97).await,
        ServerKind::MariaDb1011 => db.run(MARIADB).await,
        _ => {}
    }
    db.run(&["INSERT INTO shop.big (k, c) VALUES (1, REPEAT('x', 100)), (2, 'y'), (3, 'ü')"])
        .await;
    for _ in 0..13 {
        db.run(&["INSERT INTO shop.big (k, c) SELECT k * 7 % 1009, LEFT(CONCAT(k, c), 100) FROM shop.big"])
            .await;
    }
}

/// What only MariaDB has.
const MARIADB: &[&str] = &[
    "CREATE SEQUENCE shop.numbers START WITH 500",
    "CREATE TABLE shop.named (id INT PRIMARY KEY, u UUID, six INET6, four INET4)",
    "INSERT INTO shop.named VALUES (1, '123e4567-e89b-12d3-a456-426614174000', '2001:db8::1:2:34', '10.0.0.1'), (2, NULL, NULL, NULL)",
    "CREATE TABLE shop.numbered (id INT PRIMARY KEY DEFAULT NEXTVAL(shop.numbers), v INT)",
    "INSERT INTO shop.numbered (v) VALUES (1), (2)",
    "CREATE TABLE shop.checked (id INT PRIMARY KEY, v INT)",
    "INSERT INTO shop.checked VALUES (1, -1)",
    "SET SESSION check_constraint_checks = OFF",
    "ALTER TABLE shop.checked ADD CHECK (v > 0)",
];

/// What only MySQL 9.7 has.
const MYSQL_97: &[&str] = &[
    "CREATE TABLE shop.documents (id INT PRIMARY KEY, d JSON)",
    "INSERT INTO shop.documents VALUES (1, '{\"a\": [1, null, \"tab\\\\t\"]}'), (2, NULL), (3, 'true')",
    "CREATE TABLE shop.exact (id INT PRIMARY KEY, d JSON)",
    "INSERT INTO shop.exact VALUES (1, JSON_OBJECT('p', 1.10))",
];

/// 5.6 knows no columns that are computed.
fn as_known(kind: ServerKind, sql: &str) -> String {
    match kind {
        ServerKind::MySql56 => sql
            .replace("AS (n * 2)", "")
            .replace("AS (n + 1) STORED", ""),
        _ => sql.to_owned(),
    }
}

/// What both nodes must say alike.
pub(crate) const ALIKE: &[&str] = &[
    "SHOW CREATE DATABASE shop",
    "SHOW CREATE TABLE shop.child",
    "SHOW CREATE TABLE shop.parent",
    "SHOW CREATE TABLE shop.counted",
    "SHOW CREATE TABLE shop.big",
    "SHOW CREATE TABLE shop.types",
    "SHOW CREATE TABLE `d\"o.t`.`ta``b'le ü`",
    "SELECT * FROM shop.child ORDER BY id",
    "SELECT * FROM shop.parent ORDER BY id",
    "SELECT * FROM shop.a_second ORDER BY d",
    "SHOW CREATE VIEW shop.a_second",
    "SELECT ROUTINE_NAME, ROUTINE_DEFINITION, SQL_MODE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'shop' ORDER BY 1",
    "SELECT TRIGGER_NAME, ACTION_STATEMENT, SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'",
    "SELECT EVENT_NAME, DEFINER, EVENT_DEFINITION, STARTS, SQL_MODE, TIME_ZONE FROM information_schema.EVENTS",
    "SELECT @@GLOBAL.read_only, @@GLOBAL.local_infile",
];

async fn alike(hand: &Hand) {
    let [a, b] = hand.both();
    for sql in ALIKE {
        let [left, right] = [a.rows(sql).await, b.rows(sql).await];
        // A counter of AUTO_INCREMENT goes by the node.
        let plain = |rows: Vec<Vec<String>>| format!("{rows:?}").replace("AUTO_INCREMENT=", "");
        assert_eq!(plain(left), plain(right), "{sql}");
    }
}

/// Writes to one node until told to stop; says how many rows.
pub(crate) async fn write(db: Db, stop: Arc<AtomicBool>) -> u32 {
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let sql = format!(
            "INSERT INTO shop.plain VALUES ({}, 'new', ''); UPDATE shop.big SET k = k + 1 WHERE id = {}",
            1000 + done,
            done * 37 % 9000 + 1
        );
        db.run(&[&sql]).await;
        done += 1;
    }
    done
}

async fn copied(kind: ServerKind, more: &str, from: usize) {
    let hand = Hand::start(kind, [&LINES[0], &LINES[1]], more).await;
    let full = hand.both()[from].clone();
    fill(kind, &full).await;
    let plan = hand.twinlog.run(&["plan"]);
    plan.expect_code(0);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(full, Arc::clone(&stop)));
    let output = tokio::task::block_in_place(|| hand.up());
    assert!(
        output.stderr.contains("commits were held up for"),
        "{}",
        output.stderr
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 5);
    same_rows(&hand.both(), "SELECT * FROM shop.plain ORDER BY id").await;
    same_rows(&hand.both(), "SELECT * FROM shop.big ORDER BY id").await;
    alike(&hand).await;
    match kind {
        ServerKind::MySql97 => {
            same_rows(&hand.both(), "SELECT * FROM shop.documents ORDER BY id").await;
            // The document's number was exact, and its text is not; that is said.
            let said = "some JSON documents of shop.exact are not to the digit what they were";
            assert!(output.stderr.contains(said), "{}", output.stderr);
            let verified = hand.twinlog.run(&["verify"]);
            assert!(
                verified.expect_code(1).contains("shop.exact"),
                "{}",
                verified.stdout
            );
        }
        ServerKind::MariaDb1011 => {
            same_rows(&hand.both(), "SELECT * FROM shop.named ORDER BY id").await;
            same_rows(
                &hand.both(),
                "SELECT next_not_cached_value FROM shop.numbers",
            )
            .await;
            hand.twinlog.run(&["verify"]).expect_code(0);
        }
        _ => {}
    }
    walk(&hand.both()).await;
    insert_on_both(&hand.both(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_nodes_data_on_mariadb() {
    copied(ServerKind::MariaDb1011, "", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_nodes_data_on_mysql_9_7() {
    copied(ServerKind::MySql97, "", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_nodes_data_on_mysql_5_6_by_position() {
    copied(
        ServerKind::MySql56,
        "[replication]\nmode = \"position\"\n",
        0,
    )
    .await;
}

/// A pair of servers of which one has data, and a copy of it that is slow enough to be met in the middle.
async fn begun(kind: ServerKind) -> (Hand, Running) {
    let hand = Hand::start(kind, [&LINES[0], &LINES[1]], "").await;
    let [a, b] = hand.both();
    fill(kind, &a).await;
    let running = hand
        .twinlog
        .spawn(&["copy", "--yes", "--rate", "1", "--parallel", "1"]);
    let running = met(running, "the largest table", async || {
        let count = b
            .try_rows("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_TYPE = 'BASE TABLE'")
            .await;
        count
            .ok()
            .filter(|rows| rows[0][0].parse::<u32>().unwrap() >= 10)
            .map(drop)
    })
    .await;
    (hand, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_one_is_gone_on_with() {
    let (hand, running) = begun(ServerKind::MariaDb1011).await;
    let [a, b] = hand.both();
    // The largest table is copied first, the small ones after it.
    let running = met(running, "a small table", async || {
        let rows = b.rows("SELECT COUNT(*) FROM shop.texts").await;
        (rows[0][0] != "0").then_some(())
    })
    .await;
    running.kill();
    assert_eq!(b.rows("SELECT @@GLOBAL.read_only").await, [["1"]]);
    assert!(b.links().await.is_empty());
    a.run(&[
        "UPDATE shop.big SET k = -1 WHERE id = 77",
        "DELETE FROM shop.plain WHERE id = 1",
        "DROP TABLE shop.counted",
        "ALTER TABLE shop.texts ADD m INT DEFAULT 7",
        "CREATE TABLE shop.young (id INT PRIMARY KEY)",
    ])
    .await;
    let plan = hand.twinlog.run(&["plan"]);
    let text = plan.expect_code(0);
    assert!(text.contains("a copy was cut off"), "{text}");
    assert!(!text.contains("allow clients' writes"), "{text}");
    let output = hand.up();
    assert!(
        output.stderr.contains("were there already"),
        "{}",
        output.stderr
    );
    hand.twinlog.run(&["verify"]).expect_code(0);
    assert!(b.try_rows("SELECT 1 FROM shop.counted").await.is_err());
    assert_eq!(b.rows("SELECT @@GLOBAL.read_only").await, [["0"]]);
    walk(&hand.both()).await;
    insert_on_both(&hand.both(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_altered_meanwhile_ends_it() {
    let (hand, running) = begun(ServerKind::MySql97).await;
    let [a, b] = hand.both();
    // Not one that MySQL does in an instant: old rows are then still to be read as they were.
    a.run(&["ALTER TABLE shop.texts MODIFY n BIGINT"]).await;
    let output = running.wait();
    assert_fails(
        &output,
        3,
        &[
            "shop.texts was altered or dropped while it was copied",
            "run the same again",
        ],
    );
    assert!(b.links().await.is_empty());
    hand.up();
    hand.twinlog
        .run(&["verify", "--tables", "shop.texts"])
        .expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_killed_meanwhile() {
    let (mut hand, mut running) = begun(ServerKind::MariaDb1011).await;
    for killed in [1, 0] {
        hand.servers[killed].kill();
        assert_eq!(running.wait().code, Some(3));
        let lines = ServerOptions::with(&LINES[killed]);
        hand.servers[killed].restart(&lines).await;
        running = hand
            .twinlog
            .spawn(&["copy", "--yes", "--rate", "1", "--parallel", "1"]);
        running.wait_for_line("] copy all data from a to b");
    }
    running.kill();
    hand.up();
    hand.twinlog.run(&["verify"]).expect_code(0);
}

/// What no snapshot shows as it was is refused before anything is copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_without_transactions_are_refused() {
    let hand = Hand::start(ServerKind::MariaDb1011, [&LINES[0], &LINES[1]], "").await;
    let [a, b] = hand.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE = MyISAM",
        "CREATE TABLE shop.kept (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
    ])
    .await;
    let output = hand.twinlog.run(&["up", "--yes"]);
    let says = [
        "shop.old (its engine MyISAM has no transactions)",
        "shop.kept (it keeps older versions of its rows)",
    ];
    assert_fails(&output, 3, &says);
    // Nothing was begun.
    let marks = "SELECT @@GLOBAL.read_only, COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME IN ('copy', 'copied')";
    assert_eq!(b.rows(marks).await, [["0", "0"]]);
    b.run(&[
        "CREATE DATABASE shop",
        "CREATE PROCEDURE shop.p () SELECT 1",
    ])
    .await;
    a.run(&[
        "ALTER TABLE shop.old ENGINE = InnoDB",
        "DROP TABLE shop.kept",
    ])
    .await;
    let output = hand.twinlog.run(&["up", "--yes"]);
    assert_fails(
        &output,
        3,
        &["procedure shop.p", "twinlog deletes nothing of it"],
    );
    assert_eq!(b.rows(marks).await, [["0", "0"]]);
    b.run(&["DROP PROCEDURE shop.p"]).await;
    hand.up();
    same_rows(&[a, b], "SHOW CREATE TABLE shop.old").await;
}

/// A snapshot shows rows as they were, and tables by the names that they have now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_exchange_their_names_meanwhile() {
    for kind in [ServerKind::MySql97, ServerKind::MariaDb1011] {
        let (hand, running) = begun(kind).await;
        let [a, _] = hand.both();
        a.run(&[
            "RENAME TABLE shop.counted TO shop.x, shop.empty TO shop.counted, shop.x TO shop.empty",
            "RENAME TABLE shop.counted TO shop.x, shop.empty TO shop.counted, shop.x TO shop.empty",
            "CREATE TABLE shop.texts_new LIKE shop.texts",
            "RENAME TABLE shop.texts TO shop.texts_old, shop.texts_new TO shop.texts",
        ])
        .await;
        assert_fails(&running.wait(), 3, &["shop.texts", "run the same again"]);
        hand.up();
        assert_eq!(
            hand.both()[1].rows("SELECT COUNT(*) FROM shop.texts").await,
            [["0"]]
        );
    }
}

/// A prepared transaction is in the log, and in no snapshot: it is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_transaction_is_waited_for() {
    let hand = Hand::start(ServerKind::MySql97, [&LINES[0], &LINES[1]], "").await;
    let [a, b] = hand.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY)",
        "XA START 'x'",
        "INSERT INTO shop.t VALUES (1)",
        "XA END 'x'",
        "XA PREPARE 'x'",
    ])
    .await;
    let mut running = hand.twinlog.spawn(&["copy", "--yes"]);
    running.wait_for_line("] copy all data from a to b");
    running.wait_for_line("copying: ");
    assert!(b.try_rows("SELECT * FROM shop.t").await.is_err());
    a.run(&["XA COMMIT 'x'"]).await;
    running.wait().expect_code(0);
    same_rows(&[a, b], "SELECT * FROM shop.t").await;
}

/// A statement that reads for long: MySQL would keep tables closed behind it, so it is waited for; MariaDB's lock passes it.
async fn a_long_reader(kind: ServerKind, is_waited_for: bool) {
    let hand = Hand::start(kind, [&LINES[0], &LINES[1]], "").await;
    let [a, b] = hand.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY)",
        "INSERT INTO shop.t VALUES (1)",
    ])
    .await;
    let reader = a.clone();
    let reading = tokio::spawn(async move {
        // Killed at the end.
        let _ = reader.try_rows("SELECT SLEEP(600) FROM shop.t").await;
    });
    let long = "SELECT id FROM information_schema.PROCESSLIST WHERE info LIKE 'SELECT SLEEP%' AND time >= 3";
    let id = wait_until(DEADLINE, "a statement that runs long", async || {
        a.rows(long).await.pop()?.pop()
    })
    .await;
    let mut running = hand.twinlog.spawn(&["copy", "--yes"]);
    running.wait_for_line("] copy all data from a to b");
    if is_waited_for {
        running.wait_for_line("copying: ");
        assert!(b.try_rows("SELECT * FROM shop.t").await.is_err());
        a.run(&[&format!("KILL {id}")]).await;
        running.wait().expect_code(0);
    } else {
        running.wait().expect_code(0);
        a.run(&[&format!("KILL {id}")]).await;
    }
    reading.await.unwrap();
    same_rows(&[a, b], "SELECT * FROM shop.t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_on_mysql() {
    a_long_reader(ServerKind::MySql97, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_on_mariadb() {
    a_long_reader(ServerKind::MariaDb1011, false).await;
}
