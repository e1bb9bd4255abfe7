//! What `twinlog.toml` says, as types. Plain data: no secret is ever inside, only where to find one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::node::Node;
use super::options::Options;

/// One pair, as its `twinlog.toml` describes it.
///
/// Paths are absolute: what the file gives as relative was resolved against [`Config::dir`].
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The directory of the file, absolute. Not a key of the file.
    pub dir: PathBuf,
    /// Names the pair in containers, directories and account comments. Default `pair`.
    pub name: String,
    /// Replicate only these databases. Default: all but the system schemas.
    pub databases: Option<Vec<String>>,
    /// May clients write on both nodes? Default [`Writes::Both`].
    pub writes: Writes,
    /// What the nodes that twinlog runs have in common.
    pub server: Server,
    /// Exactly two, in the order of the file. With `writes = "one"` the first starts as the writer.
    pub nodes: Vec<Node>,
    /// The two links.
    pub replication: Replication,
    /// The user's own certificates. Absent: twinlog makes its own authority and certificates.
    pub tls: Option<Tls>,
    /// What to do when both nodes wrote the same row.
    pub conflicts: Conflicts,
    /// The long-running part.
    pub agent: Agent,
}

impl Config {
    /// A pair with every default: process nodes `a` (port 3307) and `b` (port 3308).
    ///
    /// `dir` is the absolute directory the file will be in.
    #[must_use]
    pub fn local(dir: &Path, name: &str) -> Self {
        Self {
            dir: dir.to_path_buf(),
            name: name.to_owned(),
            databases: None,
            writes: Writes::default(),
            server: Server::in_dir(dir),
            nodes: vec![Node::new("a", 3307), Node::new("b", 3308)],
            replication: Replication::default(),
            tls: None,
            conflicts: Conflicts::default(),
            agent: Agent::default(),
        }
    }

    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Who runs this node: its own `runtime`, else that of `[server]`.
    #[must_use]
    pub fn runtime_of(&self, node: &Node) -> Runtime {
        node.runtime.unwrap_or(self.server.runtime)
    }

    /// The server program of a process node; `None` means `mysqld` or `mariadbd`, whichever is found.
    #[must_use]
    pub fn binary_of<'a>(&'a self, node: &'a Node) -> Option<&'a Path> {
        node.binary.as_deref().or(self.server.binary.as_deref())
    }

    /// The image of a docker node.
    #[must_use]
    pub fn image_of<'a>(&'a self, node: &'a Node) -> &'a str {
        node.image.as_deref().unwrap_or(&self.server.image)
    }

    /// The directory of one node: its own `data_dir`, else `<server.data_dir>/<node>`.
    #[must_use]
    pub fn data_dir_of(&self, node: &Node) -> PathBuf {
        let common = || self.server.data_dir.join(&node.name);
        node.data_dir.clone().unwrap_or_else(common)
    }

    /// Where generated secrets of the pair live.
    #[must_use]
    pub fn secrets_dir(&self) -> PathBuf {
        self.server.data_dir.join("secrets")
    }

    /// The options of one node: those of `[server.options]`, overridden by its own.
    #[must_use]
    pub fn options_of(&self, node: &Node) -> Options {
        let mut options = self.server.options.clone();
        options.extend(node.options.clone());
        options
    }
}

/// May clients write on both nodes, or on one at a time?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    /// Clients may write on either node.
    #[default]
    Both,
    /// One node takes writes, the other is read-only until a switchover.
    One,
}

/// Who runs a node's server process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Runtime {
    /// twinlog starts a local `mysqld` or `mariadbd`.
    #[default]
    Process,
    /// twinlog runs a container through the docker engine.
    Docker,
    /// The server runs already; twinlog speaks SQL to it only.
    External,
}

/// `[server]`: what the nodes that twinlog runs have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Default [`Runtime::Process`]; a node may override it.
    pub runtime: Runtime,
    /// The server program: a bare name is looked up on `PATH`, anything else is a path.
    /// Default: `mysqld` or `mariadbd`, whichever is found.
    pub binary: Option<PathBuf>,
    /// The container image. Default [`Server::DEFAULT_IMAGE`].
    pub image: String,
    /// Holds a directory per node, and `secrets/`. Default `./data`.
    pub data_dir: PathBuf,
    /// The operating system's account for process nodes when twinlog is called as root. Default `mysql`.
    pub user: String,
    /// Extra `[mysqld]` lines for both nodes; they win over what twinlog would write.
    pub options: Options,
    /// Limits of each container.
    pub docker: DockerLimits,
}

impl Server {
    /// The image of docker nodes when none is given.
    pub const DEFAULT_IMAGE: &'static str = "mysql:8.4";
    /// The account of process nodes when none is given.
    pub const DEFAULT_USER: &'static str = "mysql";
    /// The data directory when none is given, relative to the file's directory.
    pub const DEFAULT_DATA_DIR: &'static str = "data";

