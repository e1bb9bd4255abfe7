//! Servers that someone else configured, with the document's own files and by its own way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use crate::hand::{Hand, document_lines};
use crate::support::{Db, Rows, assert_fails, assert_proven, insert_on_both, same_rows, walk};

fn mode(mode: &str) -> String {
    format!("[replication]\nmode = \"{mode}\"\n")
}

async fn documents_files(kind: ServerKind, by: &str) {
    let mut hand = Hand::of_document(kind, &mode(by)).await;
    let before = hand.state().await;
    let asked = hand.twinlog.run(&["up"]);
    asked.expect_code(1);
    for text in [
        "CREATE DATABASE IF NOT EXISTS `twinlog`",
        "say --yes",
        "nothing was changed",
    ] {
        assert!(asked.stderr.contains(text), "{}", asked.stderr);
    }
    hand.twinlog.run(&["plan"]).expect_code(0);
    assert_eq!(hand.state().await, before);

    hand.up();
    walk(&hand.both()).await;
    insert_on_both(&hand.both(), 20).await;
    let again = hand.twinlog.run(&["up"]);
    assert_proven(&again);
    assert!(
        again.stderr.contains("nothing was missing"),
        "{}",
        again.stderr
    );

    let lines = document_lines(kind);
    for (server, lines) in hand.servers.iter_mut().zip(lines) {
        server.restart(&ServerOptions { extra: lines }).await;
    }
    let after = hand.twinlog.run(&["up"]);
    if kind == ServerKind::MySql97 {
        assert_proven(&after);
        assert!(
            after.stderr.contains("nothing was missing"),
            "{}",
            after.stderr
        );
    } else {
        // What was set at run time went with the restart: it is shown again, and asked for again.
        after.expect_code(1);
        assert!(
            after.stderr.contains("auto_increment_increment = 2"),
            "{}",
            after.stderr
        );
        hand.up();
    }
    insert_on_both(&hand.both(), 5).await;
    same_rows(&hand.both(), "SELECT * FROM test.info ORDER BY id").await;
}

#[tokio::test]
async fn the_documents_files_on_mysql_5_6() {
    documents_files(ServerKind::MySql56, "position").await;
}

#[tokio::test]
async fn the_documents_files_on_mysql_9_7() {
    documents_files(ServerKind::MySql97, "position").await;
}

#[tokio::test]
async fn the_documents_files_on_mariadb_10_11() {
    documents_files(ServerKind::MariaDb1011, "position").await;
}

#[tokio::test]
async fn the_documents_files_on_mariadb_10_11_by_gtid() {
    documents_files(ServerKind::MariaDb1011, "gtid").await;
}

/// Points `replica` at `source` as the document does: root, file and position read by hand.
async fn link_by_hand(source: &Server, replica: &Server, by_gtid: bool) {
    let modern = source.kind() == ServerKind::MySql97;
    let status = if modern {
        "SHOW BINARY LOG STATUS"
    } else {
        "SHOW MASTER STATUS"
    };
    let row: mysql_async::Row = source.query_one(status).await;
    let (file, position): (String, u64) = (row.get(0).unwrap(), row.get(1).unwrap());
    let port = source.port();
    let sql = match (modern, by_gtid) {
        (true, false) => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_USER='admin', SOURCE_PASSWORD='root', \
             SOURCE_PORT={port}, SOURCE_LOG_FILE='{file}', SOURCE_LOG_POS={position}, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"
        ),
        (true, true) => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_USER='admin', SOURCE_PASSWORD='root', \
             SOURCE_PORT={port}, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"
        ),
        (false, _) => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='admin', MASTER_PASSWORD='root', MASTER_PORT={port}, \
             MASTER_LOG_FILE='{file}', MASTER_LOG_POS={position}; START SLAVE"
        ),
    };
    replica.exec(&sql).await;
}

/// An account that may do everything from everywhere, as the document's root, not in the log. Not named root, because
/// this machine's `root@localhost` is another one.
async fn open_admin(server: &Server) {
    let sql = match server.kind() {
        ServerKind::MySql56 => {
            "GRANT ALL ON *.* TO admin@'%' IDENTIFIED BY 'root' WITH GRANT OPTION"
        }
        _ => {
            "CREATE USER admin@'%' IDENTIFIED BY 'root'; GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION"
        }
    };
    server.exec(&format!("SET sql_log_bin = 0; {sql}")).await;
}

/// Writes rows to `test.w` until it is told to stop; returns how many the server took.
fn writer(db: Db) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        let mut conn = db.conn().await.unwrap();
        // The document's `binlog-do-db` loses statements from elsewhere.
        conn.query_drop("USE test").await.unwrap();
        let mut written = 0;
        while !stopped.load(Ordering::Relaxed) {
            conn.query_drop("INSERT INTO w (v) VALUES (1)")
                .await
                .unwrap();
            written += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        written
    });
    (stop, task)
}

