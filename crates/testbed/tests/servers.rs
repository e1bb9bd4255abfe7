//! The testbed itself, on every server that it has.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use twinlog_testbed::{Server, ServerKind, ServerOptions, wait_until};

async fn lives(kind: ServerKind) {
    let mut server = Server::start(kind, &ServerOptions::with(&["server-id = 42"])).await;
    let version: String = server.query_one("SELECT VERSION()").await;
    assert!(version.starts_with(kind.version_prefix()), "{version}");
    assert_eq!(server.query_one::<u32>("SELECT @@server_id").await, 42);
    let accounts: Vec<(String, String)> = server
        .query("SELECT User, Host FROM mysql.user ORDER BY 1")
        .await;
    let people: Vec<_> = accounts
        .iter()
        .filter(|(user, _)| !user.contains('.'))
        .collect();
    assert_eq!(people, [&("root".to_owned(), "localhost".to_owned())]);
    let schemas: Vec<String> = server.query("SHOW DATABASES").await;
    assert!(!schemas.contains(&"test".to_owned()), "{schemas:?}");

    server.exec("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY) ENGINE = InnoDB; INSERT INTO shop.t VALUES (7)").await;
    let port = server.port();
    server.kill();
    server
        .restart(&ServerOptions::with(&["server-id = 43"]))
        .await;
    assert_eq!(server.port(), port);
    assert_eq!(
        server
            .query_one::<(u32, i32)>("SELECT @@server_id, id FROM shop.t")
            .await,
        (43, 7)
    );

    let dir = server.dir().to_owned();
    assert!(server.stop().await.success(), "{}", server.log());
    drop(server);
    assert!(!dir.exists());
}

#[tokio::test]
async fn mysql_9_7_lives() {
    lives(ServerKind::MySql97).await;
}

#[tokio::test]
async fn mysql_5_6_lives() {
    lives(ServerKind::MySql56).await;
}

#[tokio::test]
async fn mariadb_10_11_lives() {
    lives(ServerKind::MariaDb1011).await;
}

#[tokio::test]
async fn mariadb_11_8_lives() {
    lives(ServerKind::MariaDb118).await;
}

#[tokio::test]
async fn copies_of_one_template_differ_in_their_uuid() {
    let options = ServerOptions::default();
    for kind in [ServerKind::MySql97, ServerKind::MySql56] {
        let (a, b) = tokio::join!(Server::start(kind, &options), Server::start(kind, &options));
        let sql = "SELECT @@server_uuid";
        assert_ne!(
            a.query_one::<String>(sql).await,
            b.query_one::<String>(sql).await,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_client_program_reaches_every_kind() {
    for kind in ServerKind::ALL {
        let server = Server::start(kind, &ServerOptions::default()).await;
        let output = Command::new(kind.client_binary())
            .args(["--no-defaults", "-uroot", "-Nse", "SELECT VERSION()", "-S"])
            .arg(server.socket())
            .output()
            .expect("the client runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.starts_with(kind.version_prefix()),
            "{kind}: {output:?}"
        );
    }
}

#[tokio::test]
async fn plugins_load_from_the_fetched_tree() {
    let server = Server::start(ServerKind::MySql97, &ServerOptions::default()).await;
    for (name, file) in [
        ("clone", "mysql_clone.so"),
        ("rpl_semi_sync_source", "semisync_source.so"),
        ("rpl_semi_sync_replica", "semisync_replica.so"),
        ("group_replication", "group_replication.so"),
    ] {
        server
            .exec(&format!("INSTALL PLUGIN {name} SONAME '{file}'"))
            .await;
    }
}

#[tokio::test]
async fn a_paused_server_hangs_and_goes_on() {
    let server = Server::start(ServerKind::MariaDb118, &ServerOptions::default()).await;
    let mut conn = server.conn().await;
    server.pause();
    let hung = tokio::time::timeout(
        Duration::from_millis(300),
        conn.query_first::<u8, _>("SELECT 1"),
    )
    .await;
    assert!(hung.is_err());
    server.resume();
    wait_until(
        Duration::from_secs(10),
        "an answer after the pause",
        async || (server.query_one::<u8>("SELECT 1").await == 1).then_some(()),
    )
    .await;
}

#[tokio::test]
async fn root_over_tcp_needs_no_password() {
    let server = Server::start(ServerKind::MySql97, &ServerOptions::default()).await;
    let mut conn = mysql_async::Conn::new(server.tcp_opts())
        .await
        .expect("it connects");
    let user: Option<String> = conn
        .query_first("SELECT CURRENT_USER()")
        .await
        .expect("it answers");
    assert_eq!(user.as_deref(), Some("root@localhost"));
}

#[tokio::test]
#[should_panic(expected = "unknown variable 'no-such-thing=1'")]
async fn a_server_that_dies_shows_its_log() {
    Server::start(
        ServerKind::MariaDb1011,
        &ServerOptions::with(&["no-such-thing = 1"]),
    )
    .await;
}

#[tokio::test]
async fn a_server_does_not_run_as_root() {
    let server = Server::start(ServerKind::MySql56, &ServerOptions::default()).await;
    let status = std::fs::read_to_string(
        Path::new("/proc")
            .join(server.pid().to_string())
            .join("status"),
    );
    let status = status.expect("it runs");
    let uid = status
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .expect("a uid");
    assert_ne!(uid.split_whitespace().nth(1), Some("0"), "{uid}");
}
