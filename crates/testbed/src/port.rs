//! Ports that no other test takes.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};

/// Below the ports that the system gives to outgoing connections (from 32768 on): a server that is stopped and
/// started again finds its port still free, which no port given by `bind(0)` promises.
const RANGE: Range<u16> = 20_000..32_000;

/// A TCP port on 127.0.0.1, reserved for this test across all test processes while the value lives.
pub struct Port {
    number: u16,
    _lock: Flock<File>,
}

impl Port {
    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// Reserves a port on which nothing listens.
///
/// # Panics
/// When the lock files cannot be written, or no port of the range is free.
pub fn free_port() -> Port {
    reserve().unwrap_or_else(|error| panic!("no free port: {error:#}"))
}

fn reserve() -> anyhow::Result<Port> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let locks = lock_dir()?;
    // Processes start at different places, so that they seldom ask for the same port.
    let start = process::id().wrapping_mul(97);
    for _ in RANGE {
        let step = u32::from(TRIED.fetch_add(1, Ordering::Relaxed));
        let width = u32::from(RANGE.end - RANGE.start);
        let number = RANGE.start + (start.wrapping_add(step) % width) as u16;
        let file = File::create(locks.join(number.to_string()))
            .context("cannot create a port's lock file")?;
        let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
            return Ok(Port {
                number,
                _lock: lock,
            });
        }
    }
    bail!("all of {RANGE:?} are in use");
}

/// The lock files of all users' test processes: they stay, since removing a locked file would let two hold its lock.
fn lock_dir() -> anyhow::Result<PathBuf> {
    let uid = nix::unistd::geteuid();
    let dir = std::env::temp_dir().join(format!("twinlog-ports-{uid}"));
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::set_permissions(&dir, Permissions::from_mode(0o700))
        .with_context(|| format!("{} is another's", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_reserved_while_its_guard_lives() {
        let ports: Vec<Port> = (0..50).map(|_| free_port()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
        assert!(numbers.iter().all(|number| RANGE.contains(number)));
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_given() {
        let first = free_port();
        let _listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, first.number())).expect("it is free");
        let taken = first.number();
        drop(first);
        for _ in 0..100 {
            assert_ne!(free_port().number(), taken);
        }
    }
}
