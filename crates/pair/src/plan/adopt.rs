//! May these two servers become a pair as they are? Only if both hold the same data, and that can be known.

use twinlog_server::{
    facts::ServerFacts,
    gtid::{self, MariaDbGtid},
};

use super::{Blame, Refusal, Server};
use crate::{compare::Comparison, config::Mode, observe::PairFacts, origin::Sameness, site::Site};

/// How the two nodes are the same, or a refusal.
pub(super) fn sameness(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    refusals: &mut Vec<Refusal>,
) -> Option<Sameness> {
    let origins = [0, 1].map(|index| facts.nodes[index].origin.as_ref());
    if let Some(lost) = (0..2).find(|&index| made_anew(facts, servers, index)) {
        refusals.push(remade(facts, lost));
        return None;
    }
    if let [Some(left), Some(_)] = origins {
        return Some(left.sameness);
    }
    let links = servers.map(|server| !server.facts.links.is_empty());
    let data = [0, 1].map(|index| has_data(site, &servers[index].facts));
    match (links, data) {
        ([true, true], _) => Some(Sameness::Linked),
        ([false, false], [false, false]) => Some(Sameness::Empty),
        // The first link may already have carried what clients wrote since the origin of the other node was noted.
        ([false, false], _)
            if origins
                .iter()
                .flatten()
                .any(|origin| origin.sameness == Sameness::Empty) =>
        {
            half_made(
                facts,
                origins.map(|origin| origin.is_some()),
                data,
                refusals,
            )
        }
        ([false, false], [true, true]) => compared(facts, servers, refusals),
        ([false, false], [a, _]) => {
            let (full, empty) = if a { (0, 1) } else { (1, 0) };
            refusals.push(needs_copy(facts, full, empty));
            None
        }
        // What a link by file and position has carried cannot be told from the logs.
        (_, [false, false]) if site.config.replication.mode == Mode::Position => {
            Some(Sameness::Empty)
        }
        ([a, _], _) => one_link(site, facts, servers, usize::from(!a), refusals),
    }
}

/// Whether a node of a finished pair lost its data directory, so that twinlog makes (or made) a new one for it.
///
/// Linked to its peer it would stay without what the old one had written: a replica skips changes that bear its own
/// server id, in its peer's log, too.
fn made_anew(facts: &PairFacts, servers: [&Server; 2], index: usize) -> bool {
    let [own, peer] = [index, 1 - index].map(|index| facts.nodes[index].origin.as_ref());
    let born = own.is_some_and(|origin| origin.sameness == Sameness::Empty);
    peer.is_some_and(|origin| origin.sameness == Sameness::Settled)
        && servers[index].facts.links.is_empty()
        && (born || !servers[index].real)
}

fn remade(facts: &PairFacts, lost: usize) -> Refusal {
    let (lost, peer) = (&facts.nodes[lost].name, &facts.nodes[1 - lost].name);
    Refusal::new(
        Blame::State,
        format!("{lost} was a node of this pair and has lost its data; {peer} still has its own"),
        format!(
            "put {lost}'s data directory back if you can. What only {lost} had is gone; `twinlog copy` will make {lost} again \
             from {peer}, and this version cannot yet. {peer} is the only copy of the data: delete nothing there"
        ),
    )
}

/// Whether users have tables here, in the databases that are to be replicated.
fn has_data(site: &Site, server: &ServerFacts) -> bool {
    let wanted = |name: &String| {
        site.config
            .databases
            .as_ref()
            .is_none_or(|databases| databases.contains(name))
    };
    server
        .schemas
        .iter()
        .any(|schema| schema.tables > 0 && wanted(&schema.name))
}

fn needs_copy(facts: &PairFacts, full: usize, empty: usize) -> Refusal {
    let (full, empty) = (&facts.nodes[full].name, &facts.nodes[empty].name);
    Refusal::new(
        Blame::State,
        format!(
            "{full} has data and {empty} has none: linking them as they are would leave them different"
        ),
        format!(
            "`twinlog copy` will move the data from {full} to {empty}; this version cannot yet. Until then load a dump of {full} \
             into {empty} with nobody writing to either, then run `twinlog up` again: it compares the two and links them when \
             they are equal"
        ),
    )
}

