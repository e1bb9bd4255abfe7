//! The whole of it as an ordinary user, in a directory of that user's own.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::{Command, Output, Stdio};

use nix::unistd::{User, geteuid};
use twinlog_testbed::{ServerKind, TestDir};

use crate::support::{Pair, insert_on_both, walk};

/// The binary where everybody may run it: a build directory may be closed to others.
fn run(pair: &Pair, binary: &std::path::Path, args: &[&str]) -> Output {
    let mut command = Command::new("setpriv");
    if let Some(user) = other_user() {
        command.args([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
            "--clear-groups".into(),
        ]);
    }
    let output = command
        .arg("--")
        .arg(binary)
        .args(args)
        .current_dir(&pair.dir)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", pair.dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Who that is where the tests run as root.
fn other_user() -> Option<User> {
    let user = User::from_name("nobody").unwrap();
    user.filter(|_| geteuid().is_root())
}

async fn up_and_down(kind: ServerKind) {
    let pair = Pair::new(kind, "");
    let place = TestDir::new();
    let binary = place.join("twinlog");
    fs::copy(env!("CARGO_BIN_EXE_twinlog"), &binary).unwrap();
    if let Some(user) = other_user() {
        chown(&pair.dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    let text = fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    pair.twinlog
        .write("twinlog.toml", &text.replace("user = \"nobody\"\n", ""));

    run(&pair, &binary, &["up"]);
    walk(&pair.both()).await;
    let owner = fs::metadata(&pair.dir).unwrap().uid();
    for node in ["a", "b"] {
        let data = pair.node_dir(node).join("data");
        assert_eq!(fs::metadata(data).unwrap().uid(), owner);
    }
    run(&pair, &binary, &["down"]);
    let up = run(&pair, &binary, &["up"]);
    assert!(String::from_utf8_lossy(&up.stdout).contains("b→a: proven"));
    insert_on_both(&pair.both(), 3).await;
    run(&pair, &binary, &["down", "--purge", "--yes"]);
    assert!(!pair.dir.join("data").exists());
}

#[tokio::test]
async fn mysql_9_7() {
    up_and_down(ServerKind::MySql97).await;
}

#[tokio::test]
async fn mariadb_10_11() {
    up_and_down(ServerKind::MariaDb1011).await;
}
