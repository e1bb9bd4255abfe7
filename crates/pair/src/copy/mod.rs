//! One node's data onto the other, which has none: as it was at one moment, while clients write on.
//!
//! Several connections open a snapshot at the same moment, for which commits are held up, and the log's end is read: that
//! moment is where the link will start. Then the tables are read in stretches of their keys ([`cut`]) and given to the target
//! by `LOAD DATA` ([`ship`]), several at once, without files and without being logged; large ones get their indexes after
//! their rows ([`ddl`]). At last come foreign keys, views, routines, triggers and events ([`target`]).
//!
//! Until all is there the target is marked ([`mark`]) and read-only. A run that finds the mark opens a new snapshot, and of
//! each stretch that a run before it had copied it compares hashes first: what did not change since is not copied again.

mod accounts;
pub mod backup;
pub(crate) mod clone;
mod cut;
mod ddl;
mod definitions;
mod ends;
mod field;
mod inventory;
mod mark;
mod progress;
mod queue;
mod recipe;
mod ship;
mod snapshot;
mod target;
mod way;
mod work;

use std::{fmt, time::Duration};

use twinlog_row::{RowError, TableInfo};
use twinlog_server::conn::{Conn, Error as ConnError};

pub use accounts::Accounts;
pub use clone::{Note, read_mark};
pub(crate) use ends::give_up;
pub(crate) use inventory::{Kind, Object, objects};
pub use mark::{Mark, Source};
pub use progress::Counters;
pub(crate) use recipe::Recipe;
pub use way::Way;
pub(crate) use work::check;
pub use work::copy;

/// How long one statement may take: hashing a table, making its indexes.
const STATEMENT_MAX: Duration = Duration::from_secs(24 * 3600);
/// `ER_TABLE_DEF_CHANGED`, `ER_NO_SUCH_TABLE`: a snapshot does not reach behind an ALTER or a DROP.
const CHANGED: [u16; 2] = [1412, 1146];

/// How hard the nodes are driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many stretches are copied at once.
    pub parallel: usize,
    /// How many bytes a second, at most.
    pub rate_max: Option<u64>,
    /// Which way.
    pub way: Way,
    /// Whether accounts go along where they do not by themselves.
    pub accounts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            parallel: cores.clamp(2, 8),
            rate_max: None,
            way: Way::Auto,
            accounts: false,
        }
    }
}

/// What a copy came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    /// How many tables there are.
    pub tables: usize,
    /// How many rows.
    pub rows: u64,
    /// How many of them a run before this one had copied.
    pub found: u64,
    /// How many bytes were copied.
    pub bytes: u64,
    /// For how long nobody could commit on the source.
    pub locked: Duration,
    /// Tables of which some JSON documents are not what they were: their text does not show all that they hold.
    pub changed: Vec<String>,
    /// What came of accounts, where they were asked for.
    pub accounts: Option<Accounts>,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tables,
            rows,
            found,
            bytes,
            locked,
            changed,
            accounts,
        } = self;
        let mb = *bytes as f64 / 1e6;
        let ms = locked.as_secs_f64() * 1000.0;
        write!(
            f,
            "copied {rows} rows of {tables} tables, {mb:.1} MB; commits were held up for {ms:.1} ms"
        )?;
        if *found > 0 {
            write!(f, "; {found} rows were there already")?;
        }
        if !changed.is_empty() {
            write!(
                f,
                "; some JSON documents of {} are not to the digit what they were: their text does not show all that they hold",
                changed.join(", ")
            )?;
        }
        if let Some(accounts) = accounts {
            write!(f, "; {accounts}")?;
        }
        Ok(())
    }
}

