//! `twinlog verify` on real pairs: what differs is found, to the row; what is only on its way is not.

use std::{collections::BTreeSet, fs, io, sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::sync::Notify;
use twinlog_agent::verify::Report;
use twinlog_testbed::{Output, ServerKind, wait_until};

use crate::{
    schema::{assert_valid, check_schema},
    support::{DEADLINE, Db, Pair, assert_fails, same_rows},
};

mod beside;
mod interrupted;
mod since;

#[test]
fn its_schema_is_in_docs() {
    check_schema::<Report>("verify");
}

/// A table each of what is hard: keys of several columns, of text, with gaps; no key; names that need quotes; every type.
pub(crate) const TABLES: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE DATABASE `d\"o.t`",
    "CREATE TABLE shop.plain (id BIGINT PRIMARY KEY, v VARCHAR(20), w VARCHAR(20))",
    "CREATE TABLE shop.pairs (a INT, b VARCHAR(20) COLLATE utf8mb4_unicode_ci, c INT, n INT, PRIMARY KEY (a, b, c)) CHARSET utf8mb4",
    "CREATE TABLE shop.texts (name VARCHAR(40) PRIMARY KEY, n INT) CHARSET utf8mb4",
    "CREATE TABLE shop.bag (a INT, b VARCHAR(10))",
    "CREATE TABLE shop.empty (id INT PRIMARY KEY)",
    "CREATE TABLE `d\"o.t`.`ta``b'le ü` (`i.d` INT PRIMARY KEY, `wë\"ird` INT)",
    "CREATE TABLE shop.types (id INT PRIMARY KEY, i TINYINT UNSIGNED, f FLOAT, d DOUBLE, dec_ DECIMAL(20,5), y YEAR, da DATE, \
     ti TIME(3), dt DATETIME(6), ts TIMESTAMP NULL, c CHAR(5), bi BINARY(5), vb VARBINARY(20), bl BLOB, te LONGTEXT, \
     e ENUM('a','b'), s SET('x','y'), bt BIT(12), g GEOMETRY, l1 VARCHAR(20) CHARACTER SET latin1)",
];

pub(crate) const FILL: &[&str] = &[
    "SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'",
    "INSERT INTO shop.plain VALUES (-5, 'x', 'y'), (1, 'open', NULL), (2, 'open', ''), (3, 'a#', 'b'), (9000000000, 'end', 'end')",
    "INSERT INTO shop.pairs VALUES (1, 'a', 1, 1), (1, 'a', 2, 1), (1, 'b', 1, 1), (2, 'ä', 1, 1), (2, 'z', 9, 1)",
    "INSERT INTO shop.texts VALUES ('', 1), ('a\\'b\\\\', 2), ('Straße', 3), ('日本', 4)",
    "INSERT INTO shop.bag VALUES (1, 'x'), (1, 'x'), (2, 'y'), (2, 'y'), (3, NULL)",
    "INSERT INTO `d\"o.t`.`ta``b'le ü` VALUES (1, 1), (2, 2)",
    "INSERT INTO shop.types VALUES (1, 255, 1.1, 0, 0.10000, 2024, '0000-00-00', '-12:00:00.5', '2024-02-31 01:02:03.000004', \
     '2024-03-31 01:30:00', 'ab ', 'a\\0b', x'00ff', x'0a', REPEAT('long', 1000), 'b', 'x,y', b'101', POINT(1, 2), 'é'), \
     (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "INSERT INTO shop.types (id, te) VALUES (3, REPEAT('long', 1000))",
];

pub(crate) async fn filled(kind: ServerKind) -> Pair {
    let pair = Pair::proven(kind);
    let a = pair.db("a");
    a.run(TABLES).await;
    a.run(FILL).await;
    // More rows than a piece has, with keys of every sort.
    let digits = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION \
                  SELECT 7 UNION SELECT 8 UNION SELECT 9)";
    let numbers = format!(
        "(SELECT q.d * 10000 + w.d * 1000 + x.d * 100 + y.d * 10 + z.d AS n FROM {digits} z, {digits} y, {digits} x, {digits} w, \
         (SELECT 0 d UNION SELECT 1) q) AS numbers"
    );
    let fill = |into: &str| format!("INSERT INTO {into} FROM {numbers}");
    a.run(&[
        "CREATE TABLE shop.many (id INT PRIMARY KEY, v VARCHAR(20))",
        &fill("shop.pairs SELECT n % 7 + 10, CONCAT('k', n % 11), n, n"),
        &fill("shop.texts SELECT CONCAT(REPEAT('ß', n % 3), 'x ', n), n"),
        &fill("shop.many SELECT n * 7, 'new'"),
    ])
    .await;
    arrived(&pair).await;
    pair
}

