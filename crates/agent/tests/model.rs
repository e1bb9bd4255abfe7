//! The model that tracker and policies are tested against, held against real servers: the same random histories on both,
//! tables and logs compared. `TWINLOG_MODEL_HISTORIES` says how many there are for each server, `TWINLOG_MODEL_SEED` which.

#![allow(clippy::print_stdout, reason = "a failing seed must be seen")]

#[allow(dead_code, reason = "the model does more than is compared here")]
#[path = "../../converge/tests/model/node.rs"]
mod node;
#[allow(dead_code, reason = "the model does more than is compared here")]
#[path = "../../converge/tests/model/pair.rs"]
mod pair;
#[allow(dead_code, reason = "the model does more than is compared here")]
#[path = "../../converge/tests/model/schema.rs"]
mod schema;
#[allow(dead_code, reason = "the model does more than is compared here")]
#[path = "../../converge/tests/model/wire.rs"]
mod wire;

use std::{env, fmt::Write as _, fs, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join;
use mysql_async::{Conn, Row as SqlRow, prelude::Queryable};
use rand::{Rng, SeedableRng, rngs::StdRng};
use twinlog_binlog::{self as binlog, Decoder, Gtid, Output, Transaction};
use twinlog_converge::Side;
use twinlog_testbed::{Server, ServerKind, ServerOptions, wait_until};

use crate::{
    node::{Do, Set},
    pair::{Flavour, Pair},
    schema::{Change, ID, KEYS, PARENT, Row, State, Table, WIDTH},
    wire::SERVER_IDS,
};

/// What a link needs on two busy cores.
const LINK_DEADLINE: Duration = Duration::from_secs(30);
/// What a log file begins with.
const MAGIC: &[u8] = b"\xfebin";
/// Without `TWINLOG_MODEL_HISTORIES`.
const HISTORIES: u32 = 12;
/// How often the links of one history are stopped and started.
const ROUNDS: usize = 3;
/// The names of the model's columns.
const COLUMNS: [&str; WIDTH] = ["id", "k1", "k2", "k3", "parent", "counter", "v", "w"];

/// Two servers with links in both directions.
struct Servers {
    kind: ServerKind,
    servers: [Server; 2],
    conns: [Conn; 2],
}

impl Servers {
    async fn start(kind: ServerKind) -> Self {
        let options = SERVER_IDS.map(|id| options(kind, id));
        let servers: [Server; 2] = join(
            Server::start(kind, &options[0]),
            Server::start(kind, &options[1]),
        )
        .await
        .into();
        let conns = join(servers[0].conn(), servers[1].conn()).await.into();
        let mut pair = Self {
            kind,
            servers,
            conns,
        };
        for side in Side::BOTH {
            pair.link(side).await;
        }
        pair.exec(Side::A, "CREATE DATABASE shop").await;
        pair.switch("START").await;
        pair.settle().await;
        for side in Side::BOTH {
            pair.exec(side, "USE shop").await;
        }
        pair
    }

    async fn exec(&mut self, side: Side, sql: &str) {
        let done = self.conns[side.index()].query_drop(sql).await;
        done.unwrap_or_else(|error| panic!("{side:?}: {sql}: {error}"));
    }

    async fn text(&mut self, side: Side, sql: &str) -> String {
        let found = self.conns[side.index()]
            .query_first(sql)
            .await
            .expect("can be asked");
        found.unwrap_or_default()
    }

    /// Makes a node follow its peer.
    async fn link(&mut self, side: Side) {
        let port = self.servers[side.peer().index()].port();
        self.exec(side, "SET SESSION sql_log_bin = 0").await;
        if self.kind == ServerKind::MySql56 {
            let grant = "GRANT REPLICATION SLAVE ON *.* TO 'link'@'127.0.0.1' IDENTIFIED BY 'link'";
            self.exec(side, grant).await;
        } else {
            self.exec(side, "CREATE USER 'link'@'127.0.0.1' IDENTIFIED BY 'link'")
                .await;
            self.exec(side, "GRANT REPLICATION SLAVE ON *.* TO 'link'@'127.0.0.1'")
                .await;
        }
        self.exec(side, "SET SESSION sql_log_bin = 1").await;
        let source = match self.kind {
            ServerKind::MySql97 => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='link', \
                 SOURCE_PASSWORD='link', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1"
            ),
            _ => {
                let gtid = if self.kind.is_mariadb() {
                    "MASTER_USE_GTID=slave_pos"
                } else {
                    "MASTER_AUTO_POSITION=1"
                };
                format!(
                    "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='link', \
                     MASTER_PASSWORD='link', MASTER_CONNECT_RETRY=1, {gtid}"
                )
            }
        };
        self.exec(side, &source).await;
    }

    /// Starts or stops both links.
    async fn switch(&mut self, verb: &str) {
        let word = if self.kind == ServerKind::MySql97 {
            "REPLICA"
        } else {
            "SLAVE"
        };
        for side in Side::BOTH {
            self.exec(side, &format!("{verb} {word}")).await;
        }
    }

    /// Waits until either node has executed all that the other has.
    async fn settle(&mut self) {
        for side in Side::BOTH {
            let peer = side.peer();
            let wait = if self.kind.is_mariadb() {
                let executed = self.text(peer, "SELECT @@global.gtid_binlog_pos").await;
                let domain = format!("{}-", peer.index() + 1);
                let own = executed
                    .split(',')
                    .find(|it| it.starts_with(&domain))
                    .unwrap_or_default();
                format!("SELECT CAST(MASTER_GTID_WAIT('{own}', 0) AS CHAR)")
            } else {
                let executed = self.text(peer, "SELECT @@global.gtid_executed").await;
                format!(
                    "SELECT CAST(GTID_SUBSET('{executed}', @@global.gtid_executed) - 1 AS CHAR)"
                )
            };
            let what = format!("{side:?} to execute all of {peer:?}");
            wait_until(LINK_DEADLINE, &what, async || {
                (self.text(side, &wait).await == "0").then_some(())
            })
            .await;
        }
    }

    /// New tables, on both nodes, and a new log on each.
    async fn create(&mut self, schema: &[Table]) {
        self.exec(Side::A, "DROP TABLE IF EXISTS t1").await;
        self.exec(Side::A, "DROP TABLE IF EXISTS t0").await;
        for (at, table) in schema.iter().enumerate() {
            self.exec(Side::A, &definition(at, table)).await;
        }
        self.settle().await;
        for side in Side::BOTH {
            self.exec(side, "FLUSH BINARY LOGS").await;
        }
    }

    async fn state(&mut self, side: Side, tables: usize) -> State {
        let mut state = State::new(tables);
        for at in 0..tables {
            let rows: Vec<SqlRow> = self.conns[side.index()]
                .query(format!("SELECT {} FROM t{at}", COLUMNS.join(",")))
                .await
                .expect("can be read");
            for found in rows {
                let mut row: Row = [None; WIDTH];
                for (column, cell) in row.iter_mut().enumerate() {
                    *cell = found.get(column).expect("a number or NULL");
                }
                state.tables[at].insert(row[ID].expect("a primary key"), row);
            }
        }
        state
    }

    /// What a node's log has since the tables were made: who committed each transaction, its number there, its changes.
    async fn log(&mut self, side: Side, first: &str) -> Vec<(Side, u64, Vec<Change>)> {
        let files: Vec<SqlRow> = self.conns[side.index()]
            .query("SHOW BINARY LOGS")
            .await
            .expect("can be asked");
        let names = files
            .iter()
            .map(|row| row.get::<String, _>(0).expect("a name"));
        let flavour = match self.kind.is_mariadb() {
            true => twinlog_binlog::Flavour::MariaDb,
            false => twinlog_binlog::Flavour::MySql,
        };
        let mut found = Vec::new();
        for name in names.skip_while(|name| name != first) {
            let file = fs::read(self.servers[side.index()].data_dir().join(name));
            let mut rest = Bytes::from(file.expect("can be read")).slice(MAGIC.len()..);
            let mut decoder = Decoder::new(flavour);
            while !rest.is_empty() {
                let size = u32::from_le_bytes(rest[9..13].try_into().expect("four bytes"));
                let event = rest.split_to(size as usize);
                if let Output::Transaction(it) = decoder.push(event).expect("can be decoded") {
                    found.extend(logged(&it));
                }
            }
        }
        found
    }

    /// The log file that a node writes.
    async fn file(&mut self, side: Side) -> String {
        let files: Vec<SqlRow> = self.conns[side.index()]
            .query("SHOW BINARY LOGS")
            .await
            .expect("can be asked");
        files.last().and_then(|row| row.get(0)).expect("a name")
    }

    /// A client's transaction, on the model and on the server.
    async fn client(&mut self, model: &mut Pair, side: Side, statements: &[Do]) {
        let mut state = model.nodes[side.index()].state.clone();
        let mut number = model.stamp;
        self.exec(side, "BEGIN").await;
        for &statement in statements {
            let Ok((change, _)) = node::intent(&state, statement, number) else {
                continue;
            };
            if change.before == change.after {
                continue;
            }
            let allowed = state.change(&model.schema, &change);
            let done = self.conns[side.index()].query_drop(sql(&change)).await;
            assert_eq!(
                allowed.is_ok(),
                done.is_ok(),
                "{}: {allowed:?}, {done:?}\n{model}",
                sql(&change)
            );
            number += i32::from(allowed.is_ok());
        }
        self.exec(side, "COMMIT").await;
        model.client(side, statements);
    }
}

