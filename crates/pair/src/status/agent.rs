//! The agent and what it has found: from what both nodes show of it to a part of the [`Status`](super::Status), pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{NodeReport, Problem};
use crate::{
    config::{Config, Mode},
    watch_state::{AgentState, Checkpoint, LockHolder, STATE_REPAIRED, ToVerify, Watched},
};

/// An agent that runs writes its checkpoint at least every few seconds; after this long something holds it up.
const CHECKPOINT_AGE_S_MAX: f64 = 60.0;

/// The agent, `twinlog run`: whether one runs, and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AgentStatus {
    /// Whether one holds its lock on both nodes, as it must to resolve.
    pub running: bool,
    /// The nodes on which an agent holds its lock.
    pub locks: Vec<AgentLock>,
    /// The host it runs on, or the last one ran on.
    pub host: Option<String>,
    /// Its process id there.
    pub pid: Option<u32>,
    /// Since when it runs, RFC 3339, UTC.
    pub started_at: Option<String>,
    /// When it last wrote down how far it has come, RFC 3339, UTC; `null` where none ever did.
    pub checkpoint_at: Option<String>,
    /// How long ago that was.
    pub checkpoint_age_s: Option<f64>,
    /// The settled point: transactions that both nodes have executed and that were compared, as GTIDs.
    pub settled: Option<String>,
    /// Transactions that not both nodes have executed yet.
    pub in_flight_transactions: Option<u64>,
    /// The keys that those touch.
    pub in_flight_keys: Option<u64>,
    /// What it keeps of them in memory.
    pub memory_bytes: Option<u64>,
    /// The most it may keep.
    pub memory_limit_bytes: Option<u64>,
    /// How far it was behind each node's log, by the node's name.
    pub lag_ms: BTreeMap<String, f64>,
    /// Conflicts it has found since it started.
    pub conflicts: Option<u64>,
    /// Repairs it has made since it started.
    pub repairs: Option<u64>,
    /// Tables that it could not follow: only a comparison of both nodes can tell whether they are equal.
    pub to_verify: Vec<ToVerify>,
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
    /// Ended by a repair.
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
    let latest = watched
        .iter()
        .flatten()
        .filter_map(|watched| watched.checkpoint.as_ref())
        .max_by_key(|checkpoint| checkpoint.written_at_us);
    let state = latest.and_then(|checkpoint| checkpoint.state.as_ref());
    let said =
        |text: fn(&AgentState) -> &String| state.map(text).filter(|text| !text.is_empty()).cloned();
    Some(AgentStatus {
        running: locks.len() == 2,
        locks,
        host: said(|state| &state.host),
        pid: state.map(|state| state.pid),
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
        conflicts: state.map(|state| state.conflicts),
        repairs: state.map(|state| state.repairs),
        to_verify: state
            .map(|state| state.to_verify.clone())
            .unwrap_or_default(),
    })
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

/// Rows that differ though none should.
pub(super) fn problem(config: &Config, conflicts: Option<&ConflictStatus>) -> Option<Problem> {
    let open = conflicts.map_or(0, |conflicts| conflicts.open);
    (open > 0).then(|| Problem {
        at: config.name.clone(),
        message: format!(
            "the nodes differ: {} open",
            plural(open, "conflict is", "conflicts are")
        ),
        hint: Some(
            "`twinlog conflicts list` shows them; `twinlog run` repairs what it can, `twinlog conflicts resolve` the rest"
                .into(),
        ),
    })
}

/// What to know about the agent and its work.
pub(super) fn notes(
    config: &Config,
    agent: Option<&AgentStatus>,
    conflicts: Option<&ConflictStatus>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let waiting = conflicts.map_or(0, |conflicts| conflicts.waiting);
    if waiting > 0 {
        notes.push(format!(
            "{} for you to decide, as policy \"manual\" wants it: `twinlog conflicts list`, then `twinlog conflicts \
             resolve`",
            plural(waiting, "conflict waits", "conflicts wait")
        ));
    }
    let Some(agent) = agent else { return notes };
    let active = config.conflicts.is_active() && config.replication.mode == Mode::Gtid;
    match agent.locks.as_slice() {
        [] if active => {
            let last = agent.checkpoint_age_s.map_or(String::new(), |age| {
                format!("; the last one was here {} ago", ago(age))
            });
            notes.push(format!(
                "no agent runs: what both nodes write is neither compared nor repaired until `twinlog run` does{last}"
            ));
        }
        [only] => notes.push(format!(
            "an agent holds its lock on {} alone, and resolves nothing until it has the other node's, too",
            only.node
        )),
        _ => {}
    }
    let late = agent
        .checkpoint_age_s
        .filter(|age| *age > CHECKPOINT_AGE_S_MAX);
    if let (true, Some(age)) = (agent.running, late) {
        notes.push(format!(
            "the agent runs, and has not written how far it came for {}: see its log",
            ago(age)
        ));
    }
    if let [first, rest @ ..] = agent.to_verify.as_slice() {
        let more = match rest.len() {
            0 => String::new(),
            count => format!(
                "; and {}",
                plural(count as u64, "more table", "more tables")
            ),
        };
        notes.push(format!(
            "whether {} is equal on both nodes is not known, because {}{more}",
            first.table, first.reason
        ));
    }
    notes
}

fn ago(seconds: f64) -> String {
    match seconds as u64 {
        below @ 0..=119 => format!("{below} s"),
        below @ 120..=7199 => format!("{} min", below / 60),
        below @ 7200..=172_799 => format!("{} h", below / 3600),
        more => format!("{} d", more / 86_400),
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}
