//! From the start of an agent to its end, in whatever way that comes.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twinlog_testbed::{Running, ServerKind};

use super::kit::{equal, finds_nothing, history, settles};
use super::load::Load;
use crate::support::Pair;

/// A stop takes no longer.
const STOP_MAX: Duration = Duration::from_secs(2);
/// The lines of an agent that has begun to read.
const READS: [&str; 2] = ["reading the log of", "reading the log of"];

fn watching(pair: &Pair) -> Running {
    let mut agent = pair.twinlog.spawn(&["run"]);
    for line in READS {
        agent.wait_for_line(line);
    }
    agent
}

fn send(agent: &Running, signal: Signal) {
    kill(Pid::from_raw(agent.pid().cast_signed()), signal).unwrap();
}

/// Asked to stop, it does so at once, and well.
fn stops_at(pair: &Pair, signal: Signal) {
    let agent = watching(pair);
    send(&agent, signal);
    let asked = Instant::now();
    let output = agent.wait();
    assert!(
        asked.elapsed() < STOP_MAX,
        "{signal}: {:?}",
        asked.elapsed()
    );
    assert_eq!(output.expect_code(0), "");
    let last = output.stderr.lines().last().unwrap_or_default();
    assert_eq!(
        last, "stopped; the next start goes on from here",
        "{}",
        output.stderr
    );
}

/// Two agents: one works, the other says who, and takes its place.
fn one_at_a_time(pair: &Pair, kind: ServerKind) {
    let first = watching(pair);
    let mut second = pair.twinlog.spawn(&["run"]);
    let line = second.wait_for_line("trying again");
    let mut says = vec![
        "another agent holds the lock on a: connection ",
        " of 'twinlog' from localhost",
    ];
    let process = format!(", process {} there", first.pid());
    // MariaDB's performance schema, which would tell, is off.
    if kind == ServerKind::MySql97 {
        says.push(&process);
    }
    for part in says {
        assert!(line.contains(part), "no {part}: {line}");
    }
    // One that waits can be stopped, too.
    let mut third = pair.twinlog.spawn(&["run"]);
    third.wait_for_line("trying again");
    send(&third, Signal::SIGTERM);
    third.wait().expect_code(0);
    first.kill();
    second.wait_for_line("reading both logs from");
}

/// Killed again and again while clients of both nodes write the same rows: the next one settles all, and of what was
/// written nothing is lost.
async fn killed_under_load(pair: &Pair, kind: ServerKind) {
    let [a, b] = pair.both();
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT)",
    ])
    .await;
    let rows: Vec<String> = (0..5).map(|id| format!("({id}, '')")).collect();
    a.run(&[&format!("INSERT INTO shop.t VALUES {}", rows.join(", "))])
        .await;
    b.wait_for_rows("SELECT COUNT(*) FROM shop.t", &vec![vec!["5".into()]])
        .await;
    let write = |node: char| {
        move |number: u64| {
            let id = number.wrapping_mul(7) % 5;
            vec![format!(
                "UPDATE shop.t SET v = CONCAT(v, '~{node}{number}~') WHERE id = {id}"
            )]
        }
    };
    let loads = [Load::start(a, write('a')), Load::start(b, write('b'))];
    for delay_ms in [0, 40, 150, 400, 800] {
        let mut agent = pair.twinlog.spawn(&["run"]);
        agent.wait_for_line("reading both logs from");
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        agent.kill();
    }
    let mut written = Vec::new();
    for (node, load) in ['a', 'b'].into_iter().zip(loads) {
        written.extend((0..load.stop().await).map(|number| format!("~{node}{number}~")));
    }
    let summary = settles(pair);
    println!("{kind}: {} writes; {summary}", written.len());
    let content = equal(pair).await;
    let history = history(pair).await;
    let kept: Vec<&String> = content["shop.t"]
        .iter()
        .flatten()
        .chain(history.iter().map(|row| &row[5]))
        .collect();
    let lost: Vec<&String> = written
        .iter()
        .filter(|mark| !kept.iter().any(|text| text.contains(*mark)))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(!history.is_empty());
    finds_nothing(pair, kind).await;
}

async fn live_and_die(kind: ServerKind) {
    let pair = Pair::proven(kind);
    stops_at(&pair, Signal::SIGTERM);
    stops_at(&pair, Signal::SIGINT);
    one_at_a_time(&pair, kind);
    killed_under_load(&pair, kind).await;
}

// Clients write while a command is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql_9_7() {
    live_and_die(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_10_11() {
    live_and_die(ServerKind::MariaDb1011).await;
}
