//! What the agent may do on each server, and what it may not; and what `up` gives a pair of an older twinlog.

use std::fs;

use mysql_async::OptsBuilder;
use twinlog_testbed::{ServerKind, wait_until};

use crate::support::{DEADLINE, Db, Pair};

/// Accounts and tables of a pair that was made before there was an agent.
const OLD_GRANTS: &str = "GRANT PROCESS, REPLICATION CLIENT ON *.* TO twinlog@'%'";
const OWN_TABLES: &str =
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'twinlog' ORDER BY 1";

/// SQL to a node as the agent, over its socket.
fn agent(pair: &Pair, node: &str) -> Db {
    let secret = fs::read_to_string(pair.dir.join("data/secrets/agent")).unwrap();
    Db::new(
        &format!("{node} as the agent"),
        OptsBuilder::default()
            .socket(pair.node_dir(node).join("mysqld.sock").to_str())
            .user(Some("twinlog"))
            .pass(Some(secret.trim())),
    )
}

fn pair_of_shop(kind: ServerKind) -> Pair {
    let pair = Pair::new(kind, "");
    let text = fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    pair.twinlog.write(
        "twinlog.toml",
        &format!("databases = [\"my_shop\"]\n{text}"),
    );
    pair.up();
    pair
}

async fn watches_and_repairs(kind: ServerKind) {
    let pair = pair_of_shop(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE my_shop",
        "CREATE TABLE my_shop.stock (id INT PRIMARY KEY, n INT)",
        "INSERT INTO my_shop.stock VALUES (1, 1)",
        "CREATE DATABASE myxshop",
        "CREATE TABLE myxshop.secret (id INT PRIMARY KEY)",
    ])
    .await;
    let one = vec![vec!["1".to_owned()]];
    b.wait_for_rows("SELECT n FROM my_shop.stock", &one).await;
    may_repair(kind, &pair, &a).await;
    // What the agent writes into its own tables crosses, filter or not.
    b.wait_for_rows("SELECT COUNT(*) FROM twinlog.conflict", &one)
        .await;
    b.wait_for_rows("SELECT n FROM my_shop.stock", &vec![vec!["2".into()]])
        .await;
    may_not_more(&pair, kind).await;
    needs_each(&pair, kind).await;
}

async fn may_repair(kind: ServerKind, pair: &Pair, a: &Db) {
    let (replica, mode) = match kind {
        ServerKind::MySql97 => ("REPLICA", "replica_exec_mode"),
        _ => ("SLAVE", "slave_exec_mode"),
    };
    let link = |what: &str| format!("{what} {replica}");
    let set = |value: &str| format!("SET GLOBAL {mode} = '{value}'");
    a.run(&["SET GLOBAL read_only = ON"]).await;
    let agent = agent(pair, "a");
    agent
        .run(&[
            &link("STOP"),
            &set("STRICT"),
            &set("IDEMPOTENT"),
            &link("START"),
            "SELECT GET_LOCK('twinlog.agent', 0)",
            "BEGIN",
            "SELECT n FROM my_shop.stock WHERE id = 1 FOR UPDATE",
            "UPDATE my_shop.stock SET n = 2 WHERE id = 1",
            "INSERT INTO my_shop.stock VALUES (2, 2)",
            "DELETE FROM my_shop.stock WHERE id = 2",
            "INSERT INTO twinlog.conflict (id, found_at, schema_name, table_name, row_key, kind, state, policy, rule, detail) \
             VALUES ('abcdefghjkmn', UTC_TIMESTAMP(6), 'my_shop', 'stock', '1', 'conflict', 'repaired', 'last-write-wins', 'x', '{}')",
            "COMMIT",
            "REPLACE INTO twinlog.checkpoint (settled, written_at, detail) VALUES ('', UTC_TIMESTAMP(6), '{}')",
            "SELECT IS_USED_LOCK('twinlog.agent')",
            "SHOW BINLOG EVENTS LIMIT 1",
            "SHOW CREATE TABLE my_shop.stock",
        ])
        .await;
    a.run(&["SET GLOBAL read_only = OFF"]).await;
    wait_until(DEADLINE, "the link runs again", async || {
        (a.link("Slave_SQL_Running", "Replica_SQL_Running").await == "Yes").then_some(())
    })
    .await;
}

async fn may_not_more(pair: &Pair, kind: ServerKind) {
    let agent = agent(pair, "a");
    for sql in [
        "INSERT INTO myxshop.secret VALUES (1)",
        "SELECT * FROM myxshop.secret",
        "SELECT * FROM mysql.user",
        "UPDATE mysql.db SET Select_priv = 'Y'",
        "DROP TABLE my_shop.stock",
        "CREATE TABLE my_shop.more (id INT)",
        "GRANT SELECT ON mysql.* TO twinlog@'%'",
        "CREATE USER x@'%'",
        "FLUSH LOGS",
        "SHUTDOWN",
    ] {
        let refused = agent.try_rows(sql).await;
        assert!(refused.is_err(), "{kind}: the agent may {sql}");
    }
}

