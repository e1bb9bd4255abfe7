//! `twinlog repair` on real pairs: what no log explains is put right, and nothing else is touched.

use std::collections::BTreeMap;

use serde_json::Value;
use twinlog_agent::repair::RepairDocument;
use twinlog_testbed::{Output, ServerKind, wait_until};

use crate::{
    schema::{assert_valid, check_schema},
    support::{DEADLINE, Db, Pair, Rows, assert_fails, same_rows},
    verify::{PLANTED, filled, verify, without_time},
};

mod clients;
mod tied;

#[test]
fn its_schema_is_in_docs() {
    check_schema::<RepairDocument>("repair");
}

pub(super) fn repair(pair: &Pair, args: &[&str]) -> Output {
    let mut all = vec!["repair"];
    all.extend(args);
    pair.twinlog.run(&all)
}

pub(super) fn document(pair: &Pair, code: i32, args: &[&str]) -> Value {
    let mut all = vec!["--json"];
    all.extend(args);
    let output = repair(pair, &all);
    assert_valid("repair", output.expect_code(code))
}

/// How many rows have each outcome.
pub(super) fn outcomes(document: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in document["rows"].as_array().unwrap() {
        let outcome = row["outcome"].as_str().unwrap().to_owned();
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}

/// Statements that leave no trace in a log.
pub(super) async fn silently(pair: &Pair, node: &str, statements: &[&str]) {
    let before = [
        "SET sql_log_bin = 0",
        "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
        "SET SESSION foreign_key_checks = 0",
    ];
    let all: Vec<&str> = before.iter().chain(statements).copied().collect();
    pair.exec(node, &all).await;
}

/// What a node's tables of clients hold, in short.
pub(super) async fn contents(db: &Db) -> Rows {
    let tables = db
        .rows(
            "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', REPLACE(TABLE_NAME, '`', '``'), '`') FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA IN ('shop', 'd\"o.t') ORDER BY 1",
        )
        .await;
    let names: Vec<String> = tables.into_iter().flatten().collect();
    db.rows(&format!("CHECKSUM TABLE {} EXTENDED", names.join(", ")))
        .await
}

/// What a node has executed.
async fn executed(db: &Db, kind: ServerKind) -> Rows {
    db.rows(if kind.is_mariadb() {
        "SELECT @@gtid_binlog_state, @@gtid_slave_pos"
    } else {
        "SELECT @@GLOBAL.gtid_executed"
    })
    .await
}

pub(super) async fn is_equal(pair: &Pair) {
    verify(pair, &[]).expect_code(0);
    let [a, b] = pair.both();
    assert_eq!(contents(&a).await, contents(&b).await);
}

/// Differences of every kind: a plan changes nothing; carried out, the other node is what this one is, which is what it was.
async fn all_kinds(kind: ServerKind, keep: &str) {
    let pair = filled(kind).await;
    let mut statements: Vec<&str> = PLANTED.iter().map(|(statement, _)| *statement).collect();
    statements.push("INSERT INTO shop.many SELECT id + 1, v FROM shop.many WHERE id % 70 = 0");
    silently(&pair, "b", &statements).await;
    let planted: usize = PLANTED.iter().map(|(_, rows)| rows.len()).sum::<usize>() - 1 + 2000;
    let [a, b] = pair.both();
    let before = [contents(&a).await, contents(&b).await];
    let logs = [executed(&a, kind).await, executed(&b, kind).await];

    let plan = document(&pair, 1, &["--keep", keep]);
    assert_eq!(
        outcomes(&plan),
        [("planned".to_owned(), planted), ("left".to_owned(), 2)].into()
    );
    let asked = repair(&pair, &["--keep", keep]);
    asked.expect_code(1);
    assert!(asked.stderr.contains("say --yes"), "{}", asked.stderr);
    repair(&pair, &["--keep", keep, "--dry-run"]).expect_code(1);
    assert_eq!([contents(&a).await, contents(&b).await], before);
    assert_eq!([executed(&a, kind).await, executed(&b, kind).await], logs);

    let done = document(&pair, 1, &["--keep", keep, "--yes"]);
    let repaired = [("repaired".to_owned(), planted), ("left".to_owned(), 2)];
    assert_eq!(outcomes(&done), repaired.into(), "{done:#}");
    let reason = done["rows"][planted]["reason"].as_str().unwrap();
    assert!(reason.contains("no key tells its rows apart"), "{reason}");
    let kept = usize::from(keep == "b");
    let other = if kept == 0 { "b" } else { "a" };
    silently(&pair, other, &["DELETE FROM shop.bag WHERE b = 'y'"]).await;
    let n = if kept == 0 { 2 } else { 4 };
    silently(
        &pair,
        other,
        &[&format!(
            "INSERT INTO shop.bag VALUES ({n}, 'y'), ({n}, 'y')"
        )],
    )
    .await;
    is_equal(&pair).await;
    assert_eq!(contents(&[a, b][kept]).await, before[kept]);
    let nothing = repair(&pair, &["--yes"]);
    nothing.expect_code(0);
    // No agent finds anything to do in that; of the table without a key it cannot know.
    let once = pair.twinlog.run(&["run", "--once", "--json"]);
    let once: Value = serde_json::from_str(once.expect_code(1)).unwrap();
    for count in ["conflicts", "divergences", "repaired", "open"] {
        assert_eq!(once[count], 0, "{once:#}");
    }
}

#[tokio::test]
async fn differences_of_every_kind_on_mysql_9_7() {
    all_kinds(ServerKind::MySql97, "a").await;
}

#[tokio::test]
async fn differences_of_every_kind_on_mysql_5_6() {
    all_kinds(ServerKind::MySql56, "a").await;
}

#[tokio::test]
async fn differences_of_every_kind_on_mariadb() {
    all_kinds(ServerKind::MariaDb1011, "b").await;
}

const POLICIES: &str = "[conflicts]\npolicy = \"last-write-wins\"\n\
    [[conflicts.tables]]\nmatch = \"shop.ours\"\npolicy = \"prefer:a\"\n\
    [[conflicts.tables]]\nmatch = \"shop.theirs\"\npolicy = \"prefer:b\"\n";

/// Three small tables with the same rows, of which all three kinds of differences are on b.
async fn three(kind: ServerKind, more: &str) -> Pair {
    let pair = Pair::new(kind, more);
    pair.up();
    pair.exec("a", &["CREATE DATABASE shop"]).await;
    for table in ["ours", "theirs", "others"] {
        let statements = [
            format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, v VARCHAR(20))"),
            format!("INSERT INTO shop.{table} VALUES (1, 'one'), (2, 'two'), (3, 'three')"),
        ];
        pair.exec("a", &statements.each_ref().map(String::as_str))
            .await;
    }
    same_rows(&pair.both(), "SELECT COUNT(*) FROM shop.others").await;
    wait_for(&pair, "SELECT COUNT(*) FROM shop.others", "3").await;
    for table in ["ours", "theirs", "others"] {
        let statements = [
            format!("UPDATE shop.{table} SET v = 'zwei' WHERE id = 2"),
            format!("DELETE FROM shop.{table} WHERE id = 3"),
            format!("INSERT INTO shop.{table} VALUES (4, 'vier')"),
        ];
        silently(&pair, "b", &statements.each_ref().map(String::as_str)).await;
    }
    pair
}