/// One node was made ready while both were empty, then twinlog was killed; clients may have written to that node.
fn half_made(
    facts: &PairFacts,
    ready: [bool; 2],
    data: [bool; 2],
    refusals: &mut Vec<Refusal>,
) -> Option<Sameness> {
    match (0..2).find(|&index| !ready[index] && data[index]) {
        None => Some(Sameness::Empty),
        Some(index) => {
            refusals.push(needs_copy(facts, index, 1 - index));
            None
        }
    }
}

fn compared(
    facts: &PairFacts,
    servers: [&Server; 2],
    refusals: &mut Vec<Refusal>,
) -> Option<Sameness> {
    let names = [&facts.nodes[0].name, &facts.nodes[1].name];
    let ends: Vec<_> = servers
        .iter()
        .map(|server| server.facts.binlog_end.clone())
        .collect();
    let retry = "stop whoever writes to the two servers, then run `twinlog up` again";
    let refusal = match facts.comparison.as_ref()? {
        Comparison::Equal(at) if *at == ends => return Some(Sameness::Equal),
        Comparison::Equal(_) | Comparison::Moving => Refusal::new(
            Blame::State,
            format!(
                "{} and {} both have data, and somebody wrote while they were compared",
                names[0], names[1]
            ),
            retry,
        ),
        Comparison::Different(differences) => Refusal::new(
            Blame::State,
            format!(
                "{} and {} both have data, and it differs:\n  {}",
                names[0],
                names[1],
                differences.join("\n  ")
            ),
            "decide which node is right, empty the other one, load a dump of the first into it, then run `twinlog up` again",
        ),
        Comparison::Failed(reason) => Refusal::new(
            Blame::World,
            format!(
                "{} and {} both have data, and it could not be compared: {reason}",
                names[0], names[1]
            ),
            "without knowing that the data is equal twinlog does not link them",
        ),
    };
    refusals.push(refusal);
    None
}

/// `replica` follows the other node already; the way back is missing. What `replica` alone has executed must be known
/// to be nothing, or the new link would start after it and lose it.
fn one_link(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    replica: usize,
    refusals: &mut Vec<Refusal>,
) -> Option<Sameness> {
    let origins = [0, 1].map(|index| facts.nodes[index].origin.is_some());
    if origins == [true, true] {
        return Some(Sameness::Linked);
    }
    if site.config.replication.mode == Mode::Position {
        return compared(facts, servers, refusals);
    }
    let alone = super::links::missing_on(&servers[1 - replica].facts, &servers[replica].facts)
        .and_then(|gtids| {
            let below = below_the_mark(&servers[1 - replica].facts, &servers[replica].facts)?;
            Ok(if gtids.is_empty() { below } else { gtids })
        });
    match alone {
        Ok(gtids) if gtids.is_empty() => Some(Sameness::Linked),
        Ok(gtids) => {
            let (replica, source) = (&facts.nodes[replica].name, &facts.nodes[1 - replica].name);
            refusals.push(Refusal::new(
                Blame::State,
                format!("{replica} follows {source} but has executed what {source} has not: {gtids}"),
                format!("look at these transactions in {replica}'s binary log; carry over what matters, then make {replica} again"),
            ));
            None
        }
        Err(reason) => {
            refusals.push(Refusal {
                blame: Blame::World,
                message: reason,
                hint: None,
            });
            None
        }
    }
}

/// What `other` has logged and `server` has not, though a later number of the same domain covers it: in MariaDB a
/// position names the last transaction of each domain alone, whichever server wrote those before it.
fn below_the_mark(server: &ServerFacts, other: &ServerFacts) -> Result<String, String> {
    let read = |facts: &ServerFacts| -> Result<Vec<MariaDbGtid>, String> {
        let state = facts.named("gtid_binlog_state").unwrap_or_default();
        let items = state.split(',').filter(|item| !item.trim().is_empty());
        items
            .map(|item| item.parse().map_err(|error: gtid::Error| error.to_string()))
            .collect()
    };
    let known = read(server)?;
    let unknown = read(other)?.into_iter().filter(|theirs| {
        !known.iter().any(|mine| {
            (mine.domain, mine.server) == (theirs.domain, theirs.server)
                && mine.sequence >= theirs.sequence
        })
    });
    Ok(unknown
        .map(|gtid| gtid.to_string())
        .collect::<Vec<_>>()
        .join(","))
}
