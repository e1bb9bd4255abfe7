//! A directory per test, gone with everything that runs in it.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use tempfile::Builder;

use crate::process::kill_servers_in;

/// Short, because a unix socket's path has a limit of 107 bytes.
const PREFIX: &str = "tl-";
/// A file that says that this directory is to stay.
const KEPT: &str = ".kept";
/// Younger directories are not swept: their owner may not have locked them yet.
const SWEEP_AGE_MIN: Duration = Duration::from_secs(60);

/// A directory below the system's temporary one that every user may enter (servers do not run as root).
///
/// When it is dropped the servers that still run in it are killed, whoever started them, and it is removed; with
/// `TWINLOG_KEEP` set in the environment it stays, and its path is printed. The directories of test processes that
/// were themselves killed are removed by the next one.
#[derive(Debug)]
pub struct TestDir {
    path: PathBuf,
    /// Held on the directory itself: tells a live test's directory from a dead one's.
    _lock: Flock<File>,
}

impl TestDir {
    /// Makes an empty directory.
    ///
    /// # Panics
    /// When the system's temporary directory cannot be written.
    #[expect(
        clippy::new_without_default,
        reason = "it makes a directory: that is not a default value"
    )]
    pub fn new() -> Self {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        Self::create().unwrap_or_else(|error| {
            panic!("no directory in {}: {error}", env::temp_dir().display())
        })
    }

    fn create() -> io::Result<Self> {
        let path = Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?
            .keep();
        // The umask may have taken from the mode above.
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        let lock = lock(&path).ok_or_else(|| io::Error::other("a fresh directory is locked"))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of something in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl AsRef<Path> for TestDir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        kill_servers_in(&self.path);
        if env::var_os("TWINLOG_KEEP").is_some() && fs::write(self.join(KEPT), "").is_ok() {
            #[expect(
                clippy::print_stderr,
                reason = "asked for by the developer who set the variable"
            )]
            {
                eprintln!("kept: {}", self.path.display());
            }
            return;
        }
        // A server that was just killed may still be letting go of its files.
        for _ in 0..3 {
            if fs::remove_dir_all(&self.path).is_ok() || !self.path.exists() {
                break;
            }
        }
    }
}

fn lock(dir: &Path) -> Option<Flock<File>> {
    Flock::lock(File::open(dir).ok()?, FlockArg::LockExclusiveNonblock).ok()
}

/// Removes what test processes that were killed have left behind.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if is_ours(&entry.file_name(), &path)
            && !path.join(KEPT).exists()
            && let Some(_lock) = lock(&path)
        {
            kill_servers_in(&path);
            // Another sweeper may be as far: what one cannot remove, the other has.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn is_ours(name: &OsStr, path: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return false;
    };
    let age = meta
        .modified()
        .ok()
        .and_then(|time| time.elapsed().ok())
        .unwrap_or_default();
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
        && meta.is_dir()
        && meta.uid() == geteuid().as_raw()
        && age > SWEEP_AGE_MIN
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_is_open_to_all_and_gone_at_the_end() {
        let dir = TestDir::new();
        let path = dir.path().to_owned();
        fs::create_dir_all(dir.join("a/b")).expect("writable");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(path.as_os_str().len() < 60, "{}", path.display());
        drop(dir);
        assert_eq!(path.exists(), env::var_os("TWINLOG_KEEP").is_some());
    }

    #[test]
    fn a_server_that_a_test_forgot_dies_with_the_directory() {
        let dir = TestDir::new();
        let program = dir.join("mysqld");
        fs::copy("/bin/sleep", &program).expect("a program under a server's name");
        let mut forgotten = Command::new(&program)
            .arg("60")
            .current_dir(&dir)
            .spawn()
            .expect("it runs");
        // The parent goes on as soon as the child has its program, an instant before the child has its name.
        let comm = format!("/proc/{}/comm", forgotten.id());
        let end = Instant::now() + Duration::from_secs(10);
        while fs::read_to_string(&comm).expect("it runs").trim_end() != "mysqld" {
            assert!(Instant::now() < end, "it never got its name");
            std::thread::yield_now();
        }
        drop(dir);
        let status = forgotten.wait().expect("it is ours");
        assert_eq!(status.signal(), Some(9));
    }

    #[test]
    fn a_live_directory_is_locked() {
        let dir = TestDir::new();
        assert!(lock(dir.path()).is_none());
    }
}