/// Waits until a query has one value on both nodes.
pub(super) async fn wait_for(pair: &Pair, sql: &str, value: &str) {
    for db in pair.both() {
        db.wait_for_rows(sql, &vec![vec![value.to_owned()]]).await;
    }
}

async fn by_policy(kind: ServerKind) {
    let pair = three(kind, POLICIES).await;
    let plan = repair(&pair, &["--dry-run"]);
    insta::assert_snapshot!("repair_plan", without_time_of(plan.expect_code(1)));
    let done = repair(&pair, &["--yes"]);
    insta::assert_snapshot!("repair_done", done.expect_code(1));
    let of = async |table: &str| {
        let sql = format!("SELECT GROUP_CONCAT(id, v ORDER BY id) FROM shop.{table}");
        same_rows(&pair.both(), &sql).await.remove(0).remove(0)
    };
    assert_eq!(of("ours").await, "1one,2two,3three");
    assert_eq!(of("theirs").await, "1one,2zwei,4vier");
    let left = document(&pair, 1, &[]);
    assert_eq!(outcomes(&left), [("left".to_owned(), 3)].into());
    let reason = left["rows"][0]["reason"].as_str().unwrap();
    assert!(reason.ends_with("say --keep a or --keep b"), "{reason}");
    let by_verify = pair
        .twinlog
        .run(&["verify", "--repair", "--keep", "b", "--yes"]);
    assert!(
        by_verify
            .expect_code(0)
            .starts_with("both nodes hold the same: 3 rows repaired"),
        "{}",
        by_verify.stdout
    );
    assert_eq!(of("others").await, "1one,2zwei,4vier");
}

