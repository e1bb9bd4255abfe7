//! How long a proven pair takes, beside one server that is initialised and started by hand; and `twinlog status`.
//!
//! Both are measured by turns in the same minute, because a machine's speed changes more from minute to minute than
//! what is compared here. It reports; it does not fail.

#![expect(clippy::print_stdout, reason = "the report")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails says where")]

mod by_hand;
mod machine;

use std::time::{Duration, Instant};

use twinlog_testbed::{Port, ServerKind, TestDir, Twinlog, free_port};

const RUNS: usize = 5;
const STATUS_RUNS: usize = 20;
/// A proven pair, in servers by hand.
const PAIR_RATIO_MAX: f64 = 1.3;
const STATUS_MAX: Duration = Duration::from_millis(50);

fn main() {
    println!("{}", machine::describe());
    println!(
        "medians of {RUNS} runs by turns, after one that does not count (min–max)\n\n{:18}{:26}{:26}{:>7}",
        "", "one server by hand", "twinlog up, proven", "ratio"
    );
    for kind in [ServerKind::MySql97, ServerKind::MariaDb1011] {
        compare(kind);
    }
    println!("a pair's target: {PAIR_RATIO_MAX} servers\n");
    status(ServerKind::MariaDb1011);
    println!("\nload at the end: {}", machine::load());
}

fn compare(kind: ServerKind) {
    let (mut alone, mut pair) = (Times::default(), Times::default());
    for run in 0..=RUNS {
        let times = [by_hand::server(kind), Pair::new(kind).time_up()];
        if run > 0 {
            alone.0.push(times[0]);
            pair.0.push(times[1]);
        }
    }
    let ratio = pair.median().as_secs_f64() / alone.median().as_secs_f64();
    let verdict = if ratio > PAIR_RATIO_MAX {
        "missed"
    } else {
        "met"
    };
    println!(
        "{:18}{:26}{:26}{ratio:>7.2}  {verdict}",
        kind.name(),
        alone.in_seconds(),
        pair.in_seconds()
    );
}

/// A pair that is yet to be built.
struct Pair {
    twinlog: Twinlog,
    /// Held as long as the pair is.
    _ports: [Port; 2],
    _dir: TestDir,
}

impl Pair {
    fn new(kind: ServerKind) -> Self {
        let (dir, ports) = (TestDir::new(), [free_port(), free_port()]);
        let twinlog = Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), &dir);
        // `user` matters only for root.
        let toml = format!(
            "[server]\nbinary = \"{}\"\nuser = \"{}\"\n[nodes.a]\nport = {}\n[nodes.b]\nport = {}\n",
            kind.server_binary().display(),
            by_hand::STAND_IN,
            ports[0],
            ports[1]
        );
        twinlog.write("twinlog.toml", &toml);
        Self {
            twinlog,
            _ports: ports,
            _dir: dir,
        }
    }

    fn time_up(&self) -> Duration {
        let started = Instant::now();
        let output = self.twinlog.run(&["up"]);
        let took = started.elapsed();
        assert_eq!(output.expect_code(0).matches(": proven").count(), 2);
        took
    }
}

fn status(kind: ServerKind) {
    let pair = Pair::new(kind);
    if pair.twinlog.run(&["status", "--help"]).code != Some(0) {
        println!("twinlog status: not measured, this twinlog has no such command");
        return;
    }
    pair.time_up();
    let mut wall = Times::default();
    let mut processor = Duration::ZERO;
    for run in 0..=STATUS_RUNS {
        let before = machine::children_time();
        let started = Instant::now();
        pair.twinlog.run(&["status"]).expect_code(0);
        if run > 0 {
            wall.0.push(started.elapsed());
            processor += machine::children_time().saturating_sub(before);
        }
    }
    let verdict = if wall.median() > STATUS_MAX {
        "missed"
    } else {
        "met"
    };
    println!(
        "twinlog status on {}: {} from start to end, {:.1} ms of it on the processor; target {} ms: {verdict}",
        kind.name(),
        wall.in_milliseconds(),
        processor.as_secs_f64() * 1000.0 / STATUS_RUNS as f64,
        STATUS_MAX.as_millis()
    );
}

#[derive(Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    fn sorted(&self) -> Vec<Duration> {
        let mut times = self.0.clone();
        times.sort();
        times
    }

    fn median(&self) -> Duration {
        self.sorted()[self.0.len() / 2]
    }

    fn in_seconds(&self) -> String {
        self.spread(|time| format!("{:.2}", time.as_secs_f64()), "s")
    }

    fn in_milliseconds(&self) -> String {
        self.spread(|time| format!("{:.0}", time.as_secs_f64() * 1000.0), "ms")
    }

    fn spread(&self, shown: impl Fn(Duration) -> String, unit: &str) -> String {
        let sorted = self.sorted();
        let [median, min, max] = [self.median(), sorted[0], sorted[sorted.len() - 1]].map(shown);
        format!("{median} {unit} ({min}–{max})")
    }
}
