//! The document that `status --json` prints. Its fields are a contract: they are added to, never renamed.

use schemars::JsonSchema;
use serde::Serialize;
use twinlog_server::{facts::Coordinates, version::Flavour};

use super::{AgentStatus, ConflictStatus};
use crate::config;

/// A pair at one moment: both nodes, both links, and whether all is well.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "twinlog status")]
pub struct Status {
    /// The pair's name.
    pub name: String,
    /// When the answers were in, RFC 3339, UTC.
    pub asked_at: String,
    /// Whether both nodes answer, both links run without an error, what was written on either node was read on the
    /// other, neither node has transactions from elsewhere that its peer lacks, no conflict is open but those that policy
    /// `manual` leaves to a person, none is found and not settled, no table must be compared to know that it is equal, and
    /// an agent that was there to stay is there.
    pub healthy: bool,
    /// How replicas find their place in the source's log.
    pub mode: Mode,
    /// Where clients may write.
    pub writes: Writes,
    /// What keeps the pair from being healthy; empty when it is.
    pub problems: Vec<Problem>,
    /// What is worth knowing and hurts nobody yet.
    pub notes: Vec<String>,
    /// Both nodes, in the order of `twinlog.toml`.
    pub nodes: Vec<NodeStatus>,
    /// Both links: the first node's to the second, then the other way.
    pub links: Vec<LinkStatus>,
    /// The agent; `null` where no node can tell.
    pub agent: Option<AgentStatus>,
    /// Conflicts and divergences that were found; `null` where no node can tell.
    pub conflicts: Option<ConflictStatus>,
}

/// How replicas find their place in the source's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By global transaction identifiers.
    Gtid,
    /// By log file and position.
    Position,
}

impl From<config::Mode> for Mode {
    fn from(mode: config::Mode) -> Self {
        match mode {
            config::Mode::Gtid => Self::Gtid,
            config::Mode::Position => Self::Position,
        }
    }
}

/// Where clients may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Writes {
    /// On both nodes.
    Both,
    /// On one node at a time.
    One,
}

impl From<config::Writes> for Writes {
    fn from(writes: config::Writes) -> Self {
        match writes {
            config::Writes::Both => Self::Both,
            config::Writes::One => Self::One,
        }
    }
}

/// Something that keeps the pair from being healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The node (`a`) or the link (`a→b`) that has it, or the pair's name.
    pub at: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Who runs its server.
    pub runtime: Runtime,
    /// Where twinlog and clients reach it: host and port.
    pub address: String,
    /// Whether its server answered.
    pub answers: bool,
    /// Why it did not.
    pub error: Option<Failure>,
    /// The server's process id, where it is a process on this machine.
    pub pid: Option<i32>,
    /// The file system of its data directory, where that is on this machine.
    pub disk: Option<Disk>,
    /// What its server says; `null` where it does not answer.
    pub server: Option<ServerStatus>,
}

/// Who runs a node's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// twinlog, as a process on this machine.
    Process,
    /// twinlog, through the docker engine.
    Docker,
    /// Somebody else.
    External,
}

impl From<config::Runtime> for Runtime {
    fn from(runtime: config::Runtime) -> Self {
        match runtime {
            config::Runtime::Process => Self::Process,
            config::Runtime::Docker => Self::Docker,
            config::Runtime::External => Self::External,
        }
    }
}

/// An error of a server, or of the way to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// The server's error number; `null` where the server gave none.
    pub code: Option<u32>,
    /// The message.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// Space on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Disk {
    /// What an ordinary user may still fill.
    pub free_bytes: u64,
    /// Its size.
    pub total_bytes: u64,
}

/// What a node's server says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ServerStatus {
    /// MySQL or MariaDB.
    pub flavour: Flavour,
    /// Its version, such as `9.7.4`.
    pub version: String,
    /// What it is for clients.
    pub role: Role,
    /// Whether it refuses writes of ordinary clients.
    pub read_only: bool,
    /// Its server id.
    pub server_id: u32,
    /// Its UUID; MariaDB has none.
    pub server_uuid: Option<String>,
    /// For how long it has been running.
    pub uptime_s: u64,
    /// Connections now open, this question's own among them.
    pub connections: u64,
    /// The most it allows.
    pub connections_max: u64,
    /// Its clock less this machine's.
    pub clock_offset_ms: f64,
    /// How far off that may be: half the time the question took.
    pub clock_error_ms: f64,
    /// The end of its binary log; `null` where it writes none.
    pub log_end: Option<Place>,
    /// What it has executed, as GTIDs; `null` where it has none.
    pub executed: Option<String>,
    /// Transactions that neither node made and that were not there when the pair was made; `null` where the server
    /// has no GTIDs to tell them by.
    pub errant: Option<Errant>,
}