/// Why a copy is not whole. The target stays marked, and the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node did not answer as asked.
    #[error(transparent)]
    Server(#[from] ConnError),
    /// A table is not understood.
    #[error(transparent)]
    Row(#[from] RowError),
    /// What no snapshot shows as it was, or the target would refuse.
    #[error("these cannot be copied: {}", .0.join("; "))]
    Obstacles(Vec<String>),
    /// The target has something that no copy has made.
    #[error("the node to copy to has what no copy of twinlog's made: {}", .0.join(", "))]
    Strange(Vec<String>),
    /// The target's log has gone on since it was taken out of the pair.
    #[error("somebody has written to {0} since it was taken out of the pair")]
    Written(String),
    /// The target's names for transactions were given before, by a node in whose place it is.
    #[error(
        "the node to copy from has transactions that bear {target}'s name, and {target} does not have them: {gtids}"
    )]
    Known {
        /// The target.
        target: String,
        /// The transactions.
        gtids: String,
    },
    /// Statements that cannot be interrupted kept the snapshot from being opened.
    #[error(
        "{address}: commits could not be held up for a moment within {seconds} s: statements that run long, or another backup, are in the way"
    )]
    Locked {
        /// The source.
        address: String,
        /// For how long it was tried.
        seconds: u64,
    },
    /// Something was altered, renamed, made or dropped.
    #[error("{table} was altered or dropped while it was copied")]
    Altered {
        /// What.
        table: String,
    },
    /// A server says nothing of its log.
    #[error("{0} does not say where its binary log ends")]
    NoLog(String),
    /// The target did not store what was sent.
    #[error(
        "{table}: of {sent} rows {stored} were stored, with {warnings} warnings, and they are not what the source has"
    )]
    Stored {
        /// The table.
        table: String,
        /// Rows sent.
        sent: u64,
        /// Rows stored.
        stored: u64,
        /// Values that the target had something to say about.
        warnings: u16,
    },
    /// The target is as it was, and the other way would do.
    #[error("it cannot be copied by CLONE: {0}")]
    Unable(String),
    /// The target's server ended before it had all.
    #[error("{0} ended before all was there")]
    Broken(String),
    /// The target has all, and nothing starts it again.
    #[error("{0} has all of the data by CLONE and has ended, and twinlog does not run it")]
    Ended(String),
    /// The account is not shown what something is made of.
    #[error("the source does not show how the {0} is made")]
    Unseen(String),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Row(error) => error.hint(),
            Self::Obstacles(_) => Some(
                "put each right, or drop it; a table becomes InnoDB by ALTER TABLE … ENGINE = InnoDB. `databases` in twinlog.toml leaves others out".into(),
            ),
            Self::Strange(_) => Some("twinlog deletes nothing of it: drop it there if it is not needed, then run the same again".into()),
            Self::Written(target) => Some(format!(
                "`twinlog rebuild {target}` saves that, and goes on; keep clients away from it"
            )),
            Self::Known { target, .. } => Some(format!(
                "it is made again, then, in the place of one that was lost: `twinlog rebuild {target}` does that"
            )),
            Self::Locked { .. } => Some("SHOW PROCESSLIST on that node tells which; then run the same again".into()),
            Self::Unable(_) => Some("`--way logical` copies table by table".into()),
            Self::Broken(_) => Some("its log says why; run the same again: it goes on".into()),
            Self::Ended(_) => Some("start its server, then run the same again: it goes on".into()),
            Self::Altered { .. } => Some("run the same again: it goes on with what is there".into()),
            Self::Stored { .. } => Some("the servers' versions or settings differ in what such a row may hold; nothing of this stretch was kept".into()),
            Self::NoLog(_) => Some("a node needs its binary log: `twinlog plan` says how".into()),
            Self::Unseen(_) => Some("the account that twinlog logs in as lacks a privilege on it".into()),
        }
    }

    /// What the source said about a table.
    fn of_source(error: ConnError, table: &TableInfo) -> Self {
        match error.code() {
            Some(code) if CHANGED.contains(&code) => Self::Altered {
                table: table.name.to_string(),
            },
            _ => error.into(),
        }
    }
}

/// Runs statements one after the other.
async fn run_all<'a>(
    conn: &mut Conn,
    all: impl IntoIterator<Item = &'a str>,
) -> Result<(), ConnError> {
    for sql in all {
        conn.execute(sql).await?;
    }
    Ok(())
}
