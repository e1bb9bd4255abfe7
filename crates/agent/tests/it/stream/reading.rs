//! What was written is read.

use twinlog_server::gtid::GtidSet;
use twinlog_testbed::ServerKind;

use super::support::{
    Reading, flavour, from_here, insert, log_end, logged, numbers, on_each_server, start,
};

on_each_server!(what_was_written, a_great_transaction);

async fn what_was_written(kind: ServerKind) {
    let server = start(kind, &[]).await;
    let begin = GtidSet::parse(flavour(kind), "").expect("empty");
    let mut reading = Reading::begin(from_here(&server, begin));
    insert(&server, 0..20, 10).await;
    server.exec("FLUSH LOGS").await;
    insert(&server, 20..40, 10).await;
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(0..40));
    assert!(
        reading
            .statements
            .iter()
            .any(|text| text.starts_with("CREATE TABLE t.t")),
        "{:?}",
        reading.statements
    );
    assert!(
        reading
            .lags
            .iter()
            .all(|lag| lag.exact == (kind == ServerKind::MySql97))
    );
    // It is read within the second that the clocks of the others count in, and some.
    let most_us = reading.lags[25..].iter().map(|lag| lag.us).max();
    assert!(most_us < Some(10_000_000), "{most_us:?}");

    // A log that ends without a transaction, and one that goes on in a new file, are read to their ends too.
    server.exec("FLUSH LOGS").await;
    reading.catch_up(&server).await;
    assert_eq!((reading.connected, reading.causes.len()), (1, 0));
    assert!(
        !reading
            .stream
            .read_up_to()
            .has_position(&twinlog_server::facts::Coordinates {
                position: log_end(&server).await.position + 1,
                ..log_end(&server).await
            })
    );
    assert_eq!(reading.stop().await, logged(&server).await);
}

/// Events longer than one packet can be, and a transaction greater than what may be out.
async fn a_great_transaction(kind: ServerKind) {
    let server = start(
        kind,
        &[
            "max-allowed-packet = 64M",
            "loose-innodb-log-file-size = 512M",
        ],
    )
    .await;
    let mut options = from_here(&server, logged(&server).await);
    options.in_flight_bytes_max = 1 << 20;
    insert(&server, 0..1, 20 << 20).await;
    // The length of one packet is 2²⁴ − 1: events around it.
    insert(&server, 1..2, (1 << 24) - 100).await;
    insert(&server, 2..3, 0).await;
    let mut reading = Reading::begin(options);
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(0..3));
}

mod compressed {
    use super::*;

    async fn reads(kind: ServerKind, option: &str) {
        let server = start(kind, &[option]).await;
        let mut reading = Reading::begin(from_here(&server, logged(&server).await));
        insert(&server, 0..10, 2000).await;
        reading.catch_up(&server).await;
        assert_eq!(reading.ids, numbers(0..10));
    }

    #[tokio::test]
    async fn mysql_9_7() {
        reads(ServerKind::MySql97, "binlog-transaction-compression = ON").await;
    }

    #[tokio::test]
    async fn mariadb_11_8() {
        reads(ServerKind::MariaDb118, "log-bin-compress = ON").await;
    }
}

#[tokio::test]
async fn without_checksums() {
    for kind in [ServerKind::MySql97, ServerKind::MariaDb1011] {
        let server = start(kind, &["binlog-checksum = NONE"]).await;
        let mut reading = Reading::begin(from_here(&server, logged(&server).await));
        insert(&server, 0..3, 10).await;
        // The files before have none, and now they do.
        server.exec("SET GLOBAL binlog_checksum = CRC32").await;
        insert(&server, 3..6, 10).await;
        reading.catch_up(&server).await;
        assert_eq!(reading.ids, numbers(0..6), "{kind}");
    }
}
