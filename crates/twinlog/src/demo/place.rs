//! Where the demonstration takes place: a server program, a user for it, a directory, two ports.

use std::{
    fs::{self, Permissions},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use twinlog_pair::{config::Config, down, site::Site};
use twinlog_server::process::{self, Binary, RunAs};

use crate::failure::{Failure, USAGE, WORLD};

/// The server program: the one that was named, or the first that is found.
pub(crate) fn find_server(named: Option<&Path>) -> Result<Binary, Failure> {
    let name = named.map_or("mysqld".to_owned(), |path| path.display().to_string());
    let binary = Binary::find(&name).map_err(|error| match (&error, named) {
        (_, Some(_)) => Failure::new(
            USAGE,
            error.to_string(),
            Some("--binary names a mysqld or mariadbd, by path or by its name on PATH".into()),
        ),
        (process::Error::BinaryMissing { .. }, None) => Failure::new(
            WORLD,
            "there is no MySQL or MariaDB server on this machine: no mysqld or mariadbd in PATH, /usr/sbin, \
             /usr/libexec or /usr/local/mysql/bin",
            Some(
                "install one (Debian, Ubuntu: `apt-get install mariadb-server-core` or `mysql-server-core-8.0`; no \
                 service is needed), or name one with --binary FILE"
                    .into(),
            ),
        ),
        _ => Failure::new(WORLD, error.to_string(), error.hint()),
    })?;
    twinlog_server::dialect::Dialect::of(&binary.version).map_err(|error| {
        let message = format!("{}: {error}", binary.path.display());
        Failure::new(WORLD, message, error.hint())
    })?;
    Ok(binary)
}

/// The user that the servers run as when root asks: `mysql`, else whoever called sudo, else `nobody`.
pub(crate) fn server_user() -> Result<Option<RunAs>, Failure> {
    if !is_root()? {
        return Ok(None);
    }
    let caller = std::env::var("SUDO_USER").unwrap_or_default();
    ["mysql", &caller, "nobody"]
        .iter()
        .filter(|name| !name.is_empty())
        .filter_map(|name| RunAs::named(name).ok())
        .find(|user| user.uid != 0)
        .map(Some)
        .ok_or_else(|| {
            Failure::new(
                WORLD,
                "there is no ordinary user to run the servers as: neither 'mysql' nor 'nobody' exists",
                Some("call `twinlog demo` as an ordinary user".into()),
            )
        })
}

/// Whether the caller is root, for whom servers do not run.
fn is_root() -> Result<bool, Failure> {
    match RunAs::choose(Some("root")) {
        Ok(user) => Ok(user.is_some()),
        Err(error) => Err(Failure::new(WORLD, error.to_string(), error.hint())),
    }
}

/// A directory that lasts as long as the demonstration.
#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// Makes it where the servers' user can get at it.
    pub(crate) fn make(user: Option<&RunAs>) -> Result<Self, Failure> {
        let mut last = None;
        for base in [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
            let closed = user.is_some_and(|user| user.can_reach(&base.join("x/y")).is_err());
            if closed {
                continue;
            }
            let mut builder = tempfile::Builder::new();
            builder.prefix("twinlog-demo-");
            // What is secret in it has a mode of its own; the servers' user has to walk through, whatever the umask.
            let made = builder.tempdir_in(&base).and_then(|dir| {
                fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
                Ok(Self { dir })
            });
            match made {
                Ok(place) => return Ok(place),
                Err(error) => last = Some(format!("{}: {error}", base.display())),
            }
        }
        Err(Failure::new(
            WORLD,
            format!(
                "no temporary directory can be made for the demonstration: {}",
                last.unwrap_or_else(|| "all are closed to the servers' user".into())
            ),
            Some("set TMPDIR to a directory with 1 GB of free space".into()),
        ))
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration of the pair: every default, on free ports.
    pub(crate) fn config(&self, binary: &Binary, user: Option<&RunAs>) -> Result<Config, Failure> {
        let mut config = Config::local(self.path(), "demo");
        config.server.binary = Some(binary.path.clone());
        if let Some(user) = user {
            config.server.user.clone_from(&user.name);
        }
        for (node, port) in config.nodes.iter_mut().zip(free_ports()?) {
            node.port = port;
        }
        Ok(config)
    }

    /// Stops the servers and removes everything. Returns what it could not do, in words.
    pub(crate) async fn clear(self, site: &Site) -> Result<(), String> {
        if let Err(error) = down::down(site, true).await {
            let left = self.dir.keep();
            return Err(format!("{error}; {} is left", left.display()));
        }
        let path = self.path().to_owned();
        self.dir
            .close()
            .map_err(|error| format!("cannot remove {}: {error}", path.display()))
    }

    /// Leaves everything as it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.dir.keep()
    }
}

/// Two ports that nobody listens on, held both at once so that they differ.
fn free_ports() -> Result<[u16; 2], Failure> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    (|| {
        let held = [bind()?, bind()?];
        Ok([port(&held[0])?, port(&held[1])?])
    })()
    .map_err(|error: std::io::Error| {
        Failure::new(WORLD, format!("no free port on 127.0.0.1: {error}"), None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ports_differ_and_are_free() {
        // Another test may take one the moment that it is free.
        let bound = (0..10).any(|_| {
            let ports = free_ports().expect("free ports");
            assert_ne!(ports[0], ports[1]);
            let bind = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
            ports.iter().all(bind)
        });
        assert!(bound);
    }

    #[test]
    fn a_named_program_that_is_no_server_is_the_users_mistake() {
        let failure = find_server(Some(Path::new("/bin/cat"))).expect_err("cat is no server");
        assert_eq!(failure.code, USAGE);
    }
}
