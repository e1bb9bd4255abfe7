//! `twinlog init`: a file that `plan` takes, and never one that the user did not want replaced.

use std::fs;
use std::net::TcpListener;

use twinlog_testbed::{ServerKind, TestDir, free_port};

use crate::support::{assert_fails, repository, twinlog};
use crate::terminal::Terminal;

#[test]
fn what_the_flags_say_is_what_plan_reads() {
    let (dir, ports) = (TestDir::new(), [free_port(), free_port()]);
    let twinlog = twinlog(&dir).with_server(ServerKind::MariaDb118);
    let [a, b] = ports.each_ref().map(ToString::to_string);
    let output = twinlog.run(&[
        "init",
        "--name",
        "shop",
        "--port-a",
        &a,
        "--port-b",
        &b,
        "--databases",
        "shop,stock",
        "--writes",
        "one",
        "--mode",
        "position",
        "--policy",
        "prefer:a",
        "--data-dir",
        "here",
    ]);
    assert_eq!(output.expect_code(0), "");
    assert!(
        output.stderr.contains("each a MariaDB 11.8."),
        "{}",
        output.stderr
    );
    let text = fs::read_to_string(dir.join("twinlog.toml")).unwrap();
    for line in [
        "name = \"shop\"",
        "databases = [\"shop\", \"stock\"]",
        "writes = \"one\"",
        "data_dir = \"./here\"",
        "mode = \"position\"",
        "policy = \"prefer:a\"",
        &format!("port = {a}"),
        &format!("port = {b}"),
    ] {
        assert!(
            text.lines().any(|found| found.starts_with(line)),
            "no {line}:\n{text}"
        );
    }
    let plan = twinlog.run(&["plan"]);
    let binary = ServerKind::MariaDb118.server_binary();
    let start = format!("port = {b}\n");
    assert!(plan.expect_code(0).contains(&start), "{}", plan.stdout);
    assert!(
        plan.stdout.contains(&binary.display().to_string()),
        "{}",
        plan.stdout
    );
}

#[test]
fn an_image_means_containers() {
    let dir = TestDir::new();
    let output = twinlog(&dir).run(&["init", "--image", "mariadb:11.8"]);
    output.expect_code(0);
    assert!(
        output.stderr.contains("containers of mariadb:11.8"),
        "{}",
        output.stderr
    );
    let text = fs::read_to_string(dir.join("twinlog.toml")).unwrap();
    assert!(text.contains("runtime = \"docker\""), "{text}");
    assert!(text.contains("image = \"mariadb:11.8\""), "{text}");
}

#[test]
fn an_existing_file_is_replaced_only_when_told_so() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir).with_server(ServerKind::MariaDb1011);
    twinlog.run(&["init", "--name", "one"]).expect_code(0);
    let before = fs::read_to_string(dir.join("twinlog.toml")).unwrap();
    assert_fails(
        &twinlog.run(&["init", "--yes"]),
        2,
        &["twinlog.toml: exists already", "--force"],
    );
    assert_eq!(
        fs::read_to_string(dir.join("twinlog.toml")).unwrap(),
        before
    );
    let forced = twinlog.run(&["init", "--name", "two", "--force"]);
    forced.expect_code(0);
    assert!(
        forced.stderr.starts_with("replaced twinlog.toml\n"),
        "{}",
        forced.stderr
    );
    assert!(
        fs::read_to_string(dir.join("twinlog.toml"))
            .unwrap()
            .contains("name = \"two\"")
    );
    twinlog.run(&["init", "-c", "other.toml"]).expect_code(0);
    twinlog.run(&["-c", "other.toml", "plan"]).expect_code(0);
}

#[test]
fn mistakes_are_said_and_nothing_is_written() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir);
    let external = ["init", "--node", "a=db1", "--node", "b=db2"];
    for (args, says) in [
        (vec!["init", "--name", "Shop 1"], "\"Shop 1\""),
        (
            vec!["init", "--runtime", "external"],
            "--node was given 0 times",
        ),
        (external[..3].to_vec(), "--node was given 1 times"),
        (external.to_vec(), "--user"),
        (vec!["init", "--policy", "prefer:c"], "prefer:c"),
        (
            vec!["init", "--port-a", "24000", "--port-b", "24000"],
            "24000",
        ),
        (vec!["init", "--databases", "mysql"], "mysql"),
        (
            vec!["init", "--from-my-cnf", "no.cnf", "no.cnf"],
            "cannot read option file no.cnf",
        ),
    ] {
        let output = twinlog.run(&args);
        assert_fails(&output, 2, &[says]);
    }
    for args in [
        vec!["init", "--image", "mysql:8.4", "--runtime", "process"],
        vec!["init", "--user", "root"],
        vec!["init", "--runtime", "external", "--port-a", "3307"],
        vec!["init", "--node", "db1:3306"],
        vec!["init", "--policy", "best"],
        vec!["init", "--port-a", "0"],
    ] {
        let output = twinlog.run(&args);
        output.expect_code(2);
        assert!(
            output.stderr.starts_with("error: "),
            "{args:?}: {}",
            output.stderr
        );
    }
    assert!(!dir.join("twinlog.toml").exists());
}

