//! The other way of a copy: MySQL's CLONE, killed at every place.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use twinlog_testbed::{Running, ServerKind, ServerOptions, wait_until};

use crate::{
    hand::Hand,
    support::{DEADLINE, Db, Pair, assert_fails, assert_proven, insert_on_both, same_rows, walk},
};

const LINES: [[&str; 3]; 2] = [
    ["server_id = 1", "log_bin = bin", "log_slave_updates"],
    ["server_id = 2", "log_bin = bin", "log_slave_updates"],
];
const SHOP: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20), d JSON)",
    "INSERT INTO shop.t (v, d) VALUES ('one', JSON_OBJECT('p', 1.10)), ('two', NULL), ('three', NULL)",
    "CREATE VIEW shop.view AS SELECT v FROM shop.t",
    "CREATE USER client IDENTIFIED BY 'Client-Pass-1'",
    "GRANT SELECT ON shop.* TO client",
    "CREATE USER other@localhost",
    "SET SESSION sql_mode = 'ANSI_QUOTES'",
    "CREATE DEFINER = other@localhost EVENT shop.nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM shop.t WHERE id < 0",
];
const ROWS: &str = "SELECT * FROM shop.t ORDER BY id";
/// Nothing that was there for CLONE alone is left, and the node is open.
const LEFT: &str = "SELECT (SELECT COUNT(*) FROM mysql.user WHERE user = 'twinlog_clone'), \
     (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'twinlog' AND TABLE_NAME IN ('clone', 'copy', 'copied')), \
     (SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'), \
     (SELECT COUNT(*) FROM performance_schema.persisted_variables WHERE VARIABLE_NAME IN ('read_only', 'event_scheduler')), @@GLOBAL.read_only, @@GLOBAL.event_scheduler";

/// Writes to a node until told to stop; says how many rows.
fn write(db: &Db) -> (Arc<AtomicBool>, tokio::task::JoinHandle<u32>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (db, stopped) = (db.clone(), Arc::clone(&stop));
    let task = tokio::spawn(async move {
        let mut done = 0;
        while !stopped.load(Ordering::Relaxed) {
            db.run(&["INSERT INTO shop.t (v) VALUES ('new')"]).await;
            done += 1;
        }
        done
    });
    (stop, task)
}

/// Both are nodes of a pair, and the one that was cloned is one of its own.
async fn whole([a, b]: &[Db; 2]) {
    same_rows(&[a.clone(), b.clone()], ROWS).await;
    for db in [a, b] {
        assert_eq!(db.rows(LEFT).await, [["0", "0", "0", "0", "0", "ON"]]);
    }
    let events = "SELECT DEFINER, SQL_MODE, STATUS FROM information_schema.EVENTS";
    let event = |status: &str| {
        [["other@localhost", "ANSI_QUOTES", status]
            .map(str::to_owned)
            .to_vec()]
    };
    assert_eq!(a.rows(events).await, event("ENABLED"));
    let disabled = b.rows(events).await;
    assert!(disabled[0][2].ends_with("SIDE_DISABLED"), "{disabled:?}");
    assert_eq!(disabled[0][..2], event("")[0][..2]);
    let uuid = "SELECT @@server_uuid";
    assert_ne!(a.rows(uuid).await, b.rows(uuid).await);
    assert_eq!(a.rows("SELECT node FROM twinlog.node").await, [["a"]]);
    assert_eq!(b.rows("SELECT node FROM twinlog.node").await, [["b"]]);
    assert!(b.rows("SHOW GRANTS FOR client").await.len() == 2);
    walk(&[a.clone(), b.clone()]).await;
    insert_on_both(&[a.clone(), b.clone()], 5).await;
}

