//! `twinlog sql` on real servers.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twinlog_testbed::{Server, ServerKind, ServerOptions, TestDir, Twinlog, wait_until};

use crate::support::{DEADLINE, Pair, assert_fails, twinlog};
use crate::terminal::Terminal;

const TABLE: &str = "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), price DECIMAL(5,2), \
                     f DOUBLE, raw VARBINARY(4)) DEFAULT CHARSET=utf8; INSERT INTO t VALUES (1, 'two\\nlines', 9.90, 0.5, x'00FF'), \
                     (2, NULL, NULL, NULL, NULL)";
const ROWS: &str =
    "id\tname\tprice\tf\traw\n1\ttwo\\nlines\t9.90\t0.5\t0x00FF\n2\tNULL\tNULL\tNULL\tNULL\n";

/// A twinlog whose node a is this server, entered over TCP.
fn outside(dir: &TestDir, server: &Server) -> Twinlog {
    let at = format!("a=127.0.0.1:{}", server.port());
    let twinlog = twinlog(dir).with_env("PW", PASSWORD);
    let args = [
        "init",
        "--node",
        &at,
        "--node",
        "b=127.0.0.1:9",
        "--user",
        "admin",
        "--password-env",
        "PW",
    ];
    twinlog.run(&args).expect_code(0);
    twinlog
}

/// What option files, shells and SQL take for their own.
const PASSWORD: &str = "p#\"w'\\ ;é";

async fn server(kind: ServerKind) -> Server {
    let server = Server::start(kind, &ServerOptions::default()).await;
    let password = PASSWORD.replace('\\', "\\\\").replace('\'', "''");
    server
        .exec(&format!(
            "CREATE USER admin@'%' IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO admin@'%'"
        ))
        .await;
    server
}

async fn speaks(kind: ServerKind) {
    let (dir, server) = (TestDir::new(), server(kind).await);
    let twinlog = outside(&dir, &server);
    let made = twinlog.run(&["sql", "a", "-e", TABLE]);
    assert_eq!(made.expect_code(0), "");
    assert!(
        made.stderr.ends_with("ok, 2 rows affected\n"),
        "{}",
        made.stderr
    );
    let all = "SELECT * FROM t ORDER BY id";
    assert_eq!(
        twinlog
            .run(&["sql", "a", "-D", "shop", "-e", all])
            .expect_code(0),
        ROWS
    );
    let several = twinlog.run_with_input(
        &["sql", "a"],
        "\u{feff}USE shop;\nDELETE FROM t WHERE id = 3;\nSELECT 1; SELECT * FROM t",
    );
    assert_eq!(several.expect_code(0), format!("1\n1\n{ROWS}"));
    let json = twinlog.run(&["sql", "a", "--json", "-D", "shop", "-e", all]);
    assert_eq!(
        json.expect_code(0),
        "{\"id\":1,\"name\":\"two\\nlines\",\"price\":\"9.90\",\"f\":0.5,\"raw\":\"0x00FF\"}\n\
         {\"id\":2,\"name\":null,\"price\":null,\"f\":null,\"raw\":null}\n"
    );
    let upright = twinlog.run(&["sql", "a", "-e", "SELECT 1 AS one, 'x' AS x\\G"]);
    assert!(
        upright.expect_code(0).ends_with("one: 1\n  x: x\n"),
        "{}",
        upright.stdout
    );
    let refused = twinlog.run(&[
        "sql",
        "a",
        "-e",
        "SELECT 1; SELECT nothing; CREATE DATABASE later",
    ]);
    assert_eq!(refused.expect_code(3), "1\n1\n");
    assert!(
        refused
            .stderr
            .contains("error: a: ERROR 1054 (42S22): Unknown column 'nothing'"),
        "{}",
        refused.stderr
    );
    let later: Vec<String> = server.query("SHOW DATABASES LIKE 'later'").await;
    assert!(
        later.is_empty(),
        "a statement after the refused one was run"
    );
    // What servers say of themselves is text.
    for sql in [
        "SHOW VARIABLES",
        "SHOW GRANTS",
        "SHOW CREATE TABLE shop.t",
        "SELECT USER(), VERSION(), NOW(), CONCAT(1, 2)",
    ] {
        let output = twinlog.run(&["sql", "a", "-e", sql]);
        assert!(
            !output.expect_code(0).contains("\t0x"),
            "{sql}:\n{}",
            output.stdout
        );
    }
}

/// twinlog's own statements go another way than the user's; there too none of several may fail unheard.
#[tokio::test]
async fn a_later_statement_of_several_is_neither_lost_nor_unheard() {
    use twinlog_server::conn::{Address, ClientTls, Conn, Endpoint, QUERY_TIMEOUT};
    let server = server(ServerKind::MariaDb118).await;
    let mut conn = Conn::open(&Endpoint {
        address: Address::Socket(server.socket()),
        user: "root".into(),
        password: None,
        tls: ClientTls::Off,
    })
    .await
    .unwrap();
    let mut run = async |sql: &str| conn.result_sets(sql, sql, QUERY_TIMEOUT).await;
    for sql in [
        "DO 1; SELECT nothing",
        "SELECT 1; SELECT nothing; DO 1",
        "SELECT nothing",
    ] {
        assert_eq!(run(sql).await.unwrap_err().code(), Some(1054), "{sql}");
    }
    let sets = run("DO 1; SELECT 2; CREATE DATABASE d; USE d; CREATE TABLE t SELECT 1 AS x").await;
    let columns: Vec<usize> = sets.unwrap().iter().map(|set| set.columns.len()).collect();
    assert_eq!(columns, [0, 1, 0, 0, 0]);
}

