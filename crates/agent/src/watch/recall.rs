//! What a node has lost: seen in what both nodes say of themselves, and, where it has given the lost names again, in that a
//! transaction which was read from its log before is another one now.

use std::{collections::BTreeMap, time::Duration};

use twinlog_binlog::{Gtid, Transaction};
use twinlog_converge::Side;
use twinlog_pair::{
    lost::{self, Lost},
    site::{Login, Site},
    watch_state::LastOwn,
};
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    facts::{Standing, author},
    gtid::{GtidSet, MariaDbGtid, MariaDbState, MySqlSet},
};
use uuid::Uuid;

use super::{Error, StartError, follow::NodeName, sounding::Sounding};
use crate::{
    gtids,
    stream::{self, Item, LogReader},
};

/// How long the log may take to show one transaction again. A server that has to search for longer is not held up for it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// How many transactions may come before it.
const BEFORE_MAX: usize = 1000;

/// Knows what was read of each node's own, and what each said last.
#[derive(Debug)]
pub(super) struct Recall {
    nodes: [NodeName; 2],
    dialect: Dialect,
    last: [Option<LastOwn>; 2],
    said: [Option<Standing>; 2],
}

/// What looking for a transaction in a log shows.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// It, or something else of its name, or what comes after it without it.
    Found(Option<LastOwn>),
    /// Nothing: it was purged, or the log cannot be asked.
    Nothing,
}

impl Recall {
    /// `left` is what earlier agents have left, as each node has it.
    pub(super) fn new(
        nodes: [NodeName; 2],
        dialect: Dialect,
        left: &[BTreeMap<String, LastOwn>],
    ) -> Self {
        let last = nodes.each_ref().map(|node| {
            let own = left.iter().filter_map(|left| left.get(&node.name));
            own.filter(|last| gtids::parse(&last.gtid).is_some_and(|gtid| node.wrote(&gtid)))
                .max_by_key(|last| gtids::parse(&last.gtid).map(|gtid| number(&gtid)))
                .cloned()
        });
        Self {
            nodes,
            dialect,
            last,
            said: [None, None],
        }
    }

    /// Takes note of a transaction in a log.
    pub(super) fn note(&mut self, log: Side, transaction: &Transaction) {
        let own = |gtid: &&Gtid| self.nodes[log.index()].wrote(gtid);
        if let Some(gtid) = transaction.gtid.as_ref().filter(own) {
            self.last[log.index()] = Some(last_own(gtid, transaction));
        }
    }

    /// For the checkpoint.
    pub(super) fn to_state(&self) -> BTreeMap<String, LastOwn> {
        let named = self.nodes.iter().zip(&self.last);
        named
            .filter_map(|(node, last)| Some((node.name.clone(), last.clone()?)))
            .collect()
    }

    /// Holds what a node says against what its peer said before. `conn` leads to it.
    pub(super) async fn heard(
        &mut self,
        sounding: &Sounding,
        conn: &mut Conn,
    ) -> Result<(), Error> {
        let side = sounding.side;
        let node = &self.nodes[side.index()];
        if let (Some(author), Some(peer)) = (node.author, &self.said[side.peer().index()])
            && author.lost(&sounding.standing, peer).is_some()
        {
            // It may have been asked before its peer was: then it has by now what it seems to lack.
            let now = author::standing_again(conn, &self.dialect).await?;
            if let Some(missing) = author.lost(&now, peer) {
                let names = [side, side.peer()].map(|side| self.nodes[side.index()].name.as_str());
                return Err(self.lost(side, lost::message(names, &missing)));
            }
        }
        self.said[side.index()] = Some(sounding.standing.clone());
        Ok(())
    }

    /// Looks whether a node's log still has what was read from it last. `conn` leads to it.
    pub(super) async fn check(
        &self,
        site: &Site,
        side: Side,
        conn: &mut Conn,
    ) -> Result<(), Error> {
        let Some(last) = &self.last[side.index()] else {
            return Ok(());
        };
        let Some(gtid) = gtids::parse(&last.gtid) else {
            return Ok(());
        };
        let Some(before) = before(conn, &self.dialect, &gtid).await? else {
            return Ok(());
        };
        let endpoint = site.endpoint(site.nodes()[side.index()], Login::Agent)?;
        let ids = self.nodes.each_ref().map(|node| node.server_id);
        let options = stream::Options::new(endpoint, before, ids.to_vec());
        let found = tokio::time::timeout(LOOK_TIMEOUT, look(options, &gtid)).await;
        match found.unwrap_or(Look::Nothing) {
            Look::Found(Some(now)) if now == *last => Ok(()),
            Look::Nothing => {
                tracing::debug!("{gtid} is not found again in the log of its own node");
                Ok(())
            }
            Look::Found(now) => {
                let name = &self.nodes[side.index()].name;
                let what = match now {
                    Some(_) => "is another one now",
                    None => "is no longer there, and later ones are",
                };
                Err(self.lost(
                    side,
                    format!(
                        "{name} has lost transactions that were read from its log before: {gtid} {what}. It was restored from \
                         an older copy, or its log was reset"
                    ),
                ))
            }
        }
    }

