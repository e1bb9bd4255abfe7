//! Observe: everything the planner needs to know, read from the machine and from both servers, changing nothing.

use std::{path::Path, time::Duration};

use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::{Account, Dialect},
    docker::DataState,
    facts::{self, AccountFacts, ServerFacts},
    process::{self, Binary, NodeMark, Owner, Running},
};

use crate::{
    compare::{self, Comparison},
    config::{Node, Runtime},
    container::{self, DockerFacts},
    copy, lost,
    origin::{self, Origin},
    site::{Login, Site},
};

/// How long a running server may take to answer before it counts as unreachable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of a pair at one moment.
#[derive(Debug)]
pub struct PairFacts {
    /// Both nodes, in the order of `twinlog.toml`.
    pub nodes: Vec<NodeFacts>,
    /// Whether the pair has its directory and its id.
    pub founded: bool,
    /// The secrets that do not exist yet.
    pub missing_secrets: Vec<&'static str>,
    /// Which generation of passwords the accounts should have; empty before there are any.
    pub secrets_id: String,
    /// Whether the certificates that twinlog mints have yet to be made (or made again).
    pub certificates_due: bool,
    /// Whether both nodes hold the same data; looked at only where two unlinked nodes both have some.
    pub comparison: Option<Comparison>,
    /// The index of a node that somebody asks to be made again.
    pub rebuild: Option<usize>,
    /// Which way somebody asks data to be copied.
    pub way: copy::Way,
    /// Whether somebody asks for accounts to be copied, too.
    pub accounts: bool,
}

/// What is known of one node.
#[derive(Debug)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Its process, its container, or nothing where it is external.
    pub runtime: RuntimeFacts,
    /// Its server's answers, or why there are none.
    pub server: Result<ServerFacts, Silence>,
    /// twinlog's accounts on it.
    pub accounts: Vec<AccountFacts>,
    /// The tables in twinlog's own schema.
    pub own_tables: Vec<String>,
    /// Whether the agent's account lets twinlog in with the password it knows.
    pub agent_login: bool,
    /// Where its log stood when it became a node of the pair.
    pub origin: Option<Origin>,
    /// The note of a copy of the other node that is not whole yet.
    pub half_copy: Option<copy::Mark>,
    /// The note of a CLONE of this node onto the other that is not done.
    pub clone_begun: Option<copy::Note>,
    /// How much all files of tables take, in bytes; known where the server could be cloned.
    pub file_bytes: Option<u64>,
}

/// Why a server says nothing.
#[derive(Debug)]
pub enum Silence {
    /// It has not been started.
    NotRunning,
    /// Its process runs but does not listen yet: it was started by a twinlog that did not live to see it answer.
    Starting,
    /// It could not be asked.
    Failed(ConnError),
}

/// What the machine says of a node.
#[derive(Debug)]
pub enum RuntimeFacts {
    /// Someone else's server.
    External,
    /// A local process.
    Process(Box<ProcessFacts>),
    /// A container.
    Docker(Box<DockerFacts>),
}

/// A local process and its directory.
#[derive(Debug)]
pub struct ProcessFacts {
    /// The server program, or why there is none.
    pub binary: Result<Binary, process::Error>,
    /// Whose directory it is.
    pub owner: Result<Owner, process::Error>,
    /// Whether a whole data directory is there.
    pub initialised: bool,
    /// The option file as it is on disk.
    pub config: Option<String>,
    /// The option file as it was when the running server was started.
    pub started_config: Option<String>,
    /// The server's process.
    pub running: Option<Running>,
    /// Whether somebody else listens on the node's port.
    pub port_taken: bool,
    /// Free space where the node's directory is or will be, in bytes.
    pub disk_free_bytes: u64,
    /// Whether the user that runs the server can get at its directory and at the program.
    pub reach: Result<(), process::Error>,
}

impl PairFacts {
    /// Whether a CLONE has emptied a node and not filled it: what says so is on its peer alone.
    pub fn is_emptied(&self, index: usize) -> bool {
        let [node, peer] = [index, 1 - index].map(|index| &self.nodes[index]);
        let (Some(note), Some(facts)) = (&peer.clone_begun, node.facts()) else {
            return false;
        };
        let is_it = facts.server_uuid() == Some(&note.target_uuid) && note.target == node.name;
        is_it && !facts.has_own_schema && !facts.has_user_data()
    }

