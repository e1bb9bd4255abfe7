//! What the agent leaves in the pair for others to see: its lock, its checkpoint, and its history of conflicts.
//!
//! The agent writes [`AgentState`] as JSON into `twinlog.checkpoint`; `status` reads it. Both take the words from here.

mod comparisons;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinlog_server::{
    conn::{Conn, Error, Row},
    sql::literal,
};

pub use comparisons::{Compared, Comparing, Comparisons, Differing, Why};

/// The server-side lock that the one agent which may resolve holds on both nodes.
pub const AGENT_LOCK: &str = "twinlog.agent";
/// The version of [`AgentState`] that this twinlog writes.
pub const STATE_VERSION: u32 = 1;

/// `state` of a row in `twinlog.conflict`: the nodes may hold different versions, or a write may be lost, until
/// somebody decides.
pub const STATE_OPEN: &str = "open";
/// `state` of a row in `twinlog.conflict`: both nodes were given the chosen version.
pub const STATE_REPAIRED: &str = "repaired";
/// `kind` of a row in `twinlog.conflict`: the nodes differ, and no concurrent writes explain it.
pub const KIND_DIVERGENCE: &str = "divergence";

/// `twinlog.checkpoint.detail`: what the agent says of itself. Fields are added to, never renamed; one that is missing
/// was written by an older agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentState {
    /// [`STATE_VERSION`].
    pub version: u32,
    /// The name of the host it runs on.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// Since when, RFC 3339, UTC.
    pub started_at: String,
    /// Whether it goes on until it is stopped, as `run --once` does not.
    pub stays: bool,
    /// The connections that hold its lock, by the node's name: whoever holds it now wrote this, or another did.
    pub connections: BTreeMap<String, u64>,
    /// Clients' transactions that not both nodes have executed yet, or that are not judged.
    pub in_flight_transactions: u64,
    /// The keys that those touch.
    pub in_flight_keys: u64,
    /// What it keeps of them in memory.
    pub memory_bytes: u64,
    /// The most it may keep.
    pub memory_limit_bytes: u64,
    /// How far it is behind each node's log, by the node's name: from a commit there to its being seen here.
    pub lag_ms: BTreeMap<String, f64>,
    /// What it has found and not settled yet: conflicts and divergences of which nothing is in the history.
    pub verdicts_open: u64,
    /// Conflicts it has found since it started.
    pub conflicts: u64,
    /// Repairs it has made since it started.
    pub repairs: u64,
    /// Tables that it could not follow, and those that agents before it could not.
    pub to_verify: Vec<ToVerify>,
    /// What its comparisons of both nodes' rows came to.
    pub verify: Comparisons,
    /// The last of its own transactions that was read from each node's log, by the node's name.
    pub last_own: BTreeMap<String, LastOwn>,
}

/// A transaction in the log of the node that committed it: whether another bears its name by now can be told from this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastOwn {
    /// Its name.
    pub gtid: String,
    /// When it was committed: microseconds since 1970, as exactly as the log says.
    pub committed_us: u64,
    /// How long it is in the log.
    pub bytes: u64,
}

impl AgentState {
    /// Whether something was under way when it was written.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.in_flight_transactions > 0 || self.verdicts_open > 0
    }
}

/// What [`ToVerify::table`] says of all tables at once.
pub const ALL_TABLES: &str = "*.*";

/// A table of which only a comparison of both nodes can tell whether it is equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ToVerify {
    /// `database.table`, or [`ALL_TABLES`].
    pub table: String,
    /// Why, in words that follow "because".
    pub reason: String,
}

/// What one node shows of the agent and its work.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watched {
    /// The connection that holds [`AGENT_LOCK`] here.
    pub lock: Option<LockHolder>,
    /// The checkpoint, as far as it has come here.
    pub checkpoint: Option<Checkpoint>,
    /// The history, as far as it has come here.
    pub history: History,
}

/// Who holds the agent's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// The connection's id.
    pub connection: u64,
    /// Where it comes from, as the server says: `host:port`, or `localhost` for its socket.
    pub from: Option<String>,
}

