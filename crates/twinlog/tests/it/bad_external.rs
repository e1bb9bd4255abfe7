//! Bad input to pairs of servers that run already: a clear error each, and both servers as they were.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use crate::hand::Hand;
use crate::support::{assert_fails, assert_proven};

const KIND: ServerKind = ServerKind::MariaDb1011;
const LINES: [[&str; 3]; 2] = [
    ["server_id = 1", "log_bin = bin", "log_slave_updates"],
    ["server_id = 2", "log_bin = bin", "log_slave_updates"],
];

async fn pair() -> Hand {
    Hand::start(KIND, [&LINES[0], &LINES[1]], "").await
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let mut hand = pair().await;
    hand.servers[1].stop().await;
    let port = hand.servers[1].port();
    for args in [["plan"].as_slice(), &["up", "--yes"]] {
        let output = hand.twinlog.run(args);
        let says = format!("node b: cannot connect to 127.0.0.1:{port} as 'root'");
        assert_fails(&output, 3, &[&says, "is the server running"]);
    }
    assert!(!hand.dir.join("data").exists());
}

#[tokio::test]
async fn a_wrong_password() {
    let hand = pair().await;
    let file = hand.password_file("b.password", "not-it-at-all\n");
    let right = "user = \"root\"\nno_password = true";
    hand.configure([right, &format!("user = \"root\"\n{file}")], "");
    hand.refuses(
        3,
        &[
            "node b: 127.0.0.1:",
            "ERROR 1045",
            "check user and password",
        ],
    )
    .await;
    let output = hand.twinlog.run(&["-vv", "up", "--yes"]);
    assert!(
        !output.stderr.contains("not-it-at-all"),
        "{}",
        output.stderr
    );
    hand.configure([right, "user = \"root\"\npassword_file = \"absent\""], "");
    hand.refuses(2, &["node b:", "absent"]).await;
    hand.configure([right, "user = \"root\"\npassword_env = \"NOWHERE\""], "");
    hand.refuses(2, &["node b:", "NOWHERE"]).await;
}

#[tokio::test]
async fn an_account_with_too_few_privileges() {
    for (kind, grants) in [
        (KIND, "SELECT"),
        (
            KIND,
            "SELECT, PROCESS, BINLOG MONITOR, SLAVE MONITOR, REPLICATION SLAVE",
        ),
        (ServerKind::MySql56, "SELECT"),
        (
            ServerKind::MySql56,
            "SELECT, PROCESS, REPLICATION CLIENT, REPLICATION SLAVE, SUPER",
        ),
        (ServerKind::MySql97, "SELECT"),
        (
            ServerKind::MySql97,
            "SELECT, PROCESS, REPLICATION CLIENT, REPLICATION SLAVE, SYSTEM_VARIABLES_ADMIN",
        ),
    ] {
        let hand = Hand::start(
            kind,
            [&LINES[0], &LINES[1]],
            "[replication]\nmode = \"position\"\n",
        )
        .await;
        let account = "weak@'%' IDENTIFIED BY 'x'";
        let server = &hand.servers[1];
        match kind {
            ServerKind::MySql56 => {
                server
                    .exec(&format!("GRANT {grants} ON *.* TO {account}"))
                    .await
            }
            _ => {
                server
                    .exec(&format!(
                        "CREATE USER {account}; GRANT {grants} ON *.* TO weak@'%'"
                    ))
                    .await
            }
        }
        let file = hand.password_file("b.password", "x");
        hand.configure(
            [
                "user = \"root\"\nno_password = true",
                &format!("user = \"weak\"\n{file}"),
            ],
            "[replication]\nmode = \"position\"\n",
        );
        hand.refuses(3, &["node b: ", "privilege"]).await;
    }
}

#[tokio::test]
async fn the_same_server_id() {
    let lines = ["server_id = 7", "log_bin = bin", "log_slave_updates"];
    let hand = Hand::start(KIND, [&lines, &lines], "").await;
    hand.refuses(
        2,
        &[
            "a and b have the same server id, 7",
            "`server_id = 8` in [nodes.b]",
        ],
    )
    .await;
}

#[tokio::test]
async fn the_same_uuid() {
    let mut hand = Hand::start(
        ServerKind::MySql97,
        [&["server_id = 1"], &["server_id = 2"]],
        "",
    )
    .await;
    let [a, b] = &mut hand.servers;
    b.stop().await;
    fs::copy(a.data_dir().join("auto.cnf"), b.data_dir().join("auto.cnf")).unwrap();
    b.restart(&ServerOptions::with(&["server_id = 2"])).await;
    let uuid = b.query_one::<String>("SELECT @@server_uuid").await;
    let says = format!("a and b have the same server UUID, {uuid}");
    hand.refuses(1, &[&says, "delete `auto.cnf`"]).await;
}

