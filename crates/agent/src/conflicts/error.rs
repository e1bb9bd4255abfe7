//! Why a person's wish was not done.

use twinlog_server::conn;

use crate::history::{HistoryError, State};
use twinlog_row::RowError;

/// Whose it is that something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Whoever asked: it was not said rightly.
    User,
    /// Nobody: the honest answer is no.
    No,
    /// A server.
    World,
}

/// Why a person's wish was not done. Nothing was written then, but for [`Error::Half`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A server.
    #[error(transparent)]
    Server(#[from] conn::Error),
    /// A table or a row.
    #[error(transparent)]
    Row(#[from] RowError),
    /// It is closed.
    #[error("conflict {id} is not open: it is {state} ({rule})")]
    NotOpen {
        /// Its id.
        id: String,
        /// What it is.
        state: State,
        /// Why.
        rule: String,
    },
    /// It is about definitions.
    #[error(
        "conflict {id} is about the definition of {table}: there is no row that could be written"
    )]
    Definition {
        /// Its id.
        id: String,
        /// Of what.
        table: String,
    },
    /// The version that is wanted is not in the history.
    #[error("conflict {id}: the history does not tell what {version} of row {row} ({key}) is")]
    NotTold {
        /// Its id.
        id: String,
        /// Which version.
        version: String,
        /// Which row, from 1.
        row: usize,
        /// Its key.
        key: String,
    },
    /// Clients have written since.
    #[error("row {row} ({key}) was written since conflict {id} was found")]
    WrittenSince {
        /// Its id.
        id: String,
        /// Which row, from 1.
        row: usize,
        /// Its key.
        key: String,
    },
    /// The nodes hold different rows, and none was said to be the one to start from.
    #[error(
        "row {row} ({key}) is not the same on both nodes, so there is nothing that --set alone could change"
    )]
    NoStart {
        /// Which row, from 1.
        row: usize,
        /// Its key.
        key: String,
    },
    /// Columns of a row that does not exist.
    #[error(
        "row {row} ({key}) does not exist in the version that was chosen, so it has no columns to set"
    )]
    NoSuchRow {
        /// Which row, from 1.
        row: usize,
        /// Its key.
        key: String,
    },
    /// There are several.
    #[error("conflict {id} has {rows} rows, and nothing says which one --set is for")]
    WhichRow {
        /// Its id.
        id: String,
        /// How many there are.
        rows: usize,
    },
    /// There are not so many.
    #[error("conflict {id} has {rows} rows: there is no row {row}")]
    NoRowOfNumber {
        /// Its id.
        id: String,
        /// How many there are.
        rows: usize,
        /// Which one was meant, from 1.
        row: usize,
    },
    /// No column is called so.
    #[error("{table} has no column {column}")]
    NoColumn {
        /// The table.
        table: String,
        /// What was asked for.
        column: String,
        /// Its columns.
        columns: Vec<String>,
    },
    /// A column that cannot be set.
    #[error("column {column} of {table} cannot be set: {reason}")]
    FixedColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why.
        reason: &'static str,
    },
    /// A value that the server does not take.
    #[error("{node} does not take what is set: {message}")]
    Value {
        /// Which node.
        node: String,
        /// The server's error number, where it gave one.
        code: Option<u16>,
        /// Its words.
        message: String,
    },
    /// The table is another one now.
    #[error("{table} has other columns than when conflict {id} was found")]
    Changed {
        /// Its id.
        id: String,
        /// Which table.
        table: String,
    },
    /// It cannot be repaired at all.
    #[error("conflict {id} cannot be repaired: {reason}")]
    Obstacle {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
    /// The copy of the write would stop the link.
    #[error("the copy of this write would stop the applier of {node}, where {variable} is STRICT")]
    Strict {
        /// Which node.
        node: String,
        /// The variable.
        variable: &'static str,
    },
    /// Someone was faster.
    #[error("conflict {id} was changed meanwhile, by the agent or by somebody else")]
    Overtaken {
        /// Its id.
        id: String,
    },
    /// The first half of a decision is on its way.
    #[error("the decision has not come to {node} over the link")]
    NotArrived {
        /// Where to.
        node: String,
    },
    /// A client was faster.
    #[error("row {row} ({key}) was written on {node} meanwhile")]
    WrittenMeanwhile {
        /// Where.
        node: String,
        /// Which row, from 1.
        row: usize,
        /// Its key.
        key: String,
    },
    /// Clients hold the rows.
    #[error("clients hold the rows on {node}: {message}")]
    Busy {
        /// Where.
        node: String,
        /// The server's words.
        message: String,
    },
    /// The server refuses the write.
    #[error("{node} refuses the write: {}{message}", code.map_or_else(String::new, |code| format!("ERROR {code}: ")))]
    Refused {
        /// Which node.
        node: String,
        /// The server's error number, where it was the server.
        code: Option<u16>,
        /// Why.
        message: String,
    },
    /// One node was written, the other was not.
    #[error("{written} was written, and then: {cause}")]
    Half {
        /// The node that was.
        written: String,
        /// Why the other was not.
        cause: Box<Error>,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::History(error) => return error.hint().or_else(|| self.missing_history()),
            Self::Server(error) => return error.hint().or_else(|| self.missing_history()),
            Self::Row(error) => return error.hint(),
            Self::NotOpen { id, .. } => {
                format!(
                    "`twinlog conflicts restore {id} --version …` writes another version of it all the same"
                )
            }
            Self::Definition { id, .. } => format!(
                "make the definitions equal by hand, then close it: `twinlog conflicts resolve {id} --leave`"
            ),
            Self::NotTold { id, .. } => {
                format!(
                    "choose another version, or --set every column; `twinlog conflicts show {id}` has what is known"
                )
            }
            Self::WrittenSince { id, .. } => format!(
                "that write is newer than all of the conflict's versions. `twinlog conflicts resolve {id} --leave` keeps \
                 it; `twinlog conflicts restore {id} --version …` overwrites it"
            ),
            Self::NoStart { .. } => {
                "say --keep as well: the columns that are not set come from there".into()
            }
            Self::NoSuchRow { .. } => "--keep the version that has it".into(),
            Self::WhichRow { id, .. } | Self::NoRowOfNumber { id, .. } => {
                format!("say --row N; `twinlog conflicts show {id}` numbers them")
            }
            Self::NoColumn { columns, .. } => format!("its columns are {}", columns.join(", ")),
            Self::FixedColumn { .. } | Self::Value { .. } => return None,
            Self::Changed { id, .. } => format!(
                "write the rows by hand (`twinlog sql`), then close it: `twinlog conflicts resolve {id} --leave`"
            ),
            Self::Obstacle { id, .. } => format!(
                "make the rows equal by hand (`twinlog sql`), then close it: `twinlog conflicts resolve {id} --leave`"
            ),
            Self::Strict { node, variable } => format!(
                "`SET GLOBAL {variable} = IDEMPOTENT` on {node}, resolve, and set it back when the write has come there; \
                 `twinlog up` sets it by the policy"
            ),
            Self::Overtaken { id } => format!("look at it again: `twinlog conflicts show {id}`"),
            Self::WrittenMeanwhile { .. } => "ask again: the plan will show the new row".into(),
            Self::NotArrived { .. } => "`twinlog status` says how the link fares".into(),
            Self::Busy { .. } => {
                "nothing was written; try again when their transactions have ended".into()
            }
            Self::Refused { .. } => "nothing was written".into(),
            Self::Half { .. } => {
                "it stays open: `twinlog conflicts resolve` again does the rest".into()
            }
        })
    }

    /// Whose it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::History(HistoryError::NoSuch { .. } | HistoryError::Ambiguous { .. })
            | Self::NoStart { .. }
            | Self::NoSuchRow { .. }
            | Self::WhichRow { .. }
            | Self::NoRowOfNumber { .. }
            | Self::NoColumn { .. }
            | Self::FixedColumn { .. }
            | Self::Value { .. } => Blame::User,
            Self::NotOpen { .. }
            | Self::Definition { .. }
            | Self::NotTold { .. }
            | Self::WrittenSince { .. }
            | Self::Changed { .. }
            | Self::Obstacle { .. }
            | Self::Strict { .. }
            | Self::Overtaken { .. }
            | Self::WrittenMeanwhile { .. }
            | Self::Busy { .. }
            | Self::NotArrived { .. } => Blame::No,
            Self::History(_)
            | Self::Server(_)
            | Self::Row(_)
            | Self::Refused { .. }
            | Self::Half { .. } => Blame::World,
        }
    }

    /// A pair that was made before there was a history has none: no such database, or table.
    fn missing_history(&self) -> Option<String> {
        let (Self::Server(error) | Self::History(HistoryError::Server(error))) = self else {
            return None;
        };
        matches!(error.code(), Some(1049 | 1146))
            .then(|| "`twinlog up` makes the tables of the history".into())
    }
}
