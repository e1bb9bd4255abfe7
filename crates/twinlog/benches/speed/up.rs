//! How long a proven pair takes, beside one server that is initialised and started by hand; and `twinlog status`.

use std::time::{Duration, Instant};

use twinlog_testbed::ServerKind;

use crate::{
    Length, by_hand,
    duo::Pair,
    machine,
    times::{Figures, verdict},
};

/// A proven pair, in servers by hand.
const PAIR_RATIO_MAX: f64 = 1.3;
const STATUS_MAX: Duration = Duration::from_millis(50);

/// Both by turns, after one that does not count.
pub(crate) fn up(kind: ServerKind, length: Length) {
    let runs = length.pick(5, 1);
    let (mut alone, mut pair) = (Figures::default(), Figures::default());
    for run in 0..=runs {
        let times = [by_hand::server(kind), time_up(&Pair::new(kind, ""))];
        if run > 0 {
            alone.push_seconds(times[0]);
            pair.push_seconds(times[1]);
        }
    }
    let ratio = pair.median() / alone.median();
    println!(
        "{:14} one server by hand {}; twinlog up, proven {}; ratio {ratio:.2}, goal {PAIR_RATIO_MAX}: {}",
        kind.name(),
        alone.in_seconds(),
        pair.in_seconds(),
        verdict(ratio <= PAIR_RATIO_MAX)
    );
}

fn time_up(pair: &Pair) -> Duration {
    let started = Instant::now();
    pair.up();
    started.elapsed()
}

/// From start to end, and how much of that on the processor.
pub(crate) fn status(kind: ServerKind, length: Length) {
    let runs = length.pick(20, 5);
    let pair = Pair::new(kind, "");
    pair.up();
    let (mut wall, mut processor) = (Figures::default(), Figures::default());
    for run in 0..=runs {
        let before = machine::children_time();
        let started = Instant::now();
        pair.twinlog.run(&["status"]).expect_code(0);
        if run > 0 {
            wall.push_seconds(started.elapsed());
            processor.push_seconds(machine::children_time().saturating_sub(before));
        }
    }
    println!(
        "{:14} {}, {:.1} ms of it on the processor; goal {} ms: {}",
        kind.name(),
        wall.in_milliseconds(),
        processor.sum() * 1000.0 / f64::from(runs),
        STATUS_MAX.as_millis(),
        verdict(wall.median() <= STATUS_MAX.as_secs_f64())
    );
}
