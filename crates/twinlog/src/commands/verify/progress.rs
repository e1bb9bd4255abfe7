//! How far it is: one line that moves on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use twinlog_agent::verify::{Progress, Seen};

use crate::output::tell;

const EVERY: Duration = Duration::from_millis(500);
/// A log has a line so often.
const EVERY_LOGGED: Duration = Duration::from_secs(30);

/// Tells how far it is until it is dropped.
pub(super) async fn show(progress: Arc<Progress>) {
    let began = Instant::now();
    let is_terminal = std::io::stderr().is_terminal();
    loop {
        sleep(if is_terminal { EVERY } else { EVERY_LOGGED }).await;
        let line = line(progress.seen(), began.elapsed());
        if is_terminal {
            let mut out = anstream::stderr();
            // Nobody listening is no reason to stop.
            let _ = write!(out, "\r\x1b[K\x1b[2m{line}\x1b[0m").and_then(|()| out.flush());
        } else {
            tell(&line);
        }
    }
}

/// Takes the line away.
pub(crate) fn clear() {
    if std::io::stderr().is_terminal() {
        let _ = write!(anstream::stderr(), "\r\x1b[K");
    }
}

fn line(seen: Seen, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let rate = seen.rows as f64 / seconds.max(0.001);
    let all = seen.rows_estimated.max(seen.rows);
    let percent = 100 * seen.rows / all.max(1);
    let left = (all - seen.rows) as f64 / rate.max(1.0);
    let mut line = format!(
        "{percent} %: {} of {} tables, {} rows, {}/s",
        seen.tables,
        seen.tables_all,
        short(seen.rows),
        short(rate as u64)
    );
    if seen.rows > 0 && all > seen.rows {
        line += &format!(", {} left", time(left));
    }
    if seen.found > 0 {
        line += &format!(", {} differ", seen.found);
    }
    if seen.suspects > 0 {
        line += &format!(", {} looked at again", short(seen.suspects));
    }
    if seen.waits_for_links {
        line += "; waits until the links have caught up";
    } else if seen.busy > 0 {
        line += "; rests for clients";
    }
    line
}

/// A number in three digits or so.
fn short(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..10_000_000 => format!("{}k", number / 1000),
        _ => format!("{}M", number / 1_000_000),
    }
}

fn time(seconds: f64) -> String {
    match seconds as u64 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_rate_and_time_left() {
        let seen = Seen {
            rows: 500_000,
            rows_estimated: 2_000_000,
            tables: 1,
            tables_all: 4,
            found: 2,
            suspects: 12,
            busy: 3,
            waits_for_links: false,
        };
        assert_eq!(
            line(seen, Duration::from_secs(2)),
            "25 %: 1 of 4 tables, 500k rows, 250k/s, 6 s left, 2 differ, 12 looked at again; rests for clients"
        );
        let waits = Seen {
            waits_for_links: true,
            ..Seen::default()
        };
        assert_eq!(
            line(waits, Duration::ZERO),
            "0 %: 0 of 0 tables, 0 rows, 0/s; waits until the links have caught up"
        );
    }
}