/// A transaction of the model's tables.
fn logged(transaction: &Transaction) -> Option<(Side, u64, Vec<Change>)> {
    let (side, sequence) = match transaction.gtid.as_ref()? {
        Gtid::MySql { sequence, .. } => {
            let at = SERVER_IDS
                .iter()
                .position(|id| *id == transaction.server_id)?;
            (Side::BOTH[at], *sequence)
        }
        Gtid::MariaDb {
            domain, sequence, ..
        } => (Side::BOTH[*domain as usize - 1], *sequence),
    };
    let mut changes = Vec::new();
    for change in &transaction.changes {
        let binlog::Change::Rows(rows) = change else {
            return None;
        };
        let table = match &*rows.table.name {
            "t0" => 0,
            "t1" => 1,
            _ => return None,
        };
        for change in rows {
            let change = change.expect("an image");
            let row = |image: binlog::Image<'_>| wire::decode(&image.to_owned());
            changes.push(Change::new(
                table,
                change.before.map(row),
                change.after.map(row),
            ));
        }
    }
    Some((side, sequence, changes))
}

/// The same of the model; `first` is each side's number of the model's first transaction.
fn expected(model: &Pair, side: Side, first: [u64; 2]) -> Vec<(Side, u64, Vec<Change>)> {
    let log = &model.nodes[side.index()].log;
    log.iter()
        .map(|&id| {
            let it = &model.transactions[id];
            let changes = it.logged[side.index()].as_deref().unwrap_or_default();
            (
                it.origin,
                it.sequence - 1 + first[it.origin.index()],
                changes.to_vec(),
            )
        })
        .collect()
}

