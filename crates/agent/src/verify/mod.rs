//! Both nodes' tables, compared while clients write and links carry. Nothing is written.
//!
//! A table is cut into stretches of the key that names its rows ([`cutter`]). The servers hash each stretch, both at once,
//! and what differs is listed row by row ([`chunk`]). Under load some rows always differ, because changes of them are on
//! their way: only those are reported that differ at a moment which both nodes have in common ([`judge`]). Tables without
//! a key are compared as bags of rows ([`heap`]). When all is done, what differs is looked at once more: the agent
//! may have mended it meanwhile.

mod bookmark;
mod chunk;
mod cutter;
mod found;
mod hands;
mod heap;
mod judge;
mod look;
mod lookup;
mod pace;
mod parts;
mod progress;
mod report;
mod scope;
mod since;
mod table;
mod work;

use jiff::Timestamp;
use twinlog_row::RowError;
use twinlog_server::{conn, gtid};

use crate::stream::StretchError;

pub use pace::Limits;
pub use progress::{Progress, Seen};
pub use report::{Outcome, Report, RowDifference, SchemaDifference, TableResult, Unseen};
pub use work::{cut_off, verify};

pub(crate) use {
    bookmark::name_of, chunk::Suspect, hands::Hands, judge::equal_by_now, work::compare,
};

/// How many rows of a table that differ are looked for, unless it is told otherwise.
pub const ROWS_MAX_DEFAULT: u64 = 10_000;

/// What is to be compared, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only tables like one of these: `database.table`, with `*` for anything, and backticks around what means itself. Empty
    /// for all.
    pub tables: Vec<String>,
    /// Whether what there is beside tables is compared, too: views, programs, accounts.
    pub beside: bool,
    /// Only rows of which this is true: a condition in SQL.
    pub only: Option<String>,
    /// Only rows that the logs say were written since then. Not with [`Self::only`]; such a run is not gone on with.
    pub since: Option<Timestamp>,
    /// A table is left when more rows of it differ.
    pub rows_max: u64,
    /// Begin anew, though a run of the same was cut off.
    pub anew: bool,
    /// How hard the nodes are asked.
    pub limits: Limits,
}

/// Why a comparison came to no end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node did not answer as asked.
    #[error(transparent)]
    Server(#[from] conn::Error),
    /// A table or its rows are not understood.
    #[error(transparent)]
    Row(RowError),
    /// What a node says of its log is not understood.
    #[error(transparent)]
    Gtid(#[from] gtid::Error),
    /// Only GTIDs say what is on its way.
    #[error(
        "the links go by position: without GTIDs what differs cannot be told from what is on its way"
    )]
    ByPosition,
    /// A node has no GTIDs, though its configuration says so.
    #[error(
        "{0} gives its transactions no GTIDs, without which what differs cannot be told from what is on its way"
    )]
    NoGtids(String),
    /// A pattern means no table.
    #[error("no table of the pair is like {0}")]
    NoTable(String),
    /// The condition for rows is none of a table.
    #[error("the condition for rows is none of {table}: {source}")]
    Condition {
        /// The table.
        table: String,
        /// What the server says of it.
        source: Box<conn::Error>,
    },
    /// A log was purged, or the node is younger.
    #[error("the log of {node} does not reach back to {since}: {reaches}")]
    TooShort {
        /// The node.
        node: String,
        /// From when it is wanted.
        since: String,
        /// How far it goes, in words.
        reaches: String,
    },
    /// A log was not read to its end.
    #[error("the log of {node} cannot be read: {error}")]
    Log {
        /// The node.
        node: String,
        /// Why.
        error: StretchError,
    },
    /// A link does not carry.
    #[error(
        "the nodes have not executed each other's changes, and nothing of them has been carried for {seconds} s: what \
             differs could not be told from what is on its way"
    )]
    Still {
        /// For how long.
        seconds: u64,
    },
}

impl From<RowError> for Error {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Server(error) => Self::Server(error),
            error => Self::Row(error),
        }
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Row(error) => error.hint(),
            Self::Gtid(error) => error.hint(),
            Self::Condition { .. } => {
                Some("it is compared with the columns of every table that is meant: name the tables, too".into())
            }
            Self::ByPosition => Some("a pair whose `twinlog.toml` says `mode = \"gtid\"` can be compared".into()),
            Self::NoGtids(_) => Some("`twinlog up` makes the pair so, or says why it cannot".into()),
            Self::NoTable(_) => Some(
                "a pattern is database.table, with * for anything; names with dots or stars go between backticks: \
                 `we.ird`.`t.1`"
                    .into(),
            ),
            Self::TooShort { .. } => Some(
                "nothing was compared: name a later time, or compare all rows, without --since; logs are kept longer with \
                 binlog_expire_logs_seconds"
                    .into(),
            ),
            Self::Log { error, .. } => error.hint(),
            Self::Still { .. } => {
                Some("`twinlog status` says which link does not run, and why".into())
            }
        }
    }
}
