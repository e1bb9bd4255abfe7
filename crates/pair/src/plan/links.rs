//! The two links: made where there is none, mended where one is not what it should be, never taken from a stranger.

use twinlog_server::{
    dialect::{Account, LinkSource, LinkStart, LinkTls as Protection},
    facts::{LinkFacts, ServerFacts},
    gtid::{GtidSet, Missing},
    sql::{Sql, literal},
};

use super::{Action, Blame, Phase, Plan, Refusal, Server, Step, prepare};
use crate::{
    config::{LinkTls, Mode, Runtime},
    observe::PairFacts,
    origin::{Origin, Sameness},
    site::Site,
};

/// `ER_ACCESS_DENIED_ERROR`: the link has another password than the account.
const ACCESS_DENIED: u32 = 1045;

/// How the link *from* each node is protected: `None` for not at all, otherwise the authority's file as the replica's
/// server sees it, empty where the source's certificate cannot be checked.
pub(super) struct Tls {
    pub(super) from: [Option<String>; 2],
}

/// Decides the protection of both links.
pub(super) fn tls(
    site: &Site,
    facts: &PairFacts,
    servers: [&Server; 2],
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) -> Tls {
    let mut decide = |source: usize| -> Option<String> {
        if site.config.replication.tls == LinkTls::Off {
            return None;
        }
        let runtimes =
            [source, 1 - source].map(|index| site.config.runtime_of(site.nodes()[index]));
        let ours = runtimes.iter().all(|runtime| *runtime != Runtime::External);
        let ca = if ours {
            site.ca_for_replica(1 - source)
        } else {
            String::new()
        };
        let able = offers_tls(&servers[source].facts)
            && (!ca.is_empty() || !servers[1 - source].facts.dialect.row().link_tls_needs_ca);
        if able {
            return Some(ca);
        }
        let (name, version) = (&facts.nodes[source].name, servers[source].facts.version());
        let host = site.host_for_peer(site.nodes()[source]);
        if site.config.replication.tls == LinkTls::Preferred || is_loopback(&host) {
            plan.notes.push(format!(
                "the link from {name} ({version}) is not encrypted: the server offers no TLS"
            ));
        } else {
            refusals.push(Refusal::new(
                Blame::State,
                format!("node {name}: {version} at {host} offers no TLS, and its changes would cross the network in the clear"),
                "give the server a certificate (ssl_ca, ssl_cert, ssl_key), or accept it: `tls = \"preferred\"` in [replication]",
            ));
        }
        None
    };
    Tls {
        from: [decide(0), decide(1)],
    }
}

pub(super) fn offers_tls(server: &ServerFacts) -> bool {
    // The variable was removed in MySQL 8.4; a server that has it switched on has a certificate.
    match server.named("have_ssl") {
        Some(have) => have == "YES",
        None => server
            .named("ssl_cert")
            .is_some_and(|file| !file.is_empty()),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Adds what is missing of the link into `replica`.
pub(super) fn plan(
    site: &Site,
    facts: &PairFacts,
    replica: usize,
    servers: [&Server; 2],
    (sameness, tls): (Sameness, &Tls),
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    let source = 1 - replica;
    let names = [source, replica].map(|index| facts.nodes[index].name.as_str());
    let links = &servers[replica].facts.links;
    let wanted = Wanted {
        site,
        source,
        tls: tls.from[source].clone(),
        renewed: facts.nodes[source]
            .origin
            .as_ref()
            .is_some_and(|origin| origin.secrets_id != facts.secrets_id),
    };
    match links.first() {
        None => match fresh(site, facts, replica, servers, sameness) {
            Ok((before, start)) => push(
                plan,
                replica,
                names,
                make(servers[replica], &wanted, before, start),
            ),
            Err(refusal) => refusals.push(*refusal),
        },
        Some(link) => {
            existing(
                link,
                servers[replica],
                &wanted,
                replica,
                names,
                plan,
                refusals,
            );
        }
    }
}

struct Wanted<'a> {
    site: &'a Site,
    source: usize,
    tls: Option<String>,
    /// The account gets a new password in this plan.
    renewed: bool,
}

impl Wanted<'_> {
    fn host(&self) -> String {
        self.site.host_for_peer(self.site.nodes()[self.source])
    }

    fn port(&self) -> u16 {
        self.site.port_for_peer(self.site.nodes()[self.source])
    }

    fn source(&self, start: LinkStart) -> LinkSource {
        LinkSource {
            host: self.host(),
            port: self.port(),
            user: Account::Replication.user().into(),
            password: Account::Replication.secret().into(),
            tls: match &self.tls {
                None => Protection::Off,
                Some(ca) => Protection::On {
                    ca: Some(ca.clone()).filter(|ca| !ca.is_empty()),
                },
            },
            start,
        }
    }

    fn is_met_by(&self, link: &LinkFacts) -> bool {
        link.source_host == self.host()
            && link.source_port == self.port()
            && link.source_user == Account::Replication.user()
            && link.tls == self.tls.is_some()
            && (link.tls_ca || self.tls.as_ref().is_none_or(String::is_empty))
    }
}

