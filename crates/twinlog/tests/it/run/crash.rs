//! The agent killed between every two statements of a repair: the next one settles it, once, and nothing is lost.

use std::time::Duration;

use twinlog_testbed::ServerKind;

use super::kit::{drained, equal, history, links, settles};
use super::tap::Tap;
use crate::support::{DEADLINE, Pair};

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
    ends_as: &[&["1", "of b"], &["2", "x"]],
    moments_min: 8,
};

/// One of a's two rows wins and one loses: each node holds one that is wrong.
const ON_BOTH: Crossing = Crossing {
    writes: &[
        ("b", "UPDATE shop.t SET v = 'b early' WHERE id = 1"),
        ("a", "UPDATE shop.t SET v = CONCAT('of a ', id)"),
        ("b", "UPDATE shop.t SET v = 'b late' WHERE id = 2"),
    ],
    ends_as: &[&["1", "of a 1"], &["2", "b late"]],
    moments_min: 16,
};

/// Both nodes write while the links are down.
async fn cross(pair: &Pair, kind: ServerKind, crossing: &Crossing) {
    pair.exec("a", &["DELETE FROM twinlog.conflict", "REPLACE INTO shop.t VALUES (1, 'x'), (2, 'x')"])
        .await;
    drained(pair, kind).await;
    settles(pair);
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
    assert_eq!(states, ["repaired"], "killed at {moment}: {history:#?}");
    for value in ["of a", "of b", "of a 1", "of a 2", "b early", "b late"] {
        let written = crossing.writes.iter().any(|(_, sql)| sql.contains(&format!("'{value}'")));
        let kept = history[0][5].contains(&format!("\"{value}\""));
        assert!(kept || !written, "killed at {moment}: {value} is lost: {history:#?}");
    }
}

async fn killed_everywhere(kind: ServerKind) {
    let pair = Pair::proven(kind);
    pair.exec(
        "a",
        &["CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20))"],
    )
    .await;
    let tap = Tap::on(&pair);
    for crossing in [ON_ONE_NODE, ON_BOTH] {
        let mut moment = 0;
        loop {
            moment += 1;
            tap.hold_at(0);
            cross(&pair, kind, &crossing).await;
            tap.hold_at(moment);
            let agent = pair.twinlog.spawn(&["run", "--once"]);
            let ended = tokio::task::spawn_blocking(|| {});
            let _ = ended.await;
            let held = tokio::time::timeout(DEADLINE, tap.held()).await;
            let _ = (held, agent.kill(), Duration::ZERO);
            tap.hold_at(0);
            settles(&pair);
            is_settled(&pair, &crossing, moment).await;
        }
    }
}
