//! Damaged logs: always an error or an output, never a panic, and never more memory than the limits allow.

use std::env;

use bytes::Bytes;
use twinlog_binlog::{Change, Decoder, EventType, Output, Transaction};

use crate::logs::{Log, all, types};

/// How many damaged logs are decoded; `TWINLOG_MUTATIONS` asks for more.
const MUTATIONS: u64 = 3_000;

/// xorshift64*: a seed is all that is needed to see a failure again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

#[test]
fn damaged_logs_never_panic() {
    let asked = env::var("TWINLOG_MUTATIONS")
        .ok()
        .and_then(|it| it.parse().ok());
    let logs: Vec<_> = all()
        .into_iter()
        .chain(types())
        .map(|log| unpacked(log.without_checksums()))
        .collect();
    for seed in 1..=asked.unwrap_or(MUTATIONS) {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let log = &logs[random.below(logs.len())];
        let damaged = damage(log, random);
        let outcome = std::panic::catch_unwind(|| decode(log, &damaged));
        assert!(outcome.is_ok(), "seed {seed} of {}", log.name);
    }
}

/// To the first error, as a reader does.
fn decode(log: &Log, events: &[Bytes]) {
    let mut decoder = Decoder::new(log.flavour);
    for event in events {
        match decoder.push(event.clone()) {
            Ok(Output::Transaction(it)) => look_at(&it),
            Ok(_) => {}
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
}

/// Every row and every value of it.
fn look_at(transaction: &Transaction) {
    for change in &transaction.changes {
        let Change::Rows(rows) = change else { continue };
        assert!(transaction.size_bytes > rows.data.len());
        for change in rows {
            let Ok(change) = change else { break };
            for image in [change.before, change.after].into_iter().flatten() {
                drop(image.values(&[]));
            }
        }
    }
}

/// Compressed transactions with their events as they are, so that those are damaged too.
fn unpacked(mut log: Log) -> Log {
    for event in &mut log.events {
        if EventType(event[4]) == EventType::TRANSACTION_PAYLOAD_EVENT {
            // The fields end before the magic number of zstd.
            let magic = event.windows(4).position(|it| it == b"\x28\xb5\x2f\xfd");
            let stream = &event[magic.expect("zstd")..];
            let inner = zstd::stream::decode_all(stream).expect("decompresses");
            // COMPRESSION, of one byte packed into three: 255, which is none; and the end of the fields.
            let mut plain = event[..19].to_vec();
            plain.extend([2, 3, 252, 255, 0, 0]);
            plain.extend(inner);
            set_len(&mut plain);
            *event = plain.into();
        }
    }
    log
}

fn set_len(event: &mut [u8]) {
    let len = event.len() as u32;
    event[9..13].copy_from_slice(&len.to_le_bytes());
}

/// A few changes: of bytes, numbers and lengths, and of the events' order.
fn damage(log: &Log, random: &mut Random) -> Vec<Bytes> {
    let mut events = log.events.clone();
    for _ in 0..=random.below(4) {
        let at = random.below(events.len());
        match random.below(12) {
            0 => drop(events.remove(at)),
            1 => events.insert(at, events[random.below(events.len())].clone()),
            2 => {
                let other = random.below(events.len());
                events.swap(at, other);
            }
            _ => {
                let mut event = events[at].to_vec();
                damage_event(&mut event, random);
                events[at] = event.into();
            }
        }
        if events.is_empty() {
            break;
        }
    }
    events
}

fn damage_event(event: &mut Vec<u8>, random: &mut Random) {
    const TELLING: [u8; 12] = [0, 1, 2, 0x3f, 0x7f, 0x80, 250, 251, 252, 253, 254, 255];
    for _ in 0..=random.below(3) {
        if event.is_empty() {
            return;
        }
        // Rarely in the header, where little is to be found.
        let from = if random.below(8) == 0 {
            0
        } else {
            19.min(event.len() - 1)
        };
        let at = from + random.below(event.len() - from);
        match random.below(6) {
            0 => event[at] ^= 1 << random.below(8),
            1 => event[at] = random.next() as u8,
            2 => event.truncate(at),
            3 => event.insert(at, TELLING[random.below(TELLING.len())]),
            4 => drop(event.remove(at)),
            _ => event[at] = TELLING[random.below(TELLING.len())],
        }
    }
    // Mostly with the right length: what has a wrong one is refused at once.
    if event.len() >= 19 && random.below(10) != 0 {
        set_len(event);
    }
}
