//! Which transactions a replica lacks, and which ones came from outside the pair.

use twinlog_server::{
    facts::ServerFacts,
    gtid::{GtidSet, MariaDbGap, MariaDbGtid, MariaDbPosition, Missing, MySqlSet},
};

use super::{Transactions, measure::link_from};
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
) -> Option<Transactions> {
    if !server.has_gtids() {
        return None;
    }
    let origin = origin.map_or("", |origin| origin.gtids.as_str());
    let missing = if server.dialect.is_mariadb() {
        Missing::MariaDb(errant_mariadb(server, origin, peer)?)
    } else {
        Missing::MySql(errant_mysql(server, origin, peer)?)
    };
    Some(listed(&missing))
}

fn errant_mysql(
    server: &ServerFacts,
    origin: &str,
    peer: Option<&ServerFacts>,
) -> Option<MySqlSet> {
    let executed: MySqlSet = server.executed().parse().ok()?;
    let origin: MySqlSet = origin.parse().ok()?;
    let peer = match peer {
        Some(peer) => peer.server_uuid()?,
        None => link_from(&server.links, None)?.source_uuid.as_deref()?,
    };
    let made = [server.server_uuid()?, peer]
        .map(|uuid| uuid.parse().map(|uuid| executed.only_from(uuid)).ok());
    let [Some(own), Some(peers)] = made else {
        return None;
    };
    Some(executed.subtract(&own).subtract(&peers).subtract(&origin))
}

/// The binary log's state names the last transaction of every domain and server, so a stranger's shows even when a node
/// wrote after it.
fn errant_mariadb(
    server: &ServerFacts,
    origin: &str,
    peer: Option<&ServerFacts>,
) -> Option<Vec<MariaDbGap>> {
    let origin: MariaDbPosition = origin.parse().ok()?;
    let peer = match peer {
        Some(peer) => peer.server_id(),
        None => link_from(&server.links, None)?.source_server_id?,
    };
    let nodes = [server.server_id(), peer];
    let mut strangers: Vec<MariaDbGtid> = Vec::new();
    for list in ["gtid_binlog_state", "gtid_slave_pos"] {
        let items = server.named(list).unwrap_or_default().split(',');
        for item in items.filter(|item| !item.trim().is_empty()) {
            let gtid: MariaDbGtid = item.parse().ok()?;
            if !nodes.contains(&gtid.server) && !strangers.contains(&gtid) {
                strangers.push(gtid);
            }
        }
    }
    let before = |gtid: &MariaDbGtid| origin.mark(gtid.domain).map_or(0, |mark| mark.sequence);
    Some(
        strangers
            .into_iter()
            .filter(|gtid| gtid.sequence > before(gtid))
            // Only its last one is known; the ones before it in its domain may be anybody's.
            .map(|last| MariaDbGap { first: last.sequence, last })
            .collect(),
    )
}

fn listed(missing: &Missing) -> Transactions {
    Transactions {
        count: missing.count(),
        gtids: missing.to_string(),
    }
}