    /// Whether a CLONE has emptied or replaced a node, which had nothing left to save before.
    pub fn is_cloned(&self, index: usize) -> bool {
        let mark = self.nodes[index].half_copy.as_ref();
        mark.is_some_and(|mark| mark.cloned) || self.is_emptied(index)
    }

    /// Gives a node that was emptied its mark, of which its peer knows.
    fn mark_emptied(&mut self) {
        for index in 0..2 {
            let begun = self.nodes[1 - index].clone_begun.as_ref();
            if let (true, Some(note)) = (self.is_emptied(index), begun) {
                self.nodes[index].half_copy = Some(note.mark.clone());
            }
        }
    }
}

impl RuntimeFacts {
    /// Whether the server's process or container runs, as far as this machine can see.
    fn runs(&self) -> bool {
        match self {
            Self::External => true,
            Self::Process(process) => process.running.is_some(),
            Self::Docker(docker) => docker.is_running(),
        }
    }
}

impl NodeFacts {
    /// The server's facts, where it answered.
    pub fn facts(&self) -> Option<&ServerFacts> {
        self.server.as_ref().ok()
    }

    /// The dialect: the running server's, or that of the program that will run.
    pub fn dialect(&self) -> Option<Dialect> {
        match (&self.server, &self.runtime) {
            (Ok(server), _) => Some(server.dialect),
            (_, RuntimeFacts::Process(process)) => process
                .binary
                .as_ref()
                .ok()
                .and_then(|binary| Dialect::of(&binary.version).ok()),
            (_, RuntimeFacts::Docker(docker)) => docker
                .version
                .as_ref()?
                .as_ref()
                .ok()
                .and_then(|version| Dialect::of(version).ok()),
            _ => None,
        }
    }

    /// The facts of a container.
    pub fn docker(&self) -> Option<&DockerFacts> {
        match &self.runtime {
            RuntimeFacts::Docker(docker) => Some(docker),
            RuntimeFacts::External | RuntimeFacts::Process(_) => None,
        }
    }

    /// Whether its process or container, which is twinlog's, runs and does not answer yet.
    pub fn is_starting(&self) -> bool {
        match &self.server {
            Err(Silence::Starting) => true,
            // The engine publishes a container's port before a server listens behind it.
            Err(Silence::Failed(ConnError::Unreachable { .. })) => self.docker().is_some(),
            _ => false,
        }
    }

    /// Whether it has a whole data directory, so that what is in it must be asked rather than foreseen.
    pub fn is_initialised(&self) -> bool {
        match &self.runtime {
            RuntimeFacts::External => true,
            RuntimeFacts::Process(process) => process.initialised,
            RuntimeFacts::Docker(docker) => docker.data() != DataState::Empty,
        }
    }

    /// The facts of a local process.
    pub fn process(&self) -> Option<&ProcessFacts> {
        match &self.runtime {
            RuntimeFacts::Process(process) => Some(process),
            RuntimeFacts::External | RuntimeFacts::Docker(_) => None,
        }
    }
}

/// Reads everything about both nodes, side by side.
pub async fn observe(site: &Site) -> PairFacts {
    let mut facts = PairFacts {
        nodes: observe_nodes(site).await.into(),
        founded: site.is_founded(),
        missing_secrets: site.missing_secrets(),
        secrets_id: site.secrets_id(),
        certificates_due: site.certificates_due(),
        comparison: None,
        rebuild: None,
        way: copy::Way::Auto,
        accounts: false,
    };
    facts.mark_emptied();
    if compare::is_due(&facts) {
        facts.comparison = Some(compare::compare(site).await);
    }
    facts
}

/// Reads both nodes, side by side, and compares nothing.
pub async fn observe_nodes(site: &Site) -> [NodeFacts; 2] {
    let [a, b] = site.nodes();
    let (a, b) = futures_util::future::join(observe_node(site, a), observe_node(site, b)).await;
    let mut nodes = [a, b];
    lost::look_again(site, &mut nodes).await;
    nodes
}

