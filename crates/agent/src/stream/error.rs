//! Why a log is read no further, and why for a while.

use std::{io, sync::Arc, time::Duration};

use twinlog_server::{
    conn::Address,
    gtid::{GtidSet, Missing},
    version::Flavour,
};

use super::wire::{self, ServerError};

/// What no new connection would mend: the reader has ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The server does not let the account in, or not read the log.
    #[error("{address} does not let '{user}' read its log: ERROR {code}: {message}")]
    Denied {
        /// Where.
        address: Address,
        /// Who.
        user: String,
        /// The server's error number.
        code: u16,
        /// Its words.
        message: String,
    },
    /// There is no secure connection, or it leads to someone else.
    #[error("no secure connection to {address}: {reason}")]
    Insecure {
        /// Where.
        address: Address,
        /// What is wrong.
        reason: String,
    },
    /// The account logs in by a way that twinlog does not know.
    #[error("{address}: {reason}")]
    Login {
        /// Where.
        address: Address,
        /// Which.
        reason: String,
    },
    /// It keeps no binary log.
    #[error("{address} keeps no binary log")]
    NoBinaryLog {
        /// Where.
        address: Address,
    },
    /// Its transactions have no GTIDs.
    #[error("{address} logs without GTIDs (gtid_mode is {mode})")]
    NoGtids {
        /// Where.
        address: Address,
        /// Its `gtid_mode`.
        mode: String,
    },
    /// It is not the flavour, or not the server, that the reader began with.
    #[error("{address} is another server: {found} where {expected} was")]
    AnotherServer {
        /// Where.
        address: Address,
        /// What answers there.
        found: String,
        /// What was read before.
        expected: String,
    },
    /// The log no longer has what comes next.
    #[error("{address} has purged transactions from its log that were not read yet: {}", missing_text(.missing, .message))]
    Purged {
        /// Where.
        address: Address,
        /// Which; `None` where the server does not tell. MariaDB's are an upper bound.
        missing: Option<Missing>,
        /// The server's own words, where it was the one to say so.
        message: Option<String>,
    },
    /// The server lacks what was read from it: its log was reset, or its data restored from before.
    #[error("{address} no longer knows transactions that were read from it before: {missing}")]
    Rewound {
        /// Where.
        address: Address,
        /// Which.
        missing: Missing,
    },
    /// The server cannot go on reading its own log.
    #[error("{address} cannot send its log: ERROR {code}: {message}")]
    Unreadable {
        /// Where.
        address: Address,
        /// The server's error number.
        code: u16,
        /// Its words.
        message: String,
    },
    /// What it sent, twice, cannot be decoded.
    #[error("the log of {address} cannot be decoded: {error}")]
    Decode {
        /// Where.
        address: Address,
        /// What is wrong, and at which place.
        error: twinlog_binlog::Error,
    },
    /// The reader has a bug.
    #[error("the reader of {address}'s log failed: {message}")]
    Panicked {
        /// Where.
        address: Address,
        /// The panic's message.
        message: String,
    },
}

fn missing_text(missing: &Option<Missing>, message: &Option<String>) -> String {
    match (missing, message) {
        (Some(missing), _) => missing.to_string(),
        (None, Some(message)) => format!("it says: {message}"),
        (None, None) => "it does not say which".into(),
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Denied { code: 1045 | 1698, .. } => "check user and password (password_file or password_env)".into(),
            Self::Denied { code: 1130, .. } => {
                "the server does not let this user in from this host: check the host part of the account".into()
            }
            Self::Denied { .. } => {
                "reading the log takes the privilege REPLICATION SLAVE: `twinlog doctor` lists what the account needs".into()
            }
            Self::Insecure { .. } => {
                "check the authority's file and the certificate's names; `tls = \"off\"` for this node if the network \
                 between is trusted"
                    .into()
            }
            Self::Login { .. } => {
                "let the account use caching_sha2_password, mysql_native_password or ed25519".into()
            }
            Self::NoBinaryLog { .. } => "set log_bin and start the server again: `twinlog doctor` has the settings".into(),
            Self::NoGtids { .. } => "switch GTIDs on: `twinlog plan` shows how".into(),
            Self::AnotherServer { .. } => {
                "check the node's address; after a rebuild start twinlog again".into()
            }
            Self::Purged { .. } => {
                "only a comparison of the tables themselves can tell what was in it; keep logs for longer \
                 (binlog_expire_logs_seconds)"
                    .into()
            }
            Self::Rewound { .. } => {
                "it was restored from an older copy, or its log was reset: keep clients away from it, because what they write there \
                 now may never reach its peer; docs/operations.md has the steps under \"A node that is made again\""
                    .into()
            }
            Self::Unreadable { .. } => "look into the server's error log, and check its disk".into(),
            Self::Decode { error, .. } => return error.hint(),
            Self::Panicked { .. } => "please report this with the message".into(),
        })
    }
}

