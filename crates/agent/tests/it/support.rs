//! What the tests share: connections as the agent's, and names.

use twinlog_agent::row::{SESSION, run};
use twinlog_converge::TableName;
use twinlog_server::conn::{Address, ClientTls, Conn, Endpoint};
use twinlog_testbed::Server;

/// A connection as root, prepared as the resolver's are.
pub(crate) async fn connect(server: &Server) -> Conn {
    let mut conn = Conn::open(&Endpoint {
        address: Address::Socket(server.socket()),
        user: "root".into(),
        password: None,
        tls: ClientTls::Off,
    })
    .await
    .unwrap();
    run(&mut conn, SESSION).await.unwrap();
    conn
}

pub(crate) fn table(database: &str, name: &str) -> TableName {
    TableName {
        database: database.into(),
        name: name.into(),
    }
}
