//! `twinlog dsn`: the URL leads in.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use twinlog_testbed::{Server, ServerKind, ServerOptions, TestDir};

use crate::support::{Pair, assert_fails, twinlog};
use crate::terminal::Terminal;

/// What a client that is given the URL finds: itself, and where it is.
async fn follow(url: &str) -> (String, u16) {
    let mut conn = Conn::new(Opts::from_url(url.trim()).unwrap())
        .await
        .unwrap();
    let found: Option<(String, u16)> = conn
        .query_first("SELECT CURRENT_USER(), @@port")
        .await
        .unwrap();
    conn.disconnect().await.unwrap();
    found.unwrap()
}

#[tokio::test]
async fn the_url_of_a_process_node_leads_to_its_socket() {
    let pair = Pair::new(ServerKind::MariaDb1011, "");
    assert_fails(
        &pair.twinlog.run(&["dsn", "a"]),
        3,
        &["secrets/root", "`twinlog up`"],
    );
    pair.up();
    for (index, node) in ["a", "b"].into_iter().enumerate() {
        let output = pair.twinlog.run(&["dsn", node]);
        let url = output.expect_code(0);
        assert!(url.contains("@localhost/?socket=/"), "{url}");
        assert_eq!(output.stderr, "", "no warning: it goes to no terminal");
        let expected = ("root@localhost".to_owned(), pair.ports[index].number());
        assert_eq!(follow(url).await, expected);
    }
    let mut terminal = Terminal::start(pair.twinlog.command(&["dsn", "a"]));
    terminal.shows("mysql://root:");
    terminal.shows("warning: the URL above holds a password");
    assert_eq!(terminal.ends().0, Some(0));
}

#[tokio::test]
async fn the_url_of_an_external_node_leads_to_its_port() {
    let server = Server::start(ServerKind::MySql97, &ServerOptions::default()).await;
    let password = "p/w:\"é#%' ";
    server
        .exec(&format!(
            "CREATE USER 'ad@min'@'%' IDENTIFIED BY '{}'",
            password.replace('\'', "''")
        ))
        .await;
    let dir = TestDir::new();
    let at = format!("a=127.0.0.1:{}", server.port());
    let twinlog = twinlog(&dir).with_env("PW", password);
    twinlog
        .run(&[
            "init",
            "--node",
            &at,
            "--node",
            "b=127.0.0.1:9",
            "--user",
            "ad@min",
            "--password-env",
            "PW",
        ])
        .expect_code(0);
    let output = twinlog.run(&["dsn", "a"]);
    let found = follow(output.expect_code(0)).await;
    assert_eq!(found, ("ad@min@%".to_owned(), server.port()));
    assert_eq!(
        twinlog.run(&["dsn", "b", "--no-password"]).expect_code(0),
        "mysql://ad%40min@127.0.0.1:9/\n"
    );
}