/// Waits until both nodes hold the same in the last of the tables, which was written last.
async fn arrived(pair: &Pair) {
    same_rows(&pair.both(), "SELECT COUNT(*), SUM(id) FROM shop.many").await;
}

pub(crate) fn verify(pair: &Pair, args: &[&str]) -> Output {
    let mut all = vec!["verify"];
    all.extend(args);
    pair.twinlog.run(&all)
}

fn report(pair: &Pair, code: i32, args: &[&str]) -> Value {
    let mut all = vec!["--json"];
    all.extend(args);
    let output = verify(pair, &all);
    let text = output.expect_code(code);
    assert_valid("verify", text);
    serde_json::from_str(text).unwrap()
}

/// `table key` of each row that differs.
pub(crate) fn rows(report: &Value) -> BTreeSet<String> {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let key = row["key"].as_str().unwrap_or("-");
        format!("{} {key}", row["table"].as_str().unwrap())
    })
    .collect()
}

async fn equal(kind: ServerKind) {
    let pair = filled(kind).await;
    let report = report(&pair, 0, &[]);
    assert_eq!(report["equal"], true, "{report:#}");
    assert_eq!(report["tables"].as_array().unwrap().len(), 8, "{report:#}");
    let text = verify(&pair, &["--tables", "shop.*"]);
    assert!(
        text.expect_code(0)
            .starts_with("both nodes hold the same: 60022 rows in 7 tables, "),
        "{}",
        text.stdout
    );
}

#[tokio::test]
async fn an_equal_pair_of_mysql_9_7() {
    equal(ServerKind::MySql97).await;
}

#[tokio::test]
async fn an_equal_pair_of_mysql_5_6() {
    equal(ServerKind::MySql56).await;
}

#[tokio::test]
async fn an_equal_pair_of_mariadb() {
    equal(ServerKind::MariaDb1011).await;
}

/// Changes that no log has, each of a kind that has escaped some tool.
pub(crate) const PLANTED: &[(&str, &[&str])] = &[
    // The same change in an even number of rows.
    (
        "UPDATE shop.plain SET v = 'done' WHERE id IN (1, 2)",
        &["shop.plain id=1", "shop.plain id=2"],
    ),
    // The separator moves.
    (
        "UPDATE shop.plain SET v = 'a', w = '#b' WHERE id = 3",
        &["shop.plain id=3"],
    ),
    // The last row of all, and one below the first.
    (
        "DELETE FROM shop.plain WHERE id = 9000000000",
        &["shop.plain id=9000000000"],
    ),
    (
        "INSERT INTO shop.plain VALUES (-9, NULL, NULL)",
        &["shop.plain id=-9"],
    ),
    (
        "UPDATE shop.pairs SET n = NULL WHERE a = 2 AND c = 1",
        &["shop.pairs a=2, b='ä', c=1"],
    ),
    (
        "UPDATE shop.pairs SET b = 'A' WHERE a = 1 AND b = 'a' AND c = 2",
        &["shop.pairs a=1, b='A', c=2", "shop.pairs a=1, b='a', c=2"],
    ),
    (
        "DELETE FROM shop.pairs WHERE a = 13 AND b = 'k5' AND c IN (7738, 19288)",
        &[
            "shop.pairs a=13, b='k5', c=7738",
            "shop.pairs a=13, b='k5', c=19288",
        ],
    ),
    (
        "UPDATE shop.texts SET n = -1 WHERE name IN ('x 0', 'ßx 10000', 'ßßx 19997')",
        &[
            "shop.texts name='x 0'",
            "shop.texts name='ßx 10000'",
            "shop.texts name='ßßx 19997'",
        ],
    ),
    (
        "DELETE FROM shop.texts WHERE name = ''",
        &["shop.texts name=''"],
    ),
    (
        "UPDATE shop.texts SET n = 5 WHERE name = '日本'",
        &["shop.texts name='日本'"],
    ),
    ("UPDATE shop.bag SET a = 4 WHERE a = 2", &["shop.bag -"]),
    ("INSERT INTO shop.empty VALUES (0)", &["shop.empty id=0"]),
    (
        "UPDATE `d\"o.t`.`ta``b'le ü` SET `wë\"ird` = 3 WHERE `i.d` = 2",
        &["d\"o.t.ta`b'le ü i.d=2"],
    ),
    (
        "UPDATE shop.types SET d = 1e-300 WHERE id = 1",
        &["shop.types id=1"],
    ),
    (
        "UPDATE shop.types SET te = REPEAT('lonG', 1000) WHERE id = 3",
        &["shop.types id=3"],
    ),
    (
        "UPDATE shop.types SET bl = '' WHERE id = 2",
        &["shop.types id=2"],
    ),
    (
        "UPDATE shop.many SET v = 'old' WHERE id IN (0, 69993, 139993)",
        &[
            "shop.many id=0",
            "shop.many id=69993",
            "shop.many id=139993",
        ],
    ),
];

