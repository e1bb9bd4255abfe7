//! The agent and its work, in lines below the links.

use jiff::Timestamp;
use twinlog_pair::{
    status::{AgentStatus, ConflictStatus, Status},
    watch_state::{ALL_TABLES, Comparisons, STATE_OPEN, STATE_REPAIRED},
};

use super::words;

/// How much of a GTID set is shown, in characters; `--json` has all of it.
const GTIDS_CHARS_MAX: usize = 80;

/// A label and what there is to say; empty where no node can tell.
pub(super) fn lines(status: &Status) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(agent) = &status.agent {
        lines.push(("agent", who(agent, &status.asked_at)));
        if let Some(settled) = settled(agent, status) {
            lines.push(("compared", settled));
        }
        if let Some(verified) = verified(&agent.verify, &status.asked_at) {
            lines.push(("verified", verified));
        }
    }
    if let Some(conflicts) = &status.conflicts {
        lines.push(("conflicts", history(conflicts)));
    }
    lines
}

fn who(agent: &AgentStatus, asked_at: &str) -> String {
    let place = match (&agent.host, agent.pid) {
        (Some(host), Some(pid)) => Some(format!("on {host}, process {pid}")),
        _ => None,
    };
    let Some(lock) = agent.locks.first() else {
        let last = agent.checkpoint_age_s.map(|age| {
            let place = place.map_or(String::new(), |place| format!(" {place},"));
            format!(
                "; the last one was here{place} {} ago",
                words::duration(age as u64)
            )
        });
        return format!("none runs{}", last.unwrap_or_default());
    };
    if !agent.running {
        return format!("holds its lock on {} alone", lock.node);
    }
    // Until it has written something, only the servers know of it.
    let Some(place) = place else {
        let from = lock.from.as_deref().unwrap_or("somewhere");
        return format!("runs, connected from {from}");
    };
    let since = |text: &str| text.parse::<Timestamp>().ok();
    let age = agent
        .started_at
        .as_deref()
        .and_then(since)
        .zip(since(asked_at))
        .map_or(String::new(), |(start, now)| {
            let seconds = now.duration_since(start).as_secs().max(0);
            format!(", for {}", words::duration(seconds.unsigned_abs()))
        });
    format!("runs {place}{age}{}", behind(agent))
}

fn behind(agent: &AgentStatus) -> String {
    let lags: Vec<String> = agent
        .lag_ms
        .iter()
        .map(|(node, ms)| format!("{} behind {node}", words::milliseconds(*ms)))
        .collect();
    match lags.as_slice() {
        [] => String::new(),
        lags => format!("; {}", lags.join(", ")),
    }
}

fn settled(agent: &AgentStatus, status: &Status) -> Option<String> {
    let settled = agent.settled.as_deref().filter(|text| !text.is_empty())?;
    let text: String = settled.split_whitespace().collect();
    let gtids = words::shorten(words::gtids(&text, &status.nodes), GTIDS_CHARS_MAX);
    let flight = match (agent.in_flight_transactions, agent.in_flight_keys) {
        (Some(transactions), Some(keys)) => {
            format!("; in flight: {transactions} transactions, {keys} keys")
        }
        _ => String::new(),
    };
    let open = match agent.verdicts_open {
        Some(count) if count > 0 => format!(", {count} conflicts not settled"),
        _ => String::new(),
    };
    let memory = match (agent.memory_bytes, agent.memory_limit_bytes) {
        (Some(used), Some(limit)) if limit > 0 => {
            format!(", {} of {}", words::bytes(used), words::bytes(limit))
        }
        _ => String::new(),
    };
    Some(format!("{gtids}{flight}{open}{memory}"))
}

/// What the agent's own comparisons of rows came to; nothing where it makes none and none was made.
fn verified(verify: &Comparisons, asked_at: &str) -> Option<String> {
    let seconds = |from: &str, to: &str| {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let passed = time(to)?.duration_since(time(from)?).as_secs();
        Some(words::duration(passed.max(0).unsigned_abs()))
    };
    let mut parts = Vec::new();
    if let Some(now) = &verify.under_way {
        let of = match now.of.as_str() {
            ALL_TABLES => "all tables",
            table => table,
        };
        let since =
            seconds(&now.began_at, asked_at).map_or(String::new(), |age| format!(" for {age}"));
        let done = match now.rows_estimated {
            0 => String::new(),
            // An estimate may be too small.
            all => format!(", {} %", (now.rows_done * 100 / all).min(99)),
        };
        parts.push(format!("comparing {of}{since}{done}"));
    }
    if let Some(last) = &verify.last {
        let ago =
            seconds(&last.ended_at, asked_at).map_or(String::new(), |age| format!(" {age} ago"));
        let found = match (last.differing_rows, last.tables_unknown) {
            (0, 0) => "equal".to_owned(),
            (0, unknown) => format!("{unknown} not known"),
            (rows, _) => format!("{rows} rows differed"),
        };
        parts.push(format!(
            "{} rows in {} tables{ago}: {found}",
            last.rows, last.tables
        ));
    }
    if let Some(next) = verify
        .next_at
        .as_deref()
        .filter(|_| verify.under_way.is_none())
    {
        let first = if verify.last.is_none() {
            "first"
        } else {
            "next"
        };
        if let Some(time) = seconds(asked_at, next) {
            parts.push(format!("{first} in {time}"));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn history(conflicts: &ConflictStatus) -> String {
    if conflicts.total == 0 {
        return "none found".into();
    }
    // Those that the servers count in states of their own; "open" is said more exactly.
    let others = conflicts
        .by_state
        .iter()
        .filter(|(state, _)| ![STATE_OPEN, STATE_REPAIRED].contains(&state.as_str()))
        .map(|(state, count)| (*count, state.as_str()));
    let parts: Vec<String> = [(conflicts.repaired, STATE_REPAIRED)]
        .into_iter()
        .chain(others)
        .chain([
            (conflicts.open, STATE_OPEN),
            (conflicts.waiting, "waiting for you"),
        ])
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match parts.as_slice() {
        [] => format!("{} found", conflicts.total),
        parts => format!("{} found: {}", conflicts.total, parts.join(", ")),
    }
}