/// What a node is for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Clients may write here, and here alone.
    Writer,
    /// Clients may read here; the other node takes the writes.
    Standby,
    /// Clients may write on both nodes.
    Both,
}

/// A set of transactions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Transactions {
    /// How many: exactly on MySQL, at most on MariaDB, whose numbers may have gaps.
    pub count: u64,
    /// Which: a GTID set on MySQL; on MariaDB each domain's first and last, `domain-server-first..last`.
    pub gtids: String,
}

/// Transactions that neither node made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Errant {
    /// How many: exactly on MySQL; on MariaDB one for each domain and stranger.
    pub count: u64,
    /// Which: a GTID set on MySQL; on MariaDB the last one of each domain and stranger.
    pub gtids: String,
    /// How many of them the peer lacks: with these the nodes differ. `null` while the peer does not answer.
    pub missing_on_peer: Option<u64>,
}

/// A place in a binary log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The log file.
    pub file: String,
    /// The position in it, in bytes.
    pub position: u64,
}

impl From<&Coordinates> for Place {
    fn from(place: &Coordinates) -> Self {
        Self {
            file: place.file.clone(),
            position: place.position,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.position)
    }
}

/// One link: the source's changes on their way to the replica.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LinkStatus {
    /// The source's name.
    pub source: String,
    /// The replica's name.
    pub replica: String,
    /// Whether it works.
    pub state: LinkState,
    /// From the commit on the source to the row read on the replica, measured just now; `null` where nothing arrived.
    pub lag_ms: Option<f64>,
    /// What was sent to measure that.
    pub canary: Canary,
    /// What keeps it from working: the replica's own report.
    pub error: Option<Failure>,
    /// The replica's report; `null` where the replica does not answer or has no link.
    pub report: Option<LinkReport>,
}

/// Whether a link works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Receiver and applier run.
    Running,
    /// The receiver tries to reach the source.
    Connecting,
    /// The receiver or the applier stands still.
    Stopped,
    /// The replica has no link.
    Missing,
    /// The replica does not answer.
    Unknown,
}

/// What was sent to measure a link, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Canary {
    /// What came of it.
    pub outcome: CanaryOutcome,
    /// What was sent; `null` where nothing was.
    pub measured_by: Option<MeasuredBy>,
    /// Why nothing was sent, or what went wrong; `null` otherwise.
    pub detail: Option<String>,
}

/// What came of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CanaryOutcome {
    /// It was read on the replica.
    Arrived,
    /// It was not read there in time.
    Late,
    /// A server refused or broke off.
    Failed,
    /// It could not have arrived, so none was sent.
    NotSent,
}

/// What a link was measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredBy {
    /// A row of twinlog's own table.
    Row,
    /// That row, written as a statement under a database that the pair's filter lets pass.
    Statement,
    /// The source's log end, which the replica had to reach: nothing of twinlog's own may cross this link.
    Position,
}

/// What the replica reports of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LinkReport {
    /// Where the replica connects to: host and port.
    pub source_address: String,
    /// The channel (MySQL) or connection (MariaDB); empty for the default one.
    pub channel: String,
    /// How it finds its place in the source's log.
    pub mode: Mode,
    /// Whether the receiver runs: `Yes`, `No` or `Connecting`.
    pub receiver: String,
    /// What the receiver is doing, in the server's words.
    pub receiver_state: String,
    /// Whether the applier runs.
    pub applier: bool,
    /// How far the source's log is read.
    pub read: Place,
    /// How far it is executed.
    pub executed: Place,
    /// What the source has executed and the replica has not, by GTIDs; `null` where that cannot be told: the link
    /// goes by position, or the source does not answer.
    pub missing: Option<Transactions>,
    /// The server's own estimate of its lag; `null` while it cannot tell.
    pub seconds_behind: Option<u64>,
    /// Deliberate delay.
    pub delay_s: u32,
    /// Whether it is encrypted.
    pub tls: bool,
    /// Whether the source's certificate is checked against an authority.
    pub tls_verified: bool,
    /// Filters on the replica that keep changes out.
    pub filters: Vec<Filter>,
}

/// A filter on a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Filter {
    /// The rule, in the server's words.
    pub rule: String,
    /// What it names.
    pub value: String,
}
