//! twinlog's side of `decode`, in a process of its own so that it can be held to one processor and timed as the others.

use std::sync::Arc;

use tokio::runtime::Builder;
use twinlog_agent::stream::{Item, LogReader, LogStream, Options};
use twinlog_binlog::Transaction;
use twinlog_converge::{Limits, Output, Side, TableKeys, TableName, Tracker, UniqueKey};
use twinlog_server::{
    conn::{Address, ClientTls, Endpoint},
    gtid::GtidSet,
    version::Flavour,
};

/// What this program is called with to be the reader.
pub(crate) const ARG: &str = "--as-reader";
/// Reads one log, and forgets it.
pub(crate) const DECODE: &str = "decode";
/// Reads one log, and gives each transaction to the tracker as both logs': all keys are touched and settled.
pub(crate) const TRACK: &str = "track";
/// Reads two logs that hold the same, and tracks them.
pub(crate) const TRACK_TWO: &str = "track-two";

/// No node has it.
const TAKEN_SERVER_ID: u32 = 1;

/// `port flavour transactions work`.
pub(crate) fn run(args: &[String]) {
    let [port, flavour, transactions, work] = args else {
        panic!("the reader's arguments");
    };
    let flavour = if flavour == "mariadb" {
        Flavour::MariaDb
    } else {
        Flavour::MySql
    };
    let (port, transactions) = (port.parse().unwrap(), transactions.parse().unwrap());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let open = || LogReader::spawn(options(port, flavour));
        let mut tracking = Tracking::default();
        match work.as_str() {
            DECODE => {
                let (mut log, _reader) = open();
                for _ in 0..transactions {
                    next(&mut log).await;
                }
            }
            TRACK => {
                let (mut log, _reader) = open();
                for _ in 0..transactions {
                    let transaction = next(&mut log).await;
                    tracking.push(Side::A, transaction.clone());
                    tracking.push(Side::B, transaction);
                }
                tracking.assert_settled(transactions);
            }
            TRACK_TWO => {
                let ((mut a, _reader_a), (mut b, _reader_b)) = (open(), open());
                let mut left = [transactions; 2];
                while left != [0; 2] {
                    let (side, transaction) = tokio::select! {
                        transaction = next(&mut a), if left[0] > 0 => (Side::A, transaction),
                        transaction = next(&mut b), if left[1] > 0 => (Side::B, transaction),
                    };
                    left[side.index()] -= 1;
                    tracking.push(side, transaction);
                }
                tracking.assert_settled(transactions);
            }
            other => panic!("{other} is no work for the reader"),
        }
    });
}

fn options(port: u16, flavour: Flavour) -> Options {
    let endpoint = Endpoint {
        address: Address::Tcp("127.0.0.1".into(), port),
        user: "root".into(),
        password: None,
        tls: ClientTls::Off,
    };
    let from = GtidSet::parse(flavour, "").unwrap();
    Options::new(endpoint, from, vec![TAKEN_SERVER_ID])
}

async fn next(log: &mut LogStream) -> Transaction {
    loop {
        match log.next().await.unwrap().unwrap() {
            Item::Transaction(received) => return *received.transaction,
            Item::Connected(_) | Item::Position(_) => {}
            Item::Reconnecting(why) => panic!("{}", why.cause),
        }
    }
}

/// The tracker, as the watcher uses it.
struct Tracking {
    tracker: Tracker,
    retired: usize,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            tracker: Tracker::new(Limits::default()),
            retired: 0,
        }
    }
}

impl Tracking {
    fn push(&mut self, log: Side, transaction: Transaction) {
        for table in self.tracker.unknown_tables(&transaction) {
            let keys = primary_key(&table);
            self.tracker.set_keys(table, Some(keys));
        }
        self.tracker.push(log, Side::A, transaction, None);
        while let Some(output) = self.tracker.next_output() {
            match output {
                Output::Retired(_) => self.retired += 1,
                Output::Verdict(verdict) => panic!("a verdict on equal logs: {verdict:?}"),
            }
        }
    }

    fn assert_settled(&self, transactions: usize) {
        assert_eq!(self.retired, transactions);
    }
}

/// The key of the one table that is written; of others none is asked for.
fn primary_key(_table: &TableName) -> TableKeys {
    TableKeys {
        unique: vec![UniqueKey {
            name: Arc::from("PRIMARY"),
            columns: vec![0],
        }],
        foreign: Vec::new(),
    }
}
