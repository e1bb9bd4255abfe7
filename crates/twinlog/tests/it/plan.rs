//! What `plan` prints for a new pair, and that no password is ever seen.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use twinlog_testbed::ServerKind;

use crate::support::{Pair, assert_proven};

fn snapshot(kind: ServerKind, more: &str, name: &str) {
    let pair = Pair::new(kind, more);
    let output = pair.twinlog.run(&["plan"]);
    let mut text = output.expect_code(0).to_owned();
    assert_eq!(output.stderr, "");
    assert!(!pair.dir.join("data").exists(), "`plan` made something");
    for (found, shown) in [
        (pair.dir.path().display().to_string(), "[dir]"),
        (kind.basedir().display().to_string(), "[server]"),
        (pair.ports[0].to_string(), "[port a]"),
        (pair.ports[1].to_string(), "[port b]"),
    ] {
        text = text.replace(&found, shown);
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[uuid]");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_new_pair_of_mysql_9_7() {
    snapshot(ServerKind::MySql97, "", "plan_mysql_9_7");
}

#[test]
fn a_new_pair_of_mysql_5_6() {
    snapshot(ServerKind::MySql56, "", "plan_mysql_5_6");
}

#[test]
fn a_new_pair_of_mariadb_10_11() {
    snapshot(ServerKind::MariaDb1011, "", "plan_mariadb_10_11");
}

#[test]
fn a_new_pair_of_mariadb_11_8() {
    snapshot(ServerKind::MariaDb118, "", "plan_mariadb_11_8");
}

#[test]
fn a_new_pair_by_position() {
    let more =
        "options = { character_set_server = \"utf8mb4\" }\n[replication]\nmode = \"position\"\n";
    let more = format!("{more}[conflicts]\npolicy = \"prefer:a\"\n");
    snapshot(ServerKind::MariaDb1011, &more, "plan_position");
}

/// The passwords of a pair, as far as they are made.
fn passwords(data: &Path) -> Vec<String> {
    ["root", "replication", "agent"]
        .iter()
        .filter_map(|name| fs::read_to_string(data.join("secrets").join(name)).ok())
        .map(|text| text.trim().to_owned())
        .collect()
}

/// Collects the command lines and environments of all processes until it is told to stop.
fn watch(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeSet<String>> {
    std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !stop.load(Ordering::Relaxed) {
            for entry in fs::read_dir("/proc").unwrap().flatten() {
                for file in ["cmdline", "environ"] {
                    let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                    seen.insert(String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        seen
    })
}

/// The files of a node that its server or twinlog writes in the clear: option files and logs.
fn clear_files(node: &Path) -> Vec<PathBuf> {
    let binlogs = fs::read_dir(node.join("data")).unwrap().flatten();
    let binlogs = binlogs.map(|entry| entry.path()).filter(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("binlog")
    });
    let beside = fs::read_dir(node)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    beside
        .filter(|path| path.is_file())
        .chain(binlogs)
        .collect()
}

fn no_password_is_seen(kind: ServerKind) {
    let pair = Pair::new(kind, "");
    let data = pair.dir.join("data");
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = watch(stop.clone());
    let up = pair.twinlog.run(&["-vv", "up"]);
    assert_proven(&up);
    let again = pair.twinlog.run(&["-vv", "up"]);
    let plan = pair.twinlog.run(&["-vv", "plan"]);
    stop.store(true, Ordering::Relaxed);
    let mut texts: Vec<(String, String)> = watcher
        .join()
        .unwrap()
        .into_iter()
        .map(|text| ("a process".to_owned(), text))
        .collect();
    for (name, output) in [("up", up), ("up again", again), ("plan", plan)] {
        texts.push((name.to_owned(), output.stdout + &output.stderr));
    }
    for node in ["a", "b"] {
        for file in clear_files(&pair.node_dir(node)) {
            let bytes = fs::read(&file).unwrap();
            texts.push((
                file.display().to_string(),
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
    }
    assert!(
        texts
            .iter()
            .any(|(name, _)| name.ends_with("binlog.000001"))
    );
    let passwords = passwords(&data);
    assert_eq!(passwords.len(), 3);
    for password in &passwords {
        assert!(password.len() >= 20, "a short password");
        let seen: Vec<&String> = texts
            .iter()
            .filter(|(_, text)| text.contains(password))
            .map(|(name, _)| name)
            .collect();
        assert!(seen.is_empty(), "a password is in {seen:?}");
    }

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.join("secrets")), 0o700);
    let secrets = fs::read_dir(data.join("secrets"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let keys = fs::read_dir(data.join("tls"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let keys = keys.filter(|path| path.to_string_lossy().contains("key"));
    let private: Vec<PathBuf> = secrets.chain(keys).collect();
    assert!(private.len() >= 6, "{private:?}");
    for path in private {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn no_password_is_seen_on_mysql_9_7() {
    no_password_is_seen(ServerKind::MySql97);
}

#[test]
fn no_password_is_seen_on_mysql_5_6() {
    no_password_is_seen(ServerKind::MySql56);
}

#[test]
fn no_password_is_seen_on_mariadb_10_11() {
    no_password_is_seen(ServerKind::MariaDb1011);
}
