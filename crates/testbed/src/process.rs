//! Starting and ending server processes.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

/// Who runs servers when the tests run as root, since a server does not want to be root.
const STAND_IN: &str = "nobody";

/// The user that servers run as, when it is not the one who runs the tests.
pub(crate) fn stand_in() -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user =
        User::from_name(STAND_IN)?.with_context(|| format!("there is no user '{STAND_IN}'"))?;
    Ok(Some(user))
}

/// A command that runs as the servers' user and dies with this process, however this one ends.
pub(crate) fn server_command(program: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new("setpriv");
    if let Some(user) = stand_in()? {
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Ok(command)
}

/// Spawns from a thread that lives as long as the process: the kernel sends the death signal asked for above when
/// the *thread* that spawned ends, and a test's thread may end before its process.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Request>>> = OnceLock::new();

    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in requests {
                // A caller that has gone away needs no answer.
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, answers) = mpsc::channel();
    let gone = |_| io::Error::other("the spawning thread has ended");
    let request = (command, answer);
    spawner
        .lock()
        .map_err(|error| io::Error::other(error.to_string()))?
        .send(request)
        .map_err(|_| gone(mpsc::RecvError))?;
    answers.recv().map_err(gone)?
}

/// Kills every server whose working directory is in `dir`: one that twinlog started, in a test that failed half-way.
pub(crate) fn kill_servers_in(dir: &Path) {
    for pid in servers_in(dir) {
        // It may have ended by itself meanwhile.
        let _ = kill(pid, Signal::SIGKILL);
    }
}

fn servers_in(dir: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            let working_dir = fs::read_link(entry.path().join("cwd")).ok()?;
            let is_server = matches!(name.trim_end(), "mysqld" | "mariadbd");
            (is_server && working_dir.starts_with(dir)).then(|| Pid::from_raw(pid))
        })
        .collect()
}
