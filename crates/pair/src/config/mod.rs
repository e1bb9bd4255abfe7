//! `twinlog.toml`: read, checked, written, and made from two `my.cnf` files.
//!
//! ```toml
//! name = "shop"                   # [a-z][a-z0-9-]*, default "pair"
//! databases = ["test"]            # default: all but the system schemas
//! writes = "both"                 # both | one (the first node starts as the writer)
//!
//! [server]                        # for nodes that twinlog runs
//! runtime = "process"             # process | docker | external; a node may override it
//! binary = "mysqld"               # default: mysqld or mariadbd, whichever is found
//! image = "mysql:8.4"             # for docker
//! data_dir = "./data"             # <data_dir>/<node>, <data_dir>/secrets
//! user = "mysql"                  # runs the process nodes when twinlog is root
//! [server.options]                # extra [mysqld] lines; `-` and `_` are the same
//! lower_case_table_names = 1
//! [server.docker]                 # limits of each container, default none
//! memory = "1g"                   # bytes, or with k, m, g
//! cpus = 1.5
//!
//! [nodes.a]                       # exactly two
//! port = 3307                     # required
//! host = "127.0.0.1"
//! bind_address = "127.0.0.1"      # not external
//! server_id = 1                   # default: twinlog chooses, or keeps an external node's
//! runtime = "process"             # these override [server]: two versions during an upgrade
//! binary = "mysqld"               # (or image)
//! data_dir = "/disk2/a"
//! options = {}
//! replication_host = "10.0.0.1"   # where the peer finds it, if not at host and port
//! replication_port = 3306
//! [nodes.b]                       # an external node
//! runtime = "external"
//! host = "db2.example.net"
//! port = 3306
//! user = "admin"
//! password_file = "./b.password"  # or password_env = "VARIABLE", or no_password = true
//! tls = "verify-identity"         # off | preferred | required | verify-ca | verify-identity;
//! ssl_ca = "ca.pem"               # default verify-identity with ssl_ca, else preferred
//!
//! [replication]
//! mode = "gtid"                   # gtid | position
//! semi_sync = false
//! tls = "required"                # required | preferred | off
//! filter = "replica"              # replica | binlog-do-db
//!
//! [tls]                           # your own certificates; default: twinlog makes them
//! ca = "ca.pem"
//! [tls.nodes.a]                   # each node that twinlog runs
//! cert = "a.pem"
//! key = "a.key"
//!
//! [conflicts]
//! policy = "last-write-wins"      # last-write-wins | first-write-wins | prefer:<node> | merge | manual
//! [[conflicts.tables]]            # the first that matches decides
//! match = "shop.stock"            # database.table, * for any characters
//! policy = "merge"
//! counters = ["quantity"]
//!
//! [agent]
//! listen = "127.0.0.1:7474"
//! router = "127.0.0.1:3306"       # default: no router
//! ```
//!
//! Relative paths start at the file's directory. An unknown key is an error.

mod check;
mod check_nodes;
mod create;
mod error;
mod import;
mod import_rules;
mod keys;
mod model;
mod node;
mod note;
mod options;
mod pattern;
mod period;
mod read;
mod size;
mod table;
mod table_policy;
#[cfg(test)]
mod tests;
mod values;
mod write;

use std::io;
use std::path::Path;

pub use create::write_new;
pub use error::{ConfigError, Problem};
pub use import::{Imported, MyCnfOption, from_my_cnf};
pub use model::{
    Agent, Config, Conflicts, DockerLimits, Filter, Identity, LinkTls, Mode, Policy, Replication,
    Runtime, Server, TablePolicy, Tls, Writes,
};
pub use node::{ClientTls, Node, Password};
pub use note::{Note, NoteKind};
pub use options::{OptionValue, Options, normalised};
pub use pattern::{is_like, is_pattern};

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`ConfigError::Missing`], [`ConfigError::Read`], or [`ConfigError::Invalid`] with every
    /// problem found.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ConfigError::Missing {
                file: file.to_path_buf(),
            },
            _ => ConfigError::Read {
                file: file.to_path_buf(),
                source,
            },
        })?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, file),
            Err(error) => Err(not_utf8(file, &bytes[..error.valid_up_to()])),
        }
    }

    /// Reads and checks `text`, the content of `file`; the file itself need not exist.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem found; [`ConfigError::Read`] if the current
    /// directory, which a relative `file` starts from, is gone.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let absolute = std::path::absolute(file).map_err(|source| ConfigError::Read {
            file: file.to_path_buf(),
            source,
        })?;
        let dir = absolute.parent().unwrap_or(Path::new("/"));
        read::read(text, file, dir)
    }

    /// The line of `text`, counted from 1, where a key such as `nodes.a.binary` stands, or else the
    /// table it would stand in: for what turns out wrong only later.
    #[must_use]
    pub fn line_of(text: &str, key: &str) -> Option<usize> {
        read::line_of(text, key)
    }

    /// The text of the file for this configuration, with comments. [`Config::parse`] of it, in
    /// `self.dir`, gives `self` again if `self` is valid, and says what is wrong if not.
    ///
    /// # Errors
    /// [`ConfigError::PathNotUtf8`].
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        write::render(self)
    }
}

fn not_utf8(file: &Path, valid: &[u8]) -> ConfigError {
    let valid = String::from_utf8_lossy(valid);
    let (line, column) = error::position(&valid, valid.len());
    ConfigError::Invalid {
        file: file.to_path_buf(),
        problems: vec![Problem {
            line,
            column,
            message: "not UTF-8".to_owned(),
            hint: Some(
                "save the file as UTF-8; it may be in the encoding of an old editor".to_owned(),
            ),
        }],
    }
}
