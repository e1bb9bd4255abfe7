//! The command runner, with a shell in the place of the binary.

use std::time::{Duration, Instant};

use twinlog_testbed::{TestDir, Twinlog};

fn shell(dir: &TestDir) -> Twinlog {
    Twinlog::new("/bin/sh", dir)
}

#[test]
fn output_and_code_are_kept_apart() {
    let dir = TestDir::new();
    let output = shell(&dir).run(&["-c", "echo data; echo progress >&2; exit 3"]);
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str(), output.code),
        ("data\n", "progress\n", Some(3))
    );
    assert_eq!(output.expect_code(3), "data\n");
}

#[test]
fn nothing_of_the_developers_environment_comes_through() {
    let dir = TestDir::new();
    let output = shell(&dir).with_env("ASKED", "for").run(&[
        "-c",
        "echo $HOME; pwd; env | cut -d= -f1 | sort | tr '\\n' ' '",
    ]);
    let expected = format!(
        "{0}\n{0}\nASKED COLUMNS HOME LANG NO_COLOR PATH PWD TZ ",
        dir.path().display()
    );
    // Some shells set `_` for their children.
    assert_eq!(output.expect_code(0).replace(" _ ", " "), expected);
}

#[test]
fn stdin_is_empty_or_what_was_given() {
    let dir = TestDir::new();
    assert_eq!(shell(&dir).run(&["-c", "cat"]).expect_code(0), "");
    assert_eq!(
        shell(&dir)
            .run_with_input(&["-c", "cat"], "yes\n")
            .expect_code(0),
        "yes\n"
    );
}

#[test]
fn killed_at_a_line_it_did_not_go_on() {
    let dir = TestDir::new();
    let mut running = shell(&dir).spawn(&["-c", "echo one >&2; echo two >&2; exec sleep 60"]);
    assert_eq!(running.wait_for_line("tw"), "two");
    let output = running.kill();
    assert_eq!((output.stderr.as_str(), output.code), ("one\ntwo\n", None));
}

#[test]
#[should_panic(expected = "time is up")]
fn one_that_hangs_is_killed() {
    let dir = TestDir::new();
    shell(&dir)
        .with_deadline(Duration::from_millis(200))
        .run(&["-c", "exec sleep 60"]);
}

#[test]
fn a_dropped_one_is_killed() {
    let dir = TestDir::new();
    let started = Instant::now();
    drop(shell(&dir).spawn(&["-c", "exec sleep 60"]));
    assert!(started.elapsed() < Duration::from_secs(30));
}
