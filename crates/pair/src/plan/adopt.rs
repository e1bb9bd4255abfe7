//! May these two servers become a pair as they are? Only if both hold the same data, and that can be known.

use twinlog_server::{
    facts::ServerFacts,
    gtid::{self, MariaDbGtid},
};

use super::{Action, Blame, Phase, Plan, Refusal, Server, Step, variables, way};
use crate::{
    compare::Comparison, config::Mode, copy::Source, observe::PairFacts, origin::Sameness,
    site::Site,
};

/// What the links are to stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Footing {
    /// Both nodes hold the same.
    Same(Sameness),
    /// One node's data has to be copied onto the other first.
    Copy {
        /// The index of the node that has data.
        from: usize,
    },
}

/// What the links are to stand on, or a refusal.
pub(super) fn footing(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    refusals: &mut Vec<Refusal>,
) -> Option<Footing> {
    use Footing::{Copy, Same};
    let origins = [0, 1].map(|index| facts.nodes[index].origin.as_ref());
    if let Some(node) = facts.rebuild {
        return rebuilt(site, facts, servers, node, refusals);
    }
    if let Some(half) = (0..2).find(|&index| facts.nodes[index].half_copy.is_some()) {
        return half_copied(facts, servers, half, refusals);
    }
    if let [Some(left), Some(_)] = origins {
        return Some(Same(left.sameness));
    }
    let links = servers.map(|server| !server.facts.links.is_empty());
    let data = [0, 1].map(|index| has_data(site, &servers[index].facts));
    match (links, data) {
        ([true, true], _) => Some(Same(Sameness::Linked)),
        ([false, false], [false, false]) => Some(Same(Sameness::Empty)),
        // The first link may already have carried what clients wrote since the origin of the other node was noted.
        ([false, false], _)
            if origins
                .iter()
                .flatten()
                .any(|origin| origin.sameness == Sameness::Empty) =>
        {
            Some(half_made(origins.map(|origin| origin.is_some()), data))
        }
        ([false, false], [true, true]) => compared(facts, servers, refusals).map(Same),
        ([false, false], [a, _]) => Some(Copy {
            from: usize::from(!a),
        }),
        // What a link by file and position has carried cannot be told from the logs.
        (_, [false, false]) if site.config.replication.mode == Mode::Position => {
            Some(Same(Sameness::Empty))
        }
        ([a, _], _) => one_link(site, facts, servers, usize::from(!a), refusals).map(Same),
    }
}

/// A node that lost its data, unless somebody asks for it to be made again.
pub(super) fn lost_data(facts: &PairFacts, servers: [&Server; 2]) -> Option<Refusal> {
    let lost = (0..2).find(|&index| made_anew(facts, servers, index))?;
    (facts.rebuild != Some(lost)).then(|| remade(facts, lost))
}

/// Whether a node of a finished pair lost its data directory, so that twinlog makes (or made) a new one for it.
///
/// Linked to its peer it would stay without what the old one had written: a replica skips changes that bear its own
/// server id, in its peer's log, too.
fn made_anew(facts: &PairFacts, servers: [&Server; 2], index: usize) -> bool {
    let [own, peer] = [index, 1 - index].map(|index| facts.nodes[index].origin.as_ref());
    let born = own.is_some_and(|origin| origin.sameness == Sameness::Empty);
    peer.is_some_and(|origin| origin.sameness == Sameness::Settled)
        && facts.nodes[index].half_copy.is_none()
        && servers[index].facts.links.is_empty()
        && (born || !servers[index].real)
}

fn remade(facts: &PairFacts, lost: usize) -> Refusal {
    let (lost, peer) = (&facts.nodes[lost].name, &facts.nodes[1 - lost].name);
    Refusal::new(
        Blame::State,
        format!("{lost} was a node of this pair and has lost its data; {peer} still has its own"),
        format!(
            "put {lost}'s data directory back if you can. If not, what only {lost} had is gone: `twinlog rebuild {lost}` makes it \
             again from {peer}. {peer} is the only copy of the data: delete nothing there"
        ),
    )
}

/// Whether users have tables here, in the databases that are to be replicated.
pub(super) fn has_data(site: &Site, server: &ServerFacts) -> bool {
    server
        .schemas
        .iter()
        .any(|schema| schema.tables > 0 && is_wanted(site, &schema.name))
}

/// Whether a database is to be replicated.
fn is_wanted(site: &Site, name: &str) -> bool {
    let databases = site.config.databases.as_ref();
    databases.is_none_or(|databases| databases.iter().any(|wanted| wanted == name))
}

