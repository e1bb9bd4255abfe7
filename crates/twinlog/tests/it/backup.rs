//! `twinlog backup` and `twinlog restore`: all of a node's data in files, and back onto both nodes of an empty pair.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use twinlog_testbed::{Running, ServerKind, wait_until};

use crate::{
    copy::{ALIKE, fill, write},
    support::{DEADLINE, Pair, assert_fails, assert_proven, insert_on_both, same_rows, walk},
};

/// Rows as they are on every server.
const ROWS: &[&str] = &[
    "SELECT * FROM shop.child ORDER BY id",
    "SELECT * FROM shop.texts ORDER BY 1",
    "SELECT * FROM shop.types ORDER BY 1",
    "SELECT * FROM shop.bag ORDER BY a",
];

/// How many of the writer's updates have found a row.
const UPDATED: &str = "SELECT COUNT(*) FROM shop.plain p JOIN shop.big b ON b.id = (p.id - 1000) * 37 % 9000 + 1 \
                       WHERE p.id >= 1000";

/// Restores, and looks whether both links are still proven.
fn restored(pair: &Pair, path: &Path) -> String {
    let path = path.display().to_string();
    let output = pair.twinlog.run(&["restore", &path, "--yes"]);
    assert_proven(&output);
    output.stdout
}

