//! What the tests share: connections as the agent's, names, and two servers with links between them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use twinlog_binlog::{Change, Decoder, Flavour, Output, OwnedImage, Transaction};
use twinlog_converge::{Side, TableName};
use twinlog_pair::own_tables;
use twinlog_row::{SESSION, TableInfo, run};
use twinlog_server::conn::{Address, ClientTls, Conn, Endpoint};
use twinlog_testbed::{Server, ServerKind, ServerOptions, wait_until};

/// Longer than anything that happens at all takes on two busy cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A connection as root.
pub(crate) async fn open(server: &Server) -> Conn {
    let endpoint = Endpoint {
        address: Address::Socket(server.socket()),
        user: "root".into(),
        password: None,
        tls: ClientTls::Off,
    };
    Conn::open(&endpoint).await.unwrap()
}

/// A connection as root, prepared as the resolver's are.
pub(crate) async fn connect(server: &Server) -> Conn {
    let mut conn = open(server).await;
    run(&mut conn, SESSION).await.unwrap();
    conn
}

pub(crate) fn table(database: &str, name: &str) -> TableName {
    TableName {
        database: database.into(),
        name: name.into(),
    }
}

/// A table's definition.
pub(crate) async fn info(server: &Server, database: &str, name: &str) -> Arc<TableInfo> {
    let mut conn = connect(server).await;
    Arc::new(
        TableInfo::load(&mut conn, &table(database, name))
            .await
            .unwrap(),
    )
}

/// Makes twinlog's own tables.
pub(crate) async fn own_tables(server: &Server) {
    let statements: Vec<String> = own_tables::create().map(|sql| sql.to_string()).collect();
    server
        .exec(&format!(
            "SET SESSION sql_log_bin = 0; {}",
            statements.join("; ")
        ))
        .await;
}

/// A server with a log, and twinlog's own tables.
pub(crate) async fn node(kind: ServerKind, id: u32) -> Server {
    let id = id.to_string();
    let mut lines = vec![
        format!("server-id = {id}"),
        "log-bin = bin".to_owned(),
        "binlog-format = ROW".to_owned(),
        "log-slave-updates = ON".to_owned(),
        "slave-exec-mode = IDEMPOTENT".to_owned(),
    ];
    if kind.is_mariadb() {
        lines.push(format!("gtid-domain-id = {id}"));
        lines.push("binlog-row-metadata = FULL".to_owned());
    } else {
        lines.push("gtid-mode = ON".to_owned());
        lines.push("enforce-gtid-consistency = ON".to_owned());
        if kind == ServerKind::MySql97 {
            lines.push("binlog-row-metadata = FULL".to_owned());
        }
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Server::start(kind, &ServerOptions::with(&lines)).await;
    own_tables(&server).await;
    server
}

/// Two servers that replicate each other, with what `setup` makes on both outside their logs.
pub(crate) struct Pair {
    pub(crate) nodes: [Server; 2],
}

impl Pair {
    pub(crate) async fn linked(kind: ServerKind, setup: &str) -> Self {
        let (a, b) = tokio::join!(node(kind, 1), node(kind, 2));
        let pair = Self { nodes: [a, b] };
        for server in &pair.nodes {
            server
                .exec(&format!("SET SESSION sql_log_bin = 0; {setup}"))
                .await;
            server
                .exec(
                    "SET SESSION sql_log_bin = 0; CREATE USER 'repl'@'127.0.0.1' IDENTIFIED BY 'r'; \
                     GRANT REPLICATION SLAVE ON *.* TO 'repl'@'127.0.0.1'",
                )
                .await;
            if kind == ServerKind::MySql56 {
                // An anonymous account of localhost would be taken before it.
                server
                    .exec("SET SESSION sql_log_bin = 0; FLUSH PRIVILEGES")
                    .await;
            }
        }
        for side in Side::BOTH {
            pair.link(side, kind).await;
        }
        pair
    }

    async fn link(&self, side: Side, kind: ServerKind) {
        let source = self.nodes[side.peer().index()].port();
        let sql = match kind {
            ServerKind::MySql97 => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {source}, SOURCE_USER = 'repl', \
                 SOURCE_PASSWORD = 'r', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1; \
                 START REPLICA"
            ),
            ServerKind::MySql56 => format!(
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {source}, MASTER_USER = 'repl', \
                 MASTER_PASSWORD = 'r', MASTER_AUTO_POSITION = 1, MASTER_CONNECT_RETRY = 1; START SLAVE"
            ),
            ServerKind::MariaDb1011 | ServerKind::MariaDb118 => format!(
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {source}, MASTER_USER = 'repl', \
                 MASTER_PASSWORD = 'r', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_SSL = 0; START SLAVE"
            ),
        };
        self.nodes[side.index()].exec(&sql).await;
    }

    pub(crate) fn node(&self, side: Side) -> &Server {
        &self.nodes[side.index()]
    }

    /// Runs statements on a node without telling the other: how a test makes nodes differ.
    pub(crate) async fn quietly(&self, side: Side, sql: &str) {
        self.node(side)
            .exec(&format!("SET SESSION sql_log_bin = 0; {sql}"))
            .await;
    }

    /// Waits until a query gives the same on both nodes, and that.
    pub(crate) async fn both(&self, sql: &str, expected: &[&str]) {
        wait_until(DEADLINE, sql, async || {
            let mut same = true;
            for server in &self.nodes {
                let rows: Vec<String> = server.query(sql).await;
                same &= rows == expected;
            }
            same.then_some(())
        })
        .await;
    }
}

/// All transactions that a server has logged.
pub(crate) async fn logged(server: &Server) -> Vec<Transaction> {
    server.exec("FLUSH BINARY LOGS").await;
    let mut files: Vec<_> = std::fs::read_dir(server.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.strip_prefix("bin.")
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .collect();
    files.sort();
    let flavour = if server.kind().is_mariadb() {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    };
    let mut transactions = Vec::new();
    for file in files {
        let mut decoder = Decoder::new(flavour);
        let bytes = Bytes::from(std::fs::read(&file).unwrap());
        let mut at = 4;
        while at < bytes.len() {
            let length = u32::from_le_bytes(bytes[at + 9..at + 13].try_into().unwrap()) as usize;
            if let Output::Transaction(it) = decoder.push(bytes.slice(at..at + length)).unwrap() {
                transactions.push(*it);
            }
            at += length;
        }
    }
    transactions
}

/// What they did to a table's rows.
pub(crate) fn changes(
    transactions: &[Transaction],
    name: &TableName,
) -> Vec<[Option<OwnedImage>; 2]> {
    let mut found = Vec::new();
    for change in transactions.iter().flat_map(|it| &it.changes) {
        let Change::Rows(rows) = change else { continue };
        if rows.table.database == name.database && rows.table.name == name.name {
            found.extend(rows.changes().map(|change| {
                let change = change.unwrap();
                [change.before, change.after].map(|image| image.map(|image| image.to_owned()))
            }));
        }
    }
    found
}
