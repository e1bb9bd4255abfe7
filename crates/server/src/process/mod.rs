//! The `process` runtime: a server as a child process of nobody, on this machine, as an ordinary user.
//!
//! A node has one directory. Everything in it is twinlog's, and says so in `node.json`:
//!
//! ```text
//! <data_dir>/a/
//!   node.json       whose directory this is; written first, so that what follows may be deleted
//!   my.cnf          what twinlog rendered
//!   started.cnf     the my.cnf that the running server was started with
//!   data.new/       a data directory being made
//!   data/           the data directory, renamed from data.new when it is whole
//!   files/          the only directory for LOAD DATA INFILE and SELECT … INTO OUTFILE
//!   tmp/            temporary tables and files
//!   error.log, mysqld.pid, mysqld.sock
//! ```

mod binary;
mod identity;
mod initialise;
mod run;

use std::path::{Path, PathBuf};

pub use binary::Binary;
pub use identity::{NodeMark, Owner, RunAs, claim, delete, give_files, owner};
pub use initialise::initialise;
pub use run::{Running, find, start, start_failure, stop, wait_until_gone};

/// The longest path of a unix socket that every server version accepts (`sun_path` less its end mark).
const SOCKET_PATH_MAX: usize = 103;

/// The paths of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The node's directory, absolute.
    pub dir: PathBuf,
}

impl Paths {
    /// The paths below a node's directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The rendered option file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("my.cnf")
    }

    /// The option file that the running server was started with.
    pub fn started_config(&self) -> PathBuf {
        self.dir.join("started.cnf")
    }

    /// The server's data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// A data directory that is not whole yet.
    pub fn data_new(&self) -> PathBuf {
        self.dir.join("data.new")
    }

    /// Where the server may read and write files for SQL.
    pub fn files(&self) -> PathBuf {
        self.dir.join("files")
    }

    /// Where the server keeps temporary tables and files. Its own, because a starting server deletes the temporary
    /// tables that it finds there, and would delete those of a running one.
    pub fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// The server's error log.
    pub fn error_log(&self) -> PathBuf {
        self.dir.join("error.log")
    }

    /// The server's own pid file.
    pub fn pid_file(&self) -> PathBuf {
        self.dir.join("mysqld.pid")
    }

    /// The unix socket: in the node's directory, or, where that path is too long for a socket, in a directory of
    /// this node's own below the system's temporary one.
    pub fn socket(&self) -> PathBuf {
        let near = self.dir.join("mysqld.sock");
        if near.as_os_str().len() <= SOCKET_PATH_MAX {
            return near;
        }
        let digest = <sha1::Sha1 as sha1::Digest>::digest(self.dir.as_os_str().as_encoded_bytes());
        let name: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        std::env::temp_dir()
            .join(format!("twinlog-{name}"))
            .join("mysqld.sock")
    }

    /// Whether a whole data directory is there.
    pub fn is_initialised(&self) -> bool {
        self.data().is_dir()
    }
}