async fn planted(kind: ServerKind) {
    let pair = filled(kind).await;
    let mut statements = vec![
        "SET sql_log_bin = 0",
        "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    ];
    statements.extend(PLANTED.iter().map(|(statement, _)| *statement));
    pair.exec("b", &statements).await;
    let expected: BTreeSet<String> = PLANTED
        .iter()
        .flat_map(|(_, rows)| *rows)
        .map(|row| (*row).to_owned())
        .collect();
    let found = report(&pair, 1, &[]);
    assert_eq!(rows(&found), expected, "{found:#}");
    assert_eq!(found["equal"], false);
    // Narrowed down by a condition.
    let some = report(
        &pair,
        1,
        &["--tables", "shop.many", "--where", "id < 70000"],
    );
    assert_eq!(rows(&some).len(), 2, "{some:#}");
    // A name that is quoted; unquoted, its first dot would end the database's.
    let quoted = report(&pair, 1, &["--tables", "`d\"o.t`.`ta``b'le ü`"]);
    assert_eq!(
        rows(&quoted),
        ["d\"o.t.ta`b'le ü i.d=2".to_owned()].into(),
        "{quoted:#}"
    );
    assert_eq!(quoted["tables"].as_array().unwrap().len(), 1);
    let text = verify(&pair, &["--tables", "shop.plain"]);
    insta::assert_snapshot!(
        format!("verify_{}", kind.name()),
        without_time(text.expect_code(1))
    );
}

/// Without what depends on the machine.
pub(crate) fn without_time(text: &str) -> String {
    let end = text.rfind(", ").unwrap_or(text.len());
    format!("{}, … s", &text[..end])
}

#[tokio::test]
async fn what_no_log_has_is_found_on_mysql_9_7() {
    planted(ServerKind::MySql97).await;
}

#[tokio::test]
async fn what_no_log_has_is_found_on_mysql_5_6() {
    planted(ServerKind::MySql56).await;
}

#[tokio::test]
async fn what_no_log_has_is_found_on_mariadb() {
    planted(ServerKind::MariaDb1011).await;
}

/// So many of a client's turns may be on their way to the other node: what falls behind without an end is waited for
/// without an end.
const BEHIND_MAX: u32 = 100;

/// Writes rows of its own, as fast as the link carries them, until it is told to stop.
async fn write(db: Db, peer: Db, own: u32, stop: Arc<Notify>) -> u32 {
    let (mut conn, mut peer) = (db.conn().await.unwrap(), peer.conn().await.unwrap());
    let hot_id = 14 + own * 7;
    let mut done = 0;
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        let id = (done * 137 + 1) % 10_000 * 14 + own * 7;
        let sql = match done % 3 {
            0 => format!("UPDATE shop.many SET v = '{done}' WHERE id = {id}"),
            1 => format!("REPLACE INTO shop.many VALUES ({id}, '{done}')"),
            _ => format!("DELETE FROM shop.many WHERE id = {id}"),
        };
        // Hot ones, too.
        let hot = format!("REPLACE INTO shop.many VALUES ({hot_id}, '{done}')");
        let turn = async {
            run(&mut conn, [&sql, &hot]).await?;
            has_come(&mut peer, hot_id, done.saturating_sub(BEHIND_MAX)).await
        };
        tokio::select! {
            () = &mut stopped => return done,
            result = turn => result.unwrap(),
        }
        done += 1;
    }
}

