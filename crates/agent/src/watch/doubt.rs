//! Whose transaction it is, and which tables only a person may decide about.
//!
//! A GTID names its author. What bears the name of neither node, and what bears one's name while that node's own log has
//! nothing of it, was put there by hand or by a third server: no applier made it. What the logs then show as a change that
//! only the copy has may be a client's only write, so nothing is concluded from it, unless clients of both nodes contend.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use twinlog_binlog::{Change, Gtid, Transaction};
use twinlog_converge::{Side, TableName, Verdict};
use twinlog_server::facts::{OWN_SCHEMA, author::Author};

use super::follow::NodeName;

const STRANGERS: &str = "a server that is neither node wrote rows of it";
const BY_HAND: &str = "rows of it were written under the name of a transaction of which the log of its own node has nothing";

/// Knows the nodes' names, and what bears them by right.
#[derive(Debug)]
pub(super) struct Doubt {
    nodes: [NodeName; 2],
    /// Servers that were named as strangers.
    said: BTreeSet<u32>,
    /// In flight: of these the log of the node that made them has nothing.
    hollow: HashSet<Gtid>,
    /// In flight: what copies have rows of.
    copies: HashMap<Gtid, Vec<TableName>>,
    /// The tables, and why.
    tables: BTreeMap<TableName, &'static str>,
}

impl Doubt {
    pub(super) fn new(nodes: [NodeName; 2]) -> Self {
        Self {
            nodes,
            said: BTreeSet::new(),
            hollow: HashSet::new(),
            copies: HashMap::new(),
            tables: BTreeMap::new(),
        }
    }

    /// Which side committed it. A stranger's counts for the node whose server id or domain it has, or for the one in whose
    /// log it is met first.
    pub(super) fn origin(&mut self, log: Side, transaction: &Transaction) -> Side {
        let gtid = transaction.gtid.as_ref();
        let by_name = gtid.and_then(|gtid| self.author(gtid));
        if let (Some(gtid), Some(origin)) = (gtid, by_name) {
            self.compare(log, origin, gtid, transaction);
            return origin;
        }
        let by = |is: &dyn Fn(&NodeName) -> bool| {
            let mut sides = Side::BOTH.into_iter();
            sides.find(|side| is(&self.nodes[side.index()]))
        };
        let origin = by(&|node| gtid.is_some_and(|gtid| in_domain(node, gtid)))
            .or_else(|| by(&|node| node.server_id == transaction.server_id));
        if gtid.is_some() && self.nodes.iter().all(|node| node.author.is_some()) {
            let tables = user_tables(transaction);
            self.tables.extend(tables.map(|table| (table, STRANGERS)));
        }
        origin.unwrap_or_else(|| {
            self.name(log, transaction.server_id);
            log
        })
    }

    /// The node that gives such names. A session of it may write in a domain of its own.
    fn author(&self, gtid: &Gtid) -> Option<Side> {
        let mut sides = Side::BOTH.into_iter();
        sides.find(|side| {
            let node = &self.nodes[side.index()];
            let elsewhere = match gtid {
                Gtid::MariaDb { server_id, .. } => {
                    let peer = &self.nodes[side.peer().index()];
                    *server_id == node.server_id && !in_domain(peer, gtid)
                }
                Gtid::MySql { .. } => false,
            };
            node.wrote(gtid) || elsewhere
        })
    }

    /// Holds a copy against what its own node's log has.
    fn compare(&mut self, log: Side, origin: Side, gtid: &Gtid, transaction: &Transaction) {
        if log == origin {
            let copied = self.copies.remove(gtid);
            if transaction.changes.is_empty() && transaction.xa.is_none() {
                let copied = copied.unwrap_or_default().into_iter();
                self.tables.extend(copied.map(|table| (table, BY_HAND)));
                self.hollow.insert(gtid.clone());
            }
            return;
        }
        let tables = user_tables(transaction);
        if self.hollow.contains(gtid) {
            self.tables.extend(tables.map(|table| (table, BY_HAND)));
        } else {
            let tables: Vec<TableName> = tables.collect();
            if !tables.is_empty() {
                self.copies.insert(gtid.clone(), tables);
            }
        }
    }

    /// A transaction is in flight no more.
    pub(super) fn retired(&mut self, gtid: &Gtid) {
        self.hollow.remove(gtid);
        self.copies.remove(gtid);
    }

    /// Why a person must decide what both nodes shall hold, where they differ; `None` where the policy may.
    pub(super) fn of(&self, verdict: &Verdict) -> Option<&'static str> {
        let Verdict::Episode(episode) = verdict else {
            return None;
        };
        if episode.is_conflict() || self.tables.is_empty() {
            return None;
        }
        let tables = episode.tables().into_iter();
        tables
            .filter_map(|table| self.tables.get(&table).copied())
            .next()
    }

    fn name(&mut self, log: Side, server_id: u32) {
        if self.said.insert(server_id) {
            tracing::warn!(
                server_id,
                node = self.nodes[log.index()].name,
                "a server that is neither node writes into the pair: where what it writes differs on the nodes, only a \
                 comparison tells which is right"
            );
        }
    }
}

/// Whether it is in a node's own domain.
fn in_domain(node: &NodeName, gtid: &Gtid) -> bool {
    match (node.author, gtid) {
        (Some(Author::MariaDb { domain: own, .. }), Gtid::MariaDb { domain, .. }) => own == *domain,
        _ => false,
    }
}

/// The tables of which it has rows, but twinlog's own.
fn user_tables(transaction: &Transaction) -> impl Iterator<Item = TableName> {
    transaction
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Rows(rows) if &*rows.table.database != OWN_SCHEMA => Some(TableName {
                database: rows.table.database.clone(),
                name: rows.table.name.clone(),
            }),
            _ => None,
        })
}
