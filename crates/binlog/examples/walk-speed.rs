//! How many rows of 200 bytes are walked in a second on one core, alone and with what a tracker does with each:
//!
//!     cargo run --release --package twinlog-binlog --example walk-speed
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::{hint::black_box, sync::Arc, time::Instant};

use bytes::Bytes;
use twinlog_binlog::{Column, ColumnType, Image, Rows, RowsKind, Spans, Table};
use xxhash_rust::xxh3::xxh3_128;

/// Rows in all, and in one event: the server ends an event after 8 KiB.
const ROWS: u32 = 2_000_000;
const ROWS_PER_EVENT: u32 = 40;
/// The best of so many runs counts: others share the machine.
const RUNS: usize = 5;

fn main() {
    let events = events();
    measure("walk", &events, |_| {});
    measure("walk, one column", &events, |image| {
        // One walk over the columns before, for each.
        black_box(image.column(0)).ok();
    });
    let mut spans = Spans::default();
    measure("walk, locate, hash of the key", &events, |image| {
        if image.locate(&mut spans).is_ok() {
            let key = spans.get(&image, 0).bytes().unwrap_or_default();
            black_box(xxh3_128(key));
        }
    });
    measure("walk, locate, hash of key and row", &events, |image| {
        if image.locate(&mut spans).is_ok() {
            let key = spans.get(&image, 0).bytes().unwrap_or_default();
            black_box((xxh3_128(key), xxh3_128(image.bytes())));
        }
    });
    measure("walk, to_owned", &events, |image| {
        black_box(image.to_owned());
    });
    measure("walk, all values", &events, |image| {
        black_box(image.values(&[])).ok();
    });
}

fn measure(what: &str, events: &[Rows], mut each: impl FnMut(Image<'_>)) {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        let mut rows = 0_u32;
        for change in events.iter().flatten().flatten() {
            rows += 1;
            if let Some(image) = change.after {
                each(image);
            }
        }
        assert_eq!(rows, ROWS);
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{what:35} {:7.2} million rows/s",
        f64::from(ROWS) / best / 1e6
    );
}

/// The table of sysbench: id INT, k INT, c CHAR(120), pad CHAR(60).
fn events() -> Vec<Rows> {
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
        column(ColumnType::Long, 0),
        column(ColumnType::Long, 0),
        column(ColumnType::String, 480),
        column(ColumnType::String, 240),
    ];
    let table = Arc::new(Table::new(1, "sb".into(), "t".into(), columns, vec![0]));
    (0..ROWS / ROWS_PER_EVENT)
        .map(|event| {
            let mut data = Vec::new();
            for row in event * ROWS_PER_EVENT..(event + 1) * ROWS_PER_EVENT {
                data.push(0xf0);
                data.extend(row.to_le_bytes());
                data.extend((row % 1000).to_le_bytes());
                data.extend([119, 0]);
                data.extend([b'a' + (row % 26) as u8; 119]);
                data.push(59);
                data.extend([b'z'; 59]);
            }
            Rows {
                table: Arc::clone(&table),
                kind: RowsKind::Insert,
                present: Bytes::from_static(&[0xff]),
                present_after: Bytes::from_static(&[0xff]),
                data: data.into(),
            }
        })
        .collect()
}
