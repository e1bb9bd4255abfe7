//! The agent killed between every two statements of a repair: the next one settles it, and nothing is lost.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use twinlog_testbed::ServerKind;

use super::kit::{drained, equal, history, links, settles};
use super::tap::Tap;
use crate::support::Pair;

const RESTORE: [&str; 3] = [
    "DELETE FROM twinlog.conflict",
    "DELETE FROM shop.t",
    "INSERT INTO shop.t VALUES (1, 'x'), (3, 'x')",
];

/// A conflict, and what both nodes must hold in the end.
struct Crossing {
    /// What is written on a, and on b: in this order by the clocks of both.
    writes: &'static [(&'static str, &'static str)],
    ends_as: &'static [&'static [&'static str]],
    /// How many moments there are at least at which its repair can be cut.
    moments_min: usize,
}

/// a's write loses: b holds it, and is repaired.
const ON_ONE_NODE: Crossing = Crossing {
    writes: &[
        ("a", "UPDATE shop.t SET v = 'of a' WHERE id = 1"),
        ("b", "UPDATE shop.t SET v = 'of b' WHERE id = 1"),
    ],
    ends_as: &[&["1", "of b"], &["3", "x"]],
    moments_min: 7,
};

/// Both nodes move a row to one key, and each changes the one that the other moves. The last write of each node wins, the
/// moves lose: each node lacks a row, and has one that must go.
const ON_BOTH: Crossing = Crossing {
    writes: &[
        ("b", "UPDATE shop.t SET id = 2, v = 'of b 1' WHERE id = 1"),
        ("a", "UPDATE shop.t SET id = 2, v = 'of a 3' WHERE id = 3"),
        ("b", "UPDATE shop.t SET v = 'of b 3' WHERE id = 3"),
        ("a", "UPDATE shop.t SET v = 'of a 1' WHERE id = 1"),
    ],
    ends_as: &[&["1", "of a 1"], &["3", "of b 3"]],
    moments_min: 14,
};

/// Both nodes write while the links are down.
async fn cross(pair: &Pair, kind: ServerKind, crossing: &Crossing) {
    pair.exec("a", &RESTORE).await;
    drained(pair, kind).await;
    links(pair, kind, "STOP").await;
    for (at, (node, sql)) in crossing.writes.iter().enumerate() {
        // Where the log has only seconds, they decide.
        let clock = format!("SET timestamp = UNIX_TIMESTAMP() + {at}");
        pair.exec(node, &[&clock, sql]).await;
    }
    links(pair, kind, "START").await;
    drained(pair, kind).await;
}

/// What must be true in the end, wherever the agent was killed.
async fn is_settled(pair: &Pair, crossing: &Crossing, moment: usize) {
    let content = equal(pair).await;
    assert_eq!(content["shop.t"], crossing.ends_as, "killed at {moment}");
    let history = history(pair).await;
    let states: Vec<&String> = history.iter().map(|row| &row[3]).collect();
    assert!(
        states.iter().any(|state| *state == "repaired"),
        "killed at {moment}: {history:#?}"
    );
    for value in ["of a", "of b", "of a 1", "of a 3", "of b 1", "of b 3"] {
        let written = crossing
            .writes
            .iter()
            .any(|(_, sql)| sql.contains(&format!("'{value}'")));
        let kept = history
            .iter()
            .any(|row| row[5].contains(&format!("\"{value}\"")));
        assert!(
            kept || !written,
            "killed at {moment}: {value} is lost: {history:#?}"
        );
    }
}

/// Runs an agent that is killed at a moment of its repairs; whether it came to that.
async fn killed_at(pair: &Pair, tap: &Tap, moment: usize) -> bool {
    tap.hold_at(moment);
    let agent = pair.twinlog.spawn(&["run", "--once"]);
    let pid = Pid::from_raw(agent.pid().cast_signed());
    let mut ended = tokio::task::spawn_blocking(move || agent.wait());
    let killed = tokio::select! {
        () = tap.held() => {
            kill(pid, Signal::SIGKILL).unwrap();
            assert_eq!(ended.await.unwrap().code, None);
            true
        }
        output = &mut ended => {
            output.unwrap().expect_code(0);
            false
        }
    };
    tap.hold_at(0);
    killed
}

async fn killed_everywhere(kind: ServerKind) {
    let pair = Pair::proven(kind);
    pair.exec(
        "a",
        &[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))",
        ],
    )
    .await;
    let tap = Tap::on(&pair);
    for crossing in [ON_ONE_NODE, ON_BOTH] {
        let mut moment = 0;
        loop {
            moment += 1;
            cross(&pair, kind, &crossing).await;
            if !killed_at(&pair, &tap, moment).await {
                break;
            }
            settles(&pair);
            is_settled(&pair, &crossing, moment).await;
        }
        is_settled(&pair, &crossing, moment).await;
        println!("{kind}: killed at {} moments", moment - 1);
        assert!(moment > crossing.moments_min, "{moment}");
    }
}

// The tap works while a command is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql_9_7() {
    killed_everywhere(ServerKind::MySql97).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_10_11() {
    killed_everywhere(ServerKind::MariaDb1011).await;
}