/// A copy was cut off: it is gone on with, if it is of the other node.
fn half_copied(
    facts: &PairFacts,
    servers: [&Server; 2],
    half: usize,
    refusals: &mut Vec<Refusal>,
) -> Option<Footing> {
    let [node, peer] = [half, 1 - half].map(|index| &facts.nodes[index]);
    let source = &node.half_copy.as_ref()?.source;
    let unlinked = servers.iter().all(|server| server.facts.links.is_empty());
    if source.is_node(&peer.name) && peer.half_copy.is_none() && unlinked {
        return Some(Footing::Copy { from: 1 - half });
    }
    refusals.push(Refusal::new(
        Blame::State,
        format!(
            "{} holds half a copy of {}, and cannot be a node as it is",
            node.name, source
        ),
        match source {
            Source::Backup(_) => source.hint(),
            Source::Node(_) => STRANGE_HALF,
        },
    ));
    None
}

/// What to do about half a copy of a node that is not the peer.
const STRANGE_HALF: &str = "what the table `twinlog`.`copied` lists there was made by twinlog and is not whole: DROP that, then the database `twinlog`, \
         and run `twinlog up` again";

/// One node was made ready while both were empty, then twinlog was killed; clients may have written to that node.
fn half_made(ready: [bool; 2], data: [bool; 2]) -> Footing {
    match (0..2).find(|&index| !ready[index] && data[index]) {
        None => Footing::Same(Sameness::Empty),
        Some(from) => Footing::Copy { from },
    }
}

/// A node is to be made again from its peer.
fn rebuilt(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    node: usize,
    refusals: &mut Vec<Refusal>,
) -> Option<Footing> {
    let from = 1 - node;
    let [name, peer] = [node, from].map(|index| &facts.nodes[index].name);
    if facts.nodes[from].half_copy.is_some() {
        refusals.push(Refusal::new(
            Blame::State,
            format!("{peer} holds half a copy of {name}: {name} is the one that has all"),
            format!("`twinlog rebuild {peer}`, or `twinlog up`, goes on with it"),
        ));
        return None;
    }
    if servers[from].real && has_data(site, &servers[from].facts) {
        return Some(Footing::Copy { from });
    }
    refusals.push(Refusal::new(
        Blame::State,
        format!("{peer} has no tables of users: {name} would be made again from nothing"),
        format!("look whether it is {peer} that should be made again: `twinlog rebuild {peer}`"),
    ));
    None
}

/// Adds the step that takes a node out of the pair.
fn unmake(site: &Site, facts: &PairFacts, servers: [&Server; 2], node: usize, plan: &mut Plan) {
    let [name, peer] = [node, 1 - node].map(|index| facts.nodes[index].name.as_str());
    let mut overwritten = databases(&servers[node].facts);
    overwritten.retain(|name| is_wanted(site, name));
    let dialect = servers[node].facts.dialect;
    let mut way = vec![
        format!(
            "on {name}: SET GLOBAL read_only = ON; then wait until {peer} has what {name} wrote last, if the link runs"
        ),
        format!(
            "save what {name} alone has executed: as rows in a file, and for `twinlog conflicts`"
        ),
    ];
    if !overwritten.is_empty() {
        way.push(format!(
            "on {name}: what differs from {peer} is overwritten, what {peer} has not is DROPPED, in these databases: {}",
            overwritten.join(", ")
        ));
    }
    way.push(format!(
        "on both: {}; {}",
        dialect.stop_link(),
        dialect.remove_link()
    ));
    way.push(format!(
        "on {name}, once all is copied: {}, so that its log goes on where {peer}'s stands",
        dialect.row().reset_log
    ));
    plan.steps.push(Step {
        phase: Phase::Link,
        node: None,
        title: format!("take {name} out of the pair, to make it again from {peer}"),
        undo: format!("none once it is done: {name} becomes what {peer} is"),
        action: Action::Unmake { node, way },
    });
}

