//! What no new connection mends is said at once, and what is to be done.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use twinlog_agent::stream::Error;
use twinlog_server::{
    certs::{self, NodeNames},
    conn::{Address, ClientTls},
    gtid::GtidSet,
    version::Flavour,
};
use twinlog_testbed::{Server, ServerKind, ServerOptions, TestDir, wait_until};

use super::support::{
    DEADLINE, Reading, flavour, from_here, insert, kill_dumps, log_end, logged, numbers,
    on_each_server, start,
};

on_each_server!(purged, not_let_in, a_log_that_was_reset);

async fn purged(kind: ServerKind) {
    let server = start(kind, &[]).await;
    let from = logged(&server).await;
    insert(&server, 0..3, 0).await;
    let missed = logged(&server).await;
    server.exec("FLUSH LOGS").await;
    insert(&server, 3..4, 0).await;
    server.exec("FLUSH LOGS").await;
    let end = log_end(&server).await;
    // MariaDB keeps a file until its storage engines have all of it on disk, which a thread of its own finds out.
    wait_until(DEADLINE, "the older files are gone", async || {
        server
            .exec(&format!("PURGE BINARY LOGS TO '{}'", end.file))
            .await;
        let left: Vec<mysql_async::Row> = server.query("SHOW BINARY LOGS").await;
        (left.len() == 1).then_some(())
    })
    .await;
    let mut reading = Reading::begin(from_here(&server, from.clone()));
    match reading.failure().await {
        Error::Purged {
            missing: Some(missing),
            ..
        } => {
            assert_eq!(
                missing,
                logged(&server).await.subtract(&from).expect("one flavour"),
                "{kind}"
            );
        }
        other => panic!("{kind}: {other}"),
    }
    assert_ne!(missed, from);
    // What was purged and read is not missed.
    let mut reading = Reading::begin(from_here(&server, logged(&server).await));
    insert(&server, 4..5, 0).await;
    reading.catch_up(&server).await;
    assert_eq!(reading.ids, numbers(4..5));
}

async fn not_let_in(kind: ServerKind) {
    let server = start(kind, &[]).await;
    server
        .exec("CREATE USER 'reader'@'%' IDENTIFIED BY 'Right one 1'")
        .await;
    let from = logged(&server).await;
    let options = |password: &str| {
        let mut options = from_here(&server, from.clone());
        options.endpoint.user = "reader".into();
        options.endpoint.password = Some(password.into());
        options
    };
    let code = |error: Error| match error {
        Error::Denied { code, .. } => code,
        other => panic!("{kind}: {other}"),
    };
    let error = Reading::begin(options("Wrong one 1")).failure().await;
    assert!(
        error.hint().is_some() && !format!("{error:?}").contains("one 1"),
        "{error:?}"
    );
    assert_eq!(code(error), 1045);
    let error = Reading::begin(options("Right one 1")).failure().await;
    assert!(matches!(code(error), 1045 | 1227), "no privilege");
    server
        .exec("GRANT REPLICATION SLAVE ON *.* TO 'reader'@'%'")
        .await;
    for address in [
        Address::Socket(server.socket()),
        Address::Tcp("127.0.0.1".into(), server.port()),
    ] {
        let mut options = options("Right one 1");
        options.endpoint.address = address;
        Reading::begin(options).catch_up(&server).await;
    }
}

async fn a_log_that_was_reset(kind: ServerKind) {
    let server = start(kind, &[]).await;
    insert(&server, 0..3, 0).await;
    let mut reading = Reading::begin(from_here(&server, logged(&server).await));
    reading.catch_up(&server).await;
    let reset = if kind == ServerKind::MySql97 {
        "RESET BINARY LOGS AND GTIDS"
    } else {
        "RESET MASTER"
    };
    // A MariaDB lets no log be reset that is being read.
    kill_dumps(&server).await;
    let from = reading.stop().await;
    wait_until(DEADLINE, "the reset", async || {
        use mysql_async::prelude::Queryable;
        server.conn().await.query_drop(reset).await.ok()
    })
    .await;
    insert(&server, 3..4, 0).await;
    match Reading::begin(from_here(&server, from)).failure().await {
        Error::Rewound { missing, .. } => assert!(missing.count() > 0),
        other => panic!("{kind}: {other}"),
    }
}

