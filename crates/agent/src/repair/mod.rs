//! What a comparison found, put right: first a plan, then one guarded transaction after the other.
//!
//! No log tells why such rows differ, so no time of theirs is known: which node's version stands is said by whoever asks,
//! or by a table's policy where that names a node ([`choose`]). Everything else is left to a person, by name.
//!
//! A repair of a conflict is logged, and its copy comes to the other node like any write. Here that would do harm: what a
//! client writes on the right node before the copy comes there would be overwritten by it, and no log had shown a conflict
//! before. So these rows are written on the wrong node alone, outside its log, while they are locked on both nodes, at a
//! moment when nothing that has touched them is on its way any more ([`eyes`]): from then on both nodes hold the same, and
//! whatever is written later finds it so. No applier sees it, `STRICT` or not, and no agent takes it for a conflict. The
//! locks, guards, orders and the history are those of every other repair: see [`crate::resolve`].
//!
//! The row of the history is written, and logged, before that is committed, and closed afterwards: what is overwritten is
//! never lost. Where this program ends in between, the next one finds the entry open and closes it ([`left`]).

mod alone;
mod bench;
mod choose;
mod document;
mod entry;
mod errant;
mod eyes;
mod left;
mod order;
mod plan;
mod work;

use twinlog_row::RowError;
use twinlog_server::{conn, gtid};

pub use document::{Action, Outcome, RepairDocument, RowPlan};
pub use errant::{SaveError, Saved, save_errant};
pub use plan::{Plan, plan};
pub use work::{Progress, carry_out, tidy};

use crate::{conflicts, history::HistoryError, resolve::ResolveError, verify};

/// Why rows could not be put right.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The comparison, before it or after it.
    #[error(transparent)]
    Verify(#[from] verify::Error),
    /// The history.
    #[error(transparent)]
    Conflicts(Box<conflicts::Error>),
    /// A node did not answer as asked.
    #[error(transparent)]
    Server(#[from] conn::Error),
    /// A table or its rows are not understood.
    #[error(transparent)]
    Row(RowError),
    /// Another repair goes on.
    #[error("another repair of this pair goes on: it holds a lock on {node}")]
    Busy {
        /// Which node.
        node: String,
    },
    /// What is open cannot be looked through.
    #[error(
        "{count} conflicts or more are open in the history: whether rows are among them cannot be said"
    )]
    ManyOpen {
        /// How many were looked at.
        count: u32,
    },
    /// The account that changes servers may not write outside the log.
    #[error("{node} does not let twinlog write outside its log: {message}")]
    NotAllowed {
        /// Which node.
        node: String,
        /// The server's words.
        message: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Verify(error) => error.hint(),
            Self::Conflicts(error) => error.hint(),
            Self::Server(error) => error.hint(),
            Self::Row(error) => error.hint(),
            Self::Busy { .. } => Some("wait for it to end".into()),
            Self::ManyOpen { .. } => Some("decide about them first: `twinlog conflicts list`, `resolve`".into()),
            Self::NotAllowed { .. } => Some(
                "it needs the account by which `twinlog up` changes that server, with what `twinlog doctor` says of it"
                    .into(),
            ),
        }
    }
}

impl From<RowError> for Error {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Server(error) => Self::Server(error),
            error => Self::Row(error),
        }
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Server(error) => Self::Server(error),
            ResolveError::Row(error) => error.into(),
        }
    }
}

impl From<conflicts::Error> for Error {
    fn from(error: conflicts::Error) -> Self {
        Self::Conflicts(Box::new(error))
    }
}

impl From<HistoryError> for Error {
    fn from(error: HistoryError) -> Self {
        conflicts::Error::from(error).into()
    }
}

impl From<gtid::Error> for Error {
    fn from(error: gtid::Error) -> Self {
        verify::Error::from(error).into()
    }
}
