//! How the applier takes conflicts follows the policy, and changes with it while both servers and links run.

use twinlog_testbed::ServerKind;

use crate::support::{Pair, walk};

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
