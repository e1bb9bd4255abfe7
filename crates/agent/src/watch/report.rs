//! What a watch tells: lines for the log, counts for the checkpoint and for `--once`.

use std::collections::BTreeMap;

use twinlog_converge::{Side, TableName};
use twinlog_pair::{
    explain,
    watch_state::{AgentState, Comparisons, LastOwn, STATE_VERSION, ToVerify},
};
use twinlog_server::{facts::LinkFacts, gtid::GtidSet};

use super::{
    Options, Summary,
    desk::{Found, Settlement, now_us},
    follow::Work,
    names::Names,
};
use crate::{
    history::Checkpoint,
    resolve::Settled,
    stream::{Connected, Received},
};

/// A difference of the nodes' clocks that can turn a last write into a first one in practice, in microseconds.
const SKEW_TO_NAME_US: i64 = 100_000;

/// Keeps count, and says what happens.
#[derive(Debug)]
pub(super) struct Report {
    names: [String; 2],
    summary: Summary,
    state: AgentState,
    clock_offset_us: [Option<i64>; 2],
    /// Why each replica's link does not run, as it was last said.
    link_said: [Option<String>; 2],
    to_verify: Names,
}

impl Report {
    /// `last` is what the agent before this one said: what it could not follow is still not known.
    pub(super) fn new(names: [String; 2], options: Options, last: &AgentState) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        let left = last.to_verify.iter().filter(|_| !options.compared);
        let (mut to_verify, now) = (Names::default(), jiff::Timestamp::now());
        for ToVerify { table, reason } in left {
            tracing::info!(
                "whether {table} is equal on both nodes is not known since an earlier run: {reason}"
            );
            to_verify.name(table.clone(), reason.clone(), now);
        }
        Self {
            names,
            summary: Summary {
                to_verify: to_verify.len() as u64,
                ..Summary::default()
            },
            state: AgentState {
                version: STATE_VERSION,
                host: host.to_string_lossy().into_owned(),
                pid: std::process::id(),
                started_at: jiff::Timestamp::now().to_string(),
                stays: !options.once,
                memory_limit_bytes: options.limits.memory_bytes as u64,
                verify: left_of(last, options.compared),
                ..AgentState::default()
            },
            clock_offset_us: [None, None],
            link_said: [None, None],
            to_verify,
        }
    }

    /// These connections hold the agent's lock.
    pub(super) fn leads(&mut self, connections: BTreeMap<String, u64>) {
        self.state.connections = connections;
    }

    /// A node's name.
    pub(super) fn name(&self, side: Side) -> String {
        self.names[side.index()].clone()
    }

    /// The name of the link to a replica.
    pub(super) fn link_name(&self, replica: Side) -> String {
        format!("{}→{}", self.name(replica.peer()), self.name(replica))
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    pub(super) fn connected(&mut self, log: Side, connected: &Connected) {
        let name = &self.names[log.index()];
        tracing::info!(
            "reading the log of {name} ({}) as server {}",
            connected.version,
            connected.reader_server_id
        );
        self.clock_offset_us[log.index()] = Some(connected.clock_offset_us);
        if let [Some(a), Some(b)] = self.clock_offset_us
            && (a - b).abs() > SKEW_TO_NAME_US
        {
            let [name_a, name_b] = &self.names;
            tracing::warn!(
                "the clocks of {name_a} and {name_b} differ by {} ms: a policy by time goes by what they say",
                (a - b).abs() / 1000
            );
        }
    }

    pub(super) fn read(&mut self, log: Side, received: &Received) {
        self.summary.transactions += 1;
        let lag_ms = received.lag.us as f64 / 1000.0;
        let name = &self.names[log.index()];
        match self.state.lag_ms.get_mut(name) {
            Some(lag) => *lag = lag_ms,
            None => {
                self.state.lag_ms.insert(name.clone(), lag_ms);
            }
        }
    }

    pub(super) fn settled(&mut self, settlement: &Settlement) {
        let ms = settlement.took.as_millis();
        match &settlement.found {
            Found::Rows {
                row,
                id,
                conflict,
                rule,
                settled,
            } => {
                if *settled == Settled::Quiet {
                    return;
                }
                if *conflict {
                    self.summary.conflicts += 1;
                } else {
                    self.summary.divergences += 1;
                }
                let what = if *conflict { "conflict" } else { "divergence" };
                match settled {
                    Settled::Quiet => {}
                    Settled::Repaired => {
                        self.summary.repaired += 1;
                        tracing::info!("{what} {id} in {row}: repaired after {ms} ms; {rule}");
                    }
                    Settled::Equal => tracing::info!(
                        "{what} {id} in {row}: both nodes hold what was chosen; {rule}"
                    ),
                    Settled::Superseded
                    | Settled::Changed { .. }
                    | Settled::Busy { .. }
                    | Settled::Blocked { .. } => {
                        tracing::info!("{what} {id} in {row}: clients have written the row since");
                    }
                    Settled::Open(reason) => {
                        self.summary.open += 1;
                        tracing::warn!(
                            "{what} {id} in {row} is open: {reason}; see `twinlog conflicts show {id}`"
                        );
                    }
                }
            }
            Found::Ddl { table, id } => {
                self.summary.conflicts += 1;
                self.summary.open += 1;
                tracing::warn!(
                    "both nodes changed the definition of {table} without having seen each other; see `twinlog \
                     conflicts show {id}`"
                );
            }
            Found::Dropped => {}
            Found::ToVerify { table, reason } => self.cannot_follow(table, reason),
        }
    }

    /// Names a table that cannot be followed, once.
    pub(super) fn cannot_follow(&mut self, table: &TableName, reason: &str) {
        let now = jiff::Timestamp::now();
        if self
            .to_verify
            .name(table.to_string(), reason.to_owned(), now)
        {
            self.summary.to_verify += 1;
            tracing::warn!(
                "{table} cannot be followed: {reason}; only a comparison of both nodes can tell whether it is equal"
            );
        }
    }

    /// The tables that cannot be followed.
    pub(super) fn names(&mut self) -> &mut Names {
        &mut self.to_verify
    }

    /// This was compared, or is.
    pub(super) fn comparisons(&mut self, said: &Comparisons) {
        self.state.verify.clone_from(said);
    }

    /// Says when a link stops and when it runs again; why it does not run, while it does not.
    pub(super) fn link(&mut self, replica: Side, link: Option<&LinkFacts>) -> Option<String> {
        let name = self.link_name(replica);
        let down = why_down(link);
        let said = &mut self.link_said[replica.index()];
        match (&down, said.as_ref()) {
            (Some(reason), None) => tracing::warn!("the link {name} does not run: {reason}"),
            (None, Some(_)) => tracing::info!("the link {name} runs again"),
            _ => {}
        }
        said.clone_from(&down);
        down
    }

    /// So far was read of each node's own.
    pub(super) fn recalls(&mut self, last_own: BTreeMap<String, LastOwn>) {
        self.state.last_own = last_own;
    }

    /// This is under way.
    pub(super) fn work(&mut self, work: Work) {
        self.state.in_flight_transactions = work.transactions;
        self.state.in_flight_keys = work.keys;
        self.state.memory_bytes = work.memory_bytes;
        self.state.verdicts_open = work.verdicts_open;
        self.state.conflicts = self.summary.conflicts;
        self.state.repairs = self.summary.repaired;
        self.state.to_verify = self.to_verify.to_state();
    }

    /// What the agent says of itself.
    pub(super) fn state(&self) -> &AgentState {
        &self.state
    }

    /// What is to be written down.
    pub(super) fn checkpoint(&self, settled: &GtidSet) -> Checkpoint {
        Checkpoint {
            settled: settled.to_string(),
            written_us: now_us(),
            // Numbers and texts: nothing that JSON cannot say.
            detail: serde_json::to_string(&self.state).unwrap_or_default(),
        }
    }
}

