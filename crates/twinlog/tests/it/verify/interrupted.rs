//! Ctrl-C: what runs on the servers ends with the program.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use twinlog_testbed::{Running, ServerKind, wait_until};

use super::filled;
use crate::support::{DEADLINE, Db, Pair};

/// The statement that a client asked for last took minutes; this is soon.
const SOON: Duration = Duration::from_secs(10);
const ASLEEP: &str = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(60)%' AND ID <> CONNECTION_ID()";
const CONNECTED: &str =
    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'twinlog'";

async fn until_zero(db: &Db, sql: &str) {
    let none = vec![vec!["0".to_owned()]];
    wait_until(SOON, sql, async || {
        (db.try_rows(sql).await.ok()? == none).then_some(())
    })
    .await;
}

/// Waits until both nodes are at a statement that takes minutes.
async fn asleep(pair: &Pair) {
    for db in pair.both() {
        wait_until(DEADLINE, "a statement that takes long", async || {
            let rows = db.try_rows(ASLEEP).await.ok()?;
            (rows[0][0] != "0").then_some(())
        })
        .await;
    }
}

pub(super) fn send(running: &Running, signal: Signal) {
    kill(Pid::from_raw(running.pid().cast_signed()), signal).unwrap();
}

async fn ends(kind: ServerKind) {
    let pair = filled(kind).await;
    let args = [
        "verify",
        "--tables=shop.bag",
        "--tables=shop.plain",
        "--where=SLEEP(60) = 0",
    ];
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let running = pair.twinlog.spawn(&args);
        asleep(&pair).await;
        send(&running, signal);
        let output = running.wait();
        output.expect_code(code);
        assert_eq!(
            output.stderr,
            "interrupted: the same `twinlog verify` goes on where this one stopped\n"
        );
        assert_eq!(output.stdout, "");
        for db in pair.both() {
            until_zero(&db, ASLEEP).await;
            until_zero(&db, CONNECTED).await;
        }
    }
    // A repair compares in the same way.
    let running = pair.twinlog.spawn(&[
        "repair",
        "--keep=a",
        "--dry-run",
        "--tables=shop.bag",
        "--where=SLEEP(60) = 0",
    ]);
    asleep(&pair).await;
    send(&running, Signal::SIGINT);
    running.wait().expect_code(130);
    for db in pair.both() {
        until_zero(&db, CONNECTED).await;
    }
}

#[tokio::test]
async fn nothing_is_left_on_mysql_9_7() {
    ends(ServerKind::MySql97).await;
}

#[tokio::test]
async fn nothing_is_left_on_mysql_5_6() {
    ends(ServerKind::MySql56).await;
}

#[tokio::test]
async fn nothing_is_left_on_mariadb() {
    ends(ServerKind::MariaDb1011).await;
}