fn options(kind: ServerKind, id: u32) -> ServerOptions {
    let mut lines = vec![
        format!("server-id = {id}"),
        "log-bin = binlog\nbinlog-format = ROW\nlog-slave-updates = 1\nskip-slave-start = 1".into(),
        "slave-exec-mode = IDEMPOTENT".into(),
    ];
    lines.push(match kind {
        ServerKind::MySql97 | ServerKind::MySql56 => {
            "gtid-mode = ON\nenforce-gtid-consistency = ON".into()
        }
        _ => format!(
            "gtid-domain-id = {}\ngtid-strict-mode = ON",
            id - SERVER_IDS[0] + 1
        ),
    });
    ServerOptions { extra: lines }
}

fn definition(at: usize, table: &Table) -> String {
    let mut sql = format!("CREATE TABLE t{at} (id INT PRIMARY KEY");
    for column in &COLUMNS[1..] {
        write!(sql, ", {column} INT").expect("a String");
    }
    for key in &table.unique[1..] {
        let columns: Vec<_> = key.iter().map(|&column| COLUMNS[column]).collect();
        write!(sql, ", UNIQUE ({})", columns.join(",")).expect("a String");
    }
    if let Some((parent, column)) = table.foreign {
        let (own, column) = (COLUMNS[PARENT], COLUMNS[column]);
        write!(sql, ", FOREIGN KEY ({own}) REFERENCES t{parent} ({column})").expect("a String");
    }
    sql + ") ENGINE=InnoDB"
}

fn sql(change: &Change) -> String {
    let literal = |cell: Option<i32>| cell.map_or("NULL".to_owned(), |number| number.to_string());
    let id = |row: Row| literal(row[ID]);
    let table = change.table;
    match (change.before, change.after) {
        (None, Some(row)) => format!(
            "INSERT INTO t{table} VALUES ({})",
            row.map(literal).join(",")
        ),
        (Some(before), Some(row)) => {
            let set: Vec<_> = COLUMNS
                .iter()
                .zip(row)
                .map(|(name, cell)| format!("{name}={}", literal(cell)))
                .collect();
            format!(
                "UPDATE t{table} SET {} WHERE id={}",
                set.join(","),
                id(before)
            )
        }
        (Some(before), None) => format!("DELETE FROM t{table} WHERE id={}", id(before)),
        (None, None) => unreachable!("a change of nothing"),
    }
}

