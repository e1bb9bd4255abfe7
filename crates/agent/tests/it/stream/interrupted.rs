//! Connections end, and nothing is lost or read twice.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use twinlog_testbed::{ServerKind, wait_until};

use super::support::{
    DEADLINE, Reading, dumps, from_here, insert, kill_dumps, logged, numbers, on_each_server,
    options, start,
};

on_each_server!(
    killed_again_and_again,
    a_server_that_restarts,
    a_consumer_that_stalls
);

async fn killed_again_and_again(kind: ServerKind) {
    let server = Arc::new(start(kind, &[]).await);
    let mut reading = Reading::begin(from_here(&server, logged(&server).await));
    let written = Arc::new(AtomicBool::new(false));
    let killer = tokio::spawn({
        let (server, written) = (Arc::clone(&server), Arc::clone(&written));
        async move {
            while !written.load(Ordering::Relaxed) {
                kill_dumps(&server).await;
            }
        }
    });
    let writer = tokio::spawn({
        let (server, written) = (Arc::clone(&server), Arc::clone(&written));
        async move {
            insert(&server, 0..300, 1000).await;
            written.store(true, Ordering::Relaxed);
        }
    });
    reading
        .until("all rows", |reading| reading.ids.len() == 300)
        .await;
    writer.await.expect("written");
    killer.await.expect("killed");
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(0..300));
    assert!(!reading.causes.is_empty());
}

async fn a_server_that_restarts(kind: ServerKind) {
    let mut server = start(kind, &[]).await;
    let mut reading = Reading::begin(from_here(&server, logged(&server).await));
    insert(&server, 0..5, 10).await;
    reading
        .until("five rows", |reading| reading.ids.len() == 5)
        .await;
    // In order, and as in a power cut.
    server.restart(&options(kind, &[])).await;
    insert(&server, 5..10, 10).await;
    reading
        .until("ten rows", |reading| reading.ids.len() == 10)
        .await;
    insert(&server, 10..12, 10).await;
    server.kill();
    reading
        .until("an attempt", |reading| reading.causes.len() > 2)
        .await;
    server.restart(&options(kind, &[])).await;
    insert(&server, 12..15, 10).await;
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(0..15));
}

/// The reader stops reading when what is out reaches its bound, whatever the server thinks of that, and goes on after.
async fn a_consumer_that_stalls(kind: ServerKind) {
    const ROWS: u32 = 200;
    // The reader asks for more patience than that.
    let server = start(kind, &["max-allowed-packet = 16M", "net-write-timeout = 1"]).await;
    let mut options = from_here(&server, logged(&server).await);
    options.in_flight_bytes_max = 3 << 20;
    let mut reading = Reading::begin(options);
    reading.kept = Some(Vec::new());
    // Far more than the sockets between hold.
    insert(&server, 0..ROWS, 200_000).await;
    reading
        .until("what may be out", |reading| reading.ids.len() == 15)
        .await;
    let more = tokio::time::timeout(
        Duration::from_secs(3),
        reading.until("more", |reading| reading.ids.len() > 15),
    );
    assert!(
        more.await.is_err(),
        "more than {} is out",
        reading.ids.len()
    );
    assert_eq!(dumps(&server).await.len(), 1);
    // While nobody reads, the server ends the connection.
    kill_dumps(&server).await;
    wait_until(DEADLINE, "the dump's end", async || {
        dumps(&server).await.is_empty().then_some(())
    })
    .await;
    reading.kept = None;
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(0..ROWS));
}

/// A server that hangs is noticed by its silence.
#[tokio::test]
async fn no_heartbeat() {
    for kind in [ServerKind::MySql97, ServerKind::MariaDb118] {
        let server = start(kind, &[]).await;
        let mut options = from_here(&server, logged(&server).await);
        options.heartbeat = Duration::from_millis(300);
        options.silence_max = Duration::from_secs(2);
        let mut reading = Reading::begin(options);
        // It sends nothing but heartbeats for longer than it may be silent.
        reading.catch_up(&server).await;
        let quiet = tokio::time::timeout(
            Duration::from_secs(3),
            reading.until("an end", |reading| !reading.causes.is_empty()),
        );
        assert!(quiet.await.is_err(), "{kind}: {:?}", reading.causes);
        server.pause();
        reading
            .until("silence", |reading| !reading.causes.is_empty())
            .await;
        assert_eq!(reading.causes[0], "no sign of life for 2 s", "{kind}");
        server.resume();
        insert(&server, 0..3, 0).await;
        reading.catch_up(&server).await;
        assert_eq!(reading.ids, numbers(0..3), "{kind}");
    }
}

/// Two agents read the same log, and neither throws the other out.
#[tokio::test]
async fn two_readers() {
    for kind in [
        ServerKind::MySql97,
        ServerKind::MySql56,
        ServerKind::MariaDb1011,
    ] {
        let server = start(kind, &[]).await;
        let from = logged(&server).await;
        let mut readings: Vec<Reading> = (0..2)
            .map(|_| Reading::begin(from_here(&server, from.clone())))
            .collect();
        insert(&server, 0..3, 0).await;
        for reading in &mut readings {
            reading.catch_up(&server).await;
        }
        insert(&server, 3..6, 0).await;
        let ids: Vec<mysql_async::Row> = server
            .query(if kind == ServerKind::MySql97 {
                "SHOW REPLICAS"
            } else {
                "SHOW SLAVE HOSTS"
            })
            .await;
        let ids: HashSet<u64> = ids.iter().filter_map(|row| row.get(0)).collect();
        assert_eq!(ids.len(), 2, "{kind}");
        for mut reading in readings {
            reading.catch_up(&server).await;
            assert_eq!(
                (reading.ids, reading.causes.len()),
                (numbers(0..6), 0),
                "{kind}"
            );
        }
    }
}
