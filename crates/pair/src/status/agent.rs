//! The agent and what it has found: from what both nodes show of it to a part of the [`Status`](super::Status), pure.

mod sentences;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::NodeReport;
use crate::{
    config::Config,
    watch_state::{
        AgentState, Checkpoint, Comparisons, LockHolder, STATE_REPAIRED, ToVerify, Watched,
    },
};
pub(super) use sentences::{notes, problems};

/// The agent, `twinlog run`: whether one runs, and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AgentStatus {
    /// Whether one holds its lock on both nodes, as it must to resolve.
    pub running: bool,
    /// The nodes on which an agent holds its lock.
    pub locks: Vec<AgentLock>,
    /// The host it runs on, or the last one ran on; `null`, as all that it says of itself, while one runs that has not
    /// written anything yet.
    pub host: Option<String>,
    /// Its process id there.
    pub pid: Option<u32>,
    /// Whether it, or the last one, is there to go on until it is stopped, as `run --once` is not.
    pub stays: bool,
    /// Since when it runs, RFC 3339, UTC.
    pub started_at: Option<String>,
    /// When it last wrote down how far it has come, RFC 3339, UTC; `null` where none ever did.
    pub checkpoint_at: Option<String>,
    /// How long ago that was.
    pub checkpoint_age_s: Option<f64>,
    /// The settled point: transactions that both nodes have executed and that were compared, as GTIDs.
    pub settled: Option<String>,
    /// Clients' transactions that not both nodes have executed yet, or that are not judged.
    pub in_flight_transactions: Option<u64>,
    /// The keys that those touch.
    pub in_flight_keys: Option<u64>,
    /// What it keeps of them in memory.
    pub memory_bytes: Option<u64>,
    /// The most it may keep.
    pub memory_limit_bytes: Option<u64>,
    /// How far it was behind each node's log, by the node's name.
    pub lag_ms: BTreeMap<String, f64>,
    /// Conflicts and divergences that it, or the last one, has found and not settled: rows that differ, as far as is known.
    pub verdicts_open: Option<u64>,
    /// Conflicts it has found since it started.
    pub conflicts: Option<u64>,
    /// Repairs it has made since it started.
    pub repairs: Option<u64>,
    /// Tables that it could not follow: only a comparison of both nodes can tell whether they are equal.
    pub to_verify: Vec<ToVerify>,
    /// What its own comparisons of both nodes' rows came to.
    pub verify: Comparisons,
}

/// An agent's lock on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentLock {
    /// The node.
    pub node: String,
    /// The connection that holds it.
    pub connection: u64,
    /// Where that comes from, as the server says.
    pub from: Option<String>,
}

/// The history of conflicts and divergences, which the pair keeps until it is pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConflictStatus {
    /// How many there are.
    pub total: u64,
    /// Ended by a repair; those of which nothing had to be repaired are in `by_state`.
    pub repaired: u64,
    /// In which the nodes differ, or a write is lost, though no policy wants it left so.
    pub open: u64,
    /// That wait for `twinlog conflicts resolve`, as policy `manual` wants it.
    pub waiting: u64,
    /// How many there are in each state.
    pub by_state: BTreeMap<String, u64>,
}

/// Puts together what both nodes show of the agent; `None` where neither shows anything.
pub(super) fn agent(config: &Config, reports: &[NodeReport; 2]) -> Option<AgentStatus> {
    let watched = watched(reports);
    watched.iter().flatten().next()?;
    let locks: Vec<AgentLock> = watched
        .iter()
        .zip(&config.nodes)
        .filter_map(|(watched, node)| {
            let LockHolder { connection, from } = watched.as_ref()?.lock.clone()?;
            Some(AgentLock {
                node: node.name.clone(),
                connection,
                from,
            })
        })
        .collect();
    let latest = latest(reports);
    let left = latest.and_then(|checkpoint| checkpoint.state.as_ref());
    let running = locks.len() == 2;
    // Whoever has the locks now has not written anything yet, where another wrote this.
    let state = left.filter(|state| !running || wrote(state, &locks));
    let said =
        |text: fn(&AgentState) -> &String| state.map(text).filter(|text| !text.is_empty()).cloned();
    Some(AgentStatus {
        running,
        locks,
        host: said(|state| &state.host),
        pid: state.map(|state| state.pid),
        stays: left.is_some_and(|state| state.stays),
        started_at: said(|state| &state.started_at),
        checkpoint_at: latest
            .and_then(|checkpoint| Timestamp::from_microsecond(checkpoint.written_at_us).ok())
            .map(|time| time.to_string()),
        checkpoint_age_s: latest.map(age_s),
        settled: latest.map(|checkpoint| checkpoint.settled.clone()),
        in_flight_transactions: state.map(|state| state.in_flight_transactions),
        in_flight_keys: state.map(|state| state.in_flight_keys),
        memory_bytes: state.map(|state| state.memory_bytes),
        memory_limit_bytes: state.map(|state| state.memory_limit_bytes),
        lag_ms: state.map(|state| state.lag_ms.clone()).unwrap_or_default(),
        verdicts_open: left.map(|state| state.verdicts_open),
        conflicts: state.map(|state| state.conflicts),
        repairs: state.map(|state| state.repairs),
        to_verify: left
            .map(|state| state.to_verify.clone())
            .unwrap_or_default(),
        verify: comparisons(state, left, running),
    })
}

/// What the last one found, and what the one that runs is about to do.
fn comparisons(
    state: Option<&AgentState>,
    left: Option<&AgentState>,
    running: bool,
) -> Comparisons {
    let mut verify = left.map(|left| left.verify.clone()).unwrap_or_default();
    if !running || state.is_none() {
        (verify.under_way, verify.next_at) = (None, None);
    }
    verify
}

/// The later of what both nodes have: what has crossed is older than what is on its way.
fn latest(reports: &[NodeReport; 2]) -> Option<&Checkpoint> {
    let known = watched(reports).into_iter().flatten();
    known
        .filter_map(|watched| watched.checkpoint.as_ref())
        .max_by_key(|checkpoint| checkpoint.written_at_us)
}

/// Whether the agent that holds these locks wrote this; an older one did not say by which connections it is known.
fn wrote(state: &AgentState, locks: &[AgentLock]) -> bool {
    state.connections.is_empty()
        || locks
            .iter()
            .all(|lock| state.connections.get(&lock.node) == Some(&lock.connection))
}

/// The clocks of two nodes may make it seem to have been written in the future.
fn age_s(checkpoint: &Checkpoint) -> f64 {
    let ms = checkpoint.age_us.max(0) / 1000;
    ms as f64 / 1000.0
}

/// The history as the node that has more of it tells; `None` where neither does.
pub(super) fn conflicts(reports: &[NodeReport; 2]) -> Option<ConflictStatus> {
    let total = |watched: &Watched| watched.history.by_state.values().sum::<u64>();
    let known = watched(reports).into_iter().flatten();
    let fuller = known.max_by_key(|watched| total(watched))?;
    let history = &fuller.history;
    Some(ConflictStatus {
        total: total(fuller),
        repaired: history.by_state.get(STATE_REPAIRED).copied().unwrap_or(0),
        open: history.open,
        waiting: history.waiting,
        by_state: history.by_state.clone(),
    })
}

fn watched(reports: &[NodeReport; 2]) -> [Option<&Watched>; 2] {
    reports
        .each_ref()
        .map(|report| report.server.as_ref().ok()?.watched.as_ref())
}
