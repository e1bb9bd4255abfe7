//! Plan: what is missing between what `twinlog.toml` asks for and what was observed, as typed steps.
//!
//! [`plan`] is pure: the same facts give the same plan. It never connects, reads a file or looks at a clock, so that a
//! test can hold it against any situation, and so that what `twinlog plan` prints is what `twinlog up` does.

mod adopt;
mod config_file;
mod containers;
mod links;
mod nodes;
mod prepare;
mod refuse;
mod show;
mod variables;
mod view;
mod way;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use twinlog_server::{dialect::Dialect, facts::ServerFacts, sql::Sql};

use crate::{
    config::Runtime,
    observe::{NodeFacts, PairFacts},
    settings,
    site::Site,
};

use adopt::Footing;
pub use config_file::render_config;
pub(crate) use links::missing_on;
pub use refuse::{Blame, Refusal};
pub use view::{Kind, PhaseView, PlanView, StepView};

/// The order of things: files and processes first, then each server by itself, then the links between them.
///
/// After the steps of [`Phase::Machine`] the servers must be looked at again, because only then do they answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Directories, files, processes.
    Machine,
    /// Settings, accounts and tables of one server.
    Server,
    /// What both servers must be ready for.
    Link,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub phase: Phase,
    /// On which node (its index); `None` for what concerns the pair. Steps of different nodes may run side by side;
    /// a step of the pair waits for all before it and holds up all after it.
    pub node: Option<usize>,
    /// What, in a few words.
    pub title: String,
    /// What exactly.
    pub action: Action,
    /// How it is undone, or why it cannot be.
    pub undo: String,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes the data directory and writes the pair's id into it.
    Found {
        /// The data directory.
        dir: PathBuf,
    },
    /// Generates passwords.
    MakeSecrets {
        /// Where to.
        dir: PathBuf,
        /// Their names.
        names: Vec<&'static str>,
    },
    /// Makes certificates and their authority.
    MintCertificates {
        /// Where to.
        dir: PathBuf,
    },
    /// Makes a node's directory and marks it as the pair's.
    Claim {
        /// The directory.
        dir: PathBuf,
    },
    /// Writes a node's option file.
    WriteConfig {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
    },
    /// Fetches a docker image.
    PullImage {
        /// Its name.
        image: String,
    },
    /// Makes the network on which the pair's containers find each other.
    CreateNetwork {
        /// Its name.
        name: String,
    },
    /// Makes a node's volume and container.
    CreateContainer {
        /// What is made, for people.
        command: String,
        /// The option file in it.
        config: String,
    },
    /// Removes a container and a volume in which no server was ever ready.
    DiscardContainer,
    /// Makes the data directories of one or both nodes, alike.
    Initialise {
        /// Their indices.
        nodes: Vec<usize>,
        /// The command, for people.
        command: String,
        /// What runs inside it.
        statements: Vec<Sql>,
    },
    /// Starts a node's server and waits until it answers.
    Start {
        /// The command, for people.
        command: String,
    },
    /// Waits until a node's server, which was started before, answers.
    Await {
        /// Its process id.
        pid: i32,
    },
    /// Stops a node's server and starts it with its new option file.
    Restart {
        /// The node's index.
        node: usize,
    },
    /// Takes a node out of the pair, and gives up what it has.
    Unmake {
        /// The index of the node.
        node: usize,
        /// How it goes, for people.
        way: Vec<String>,
    },
    /// Copies all of one node's data onto the other.
    Copy {
        /// The index of the node that has data.
        from: usize,
        /// Whether by CLONE.
        clones: bool,
        /// How it goes, for people.
        way: Vec<String>,
    },
    /// Runs statements in order on one connection.
    Sql(Vec<Sql>),
    /// Waits until the second column of a statement's only row has this value.
    WaitFor {
        /// The statement.
        sql: String,
        /// The value.
        value: String,
    },
}

/// Steps in order, and what the user should know beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is missing.
    pub steps: Vec<Step>,
    /// What twinlog cannot or will not do, and what to know about it.
    pub notes: Vec<String>,
    /// Whether more may turn out to be missing once a stopped server runs or a link stands still.
    pub open: bool,
}

impl Plan {
    /// The steps to take before the servers are looked at again: those of the first phase that has any, and of later
    /// ones too unless that phase changes what the servers are.
    pub fn next_round(&self) -> &[Step] {
        // The pair's directory by itself: once it is there, it can be locked.
        if matches!(
            self.steps.first(),
            Some(Step {
                action: Action::Found { .. },
                ..
            })
        ) {
            return &self.steps[..1];
        }
        let machine = self
            .steps
            .iter()
            .filter(|step| step.phase == Phase::Machine)
            .count();
        if machine > 0 {
            &self.steps[..machine]
        } else {
            &self.steps
        }
    }
}