fn is_from(link: &LinkFacts, site: &Site, source: usize, server: &ServerFacts) -> bool {
    link.channel.is_empty()
        && match (
            &link.source_uuid,
            server.server_uuid(),
            link.source_server_id,
        ) {
            (Some(theirs), Some(ours), _) => theirs == ours,
            (_, None, Some(id)) => id == server.server_id(),
            // It never connected, so it knows its source by address only.
            _ => is_at(link, site, source),
        }
}

/// Whether a link leads to the address of a node.
fn is_at(link: &LinkFacts, site: &Site, source: usize) -> bool {
    let node = site.nodes()[source];
    link.source_host == site.host_for_peer(node) && link.source_port == site.port_for_peer(node)
}

/// A node that follows anything but its peer, or its peer and something else.
pub(super) fn stranger(
    site: &Site,
    facts: &PairFacts,
    replica: usize,
    servers: [&Server; 2],
) -> Option<Refusal> {
    let source = 1 - replica;
    let links = &servers[replica].facts.links;
    // A node that lost its data has another identity.
    let is_to_go = |link: &LinkFacts| {
        facts.rebuild == Some(source) && link.channel.is_empty() && is_at(link, site, source)
    };
    match links.as_slice() {
        [] => None,
        [link] if is_from(link, site, source, &servers[source].facts) || is_to_go(link) => None,
        links => Some(strangers_links(links, &facts.nodes[replica].name)),
    }
}

fn strangers_links(links: &[LinkFacts], replica: &str) -> Refusal {
    let list: Vec<String> = links
        .iter()
        .map(|link| match link.channel.as_str() {
            "" => format!("{}:{}", link.source_host, link.source_port),
            channel => format!(
                "{}:{} (channel '{channel}')",
                link.source_host, link.source_port
            ),
        })
        .collect();
    Refusal::new(
        Blame::State,
        format!(
            "node {replica} replicates already, and not from its peer alone: from {}",
            list.join(", ")
        ),
        "twinlog does not take a server out of another replication: remove those links (STOP and RESET … ALL) if they are not \
         needed, or pair another server",
    )
}

/// The statements before a new link, and its start.
fn fresh(
    site: &Site,
    facts: &PairFacts,
    replica: usize,
    servers: [&Server; 2],
    sameness: Sameness,
) -> Result<(Vec<Sql>, LinkStart), Box<Refusal>> {
    let source = 1 - replica;
    let origin = match prepare::recorded(facts, source, sameness) {
        Some(origin) => origin.clone(),
        None => prepare::origin(servers[source], Sameness::Empty, String::new()),
    };
    if site.config.replication.mode == Mode::Position {
        if origin.sameness == Sameness::Settled {
            return Err(Box::new(lost_link(facts, replica)));
        }
        return Ok((Vec::new(), LinkStart::Position(origin.end)));
    }
    let before = if servers[replica].facts.dialect.is_mariadb() {
        seed_mariadb(&origin, &servers[replica].facts)
    } else {
        seed_mysql(&origin, &servers[replica].facts)
    }
    .map_err(|reason| {
        Box::new(Refusal::new(
            Blame::State,
            format!("{}: {reason}", facts.nodes[replica].name),
            "`RESET MASTER` on both servers, if nothing else follows them, or set `mode = \"position\"` in [replication]",
        ))
    })?;
    Ok((before, LinkStart::Gtid))
}

/// A link of a finished pair is gone, and with it the only note of how far it had come.
fn lost_link(facts: &PairFacts, replica: usize) -> Refusal {
    let [source, name] = [1 - replica, replica].map(|index| &facts.nodes[index].name);
    Refusal::new(
        Blame::State,
        format!(
            "the link {source}→{name} was removed, and where it stood in {source}'s log is not known"
        ),
        format!(
            "if you know the place, make the link by hand (CHANGE … LOG_FILE, LOG_POS on {name}) and run `twinlog up` again; \
             otherwise {name} must be made again from {source}"
        ),
    )
}

/// Notes on both nodes that both links are made, once they run.
pub(super) fn settle(facts: &PairFacts, servers: [&Server; 2], plan: &mut Plan) {
    let linked = servers
        .iter()
        .all(|server| matches!(server.facts.links.as_slice(), [link] if !link.is_stopped()));
    for (index, node) in facts.nodes.iter().enumerate() {
        let unsettled = node
            .origin
            .as_ref()
            .is_some_and(|origin| origin.sameness != Sameness::Settled);
        if linked && unsettled {
            plan.steps.push(Step {
                phase: Phase::Link,
                node: Some(index),
                title: format!("{}: note that both links are made", node.name),
                undo: "none needed: it only keeps a lost link from being made again from the beginning".into(),
                action: Action::Sql(vec!["SET sql_log_bin = 0".into(), crate::origin::settle()]),
            });
        }
    }
}

