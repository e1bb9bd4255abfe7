//! What holds for every command: its mistakes, its manual, its manners.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twinlog_testbed::{Output, ServerKind, TestDir, Twinlog};

use crate::support::{Pair, repository, twinlog};
use crate::terminal::Terminal;

/// What a mistake gives, as people see it.
fn seen(output: &Output, dir: &TestDir) -> String {
    let code = output.code.unwrap_or(-1);
    let stderr = output
        .stderr
        .replace(&dir.path().display().to_string(), "DIR");
    format!("exit code {code}\n{}{stderr}", output.stdout)
}

#[test]
fn mistakes_are_said_with_what_to_do() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir);
    let wrong =
        "name = \"Shop\"\nwrites = \"all\"\n[nodes.a]\nport = 3307\n[nodes.b]\nprot = 3308\n";
    twinlog.write("wrong.toml", wrong);
    twinlog.write("broken.toml", "name = \n");
    twinlog.write("empty.toml", "[nodes.a]\nport = 1\n[nodes.b]\nport = 2\n");
    for (name, args) in [
        ("no_file", vec!["plan"]),
        (
            "unknown_policy",
            vec!["conflicts", "list", "--policy", "bogus"],
        ),
        ("wrong_file", vec!["-c", "wrong.toml", "up"]),
        ("broken_file", vec!["down", "-c", "broken.toml"]),
        (
            "unknown_node",
            vec!["-c", "empty.toml", "sql", "x", "-e", "SELECT 1"],
        ),
        ("unknown_command", vec!["pln"]),
        ("unknown_flag", vec!["up", "--jes"]),
        ("missing_argument", vec!["dsn"]),
        (
            "flags_that_exclude_each_other",
            vec!["sql", "a", "--json", "-t"],
        ),
        ("unknown_shell", vec!["completions", "tcsh"]),
    ] {
        let output = twinlog.run(&args);
        insta::assert_snapshot!(format!("mistake_{name}"), seen(&output, &dir));
        assert_eq!(output.code, Some(2), "{args:?}");
    }
}

#[test]
fn help_and_version_are_answers_not_mistakes() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir);
    for args in [["--help"], ["-h"], ["--version"]] {
        let output = twinlog.run(&args);
        assert!(output.expect_code(0).contains("twinlog"));
        assert_eq!(output.stderr, "");
    }
    let none = twinlog.run(&[]);
    none.expect_code(2);
    assert!(none.stderr.contains("Usage: twinlog"), "{}", none.stderr);
}

/// Every file of a directory, by name.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_manual_is_current() {
    let (dir, committed) = (TestDir::new(), repository("docs/man"));
    let twinlog = twinlog(&dir);
    if env::var_os("UPDATE_DOCS").is_some() {
        let _ = fs::remove_dir_all(&committed);
        twinlog
            .run(&["man", &committed.display().to_string()])
            .expect_code(0);
    }
    twinlog.run(&["man", "pages"]).expect_code(0);
    let pages = files(&dir.join("pages"));
    assert!(
        pages.contains_key("twinlog.1") && pages.contains_key("twinlog-sql.1"),
        "{:?}",
        pages.keys()
    );
    assert!(
        files(&committed) == pages,
        "docs/man is not current: run `make docs`"
    );
    assert_eq!(twinlog.run(&["man"]).expect_code(0), pages["twinlog.1"]);
}

#[test]
fn every_shell_gets_its_completions() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = twinlog.run(&["completions", shell]);
        assert!(output.expect_code(0).contains("completions"), "{shell}");
        assert_eq!(output.stderr, "", "{shell}");
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let dir = TestDir::new();
    let failing = |twinlog: &Twinlog| {
        let mut command = twinlog.command(&["plan"]);
        // The runner sets it; here the test decides.
        command.env_remove("NO_COLOR").env("TERM", "xterm");
        command
    };
    let twinlog = twinlog(&dir);
    let piped = failing(&twinlog).stdin(Stdio::null()).output().unwrap();
    assert!(!piped.stderr.contains(&0x1b));
    let coloured = Terminal::start(failing(&twinlog)).ends().1;
    assert!(coloured.contains("\x1b[1;31merror:\x1b[0m"), "{coloured:?}");
    let mut plain = failing(&twinlog);
    plain.env("NO_COLOR", "1");
    let plain = Terminal::start(plain).ends().1;
    assert!(plain.starts_with("error: "), "{plain:?}");
}

#[test]
fn a_reader_that_leaves_and_a_full_disk_are_told_apart() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir);
    let run = |stdout: Stdio| {
        let mut command = twinlog.command(&["completions", "bash"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(run(Stdio::piped()), (Some(0), String::new()));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (code, stderr) = run(full.into());
    assert_eq!(code, Some(3));
    assert!(
        stderr.contains("cannot write to standard output: No space left"),
        "{stderr}"
    );
}

#[test]
fn up_says_at_ctrl_c_that_the_next_run_goes_on() {
    let pair = Pair::new(ServerKind::MariaDb1011, "");
    let mut running = pair.twinlog.spawn(&["up"]);
    running.wait_for_line("make their data directories");
    kill(Pid::from_raw(running.pid() as i32), Signal::SIGINT).unwrap();
    let output = running.wait();
    output.expect_code(130);
    assert!(
        output
            .stderr
            .ends_with("interrupted: the next `twinlog up` goes on where this one stopped\n"),
        "{}",
        output.stderr
    );
    pair.up();
}