/// What is known of a node for the planning of its server: how it answers, or, for one that twinlog has yet to make,
/// how it will.
struct Server {
    facts: ServerFacts,
    /// Whether the facts were read from a running server rather than foreseen.
    real: bool,
}

/// The plan, or every reason why there can be none.
///
/// # Errors
/// All [`Refusal`]s found, so that the user need not meet them one by one.
pub fn plan(site: &Site, facts: &PairFacts) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = refuse::machine(site, facts);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut plan = Plan::default();
    nodes::plan(site, facts, &mut plan);
    nodes::note_old_tls(site, facts, &mut plan);
    let servers: Vec<Option<Server>> = (0..2).map(|index| server(site, facts, index)).collect();
    let [Some(a), Some(b)] = servers.as_slice() else {
        // A stopped server has to run before it can be asked what it lacks.
        plan.open = true;
        return Ok(plan);
    };
    // It explains whatever else is wrong with the links.
    if let Some(refusal) = adopt::lost_data(facts, [a, b]) {
        return Err(vec![refusal]);
    }
    refusals.extend(refuse::servers(site, facts, [a, b]));
    let strangers = (0..2).filter_map(|replica| links::stranger(site, facts, replica, [a, b]));
    refusals.extend(strangers);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let footing = adopt::footing(site, facts, [a, b], &mut refusals);
    let tls = links::tls(site, facts, [a, b], &mut plan, &mut refusals);
    // The node that is copied from serves meanwhile.
    let writer = match footing {
        Some(Footing::Copy { from }) => from,
        _ => variables::writer([a, b]),
    };
    let copied_to = match footing {
        Some(Footing::Copy { from }) => Some(1 - from),
        _ => None,
    };
    for (index, server) in [a, b].into_iter().enumerate() {
        variables::plan(site, index, server, &mut plan, &mut refusals);
        // A node is closed to clients until its copy is whole; the other one of a rebuild is opened after that.
        if copied_to != Some(index) && facts.rebuild.is_none() {
            variables::read_only(site, index, server, writer, &mut plan);
        }
    }
    let (Some(footing), true) = (footing, refusals.is_empty()) else {
        return Err(refusals);
    };
    // First alone, and then look again: what is written until GTIDs are on has none, and a link by GTID would skip it.
    if [a, b]
        .iter()
        .any(|server| variables::lacks_gtids(site, server))
    {
        plan.open = true;
    } else if let Footing::Copy { from } = footing {
        adopt::copy(site, facts, [a, b], from, &mut plan, &mut refusals);
    } else if let Footing::Same(sameness) = footing {
        for index in 0..2 {
            prepare::plan(site, facts, index, [a, b], sameness, &tls, &mut plan);
        }
        for replica in 0..2 {
            links::plan(
                site,
                facts,
                replica,
                [a, b],
                (sameness, &tls),
                &mut plan,
                &mut refusals,
            );
        }
        links::settle(facts, [a, b], &mut plan);
    }
    refusals.extend(refuse::operators(site, &plan, [a, b]));
    plan.steps.sort_by_key(|step| step.phase);
    if refusals.is_empty() {
        Ok(plan)
    } else {
        Err(refusals)
    }
}

/// The server id of a node: configured, or an external server's own, or the node's number.
pub fn server_id(site: &Site, facts: &NodeFacts, index: usize) -> u32 {
    let node = site.nodes()[index];
    let own = || match site.config.runtime_of(node) {
        Runtime::External => facts
            .facts()
            .map(ServerFacts::server_id)
            .filter(|&id| id != 0),
        Runtime::Process | Runtime::Docker => None,
    };
    node.server_id
        .or_else(own)
        .unwrap_or(u32::from(index == 1) + 1)
}

fn server(site: &Site, facts: &PairFacts, index: usize) -> Option<Server> {
    let node = &facts.nodes[index];
    match &node.server {
        Ok(facts) => Some(Server {
            facts: facts.clone(),
            real: true,
        }),
        Err(_) if !node.is_initialised() => Some(Server {
            facts: foreseen(site, facts, index, node.dialect()?),
            real: false,
        }),
        Err(_) => None,
    }
}

/// What a server that twinlog is about to make will say of itself.
fn foreseen(site: &Site, facts: &PairFacts, index: usize, dialect: Dialect) -> ServerFacts {
    let id = server_id(site, &facts.nodes[index], index);
    let mut variables: std::collections::BTreeMap<String, String> =
        settings::desired(&site.config, index, id, &dialect)
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect();
    variables.insert("have_ssl".into(), "YES".into());
    ServerFacts::foreseen(dialect, variables)
}