#[test]
fn a_directory_that_is_not_there_is_the_worlds_or_the_users_fault() {
    let dir = TestDir::new();
    let output = twinlog(&dir).run(&["init", "-c", "no/such/twinlog.toml"]);
    assert_fails(&output, 2, &["no/such/twinlog.toml: cannot write"]);
}

#[test]
fn a_taken_port_is_passed_over_and_said() {
    // Whoever holds them, this test or others on this machine: both default ports are taken now.
    let _held = [3307, 3308].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let dir = TestDir::new();
    let output = twinlog(&dir).run(&["init"]);
    output.expect_code(0);
    for port in [3307, 3308] {
        assert!(
            output.stderr.contains(&format!("port {port} is taken")),
            "{}",
            output.stderr
        );
    }
    let text = fs::read_to_string(dir.join("twinlog.toml")).unwrap();
    assert!(
        !text.contains("port = 3307\n") && !text.contains("port = 3308\n"),
        "{text}"
    );
}

#[test]
fn the_documents_option_files_become_a_pair() {
    let dir = TestDir::new();
    let files = ["master.cnf", "slave.cnf"].map(|name| {
        repository("crates/server/tests/fixtures/document")
            .join(name)
            .display()
            .to_string()
    });
    let imported = twinlog(&dir).run(&[
        "init",
        "--from-my-cnf",
        &files[0],
        &files[1],
        "--node",
        "a=db1:3307",
        "--node",
        "b=db2:3308",
        "--user",
        "root",
        "--password-file",
        "root.password",
    ]);
    imported.expect_code(0);
    insta::assert_snapshot!(
        "document_as_external_nodes",
        imported
            .stderr
            .replace(&dir.path().display().to_string(), "DIR")
    );
    let text = fs::read_to_string(dir.join("twinlog.toml")).unwrap();
    assert!(text.contains("databases = [\"test\"]"), "{text}");
    assert!(
        text.contains("password_file = \"./root.password\""),
        "{text}"
    );

    // The same two files for servers that twinlog is to run.
    let twinlog = twinlog(&dir).with_server(ServerKind::MariaDb1011);
    let [a, b] = [free_port(), free_port()];
    let output = twinlog.run(&[
        "init",
        "--force",
        "--from-my-cnf",
        &files[0],
        &files[1],
        "--runtime",
        "process",
        "--port-a",
        &a.to_string(),
        "--port-b",
        &b.to_string(),
    ]);
    output.expect_code(0);
    assert!(
        !output.stderr.contains("assumed: user"),
        "{}",
        output.stderr
    );
    let plan = twinlog.run(&["plan"]);
    assert!(
        plan.expect_code(0).contains("lower_case_table_names = 1"),
        "{}",
        plan.stdout
    );
}

#[test]
fn at_a_terminal_it_asks_for_what_the_flags_leave_open() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir).with_server(ServerKind::MariaDb1011);
    let mut terminal = Terminal::start(twinlog.command(&["init", "--writes", "one"]));
    terminal.shows("Who runs the servers");
    terminal.types("extern");
    terminal.shows("not that: process, docker or external");
    terminal.types("external");
    terminal.shows("Name of the pair? [pair]");
    terminal.types("shop");
    for host in ["db1.example.net", "db2.example.net:3307"] {
        terminal.shows("as HOST:PORT?");
        terminal.types(host);
    }
    for node in ["a", "b"] {
        terminal.shows(&format!("Account for twinlog on node {node}?"));
        terminal.types("admin");
        terminal.shows(&format!("password on node {node}? [{node}.password]"));
        terminal.types("");
    }
    terminal.shows("Which databases");
    terminal.types("shop, stock");
    let (code, screen) = terminal.ends();
    assert_eq!(code, Some(0), "{screen}");
    assert!(
        screen.contains("next: put the account's password into"),
        "{screen}"
    );
    let text = fs::read_to_string(dir.join("twinlog.toml")).unwrap();
    for part in [
        "host = \"db2.example.net\"",
        "port = 3307",
        "password_file = \"./b.password\"",
        "writes = \"one\"",
        "[\"shop\", \"stock\"]",
    ] {
        assert!(text.contains(part), "no {part}:\n{text}");
    }
}