/// A pair of which b's data directory is gone.
async fn lost() -> Pair {
    let pair = Pair::proven(ServerKind::MySql97);
    let [a, b] = pair.both();
    a.run(SHOP).await;
    b.run(&["INSERT INTO shop.t (v) VALUES ('of b')"]).await;
    same_rows(&pair.both(), ROWS).await;
    pair.twinlog.run(&["down"]).expect_code(0);
    fs::remove_dir_all(pair.node_dir("b")).unwrap();
    pair.twinlog.run(&["up"]).expect_code(1);
    pair
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node() {
    let pair = lost().await;
    assert_fails(&pair.twinlog.run(&["up"]), 1, &["`twinlog rebuild b`"]);
    let [a, _] = pair.both();
    a.run(&[
        &format!(
            "SET GLOBAL general_log_file = '{}'",
            pair.node_dir("a").join("data/general.log").display()
        ),
        "SET GLOBAL general_log = ON",
    ])
    .await;
    let (stop, writing) = write(&a);
    let done = pair
        .twinlog
        .run(&["-vv", "rebuild", "b", "--yes", "--way", "clone"]);
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 5);
    assert_proven(&done);
    assert!(
        done.stderr.contains("by CLONE: asked for"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("clients were not held up"),
        "{}",
        done.stderr
    );
    // No password is shown by twinlog, nor by the server.
    let said = fs::read_to_string(pair.node_dir("a").join("data/general.log")).unwrap();
    for text in [&done.stderr, &said] {
        let shown: Vec<_> = text
            .lines()
            .filter(|line| line.contains("IDENTIFIED"))
            .collect();
        assert!(!shown.is_empty());
        let is_masked = |line: &&&str| {
            line.contains("'***'")
                || line.contains("<secret>")
                || line.contains("IDENTIFIED WITH 'caching_sha2_password' AS")
        };
        let bare: Vec<_> = shown.iter().filter(|line| !is_masked(line)).collect();
        assert!(bare.is_empty(), "{bare:?}");
    }
    whole(&pair.both()).await;
    pair.twinlog.run(&["verify"]).expect_code(0);
    pair.twinlog.run(&["run", "--once"]).expect_code(0);
    // It stays one when it starts again.
    pair.twinlog.run(&["down"]).expect_code(0);
    pair.up();
    assert_eq!(
        pair.both()[1].rows(LEFT).await,
        [["0", "0", "0", "0", "0", "ON"]]
    );
}

/// A clone that is slow enough to be met in the middle.
async fn begun(pair: &Pair) -> Running {
    let running = pair
        .twinlog
        .spawn(&["rebuild", "b", "--yes", "--way", "clone", "--rate", "4"]);
    let b = pair.db("b");
    wait_until(DEADLINE, "files going over", async || {
        let at = "SELECT COUNT(*) FROM performance_schema.clone_progress WHERE STAGE = 'FILE COPY' AND STATE = 'In Progress' AND DATA > 0";
        let rows = b.try_rows(at).await.ok()?;
        (rows[0][0] == "1").then_some(())
    })
    .await;
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_one_is_gone_on_with() {
    let pair = lost().await;
    begun(&pair).await.kill();
    // The server goes on by itself; whoever comes then waits for it.
    let done = pair.twinlog.run(&["copy", "--yes"]);
    assert_proven(&done);
    for said in ["cloning: file copy, ", "clients were not held up"] {
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    whole(&pair.both()).await;
    pair.twinlog.run(&["verify"]).expect_code(0);
}

/// Killed before anything was dropped, and gone on with the other way: nothing of the first is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_given_up_for_the_other_way() {
    let pair = lost().await;
    let [a, _] = pair.both();
    let mut running = pair
        .twinlog
        .spawn(&["-vv", "rebuild", "b", "--yes", "--way", "clone"]);
    running.wait_for_line("CREATE USER 'twinlog_clone'");
    running.kill();
    assert_eq!(a.rows("SELECT COUNT(*) FROM twinlog.clone").await, [["1"]]);
    let b = pair.db("b");
    b.run(&[
        "SET PERSIST read_only = ON",
        "SET PERSIST event_scheduler = OFF",
    ])
    .await;
    let plan = pair.twinlog.run(&["plan"]);
    assert!(
        plan.expect_code(0)
            .contains("not by CLONE: the tables of a take")
    );
    pair.up();
    // Accounts do not go along this way, nor all of a document.
    for db in pair.both() {
        assert_eq!(db.rows(LEFT).await, [["0", "0", "0", "0", "0", "ON"]]);
    }
    same_rows(&pair.both(), "SELECT id, v FROM shop.t ORDER BY id").await;
    walk(&pair.both()).await;
}

/// Waits until a process has ended.
async fn gone(pid: &str) {
    let path = std::path::PathBuf::from(format!("/proc/{pid}"));
    wait_until(DEADLINE, "the end of the server", async || {
        (!path.exists()).then_some(())
    })
    .await;
}

/// All has come, and its server ended by itself: nobody takes it for a node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_come_is_no_node() {
    let pair = lost().await;
    let old = {
        let running = begun(&pair).await;
        let old = pair.pid("b");
        running.kill();
        old
    };
    gone(&old).await;
    let refused = pair.twinlog.run(&["rebuild", "a", "--yes"]);
    assert_ne!(refused.code, Some(0), "{}", refused.stderr);
    assert!(pair.db("a").rows(ROWS).await.len() > 3);
    // Killed again wherever it may be.
    for wait_ms in [300, 1500, 2500, 3500] {
        let running = pair.twinlog.spawn(&["up"]);
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        running.kill();
        let b = pair.db("b");
        if let Ok(rows) = b.try_rows("SELECT node FROM twinlog.node").await
            && rows == [["a"]]
        {
            assert!(b.links().await.is_empty());
            let status = pair.twinlog.run(&["status"]);
            assert!(
                status.stdout.contains("b holds half a copy of a"),
                "{}",
                status.stdout
            );
        }
    }
    pair.up();
    whole(&pair.both()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_killed_meanwhile() {
    let pair = lost().await;
    let running = begun(&pair).await;
    pair.signal("b", "KILL");
    assert_ne!(running.wait().code, Some(0));
    // It is empty, and has its accounts.
    pair.twinlog.run(&["plan"]).expect_code(0);
    let running = begun(&pair).await;
    let old = pair.pid("a");
    pair.signal("a", "KILL");
    running.kill();
    gone(&old).await;
    pair.up();
    whole(&pair.both()).await;
    pair.twinlog.run(&["verify"]).expect_code(0);
}

/// Servers of someone else's: whoever runs them starts the one that ended.
async fn servers_of_someone_elses(more: &str) -> Hand {
    let mut hand = Hand::start(ServerKind::MySql97, [&LINES[0], &LINES[1]], more).await;
    let [a, b] = hand.both();
    a.run(SHOP).await;
    b.run(&["CREATE USER only_on_b"]).await;
    let plan = hand.twinlog.run(&["plan"]);
    let said = plan.expect_code(0);
    assert!(
        said.contains("not by CLONE: it ends the server of b"),
        "{said}"
    );
    let (stop, writing) = write(&a);
    let output = hand.twinlog.run(&["copy", "--yes", "--way", "clone"]);
    assert_fails(
        &output,
        3,
        &["b has all of the data by CLONE and has ended"],
    );
    hand.servers[1].kill();
    hand.servers[1]
        .restart(&ServerOptions::with(&LINES[1]))
        .await;
    assert_eq!(
        b.rows("SELECT @@GLOBAL.read_only, @@GLOBAL.event_scheduler")
            .await,
        [["1", "OFF"]]
    );
    let plan = hand.twinlog.run(&["plan"]);
    let said = plan.expect_code(0);
    assert!(said.contains("all is there by CLONE already"), "{said}");
    assert!(!said.contains("allow clients' writes"), "{said}");
    hand.up();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    whole(&hand.both()).await;
    let only = b
        .rows("SELECT COUNT(*) FROM mysql.user WHERE user = 'only_on_b'")
        .await;
    assert_eq!(only, [["0"]]);
    hand
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_someone_elses_by_gtid() {
    let hand = servers_of_someone_elses("").await;
    hand.twinlog.run(&["verify"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_someone_elses_by_position() {
    servers_of_someone_elses("[replication]\nmode = \"position\"\n").await;
}

/// What CLONE cannot is said before anything is done, and found out by the servers at the latest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_cannot_be() {
    let hand = Hand::start(ServerKind::MySql97, [&LINES[0], &LINES[1]], "").await;
    let [a, b] = hand.both();
    a.run(SHOP).await;
    b.run(&["SET PERSIST event_scheduler = ON"]).await;
    let way = ["copy", "--yes", "--way", "clone"];
    let output = hand.twinlog.run(&way);
    assert_fails(
        &output,
        3,
        &["event_scheduler is persisted on b", "--way logical"],
    );
    b.run(&["RESET PERSIST"]).await;
    // The account is another one there.
    b.run(&[
        "CREATE USER boss IDENTIFIED BY 'Boss-Pass-1'",
        "GRANT ALL ON *.* TO boss WITH GRANT OPTION",
    ])
    .await;
    let login = format!(
        "user = \"boss\"\n{}",
        hand.password_file("boss", "Boss-Pass-1")
    );
    hand.configure(["user = \"root\"\nno_password = true", &login], "");
    assert_fails(
        &hand.twinlog.run(&way),
        3,
        &["all accounts of b would be those of a"],
    );
    hand.configure(
        ["user = \"root\"\nno_password = true"; 2],
        "databases = [\"shop\"]\n",
    );
    let restricted = "`databases` restricts the pair";
    hand.twinlog.write(
        "twinlog.toml",
        &format!(
            "databases = [\"shop\"]\n{}",
            fs::read_to_string(hand.dir.join("twinlog.toml"))
                .unwrap()
                .replace("databases = [\"shop\"]\n", "")
        ),
    );
    assert_fails(&hand.twinlog.run(&way), 2, &[restricted]);
    let marks = "SELECT @@GLOBAL.read_only, COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'twinlog'";
    for db in [&a, &b] {
        assert_eq!(db.rows(marks).await, [["0", "0"]]);
    }
    for kind in [ServerKind::MariaDb1011, ServerKind::MySql56] {
        let more = "[replication]\nmode = \"position\"\n";
        let hand = Hand::start(kind, [&LINES[0], &LINES[1]], more).await;
        hand.both()[0]
            .run(&[
                "CREATE DATABASE shop",
                "CREATE TABLE shop.t (id INT PRIMARY KEY)",
            ])
            .await;
        assert_fails(&hand.twinlog.run(&way), 2, &["has none"]);
    }
}