#[tokio::test]
async fn two_flavours() {
    let options = ServerOptions::with(&["server_id = 2"]);
    let hand = Hand::of(
        [
            Server::start(KIND, &ServerOptions::with(&LINES[0])).await,
            Server::start(ServerKind::MySql97, &options).await,
        ],
        "",
    );
    hand.refuses(2, &["a is MariaDB 10.11", "b is MySQL 9.7", "one flavour"])
        .await;
}

#[tokio::test]
async fn gtids_that_take_a_restart() {
    let hand = Hand::start(ServerKind::MySql56, [&LINES[0], &LINES[1]], "").await;
    let says = [
        "node a: GTIDs are off, and MySQL 5.6.24 switches them on only at a restart",
        "enforce_gtid_consistency = ON",
        "gtid_mode = ON",
        "`mode = \"position\"`",
    ];
    hand.refuses(1, &says).await;
    let login = "user = \"root\"\nno_password = true";
    hand.configure([login; 2], "[replication]\nmode = \"position\"\n");
    hand.up();
}

#[tokio::test]
async fn what_only_a_restart_can_change() {
    let hand = Hand::start(KIND, [&["server_id = 1"], &LINES[1]], "").await;
    let says = [
        "node a: ",
        "take a restart",
        "log_bin = binlog",
        "log_slave_updates = ON",
    ];
    hand.refuses(1, &says).await;
}

async fn data(server: &Server, values: &str) {
    server
        .exec(&format!(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO shop.t VALUES {values}"
        ))
        .await;
}

#[tokio::test]
async fn data_that_differs() {
    let hand = pair().await;
    data(&hand.servers[0], "(1, 'x'), (2, NULL)").await;
    data(&hand.servers[1], "(1, 'x'), (2, '')").await;
    hand.refuses(
        1,
        &[
            "a and b both have data, and it differs",
            "shop.t: 2 rows",
            "decide which node is right",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_data_is_linked_once_nobody_writes() {
    for kind in [KIND, ServerKind::MySql97] {
        let hand = Hand::start(
            kind,
            [&LINES[0], &LINES[1]],
            "[replication]\nmode = \"position\"\n",
        )
        .await;
        for server in &hand.servers {
            data(server, "(-1, 'x'), (-2, NULL)").await;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let [a, _] = hand.both();
        let writer = tokio::spawn({
            let (a, stop) = (a.clone(), stop.clone());
            async move {
                let mut conn = a.conn().await.unwrap();
                // The same row, so that both nodes end up equal again.
                while !stop.load(Ordering::Relaxed) {
                    conn.query_drop(
                        "INSERT INTO shop.t VALUES (0, 'y'); DELETE FROM shop.t WHERE id = 0",
                    )
                    .await
                    .unwrap();
                }
            }
        });
        let output = hand.twinlog.run(&["up", "--yes"]);
        stop.store(true, Ordering::Relaxed);
        writer.await.unwrap();
        assert_fails(
            &output,
            1,
            &["a and b both have data, and", "run `twinlog up` again"],
        );
        assert!(!hand.dir.join("data").exists());

        assert_proven(&hand.twinlog.run(&["up", "--yes"]));
        let [a, b] = hand.both();
        a.run(&["INSERT INTO shop.t VALUES (3, 'a')"]).await;
        b.run(&["INSERT INTO shop.t VALUES (4, 'b')"]).await;
        for node in [&a, &b] {
            node.wait_for_rows(
                "SELECT COUNT(*), SUM(id) FROM shop.t",
                &vec![vec!["4".into(), "4".into()]],
            )
            .await;
        }
    }
}

#[tokio::test]
async fn an_account_with_just_enough_privileges() {
    let looks = "SELECT, INSERT, UPDATE, DELETE, RELOAD, CREATE USER, PROCESS, REFERENCES, EVENT, TRIGGER, REPLICATION SLAVE";
    for (kind, more) in [
        (
            KIND,
            "SUPER, BINLOG MONITOR, SLAVE MONITOR, READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, BINLOG ADMIN",
        ),
        (ServerKind::MySql56, "SUPER, REPLICATION CLIENT"),
        (
            ServerKind::MySql97,
            "REPLICATION CLIENT, CONNECTION_ADMIN, REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN",
        ),
    ] {
        let position = "[replication]\nmode = \"position\"\n";
        let hand = Hand::start(kind, [&LINES[0], &LINES[1]], position).await;
        for server in &hand.servers {
            let made = match kind {
                ServerKind::MySql56 => "DO 0",
                _ => "CREATE USER op@'%' IDENTIFIED BY 'x'",
            };
            let by = match kind {
                ServerKind::MySql56 => " IDENTIFIED BY 'x'",
                _ => "",
            };
            server
                .exec(&format!(
                    "SET sql_log_bin = 0; {made}; GRANT {looks}, {more} ON *.* TO op@'%'{by} WITH GRANT OPTION; \
                     GRANT CREATE, ALTER, INDEX, DROP ON twinlog.* TO op@'%' WITH GRANT OPTION"
                ))
                .await;
        }
        let login = format!("user = \"op\"\n{}", hand.password_file("password", "x"));
        hand.configure([&login, &login], position);
        hand.up();
    }
}