/// Tells a MySQL replica that it need not fetch what its source had executed at the origin: both hold the same data.
fn seed_mysql(origin: &Origin, replica: &ServerFacts) -> Result<Vec<Sql>, String> {
    let missing = missing_text(replica, &origin.gtids)?;
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    match (
        replica.dialect.row().gtid_purged_adds,
        replica.executed().is_empty(),
    ) {
        (true, _) => Ok(vec![
            format!(
                "SET GLOBAL gtid_purged = {}",
                literal(&format!("+{missing}"))
            )
            .into(),
        ]),
        (false, true) => Ok(vec![
            format!("SET GLOBAL gtid_purged = {}", literal(&missing)).into(),
        ]),
        (false, false) => Err(format!(
            "it and its peer have executed different transactions, and {} cannot skip {missing}",
            replica.version()
        )),
    }
}

/// The same for MariaDB, whose replicas start from `gtid_slave_pos`.
fn seed_mariadb(origin: &Origin, replica: &ServerFacts) -> Result<Vec<Sql>, String> {
    let set = |text: &str| {
        GtidSet::parse(replica.dialect.flavour(), text).map_err(|error| error.to_string())
    };
    let position = replica.named("gtid_slave_pos").unwrap_or_default();
    let merged = set(&origin.gtids)?
        .merge(&set(position)?)
        .map_err(|error| error.to_string())?;
    Ok(if merged == set(position)? {
        Vec::new()
    } else {
        vec![
            format!(
                "SET GLOBAL gtid_slave_pos = {}",
                literal(&merged.to_string())
            )
            .into(),
        ]
    })
}

/// What `gtids` has and the server has not executed, as text.
fn missing_text(server: &ServerFacts, gtids: &str) -> Result<String, String> {
    let set = |text: &str| {
        GtidSet::parse(server.dialect.flavour(), text).map_err(|error| error.to_string())
    };
    let missing: Missing = set(gtids)?
        .subtract(&set(server.executed())?)
        .map_err(|error| error.to_string())?;
    Ok(if missing.is_empty() {
        String::new()
    } else {
        missing.to_string()
    })
}

/// What `other` has executed and `server` has not.
pub(crate) fn missing_on(server: &ServerFacts, other: &ServerFacts) -> Result<String, String> {
    missing_text(server, other.executed())
}

fn make(server: &Server, wanted: &Wanted<'_>, before: Vec<Sql>, start: LinkStart) -> Vec<Sql> {
    let dialect = server.facts.dialect;
    let mut statements = before;
    statements.push(dialect.change_source(&wanted.source(start)));
    statements.push(dialect.start_link().into());
    statements
}

fn existing(
    link: &LinkFacts,
    server: &Server,
    wanted: &Wanted<'_>,
    replica: usize,
    names: [&str; 2],
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    let dialect = server.facts.dialect;
    let by_gtid = wanted.site.config.replication.mode == Mode::Gtid;
    if link.by_gtid != by_gtid {
        let says = |gtid: bool| if gtid { "gtid" } else { "position" };
        refusals.push(Refusal::new(
            Blame::Config,
            format!("the link {}→{} follows by {}, twinlog.toml says `mode = \"{}\"`", names[0], names[1], says(link.by_gtid), says(by_gtid)),
            format!("set `mode = \"{}\"` in [replication]: twinlog does not move a live link from one to the other", says(link.by_gtid)),
        ));
    } else if !wanted.is_met_by(link) {
        if link.receiver == "No" && !link.applier {
            // Spelled out, because a changed host would otherwise start at the beginning of the source's log.
            let start = if by_gtid {
                LinkStart::Gtid
            } else {
                LinkStart::Position(link.executed.clone())
            };
            push(
                plan,
                replica,
                names,
                make(server, wanted, Vec::new(), start),
            );
        } else {
            // Where it stands can only be read once it does.
            push(plan, replica, names, vec![dialect.stop_link().into()]);
            // Another title than the change itself has, which is yet to be shown.
            if let Some(step) = plan.steps.last_mut() {
                step.title = format!(
                    "{}: stop following {}, to change the link",
                    names[1], names[0]
                );
            }
            plan.open = true;
        }
    } else if wanted.renewed || link.receiver_errno == ACCESS_DENIED {
        // A password alone leaves the link's place as it is.
        let password = dialect.change_password(Account::Replication.secret());
        push(
            plan,
            replica,
            names,
            vec![
                dialect.stop_link().into(),
                password,
                dialect.start_link().into(),
            ],
        );
    } else if link.is_stopped() {
        push(plan, replica, names, vec![dialect.start_link().into()]);
    }
}

fn push(plan: &mut Plan, replica: usize, [source, name]: [&str; 2], statements: Vec<Sql>) {
    plan.steps.push(Step {
        phase: Phase::Link,
        node: Some(replica),
        title: format!("{name}: follow {source}"),
        undo: format!("STOP and RESET … ALL on {name}"),
        action: Action::Sql(statements),
    });
}
