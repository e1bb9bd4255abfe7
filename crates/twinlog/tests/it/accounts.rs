//! Users, roles and grants that go along with a copy, on request.

use twinlog_testbed::ServerKind;

use crate::{
    hand::Hand,
    support::{Db, assert_proven, met},
};

const LINES: [[&str; 3]; 2] = [
    ["server_id = 1", "log_bin = bin", "log_slave_updates"],
    ["server_id = 2", "log_bin = bin", "log_slave_updates"],
];
/// The hash of 'secret' of MySQL's and MariaDB's old kind, which every version shows and takes.
const HASH: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
const SHOP: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE shop.big (id INT PRIMARY KEY AUTO_INCREMENT, v CHAR(200))",
    "CREATE FUNCTION shop.one () RETURNS INT DETERMINISTIC RETURN 1",
    "GRANT SELECT ON shop.* TO 'o''dd na`me'@'10.%'",
    "GRANT UPDATE (v), SELECT ON shop.t TO 'o''dd na`me'@'10.%' WITH GRANT OPTION",
    "GRANT EXECUTE ON FUNCTION shop.one TO 'o''dd na`me'@'10.%'",
];

async fn fill(kind: ServerKind, a: &Db) {
    let users: &[&str] = match kind {
        ServerKind::MySql97 => &[
            "CREATE USER 'o''dd na`me'@'10.%' IDENTIFIED BY 'secret' REQUIRE SSL PASSWORD HISTORY 3",
            "CREATE USER plain IDENTIFIED BY 'secret' WITH MAX_USER_CONNECTIONS 3",
            "CREATE USER other IDENTIFIED BY 'of a'",
            "CREATE USER narrow IDENTIFIED BY RANDOM PASSWORD",
            "CREATE ROLE boss, chief",
            "GRANT chief TO boss",
            "GRANT boss TO plain",
            "SET DEFAULT ROLE boss TO plain",
            "GRANT BACKUP_ADMIN ON *.* TO chief",
        ],
        ServerKind::MariaDb1011 => &[
            "CREATE USER 'o''dd na`me'@'10.%' IDENTIFIED BY 'secret' REQUIRE SSL",
            "CREATE USER plain IDENTIFIED BY 'secret' WITH MAX_USER_CONNECTIONS 3",
            "CREATE USER other IDENTIFIED BY 'of a'",
            "CREATE USER narrow IDENTIFIED BY 'narrow'",
            "CREATE ROLE boss",
            "CREATE ROLE chief",
            "GRANT chief TO boss",
            "GRANT boss TO plain",
            "SET DEFAULT ROLE boss FOR plain",
            "GRANT RELOAD ON *.* TO chief",
        ],
        _ => &[
            "CREATE USER 'o''dd na`me'@'10.%' IDENTIFIED BY 'secret'",
            "GRANT USAGE ON *.* TO 'o''dd na`me'@'10.%' REQUIRE SSL",
            "CREATE USER plain IDENTIFIED BY 'secret'",
            "GRANT USAGE ON *.* TO plain WITH MAX_USER_CONNECTIONS 3",
            "CREATE USER other IDENTIFIED BY 'of a'",
            "CREATE USER narrow",
        ],
    };
    a.run(users).await;
    a.run(SHOP).await;
    let row = "INSERT INTO shop.big (v) VALUES (REPEAT('x', 200))";
    a.run(&[row]).await;
    for _ in 0..12 {
        a.run(&["INSERT INTO shop.big (v) SELECT v FROM shop.big"])
            .await;
    }
}

/// What a server says of an account.
async fn said(kind: ServerKind, db: &Db, account: &str) -> Vec<String> {
    let mut sql = vec![format!("SHOW GRANTS FOR {account}")];
    match kind {
        ServerKind::MySql97 => sql.push(format!("SHOW CREATE USER {account}")),
        ServerKind::MariaDb1011 if account.contains('@') => {
            sql.push(format!("SHOW CREATE USER {account}"));
        }
        _ => {}
    }
    let mut all = Vec::new();
    for sql in sql {
        let rows = db.try_rows(&sql).await.unwrap_or_default();
        all.extend(rows.into_iter().flatten());
    }
    all.sort();
    all
}

async fn with_a_copy(kind: ServerKind, more: &str) {
    let hand = Hand::start(kind, [&LINES[0], &LINES[1]], more).await;
    let [a, b] = hand.both();
    fill(kind, &a).await;
    b.run(&[
        "CREATE USER other IDENTIFIED BY 'of b'",
        "CREATE USER only_on_b",
    ])
    .await;
    let before = said(kind, &b, "other@'%'").await;
    // Killed in the middle of the rows, and gone on with by whoever does not say it again.
    let running = hand.twinlog.spawn(&[
        "-vv",
        "copy",
        "--yes",
        "--accounts",
        "--rate",
        "1",
        "--parallel",
        "1",
    ]);
    let running = met(running, "the first rows", async || {
        let rows = b.try_rows("SELECT COUNT(*) FROM shop.big").await.ok()?;
        (rows[0][0] != "0").then_some(())
    })
    .await;
    let killed = running.kill();
    assert!(killed.stderr.contains("CREATE USER …"), "{}", killed.stderr);
    let done = hand.twinlog.run(&["-vv", "up", "--yes"]);
    assert_proven(&done);
    let text = &done.stderr;
    let differ = "left as they are, with other grants or passwords: other@%";
    assert!(text.contains(differ), "{text}");
    assert!(!text.contains("but not these"), "{text}");
    assert!(
        !text.contains(&HASH[1..]) && !text.contains(" AS 0x"),
        "{text}"
    );
    let mut accounts = vec!["`o'dd na``me`@`10.%`", "plain@'%'", "narrow@'%'"];
    match kind {
        ServerKind::MySql97 => accounts.extend(["boss@'%'", "chief@'%'"]),
        ServerKind::MariaDb1011 => accounts.extend(["boss", "chief"]),
        _ => {}
    }
    for account in &accounts {
        let of_a = said(kind, &a, account).await;
        assert!(!of_a.is_empty(), "{account}");
        assert_eq!(of_a, said(kind, &b, account).await, "{account}");
    }
    assert_eq!(said(kind, &b, "other@'%'").await, before);
    let made = format!("; {} accounts were made", accounts.len());
    assert!(text.contains(&made), "{text}");
    // Nothing of it was logged: the other node has not got it a second time, and what is made from now on comes over.
    let only = "SELECT COUNT(*) FROM mysql.user WHERE user = 'only_on_b'";
    assert_eq!(b.rows(only).await, [["1"]]);
    a.run(&["CREATE USER later IDENTIFIED BY 'secret'"]).await;
    b.wait_for_rows(
        "SELECT COUNT(*) FROM mysql.user WHERE user = 'later'",
        &vec![vec!["1".into()]],
    )
    .await;
    hand.up();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_copy_on_mysql_9_7() {
    with_a_copy(ServerKind::MySql97, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_copy_on_mariadb_10_11() {
    with_a_copy(ServerKind::MariaDb1011, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_copy_on_mysql_5_6() {
    with_a_copy(ServerKind::MySql56, "[replication]\nmode = \"position\"\n").await;
}
