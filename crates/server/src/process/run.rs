//! Starting, finding and stopping the server process of a node.
//!
//! A server outlives the twinlog that started it. It is found again by what it is rather than by a number noted
//! down: a process whose command line names this node's option file. A pid file is only a short cut to it, so a
//! number that has meanwhile become a stranger's is never signalled.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};

use super::{
    Binary, Error, Paths, RunAs,
    identity::{give, make_directories},
    io, tail,
};

/// How often a process is looked at while it starts or stops.
const POLL: Duration = Duration::from_millis(20);

/// A server process found by its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Its process id.
    pub pid: i32,
}

/// Finds the server process of a node, if one runs.
pub fn find(paths: &Paths) -> Option<Running> {
    let from_file = fs::read_to_string(paths.pid_file())
        .ok()
        .and_then(|text| text.trim().parse().ok());
    from_file
        .filter(|&pid| is_server_of(paths, pid))
        .or_else(|| processes().find(|&pid| is_server_of(paths, pid)))
        .map(|pid| Running { pid })
}

/// Starts the server of a node and returns as soon as the process is there; it may not accept connections yet.
///
/// # Errors
/// [`Error::Io`] when the program cannot be run.
pub fn start(
    binary: &Binary,
    paths: &Paths,
    run_as: Option<&RunAs>,
) -> Result<Box<dyn ChildWrapper>, Error> {
    make_directories(paths, run_as)?;
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(paths.error_log())
        .map_err(io("open", &paths.error_log()))?;
    give(&paths.error_log(), run_as)?;
    let config = paths.config();
    fs::copy(&config, paths.started_config()).map_err(io("copy", &config))?;
    let mut command = Command::new(&binary.path);
    command
        .arg(format!("--defaults-file={}", config.display()))
        .current_dir(&paths.dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(io("open", &paths.error_log()))?)
        .stderr(log);
    if let Some(run_as) = run_as {
        command.uid(run_as.uid).gid(run_as.gid);
    }
    // A session of its own: neither Ctrl-C nor a closed terminal reaches it.
    let mut wrapped = CommandWrap::from(command);
    wrapped.wrap(ProcessSession);
    wrapped.spawn().map_err(io("run", &binary.path))
}

/// Why a freshly started server did not come up.
pub fn start_failure(paths: &Paths, status: String) -> Error {
    Error::StartFailed {
        path: paths.error_log(),
        status,
        log: tail(&paths.error_log(), 20),
    }
}

/// Tells the server of a node to shut down cleanly. Returns its process id, or `None` when none runs.
///
/// # Errors
/// [`Error::Io`] when it may not be signalled.
pub fn stop(paths: &Paths) -> Result<Option<Running>, Error> {
    let Some(running) = find(paths) else {
        return Ok(None);
    };
    match kill(Pid::from_raw(running.pid), Signal::SIGTERM) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(Some(running)),
        Err(error) => Err(io("signal the server of", &paths.dir)(error.into())),
    }
}

/// Waits until a server that was told to stop is gone.
///
/// # Errors
/// [`Error::StopTimeout`] after `limit`.
pub async fn wait_until_gone(
    paths: &Paths,
    running: Running,
    limit: Duration,
) -> Result<(), Error> {
    let started = Instant::now();
    while is_server_of(paths, running.pid) {
        if started.elapsed() > limit {
            return Err(Error::StopTimeout {
                pid: running.pid,
                waited_s: limit.as_secs(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The processes that still initialise a data directory of this node, left by a twinlog that was killed.
pub(super) fn find_initialising(paths: &Paths) -> Vec<i32> {
    processes()
        .filter(|&pid| is_initialising(paths, pid))
        .collect()
}

/// Ends such a process: what it makes is thrown away, so it need not end cleanly.
pub(super) fn kill_initialising(paths: &Paths, pid: i32) -> Result<(), Error> {
    match kill(Pid::from_raw(pid), Signal::SIGKILL) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => {
            return Err(io("end the unfinished initialisation of", &paths.dir)(
                error.into(),
            ));
        }
    }
    let started = Instant::now();
    while is_initialising(paths, pid) {
        if started.elapsed() > Duration::from_secs(10) {
            return Err(Error::StopTimeout { pid, waited_s: 10 });
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn is_server_of(paths: &Paths, pid: i32) -> bool {
    let arguments = arguments(pid);
    names_config(&arguments, paths)
        && !arguments
            .iter()
            .any(|argument| argument.starts_with("--datadir="))
}

fn is_initialising(paths: &Paths, pid: i32) -> bool {
    let arguments = arguments(pid);
    let data = format!("--datadir={}", paths.data_new().display());
    names_config(&arguments, paths) && arguments.contains(&data)
}

fn names_config(arguments: &[String], paths: &Paths) -> bool {
    arguments.get(1).is_some_and(|argument| {
        *argument == format!("--defaults-file={}", paths.config().display())
    })
}

/// A process's command line; empty for one that is gone, or a zombie.
fn arguments(pid: i32) -> Vec<String> {
    let bytes =
        fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
    bytes
        .split(|&byte| byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_that_names_a_stranger_is_not_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(dir.path());
        fs::write(paths.pid_file(), std::process::id().to_string()).expect("written");
        assert_eq!(find(&paths), None);
        assert!(stop(&paths).expect("nothing to do").is_none());
    }

    #[test]
    fn a_process_is_found_by_the_option_file_it_names() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(dir.path());
        let mut child = Command::new("sh")
            .args(["-c", "read line"])
            .arg0(format!("--defaults-file={}", paths.config().display()))
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh runs");
        // The option file must be an argument, not the program's name.
        assert_eq!(find(&paths), None);
        child
            .kill()
            .and_then(|()| child.wait().map(drop))
            .expect("ended");
    }
}