/// What the last agent said of its comparisons, without what it was about to do.
fn left_of(last: &AgentState, compared: bool) -> Comparisons {
    let mut verify = last.verify.clone();
    (verify.under_way, verify.next_at) = (None, None);
    if compared {
        verify.differing.clear();
    }
    verify
}

fn why_down(link: Option<&LinkFacts>) -> Option<String> {
    let Some(link) = link else {
        return Some("there is none".to_owned());
    };
    let advice = |code: u32, message: &str| {
        let advice = explain::link_error(code, message);
        advice.map_or_else(String::new, |advice| format!(" ({advice})"))
    };
    if link.applier_errno != 0 && !link.applier {
        let message = &link.applier_error;
        return Some(format!(
            "error {}: {message}{}",
            link.applier_errno,
            advice(link.applier_errno, message)
        ));
    }
    if !link.applier {
        return Some("its applier was stopped".to_owned());
    }
    if link.receiver.eq_ignore_ascii_case("yes") {
        return None;
    }
    if link.receiver_errno != 0 {
        let message = &link.receiver_error;
        return Some(format!(
            "error {}: {message}{}",
            link.receiver_errno,
            advice(link.receiver_errno, message)
        ));
    }
    Some(if link.receiver.eq_ignore_ascii_case("connecting") {
        "it is connecting".to_owned()
    } else {
        "its receiver was stopped".to_owned()
    })
}
