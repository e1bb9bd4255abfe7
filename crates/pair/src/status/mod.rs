//! `status`: how a pair is, asked of both servers and measured by a canary in each direction.
//!
//! Gathering ([`gather`](self) asks both nodes side by side) and judging ([`assemble`], pure) are apart. Every
//! question has a limit, so that a broken pair is described rather than waited for.

mod agent;
mod assemble;
mod document;
mod gather;
mod gtids;
mod measure;
mod problems;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use agent::{AgentLock, AgentStatus, ConflictStatus};
pub use assemble::assemble;
pub use document::*;
use twinlog_server::{conn::Error as ConnError, facts::ServerFacts};

use crate::{copy::Mark, observe::Silence, origin::Origin, site::Site, watch_state::Watched};

/// How long a node may take to be connected to, and after that a canary to arrive, unless the caller says otherwise.
/// A healthy link takes milliseconds.
pub const WAIT: Duration = Duration::from_millis(1500);

/// What was found out about a pair; the material of a [`Status`].
#[derive(Debug)]
pub struct Report {
    /// When the answers were in.
    pub asked_at: jiff::Timestamp,
    /// The pair's id as this machine knows it; `None` where it does not know the pair.
    pub pair_id: Option<String>,
    /// Both nodes, in the order of `twinlog.toml`.
    pub nodes: [NodeReport; 2],
    /// What crossed, by source.
    pub crossings: [Crossing; 2],
}

/// What was found out about one node.
#[derive(Debug)]
pub struct NodeReport {
    /// Its server's answers, or why there are none.
    pub server: Result<Box<Answers>, Silence>,
    /// Its process, where it is one on this machine and runs.
    pub pid: Option<i32>,
    /// The file system of its data directory, where that is on this machine.
    pub disk: Option<Disk>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answers {
    /// Its facts.
    pub facts: ServerFacts,
    /// Where its log stood when it became a node.
    pub origin: Option<Origin>,
    /// The note of a copy of the other node that is not whole yet.
    pub half_copy: Option<Mark>,
    /// twinlog's own tables that a node lacks, or hides from us.
    pub no_tables: Vec<&'static str>,
    /// What it shows of the agent; `None` where it has no tables for that.
    pub watched: Option<Watched>,
}

/// What came of the canary in one direction.
#[derive(Debug)]
pub enum Crossing {
    /// It arrived, this long after its commit.
    Arrived(Duration, MeasuredBy),
    /// It did not arrive within this time.
    Late(Duration, MeasuredBy),
    /// A statement failed, here on the source or on the replica.
    Failed(ConnError),
    /// It could not have arrived; why.
    NotSent(String),
}

impl NodeReport {
    /// The server's facts, where it answered.
    pub fn facts(&self) -> Option<&ServerFacts> {
        self.server.as_ref().ok().map(|answers| &answers.facts)
    }

    /// The note of a copy that is not whole, where it answered.
    pub fn half_copy(&self) -> Option<&Mark> {
        self.server.as_ref().ok()?.half_copy.as_ref()
    }
}

/// Asks both nodes, sends a canary in both directions, and says how the pair is. `wait` is how long a node may take to
/// be connected to, and then a canary to arrive.
pub async fn status(site: &Site, wait: Duration) -> Status {
    let report = gather::gather(site, wait).await;
    assemble(&site.config, &report)
}

impl Status {
    /// Whether anything could be asked at all: some node answered, or both are known not to run.
    pub fn is_known(&self) -> bool {
        self.nodes.iter().any(|node| node.answers)
            || self
                .nodes
                .iter()
                .all(|node| node.runtime == Runtime::Process && node.pid.is_none())
    }
}