#[tokio::test]
async fn it_speaks_mysql_9_7() {
    speaks(ServerKind::MySql97).await;
}

#[tokio::test]
async fn it_speaks_mysql_5_6() {
    speaks(ServerKind::MySql56).await;
}

#[tokio::test]
async fn it_speaks_mariadb_11_8() {
    speaks(ServerKind::MariaDb118).await;
}

#[tokio::test]
async fn it_speaks_to_nodes_that_twinlog_runs() {
    let pair = Pair::new(ServerKind::MariaDb1011, "");
    assert_fails(
        &pair.twinlog.run(&["sql", "a", "-e", "SELECT 1"]),
        3,
        &["`twinlog up` starts node a"],
    );
    pair.up();
    pair.twinlog.run(&["sql", "a", "-e", TABLE]).expect_code(0);
    pair.db("b")
        .wait_for_rows("SELECT COUNT(*) FROM shop.t", &vec![vec!["2".into()]])
        .await;
    let output = pair
        .twinlog
        .run(&["sql", "b", "-t", "-e", "SELECT id, price FROM shop.t"]);
    assert_eq!(
        output.expect_code(0),
        "+----+-------+\n| id | price |\n+----+-------+\n|  1 |  9.90 |\n|  2 |  NULL |\n+----+-------+\n"
    );
    let unknown = pair.twinlog.run(&["sql", "c", "-e", "SELECT 1"]);
    assert_fails(
        &unknown,
        2,
        &[
            "no node is called 'c'",
            "the nodes of this pair are a and b",
        ],
    );
    assert_fails(
        &pair.twinlog.run(&["sql", "a"]),
        2,
        &["there is no statement to run"],
    );

    let mut terminal =
        Terminal::start(
            pair.twinlog
                .command(&["sql", "a", "-e", "SELECT 40 + 2 AS answer"]),
        );
    terminal.shows("|     42 |");
    assert_eq!(terminal.ends().0, Some(0));
    client_opens(&pair.twinlog, &root_password(&pair));

    pair.twinlog.run(&["down"]).expect_code(0);
    assert_fails(
        &pair.twinlog.run(&["sql", "a", "-e", "SELECT 1"]),
        3,
        &["cannot connect", "`twinlog up` starts node a"],
    );
}

fn root_password(pair: &Pair) -> String {
    fs::read_to_string(pair.dir.join("data/secrets/root"))
        .unwrap()
        .trim()
        .to_owned()
}

/// The server's own client, with its input at a terminal. The password is not where others could read it.
fn client_opens(twinlog: &Twinlog, password: &str) {
    let mut terminal = Terminal::start(twinlog.command(&["sql", "a", "-D", "mysql"]));
    terminal.shows("a [mysql]>");
    let process = fs::read_to_string(format!("/proc/{}/cmdline", terminal.pid())).unwrap();
    assert!(process.contains("--defaults-file=/dev/fd/"), "{process}");
    assert!(!process.contains(password), "{process}");
    terminal.types("SELECT 40 + 2 AS answer;");
    terminal.shows("|     42 |");
    terminal.types("exit");
    assert_eq!(terminal.ends().0, Some(0));
}

#[tokio::test]
async fn the_client_opens_on_servers_of_others() {
    for kind in [ServerKind::MySql97, ServerKind::MariaDb118] {
        let (dir, server) = (TestDir::new(), server(kind).await);
        let bare = outside(&dir, &server).with_path(dir.path());
        let mut terminal = Terminal::start(bare.command(&["sql", "a"]));
        terminal.shows("error: there is no client: neither mariadb nor mysql");
        terminal.shows("hint: ");
        assert_eq!(terminal.ends().0, Some(3));
        client_opens(&outside_again(&dir).with_server(kind), PASSWORD);
    }
}

/// The twinlog of a directory that has its file.
fn outside_again(dir: &TestDir) -> Twinlog {
    twinlog(dir).with_env("PW", PASSWORD)
}

#[tokio::test]
async fn ctrl_c_ends_the_statement_on_the_server_too() {
    let (dir, server) = (TestDir::new(), server(ServerKind::MySql97).await);
    let twinlog = outside(&dir, &server);
    let running = twinlog.spawn(&["sql", "a", "-e", "SELECT SLEEP(600); CREATE DATABASE later"]);
    let asleep =
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'";
    let count = async |expected: u32| {
        wait_until(
            DEADLINE,
            &format!("{expected} statements sleep"),
            async || (server.query_one::<u32>(asleep).await == expected).then_some(()),
        )
        .await;
    };
    count(1).await;
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGINT).unwrap();
    let output = running.wait();
    output.expect_code(130);
    assert_eq!(
        output.stderr,
        "interrupted: the statement was ended on the server\n"
    );
    count(0).await;
    let later: Vec<String> = server.query("SHOW DATABASES LIKE 'later'").await;
    assert!(later.is_empty());
}

#[tokio::test]
async fn a_reader_that_leaves_ends_it_quietly() {
    let (dir, server) = (TestDir::new(), server(ServerKind::MariaDb118).await);
    let twinlog = outside(&dir, &server);
    let mut command = twinlog.command(&[
        "sql",
        "a",
        "-e",
        "SELECT * FROM information_schema.COLUMNS, information_schema.ENGINES",
    ]);
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = tokio::time::timeout(Duration::from_secs(60), output)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (Some(0), "")
    );
}
