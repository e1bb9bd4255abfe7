//! The reasons why there is no plan: each says what was seen, where, and what to do.

use twinlog_server::{
    conn::Error as ConnError,
    dialect::Dialect,
    docker::Seen,
    facts::ServerFacts,
    process::{NodeMark, Owner},
};

use super::{Action, Plan, Server};
use crate::{
    config::{Policy, Runtime},
    container::DockerFacts,
    lost,
    observe::{NodeFacts, PairFacts, ProcessFacts, Silence, mark},
    site::Site,
};

/// Free space a new node needs: a fresh data directory takes up to 200 MB, its first logs some more.
const NEW_NODE_BYTES: u64 = 512 << 20;
/// How far apart the clocks may be where a policy decides by time.
const CLOCKS_APART_US_MAX: i64 = 5_000_000;

/// Whose turn it is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The servers are not in a state to become this pair.
    State,
    /// twinlog.toml or a flag asks for what cannot be.
    Config,
    /// Something outside failed.
    World,
}

/// A reason why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whose turn it is.
    pub blame: Blame,
    /// What was seen, and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal with a hint.
    pub fn new(blame: Blame, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            blame,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

/// What the machine, the configuration and unreachable servers make impossible.
pub(super) fn machine(site: &Site, facts: &PairFacts) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (index, node) in facts.nodes.iter().enumerate() {
        if let Some(process) = node.process() {
            refusals.extend(process_refusals(site, index, node, process));
        }
        if let Some(docker) = node.docker() {
            refusals.extend(docker_refusals(site, index, node, docker));
        }
        if let Err(Silence::Failed(error)) = &node.server
            && !node.is_starting()
        {
            refusals.push(Refusal {
                blame: match error {
                    ConnError::Secret { .. } => Blame::Config,
                    _ => Blame::World,
                },
                message: format!("node {}: {error}", node.name),
                hint: error.hint(),
            });
        }
    }
    refusals
}

fn docker_refusals(
    site: &Site,
    index: usize,
    node: &NodeFacts,
    docker: &DockerFacts,
) -> Vec<Refusal> {
    let name = &node.name;
    let mut refusals = Vec::new();
    if site.config.runtime_of(site.peer(index)) != Runtime::Docker {
        refusals.push(Refusal::new(
            Blame::Config,
            format!(
                "node {name}: a container finds its peer on a docker network, and {} is not on it",
                site.peer(index).name
            ),
            "give both nodes `runtime = \"docker\"`, or make the container an external node",
        ));
    }
    match &docker.seen {
        Err(error) => refusals.push(Refusal {
            blame: Blame::World,
            message: format!("node {name}: {error}"),
            hint: error.hint(),
        }),
        Ok(seen) => {
            let strangers = [
                ("network", stranger(&seen.network)),
                ("volume", stranger(&seen.volume)),
                ("container", stranger(&seen.container)),
            ];
            for (what, why) in strangers
                .into_iter()
                .filter_map(|(what, why)| Some((what, why?)))
            {
                refusals.push(Refusal::new(
                    Blame::State,
                    format!("node {name}: there is a {what} of that name which is not this pair's: {why}"),
                    format!("rename the pair or the node, or remove that {what} yourself; twinlog touches nothing that it did not make"),
                ));
            }
        }
    }
    match &docker.version {
        Some(Err(error)) => refusals.push(Refusal::new(
            Blame::Config,
            format!(
                "node {name}: image {}: {error}",
                site.config.image_of(site.nodes()[index])
            ),
            "set `image` in [server] to a mysql or mariadb image",
        )),
        Some(Ok(version)) => {
            refusals.extend(Dialect::of(version).err().map(|unsupported| Refusal {
                blame: Blame::Config,
                message: format!("node {name}: {unsupported}"),
                hint: unsupported.hint(),
            }))
        }
        None => {}
    }
    if docker.port_taken {
        refusals.push(port_taken(name, site.nodes()[index].port));
    }
    refusals
}

fn stranger<T>(seen: &Seen<T>) -> Option<&String> {
    match seen {
        Seen::Stranger(why) => Some(why),
        Seen::Absent | Seen::Ours(_) => None,
    }
}

fn port_taken(name: &str, port: u16) -> Refusal {
    Refusal::new(
        Blame::Config,
        format!("node {name}: port {port} is taken by another program"),
        format!(
            "choose another `port` in [nodes.{name}], or end that program (`ss -ltnp 'sport = :{port}'` names it)"
        ),
    )
}

