//! What is wrong with the agent's work, or its absence, in sentences.

use super::{AgentStatus, ConflictStatus};
use crate::{
    config::{Config, Mode},
    status::{NodeReport, Problem},
    watch_state::ALL_TABLES,
};

/// An agent with work under way writes how far it is every few seconds; after this long something holds it up.
const CHECKPOINT_AGE_S_MAX: f64 = 60.0;

/// What the agent says, or its absence, of rows that differ or may differ.
pub(in crate::status) fn problems(
    config: &Config,
    reports: &[NodeReport; 2],
    agent: Option<&AgentStatus>,
    conflicts: Option<&ConflictStatus>,
) -> Vec<Problem> {
    let all = [
        no_tables(config, reports),
        conflicts.and_then(open),
        agent.and_then(not_settled),
        agent.and_then(differing),
        agent.and_then(unknown),
        agent.and_then(to_verify),
        agent.and_then(|agent| gone(config, agent)),
    ];
    let at = &config.name;
    let said = all.into_iter().flatten();
    said.map(|(message, hint)| Problem {
        at: at.clone(),
        message,
        hint: Some(hint.into()),
    })
    .collect()
}

/// What the agent keeps its knowledge in is not there.
fn no_tables(config: &Config, reports: &[NodeReport; 2]) -> Option<(String, &'static str)> {
    if config.replication.mode != Mode::Gtid {
        return None;
    }
    let lacking = reports
        .iter()
        .zip(&config.nodes)
        .filter_map(|(report, node)| {
            let lacks = &report.server.as_ref().ok()?.no_tables;
            (!lacks.is_empty()).then(|| format!("{} on {}", lacks.join(", "), node.name))
        });
    let lacking: Vec<String> = lacking.collect();
    (!lacking.is_empty()).then(|| {
        (
            format!(
                "no agent can start without tables of twinlog's own that are not there: {}",
                lacking.join("; ")
            ),
            "`twinlog up` makes them; then find out who dropped them, and what else",
        )
    })
}

/// Rows that differ though none should.
fn open(conflicts: &ConflictStatus) -> Option<(String, &'static str)> {
    (conflicts.open > 0).then(|| {
        (
            format!(
                "the nodes differ: {} open",
                plural(conflicts.open, "conflict is", "conflicts are")
            ),
            "`twinlog conflicts list` shows them; `twinlog run` repairs what it can, `twinlog conflicts resolve` the rest",
        )
    })
}

fn not_settled(agent: &AgentStatus) -> Option<(String, &'static str)> {
    let count = agent.verdicts_open.filter(|count| *count > 0)?;
    let found = plural(count, "conflict was", "conflicts were");
    Some(if agent.locks.is_empty() {
        (
            format!("the nodes differ: {found} found, and no agent is there to settle them"),
            "`twinlog run` goes on where the last one was",
        )
    } else {
        (
            format!("the nodes differ: {found} found and not settled yet"),
            "the agent is at it: ask again; its log tells what keeps it",
        )
    })
}

/// What the agent's own comparisons have found.
fn differing(agent: &AgentStatus) -> Option<(String, &'static str)> {
    let mut tables = agent.verify.differing.iter().filter(|one| one.rows > 0);
    let first = tables.next()?;
    let rows = first.rows + tables.clone().map(|one| one.rows).sum::<u64>();
    let more = match tables.count() {
        0 => String::new(),
        count => format!(" and {}", plural(count as u64, "more table", "more tables")),
    };
    let verb = if rows == 1 { "differs" } else { "differ" };
    Some((
        format!(
            "the nodes differ: {} of {}{more} {verb}, as the agent's comparison saw at {}",
            plural(rows, "row", "rows"),
            first.table,
            first.seen_at
        ),
        "`twinlog verify` names the rows, `twinlog verify --repair` makes them equal; the agent compares again by itself",
    ))
}

fn unknown(agent: &AgentStatus) -> Option<(String, &'static str)> {
    let mut tables = agent.verify.differing.iter();
    let (table, reason) = tables.find_map(|one| Some((&one.table, one.unknown.as_ref()?)))?;
    Some((
        format!("the agent could not compare {table} to its end: {reason}"),
        "`twinlog verify` says of all tables what became of them",
    ))
}

fn to_verify(agent: &AgentStatus) -> Option<(String, &'static str)> {
    let [first, rest @ ..] = agent.to_verify.as_slice() else {
        return None;
    };
    let more = match rest.len() {
        0 => String::new(),
        count => format!(
            "; and {}",
            plural(count as u64, "more table", "more tables")
        ),
    };
    let (what, verb) = match first.table.as_str() {
        ALL_TABLES => ("the tables", "are"),
        table => (table, "is"),
    };
    Some((
        format!(
            "whether {what} {verb} equal on both nodes is not known, because {}{more}",
            first.reason
        ),
        if agent.verify.next_at.is_some() {
            "the agent compares them by itself (`twinlog status --json` names all); `twinlog verify --tables …` does so at once"
        } else {
            "`twinlog verify --tables …` compares them (`twinlog status --json` names all); then say so: `twinlog run --once \
             --compared`"
        },
    ))
}

/// An agent that was there to stay is not there.
fn gone(config: &Config, agent: &AgentStatus) -> Option<(String, &'static str)> {
    if !agent.stays || !is_wanted(config) || !agent.locks.is_empty() {
        return None;
    }
    let place = match (&agent.host, agent.pid) {
        (Some(host), Some(pid)) => format!(" on {host}, process {pid},"),
        _ => String::new(),
    };
    let age = agent.checkpoint_age_s.unwrap_or_default();
    Some((
        format!(
            "the agent{place} does not run any more: what both nodes write is neither compared nor repaired; it last \
             wrote how far it was {} ago",
            ago(age)
        ),
        "`twinlog run` goes on where it was (dist/systemd has a unit that starts it again by itself)",
    ))
}

/// Whether an agent is needed for what the configuration wants.
fn is_wanted(config: &Config) -> bool {
    config.conflicts.is_active() && config.replication.mode == Mode::Gtid
}

/// What to know about the agent and its work.
pub(in crate::status) fn notes(
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
    match agent.locks.as_slice() {
        [] if is_wanted(config) && !agent.stays => {
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
    if let Some(reason) = &agent.verify.failed {
        notes.push(format!(
            "the agent's last comparison of the nodes' rows came to no end, and is tried again: {reason}"
        ));
    }
    if let Some(last) = agent
        .verify
        .last
        .as_ref()
        .filter(|last| last.schema_differences > 0)
    {
        notes.push(format!(
            "definitions or accounts differed in {} when the agent compared all tables at {}: `twinlog verify` names what differs now",
            plural(last.schema_differences, "place", "places"),
            last.ended_at
        ));
    }
    let late = agent
        .checkpoint_age_s
        .filter(|age| *age > CHECKPOINT_AGE_S_MAX);
    let is_busy = agent.in_flight_transactions > Some(0) || agent.verdicts_open > Some(0);
    if let (true, Some(age)) = (agent.running && is_busy, late) {
        notes.push(format!(
            "the agent runs, and has not written how far it came for {}: see its log",
            ago(age)
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