/// What a new connection may mend.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Interruption {
    /// The connection was not made, or broke.
    #[error("{0}")]
    Network(String),
    /// The server closed the connection without a word: it stopped, or someone ended its thread.
    #[error("the server closed the connection")]
    Closed,
    /// The server said why it takes, or keeps, no connection now.
    #[error("ERROR {code}: {message}")]
    Server {
        /// Its error number.
        code: u16,
        /// Its words.
        message: String,
    },
    /// Not even a heartbeat came for this long.
    #[error("no sign of life for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The stream was not set up within this time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The server ended the stream in order.
    #[error("the server ended the stream")]
    Ended,
    /// An event could not be decoded; it is asked for once more.
    #[error("{0}")]
    Damaged(twinlog_binlog::Error),
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// For good.
    Lasting(Box<Error>),
    /// Until the next.
    Passing(Interruption),
    /// The server cannot send from here: whether something was purged must be found out.
    Fatal(ServerError),
    /// Nobody takes what is read.
    Unwanted,
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Lasting(Box::new(error))
    }
}

/// `ER_MASTER_FATAL_ERROR_READING_BINLOG` (`ER_SOURCE_FATAL_…` today): whatever goes wrong with a stream on the
/// server's side has this number, and only words tell what.
const FATAL: u16 = 1236;

/// Errors of a server that stay until someone changes something there: no access (host, user, password, database,
/// privilege, expired or locked account), no such login plugin, TLS required.
const DENIED: [u16; 13] = [
    1044, 1045, 1130, 1142, 1227, 1251, 1524, 1698, 1820, 1862, 3118, 3159, 4151,
];

/// What an error of the connection means for the reader.
pub(super) fn judge(error: wire::Error, address: &Address, user: &str) -> End {
    let address = || address.clone();
    match error {
        wire::Error::Server(error) if DENIED.contains(&error.code) => Error::Denied {
            address: address(),
            user: user.to_owned(),
            code: error.code,
            message: error.message,
        }
        .into(),
        wire::Error::Server(error) if error.code == FATAL && !is_displaced(&error.message) => {
            End::Fatal(error)
        }
        wire::Error::Server(ServerError { code, message }) => {
            End::Passing(Interruption::Server { code, message })
        }
        wire::Error::Certificate(reason) => Error::Insecure {
            address: address(),
            reason,
        }
        .into(),
        error @ wire::Error::NoTls => Error::Insecure {
            address: address(),
            reason: error.to_string(),
        }
        .into(),
        error @ wire::Error::Plugin(_) => Error::Login {
            address: address(),
            reason: error.to_string(),
        }
        .into(),
        wire::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            End::Passing(Interruption::Closed)
        }
        error @ (wire::Error::Io(_) | wire::Error::Protocol(_)) => {
            End::Passing(Interruption::Network(error.to_string()))
        }
    }
}

/// Whether the server ended the stream because another replica came with the same identity.
fn is_displaced(message: &str) -> bool {
    message.contains("same server_uuid") || message.contains("same server_id")
}

/// The flavour of a set.
pub(super) fn flavour_of(gtids: &GtidSet) -> Flavour {
    match gtids {
        GtidSet::MySql(_) => Flavour::MySql,
        GtidSet::MariaDb(_) => Flavour::MariaDb,
    }
}

/// A place that could not be decoded.
pub(super) type Place = (Arc<str>, u64);