    fn lost(&self, side: Side, message: String) -> Error {
        let names = [side, side.peer()].map(|side| self.nodes[side.index()].name.as_str());
        let hint = lost::hint(names);
        StartError::Lost(Lost { message, hint }).into()
    }
}

fn last_own(gtid: &Gtid, transaction: &Transaction) -> LastOwn {
    LastOwn {
        gtid: gtid.to_string(),
        committed_us: transaction.committed.micros,
        bytes: transaction.end.saturating_sub(transaction.start),
    }
}

fn number(gtid: &Gtid) -> u64 {
    match gtid {
        Gtid::MySql { sequence, .. } | Gtid::MariaDb { sequence, .. } => *sequence,
    }
}

/// From where a log must be read for the transaction to come; `None` where it cannot: it was purged, or it is not there at
/// all, which is for those to find who read on from it.
async fn before(
    conn: &mut Conn,
    dialect: &Dialect,
    gtid: &Gtid,
) -> Result<Option<GtidSet>, ConnError> {
    let mut ask = async |variable: &str| -> Result<String, ConnError> {
        let value = conn.value(&format!("SELECT @@GLOBAL.{variable}")).await?;
        Ok(value.unwrap_or_default())
    };
    Ok(match gtid {
        Gtid::MySql {
            uuid,
            tag,
            sequence,
        } if !dialect.is_mariadb() => {
            let (uuid, tag) = (Uuid::from_bytes(*uuid), tag.as_deref().unwrap_or_default());
            let executed = ask("gtid_executed").await?.parse::<MySqlSet>();
            let purged = ask("gtid_purged").await?.parse::<MySqlSet>();
            let (Ok(executed), Ok(purged)) = (executed, purged) else {
                return Ok(None);
            };
            let mut only = MySqlSet::default();
            only.add(uuid, tag, *sequence);
            let there = executed.has(uuid, tag, *sequence) && !purged.has(uuid, tag, *sequence);
            there.then(|| GtidSet::MySql(executed.subtract(&only)))
        }
        Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        } if dialect.is_mariadb() => {
            let Ok(logged) = ask("gtid_binlog_state").await?.parse::<MariaDbState>() else {
                return Ok(None);
            };
            let last = logged.last_of(*domain, *server_id);
            let mut position = logged.position();
            position.set(MariaDbGtid {
                domain: *domain,
                server: *server_id,
                sequence: sequence.saturating_sub(1),
            });
            last.filter(|last| last.sequence >= *sequence)
                .map(|_| GtidSet::MariaDb(position))
        }
        _ => None,
    })
}

/// Reads until the transaction comes, or one that comes after it.
async fn look(options: stream::Options, gtid: &Gtid) -> Look {
    let (mut stream, reader) = LogReader::spawn(options);
    let mut look = Look::Nothing;
    let mut read = 0;
    while let Some(Ok(item)) = stream.next().await {
        let transaction = match item {
            Item::Transaction(received) => received.transaction,
            // What is not at hand now is not waited for.
            Item::Reconnecting(_) => break,
            Item::Connected(_) | Item::Position(_) => continue,
        };
        read += 1;
        let found = transaction.gtid.as_ref();
        if found == Some(gtid) {
            look = Look::Found(Some(last_own(gtid, &transaction)));
            break;
        }
        if found.is_some_and(|found| passes(found, gtid)) {
            look = Look::Found(None);
            break;
        }
        if read >= BEFORE_MAX {
            break;
        }
    }
    reader.stop().await;
    look
}

/// Whether a MariaDB's log that shows the one has nothing of the other: it has its numbers in ascending order.
fn passes(found: &Gtid, gtid: &Gtid) -> bool {
    match (found, gtid) {
        (
            Gtid::MariaDb {
                domain: a,
                server_id: of,
                sequence: at,
            },
            Gtid::MariaDb {
                domain: b,
                server_id: from,
                sequence: wanted,
            },
        ) => (a, of) == (b, from) && at > wanted,
        _ => false,
    }
}
