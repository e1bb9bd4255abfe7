//! Bad input to pairs that twinlog would run: a clear error each, nothing lost, nothing half-done.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use twinlog_testbed::{ServerKind, TestDir};

use crate::support::{Pair, assert_fails, assert_proven, listing};

const KIND: ServerKind = ServerKind::MariaDb1011;

/// `plan` and `up` fail alike and leave everything in the directory as it was.
#[track_caller]
fn refused(pair: &Pair, code: i32, says: &[&str]) {
    let before = listing(pair.dir.path());
    for command in ["plan", "up"] {
        assert_fails(&pair.twinlog.run(&[command]), code, says);
        assert_eq!(
            listing(pair.dir.path()),
            before,
            "`{command}` changed something"
        );
    }
}

/// A program that prints this and ends.
fn script(dir: &TestDir, lines: &str) -> String {
    let path = dir.join("mysqld");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_port_that_is_taken() {
    let pair = Pair::new(KIND, "");
    let port = pair.ports[1].number();
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    refused(
        &pair,
        2,
        &[
            &format!("node b: port {port} is taken by another program"),
            "`port` in [nodes.b]",
            "ss -ltnp",
        ],
    );
}

#[test]
fn a_binary_that_is_missing() {
    let pair = Pair::with_binary("/nowhere/mysqld", "");
    refused(
        &pair,
        2,
        &["node a: no server program '/nowhere/mysqld'", "install one"],
    );
}

#[test]
fn a_binary_that_is_no_server() {
    let pair = Pair::with_binary("/bin/cat", "");
    refused(
        &pair,
        2,
        &[
            "/cat is not a MySQL or MariaDB server",
            "`binary` in [server]",
        ],
    );
    let dir = TestDir::new();
    let junk = script(&dir, "echo 'Ver nothing at all'; exit 3");
    refused(
        &Pair::with_binary(&junk, ""),
        2,
        &["is not a MySQL or MariaDB server: Ver nothing at all"],
    );
    let silent = script(&dir, "exec sleep 600");
    let output = Pair::with_binary(&silent, "").twinlog.run(&["plan"]);
    assert_fails(
        &output,
        2,
        &["is not a MySQL or MariaDB server", "does not answer"],
    );
    let chatty = script(&dir, "while :; do echo y; done");
    refused(
        &Pair::with_binary(&chatty, ""),
        2,
        &["is not a MySQL or MariaDB server: y"],
    );
    let broken = script(&dir, "");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o644)).unwrap();
    refused(
        &Pair::with_binary(&broken, ""),
        2,
        &["it cannot be run: Permission denied"],
    );
}

#[test]
fn a_version_that_is_not_supported() {
    let dir = TestDir::new();
    for (says, named) in [
        (
            "mysqld  Ver 5.5.62 for Linux on x86_64 (MySQL Community Server (GPL))",
            "5.5.62",
        ),
        (
            "mariadbd  Ver 10.4.34-MariaDB for Linux on x86_64 (MariaDB Server)",
            "10.4.34",
        ),
    ] {
        let binary = script(&dir, &format!("echo '{says}'"));
        refused(
            &Pair::with_binary(&binary, ""),
            2,
            &[named, "MySQL 5.6", "MariaDB 10.5"],
        );
    }
}

#[test]
fn two_flavours() {
    let binary = ServerKind::MySql97.server_binary();
    let pair = Pair::new(KIND, "");
    let text = fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    let other = format!("[nodes.b]\nbinary = \"{}\"\n", binary.display());
    pair.twinlog
        .write("twinlog.toml", &text.replacen("[nodes.b]\n", &other, 1));
    refused(
        &pair,
        2,
        &[
            "a is MariaDB 10.11",
            "b is MySQL 9.7",
            "pair two servers of one flavour",
        ],
    );
}

#[test]
fn a_data_directory_of_a_strangers() {
    let pair = Pair::new(KIND, "");
    let dir = pair.node_dir("b");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("ibdata1"), "precious").unwrap();
    refused(
        &pair,
        2,
        &[
            "/data/b is not empty and not twinlog's",
            "another `data_dir`",
        ],
    );
    pair.twinlog
        .run(&["down", "--purge", "--yes"])
        .code
        .filter(|&code| code != 0)
        .expect("a stranger's data is not purged");
    assert_eq!(fs::read(dir.join("ibdata1")).unwrap(), b"precious");
}

#[test]
fn a_data_directory_of_another_pairs() {
    let first = Pair::new(KIND, "");
    first.up();
    first.twinlog.run(&["down"]).expect_code(0);
    let before = listing(&first.node_dir("a"));

    let second = Pair::new(KIND, "");
    let text = fs::read_to_string(second.dir.join("twinlog.toml")).unwrap();
    let own = format!(
        "[nodes.a]\ndata_dir = \"{}\"\n",
        first.node_dir("a").display()
    );
    second
        .twinlog
        .write("twinlog.toml", &text.replacen("[nodes.a]\n", &own, 1));
    refused(
        &second,
        2,
        &[
            "belongs to node 'a' of pair 'pair'",
            "another `data_dir`",
            "that pair's twinlog.toml",
        ],
    );
    second
        .twinlog
        .run(&["down", "--purge", "--yes"])
        .code
        .filter(|&code| code != 0)
        .expect("another pair's data is not purged");
    assert_eq!(listing(&first.node_dir("a")), before);
    first.up();
}

