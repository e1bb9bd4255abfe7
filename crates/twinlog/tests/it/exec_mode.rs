//! How the applier takes conflicts follows the policy, and changes with it while both servers and links run.

use twinlog_testbed::{ServerKind, wait_until};

use crate::support::{DEADLINE, Pair, walk};

const MANUAL: &str = "[conflicts]\npolicy = \"manual\"\n";

async fn follows_the_policy(kind: ServerKind) {
    let name = if kind == ServerKind::MySql97 {
        "replica_exec_mode"
    } else {
        "slave_exec_mode"
    };
    let mode = format!("SELECT @@GLOBAL.{name}");
    let says = |value: &str| vec![vec![value.to_owned()]];
    let pair = Pair::proven(kind);
    walk(&pair.both()).await;
    let pids = ["a", "b"].map(|node| pair.pid(node));
    for db in pair.both() {
        assert_eq!(db.rows(&mode).await, says("IDEMPOTENT"));
    }

    pair.configure(kind, MANUAL);
    let plan = pair.twinlog.run(&["plan"]);
    let plan = plan.expect_code(0);
    for text in [
        &format!("SET GLOBAL {name} = 'STRICT'"),
        "policy \"manual\"",
    ] {
        assert!(plan.contains(text), "no {text}:\n{plan}");
    }
    for text in ["restart", "STOP"] {
        assert!(!plan.contains(text), "{text}:\n{plan}");
    }
    pair.up();
    for db in pair.both() {
        assert_eq!(db.rows(&mode).await, says("STRICT"));
    }
    assert_eq!(["a", "b"].map(|node| pair.pid(node)), pids);
    assert!(pair.up().stderr.ends_with("nothing was missing\n"));

    // What the option file says holds after a restart, too.
    pair.twinlog.run(&["down"]).expect_code(0);
    pair.up();
    for db in pair.both() {
        assert_eq!(db.rows(&mode).await, says("STRICT"));
    }
    assert!(pair.up().stderr.ends_with("nothing was missing\n"));
}

#[tokio::test]
async fn on_mysql_9_7() {
    follows_the_policy(ServerKind::MySql97).await;
}

#[tokio::test]
async fn on_mysql_5_6() {
    follows_the_policy(ServerKind::MySql56).await;
}

#[tokio::test]
async fn on_mariadb_10_11() {
    follows_the_policy(ServerKind::MariaDb1011).await;
}

/// Both nodes make a table of one name: whatever the policy, no server may lose its rows over the other's.
#[tokio::test]
async fn no_table_is_replaced_on_mariadb() {
    let pair = Pair::proven(ServerKind::MariaDb1011);
    pair.exec("a", &["CREATE DATABASE shop"]).await;
    let [a, b] = pair.both();
    b.wait_for_rows("SHOW DATABASES LIKE 'shop'", &vec![vec!["shop".into()]])
        .await;
    for db in [&a, &b] {
        db.run(&["STOP SLAVE"]).await;
    }
    for (db, columns) in [(&a, "id INT PRIMARY KEY"), (&b, "name CHAR(9) PRIMARY KEY")] {
        let create = format!("CREATE TABLE shop.t ({columns})");
        db.run(&[&create, "INSERT INTO shop.t VALUES (7)"]).await;
    }
    for db in [&a, &b] {
        db.run(&["START SLAVE"]).await;
    }
    for db in [&a, &b] {
        wait_until(
            DEADLINE,
            "the link says that the table exists",
            async || (db.link("Last_SQL_Errno", "Last_SQL_Errno").await == "1050").then_some(()),
        )
        .await;
        assert_eq!(
            db.rows("SELECT * FROM shop.t").await,
            vec![vec!["7".to_owned()]]
        );
    }
}