fn process_refusals(
    site: &Site,
    index: usize,
    node: &NodeFacts,
    process: &ProcessFacts,
) -> Vec<Refusal> {
    let name = &node.name;
    let config_error = |error: &twinlog_server::process::Error| Refusal {
        blame: Blame::Config,
        message: format!("node {name}: {error}"),
        hint: error.hint(),
    };
    let mut refusals: Vec<Refusal> = [
        process.binary.as_ref().err(),
        process.owner.as_ref().err(),
        process.reach.as_ref().err(),
    ]
    .into_iter()
    .flatten()
    .map(config_error)
    .collect();
    let version = process.binary.as_ref().ok().map(|binary| binary.version);
    if let Some(Err(unsupported)) = version.map(|version| Dialect::of(&version)) {
        refusals.push(Refusal {
            blame: Blame::Config,
            message: format!("node {name}: {unsupported}"),
            hint: unsupported.hint(),
        });
    }
    let dir = site.paths(site.nodes()[index]).dir;
    match &process.owner {
        Ok(Owner::Stranger) => refusals.push(Refusal::new(
            Blame::Config,
            format!(
                "node {name}: {} is not empty and not twinlog's",
                dir.display()
            ),
            "choose another `data_dir`; twinlog deletes nothing that it did not make",
        )),
        Ok(Owner::Marked(found)) if *found != mark(site, site.nodes()[index]) => {
            let NodeMark {
                pair,
                pair_id,
                node,
            } = found;
            refusals.push(Refusal::new(
                Blame::Config,
                format!(
                    "node {name}: {} belongs to node '{node}' of pair '{pair}' ({pair_id})",
                    dir.display()
                ),
                "choose another `data_dir`, or use that pair's twinlog.toml",
            ));
        }
        _ => {}
    }
    if process.port_taken {
        refusals.push(port_taken(name, site.nodes()[index].port));
    }
    if !process.initialised && process.disk_free_bytes < NEW_NODE_BYTES {
        refusals.push(Refusal::new(
            Blame::World,
            format!(
                "node {name}: {} MiB are free for {}, a new node needs {} MiB",
                process.disk_free_bytes >> 20,
                dir.display(),
                NEW_NODE_BYTES >> 20
            ),
            "free some space, or choose another `data_dir`",
        ));
    }
    refusals
}

/// What the two servers, taken together, make impossible.
pub(super) fn servers(site: &Site, facts: &PairFacts, servers: [&Server; 2]) -> Vec<Refusal> {
    let names = [&facts.nodes[0].name, &facts.nodes[1].name];
    let [a, b] = servers.map(|server| &server.facts);
    let mut refusals = Vec::new();
    if a.dialect.flavour() != b.dialect.flavour() {
        refusals.push(Refusal::new(
            Blame::Config,
            format!(
                "{} is {} and {} is {}: their logs and GTIDs do not mix",
                names[0],
                a.version(),
                names[1],
                b.version()
            ),
            "pair two servers of one flavour",
        ));
        return refusals;
    }
    refusals.extend(identities(site, facts, names, [a, b]));
    refusals.extend(clocks(site, names, [a, b]));
    let folding = [a, b].map(|server| {
        server
            .named("lower_case_table_names")
            .unwrap_or("0")
            .to_owned()
    });
    if servers.iter().all(|server| server.real) && folding[0] != folding[1] {
        refusals.push(Refusal::new(
            Blame::State,
            format!(
                "lower_case_table_names is {} on {} and {} on {}: one would not find the other's tables",
                folding[0], names[0], folding[1], names[1]
            ),
            "give both servers the same value; since MySQL 8.0 it can only be chosen when a data directory is made",
        ));
    }
    for (own, peer) in [(0, 1), (1, 0)] {
        let half = facts.nodes[own].half_copy.as_ref();
        if facts.rebuild == Some(own) || half.is_some_and(|mark| mark.rebuilt) {
            // Its log begins anew.
            continue;
        }
        let both = [own, peer].map(|index| &servers[index].facts);
        let lost = lost::of(
            [own, peer].map(|index| names[index].as_str()),
            both[0],
            both[1],
        );
        refusals.extend(lost.map(|lost| Refusal::new(Blame::State, lost.message, lost.hint)));
    }
    for (index, server) in servers.into_iter().enumerate() {
        refusals.extend(other_pair(site, names[index], &server.facts));
        refusals.extend(strangers_account(&facts.nodes[index], &server.facts));
    }
    refusals
}