/// Without what depends on the machine.
fn without_time_of(text: &str) -> String {
    let Some((before, after)) = text.split_once("; compared ") else {
        return text.to_owned();
    };
    let (line, rest) = after.split_once('\n').unwrap_or((after, ""));
    format!("{before}; compared {}\n{rest}", without_time(line))
}

#[tokio::test]
async fn policies_that_name_a_node_decide_on_mysql() {
    by_policy(ServerKind::MySql97).await;
}

#[tokio::test]
async fn policies_that_name_a_node_decide_on_mariadb() {
    by_policy(ServerKind::MariaDb1011).await;
}

/// Each repair is in the history, by which it can be taken back; appliers that stop at every surprise see none.
async fn history(kind: ServerKind) {
    let pair = three(kind, "[conflicts]\npolicy = \"manual\"\n").await;
    let refused = repair(&pair, &["--yes"]);
    assert!(
        refused
            .expect_code(1)
            .contains("policy manual: say --keep a"),
        "{}",
        refused.stdout
    );
    let done = document(&pair, 0, &["--keep", "a", "--yes"]);
    assert_eq!(outcomes(&done), [("repaired".to_owned(), 9)].into());
    is_equal(&pair).await;
    wait_for(
        &pair,
        "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'repaired' AND kind = 'divergence'",
        "9",
    )
    .await;
    let row = &done["rows"].as_array().unwrap()[1];
    assert_eq!(
        (row["table"].as_str(), row["key"].as_str()),
        (Some("shop.others"), Some("id=3"))
    );
    let id = row["id"].as_str().unwrap();
    let shown = pair.twinlog.run(&["conflicts", "show", id]);
    let shown = shown.expect_code(0);
    for text in [
        "a comparison of both nodes found it",
        "by --keep a",
        "on b alone",
    ] {
        assert!(shown.contains(text), "no '{text}':\n{shown}");
    }
    // What b held: nothing.
    let restored = pair
        .twinlog
        .run(&["conflicts", "restore", id, "--version", "b", "--yes"]);
    restored.expect_code(0);
    wait_for(&pair, "SELECT COUNT(*) FROM shop.others WHERE id = 3", "0").await;
    // The same difference again is another entry.
    silently(&pair, "a", &["INSERT INTO shop.others VALUES (3, 'three')"]).await;
    let again = document(&pair, 0, &["--keep", "b", "--yes"]);
    assert_ne!(again["rows"][0]["id"], *id);
    is_equal(&pair).await;
    pair.up();
}

#[tokio::test]
async fn a_repair_is_in_the_history_on_mysql() {
    history(ServerKind::MySql97).await;
}