/// What a second pair has of a first one's backup, taken while a client writes.
async fn there_and_back(kind: ServerKind, more: &str, node: &str) {
    let pair = Pair::new(kind, more);
    pair.up();
    let [a, b] = pair.both();
    fill(kind, &a).await;
    let filled = same_rows(&pair.both(), "SELECT COUNT(*), SUM(k) FROM shop.big").await;
    same_rows(
        &pair.both(),
        "SELECT EVENT_NAME FROM information_schema.EVENTS",
    )
    .await;
    a.run(&["INSERT INTO twinlog.conflict SELECT 'abcdefabcdef', NOW(), 'shop', 't', 'id=1', 'conflict', 'open', \
             'manual', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}'"])
        .await;
    same_rows(&pair.both(), "SELECT id FROM twinlog.conflict").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(a.clone(), Arc::clone(&stop)));
    let path = pair.dir.join("nightly");
    let output = tokio::task::block_in_place(|| {
        let path = path.display().to_string();
        pair.twinlog
            .run(&["backup", &path, "--node", node, "--rate", "10"])
    });
    let said = output.expect_code(0);
    for words in [
        "commits were held up for",
        &format!("{node} stood at "),
        "; of what 127.0.0.1:",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    let source = if node == "a" { &a } else { &b };

    let other = Pair::new(kind, more);
    other.up();
    let settings = "SELECT @@GLOBAL.read_only, @@GLOBAL.local_infile";
    let before = other.both()[0].rows(settings).await;
    let said = restored(&other, &path);
    assert!(
        said.contains("each was read again and is what the backup has"),
        "{said}"
    );
    assert_eq!(same_rows(&other.both(), settings).await, before);
    for sql in ROWS {
        assert_eq!(
            same_rows(&other.both(), sql).await,
            source.rows(sql).await,
            "{sql}"
        );
    }
    for sql in ALIKE {
        // A counter of AUTO_INCREMENT goes by what was inserted since; read_only was compared above.
        let plain = |rows: Vec<Vec<String>>| format!("{rows:?}").replace("AUTO_INCREMENT=", "");
        let rows = same_rows(&other.both(), sql).await;
        assert_eq!(plain(rows), plain(source.rows(sql).await), "{sql}");
    }
    // One moment: each new row and its update, if there was one to be made, or the row alone.
    let count = same_rows(&other.both(), UPDATED).await;
    let count: u32 = count[0][0].parse().unwrap();
    assert!(count <= written, "{count} of {written}");
    let sum = same_rows(&other.both(), "SELECT COUNT(*), SUM(k) FROM shop.big").await;
    assert_eq!(sum[0][0], filled[0][0]);
    let number = |rows: &[Vec<String>]| rows[0][1].parse::<u32>().unwrap();
    let added = number(&sum) - number(&filled);
    assert!(added == count || added + 1 == count, "{added} of {count}");
    assert_eq!(
        same_rows(&other.both(), "SELECT id, state FROM twinlog.conflict").await,
        [["abcdefabcdef", "open"]]
    );
    // An event runs on the node that it ran on.
    let runs = "SELECT STATUS FROM information_schema.EVENTS";
    for (old, new) in pair.both().iter().zip(other.both()) {
        assert_eq!(old.rows(runs).await, new.rows(runs).await, "{}", node);
    }
    // By position nothing can be compared while links run.
    if more.is_empty() {
        other.twinlog.run(&["verify"]).expect_code(0);
    }
    walk(&other.both()).await;
    insert_on_both(&other.both(), 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_and_back_on_mysql_9_7() {
    there_and_back(ServerKind::MySql97, "", "b").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_and_back_on_mariadb_10_11() {
    there_and_back(ServerKind::MariaDb1011, "", "a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_and_back_on_mysql_5_6_by_position() {
    there_and_back(
        ServerKind::MySql56,
        "[replication]\nmode = \"position\"\n",
        "a",
    )
    .await;
}

/// A pair with some data, and its backup.
async fn backed_up(kind: ServerKind) -> (Pair, PathBuf) {
    let pair = Pair::proven(kind);
    fill(kind, &pair.both()[0]).await;
    let path = pair.dir.join("backup");
    let text = path.display().to_string();
    pair.twinlog.run(&["backup", &text]).expect_code(0);
    (pair, path)
}

/// Nothing of a restore is left on a pair.
async fn is_untouched(pair: &Pair) {
    let sql = "SELECT COUNT(*), @@GLOBAL.read_only FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA IN ('shop', 'd\"o.t') OR TABLE_SCHEMA = 'twinlog' AND TABLE_NAME IN ('copy', 'copied')";
    assert_eq!(same_rows(&pair.both(), sql).await, [["0", "0"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_is_the_same_in_one_file() {
    let (pair, directory) = backed_up(ServerKind::MariaDb1011).await;
    let path = pair.dir.join("shop.tar");
    let mut command = pair.twinlog.command(&["backup", "-"]);
    command
        .stdout(fs::File::create(&path).unwrap())
        .stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let text = path.display().to_string();
    let checked = pair.twinlog.run(&["restore", "--check", &text]);
    assert_eq!(checked.expect_code(0), "it is whole and undamaged\n");
    // Where there is no pair at all, too.
    fs::rename(
        pair.twinlog.dir().join("twinlog.toml"),
        pair.twinlog.dir().join("away"),
    )
    .unwrap();
    let directory = directory.display().to_string();
    pair.twinlog
        .run(&["restore", "--check", &directory])
        .expect_code(0);

    let other = Pair::proven(ServerKind::MariaDb1011);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 4096]).unwrap();
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["shop.tar is no whole backup"],
    );
    fs::write(&path, &whole).unwrap();
    restored(&other, &path);
    other.twinlog.run(&["verify"]).expect_code(0);
    assert_eq!(
        same_rows(&other.both(), "SELECT COUNT(*) FROM shop.big").await,
        [["24576"]]
    );
}

/// A file of a backup that holds rows.
fn a_part(path: &Path) -> PathBuf {
    let mut parts: Vec<PathBuf> = fs::read_dir(path.join("rows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    parts.sort();
    parts.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_partial_one_is_refused() {
    let (_source, path) = backed_up(ServerKind::MySql97).await;
    let other = Pair::proven(ServerKind::MySql97);
    let text = path.display().to_string();
    let part = a_part(&path);
    let whole = fs::read(&part).unwrap();
    let mut turned = whole.clone();
    turned[whole.len() / 2] ^= 1;
    for damaged in [&turned[..], &whole[..whole.len() - 1], &[]] {
        fs::write(&part, damaged).unwrap();
        for args in [["restore", &text, "--check"], ["restore", &text, "--yes"]] {
            assert_fails(
                &other.twinlog.run(&args),
                1,
                &["the backup is damaged: rows/"],
            );
        }
    }
    fs::remove_file(&part).unwrap();
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["the backup is damaged: rows/", "it is missing"],
    );
    fs::write(&part, &whole).unwrap();
    let manifest = path.join("manifest.json");
    let right = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        right.replace("\"node\": \"a\"", "\"node\": \"b\""),
    )
    .unwrap();
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["manifest.json: its checksum is another"],
    );
    fs::write(&manifest, right).unwrap();
    let complete = fs::read(path.join("complete")).unwrap();
    fs::remove_file(path.join("complete")).unwrap();
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["backup is no whole backup: the file that is written last is missing"],
    );
    is_untouched(&other).await;
    fs::write(path.join("complete"), complete).unwrap();
    restored(&other, &path);
    other.twinlog.run(&["verify"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_empty_pair_is_restored_to() {
    let (source, path) = backed_up(ServerKind::MariaDb1011).await;
    let text = path.display().to_string();
    let other = Pair::new(ServerKind::MariaDb1011, "");
    assert_fails(&other.twinlog.run(&["restore", &text, "--yes"]), 3, &[]);
    other.up();
    // Nobody has agreed.
    let asked = other.twinlog.run(&["restore", &text]);
    asked.expect_code(1);
    assert!(
        asked.stderr.contains("nothing was changed"),
        "{}",
        asked.stderr
    );
    assert_fails(
        &other.twinlog.run(&["restore", "none", "--yes"]),
        2,
        &["there is no none"],
    );
    let [a, b] = other.both();
    b.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.theirs (id INT PRIMARY KEY)",
    ])
    .await;
    same_rows(&other.both(), "SHOW TABLES FROM shop").await;
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &[
            "a is not empty: table shop.theirs",
            "twinlog deletes nothing",
        ],
    );
    assert_eq!(
        same_rows(&other.both(), "SELECT @@GLOBAL.read_only").await,
        [["0"]]
    );
    a.run(&["DROP DATABASE shop"]).await;
    wait_until(DEADLINE, "b without it", async || {
        b.try_rows("SELECT 1 FROM shop.theirs").await.err()
    })
    .await;
    // An agent follows both logs.
    let mut agent = other.twinlog.spawn(&["run"]);
    agent.wait_for_line("reading the log of b (");
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["an agent (`twinlog run`) holds a lock on a"],
    );
    agent.kill();
    is_untouched(&other).await;
    // The source itself is not empty; nor is a backup's directory.
    assert_fails(
        &source.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["is not empty"],
    );
    assert_fails(
        &source.twinlog.run(&["backup", &text]),
        2,
        &["is there already, and is not empty"],
    );
    restored(&other, &path);
}

/// A restore that is slow enough to be met in the middle.
async fn begun(other: &Pair, path: &Path) -> Running {
    let text = path.display().to_string();
    let args = ["restore", &text, "--yes", "--rate", "1", "--parallel", "1"];
    let running = other.twinlog.spawn(&args);
    wait_until(DEADLINE, "rows", async || {
        let rows = other.both()[1]
            .try_rows("SELECT 1 FROM shop.texts LIMIT 1")
            .await;
        rows.ok().filter(|rows| !rows.is_empty())
    })
    .await;
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_one_is_gone_on_with() {
    let (source, path) = backed_up(ServerKind::MySql97).await;
    let other = Pair::proven(ServerKind::MySql97);
    begun(&other, &path).await.kill();
    let [a, _] = other.both();
    assert_eq!(
        same_rows(&other.both(), "SELECT @@GLOBAL.read_only").await,
        [["1"]]
    );
    let half = "holds half a copy of the backup";
    assert_fails(&other.twinlog.run(&["up"]), 1, &[half, "`twinlog restore`"]);
    let status = other.twinlog.run(&["status"]);
    assert!(status.expect_code(1).contains(half), "{}", status.stdout);
    assert_fails(&other.twinlog.run(&["run", "--once"]), 3, &[half]);
    // What a person has made there meanwhile is not twinlog's to drop.
    a.run(&["CREATE TABLE shop.theirs (id INT PRIMARY KEY)"])
        .await;
    let text = path.display().to_string();
    assert_fails(
        &other.twinlog.run(&["restore", &text, "--yes"]),
        1,
        &["is not empty: table shop.theirs"],
    );
    a.run(&["DROP TABLE shop.theirs"]).await;
    // Rows that a killed run left are the backup's, or go.
    a.run(&[
        "SET SESSION sql_log_bin = 0",
        "DELETE FROM shop.texts LIMIT 1",
    ])
    .await;
    restored(&other, &path);
    for sql in ROWS {
        assert_eq!(
            same_rows(&other.both(), sql).await,
            source.both()[0].rows(sql).await
        );
    }
    other.twinlog.run(&["verify"]).expect_code(0);
    assert_eq!(
        same_rows(&other.both(), "SELECT @@GLOBAL.read_only").await,
        [["0"]]
    );
}

/// Killed at ever later moments, until one comes to its end: each time both nodes are closed and marked, or done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again() {
    let (source, path) = backed_up(ServerKind::MariaDb1011).await;
    let other = Pair::proven(ServerKind::MariaDb1011);
    let text = path.display().to_string();
    let mut kills = 0;
    for step in 0.. {
        let moment = Duration::from_millis(60).mul_f64(1.25_f64.powi(step));
        let running = other.twinlog.spawn(&["restore", &text, "--yes"]);
        tokio::time::sleep(moment).await;
        let output = running.kill();
        if output.code == Some(0) {
            break;
        }
        kills += 1;
        for node in other.both() {
            let marked = node
                .try_rows("SELECT 1 FROM twinlog.copy")
                .await
                .is_ok_and(|rows| !rows.is_empty());
            let tables = node
                .try_rows("SHOW TABLES FROM shop")
                .await
                .is_ok_and(|rows| !rows.is_empty());
            let is_open = node.rows("SELECT @@GLOBAL.read_only").await == [["0"]];
            let count = node.try_rows("SELECT COUNT(*) FROM shop.big").await;
            let is_whole = count.is_ok_and(|rows| rows == [["24576"]]);
            // Open to clients with some of it, or not marked and half, is what must not be.
            assert!(!tables || marked || is_whole, "after {moment:?}");
            assert!(!tables || !is_open || is_whole, "after {moment:?}");
        }
    }
    println!("{kills} kills");
    // The last one may have been killed with nothing left to do.
    let last = other.twinlog.run(&["restore", &text, "--yes"]);
    assert!(
        last.code == Some(0) || last.stderr.contains("is not empty"),
        "{}",
        last.stderr
    );
    for sql in ROWS {
        assert_eq!(
            same_rows(&other.both(), sql).await,
            source.both()[0].rows(sql).await
        );
    }
    other.twinlog.run(&["verify"]).expect_code(0);
    assert_eq!(
        same_rows(&other.both(), "SELECT @@GLOBAL.read_only").await,
        [["0"]]
    );
    other.up();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_cut_off_or_overtaken_is_none() {
    let pair = Pair::proven(ServerKind::MySql97);
    let [a, _] = pair.both();
    fill(ServerKind::MySql97, &a).await;
    let slow = |name: &str| {
        let path = pair.dir.join(name).display().to_string();
        pair.twinlog
            .spawn(&["backup", &path, "--rate", "1", "--parallel", "1"])
    };
    let rows = |name: &str| pair.dir.join(name).join("rows");
    let begun = async |name: &str| {
        wait_until(DEADLINE, "a file", async || {
            rows(name).exists().then_some(())
        })
        .await;
    };
    let running = slow("killed");
    begun("killed").await;
    running.kill();
    let path = pair.dir.join("killed").display().to_string();
    assert_fails(
        &pair.twinlog.run(&["restore", "--check", &path]),
        1,
        &["no whole backup"],
    );
    let running = slow("altered");
    begun("altered").await;
    a.run(&["ALTER TABLE shop.texts MODIFY n BIGINT"]).await;
    let output = running.wait();
    assert_fails(&output, 3, &["shop.texts was altered or dropped"]);
    let path = pair.dir.join("altered").display().to_string();
    assert_fails(
        &pair.twinlog.run(&["restore", "--check", &path]),
        1,
        &["no whole backup"],
    );
}

/// A link that stands has something left to carry, which would be carried over what is restored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_to_have_carried_all() {
    let (_source, path) = backed_up(ServerKind::MySql97).await;
    let other = Pair::proven(ServerKind::MySql97);
    let text = path.display().to_string();
    for node in other.both() {
        node.run(&["STOP REPLICA", "DROP DATABASE IF EXISTS shop"])
            .await;
    }
    let says = ["nothing was restored", "`twinlog up` first"];
    assert_fails(&other.twinlog.run(&["restore", &text, "--yes"]), 1, &says);
    is_untouched(&other).await;
    other.up();
    other.both()[1]
        .run(&["SET GLOBAL super_read_only = ON"])
        .await;
    let says = ["b has super_read_only = ON"];
    assert_fails(&other.twinlog.run(&["restore", &text, "--yes"]), 1, &says);
    other.both()[1]
        .run(&[
            "SET GLOBAL super_read_only = OFF",
            "SET GLOBAL read_only = OFF",
        ])
        .await;
    is_untouched(&other).await;
    restored(&other, &path);
    other.twinlog.run(&["verify"]).expect_code(0);
}

/// What is half is not backed up, nor what nobody could make again; what belongs to an account that is missing is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_made_again_is_named() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::proven(kind);
    let [a, _] = pair.both();
    fill(kind, &a).await;
    a.run(&[
        "CREATE USER app@localhost",
        "GRANT SELECT, SHOW VIEW ON shop.* TO app@localhost",
        "CREATE DEFINER = app@localhost VIEW shop.first AS SELECT id FROM shop.parent",
        "CREATE VIEW shop.second AS SELECT id FROM shop.first",
        "CREATE TABLE shop.gone (id INT PRIMARY KEY)",
        "CREATE VIEW shop.broken AS SELECT * FROM shop.gone",
        "DROP TABLE shop.gone",
        "CREATE TABLE shop.ids (id INT PRIMARY KEY AUTO_INCREMENT)",
        "INSERT INTO shop.ids VALUES (1), (5000)",
        "DELETE FROM shop.ids WHERE id = 5000",
    ])
    .await;
    let at = |name: &str| pair.dir.join(name).display().to_string();
    assert_fails(
        &pair.twinlog.run(&["backup", &at("broken")]),
        3,
        &["view `shop`.`broken`"],
    );
    a.run(&["DROP VIEW shop.broken"]).await;
    pair.twinlog.run(&["backup", &at("whole")]).expect_code(0);

    let other = Pair::proven(kind);
    let path = pair.dir.join("whole");
    begun(&other, &path).await.kill();
    let half = at("half");
    assert_fails(
        &other.twinlog.run(&["backup", &half]),
        1,
        &["a holds half a copy of the backup"],
    );
    // A server that was restarted let clients in.
    other.both()[0].run(&["SET GLOBAL read_only = OFF"]).await;
    let whole = at("whole");
    assert_fails(
        &other.twinlog.run(&["restore", &whole, "--yes"]),
        1,
        &["a holds a part of a backup, and has been open to clients"],
    );
    other.both()[0].run(&["SET GLOBAL read_only = ON"]).await;
    for node in other.both() {
        node.run(&[
            "SET SESSION sql_log_bin = 0",
            "DELETE FROM shop.ids",
            "ALTER TABLE shop.ids AUTO_INCREMENT = 1",
        ])
        .await;
    }
    let output = other.twinlog.run(&["restore", &whole, "--yes"]);
    assert_fails(
        &output,
        1,
        &[
            "note: not made: view `shop`.`second` on b: ERROR 1449",
            "all rows are there, and the pair serves",
        ],
    );
    let counter = "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_NAME = 'ids'";
    assert_eq!(same_rows(&other.both(), counter).await, [["5001"]]);
    assert_eq!(
        same_rows(&other.both(), "SELECT @@GLOBAL.read_only").await,
        [["0"]]
    );
    other.twinlog.run(&["verify"]).expect_code(0);
    // One that a CLONE has emptied says nothing of itself.
    pair.both()[1]
        .run(&["SET SESSION sql_log_bin = 0", "DROP DATABASE twinlog"])
        .await;
    assert_fails(
        &pair.twinlog.run(&["backup", "--node", "b", &at("emptied")]),
        1,
        &["b is no node of this pair"],
    );
}