/// What went wrong with a local server process or its files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such program.
    #[error("no server program '{name}' in PATH, /usr/sbin, /usr/libexec or /usr/local/mysql/bin")]
    BinaryMissing {
        /// The name or path that was looked for.
        name: String,
    },
    /// The program is something else.
    #[error("{} is not a MySQL or MariaDB server: {said}", path.display())]
    NotAServer {
        /// The program.
        path: PathBuf,
        /// What it printed when asked for its version.
        said: String,
    },
    /// The server's installation lacks a file.
    #[error("the installation of {} has no {file}", path.display())]
    ShareMissing {
        /// The program.
        path: PathBuf,
        /// The missing file.
        file: String,
    },
    /// The account to run the server as does not exist.
    #[error("there is no user '{name}' to run the server as")]
    NoUser {
        /// The user's name.
        name: String,
    },
    /// The account to run the server as cannot get at a file.
    #[error("user '{user}' cannot reach {}: {} is closed to other users", path.display(), closed.display())]
    Unreachable {
        /// The user's name.
        user: String,
        /// What it needs.
        path: PathBuf,
        /// The directory that keeps it out.
        closed: PathBuf,
    },
    /// A directory holds what twinlog did not put there.
    #[error("{} is not empty and not twinlog's", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
    /// A directory belongs to another pair or node.
    #[error("{} belongs to node '{node}' of pair '{pair}' ({pair_id})", dir.display())]
    OtherPair {
        /// The directory.
        dir: PathBuf,
        /// The pair named in it.
        pair: String,
        /// That pair's id.
        pair_id: String,
        /// The node named in it.
        node: String,
    },
    /// The server ended while it was being initialised.
    #[error("initialising {} failed ({status}); its last words:\n{log}", dir.display())]
    InitialiseFailed {
        /// The data directory.
        dir: PathBuf,
        /// How the program ended.
        status: String,
        /// The last lines of its output.
        log: String,
    },
    /// The server ended, or did not open its socket, while it was being started.
    #[error("the server did not start ({status}); the last lines of {}:\n{log}", path.display())]
    StartFailed {
        /// The error log.
        path: PathBuf,
        /// How the program ended, or how long it was waited for.
        status: String,
        /// The last lines of the log.
        log: String,
    },
    /// The server goes on although it was told to stop.
    #[error("process {pid} is still stopping after {waited_s} s")]
    StopTimeout {
        /// Its process id.
        pid: i32,
        /// How long it was waited for.
        waited_s: u64,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BinaryMissing { .. } => {
                "install one (Debian, Ubuntu: `apt-get install mariadb-server-core` or `mysql-server-core-8.0`), or set \
                 `binary` in [server] to its path"
                    .into()
            }
            Self::NotAServer { .. } => "set `binary` in [server] to a mysqld or mariadbd".into(),
            Self::ShareMissing { .. } => "is the server's package whole? the file comes with the server".into(),
            Self::NoUser { name } if name == "mysql" => {
                "called as root, twinlog runs servers as 'mysql': create that user (`useradd --system --shell /usr/sbin/nologin \
                 mysql`), set `user` in [server], or call twinlog as an ordinary user"
                    .into()
            }
            Self::NoUser { .. } => "set `user` in [server] to an existing user".into(),
            Self::Unreachable { closed, .. } => {
                format!("move it elsewhere, or `chmod o+x {}`, or call twinlog as an ordinary user", closed.display())
            }
            Self::Foreign { .. } => "choose another `data_dir`; twinlog deletes nothing that it did not make".into(),
            Self::OtherPair { .. } => "choose another `data_dir`, or use that pair's twinlog.toml".into(),
            Self::StartFailed { log, .. } | Self::InitialiseFailed { log, .. } => log_hint(log).into(),
            Self::StopTimeout { pid, .. } => format!(
                "it may be writing a large buffer pool to disk: look at its error log and wait; twinlog does not kill it \
                 (`kill -9 {pid}` would mean crash recovery at the next start)"
            ),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "the disk is full: free some space, then run the same command again".into()
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "check the owner and the mode of that path".into()
            }
            Self::Io { .. } => return None,
        })
    }
}

/// What a server's last words mean, for the failures that people meet.
fn log_hint(log: &str) -> &'static str {
    const KNOWN: &[(&str, &str)] = &[
        (
            "No space left on device",
            "the disk is full: free some space, then run the same command again",
        ),
        // InnoDB and the server say it in several ways.
        (
            "rror 28",
            "the disk is full: free some space, then run the same command again",
        ),
        (
            "errno 28",
            "the disk is full: free some space, then run the same command again",
        ),
        (
            "Errcode: 28",
            "the disk is full: free some space, then run the same command again",
        ),
        (
            "Address already in use",
            "another program listens on this port: choose another `port`",
        ),
        (
            "unknown variable",
            "an option in `options` does not exist in this version: remove it or write it as `loose_…`",
        ),
        (
            "unknown option",
            "an option in `options` does not exist in this version: remove it or write it as `loose_…`",
        ),
        (
            "Different lower_case_table_names",
            "lower_case_table_names cannot change once a data directory exists",
        ),
        (
            "Unable to lock",
            "another server process uses this data directory",
        ),
        (
            "Can't lock",
            "another server process uses this data directory",
        ),
        (
            "Permission denied",
            "the server's user cannot read or write one of its files",
        ),
        (
            "No such file or directory",
            "a path in `options` leads nowhere: make its directory, or correct it",
        ),
    ];
    KNOWN
        .iter()
        .find(|(text, _)| log.contains(text))
        .map_or(
            "the first [ERROR] of these lines says why; once that is mended, run the same command again",
            |(_, hint)| hint,
        )
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

/// The last lines of a log file, at most `lines` of them and 16 KiB.
pub fn tail(path: &Path, lines: usize) -> String {
    use std::io::{Read, Seek, SeekFrom};
    const BYTES_MAX: u64 = 16 * 1024;
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("(cannot read {}: {error})", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_is_never_too_long() {
        assert_eq!(
            Paths::new("/data/a").socket(),
            Path::new("/data/a/mysqld.sock")
        );
        let deep = Paths::new(format!("/{}/a", "d".repeat(200)));
        assert!(
            deep.socket().as_os_str().len() <= SOCKET_PATH_MAX,
            "{:?}",
            deep.socket()
        );
        assert_eq!(deep.socket(), deep.socket());
    }

    #[test]
    fn known_last_words_get_a_hint() {
        for words in [
            "… OS errno 28 - No space left on device",
            "preallocating 2147483648 bytes for file ./ib_logfile101 failed with error 28",
        ] {
            assert!(log_hint(words).contains("the disk is full"), "{words}");
        }
        assert!(log_hint("never seen").contains("[ERROR]"));
    }
}