/// Adds the step that copies one node's data onto the other; the links are planned once it is there.
pub(super) fn copy(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    from: usize,
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    let [full, empty] = [from, 1 - from].map(|index| facts.nodes[index].name.as_str());
    let replica = &servers[1 - from].facts;
    let by_gtid = site.config.replication.mode == Mode::Gtid && !replica.dialect.is_mariadb();
    let half = facts.nodes[1 - from].half_copy.as_ref();
    let rebuilt = facts.rebuild.is_some() || half.is_some_and(|mark| mark.rebuilt);
    if facts.rebuild.is_some() {
        unmake(site, facts, servers, 1 - from, plan);
        let begin = plan.steps.len();
        variables::read_only(site, from, servers[from], from, plan);
        // Not before the node itself is closed: only one may be open to clients.
        for step in &mut plan.steps[begin..] {
            step.phase = Phase::Link;
        }
    }
    if by_gtid
        && !rebuilt
        && !replica.dialect.row().gtid_purged_adds
        && !replica.executed().is_empty()
    {
        refusals.push(Refusal::new(
            Blame::State,
            format!(
                "{empty}: it has executed transactions of its own, and {} can then not be told what it need not fetch of {full}",
                replica.version()
            ),
            format!("`RESET MASTER` on {empty}, if nothing follows it, or set `mode = \"position\"` in [replication]"),
        ));
    }
    let choice = match way::choose(site, facts, servers, from) {
        Ok(choice) => choice,
        Err(refusal) => return refusals.push(refusal),
    };
    let way = match choice.clones {
        true => by_clone(site, facts, from, &choice.why),
        false => by_rows(facts, servers, from, &choice.why),
    };
    plan.steps.push(Step {
        phase: Phase::Link,
        node: None,
        title: format!("copy all data from {full} to {empty}"),
        undo: match choice.clones {
            true => format!("none: {empty} becomes what {full} is"),
            false => format!(
                "drop the databases on {empty}: {}",
                databases(&servers[from].facts).join(", ")
            ),
        },
        action: Action::Copy {
            from,
            clones: choice.clones,
            way,
        },
    });
    plan.open = true;
}

/// What a copy by CLONE does, for people.
fn by_clone(site: &Site, facts: &PairFacts, from: usize, why: &str) -> Vec<String> {
    let [full, empty] = [from, 1 - from].map(|index| facts.nodes[index].name.as_str());
    let half = facts.nodes[1 - from].half_copy.as_ref();
    let node = site.nodes()[from];
    let (host, port) = (site.host_for_peer(node), site.port_for_peer(node));
    let mut way = vec![format!("by CLONE: {why}")];
    if !half.is_some_and(|mark| mark.cloned) {
        way.extend([
            format!(
                "on {full}: INSTALL PLUGIN clone, an account for it with BACKUP_ADMIN, a note in `twinlog`.`clone`; not logged, \
                 and taken away afterwards"
            ),
            format!(
                "on {empty}: INSTALL PLUGIN clone, SET PERSIST read_only = ON and event_scheduler = OFF until it is a node"
            ),
            format!(
                "on {empty}: CLONE INSTANCE FROM 'twinlog_clone'@'{host}':{port} IDENTIFIED BY '***' REQUIRE SSL: all that it has \
                 is REPLACED, its accounts and its log among it; clients of {full} are not held up"
            ),
            format!("on {empty}: its server ends, and is started again with what came"),
        ]);
    }
    way.push(format!(
        "on {empty}: twinlog's tables become its own, events are disabled, as replication does it"
    ));
    way
}

/// What a copy of rows does, for people.
fn by_rows(facts: &PairFacts, servers: [&Server; 2], from: usize, why: &str) -> Vec<String> {
    let [full, empty] = [from, 1 - from].map(|index| facts.nodes[index].name.as_str());
    let half = facts.nodes[1 - from].half_copy.as_ref();
    let freeze = servers[from].facts.dialect.row();
    let mut way = vec![
        format!("by rows and definitions; {why}"),
        format!(
            "on {full}, for the moment in which the connections open: {}; then {}",
            freeze.freeze.join("; "),
            freeze.freeze_end
        ),
        format!(
            "on {full}: START TRANSACTION WITH CONSISTENT SNAPSHOT, SELECT … of each table by stretches of its key"
        ),
        format!(
            "on {empty}: SET GLOBAL read_only = ON, CREATE …, LOAD DATA LOCAL, not logged; indexes of large tables after their rows"
        ),
        format!(
            "on {empty}: foreign keys, views, routines, triggers, events (disabled there, as replication does it)"
        ),
    ];
    if facts.accounts {
        way.push(format!(
            "on {empty}: CREATE USER …, GRANT … for users and roles that it lacks; not logged"
        ));
    }
    if facts.rebuild.is_some() {
        way.insert(
            1,
            format!("of what {empty} has, only what is not as on {full} is copied"),
        );
    } else if half.is_some() {
        way.insert(1, format!("a copy was cut off: of what {empty} has of it, only what is not as on {full} is copied again"));
    }
    way
}

fn databases(server: &ServerFacts) -> Vec<&str> {
    server
        .schemas
        .iter()
        .map(|schema| schema.name.as_str())
        .collect()
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
            format!(
                "decide which node is right, and make the other one again from it: `twinlog rebuild {}` where {} is right, \
                 `twinlog rebuild {}` where {} is",
                names[1], names[0], names[0], names[1]
            ),
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