async fn adopted(kind: ServerKind) {
    let hand = Hand::of_document(kind, &mode("position")).await;
    let [a, b] = &hand.servers;
    for server in [a, b] {
        open_admin(server).await;
    }
    link_by_hand(a, b, false).await;
    link_by_hand(b, a, false).await;
    let nodes = hand.both();
    nodes[0]
        .run(&[
            "CREATE DATABASE test",
            "USE test",
            "CREATE TABLE w (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
        ])
        .await;
    nodes[1]
        .wait_for_rows("SELECT COUNT(*) FROM test.w", &rows("0"))
        .await;

    let (stop, task) = writer(nodes[0].clone());
    let output = hand.twinlog.run(&["up", "--yes"]);
    stop.store(true, Ordering::Relaxed);
    let written = task.await.unwrap();
    assert_proven(&output);
    assert!(written > 10, "{written} rows are no load");
    for node in &nodes {
        node.wait_for_rows("SELECT COUNT(*) FROM test.w", &rows(&written.to_string()))
            .await;
        assert_eq!(
            node.link("Master_User", "Source_User").await,
            "twinlog_repl"
        );
        let expected = if kind == ServerKind::MySql97 {
            "Yes"
        } else {
            "No"
        };
        assert_eq!(
            node.link("Master_SSL_Allowed", "Source_SSL_Allowed").await,
            expected
        );
    }
    same_rows(&nodes, "SELECT * FROM test.w ORDER BY id").await;
    let again = hand.twinlog.run(&["up"]);
    assert!(
        again.stderr.contains("nothing was missing"),
        "{}",
        again.stderr
    );
}

fn rows(value: &str) -> Rows {
    vec![vec![value.to_owned()]]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_made_by_hand_on_mysql_5_6_is_taken_over() {
    adopted(ServerKind::MySql56).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_made_by_hand_on_mysql_9_7_is_taken_over() {
    adopted(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_made_by_hand_on_mariadb_10_11_is_taken_over() {
    adopted(ServerKind::MariaDb1011).await;
}

/// One direction was linked by hand; the other is missing.
async fn way_back(kind: ServerKind, by: &str) {
    let lines: [&[&str]; 2] = [
        &["server_id = 1", "log_bin = bin", "log_slave_updates"],
        &["server_id = 2", "log_bin = bin", "log_slave_updates"],
    ];
    let hand = match kind {
        ServerKind::MySql97 => {
            let gtid = ["gtid_mode = ON", "enforce_gtid_consistency = ON"];
            let lines = [
                ["server_id = 1", gtid[0], gtid[1]],
                ["server_id = 2", gtid[0], gtid[1]],
            ];
            Hand::start(kind, [&lines[0], &lines[1]], &mode(by)).await
        }
        _ => Hand::start(kind, lines, &mode(by)).await,
    };
    for server in &hand.servers {
        open_admin(server).await;
    }
    link_by_hand(&hand.servers[0], &hand.servers[1], by == "gtid").await;
    let nodes = hand.both();
    nodes[0]
        .run(&[
            "CREATE DATABASE test",
            "CREATE TABLE test.w (id INT PRIMARY KEY)",
            "INSERT INTO test.w VALUES (1), (2)",
        ])
        .await;
    nodes[1]
        .wait_for_rows("SELECT COUNT(*) FROM test.w", &rows("2"))
        .await;
    hand.up();
    nodes[1].run(&["INSERT INTO test.w VALUES (3)"]).await;
    nodes[0].run(&["INSERT INTO test.w VALUES (4)"]).await;
    for node in &nodes {
        node.wait_for_rows("SELECT SUM(id) FROM test.w", &rows("10"))
            .await;
    }
}

#[tokio::test]
async fn a_replica_gets_its_way_back_on_mariadb() {
    way_back(ServerKind::MariaDb1011, "position").await;
}

#[tokio::test]
async fn a_replica_gets_its_way_back_on_mysql() {
    way_back(ServerKind::MySql97, "gtid").await;
}

#[tokio::test]
async fn a_link_from_a_stranger_is_left_alone() {
    let kind = ServerKind::MariaDb1011;
    let lines: [&[&str]; 2] = [
        &["server_id = 1", "log_bin = bin"],
        &["server_id = 2", "log_bin = bin"],
    ];
    let hand = Hand::start(
        kind,
        lines
            .map(|lines| [lines, &["log_slave_updates"]].concat())
            .each_ref()
            .map(Vec::as_slice),
        &mode("position"),
    )
    .await;
    let stranger = Server::start(
        kind,
        &ServerOptions::with(&["server_id = 3", "log_bin = bin"]),
    )
    .await;
    open_admin(&stranger).await;
    link_by_hand(&stranger, &hand.servers[1], false).await;
    let from = format!("from 127.0.0.1:{}", stranger.port());
    hand.refuses(
        1,
        &[
            "node b replicates already, and not from its peer alone",
            &from,
        ],
    )
    .await;
}

#[tokio::test]
async fn gtids_are_switched_on_while_mysql_9_7_runs() {
    let off = ["gtid_mode = OFF", "enforce_gtid_consistency = OFF"];
    let lines = [
        ["server_id = 1", off[0], off[1]],
        ["server_id = 2", off[0], off[1]],
    ];
    let mut hand = Hand::start(ServerKind::MySql97, [&lines[0], &lines[1]], &mode("gtid")).await;
    hand.up();
    walk(&hand.both()).await;
    for (server, lines) in hand.servers.iter_mut().zip(lines) {
        server.restart(&ServerOptions::with(&lines)).await;
        assert_eq!(
            server
                .query_one::<String>("SELECT @@GLOBAL.gtid_mode")
                .await,
            "ON"
        );
    }
    let again = hand.twinlog.run(&["up"]);
    assert_proven(&again);
    assert!(
        again.stderr.contains("nothing was missing"),
        "{}",
        again.stderr
    );
    assert_fails(
        &hand.twinlog.run(&["-c", "none.toml", "up"]),
        2,
        &["none.toml"],
    );
}