#[tokio::test]
async fn a_repair_is_in_the_history_on_mariadb() {
    history(ServerKind::MariaDb1011).await;
}

#[tokio::test]
async fn wrong_words_are_the_users_mistake() {
    let pair = three(ServerKind::MariaDb1011, "").await;
    assert_fails(
        &repair(&pair, &["--keep", "c"]),
        2,
        &["no node is called 'c'"],
    );
    verify(&pair, &["--keep", "a"]).expect_code(2);
    repair(&pair, &["--yes", "--dry-run"]).expect_code(2);
}

/// Of what clients wrote unseen the logs tell: who decides about it must see that.
#[tokio::test]
async fn open_conflicts_are_left_to_who_decides() {
    let kind = ServerKind::MariaDb1011;
    let pair = three(kind, "[conflicts]\npolicy = \"manual\"\n").await;
    for node in ["a", "b"] {
        pair.exec(node, &["STOP SLAVE"]).await;
    }
    for node in ["a", "b"] {
        let sql = format!("UPDATE shop.ours SET v = 'by {node}' WHERE id = 1");
        pair.exec(node, &[&sql]).await;
    }
    for node in ["a", "b"] {
        pair.exec(node, &["START SLAVE"]).await;
    }
    pair.twinlog.run(&["run", "--once"]).expect_code(1);
    let args = ["--tables", "shop.ours", "--keep", "a", "--yes"];
    let done = document(&pair, 1, &args);
    let both = [("left".to_owned(), 1), ("repaired".to_owned(), 3)];
    assert_eq!(outcomes(&done), both.into(), "{done:#}");
    let left = &done["rows"][0];
    assert_eq!(left["key"], "id=1", "{done:#}");
    let id = left["id"].as_str().unwrap();
    pair.twinlog
        .run(&["conflicts", "resolve", id, "--keep", "a", "--yes"])
        .expect_code(0);
    wait_for(&pair, "SELECT v FROM shop.ours WHERE id = 1", "by a").await;
    assert_eq!(document(&pair, 0, &args)["equal"], true);
}

/// A table with more differences than it may have is repaired as far as it was compared.
#[tokio::test]
async fn what_was_not_compared_is_said() {
    let pair = three(ServerKind::MariaDb1011, "").await;
    let args = [
        "--keep",
        "a",
        "--yes",
        "--tables",
        "shop.ours",
        "--max-rows",
        "2",
    ];
    let done = document(&pair, 1, &args);
    assert_eq!(done["left"], 0, "{done:#}");
    assert_eq!(done["equal"], false);
    let again = document(&pair, 0, &args);
    assert_eq!(again["equal"], true, "{again:#}");
}

/// What a trigger writes would be on one node alone: an entry is left open, and a decision about it is a write like any.
#[tokio::test]
async fn triggers_are_left_to_a_person() {
    let pair = three(ServerKind::MySql97, "").await;
    pair.exec(
        "a",
        &[
            "CREATE TABLE shop.log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20))",
            "CREATE TRIGGER shop.noted AFTER UPDATE ON shop.ours FOR EACH ROW INSERT INTO shop.log (what) VALUES (NEW.v)",
        ],
    )
    .await;
    let sql = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_NAME = 'noted'";
    wait_for(&pair, sql, "1").await;
    let args = ["--keep", "a", "--yes", "--tables", "shop.ours"];
    let done = document(&pair, 1, &args);
    assert_eq!(outcomes(&done), [("left".to_owned(), 3)].into());
    for row in done["rows"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        let resolved = pair
            .twinlog
            .run(&["conflicts", "resolve", id, "--keep", "a", "--yes"]);
        resolved.expect_code(0);
    }
    wait_until(DEADLINE, "both nodes are equal", async || {
        (verify(&pair, &["--tables=shop.ours", "--tables=shop.log"]).code == Some(0)).then_some(())
    })
    .await;
    wait_for(&pair, "SELECT COUNT(*) FROM shop.log", "1").await;
}