#[test]
fn an_unknown_key() {
    let pair = Pair::new(KIND, "[replication]\nsemi_synk = true\n");
    refused(&pair, 2, &["twinlog.toml:9", "semi_synk", "`semi_sync`"]);
    let pair = Pair::new(KIND, "");
    fs::remove_file(pair.dir.join("twinlog.toml")).unwrap();
    refused(&pair, 2, &["twinlog.toml", "twinlog init"]);
}

#[test]
fn an_option_that_the_server_does_not_know() {
    for kind in [KIND, ServerKind::MySql97] {
        let pair = Pair::new(kind, "options = { no_such_option = 1 }\n");
        let output = pair.twinlog.run(&["up"]);
        assert_fails(
            &output,
            3,
            &[
                "its last words:",
                "no_such_option",
                "remove it or write it as `loose_",
            ],
        );
        assert!(!pair.node_dir("a").join("data").exists());
        pair.configure(kind, "");
        assert_proven(&pair.twinlog.run(&["up"]));
    }
}

#[test]
fn a_server_that_dies_while_it_starts() {
    for kind in [KIND, ServerKind::MySql97] {
        // Read at a start only: no log is written while a data directory is made.
        let pair = Pair::new(kind, "options = { log_bin = \"/nowhere/at/all/binlog\" }\n");
        let output = pair.twinlog.run(&["up"]);
        assert_fails(
            &output,
            3,
            &[
                "the server did not start (exit status: 1)",
                "the last lines of",
                "error.log",
                "/nowhere/at/all",
            ],
        );
        pair.configure(kind, "");
        assert_proven(&pair.twinlog.run(&["up"]));
    }
}

/// A file system of this many MiB, gone with the value; `None` where mounting is not permitted.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={mib}m,mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        println!("SKIPPED: a full disk takes the right to mount one");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A server that was just killed may still hold it: then it goes when that is gone.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_is_too_small() {
    let pair = Pair::new(KIND, "");
    let data = pair.dir.join("data");
    let Some(_disk) = SmallDisk::mount(&data, 100) else {
        return;
    };
    refused(
        &pair,
        3,
        &[
            "MiB are free for",
            "a new node needs 512 MiB",
            "free some space",
        ],
    );
}

#[test]
fn a_disk_that_fills_up_half_way() {
    let pair = Pair::new(KIND, "options = { innodb_log_file_size = \"2G\" }\n");
    let data = pair.dir.join("data");
    let Some(_disk) = SmallDisk::mount(&data, 700) else {
        return;
    };
    let output = pair.twinlog.run(&["up"]);
    assert_fails(
        &output,
        3,
        &[
            "its last words:",
            "the disk is full",
            "run the same command again",
        ],
    );
    assert!(!pair.node_dir("a").join("data").exists());
    pair.configure(KIND, "");
    assert_proven(&pair.twinlog.run(&["up"]));
    pair.twinlog.run(&["down"]).expect_code(0);
}

#[test]
fn clocks_that_are_apart() {
    let library = ["x86_64", "aarch64"]
        .map(|arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists());
    let Some(library) = library else {
        println!("SKIPPED: another clock takes libfaketime");
        return;
    };
    // An installation whose server lives a minute ahead.
    let kind = ServerKind::MariaDb118;
    let early = TestDir::new();
    fs::create_dir(early.join("sbin")).unwrap();
    for part in ["share", "lib"] {
        std::os::unix::fs::symlink(kind.basedir().join(part), early.join(part)).unwrap();
    }
    let script = format!(
        "#!/bin/sh\nexport LD_PRELOAD={library} FAKETIME=+60 FAKETIME_DONT_FAKE_MONOTONIC=1\nexec {} \"$@\"\n",
        kind.server_binary().display()
    );
    let binary = early.join("sbin/mariadbd");
    fs::write(&binary, script).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();

    let pair = Pair::new(kind, "");
    let text = fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    let other = format!("[nodes.b]\nbinary = \"{}\"\n", binary.display());
    pair.twinlog
        .write("twinlog.toml", &text.replacen("[nodes.b]\n", &other, 1));
    let output = pair.twinlog.run(&["up"]);
    assert_fails(
        &output,
        1,
        &["the clocks of a and b are ", "run NTP", "`prefer:<node>`"],
    );
    let indifferent = format!(
        "{}[conflicts]\npolicy = \"prefer:a\"\n",
        text.replacen("[nodes.b]\n", &other, 1)
    );
    pair.twinlog.write("twinlog.toml", &indifferent);
    assert_proven(&pair.twinlog.run(&["up"]));
}
