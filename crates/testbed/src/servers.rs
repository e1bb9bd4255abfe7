//! The servers that `scripts/fetch-servers` has fetched.

use std::env;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// A server that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerKind {
    /// MySQL 9.7, the newest dialect of its flavour.
    MySql97,
    /// MySQL 5.6, the oldest dialect of all. It comes without a client and without plugins (no semi-sync).
    MySql56,
    /// MariaDB 10.11.
    MariaDb1011,
    /// MariaDB 11.8, the newest dialect of its flavour.
    MariaDb118,
}

impl ServerKind {
    /// Every server.
    pub const ALL: [Self; 4] = [
        Self::MySql97,
        Self::MySql56,
        Self::MariaDb1011,
        Self::MariaDb118,
    ];

    /// Its name: the folder in the cache.
    pub fn name(self) -> &'static str {
        match self {
            Self::MySql97 => "mysql-9.7",
            Self::MySql56 => "mysql-5.6",
            Self::MariaDb1011 => "mariadb-10.11",
            Self::MariaDb118 => "mariadb-11.8",
        }
    }

    /// What `SELECT VERSION()` begins with.
    pub fn version_prefix(self) -> &'static str {
        match self {
            Self::MySql97 => "9.7.",
            Self::MySql56 => "5.6.24",
            Self::MariaDb1011 => "10.11.",
            Self::MariaDb118 => "11.8.",
        }
    }

    /// Whether it is a MariaDB.
    pub fn is_mariadb(self) -> bool {
        matches!(self, Self::MariaDb1011 | Self::MariaDb118)
    }

    /// What `--basedir` must say.
    pub fn basedir(self) -> PathBuf {
        match self {
            Self::MySql56 => self.tree(),
            Self::MySql97 | Self::MariaDb1011 | Self::MariaDb118 => self.tree().join("usr"),
        }
    }

    /// The server program.
    pub fn server_binary(self) -> PathBuf {
        match self {
            Self::MySql97 => self.basedir().join("sbin/mysqld"),
            Self::MySql56 => self.basedir().join("bin/mysqld"),
            Self::MariaDb1011 | Self::MariaDb118 => self.basedir().join("sbin/mariadbd"),
        }
    }

    /// A command-line client that can talk to it; MySQL 5.6 has none of its own and borrows MariaDB's.
    pub fn client_binary(self) -> PathBuf {
        match self {
            Self::MySql97 => self.basedir().join("bin/mysql"),
            Self::MySql56 => Self::MariaDb1011.client_binary(),
            Self::MariaDb1011 | Self::MariaDb118 => self.basedir().join("bin/mariadb"),
        }
    }

    /// The directories of its programs, for a `PATH` on which `mysqld` or `mariadbd` is found.
    pub fn program_dirs(self) -> Vec<PathBuf> {
        let base = self.basedir();
        ["sbin", "bin"]
            .map(|dir| base.join(dir))
            .into_iter()
            .filter(|dir| dir.is_dir())
            .collect()
    }

    /// What was fetched, in the server's own words.
    pub(crate) fn fetched_version(self) -> String {
        fs::read_to_string(self.tree().join("VERSION")).unwrap_or_default()
    }

    /// Its tree in the cache.
    fn tree(self) -> PathBuf {
        let tree = servers_dir().join(self.name());
        // Written last by the script; names the place that the programs' loaders and libraries are looked for in.
        let bound_to = fs::read_to_string(tree.join("bound-to")).unwrap_or_default();
        assert!(
            Path::new(bound_to.trim_end()) == tree,
            "{self} is not in {}: run `make fetch`",
            servers_dir().display()
        );
        tree
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the servers are: `TWINLOG_SERVERS`, `TWINLOG_CACHE`, or the place that `scripts/fetch-servers` chooses by
/// itself (the rule is the same there).
pub fn servers_dir() -> PathBuf {
    for variable in ["TWINLOG_SERVERS", "TWINLOG_CACHE"] {
        if let Some(dir) = env::var_os(variable).filter(|dir| !dir.is_empty()) {
            return PathBuf::from(&dir).canonicalize().unwrap_or(dir.into());
        }
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repo = here.ancestors().nth(2).unwrap_or(here);
    let repo = repo.canonicalize().unwrap_or(repo.to_owned());
    if geteuid().is_root() && !everyone_may_enter(&repo) {
        PathBuf::from("/var/cache/twinlog/servers")
    } else {
        repo.join(".cache/servers")
    }
}

/// Servers that root starts run as another user, who must reach their programs.
fn everyone_may_enter(dir: &Path) -> bool {
    dir.ancestors()
        .all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}