#[tokio::test]
async fn a_server_without_a_log() {
    for (kind, lines) in [
        (ServerKind::MySql97, &["skip-log-bin"][..]),
        (ServerKind::MySql56, &[]),
        (ServerKind::MariaDb1011, &[]),
    ] {
        let server = Server::start(kind, &ServerOptions::with(lines)).await;
        let empty = GtidSet::parse(flavour(kind), "").expect("empty");
        let error = Reading::begin(from_here(&server, empty)).failure().await;
        assert!(
            matches!(error, Error::NoBinaryLog { .. }),
            "{kind}: {error}"
        );
    }
}

#[tokio::test]
async fn without_gtids_or_of_another_flavour() {
    let server = Server::start(
        ServerKind::MySql56,
        &ServerOptions::with(&["server-id = 7", "log-bin = bin"]),
    )
    .await;
    let empty = |flavour| GtidSet::parse(flavour, "").expect("empty");
    let error = Reading::begin(from_here(&server, empty(Flavour::MySql)))
        .failure()
        .await;
    assert!(matches!(error, Error::NoGtids { .. }), "{error}");
    let error = Reading::begin(from_here(&server, empty(Flavour::MariaDb)))
        .failure()
        .await;
    assert!(matches!(error, Error::AnotherServer { .. }), "{error}");
}

#[tokio::test]
async fn tls() {
    for kind in [ServerKind::MySql97, ServerKind::MariaDb118] {
        let keys = TestDir::new();
        let names = NodeNames {
            name: "a".into(),
            sans: vec!["127.0.0.1".into()],
        };
        let made = certs::ensure(keys.path(), &[names]).unwrap();
        let [ca, cert, key] = made[0].files.all();
        for file in [cert, key] {
            // The server may run as another user.
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let lines = [("ca", ca), ("cert", cert), ("key", key)]
            .map(|(name, path)| format!("ssl-{name} = {}", path.display()));
        let server = start(kind, &lines.each_ref().map(String::as_str)).await;
        server
            .exec(
                "CREATE USER 'reader'@'%' IDENTIFIED BY 'secret 1' REQUIRE SSL; \
                 GRANT REPLICATION SLAVE ON *.* TO 'reader'@'%'",
            )
            .await;
        let from = logged(&server).await;
        let read = |host: &str, tls| {
            let mut options = from_here(&server, from.clone());
            options.endpoint.address = Address::Tcp(host.into(), server.port());
            options.endpoint.user = "reader".into();
            options.endpoint.password = Some("secret 1".into());
            options.endpoint.tls = tls;
            Reading::begin(options)
        };
        let checked = |ca: &Path| ClientTls::Required {
            ca: Some(ca.to_owned()),
        };
        insert(&server, 0..3, 1_000_000).await;
        for tls in [ClientTls::Required { ca: None }, checked(ca)] {
            let mut reading = read("127.0.0.1", tls);
            reading.catch_up(&server).await;
            assert_eq!(reading.ids, numbers(0..3), "{kind}");
        }
        let error = read("127.0.0.1", ClientTls::Off).failure().await;
        assert!(
            matches!(error, Error::Denied { code: 1045, .. }),
            "{kind}: {error}"
        );
        // Another name than the certificate's, another authority, and no authority at all.
        let stranger = TestDir::new();
        let strangers = certs::ensure(stranger.path(), &[]).unwrap();
        assert!(strangers.is_empty());
        for (host, ca) in [
            ("localhost", ca.to_owned()),
            ("127.0.0.1", stranger.join("ca.pem")),
            ("127.0.0.1", stranger.join("none.pem")),
        ] {
            let error = read(host, checked(&ca)).failure().await;
            assert!(matches!(error, Error::Insecure { .. }), "{kind}: {error}");
        }
    }
}
