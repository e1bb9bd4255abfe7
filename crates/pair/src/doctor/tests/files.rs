//! Option files by themselves: what they alone can have wrong, and the document's two.

use std::path::{Path, PathBuf};

use jiff::civil::date;
use twinlog_server::{mycnf::OptionFile, version::Version};

use super::{
    Case,
    baseline::{files, healthy_file, mysql, of_texts},
    codes,
};
use crate::doctor::{Scene, examine};

pub(super) const CASES: &[Case] = &[
    Case("TL001", files, |s| rewrite(s, "server_id = 1\n", "")),
    Case("TL002", files, |s| {
        rewrite(s, "server_id = 1\n", "server_id = 2\n")
    }),
    Case("TL006", files, |s| {
        rewrite(s, "gtid_mode = ON", "gtid_mode = OFF")
    }),
    Case("TL010", files, |s| {
        rewrite(s, "log_bin = binlog", "skip-log-bin")
    }),
    Case("TL019", files, |s| {
        rewrite(s, "server_id", "binlog-do-db = test\nserver_id")
    }),
    Case("TL038", files, |s| {
        rewrite(s, "server_id", "replicate-same-server-id\nserver_id")
    }),
    Case("TL057", files, |s| {
        rewrite(s, "log_bin = binlog", "log_bin")
    }),
    Case("TL103", files, |s| {
        rewrite(s, "server_id", "replicate-do-db = test\nserver_id")
    }),
    Case("TL205", files, |s| {
        rewrite(s, "server_id", "skip-grant-tables\nserver_id")
    }),
    Case("TL401", files, |s| {
        rewrite(s, "server_id", "query_cache_size = 0\nserver_id")
    }),
    Case("TL402", files, |s| {
        rewrite(s, "server_id", "symbolic-links=0\nserver_id")
    }),
    Case("TL403", files, |s| {
        rewrite(s, "server_id", "relay-log-index = relay\nserver_id")
    }),
    Case("TL404", files, |s| {
        s.subjects[0].warnings.push("it is world-writable".into())
    }),
    Case("TL405", files, |s| {
        rewrite(s, "server_id", "sync_binlog = 0\nserver_id")
    }),
    Case("TL406", files, |s| {
        rewrite(s, "server_id", "report-password = x\nserver_id")
    }),
];

/// The first file with a change in it, the second as it was.
fn rewrite(scene: &mut Scene, from: &str, to: &str) {
    let text = healthy_file(1).replacen(from, to, 1);
    assert_ne!(text, healthy_file(1));
    *scene = of_texts([&text, &healthy_file(2)], None);
}

fn document(version: Option<&str>) -> Scene {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/fixtures/document");
    let load = |name: &str| OptionFile::load(&dir.join(name)).expect("an option file");
    let mut files = [load("master.cnf"), load("slave.cnf")];
    for (file, name) in files.iter_mut().zip(["master.cnf", "slave.cnf"]) {
        file.path = PathBuf::from(name);
    }
    let version = version.map(|text| Version::parse(text, "").expect("a version"));
    Scene::of_files(&files, version, date(2026, 1, 1))
}

fn said(scene: &Scene) -> String {
    examine(scene)
        .iter()
        .map(|finding| {
            let place = finding.place.as_deref().unwrap_or_default();
            format!(
                "{} {} {}: {place}: {}\n",
                finding.code,
                finding.severity,
                finding.nodes.join(", "),
                finding.seen
            )
        })
        .collect()
}

#[test]
fn the_documents_files() {
    insta::assert_snapshot!("document_any_version", said(&document(None)));
    insta::assert_snapshot!("document_5_7", said(&document(Some("5.7.44"))));
    insta::assert_snapshot!("document_mariadb", said(&document(Some("10.11.6-MariaDB"))));
}

#[test]
fn the_documents_files_have_all_that_its_notes_warn_of_and_more() {
    let found = codes(&document(Some("5.7.44")));
    for code in [
        "TL008", "TL019", "TL006", "TL024", "TL025", "TL018", "TL055", "TL056",
    ] {
        assert!(found.contains(code), "{code}");
    }
    assert!(!found.contains("TL002"), "their server ids differ");
    assert!(!found.contains("TL021"), "5.7.44 syncs its log by default");
}

#[test]
fn one_file_is_enough() {
    let mut scene = document(None);
    scene.subjects.truncate(1);
    assert!(codes(&scene).contains("TL008"));
}

#[test]
fn places_are_lines() {
    let mut scene = files();
    rewrite(&mut scene, "sync_binlog = 1", "sync_binlog = 0");
    let findings = examine(&scene);
    assert_eq!(findings[0].place.as_deref(), Some("a.cnf:12"));
    assert_eq!(findings[0].nodes, ["/etc/a.cnf"]);
}

#[test]
fn a_password_is_not_shown() {
    let mut scene = files();
    rewrite(
        &mut scene,
        "server_id",
        "report-password = hunter2\nserver_id",
    );
    assert!(!format!("{:?}", examine(&scene)).contains("hunter2"));
}

#[test]
fn what_is_a_servers_is_not_told_of_its_file() {
    // The option file that twinlog wrote for a node is at hand, and not what these rules are about.
    let scene = mysql();
    assert!(codes(&scene).iter().all(|code| !code.starts_with("TL4")));
}
