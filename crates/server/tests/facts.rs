//! What a server says of itself, read from real ones.

use std::fmt::Write as _;

use twinlog_server::{
    conn::{Address, ClientTls, Conn, Endpoint},
    facts::ServerFacts,
};
use twinlog_testbed::{Server, ServerKind, ServerOptions};

/// `SHOW GLOBAL VARIABLES` cuts at 1024 characters.
#[tokio::test]
async fn a_long_gtid_set_is_read_whole() {
    for kind in [ServerKind::MySql97, ServerKind::MySql56] {
        let options = ServerOptions::with(&[
            "gtid_mode = ON",
            "enforce_gtid_consistency = ON",
            "log_bin = log",
            "server_id = 1",
            "log_slave_updates = ON",
        ]);
        let server = Server::start(kind, &options).await;
        let mut set = String::new();
        for number in 0..60 {
            write!(set, "{number:08x}-0000-0000-0000-000000000001:1-10000,").unwrap();
        }
        let set = set.trim_end_matches(',');
        server
            .exec(&format!("SET GLOBAL gtid_purged = '{set}'"))
            .await;
        let mut conn = Conn::open(&Endpoint {
            address: Address::Socket(server.socket()),
            user: "root".into(),
            password: None,
            tls: ClientTls::Off,
        })
        .await
        .unwrap();
        let facts = ServerFacts::read(&mut conn).await.unwrap();
        let whole = |value: &str| value.replace('\n', "");
        assert_eq!(whole(facts.purged()), set, "{kind}");
        assert_eq!(whole(facts.executed()), set, "{kind}");
    }
}
