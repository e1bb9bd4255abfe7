//! Any events, with headers that fit them: the decoder and all that reads rows give an error or an output.
//!
//! The input is a byte for the flavour, and then events: the type, the low byte of the flags, the length of the body in two
//! bytes (the low one first), and the body. Headers, a rotate and a format description are put before them here, so that the
//! fuzzer need not find out lengths and checksums.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use twinlog_binlog::{Change, Decoder, EventType, Flavour, Output, Transaction};

fuzz_target!(|input: &[u8]| {
    let Some((&flavour, mut rest)) = input.split_first() else {
        return;
    };
    let mut decoder = Decoder::new(if flavour & 1 == 0 {
        Flavour::MySql
    } else {
        Flavour::MariaDb
    });
    let _ = decoder.push(event(
        EventType::ROTATE_EVENT,
        0x20,
        b"\x04\0\0\0\0\0\0\0binlog.000001",
    ));
    let _ = decoder.push(event(
        EventType::FORMAT_DESCRIPTION_EVENT,
        0,
        &format_description(),
    ));
    while let Some((&[kind, flags, low, high], after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_le_bytes([low, high])).min(after.len());
        let (body, after) = after.split_at(len);
        rest = after;
        match decoder.push(event(EventType(kind), flags, body)) {
            Ok(Output::Transaction(it)) => look_at(&it),
            Ok(_) => {}
            Err(error) => {
                let _ = (error.to_string(), error.hint());
                return;
            }
        }
    }
});

/// Every row and every value of it.
fn look_at(transaction: &Transaction) {
    for change in &transaction.changes {
        let Change::Rows(rows) = change else { continue };
        for change in rows {
            let Ok(change) = change else { break };
            for image in [change.before, change.after].into_iter().flatten() {
                let _ = image.values(&[]);
            }
        }
    }
}

fn event(kind: EventType, flags: u8, body: &[u8]) -> Bytes {
    let mut bytes = vec![0, 0, 0, 0, kind.0, 1, 0, 0, 0];
    bytes.extend((19 + body.len() as u32).to_le_bytes());
    bytes.extend([0, 1, 0, 0, flags, 0]);
    bytes.extend(body);
    bytes.into()
}

/// Version 4, no checksums, and the lengths of the fixed parts that all supported servers have.
fn format_description() -> Vec<u8> {
    let mut body = vec![0; 2 + 50 + 4];
    body[0] = 4;
    body.push(19);
    let mut lens = [0_u8; 175];
    for (kind, len) in [
        (2, 13),
        (165, 13),
        (18, 26),
        (19, 8),
        (23, 8),
        (24, 8),
        (25, 8),
    ] {
        lens[kind - 1] = len;
    }
    for (kind, len) in [(30, 10), (31, 10), (32, 10), (166, 8), (167, 8), (168, 8)] {
        lens[kind - 1] = len;
    }
    body.extend(lens);
    body.extend([0; 5]);
    body
}
