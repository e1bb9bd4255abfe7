//! A reader goes on where another ended.

use twinlog_server::gtid::GtidSet;
use twinlog_testbed::{Server, ServerKind};

use super::support::{
    Reading, flavour, from_here, insert, log_end, logged, numbers, on_each_server, start,
};

on_each_server!(where_another_ended);

async fn where_another_ended(kind: ServerKind) {
    let server = start(kind, &[]).await;
    let mut from = logged(&server).await;
    let mut read = Vec::new();
    for round in 0..4u32 {
        insert(&server, round * 10..round * 10 + 10, 10).await;
        let mut reading = Reading::begin(from_here(&server, from));
        // In the middle, at the end, and with nothing to read at all.
        match round {
            0 => {
                reading
                    .until("half", |reading| reading.ids.len() == 5)
                    .await
            }
            2 => {
                reading
                    .until("a connection", |reading| reading.connected == 1)
                    .await
            }
            _ => reading.catch_up(&server).await,
        }
        read.append(&mut reading.ids);
        from = reading.stop().await;
        if round == 1 {
            server.exec("FLUSH LOGS").await;
        }
    }
    assert_eq!(read, numbers(0..40));
    let mut reading = Reading::begin(from_here(&server, from));
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(0..0));
}

/// Transactions with tags, of which the server is told which were read.
#[tokio::test]
async fn with_tags() {
    let server = start(ServerKind::MySql97, &[]).await;
    let tagged = |id: u32, tag: &str| {
        format!("SET gtid_next = 'AUTOMATIC:{tag}'; INSERT INTO t.t VALUES ({id}, '<{id}>')")
    };
    server.exec(&tagged(0, "batch")).await;
    insert(&server, 1..2, 0).await;
    let from = logged(&server).await;
    assert!(from.to_string().contains(":batch:1"), "{from}");
    server.exec(&tagged(2, "batch")).await;
    server.exec(&tagged(3, "other")).await;
    insert(&server, 4..5, 0).await;
    let mut reading = Reading::begin(from_here(&server, from));
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(2..5));
}

/// The applier of a MariaDB logs nothing for a transaction of which it skipped everything: the checkpoint may name one
/// that is in no log.
#[tokio::test]
async fn after_what_is_in_no_log() {
    for kind in [ServerKind::MariaDb1011, ServerKind::MariaDb118] {
        let server = start(kind, &[]).await;
        apply(&server, 9, 100).await;
        insert(&server, 0..3, 0).await;
        let own = logged(&server).await.to_string();
        let own = own.split(',').next().expect("domain 1").to_owned();
        let applied = |sequence: u64| format!("SET GLOBAL gtid_slave_pos = '{own},2-8-{sequence}'");
        server.exec(&applied(12)).await;
        let from = GtidSet::parse(flavour(kind), &format!("{own},2-8-10")).unwrap();
        apply(&server, 13, 101).await;
        let mut reading = Reading::begin(from_here(&server, from));
        reading.catch_up(&server).await;
        assert_eq!(reading.ids, [101], "{kind}");
        // Beyond the end of the log, where the applier is.
        server.exec(&applied(20)).await;
        let from = reading.stop().await.to_string().replace("2-8-13", "2-8-20");
        let from = GtidSet::parse(flavour(kind), &from).unwrap();
        let mut reading = Reading::begin(from_here(&server, from));
        reading.catch_up(&server).await;
        apply(&server, 21, 102).await;
        let end = log_end(&server).await;
        reading
            .until("the end", |reading| {
                reading.stream.read_up_to().has_position(&end)
            })
            .await;
        assert_eq!(reading.ids, [102], "{kind}");
    }
}

/// Logs a transaction as the applier of another server's does.
async fn apply(server: &Server, sequence: u64, id: u32) {
    server
        .exec(&format!(
            "SET gtid_domain_id = 2, server_id = 8, gtid_seq_no = {sequence}; INSERT INTO t.t VALUES ({id}, '<{id}>')"
        ))
        .await;
}
