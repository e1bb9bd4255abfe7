//! What one node alone has executed, saved before that node is made again from its peer.
//!
//! Its log tells. All of it goes into a file that people can read, a line for each row. The rows that are not on the peer as
//! they are here are entered in the history as open, with both versions: `twinlog conflicts resolve` brings them over later.

mod enter;
mod read;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use twinlog_binlog::RowError as ImageError;
use twinlog_converge::{Side, TableName};
use twinlog_pair::{
    config::Mode,
    site::{Login, Site},
};
use twinlog_row::TableInfo;
use twinlog_server::{
    facts::{ServerFacts, author},
    gtid::{self, GtidSet},
    secrets::SecretError,
};

use super::{Error, bench::Bench};
use crate::{resolve::Content, stream::StretchError};

/// More rows than these are in the file alone.
const ENTRIES_MAX: usize = 10_000;

/// What was saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// How many transactions the peer had not executed.
    pub transactions: u64,
    /// How many rows they inserted, changed or deleted, one after the other.
    pub changes: u64,
    /// How many statements they were logged as, beside rows: DDL.
    pub statements: u64,
    /// The file that has them; `None` where there were none.
    pub file: Option<PathBuf>,
    /// The rows that were entered in the history, each of its own id.
    pub entries: usize,
    /// How many rows were not: tables without a key, or with another definition on the peer, and more than can be decided.
    pub unentered: usize,
}

/// Why what a node alone has could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Without GTIDs transactions cannot be told apart.
    #[error(
        "the links go by position: which of {0}'s transactions its peer has not executed cannot be told"
    )]
    ByPosition(String),
    /// The two never were nodes of one pair.
    #[error("{0} and its peer never were a pair: no log tells where they parted")]
    NeverAPair(String),
    /// The node gave names of lost transactions again.
    #[error(
        "{0} was restored from an older copy, or its log was reset: what was written there since bears names that its peer has \
         executed, and cannot be told from what it lost"
    )]
    Restored(String),
    /// The log.
    #[error("{0}: {1}")]
    Log(String, #[source] StretchError),
    /// The agent's password.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A row of the log.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A set of GTIDs.
    #[error(transparent)]
    Gtid(#[from] gtid::Error),
    /// The history.
    #[error(transparent)]
    Repair(#[from] Error),
    /// An entry of the history.
    #[error("conflict {0} of the history cannot be written on the peer: {1}")]
    History(String, String),
    /// The file.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SaveError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let more = match self {
            Self::Log(_, error) => error.hint(),
            Self::Repair(error) => error.hint(),
            _ => None,
        };
        let discard = "save by hand what you need of it (`twinlog verify --show` names the rows that differ), then rebuild with \
                       --discard";
        match more {
            Some(more) => format!("{more}; or {discard}"),
            None => discard.to_owned(),
        }
    }
}

/// Saves what a node alone has executed. Clients must not write there any more, and the peer not follow it. `by` is who
/// asked for it.
///
/// # Errors
/// Where not all of it is saved.
pub async fn save_errant(site: &Site, side: Side, by: &str) -> Result<Saved, SaveError> {
    let name = site.nodes()[side.index()].name.clone();
    let peer = facts(site, side.peer()).await?;
    let node = facts(site, side).await?;
    if site.config.replication.mode == Mode::Position || !node.has_gtids() {
        return Err(SaveError::ByPosition(name));
    }
    // A node that was just made.
    if node.executed().trim().is_empty() {
        return Ok(Saved::default());
    }
    let is_ours = |server: &ServerFacts| {
        let member = server.membership.as_ref();
        member.is_some_and(|member| member.pair_id == site.pair_id)
    };
    if !is_ours(&node) || !is_ours(&peer) {
        return Err(SaveError::NeverAPair(name));
    }
    let flavour = node.dialect.version().flavour;
    let known = GtidSet::parse(flavour, peer.executed())?;
    let all = GtidSet::parse(flavour, node.executed())?;
    // A log is read from what its server has executed, too.
    let from = known.common(&all)?;
    if author::lost(&node, &peer).is_some() {
        return Err(SaveError::Restored(name));
    }
    let Some(end) = node
        .binlog_end
        .clone()
        .filter(|_| !known.covers(&all).unwrap_or(false))
    else {
        return Ok(Saved::default());
    };
    let mut bench = Bench::open(site).await?;
    let mut work = Errant {
        site,
        side,
        by,
        from,
        ids: [node.server_id(), peer.server_id()],
        known,
        tables: Tables::default(),
        rows: BTreeMap::new(),
        saved: Saved::default(),
    };
    work.read(&mut bench, &name, &end).await?;
    work.enter(&mut bench, &name).await?;
    work.hand_over(&mut bench).await?;
    bench.close().await;
    Ok(work.saved)
}

async fn facts(site: &Site, side: Side) -> Result<ServerFacts, Error> {
    let node = site.nodes()[side.index()];
    let mut conn = site.connect(node, Login::Admin, site.patience()).await?;
    let facts = ServerFacts::read(&mut conn).await?;
    conn.close().await;
    Ok(facts)
}

/// Both definitions of tables, where there are any: the node's and its peer's.
type Tables = std::collections::HashMap<TableName, [Option<Arc<TableInfo>>; 2]>;

struct Errant<'a> {
    site: &'a Site,
    side: Side,
    by: &'a str,
    /// The server ids of the node and of its peer.
    ids: [u32; 2],
    /// What both have executed.
    from: GtidSet,
    /// What the peer has executed.
    known: GtidSet,
    tables: Tables,
    /// The rows that were written, by their tables and keys (as cells in JSON), and what they became.
    rows: BTreeMap<(TableName, String), Content>,
    saved: Saved,
}
