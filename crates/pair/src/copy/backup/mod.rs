//! All of a node's data in files, and back from them onto both nodes of an empty pair.
//!
//! A backup is what [`crate::copy`] sends, kept: the rows of one snapshot in parts of some megabytes, each as `LOAD DATA`
//! takes it, compressed, and with a checksum ([`part`]); and a manifest of what there was, how it is made, where the node's
//! log stood and how far its links were ([`manifest`]). They lie in a directory, or one behind the other in a tar archive that
//! unpacks to the same ([`sink`], [`store`]). The last file says that it is whole: without it, it is none.
//!
//! It is restored onto both nodes at once, outside their logs: the links stay as they are, for they have nothing to carry.
//! Each node is closed and marked until all is there, and until what each of its tables has stored was read again and
//! compared with what the backup has.

mod load;
mod manifest;
mod node;
mod part;
mod restore;
mod sink;
mod store;
mod take;

use std::{io, path::PathBuf};

use twinlog_server::conn::Error as ConnError;

pub use manifest::{Link, Manifest, Position};
pub use restore::{Restored, restore};
pub use sink::Sink;
pub use store::Store;
pub use take::{Taken, backup};

use super::Error as CopyError;
use crate::{prove, site};

/// Why there is no backup, or it is not restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table or a node was in the way, as it would be of a copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The pair's own files.
    #[error(transparent)]
    Site(#[from] site::Error),
    /// A file could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// There is nothing where a backup was to be.
    #[error("there is no {0}")]
    Nowhere(PathBuf),
    /// There is something where a backup is to be written.
    #[error("{0} is there already, and is not empty")]
    Occupied(PathBuf),
    /// There is no backup, or the begin of one.
    #[error("{0} is no whole backup: the file that is written last is missing")]
    NotWhole(PathBuf),
    /// A file is not what was written.
    #[error("the backup is damaged: {file}: {what}")]
    Damaged {
        /// The file, within the backup.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A later twinlog has written it.
    #[error(
        "the backup is of format {0}, which this twinlog does not know: it knows {known}",
        known = manifest::FORMAT
    )]
    Unknown(u32),
    /// It is from a server of another flavour, or of a version that is not known.
    #[error(
        "the backup is from {of}, and {node} is {is}: it can only be restored to the same flavour"
    )]
    Foreign {
        /// The server it was taken from.
        of: String,
        /// The node.
        node: String,
        /// Its server.
        is: String,
    },
    /// It has more than this pair is to have.
    #[error("the backup has databases that `databases` in twinlog.toml leaves out: {}", .0.join(", "))]
    Outside(Vec<String>),
    /// The pair has to be there first.
    #[error("{0} is no node of this pair yet")]
    NoPair(String),
    /// There is data already.
    #[error("{node} is not empty: {}", .what.join(", "))]
    NotEmpty {
        /// The node.
        node: String,
        /// What it has.
        what: Vec<String>,
    },
    /// The node is closed on top of what twinlog closes.
    #[error("{0} has super_read_only = ON: not even twinlog can write there")]
    Sealed(String),
    /// A restore was cut off, and the node did not stay closed.
    #[error(
        "{0} holds a part of a backup, and has been open to clients since the restore was cut off"
    )]
    WasOpen(String),
    /// The node holds half a copy, or a part of a backup.
    #[error("{node} holds half a copy of {of}: that is nothing to back up")]
    Half {
        /// The node.
        node: String,
        /// What it is half of.
        of: String,
    },
    /// A link stands, lags, or is broken.
    #[error(
        "nothing was restored: a link that has something left to carry would carry it over what is restored: {0}"
    )]
    Link(Box<prove::Error>),
    /// What was stored is not what the backup has.
    #[error(
        "{node} has stored {stored} rows of {table}, and they are not the {rows} that the backup has"
    )]
    Differs {
        /// The node.
        node: String,
        /// The table.
        table: String,
        /// The rows that it has now.
        stored: u64,
        /// The rows of the backup.
        rows: u64,
    },
    /// Another twinlog is at work.
    #[error("{what} holds a lock on {node}")]
    Busy {
        /// What.
        what: &'static str,
        /// The node.
        node: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Copy(CopyError::Altered { .. }) => {
                "delete what was written of the backup, and run the same again".into()
            }
            Self::Copy(CopyError::Server(error)) => return error.hint(),
            Self::Copy(error) => return error.hint(),
            Self::Site(error) => return error.hint(),
            Self::File { .. } => return None,
            Self::Nowhere(_) => "name the directory or the archive that `twinlog backup` has written".into(),
            Self::Occupied(_) => {
                "name a directory that is not there yet; twinlog overwrites no backup, be it whole or not".into()
            }
            Self::NotWhole(_) => {
                "it was cut off while it was written, or this is not the directory; only a whole backup is restored".into()
            }
            Self::Damaged { .. } => {
                "nothing was changed on the nodes if this was said at once; take another backup".into()
            }
            Self::Unknown(_) => "use the twinlog that has written it, or a later one".into(),
            Self::Foreign { .. } => return None,
            Self::Outside(_) => "add them there, run `twinlog up`, then restore".into(),
            Self::NoPair(_) => "`twinlog up` makes the pair, or ends what was begun".into(),
            Self::NotEmpty { .. } => {
                "a backup is restored into an empty pair, and twinlog deletes nothing that it has not made: drop what is not needed".into()
            }
            Self::Sealed(_) => "SET GLOBAL super_read_only = OFF there, then run the same again".into(),
            Self::WasOpen(node) => format!(
                "its server was restarted, or somebody opened it: what clients wrote there is overwritten by the restore. Save what \
                 you need of it, close it (`twinlog sql {node} -e 'SET GLOBAL read_only = ON'`), and run the same again"
            ),
            Self::Half { of, .. } => format!("{of} is whole: back that up, or end what was begun first"),
            Self::Link(error) => match error.hint() {
                Some(hint) => format!("`twinlog up` first: {hint}"),
                None => "`twinlog up` first".into(),
            },
            Self::Differs { .. } => {
                "the node's version or settings differ from those of the server the backup is from, in what such a row may hold; both nodes stay closed".into()
            }
            Self::Busy { .. } => "stop it first; `twinlog run` is started again afterwards".into(),
        })
    }
}

impl From<prove::Error> for Error {
    fn from(error: prove::Error) -> Self {
        Self::Link(error.into())
    }
}

impl From<ConnError> for Error {
    fn from(error: ConnError) -> Self {
        Self::Copy(error.into())
    }
}

/// A file of which the system said that.
fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    |source| Error::File { path, source }
}

/// Runs work on files, or work that takes a processor for long, off the threads that serve connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // None is aborted.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
