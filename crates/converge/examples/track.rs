//! How fast the tracker is, and what it keeps: `cargo run --release -p twinlog-converge --example track -- [changes]`.
//!
//! Synthetic transactions of row changes with 200 bytes go through both logs, one log some way ahead of the other, in
//! small and in large transactions, with and without contention. Only the tracker's own time on its core counts.

#![allow(clippy::print_stdout, reason = "it is a program for people")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use twinlog_binlog::{
    Change, Column, ColumnType, CommitTime, Gtid, Rows, RowsKind, Table, Transaction,
};
use twinlog_converge::{Limits, Output, Side, TableKeys, TableName, Tracker, UniqueKey, Verdict};

/// The changes that are made before any is tracked, so that making them is not measured.
const BATCH: u64 = 100_000;

struct Shape {
    name: &'static str,
    rows_per_transaction: u64,
    updates: bool,
    /// How many transactions of the same side the second log is behind.
    lag: u64,
    /// One in so many transactions meets one of the other side on its first row; 0 for none.
    contended: u64,
}

const SHAPES: [Shape; 6] = [
    Shape {
        name: "inserts, 10 a transaction",
        rows_per_transaction: 10,
        updates: false,
        lag: 100,
        contended: 0,
    },
    Shape {
        name: "updates, 10 a transaction",
        rows_per_transaction: 10,
        updates: true,
        lag: 100,
        contended: 0,
    },
    Shape {
        name: "updates, 1 a transaction",
        rows_per_transaction: 1,
        updates: true,
        lag: 100,
        contended: 0,
    },
    Shape {
        name: "inserts, 1000 a transaction",
        rows_per_transaction: 1000,
        updates: false,
        lag: 10,
        contended: 0,
    },
    Shape {
        name: "updates, 10 a transaction, 20,000 behind",
        rows_per_transaction: 10,
        updates: true,
        lag: 20_000,
        contended: 0,
    },
    Shape {
        name: "updates, 10 a transaction, 1 % in conflict",
        rows_per_transaction: 10,
        updates: true,
        lag: 100,
        contended: 100,
    },
];

fn table() -> Arc<Table> {
    let column = |kind, meta| Column {
        kind,
        meta,
        nullable: false,
        unsigned: Some(false),
        collation: None,
        name: None,
        members: Vec::new(),
    };
    let columns = vec![
        column(ColumnType::LongLong, 0),
        column(ColumnType::Long, 0),
        column(ColumnType::VarChar, 120),
        column(ColumnType::VarChar, 60),
    ];
    Arc::new(Table::new(
        1,
        "bench".into(),
        "rows".into(),
        columns,
        vec![0],
    ))
}

/// 200 bytes.
fn image(id: u64, value: u32, to: &mut Vec<u8>) {
    to.push(0xf0);
    to.extend(id.to_le_bytes());
    to.extend(value.to_le_bytes());
    to.push(120);
    to.extend([b'c'; 120]);
    to.push(65);
    to.extend([b'p'; 65]);
}

fn transaction(
    shape: &Shape,
    table: &Arc<Table>,
    number: u64,
    origin: Side,
    first: u64,
    from: u32,
    to: u32,
) -> Transaction {
    let mut data = Vec::new();
    for row in 0..shape.rows_per_transaction {
        // The first row may be one that the other side writes too; the others are its own.
        let id = if row == 0 {
            first
        } else {
            number * 2000 + row * 2 + origin.index() as u64
        };
        if shape.updates {
            image(id, from, &mut data);
        }
        image(id, to, &mut data);
    }
    let size_bytes = data.len();
    Transaction {
        gtid: Some(Gtid::MySql {
            uuid: [origin.index() as u8; 16],
            tag: None,
            sequence: number,
        }),
        server_id: 1 + origin.index() as u32,
        committed: CommitTime {
            micros: number,
            exact: true,
        },
        logged_us: None,
        changes: vec![Change::Rows(Rows {
            table: Arc::clone(table),
            kind: if shape.updates {
                RowsKind::Update
            } else {
                RowsKind::Insert
            },
            present: Bytes::from_static(&[0xff]),
            present_after: Bytes::from_static(&[0xff]),
            data: data.into(),
        })],
        xa: None,
        file: "binlog.000001".into(),
        start: 0,
        end: 0,
        size_bytes,
    }
}

fn follow(tracker: &mut Tracker) {
    let name = TableName {
        database: "bench".into(),
        name: "rows".into(),
    };
    let primary = UniqueKey {
        name: "PRIMARY".into(),
        columns: vec![0],
    };
    tracker.set_keys(
        name,
        Some(TableKeys {
            unique: vec![primary],
            foreign: vec![],
        }),
    );
}

