//! Appliers that stop at what does not fit: with a policy the agent lets them go on, without one a person must.

use twinlog_testbed::{ServerKind, wait_until};

use super::kit::{contents, count, equal, finds_nothing, history, links};
use crate::support::{DEADLINE, Pair, assert_fails};

const TABLES: [&str; 3] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, u INT UNIQUE, v VARCHAR(20))",
    "INSERT INTO shop.t VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 3, 'x')",
];
/// What each node cannot apply of the other's: a row that is there, a value that is there, a row that is not there; and
/// what it can.
const ON_A: [&str; 5] = [
    "INSERT INTO shop.t VALUES (9, 9, 'a')",
    "INSERT INTO shop.t VALUES (5, 55, 'a')",
    "UPDATE shop.t SET v = 'a' WHERE id = 1",
    "DELETE FROM shop.t WHERE id = 2",
    "INSERT INTO shop.t VALUES (20, 20, 'a alone')",
];
const ON_B: [&str; 5] = [
    "INSERT INTO shop.t VALUES (9, 90, 'b')",
    "INSERT INTO shop.t VALUES (6, 55, 'b')",
    "DELETE FROM shop.t WHERE id = 1",
    "UPDATE shop.t SET v = 'b' WHERE id = 2",
    "INSERT INTO shop.t VALUES (30, 30, 'b alone')",
];

/// The links have stopped, each at a change that it cannot make.
async fn stopped(pair: &Pair, kind: ServerKind) {
    let [a, b] = pair.both();
    a.run(&TABLES).await;
    b.wait_for_rows("SELECT COUNT(*) FROM shop.t", &vec![vec!["3".into()]])
        .await;
    links(pair, kind, "STOP").await;
    a.run(&ON_A).await;
    // Seconds decide where the log has no microseconds.
    let mut script = vec!["SET timestamp = UNIX_TIMESTAMP() + 2"];
    script.extend(ON_B);
    b.run(&script).await;
    links(pair, kind, "START").await;
    for db in [&a, &b] {
        wait_until(DEADLINE, "the applier's stop", async || {
            (db.link("Last_SQL_Errno", "Last_SQL_Errno").await == "1062").then_some(())
        })
        .await;
    }
}

async fn modes(pair: &Pair, kind: ServerKind) -> Vec<String> {
    let name = if kind == ServerKind::MySql97 {
        "replica_exec_mode"
    } else {
        "slave_exec_mode"
    };
    let mut modes = Vec::new();
    for db in pair.both() {
        modes.extend(db.rows(&format!("SELECT @@GLOBAL.{name}")).await.remove(0));
    }
    modes
}

async fn go_on_by_policy(kind: ServerKind) {
    let pair = Pair::proven(kind);
    for db in pair.both() {
        let name = if kind == ServerKind::MySql97 {
            "replica_exec_mode"
        } else {
            "slave_exec_mode"
        };
        db.run(&[&format!("SET GLOBAL {name} = 'STRICT'")]).await;
    }
    stopped(&pair, kind).await;
    let output = pair.twinlog.run(&["run", "--once", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(output.expect_code(0)).unwrap();
    for part in ["stopped at error 1062: ", "letting the change pass"] {
        assert!(
            output.stderr.contains(part),
            "no {part}:\n{}",
            output.stderr
        );
    }
    assert!(count(&summary, "repaired") >= 3, "{summary:#}");
    let content = equal(&pair).await;
    let rows: Vec<String> = content["shop.t"].iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        rows,
        [
            "2 2 b",
            "20 20 a alone",
            "3 3 x",
            "30 30 b alone",
            "6 55 b",
            "9 90 b"
        ]
    );
    let told: String = history(&pair).await.concat().concat();
    for value in ["\"a\"", "\"b\""] {
        assert!(told.contains(value), "{value}: {told}");
    }
    // As a person had set it.
    assert_eq!(modes(&pair, kind).await, ["STRICT"; 2]);
    for db in pair.both() {
        assert_eq!(
            db.link("Slave_SQL_Running", "Replica_SQL_Running").await,
            "Yes"
        );
    }
    finds_nothing(&pair, kind).await;
}

#[tokio::test]
async fn go_on_by_policy_on_mysql_9_7() {
    go_on_by_policy(ServerKind::MySql97).await;
}

#[tokio::test]
async fn go_on_by_policy_on_mariadb_10_11() {
    go_on_by_policy(ServerKind::MariaDb1011).await;
}

#[tokio::test]
async fn stay_stopped_where_a_person_decides() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::new(kind, "[conflicts]\npolicy = \"manual\"\n");
    pair.up();
    stopped(&pair, kind).await;
    let before = contents(&pair).await;
    let output = pair.twinlog.run(&["run", "--once"]);
    assert_fails(
        &output,
        1,
        &["does not run", "error 1062", "twinlog status"],
    );
    assert_eq!(contents(&pair).await, before);
    assert_eq!(modes(&pair, kind).await, ["STRICT"; 2]);
    for db in pair.both() {
        assert_eq!(db.link("Last_SQL_Errno", "Last_SQL_Errno").await, "1062");
    }
}
