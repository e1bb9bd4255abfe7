//! A docker engine for the tests, with the images of `scripts/docker-images`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use tempfile::TempDir;

/// Where an engine of the machine's own listens.
const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// An engine on a slow disk takes a few seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts an engine in directory `$1` and ends it, with all that it runs and keeps, when the test process has ended in
/// whatever way: its standard input ends then. Forwarding stays off, and with it the machine's firewall policy as it is.
///
/// An engine that ends leaves the bridges of its networks to the machine, each with a range of addresses that no later
/// engine gets, and their firewall rules: the networks go first. The ranges are small ones of their own, so that what a
/// keeper left that was killed itself is no hindrance for long.
const KEEPER: &str = r#"
trap '' INT TERM HUP
dir=$1
dockerd --host "unix://$dir/docker.sock" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" \
    --containerd-namespace "twinlog-$$" --containerd-plugins-namespace "twinlog-plugins-$$" \
    --bridge none --ip-forward=false --default-address-pool base=10.213.0.0/16,size=26 \
    </dev/null >"$dir/log" 2>&1 &
cat >/dev/null
export DOCKER_HOST="unix://$dir/docker.sock"
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
docker network ls --quiet --filter type=custom | xargs --no-run-if-empty docker network rm >/dev/null
kill %1
wait
rm -rf --one-file-system "$dir"
"#;

/// A docker engine: the machine's own where one runs, since a second would upset the first one's firewall rules, or else
/// one that lives as long as this value or this process.
#[derive(Debug)]
pub struct DockerEngine {
    socket: PathBuf,
    keeper: Option<Child>,
}

impl DockerEngine {
    /// An engine that has these images, e.g. `mysql:9.7`, as `twinlog-test/mysql:9.7`. Nothing where this machine cannot
    /// have an engine, and then it says so, for the test to be skipped.
    ///
    /// # Panics
    /// When there could be an engine or an image, and there is none.
    pub fn start(images: &[&str]) -> Option<Self> {
        let engine = if answers(Path::new(USUAL_SOCKET)) {
            Self {
                socket: USUAL_SOCKET.into(),
                keeper: None,
            }
        } else if let Some(why) = impossible() {
            // Not by a macro, whose output the test runner keeps to itself when a test passes.
            let _ = writeln!(io::stderr(), "SKIPPED, no docker engine: {why}");
            return None;
        } else {
            Self::start_own()
        };
        if !images.is_empty() {
            engine.load(images);
        }
        Some(engine)
    }

    /// What `DOCKER_HOST` must say.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Whether it was there before the tests, and stays after them.
    pub fn is_the_machines(&self) -> bool {
        self.keeper.is_none()
    }

    /// A `docker` command that talks to it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", self.host()).args(arguments);
        command
    }

    fn start_own() -> Self {
        // Its removal is the keeper's. In /tmp: a socket's path has room for 107 characters.
        let dir = TempDir::with_prefix_in("twinlog-docker-", "/tmp")
            .expect("a directory in /tmp")
            .keep();
        let keeper = Command::new("bash")
            .args(["-c", KEEPER, "twinlog-docker-keeper"])
            .arg(&dir)
            .stdin(Stdio::piped())
            // Not to be interrupted together with the test.
            .process_group(0)
            .spawn()
            .expect("bash runs");
        let engine = Self {
            socket: dir.join("docker.sock"),
            keeper: Some(keeper),
        };
        let deadline = Instant::now() + START_TIMEOUT;
        while !answers(&engine.socket) {
            let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "dockerd does not answer; its log:\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        engine
    }

    fn load(&self, images: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/docker-images");
        let status = Command::new(script)
            .args(images)
            .env("DOCKER_HOST", self.host())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{script} failed"
        );
    }
}

impl Drop for DockerEngine {
    fn drop(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            drop(keeper.stdin.take());
            // Nothing is to be done about one that cannot be waited for.
            let _ = keeper.wait();
        }
    }
}

fn impossible() -> Option<String> {
    let found = |program: &str| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !geteuid().is_root() {
        return Some(format!(
            "none answers at {USUAL_SOCKET}, and only root can start one"
        ));
    }
    if !found("dockerd") || !found("docker") {
        return Some(
            "there is no docker here: apt-get install docker.io iproute2 iptables".to_owned(),
        );
    }
    None
}

fn answers(socket: &Path) -> bool {
    socket.exists()
        && Command::new("docker")
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .arg("version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}