fn identities(
    site: &Site,
    facts: &PairFacts,
    names: [&String; 2],
    servers: [&ServerFacts; 2],
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let ids = [0, 1].map(|index| super::server_id(site, &facts.nodes[index], index));
    if ids[0] == ids[1] {
        refusals.push(Refusal::new(
            Blame::Config,
            format!(
                "{} and {} have the same server id, {}",
                names[0], names[1], ids[0]
            ),
            format!(
                "set another one: `server_id = {}` in [nodes.{}]",
                ids[0] + 1,
                names[1]
            ),
        ));
    }
    for index in 0..2 {
        let now = servers[index].server_id();
        let (name, peer) = (names[index], names[1 - index]);
        if !servers[index].links.is_empty() && now == ids[1 - index] && now != ids[index] {
            refusals.push(Refusal::new(
                Blame::State,
                format!(
                    "node {name} runs under server id {now}, which is {peer}'s: {peer} passes over what {name} logs so"
                ),
                format!(
                    "set it back on {name}: `SET GLOBAL server_id = {}`, and find out who changed it. What {name} has logged \
                     under {now} is not on {peer}, and no link brings it there: compare the tables before anything else",
                    ids[index]
                ),
            ));
            continue;
        }
        if !servers[index].links.is_empty() && now != 0 && now != ids[index] {
            refusals.push(Refusal::new(
                Blame::Config,
                format!("node {} is linked under server id {now}, and twinlog.toml makes it {}", names[index], ids[index]),
                format!(
                    "keep it: `server_id = {now}` in [nodes.{}]; changes that still come back under the old id would be applied \
                     again",
                    names[index]
                ),
            ));
        }
    }
    if let (Some(left), Some(right)) = (servers[0].server_uuid(), servers[1].server_uuid())
        && left == right
    {
        refusals.push(Refusal::new(
            Blame::State,
            format!("{} and {} have the same server UUID, {left}: one data directory is a copy of the other", names[0], names[1]),
            format!(
                "stop {}, delete `auto.cnf` in its data directory ({}) and start it: it makes itself a new one",
                names[1],
                servers[1].named("datadir").unwrap_or("see @@datadir")
            ),
        ));
    }
    refusals
}

fn clocks(site: &Site, names: [&String; 2], [a, b]: [&ServerFacts; 2]) -> Option<Refusal> {
    let by_time = |policy: &Policy| {
        matches!(
            policy,
            Policy::LastWriteWins | Policy::FirstWriteWins | Policy::Merge
        )
    };
    let conflicts = &site.config.conflicts;
    let matters =
        by_time(&conflicts.policy) || conflicts.tables.iter().any(|table| by_time(&table.policy));
    let apart = (a.clock_offset_us - b.clock_offset_us).abs() - a.clock_error_us - b.clock_error_us;
    (matters && apart > CLOCKS_APART_US_MAX).then(|| {
        Refusal::new(
            Blame::State,
            format!("the clocks of {} and {} are {:.1} s apart, and conflicts are decided by time", names[0], names[1], apart as f64 / 1e6),
            "run NTP on both machines, or choose a policy that needs no clock: `prefer:<node>` or `manual`",
        )
    })
}

/// An account that could not carry its part of the plan out would leave it half-done.
pub(super) fn operators(site: &Site, plan: &Plan, servers: [&Server; 2]) -> Vec<Refusal> {
    let changes = |index| {
        plan.steps
            .iter()
            .any(|step| step.node == Some(index) && matches!(step.action, Action::Sql(_)))
    };
    let lacking = |index: usize| {
        let (node, server) = (site.nodes()[index], &servers[index].facts);
        let missing = server
            .dialect
            .missing_of_operator(&server.own_grants, site.config.databases.as_deref());
        let user = node.user.as_deref().unwrap_or("root");
        (is_external(site, index) && changes(index) && !missing.is_empty()).then(|| {
            Refusal::new(
                Blame::World,
                format!(
                    "node {}: account '{user}' lacks privileges that this takes: {}",
                    node.name,
                    missing.join(", ")
                ),
                format!("as an administrator: `GRANT ALL PRIVILEGES ON *.* TO '{user}'@… WITH GRANT OPTION`, or just those named"),
            )
        })
    };
    (0..2).filter_map(lacking).collect()
}

/// twinlog's schema is made before its accounts: an account without the schema is somebody else's.
fn strangers_account(node: &NodeFacts, server: &ServerFacts) -> Option<Refusal> {
    // A CLONE that was cut off leaves the accounts alone.
    let is_strange = !server.has_own_schema && node.half_copy.is_none();
    let account = node.accounts.first().filter(|_| is_strange)?;
    let (name, user) = (&node.name, &account.user);
    Some(Refusal::new(
        Blame::State,
        format!("node {name}: there is an account '{user}'@'%' that twinlog did not make"),
        format!(
            "twinlog would change its password: rename or drop it (`RENAME USER '{user}'@'%' TO …`) if it is not in use"
        ),
    ))
}

fn other_pair(site: &Site, name: &str, server: &ServerFacts) -> Option<Refusal> {
    let membership = server.membership.as_ref()?;
    // A node of this pair that was just made does not know yet which one it is.
    let other_node = !membership.node.is_empty() && membership.node != name;
    (membership.pair_id != site.pair_id || other_node).then(|| {
        Refusal::new(
            Blame::State,
            format!("node {name}: this server is node '{}' of another pair ({})", membership.node, membership.pair_id),
            "use that pair's twinlog.toml and data_dir; if that pair is gone for good, `DROP DATABASE twinlog` on this server \
             (with `SET sql_log_bin = 0` first) makes it free",
        )
    })
}

/// Whether a node is someone else's server.
pub(super) fn is_external(site: &Site, index: usize) -> bool {
    site.config.runtime_of(site.nodes()[index]) == Runtime::External
}