/// The row of `twinlog.checkpoint`.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Up to which transactions both logs were compared, as the agent wrote it.
    pub settled: String,
    /// When it was written, by the clock of the node it was written on, in microseconds since 1970.
    pub written_at_us: i64,
    /// How long ago that is by the clock of the node that was asked.
    pub age_us: i64,
    /// What the agent said of itself; `None` where that cannot be read.
    pub state: Option<AgentState>,
}

/// Counts of `twinlog.conflict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// How many rows there are in each state.
    pub by_state: BTreeMap<String, u64>,
    /// Open ones in which the nodes differ without a policy that leaves them so.
    pub open: u64,
    /// Open ones that wait for a person, as policy `manual` wants it.
    pub waiting: u64,
}

/// Reads what a node shows; `None` where it has no such tables yet, or hides them from the account.
///
/// # Errors
/// As [`Conn::rows`].
pub async fn read(conn: &mut Conn) -> Result<Option<Watched>, Error> {
    match read_all(conn).await {
        Ok(watched) => Ok(Some(watched)),
        // No such database or table, or no privilege there: a pair made by an older twinlog.
        Err(Error::Statement {
            code: 1049 | 1146 | 1044 | 1142,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read_all(conn: &mut Conn) -> Result<Watched, Error> {
    let lock = literal(AGENT_LOCK);
    let holder = conn
        .row(&format!(
            "SELECT IS_USED_LOCK({lock}) AS id, \
             (SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK({lock})) AS host"
        ))
        .await?;
    let checkpoint = conn
        .row(
            "SELECT settled, detail, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', written_at) AS written_us, \
             TIMESTAMPDIFF(MICROSECOND, written_at, UTC_TIMESTAMP(6)) AS age_us FROM twinlog.checkpoint",
        )
        .await?;
    // Each by the index on `state` alone: the history may be long, and its rows are large.
    let states = conn
        .rows("SELECT state, COUNT(*) FROM twinlog.conflict GROUP BY state")
        .await?;
    let (open, divergence) = (literal(STATE_OPEN), literal(KIND_DIVERGENCE));
    let kinds = conn
        .row(&format!(
            "SELECT COALESCE(SUM(kind <> {divergence} AND policy = 'manual'), 0) AS waiting, COUNT(*) AS open \
             FROM twinlog.conflict WHERE state = {open}"
        ))
        .await?;
    let number = |name: &str| {
        let row = kinds.as_ref();
        row.and_then(|row| row.number(name)).unwrap_or(0_u64)
    };
    let waiting = number("waiting");
    Ok(Watched {
        lock: holder.as_ref().and_then(lock_holder),
        checkpoint: checkpoint.as_ref().and_then(checkpoint_of),
        history: History {
            by_state: states.iter().filter_map(count).collect(),
            open: number("open").saturating_sub(waiting),
            waiting,
        },
    })
}

fn lock_holder(row: &Row) -> Option<LockHolder> {
    Some(LockHolder {
        connection: row.number("id")?,
        from: row.get("host").map(str::to_owned),
    })
}

fn checkpoint_of(row: &Row) -> Option<Checkpoint> {
    Some(Checkpoint {
        settled: row.get("settled")?.to_owned(),
        written_at_us: row.number("written_us")?,
        age_us: row.number("age_us")?,
        state: serde_json::from_str(row.get("detail")?).ok(),
    })
}

fn count(row: &Row) -> Option<(String, u64)> {
    Some((row.at(0)?.to_owned(), row.at(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_wrote_is_read() {
        let newer = r#"{"version":2,"host":"db1","pid":7,"lag_ms":{"a":1.5},"moon":"full",
                        "to_verify":[{"table":"shop.t","reason":"it has no key","since":1}]}"#;
        let state: AgentState = serde_json::from_str(newer).expect("unknown fields do not matter");
        assert_eq!(
            (state.host.as_str(), state.pid, state.lag_ms["a"]),
            ("db1", 7, 1.5)
        );
        assert_eq!(state.to_verify[0].table, "shop.t");
        assert_eq!(
            serde_json::from_str::<AgentState>("{}").expect("empty"),
            AgentState::default()
        );
    }
}
