//! Running the binary under test, with nothing of the developer's environment.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::ServerKind;

/// Longer than any command under test may take on two busy cores.
const RUN_DEADLINE: Duration = Duration::from_secs(120);
/// After its end, for what it wrote last to be read.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs `twinlog` in a directory of its own: cleared environment, no colour, its home in that directory.
#[derive(Debug, Clone)]
pub struct Twinlog {
    binary: PathBuf,
    dir: PathBuf,
    path: OsString,
    env: Vec<(OsString, OsString)>,
    deadline: Duration,
}

/// What a command that has ended left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The data.
    pub stdout: String,
    /// Progress and messages.
    pub stderr: String,
    /// The exit code; `None` when it died of a signal.
    pub code: Option<i32>,
}

impl Output {
    /// Checks the exit code and returns stdout.
    ///
    /// # Panics
    /// When the code is another; all that was written is in the message.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &str {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        &self.stdout
    }
}

impl Twinlog {
    /// Runs `binary` (a test passes `env!("CARGO_BIN_EXE_twinlog")`) in `dir`, which must exist.
    pub fn new(binary: impl AsRef<Path>, dir: impl AsRef<Path>) -> Self {
        Self {
            binary: binary.as_ref().to_owned(),
            dir: dir.as_ref().to_owned(),
            path: SYSTEM_PATH.into(),
            env: Vec::new(),
            deadline: RUN_DEADLINE,
        }
    }

    /// Puts the server's programs first on `PATH`.
    #[must_use]
    pub fn with_server(mut self, kind: ServerKind) -> Self {
        let dirs = kind
            .program_dirs()
            .into_iter()
            .chain(env::split_paths(&self.path));
        self.path = env::join_paths(dirs)
            .unwrap_or_else(|error| panic!("{kind} cannot be on PATH: {error}"));
        self
    }

    /// Replaces `PATH` altogether.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<OsString>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Another time-out than 120 s.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Where it runs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file in its directory, for instance `twinlog.toml`.
    ///
    /// # Panics
    /// When it cannot.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// The command, not yet started, for what the methods here do not offer.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(&self.dir).env_clear();
        command
            .env("PATH", &self.path)
            .env("HOME", &self.dir)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100");
        command.env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not end in time (it is killed), or something that it started keeps its output open.
    pub fn run(&self, args: &[&str]) -> Output {
        self.spawn(args).wait()
    }

    /// As [`Twinlog::run`], with `input` on stdin.
    ///
    /// # Panics
    /// As `run` does.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Output {
        let file = tempfile::NamedTempFile::new_in(&self.dir).and_then(|file| {
            fs::write(file.path(), input)?;
            file.reopen()
        });
        let stdin = file.unwrap_or_else(|error| panic!("cannot write the input: {error}"));
        let mut command = self.command(args);
        command.stdin(stdin);
        self.start(command, args).wait()
    }

    /// Starts it, for a test that watches it or kills it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.stdin(Stdio::null());
        self.start(command, args)
    }

    fn start(&self, mut command: Command, args: &[&str]) -> Running {
        let what = format!("twinlog {}", args.join(" "));
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {what}: {error}"));
        let stdout = child.stdout.take().map(lines_of);
        let stderr = child.stderr.take().map(lines_of);
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            panic!("{what}: no pipes");
        };
        Running {
            what,
            child,
            stdout,
            stderr,
            seen: String::new(),
            end: Instant::now() + self.deadline,
        }
    }
}

/// The lines of a pipe, read by a thread so that the child never blocks on a full one.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
            line.clear();
        }
    });
    lines
}

/// A command that runs. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Running {
    what: String,
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What was read of stderr so far.
    seen: String,
    end: Instant,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of stderr, without its end; `None` when stderr is closed.
    ///
    /// # Panics
    /// When neither comes before the command's time is up.
    pub fn next_line(&mut self) -> Option<String> {
        match self
            .stderr
            .recv_timeout(self.end.saturating_duration_since(Instant::now()))
        {
            Ok(line) => {
                self.seen.push_str(&line);
                Some(line.trim_end_matches(['\r', '\n']).to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{}: time is up; stderr so far:\n{}", self.what, self.seen)
            }
        }
    }

    /// Reads stderr up to a line that contains `text`, and returns that line.
    ///
    /// # Panics
    /// When stderr ends, or time is up, without one.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        while let Some(line) = self.next_line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!(
            "{}: no line with '{text}' on stderr:\n{}",
            self.what, self.seen
        );
    }

    /// Kills it (SIGKILL), only it and not what it started, and returns what it had written.
    pub fn kill(mut self) -> Output {
        // Either it dies of this or it was dead.
        let _ = self.child.kill();
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come in time, or something that it started keeps its output open.
    pub fn wait(mut self) -> Output {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < self.end => thread::sleep(POLL),
                Ok(None) => panic!(
                    "{}: time is up; stderr so far:\n{}{}",
                    self.what,
                    self.seen,
                    self.read_rest()
                ),
                Err(error) => panic!("{}: {error}", self.what),
            }
        };
        let stdout = drain(&self.what, &self.stdout);
        let stderr = std::mem::take(&mut self.seen) + &drain(&self.what, &self.stderr);
        Output {
            stdout,
            stderr,
            code: status.code(),
        }
    }

    fn read_rest(&self) -> String {
        self.stderr.try_iter().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of no effect on one that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(what: &str, lines: &Receiver<String>) -> String {
    let end = Instant::now() + DRAIN_DEADLINE;
    let mut text = String::new();
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => text.push_str(&line),
            Err(RecvTimeoutError::Disconnected) => return text,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{what} has ended, but something it started keeps its output open")
            }
        }
    }
}
