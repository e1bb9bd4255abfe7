//! Nodes that are written to all the time are not taken for restored ones: what one has and the other seems to lack is only
//! a matter of who was asked first.

use twinlog_testbed::ServerKind;

use super::load::Load;
use crate::support::Pair;

const LOOKS: usize = 20;

async fn none_under_load(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
    ])
    .await;
    b.wait_for_rows("SELECT COUNT(*) FROM shop.t", &vec![vec!["0".into()]])
        .await;
    let write = |number: u64| vec![format!("INSERT INTO shop.t (v) VALUES ({number})")];
    let loads = [Load::start(a, write), Load::start(b, write)];
    for _ in 0..LOOKS {
        pair.twinlog.run(&["plan"]).expect_code(0);
        for args in [&["status"], &["doctor"]] {
            let said = pair.twinlog.run(args);
            for word in ["has lost", "TL117"] {
                assert!(!said.stdout.contains(word), "{}", said.stdout);
            }
        }
        pair.twinlog.run(&["run", "--once"]).expect_code(0);
    }
    for load in loads {
        assert!(load.stop().await > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql_9_7() {
    none_under_load(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_10_11() {
    none_under_load(ServerKind::MariaDb1011).await;
}
