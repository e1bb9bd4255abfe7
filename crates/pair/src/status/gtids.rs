//! Which transactions a replica lacks, and which ones came from outside the pair.

use std::collections::BTreeSet;

use twinlog_server::{
    facts::ServerFacts,
    gtid::{GtidSet, MariaDbGtid, MariaDbPosition, Missing, MySqlSet},
};

use super::{Errant, Transactions, measure::link_from};
use crate::origin::Origin;

/// What the source has executed and the replica has not; `None` where their GTIDs cannot be compared.
///
/// On MariaDB only in the domains that the nodes write in: what is left of a domain that both once wrote in stays
/// different for ever, and means nothing.
pub(super) fn missing(source: &ServerFacts, replica: &ServerFacts) -> Option<Transactions> {
    let parse =
        |server: &ServerFacts, text: &str| GtidSet::parse(server.dialect.flavour(), text).ok();
    let theirs = parse(source, source.logged())?;
    let ours = parse(replica, replica.executed())?;
    let theirs = match theirs {
        GtidSet::MariaDb(position) => GtidSet::MariaDb(
            [source, replica]
                .iter()
                .filter_map(|server| server.named("gtid_domain_id")?.parse().ok())
                .map(|domain| position.only_domain(domain))
                .reduce(|sum, domain| sum.merge(&domain))?,
        ),
        set => set,
    };
    theirs.subtract(&ours).ok().map(|missing| listed(&missing))
}

/// What a server has executed, on one line; `None` where it has no GTIDs.
pub(super) fn executed(server: &ServerFacts) -> Option<String> {
    let set = GtidSet::parse(server.dialect.flavour(), server.executed()).ok()?;
    server.has_gtids().then(|| set.to_string())
}

/// Transactions on `server` that neither node made, less those that were there when the pair was made; `None` where
/// there are no GTIDs to tell them by. A peer that does not answer is known from the link to it.
pub(super) fn errant(
    server: &ServerFacts,
    origin: Option<&Origin>,
    peer: Option<&ServerFacts>,
) -> Option<Errant> {
    if !server.has_gtids() {
        return None;
    }
    let origin = origin.map_or("", |origin| origin.gtids.as_str());
    if server.dialect.is_mariadb() {
        errant_mariadb(server, origin, peer)
    } else {
        errant_mysql(server, origin, peer)
    }
}

fn errant_mysql(server: &ServerFacts, origin: &str, peer: Option<&ServerFacts>) -> Option<Errant> {
    let executed: MySqlSet = server.executed().parse().ok()?;
    let peer_uuid = match peer {
        Some(peer) => peer.server_uuid()?,
        None => link_from(&server.links, None)?.source_uuid.as_deref()?,
    };
    let made_by = |uuid: &str| uuid.parse().map(|uuid| executed.only_from(uuid)).ok();
    let errant = executed
        .subtract(&made_by(server.server_uuid()?)?)
        .subtract(&made_by(peer_uuid)?)
        .subtract(&origin.parse().ok()?);
    let missing = peer
        .and_then(|peer| peer.executed().parse().ok())
        .map(|theirs: MySqlSet| errant.subtract(&theirs).count());
    Some(Errant {
        count: errant.count(),
        gtids: errant.to_string(),
        missing_on_peer: missing,
    })
}

/// The binary log's state names the last transaction of every domain and server, so a stranger's shows even when a node
/// wrote after it. Only that last one is known to be a stranger's: the ones before it may be anybody's.
fn errant_mariadb(
    server: &ServerFacts,
    origin: &str,
    peer: Option<&ServerFacts>,
) -> Option<Errant> {
    let origin: MariaDbPosition = origin.parse().ok()?;
    let peer_id = match peer {
        Some(peer) => peer.server_id(),
        None => link_from(&server.links, None)?.source_server_id?,
    };
    let nodes = [server.server_id(), peer_id];
    let mut errant = marks(server)?;
    errant.retain(|gtid| {
        let before = origin.mark(gtid.domain).map_or(0, |mark| mark.sequence);
        !nodes.contains(&gtid.server) && gtid.sequence > before
    });
    let missing = peer.and_then(marks).map(|theirs| {
        let has = |gtid: &MariaDbGtid| {
            let mut marks = theirs.iter();
            marks.any(|mark| mark.domain == gtid.domain && mark.sequence >= gtid.sequence)
        };
        errant.iter().filter(|gtid| !has(gtid)).count() as u64
    });
    Some(Errant {
        count: errant.len() as u64,
        gtids: errant
            .iter()
            .map(MariaDbGtid::to_string)
            .collect::<Vec<_>>()
            .join(","),
        missing_on_peer: missing,
    })
}

/// The last transaction of every domain and server that a MariaDB server has logged or applied, each once.
fn marks(server: &ServerFacts) -> Option<Vec<MariaDbGtid>> {
    let mut marks = BTreeSet::new();
    for list in ["gtid_binlog_state", "gtid_slave_pos"] {
        let items = server.named(list).unwrap_or_default().split(',');
        for item in items.filter(|item| !item.trim().is_empty()) {
            marks.insert(item.parse::<MariaDbGtid>().ok()?);
        }
    }
    Some(marks.into_iter().collect())
}

fn listed(missing: &Missing) -> Transactions {
    Transactions {
        count: missing.count(),
        gtids: missing.to_string(),
    }
}