/// Nothing is granted that the agent could do without.
async fn needs_each(pair: &Pair, kind: ServerKind) {
    let root = pair.db("a");
    let agent = agent(pair, "a");
    root.run(&["SET GLOBAL read_only = ON"]).await;
    let write = "UPDATE my_shop.stock SET n = 3";
    let needs: &[(&str, &[&str])] = match kind {
        ServerKind::MySql97 => &[
            ("REPLICATION_SLAVE_ADMIN", &["STOP REPLICA"]),
            (
                "SYSTEM_VARIABLES_ADMIN",
                &["SET GLOBAL replica_exec_mode = 'STRICT'"],
            ),
            ("CONNECTION_ADMIN", &[write]),
            ("REPLICATION SLAVE", &["SHOW BINLOG EVENTS LIMIT 1"]),
        ],
        ServerKind::MySql56 => &[
            (
                "SUPER",
                &["STOP SLAVE", "SET GLOBAL slave_exec_mode = 'STRICT'", write],
            ),
            ("REPLICATION SLAVE", &["SHOW BINLOG EVENTS LIMIT 1"]),
        ],
        ServerKind::MariaDb1011 | ServerKind::MariaDb118 => &[
            (
                "REPLICATION SLAVE ADMIN",
                &["STOP SLAVE", "SET GLOBAL slave_exec_mode = 'STRICT'"],
            ),
            ("READ_ONLY ADMIN", &[write]),
            ("BINLOG MONITOR", &["SHOW BINLOG EVENTS LIMIT 1"]),
        ],
    };
    for (privilege, statements) in needs {
        root.run(&[
            "SET sql_log_bin = 0",
            &format!("REVOKE {privilege} ON *.* FROM twinlog@'%'"),
        ])
        .await;
        for sql in *statements {
            let done = agent.try_rows(sql).await;
            assert!(
                done.is_err(),
                "{kind}: without {privilege} the agent may {sql}"
            );
        }
    }
    root.run(&["SET GLOBAL read_only = OFF"]).await;
}

#[tokio::test]
async fn mysql_9_7() {
    watches_and_repairs(ServerKind::MySql97).await;
}

#[tokio::test]
async fn mysql_5_6() {
    watches_and_repairs(ServerKind::MySql56).await;
}

#[tokio::test]
async fn mariadb_10_11() {
    watches_and_repairs(ServerKind::MariaDb1011).await;
}

#[tokio::test]
async fn mariadb_11_8() {
    watches_and_repairs(ServerKind::MariaDb118).await;
}

/// Tables and privileges that came later are given to a pair that was made before, outside both logs.
async fn older_pair(kind: ServerKind) {
    let pair = Pair::proven(kind);
    for db in pair.both() {
        db.run(&[
            "SET sql_log_bin = 0",
            "DROP TABLE twinlog.conflict, twinlog.checkpoint",
            "REVOKE ALL PRIVILEGES, GRANT OPTION FROM twinlog@'%'",
            OLD_GRANTS,
            "GRANT ALL ON twinlog.* TO twinlog@'%'",
        ])
        .await;
    }
    let plan = pair.twinlog.run(&["plan"]);
    let plan = plan.expect_code(0);
    for text in [
        "make twinlog's accounts and tables",
        "`twinlog`.`conflict`",
        "REPLICATION SLAVE",
    ] {
        assert!(plan.contains(text), "no {text}:\n{plan}");
    }
    assert!(!plan.contains("restart"), "{plan}");
    let found = pair.twinlog.run(&["doctor"]);
    assert!(found.stdout.contains("TL201"), "{}", found.stdout);
    pair.up();
    for db in pair.both() {
        let names: Vec<String> = db.rows(OWN_TABLES).await.into_iter().flatten().collect();
        assert_eq!(names, ["canary", "checkpoint", "conflict", "node"]);
        let logged = db.rows("SHOW BINARY LOGS").await;
        let last = &logged.last().unwrap()[0];
        let events = db.rows(&format!("SHOW BINLOG EVENTS IN '{last}'")).await;
        let made = events
            .iter()
            .flatten()
            .any(|text| text.contains("`conflict`") || text.contains("GRANT"));
        assert!(!made, "{events:?}");
    }
    assert!(pair.up().stderr.ends_with("nothing was missing\n"));
}

#[tokio::test]
async fn an_older_pair_on_mysql_9_7() {
    older_pair(ServerKind::MySql97).await;
}

#[tokio::test]
async fn an_older_pair_on_mysql_5_6() {
    older_pair(ServerKind::MySql56).await;
}

#[tokio::test]
async fn an_older_pair_on_mariadb_10_11() {
    older_pair(ServerKind::MariaDb1011).await;
}
