//! Watching: both logs → the tracker → verdicts → the desk that settles them.
//!
//! One task per log reads, one per node asks how far it is, several settle verdicts; the watch owns the tracker and alone
//! knows what was read. It keeps nothing on disk: whatever ends it, the next begins at the checkpoint in the pair, reads
//! again what was not settled, and comes to the same verdicts. So every failure is treated alike: the watch ends.
//! Comparisons of all rows go on beside it; how far such a one is, is all that is kept on this machine.

mod barriers;
mod case;
mod clerk;
mod desk;
mod doubt;
mod findings;
mod follow;
mod ledger;
mod links;
mod names;
mod pile;
mod policies;
mod prepared;
mod recall;
mod record;
mod report;
mod scribe;
mod session;
mod sounding;
mod start;
mod tables;
mod target;
mod ties;
mod touched;
mod trouble;
mod undescribed;
mod verifier;
mod watchman;

use tokio::sync::watch;
use twinlog_converge::Limits;
use twinlog_pair::site::Site;
use twinlog_server::gtid;

use crate::{
    resolve::{LeadershipError, ResolveError},
    stream,
};
use session::Watch;
pub use start::StartError;
pub(crate) use tables::is_replicated;
use twinlog_row::RowError;

/// Verdicts and questions that may wait; when more come the logs wait, which costs their servers nothing.
const QUEUE: usize = 256;
/// How many verdicts are settled at once, each over a connection of its own to each node.
const CLERKS: usize = 6;

/// How a watch is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// End when all that both nodes had executed is settled, repairs included.
    pub once: bool,
    /// Begin with what both nodes have executed by now, whatever the checkpoint says; all tables are then to be compared.
    pub from_now: bool,
    /// The tables that agents before could not follow have been compared by now.
    pub compared: bool,
    /// What the tracker may hold.
    pub limits: Limits,
}

/// What a watch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Transactions read from both logs.
    pub transactions: u64,
    /// Conflicts found: rows, or definitions, that both nodes wrote without having seen each other.
    pub conflicts: u64,
    /// Divergences found that no two-sided write explains.
    pub divergences: u64,
    /// Of both, those that a repair ended.
    pub repaired: u64,
    /// Those that wait for a person.
    pub open: u64,
    /// Tables that only a comparison of both nodes can judge, those that agents before have named among them.
    pub to_verify: u64,
}

/// Why a watch ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pair cannot be followed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A log.
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// A server.
    #[error(transparent)]
    Server(#[from] twinlog_server::conn::Error),
    /// A definition or a row.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A repair.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// An image in a log.
    #[error("a row in the log of {node}: {error}")]
    Image {
        /// Whose log.
        node: String,
        /// What is wrong with it.
        error: twinlog_binlog::RowError,
    },
    /// A server's answer that is no GTID set.
    #[error(transparent)]
    Gtid(#[from] gtid::Error),
    /// Another agent is at work, or the lock was lost.
    #[error(transparent)]
    Leadership(#[from] LeadershipError),
    /// Passwords.
    #[error(transparent)]
    Secret(#[from] twinlog_server::secrets::SecretError),
    /// A link does not run, so what went before it stopped cannot settle.
    #[error(
        "the link {link} does not run, and what it has not delivered cannot be judged: {reason}"
    )]
    LinkStopped {
        /// Which.
        link: String,
        /// What its replica says.
        reason: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start(error) => error.hint(),
            Self::Stream(stream::Error::Purged { .. }) => Some(
                "nobody can tell from the logs what was written there on both nodes; `twinlog run --from-now` goes on with \
                 what comes now, and names all tables as not compared. Logs should be kept for longer than the agent may be away (binlog_expire_logs_seconds)"
                    .into(),
            ),
            Self::Stream(error) => error.hint(),
            Self::Server(error) => error.hint(),
            Self::Row(error) => error.hint(),
            Self::Resolve(error) => error.hint(),
            Self::Leadership(error) => error.hint(),
            Self::Secret(error) => error.hint(),
            Self::LinkStopped { .. } => Some("`twinlog status` says more about the link".into()),
            Self::Image { .. } | Self::Gtid(_) => None,
        }
    }

    /// Whether trying again may help: a server that restarts, a network that comes back, a lock that another agent gives
    /// up.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Start(StartError::Server(error)) | Self::Server(error) => is_transient(error),
            Self::Row(RowError::Server(error))
            | Self::Resolve(
                ResolveError::Server(error) | ResolveError::Row(RowError::Server(error)),
            ) => is_transient(error),
            Self::Leadership(LeadershipError::Lost { source, .. }) => is_transient(source),
            Self::Leadership(_) => true,
            _ => false,
        }
    }
}

fn is_transient(error: &twinlog_server::conn::Error) -> bool {
    use twinlog_server::conn::Error;
    match error {
        Error::Unreachable { .. } | Error::Lost { .. } => true,
        // Too many connections; shutting down; killed; lock wait; deadlock.
        Error::Refused { code, .. } | Error::Statement { code, .. } => {
            matches!(
                code,
                1040 | 1053 | 1077 | 1158..=1161 | 1205 | 1213 | 1317 | 1927
            )
        }
        Error::Secret { .. } => false,
    }
}

/// Follows both logs until told to stop, or until all is settled. What `options` want of the beginning is taken out of
/// them once it is written down: another watch goes on from there.
///
/// # Errors
/// Whatever ended it; [`Error::is_transient`] tells whether another try makes sense.
pub async fn watch(
    site: &Site,
    options: &mut Options,
    stop: &mut watch::Receiver<bool>,
) -> Result<Summary, Error> {
    let ready = start::look(site).await?;
    let leaderships = start::lead(site, CLERKS).await?;
    let begin = if options.from_now {
        start::now(&ready)?
    } else {
        start::from(&ready)?
    };
    tracing::info!(
        "reading both logs from {:?}, {}",
        begin.settled.to_string(),
        begin.reason
    );
    let mut watch = Watch::begin(site, *options, ready, begin, leaderships).await?;
    if options.from_now || options.compared || !options.once {
        // From now on the next one begins here, too, even if nothing happens; and whoever asks is told who is at work.
        let written = watch.write_checkpoint().await?;
        if !written && (options.from_now || options.compared) {
            watch.end().await;
            let why = "neither node takes writes, so that nobody would know of the new beginning";
            return Err(StartError::NotReady(vec![why.to_owned()]).into());
        }
        (options.from_now, options.compared) = (false, false);
    }
    let result = watch.run(stop).await;
    // What was settled by now need not be read again. Where the servers are gone there is nobody to tell.
    let written = watch.last_checkpoint().await;
    watch.end().await;
    let summary = result?;
    written.map(|()| summary)
}
