//! Every policy, by the tables' patterns in `twinlog.toml`.

use twinlog_testbed::ServerKind;

use super::kit::{contents, count, drained, history, links, run_once};
use crate::support::{Db, Pair, Rows};

const POLICIES: &str = r#"
[conflicts]
policy = "last-write-wins"
[[conflicts.tables]]
match = "shop.first_*"
policy = "first-write-wins"
[[conflicts.tables]]
match = "shop.of_a"
policy = "prefer:a"
[[conflicts.tables]]
match = "shop.of_b"
policy = "prefer:b"
[[conflicts.tables]]
match = "shop.sum*"
policy = "merge"
counters = ["n"]
[[conflicts.tables]]
match = "*.by_hand"
policy = "manual"
"#;

const TABLES: [&str; 7] = [
    "last",
    "first_one",
    "of_a",
    "of_b",
    "sums",
    "by_hand",
    "first",
];

/// Changes of the rows of all tables: 1 and 2 are written in both columns, 3 by each node in another one.
async fn write(db: &Db, row: u32, text: &str, add: u32, later_s: u32) {
    let mut script = vec![
        format!("SET timestamp = UNIX_TIMESTAMP() + {later_s}"),
        "USE shop".to_owned(),
    ];
    for table in TABLES {
        script.push(format!(
            "UPDATE {table} SET v = '{text}', n = n + {add} WHERE id = {row}"
        ));
        let column = if text.contains('a') { "x" } else { "y" };
        script.push(format!(
            "UPDATE {table} SET {column} = '{text}' WHERE id = 3"
        ));
    }
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    db.run(&script).await;
}

/// A table's rows as they must be.
fn rows(rows: [&str; 3]) -> Rows {
    let row = |row: &str| row.split(' ').map(str::to_owned).collect();
    rows.map(row).to_vec()
}

async fn are_kept(kind: ServerKind) {
    let pair = Pair::new(kind, POLICIES);
    pair.up();
    let [a, b] = pair.both();
    a.run(&["CREATE DATABASE shop"]).await;
    for table in TABLES {
        let create = format!(
            "CREATE TABLE shop.{table} (id INT PRIMARY KEY, v VARCHAR(9), n INT, x VARCHAR(9), y VARCHAR(9))"
        );
        let insert = format!(
            "INSERT INTO shop.{table} VALUES (1, '-', 10, '-', '-'), (2, '-', 10, '-', '-'), (3, '-', 10, '-', '-')"
        );
        a.run(&[&create, &insert]).await;
    }
    drained(&pair, kind).await;
    links(&pair, kind, "STOP").await;
    write(&a, 1, "a1", 1, 0).await;
    write(&b, 2, "b2", 2, 2).await;
    write(&a, 2, "a2", 4, 4).await;
    write(&b, 1, "b1", 8, 6).await;
    links(&pair, kind, "START").await;

    // What waits for a person is no success.
    let once = pair.twinlog.run(&["run", "--once"]);
    let told = once.expect_code(1);
    assert!(told.contains("18 repaired, 3 open"), "{told}");
    let [on_a, on_b] = contents(&pair).await;
    let last = rows(["1 b1 18 - -", "2 a2 14 - -", "3 - 10 - b1"]);
    for (table, expected) in [
        ("last", &last),
        ("first", &last),
        (
            "first_one",
            &rows(["1 a1 11 - -", "2 b2 12 - -", "3 - 10 a2 -"]),
        ),
        ("of_a", &rows(["1 a1 11 - -", "2 a2 14 - -", "3 - 10 a2 -"])),
        ("of_b", &rows(["1 b1 18 - -", "2 b2 12 - -", "3 - 10 - b1"])),
        (
            "sums",
            &rows(["1 b1 19 - -", "2 a2 16 - -", "3 - 10 a2 b1"]),
        ),
    ] {
        let table = format!("shop.{table}");
        assert_eq!(on_a[&table], *expected, "{table}");
        assert_eq!(on_b[&table], *expected, "{table}");
    }
    // Each node goes on with what the other wrote.
    assert_eq!(
        on_a["shop.by_hand"],
        rows(["1 b1 18 - -", "2 b2 12 - -", "3 - 10 - b1"])
    );
    assert_eq!(
        on_b["shop.by_hand"],
        rows(["1 a1 11 - -", "2 a2 14 - -", "3 - 10 a2 -"])
    );

    for (table, policy, rule) in [
        ("last", "last-write-wins", "the later commit: b"),
        ("first_one", "first-write-wins", "the earlier commit: a"),
        ("of_a", "prefer:a", "a is preferred"),
        ("of_b", "prefer:b", "b is preferred"),
        (
            "sums",
            "merge",
            "merged column by column: n (both changes added)",
        ),
        ("by_hand", "manual", "manual: it waits for a person"),
    ] {
        let list = format!(
            "SELECT policy, rule FROM twinlog.conflict WHERE table_name = '{table}' AND row_key = 'id=1' \
             AND state = '{}'",
            if policy == "manual" {
                "open"
            } else {
                "repaired"
            }
        );
        let told = a.rows(&list).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0][0], policy);
        assert!(told[0][1].starts_with(rule), "{told:?}");
    }
    // What waits goes on waiting, and is not told again.
    let before = history(&pair).await;
    let again = run_once(&pair);
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(count(&again, "conflicts"), 0, "{again:#}");
    assert_eq!(contents(&pair).await, [on_a, on_b]);
    assert_eq!(history(&pair).await, before);
}

#[tokio::test]
async fn are_kept_on_mysql_9_7() {
    are_kept(ServerKind::MySql97).await;
}

#[tokio::test]
async fn are_kept_on_mariadb_10_11() {
    are_kept(ServerKind::MariaDb1011).await;
}
