//! What the tracker says.

use std::sync::Arc;

use twinlog_binlog::{CommitTime, Gtid, OwnedImage};

use crate::{Side, TableKeys, TableName};

/// Something seen in both logs.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Rows that both nodes wrote without having seen each other, or of which the nodes hold different versions.
    Episode(Episode),
    /// Both nodes changed the definition of the same table (or database) without having seen each other.
    ConcurrentDdl {
        /// What: a table, or a database with an empty table name.
        table: TableName,
        /// Each side's transaction.
        gtids: [Gtid; 2],
        /// Each side's statement.
        statements: [String; 2],
    },
    /// The tracker could not follow a table: only a comparison of both nodes can tell whether it is equal.
    ToVerify {
        /// Which table.
        table: TableName,
        /// Why, in words that follow "because".
        reason: String,
    },
}

/// Rows that are tied to each other by their keys, judged together once every transaction that touched one of them was
/// executed by both nodes.
#[derive(Debug, Clone)]
pub struct Episode {
    /// The rows, each by the key that names it.
    pub rows: Vec<EpisodeRow>,
    /// Pairs of transactions that had not seen each other and touched a common key. Empty for a divergence whose cause
    /// is in no log. Of many, those whose values were overwritten unseen.
    pub conflicts: Vec<Conflict>,
    /// The clients' changes, in an order in which each comes after all that it had seen: what [`crate::decide`] chooses
    /// from.
    pub writes: Vec<Write>,
    /// Whether all of it was judged by a repair that is among the writes, and both nodes hold what that left, or what came
    /// after it: an episode that was settled, seen again. Nothing is to be done or written down.
    pub repaired: bool,
}

/// Two transactions that had not seen each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// That of side A and that of side B.
    pub gtids: [Gtid; 2],
}

/// One row of an episode.
#[derive(Debug, Clone)]
pub struct EpisodeRow {
    /// Its table.
    pub table: TableName,
    /// The table's keys, the first of which names the row.
    pub keys: Arc<TableKeys>,
    /// An image that has the columns of the row's own key as this row has them: to name it, also where it is gone.
    pub key: OwnedImage,
    /// What it was before the episode; `None` where no log says.
    pub base: Option<Version>,
    /// What each node holds now, as its log tells.
    pub held: [Held; 2],
}

/// A row's content at some moment.
#[derive(Debug, Clone)]
pub enum Version {
    /// It exists.
    Row(OwnedImage),
    /// It does not.
    Gone,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Held {
    /// This.
    Known(Version),
    /// The log does not tell: the applier skipped a change, or the definition changed. The node must be asked.
    Unknown,
}

/// One client's change of one row.
#[derive(Debug, Clone)]
pub struct Write {
    /// Where it was committed. For a repair: where the version came from that it carries.
    pub origin: Side,
    /// Its transaction.
    pub gtid: Gtid,
    /// When it was committed there.
    pub committed: CommitTime,
    /// Which of the episode's rows it found, and what was there; `None` for an insert.
    pub before: Option<(usize, OwnedImage)>,
    /// Which of the episode's rows it left, and what is there; `None` for a delete.
    pub after: Option<(usize, OwnedImage)>,
    /// Whether twinlog made it: a repair yields to whatever a client wrote meanwhile.
    pub repair: bool,
    /// The writes of the other side (indices into [`Episode::writes`]) that it had not seen, that had not seen it, and
    /// that touch a common key, with it or with a write that it builds on. A TRUNCATE or DROP is one write per row. Also
    /// the repairs, of either side, that came after it and were chosen without it.
    pub against: Vec<usize>,
    /// The earlier writes of its own side (indices) that it builds on: they touch a common key.
    pub after_writes: Vec<usize>,
}

impl Episode {
    /// The tables of its rows, each once.
    #[must_use]
    pub fn tables(&self) -> Vec<TableName> {
        let mut tables: Vec<_> = self.rows.iter().map(|row| row.table.clone()).collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Whether the policy has something to choose from: writes that had not seen each other.
    pub(crate) fn is_contended(&self) -> bool {
        self.writes.iter().any(|write| !write.against.is_empty())
    }

    /// Whether both sides wrote a common key unseen.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        !self.conflicts.is_empty()
    }
}
