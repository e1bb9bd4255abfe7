//! What the tests of `twinlog run` share.

use std::collections::BTreeMap;

use serde_json::Value;
use twinlog_testbed::{Output, ServerKind, wait_until};

use crate::support::{DEADLINE, Db, Pair, Rows};

/// What the clients' tables hold, by `database.table`, the rows in order.
pub(super) type Content = BTreeMap<String, Rows>;

/// One number of `run --once --json`, by name.
pub(super) fn count(summary: &Value, name: &str) -> u64 {
    let number = summary[name].as_u64();
    number.unwrap_or_else(|| panic!("no {name}: {summary:#}"))
}

/// Stops or starts both links.
pub(super) async fn links(pair: &Pair, kind: ServerKind, verb: &str) {
    for node in ["a", "b"] {
        pair.exec(node, &[&format!("{verb} {}", replica(kind))])
            .await;
    }
}

/// The word for a link in its statements.
pub(super) fn replica(kind: ServerKind) -> &'static str {
    if kind == ServerKind::MySql97 {
        "REPLICA"
    } else {
        "SLAVE"
    }
}

/// `twinlog run --once --json`.
pub(super) fn run_once(pair: &Pair) -> Output {
    pair.twinlog.run(&["run", "--once", "--json"])
}

/// `twinlog run --once`, which must settle everything: what it did.
#[track_caller]
pub(super) fn settles(pair: &Pair) -> Value {
    let output = run_once(pair);
    serde_json::from_str(output.expect_code(0)).unwrap()
}

/// `twinlog run --once` finds nothing and writes nothing: neither log is longer than before.
pub(super) async fn finds_nothing(pair: &Pair, kind: ServerKind) {
    drained(pair, kind).await;
    let before = logged(pair, kind).await;
    let summary = settles(pair);
    for name in ["conflicts", "divergences", "repaired", "open", "to_verify"] {
        assert_eq!(count(&summary, name), 0, "{summary:#}");
    }
    assert_eq!(logged(pair, kind).await, before);
}

/// What each node's log has.
pub(super) async fn logged(pair: &Pair, kind: ServerKind) -> [String; 2] {
    let sql = if kind.is_mariadb() {
        "SELECT @@gtid_binlog_state"
    } else {
        "SELECT @@GLOBAL.gtid_executed"
    };
    let [a, b] = pair.both();
    let (a, b) = futures_util::future::join(a.rows(sql), b.rows(sql)).await;
    [a, b].map(|mut rows| rows.remove(0).remove(0))
}

/// Waits until each node has executed all that the other has committed by now.
pub(super) async fn drained(pair: &Pair, kind: ServerKind) {
    let [a, b] = pair.both();
    for (of, on) in [(&a, &b), (&b, &a)] {
        if !kind.is_mariadb() {
            let written = of.rows("SELECT @@GLOBAL.gtid_executed").await.remove(0);
            let sql = format!(
                "SELECT GTID_SUBSET('{}', @@GLOBAL.gtid_executed)",
                written[0]
            );
            on.wait_for_rows(&sql, &vec![vec!["1".into()]]).await;
            continue;
        }
        let sql = "SELECT CONCAT(@@gtid_domain_id, '-'), @@gtid_binlog_pos";
        let written = of.rows(sql).await.remove(0);
        let number = |positions: &str| -> u64 {
            let own = positions
                .split(',')
                .find(|gtid| gtid.starts_with(&written[0]));
            own.and_then(|gtid| gtid.rsplit('-').next()?.parse().ok())
                .unwrap_or_default()
        };
        wait_until(DEADLINE, "the peer has executed all", async || {
            let applied = on.try_rows("SELECT @@gtid_slave_pos").await.ok()?.remove(0);
            (number(&applied[0]) >= number(&written[1])).then_some(())
        })
        .await;
    }
}

/// The clients' tables of both nodes.
pub(super) async fn contents(pair: &Pair) -> [Content; 2] {
    let [a, b] = pair.both();
    let (a, b) = futures_util::future::join(content(&a), content(&b)).await;
    [a, b]
}

/// The clients' tables of a node.
pub(super) async fn content(db: &Db) -> Content {
    let tables = db
        .rows(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND \
             TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'twinlog')",
        )
        .await;
    let mut content = Content::new();
    for table in tables {
        // `*` has no hidden columns.
        let columns = format!(
            "SELECT GROUP_CONCAT('`', COLUMN_NAME, '`' ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = '{}' AND TABLE_NAME = '{}'",
            table[0], table[1]
        );
        let columns = db.rows(&columns).await.remove(0).remove(0);
        let sql = format!("SELECT {columns} FROM `{}`.`{}`", table[0], table[1]);
        let mut rows = db.rows(&sql).await;
        rows.sort();
        content.insert(table.join("."), rows);
    }
    content
}

/// Both nodes hold the same now; what that is.
pub(super) async fn equal(pair: &Pair) -> Content {
    let [a, b] = contents(pair).await;
    let differ: Vec<String> = a
        .iter()
        .filter(|(table, rows)| b.get(*table) != Some(*rows))
        .map(|(table, rows)| format!("{table}\n  a {rows:?}\n  b {:?}", b.get(table)))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert_eq!(a.len(), b.len(), "a table is on b alone: {b:?}");
    a
}

/// The history, the same on both nodes: table, key, kind, state, what was chosen, and every version.
pub(super) async fn history(pair: &Pair) -> Rows {
    crate::support::same_rows(
        &pair.both(),
        "SELECT CONCAT(schema_name, '.', table_name), row_key, kind, state, COALESCE(chosen, '-'), detail, rule \
         FROM twinlog.conflict ORDER BY 1, 2, found_at, id",
    )
    .await
}