    /// All defaults, for a file in `dir`.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            runtime: Runtime::default(),
            binary: None,
            image: Self::DEFAULT_IMAGE.to_owned(),
            data_dir: dir.join(Self::DEFAULT_DATA_DIR),
            user: Self::DEFAULT_USER.to_owned(),
            options: Options::new(),
            docker: DockerLimits::default(),
        }
    }
}

/// `[server.docker]`: limits of each container. Default: none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DockerLimits {
    /// Memory in bytes. In the file also `"512m"`, `"2g"`.
    pub memory_bytes: Option<u64>,
    /// Processors, in fractions of one.
    pub cpus: Option<f64>,
}

/// `[replication]`: the two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replication {
    /// How a replica finds its place in the source's log. Default [`Mode::Gtid`].
    pub mode: Mode,
    /// A commit waits until the peer has received it. Default false.
    pub semi_sync: bool,
    /// Encryption of the links. Default [`LinkTls::Required`].
    pub tls: LinkTls,
    /// How `databases` is rendered. Default [`Filter::Replica`].
    pub filter: Filter,
}

/// How a replica finds its place in the source's binary log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By global transaction identifiers.
    #[default]
    Gtid,
    /// By file name and position, for servers without GTID.
    Position,
}

/// Encryption of the links between the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkTls {
    /// Encrypted, or there is no link.
    #[default]
    Required,
    /// Encrypted where both servers can.
    Preferred,
    /// In the clear.
    Off,
}

/// How `databases` becomes lines of the server's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// `replicate_wild_do_table` on the replica: everything is logged, and no statement is lost
    /// whose default database is another one.
    #[default]
    Replica,
    /// `binlog_do_db` on the source: statements are not logged by their *default* database, so
    /// cross-database ones are lost.
    BinlogDoDb,
}

/// `[tls]`: the user's own certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority that signed both nodes' certificates (PEM).
    pub ca: PathBuf,
    /// `[tls.nodes.<name>]`: one per node that twinlog runs.
    pub nodes: BTreeMap<String, Identity>,
}

/// A node's certificate and private key (PEM files).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `[conflicts]`: what to do when both nodes wrote the same row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conflicts {
    /// Default [`Policy::LastWriteWins`].
    pub policy: Policy,
    /// `[[conflicts.tables]]`: the first entry that matches a table decides for it.
    pub tables: Vec<TablePolicy>,
}

/// Who wins a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Policy {
    /// The later commit.
    #[default]
    LastWriteWins,
    /// The earlier commit.
    FirstWriteWins,
    /// `prefer:<node>`: that node's version.
    Prefer(String),
    /// Changes to different columns are joined, counters added up.
    Merge,
    /// Nobody: it waits for `twinlog conflicts resolve`.
    Manual,
}

impl Policy {
    /// How they are spelled.
    pub const WORDS: [&str; 5] = [
        "last-write-wins",
        "first-write-wins",
        "prefer:<node>",
        "merge",
        "manual",
    ];

    /// The policy of that name, as `twinlog.toml` spells it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "last-write-wins" => Some(Self::LastWriteWins),
            "first-write-wins" => Some(Self::FirstWriteWins),
            "merge" => Some(Self::Merge),
            "manual" => Some(Self::Manual),
            other => other
                .strip_prefix("prefer:")
                .map(|node| Self::Prefer(node.to_owned())),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastWriteWins => f.write_str("last-write-wins"),
            Self::FirstWriteWins => f.write_str("first-write-wins"),
            Self::Prefer(node) => write!(f, "prefer:{node}"),
            Self::Merge => f.write_str("merge"),
            Self::Manual => f.write_str("manual"),
        }
    }
}

/// One `[[conflicts.tables]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePolicy {
    /// `match`: `database.table`, where `*` stands for any characters, and backticks are around what means itself.
    pub pattern: String,
    /// Who wins in these tables.
    pub policy: Policy,
    /// With [`Policy::Merge`]: columns whose changes are added up.
    pub counters: Vec<String>,
}

/// `[agent]`: the long-running part, `twinlog run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// Dashboard, API and metrics. Default `127.0.0.1:7474`.
    pub listen: SocketAddr,
    /// The one address clients use. Default: no router.
    pub router: Option<SocketAddr>,
    /// How often it compares both nodes' rows; `None` for never. Default [`Agent::VERIFY_EVERY`].
    pub verify_every: Option<Duration>,
    /// The share of its time, in percent, that a comparison has the servers work. Default [`Agent::VERIFY_LOAD`].
    pub verify_load: u8,
}

impl Agent {
    /// A week: what no log tells is rare, and a comparison reads every row.
    pub const VERIFY_EVERY: Duration = Duration::from_secs(7 * 86_400);
    /// A quarter of one processor of each server, and of what a disk reads.
    pub const VERIFY_LOAD: u8 = 25;
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7474)),
            router: None,
            verify_every: Some(Self::VERIFY_EVERY),
            verify_load: Self::VERIFY_LOAD,
        }
    }
}
