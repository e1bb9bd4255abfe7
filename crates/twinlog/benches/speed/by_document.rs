//! A dual primary as a widely copied document makes it: its lines for `my.cnf`, links by file and position.
//!
//! Left out is what new servers refuse or what has no part in speed: `symbolic-links`, `lower_case_table_names`,
//! `character_set_server = utf8`. All else is the server's own default.

use mysql_async::{Row, prelude::Queryable};
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use crate::duo::{DATABASE, Duo, Node};

/// Two servers, linked.
pub(crate) struct ByDocument {
    servers: [Server; 2],
}

impl ByDocument {
    pub(crate) async fn start(kind: ServerKind) -> Self {
        let server = async |id: u32| {
            let mut lines = vec![
                "log-bin = mysql-bin".to_owned(),
                "log-bin-index = mysql-bin".to_owned(),
                format!("server_id = {id}"),
                "relay-log = relaylog".to_owned(),
                "relay-log-index = relaylog".to_owned(),
                "relay-log-purge = on".to_owned(),
                format!("binlog-do-db = {DATABASE}"),
            ];
            lines.push(if kind.is_mariadb() {
                "log-slave-updates = true".into()
            } else {
                "log-replica-updates = true".into()
            });
            Server::start(kind, &ServerOptions { extra: lines }).await
        };
        let servers = [server(1).await, server(2).await];
        let [a, b] = &servers;
        link(a, b).await;
        link(b, a).await;
        Self { servers }
    }

    pub(crate) fn duo(&self) -> Duo {
        let node = |server: &Server, name| Node {
            name,
            socket: server.socket(),
            pid: server.pid(),
            root: mysql_async::OptsBuilder::default()
                .socket(server.socket().to_str())
                .user(Some("root")),
        };
        let [a, b] = &self.servers;
        Duo {
            kind: a.kind(),
            nodes: [node(a, "a"), node(b, "b")],
        }
    }
}

async fn link(source: &Server, replica: &Server) {
    let mut conn = source.conn().await;
    let mariadb = source.kind().is_mariadb();
    let status = if mariadb {
        "SHOW MASTER STATUS"
    } else {
        "SHOW BINARY LOG STATUS"
    };
    let status: Row = conn.query_first(status).await.unwrap().unwrap();
    let (file, position): (String, u64) = (status.get(0).unwrap(), status.get(1).unwrap());
    let (word, change, start) = if mariadb {
        ("MASTER", "CHANGE MASTER TO", "START SLAVE")
    } else {
        ("SOURCE", "CHANGE REPLICATION SOURCE TO", "START REPLICA")
    };
    replica
        .exec(&format!(
            "{change} {word}_HOST = '127.0.0.1', {word}_PORT = {}, {word}_USER = 'root', {word}_LOG_FILE = '{file}', \
             {word}_LOG_POS = {position}; {start}",
            source.port()
        ))
        .await;
}
