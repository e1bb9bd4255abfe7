//! What both nodes shall hold: the policies.

use twinlog_binlog::Value;

use crate::{Episode, Side, Version};

/// Who wins, as the table's policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// The later commit; ties go to the greater server id.
    LastWriteWins,
    /// The earlier commit.
    FirstWriteWins,
    /// That node's writes.
    Prefer(Side),
    /// Columns changed on one side only are both kept; counters add both changes; the rest as the later commit.
    Merge {
        /// The positions of the counters' columns.
        counters: Vec<usize>,
    },
    /// Nobody: it waits for a person.
    Manual,
}

/// What was decided about an episode.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What each of the episode's rows shall be, in their order; `None` when nothing shall be written.
    pub rows: Option<Vec<Outcome>>,
    /// The side whose version was chosen; `None` for a merge, or for none.
    pub chosen: Option<Side>,
    /// The rule, in words: "the later commit: b, 12 ms after a".
    pub rule: String,
}

/// What a row shall be.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// One of the versions that there are.
    Version(Version),
    /// Column by column, from both.
    Merged(Vec<Value>),
    /// No write says: what the nodes hold is not known to any log, and both must be asked.
    AsHeld(Side),
}

/// What both nodes shall hold after an episode. `policies` has one per row of it, by the row's table; `server_ids` break
/// ties between commits of the same moment.
#[must_use]
pub fn decide(_episode: &Episode, _policies: &[Policy], _server_ids: [u32; 2]) -> Decision {
    Decision {
        rows: None,
        chosen: None,
        rule: String::new(),
    }
}