/// A random history's tables.
fn tables(random: &mut StdRng) -> Arc<[Table]> {
    let mut unique = vec![vec![ID]];
    for key in [vec![1], vec![2], vec![3], vec![1, 2]] {
        if unique.len() <= KEYS.len() && random.random_bool(0.4) {
            unique.push(key);
        }
    }
    let parent = Table {
        unique: unique.clone(),
        foreign: None,
        referenced: None,
    };
    if random.random_bool(0.5) {
        return Arc::new([parent]);
    }
    let column = if unique.contains(&vec![1]) && random.random_bool(0.5) {
        1
    } else {
        ID
    };
    Arc::new([
        Table {
            referenced: Some((1, column)),
            ..parent
        },
        Table {
            unique,
            foreign: Some((0, column)),
            referenced: None,
        },
    ])
}

fn statement(random: &mut StdRng) -> Do {
    let table = random.random_range(0..2);
    let id = random.random_range(1..=4);
    let keys = [0; 3].map(|_: u8| random.random_range(0..=3));
    let parent = random.random_range(0..=3);
    match random.random_range(0..10) {
        0..4 => Do::Insert {
            table,
            id,
            keys,
            parent,
            plain: random.random_bool(0.2),
        },
        4..7 => {
            let set = Set {
                values: random.random(),
                keys: random.random(),
                parent: random.random(),
                counter: random.random_range(-2..=2),
                plain: random.random_bool(0.2),
            };
            Do::Update {
                table,
                id,
                set,
                keys,
                parent,
            }
        }
        7 => Do::Move {
            table,
            id,
            to: random.random_range(1..=4),
        },
        _ => Do::Delete { table, id },
    }
}

/// One history: stopped links, writes on both sides, links started, and again.
async fn history(servers: &mut Servers, random: &mut StdRng) {
    let schema = tables(random);
    let flavour = if servers.kind.is_mariadb() {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    };
    let mut model = Pair::new(Arc::clone(&schema), flavour, [0; 2]);
    servers.create(&schema).await;
    let files = [servers.file(Side::A).await, servers.file(Side::B).await];
    for _ in 0..ROUNDS {
        servers.switch("STOP").await;
        for side in Side::BOTH {
            for _ in 0..random.random_range(1..=4) {
                let count = random.random_range(1..=4);
                let statements: Vec<_> = (0..count).map(|_| statement(random)).collect();
                servers.client(&mut model, side, &statements).await;
            }
        }
        servers.switch("START").await;
        servers.settle().await;
        for side in Side::BOTH {
            while model.apply(side) {}
        }
        for side in Side::BOTH {
            let holds = servers.state(side, schema.len()).await;
            assert_eq!(
                model.nodes[side.index()].state,
                holds,
                "{side:?}: model (left), server (right)\n{schema:?}\n{model}"
            );
        }
    }
    let logs = [
        servers.log(Side::A, &files[0]).await,
        servers.log(Side::B, &files[1]).await,
    ];
    let first = Side::BOTH.map(|side| {
        let own = logs[side.index()]
            .iter()
            .find(|(origin, ..)| *origin == side);
        own.map_or(0, |(_, sequence, _)| *sequence)
    });
    for side in Side::BOTH {
        let expected = expected(&model, side, first);
        assert_eq!(
            expected,
            logs[side.index()],
            "log of {side:?}: model (left), server (right)\n{schema:?}\n{model}"
        );
    }
}

async fn histories(kind: ServerKind) {
    let number = |name: &str| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
    };
    let first = number("TWINLOG_MODEL_SEED").unwrap_or(1);
    let mut servers = Servers::start(kind).await;
    for seed in first..first + number("TWINLOG_MODEL_HISTORIES").unwrap_or(HISTORIES) {
        println!("{kind}: TWINLOG_MODEL_SEED={seed}");
        history(&mut servers, &mut StdRng::seed_from_u64(u64::from(seed))).await;
    }
}

#[tokio::test]
async fn mysql_9_7_does_as_the_model_does() {
    histories(ServerKind::MySql97).await;
}

#[tokio::test]
async fn mariadb_10_11_does_as_the_model_does() {
    histories(ServerKind::MariaDb1011).await;
}
