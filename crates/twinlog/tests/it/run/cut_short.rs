//! `run --once` that is stopped before all is settled says so, to people and to scripts.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twinlog_testbed::ServerKind;

use super::kit::{drained, equal, links, settles};
use crate::support::Pair;

#[tokio::test]
async fn it_is_not_done() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO shop.t VALUES (1, 0)",
    ])
    .await;
    drained(&pair, kind).await;
    links(&pair, kind, "STOP").await;
    a.run(&["UPDATE shop.t SET v = 1"]).await;
    b.run(&["UPDATE shop.t SET v = 2"]).await;
    links(&pair, kind, "START").await;
    drained(&pair, kind).await;
    // Clients hold the row: it cannot be repaired.
    let mut clients = Vec::new();
    for db in [&a, &b] {
        let mut conn = db.conn().await.unwrap();
        for sql in ["BEGIN", "SELECT v FROM shop.t FOR UPDATE"] {
            mysql_async::prelude::Queryable::query_drop(&mut conn, sql)
                .await
                .unwrap();
        }
        clients.push(conn);
    }
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut once = pair.twinlog.spawn(&["run", "--once", "--json"]);
        once.wait_for_line("reading the log of");
        once.wait_for_line("reading the log of");
        kill(Pid::from_raw(once.pid().cast_signed()), signal).unwrap();
        let output = once.wait();
        assert_eq!(output.expect_code(code), "");
        assert!(
            output.stderr.contains("stopped before all was settled"),
            "{}",
            output.stderr
        );
    }
    for conn in clients {
        conn.disconnect().await.unwrap();
    }
    settles(&pair);
    equal(&pair).await;
}