fn run(shape: &Shape, changes: u64) {
    let table = table();
    let mut tracker = Tracker::new(Limits {
        memory_bytes: 1 << 30,
    });
    follow(&mut tracker);
    let pairs = changes / shape.rows_per_transaction / 2;
    let per_batch = (BATCH / shape.rows_per_transaction / 2).max(1);
    let (mut spent, mut episodes, mut retired) = (Duration::ZERO, 0_u64, 0_u64);
    let (mut most, mut most_changes) = (0, 0);
    let mut next = 0;
    // Both sides commit alike; each log has its own transactions at once and the peer's `lag` later.
    while next < pairs + shape.lag {
        let mut batch = Vec::new();
        for at in next..next + per_batch {
            for log in Side::BOTH {
                for (origin, number) in [(log, Some(at)), (log.peer(), at.checked_sub(shape.lag))] {
                    let Some(number) = number.filter(|&number| number < pairs) else {
                        continue;
                    };
                    let meets = shape.contended > 0 && number % shape.contended == 0;
                    let first = number * 2000 + if meets { 0 } else { origin.index() as u64 };
                    let value = |side: Side| if meets { 10 + side.index() as u32 } else { 10 };
                    let before = if log == origin || !meets {
                        1
                    } else {
                        value(log)
                    };
                    batch.push((
                        log,
                        origin,
                        transaction(shape, &table, number, origin, first, before, value(origin)),
                    ));
                }
            }
        }
        let start = cpu_time();
        for (log, origin, transaction) in batch {
            tracker.push(log, origin, transaction, None);
            while let Some(output) = tracker.next_output() {
                match output {
                    Output::Verdict(Verdict::Episode(_)) => episodes += 1,
                    Output::Verdict(verdict) => println!("{verdict:?}"),
                    Output::Retired(_) => retired += 1,
                }
            }
        }
        spent += cpu_time() - start;
        next += per_batch;
        let load = tracker.load();
        if load.memory_bytes > most {
            most = load.memory_bytes;
            most_changes = load.transactions as u64 * shape.rows_per_transaction;
        }
    }
    let seen = pairs * 2 * shape.rows_per_transaction;
    assert_eq!(retired, pairs * 2);
    println!(
        "{:<44} {:>6.2} million changes a second, each in both logs ({:>4.0} ns); {:>5} bytes a change in flight; {episodes} episodes",
        shape.name,
        seen as f64 / spent.as_secs_f64() / 1e6,
        spent.as_secs_f64() * 1e9 / seen as f64,
        most as u64 / most_changes.max(1),
    );
}

/// Both sides write the same row so many times each while the links stand still; then both logs show the rest.
fn outage(changes: u64) {
    let shape = Shape {
        name: "one row on both sides, links stopped",
        rows_per_transaction: 1,
        updates: true,
        lag: changes,
        contended: 1,
    };
    let table = table();
    let mut tracker = Tracker::new(Limits::default()).keeping();
    follow(&mut tracker);
    let changes = u32::try_from(changes).unwrap_or(u32::MAX);
    let (mut episodes, mut writes, mut most) = (0_u64, 0, 0);
    let start = cpu_time();
    for copies in [false, true] {
        for at in 0..changes {
            for origin in Side::BOTH {
                let base = changes * origin.index() as u32;
                let other = changes * origin.peer().index() as u32;
                let (before, log) = match (at, copies) {
                    (0, false) => (0, origin),
                    (_, false) => (base + at, origin),
                    (0, true) => (other + changes, origin.peer()),
                    (_, true) => (base + at, origin.peer()),
                };
                let number = u64::from(at) + 1;
                let it = transaction(&shape, &table, number, origin, 1, before, base + at + 1);
                tracker.push(log, origin, it, None);
                while let Some(output) = tracker.next_output() {
                    match output {
                        Output::Verdict(Verdict::Episode(episode)) => {
                            (episodes, writes) = (episodes + 1, episode.writes.len());
                            tracker.resolved(episodes);
                        }
                        Output::Verdict(verdict) => println!("{verdict:?}"),
                        Output::Retired(_) => {}
                    }
                }
            }
            if at % 1000 == 0 {
                most = most.max(tracker.load().memory_bytes);
            }
        }
    }
    let spent = cpu_time() - start;
    println!(
        "{:<44} {changes} on each side in {:.2} s; {} MiB in flight at most; {episodes} episodes, the last of {writes} writes",
        shape.name,
        spent.as_secs_f64(),
        most >> 20,
    );
}

/// What this thread has had of a core: other programs do not count. From the kernel's `schedstat`.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanos = text
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

fn main() {
    let changes = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000_000);
    for shape in &SHAPES {
        run(shape, changes);
    }
    for changes in [changes / 200, changes / 100, changes / 40] {
        outage(changes);
    }
}