async fn observe_node(site: &Site, node: &Node) -> NodeFacts {
    let runtime = match site.config.runtime_of(node) {
        Runtime::Process => RuntimeFacts::Process(Box::new(observe_process(site, node))),
        Runtime::Docker => RuntimeFacts::Docker(Box::new(container::observe(site, node).await)),
        Runtime::External => RuntimeFacts::External,
    };
    let silent = |runtime, silence| NodeFacts {
        name: node.name.clone(),
        runtime,
        server: Err(silence),
        accounts: Vec::new(),
        own_tables: Vec::new(),
        agent_login: false,
        origin: None,
        half_copy: None,
        clone_begun: None,
        file_bytes: None,
    };
    if !runtime.runs() {
        return silent(runtime, Silence::NotRunning);
    }
    match observe_server(site, node).await {
        Ok(told) => {
            let agent_login = can_log_in(site, node).await;
            NodeFacts {
                name: node.name.clone(),
                runtime,
                server: Ok(told.server),
                accounts: told.accounts,
                own_tables: told.own_tables,
                agent_login,
                origin: told.origin,
                half_copy: told.half_copy,
                clone_begun: told.clone_begun,
                file_bytes: told.file_bytes,
            }
        }
        Err(_) if matches!(runtime, RuntimeFacts::Process(_)) && !listens(site, node) => {
            silent(runtime, Silence::Starting)
        }
        Err(error) => silent(runtime, Silence::Failed(error)),
    }
}

/// Whether anything accepts connections on a process node's socket.
pub(crate) fn listens(site: &Site, node: &Node) -> bool {
    std::os::unix::net::UnixStream::connect(site.paths(node).socket()).is_ok()
}

/// What a server told.
struct Told {
    server: ServerFacts,
    accounts: Vec<AccountFacts>,
    own_tables: Vec<String>,
    origin: Option<Origin>,
    half_copy: Option<copy::Mark>,
    clone_begun: Option<copy::Note>,
    file_bytes: Option<u64>,
}

async fn observe_server(site: &Site, node: &Node) -> Result<Told, ConnError> {
    let mut conn = site.connect(node, Login::Admin, ANSWER_TIMEOUT).await?;
    let mut server = ServerFacts::read(&mut conn).await?;
    let (half_copy, clone_begun) = copy::clone::said(&mut conn).await?;
    if half_copy.as_ref().is_some_and(|mark| mark.cloned) {
        // What it says is the other node's.
        server.membership = None;
    }
    let accounts = facts::read_accounts(&mut conn, &Account::ALL.map(Account::user)).await?;
    let origin = if server.membership.is_some() {
        origin::read(&mut conn)
            .await?
            .map(|origin| origin.in_log(&server.binlogs))
    } else {
        None
    };
    let own_tables = facts::read_own_tables(&mut conn).await?;
    let file_bytes = match server.dialect.row().clone {
        true => copy::clone::file_bytes(&mut conn).await?,
        false => None,
    };
    conn.close().await;
    Ok(Told {
        server,
        accounts,
        own_tables,
        origin,
        half_copy,
        clone_begun,
        file_bytes,
    })
}

async fn can_log_in(site: &Site, node: &Node) -> bool {
    match site.connect(node, Login::Agent, ANSWER_TIMEOUT).await {
        Ok(conn) => {
            Conn::close(conn).await;
            true
        }
        Err(_) => false,
    }
}

fn observe_process(site: &Site, node: &Node) -> ProcessFacts {
    let paths = site.paths(node);
    let running = process::find(&paths);
    let binary = Binary::find(&site.binary_name(node));
    let reach = site.run_as().and_then(|run_as| match (run_as, &binary) {
        (Some(run_as), Ok(binary)) => run_as
            .can_reach(&paths.dir)
            .and_then(|()| run_as.can_reach(&binary.path)),
        _ => Ok(()),
    });
    ProcessFacts {
        binary,
        owner: process::owner(&paths),
        initialised: paths.is_initialised(),
        config: std::fs::read_to_string(paths.config()).ok(),
        started_config: std::fs::read_to_string(paths.started_config()).ok(),
        port_taken: running.is_none() && port_taken(node),
        running,
        disk_free_bytes: disk_free(&paths.dir),
        reach,
    }
}

/// Whether the port cannot be listened on: asked by trying, the way the server will.
pub(crate) fn port_taken(node: &Node) -> bool {
    let address = node
        .bind_address
        .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
    std::net::TcpListener::bind((address, node.port)).is_err()
}

/// Free bytes for ordinary users on the file system where `path` is, or where it will be made.
fn disk_free(path: &Path) -> u64 {
    path.ancestors()
        .find_map(|dir| nix::sys::statvfs::statvfs(dir).ok())
        .map_or(u64::MAX, |stat| {
            stat.blocks_available() * stat.fragment_size()
        })
}

/// The mark of a node's directory.
pub fn mark(site: &Site, node: &Node) -> NodeMark {
    NodeMark {
        pair: site.config.name.clone(),
        pair_id: site.pair_id.clone(),
        node: node.name.clone(),
    }
}