/// Waits until a row has come to have this number, or a higher one.
async fn has_come(conn: &mut mysql_async::Conn, id: u32, number: u32) -> mysql_async::Result<()> {
    use mysql_async::prelude::Queryable;
    let sql = format!("SELECT 1 FROM shop.many WHERE id = {id} AND v + 0 >= {number}");
    while number > 0 && conn.query_first::<u8, _>(&sql).await?.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn run(conn: &mut mysql_async::Conn, statements: [&str; 2]) -> mysql_async::Result<()> {
    use mysql_async::prelude::Queryable;
    for statement in statements {
        conn.query_drop(statement).await?;
    }
    Ok(())
}

/// Two clients write all the time, one on each node; some rows that neither of them writes were changed behind the logs.
async fn under_load(kind: ServerKind) {
    let pair = filled(kind).await;
    let rows_of_none = "id IN (-7, 140007, 140014)";
    let planted = [
        "SET sql_log_bin = 0",
        "INSERT INTO shop.many VALUES (-7, 'x'), (140007, 'y'), (140014, 'z')",
    ];
    pair.exec("b", &planted).await;
    let stop = Arc::new(Notify::new());
    let writers: Vec<_> = [("a", "b"), ("b", "a")]
        .into_iter()
        .zip(0..)
        .map(|((node, peer), own)| {
            tokio::spawn(write(pair.db(node), pair.db(peer), own, Arc::clone(&stop)))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let pair = Arc::new(pair);
    for _ in 0..3 {
        let on_it = Arc::clone(&pair);
        let found = tokio::task::spawn_blocking(move || {
            report(
                &on_it,
                1,
                &["--tables", "shop.many", "--full-speed", "--max-rows", "3"],
            )
        });
        let found = found.await.unwrap();
        let expected = [
            "shop.many id=-7",
            "shop.many id=140007",
            "shop.many id=140014",
        ];
        assert_eq!(
            rows(&found),
            expected.map(str::to_owned).into(),
            "{found:#}"
        );
    }
    stop.notify_waiters();
    for writer in writers {
        assert!(writer.await.unwrap() > 20);
    }
    pair.exec(
        "b",
        &[
            "SET sql_log_bin = 0",
            &format!("DELETE FROM shop.many WHERE {rows_of_none}"),
        ],
    )
    .await;
    assert_eq!(report(&pair, 0, &[])["equal"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_invented_under_load_on_mysql_9_7() {
    under_load(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_invented_under_load_on_mysql_5_6() {
    under_load(ServerKind::MySql56).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_invented_under_load_on_mariadb() {
    under_load(ServerKind::MariaDb1011).await;
}

/// One node is always a second behind, and there is always something on its way: longer than rows may be locked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_link_is_waited_for() {
    let pair = filled(ServerKind::MySql97).await;
    let slow = [
        "STOP REPLICA",
        "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 1",
        "START REPLICA",
        "SET sql_log_bin = 0",
        "INSERT INTO shop.many VALUES (-7, 'x')",
        "DELETE FROM shop.many WHERE id = 7",
    ];
    pair.exec("b", &slow).await;
    let stop = Arc::new(Notify::new());
    let (db, stopped) = (pair.db("a"), Arc::clone(&stop));
    let writer = tokio::spawn(async move {
        let mut conn = db.conn().await.unwrap();
        for id in 200_000.. {
            let [insert, change] = [
                format!("INSERT INTO shop.many VALUES ({id}, 'x')"),
                format!("UPDATE shop.many SET v = 'y' WHERE id = {id} - 1"),
            ];
            tokio::select! {
                () = stopped.notified() => break,
                result = run(&mut conn, [&insert, &change]) => result.unwrap(),
            }
        }
    });
    let pair = Arc::new(pair);
    let on_it = Arc::clone(&pair);
    let args = ["--tables", "shop.many", "--full-speed"];
    let found = tokio::task::spawn_blocking(move || report(&on_it, 1, &args));
    let found = found.await.unwrap();
    stop.notify_one();
    writer.await.unwrap();
    let expected = ["shop.many id=-7", "shop.many id=7"];
    assert_eq!(
        rows(&found),
        expected.map(str::to_owned).into(),
        "{found:#}"
    );
}

/// What was compared before the kill is not compared again, and what was found there is not lost.
#[tokio::test]
async fn a_killed_one_is_gone_on_with() {
    gone_on_with(Signal::SIGKILL).await;
}

#[tokio::test]
async fn an_interrupted_one_is_gone_on_with() {
    gone_on_with(Signal::SIGINT).await;
}

async fn gone_on_with(signal: Signal) {
    let pair = filled(ServerKind::MariaDb1011).await;
    let planted = [
        "SET sql_log_bin = 0",
        "UPDATE shop.many SET v = 'x' WHERE id IN (0, 139993)",
        "UPDATE shop.bag SET a = 9 WHERE a = 3",
    ];
    pair.exec("b", &planted).await;
    // Slow enough to be caught in the middle.
    let args = [
        "verify",
        "--tables=shop.many",
        "--tables=shop.bag",
        "--where=SLEEP(0.0001) = 0",
        "--parallel=3",
        "--json",
    ];
    let running = pair.twinlog.spawn(&args);
    let data = pair.dir.join("data");
    let half_way = || {
        let dirs = fs::read_dir(data.join("verify")).into_iter().flatten();
        let file =
            |dir: io::Result<fs::DirEntry>| dir.ok().map(|dir| dir.path().join("bookmark.json"));
        let mut texts = dirs.filter_map(|dir| fs::read_to_string(file(dir)?).ok());
        texts.any(|text| text.contains("\"many\"],\"upto\":["))
    };
    wait_until(
        DEADLINE,
        "a bookmark in the middle of a table",
        async || half_way().then_some(()),
    )
    .await;
    interrupted::send(&running, signal);
    drop(running.wait());
    let output = pair.twinlog.run(&args);
    let found: Value = serde_json::from_str(output.expect_code(1)).unwrap();
    assert!(
        output.stderr.contains("going on where"),
        "{}",
        output.stderr
    );
    let expected = ["shop.bag -", "shop.many id=0", "shop.many id=139993"];
    assert_eq!(
        rows(&found),
        expected.map(str::to_owned).into(),
        "{found:#}"
    );
    let tables = found["tables"].as_array().unwrap();
    let many = tables
        .iter()
        .find(|table| table["table"] == "shop.many")
        .unwrap();
    assert_eq!(many["rows"], serde_json::json!({"a": 20_000, "b": 20_000}));
    // It is at its end: the next one begins anew.
    assert!(!half_way());
    pair.twinlog
        .run(&["down", "--purge", "--yes"])
        .expect_code(0);
    assert!(!data.exists());
}

#[tokio::test]
async fn definitions_that_differ_are_named() {
    let pair = filled(ServerKind::MySql97).await;
    pair.exec(
        "b",
        &[
            "SET sql_log_bin = 0",
            "DROP TABLE shop.texts",
            "ALTER TABLE shop.pairs ADD COLUMN extra INT",
            "CREATE TABLE shop.lonely (id INT PRIMARY KEY)",
        ],
    )
    .await;
    let found = report(&pair, 1, &[]);
    let schema: Vec<String> = found["schema"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{}: {}",
                one["at"].as_str().unwrap(),
                one["seen"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        schema,
        [
            "shop.texts: b lacks it",
            "shop.lonely: a lacks it",
            "shop.pairs: a lacks column extra"
        ]
    );
    assert!(found["rows"].as_array().unwrap().is_empty(), "{found:#}");
}

#[tokio::test]
async fn links_by_position_tell_nothing_of_what_is_on_its_way() {
    let pair = Pair::new(ServerKind::MySql97, "[replication]\nmode = \"position\"\n");
    pair.up();
    assert_fails(
        &verify(&pair, &[]),
        2,
        &["the links go by position", "mode = \"gtid\""],
    );
    // Whatever the file says.
    pair.exec("a", &["SET GLOBAL gtid_mode = ON_PERMISSIVE"])
        .await;
    pair.configure(ServerKind::MySql97, "");
    assert_fails(
        &verify(&pair, &[]),
        3,
        &["a gives its transactions no GTIDs", "twinlog up"],
    );
}

#[tokio::test]
async fn wrong_words_are_the_users_mistake() {
    let pair = Pair::proven(ServerKind::MariaDb1011);
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY)",
            "INSERT INTO shop.t VALUES (1)",
        ],
    )
    .await;
    let no_pattern = verify(&pair, &["--tables", "shop"]);
    no_pattern.expect_code(2);
    let says = "it has the form database.table";
    assert!(no_pattern.stderr.contains(says), "{}", no_pattern.stderr);
    verify(&pair, &["--tables", "`shop.t`"]).expect_code(2);
    verify(&pair, &["--tables", "shop.`t"]).expect_code(2);
    assert_fails(
        &verify(&pair, &["--tables", "shop.nothing"]),
        2,
        &["no table of the pair is like shop.nothing"],
    );
    assert_fails(
        &verify(&pair, &["--where", "no_such_column = 1"]),
        2,
        &["shop.t", "1054", "no_such_column"],
    );
    // It writes nothing, whatever the condition says.
    assert_fails(
        &verify(&pair, &["--where", "1 = 1); DELETE FROM shop.t; -- "]),
        2,
        &["1792", "READ ONLY"],
    );
    assert_eq!(pair.db("a").rows("SELECT id FROM shop.t").await, [["1"]]);
}
