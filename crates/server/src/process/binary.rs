//! The server program: where it is, which version, and where its installation keeps its files.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use super::{Error, io};
use crate::version::Version;

/// Where distributions and vendors put servers; `PATH` of an ordinary user often lacks these.
const FOLDERS: [&str; 4] = [
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/usr/local/sbin",
];

/// How long a program may take to say its version; a server takes some milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a program's output is read, and how much of a line is repeated.
const OUTPUT_BYTES_MAX: u64 = 4096;
const SAID_CHARS_MAX: usize = 200;

/// A server program and its installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The program, symbolic links resolved.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
    /// The prefix of its installation (`basedir`).
    pub basedir: PathBuf,
}

impl Binary {
    /// Finds a server by path or by name. The name `mysqld` finds `mariadbd` where there is no `mysqld`.
    ///
    /// # Errors
    /// [`Error::BinaryMissing`] or [`Error::NotAServer`].
    pub fn find(name: &str) -> Result<Self, Error> {
        let path = if name.contains('/') {
            Some(PathBuf::from(name)).filter(|path| path.is_file())
        } else {
            on_path(name).or_else(|| (name == "mysqld").then(|| on_path("mariadbd")).flatten())
        };
        let path = path.ok_or_else(|| Error::BinaryMissing {
            name: name.to_owned(),
        })?;
        let path = path.canonicalize().map_err(io("resolve", &path))?;
        let version = ask_version(&path)?;
        let basedir = basedir(&path);
        Ok(Self {
            path,
            version,
            basedir,
        })
    }

    /// The options that tell a server unpacked elsewhere than it was built for where its files are; none for a
    /// packaged one below `/usr`, whose compiled-in paths are right.
    pub fn relocation(&self) -> Vec<(&'static str, PathBuf)> {
        if self.basedir == Path::new("/usr") {
            return Vec::new();
        }
        let lib = self.basedir.join("lib");
        let plugins = [
            lib.join("mysql/plugin"),
            lib.join("mariadb/plugin"),
            lib.join("plugin"),
        ];
        let messages = self.share("english/errmsg.sys");
        let mut options = vec![("basedir", self.basedir.clone())];
        options.extend(
            messages
                .and_then(|file| Some(("lc_messages_dir", file.ancestors().nth(2)?.to_owned()))),
        );
        options.extend(
            self.share("charsets/Index.xml")
                .and_then(|file| Some(("character_sets_dir", file.parent()?.to_owned()))),
        );
        options.extend(
            plugins
                .into_iter()
                .find(|dir| dir.is_dir())
                .map(|dir| ("plugin_dir", dir)),
        );
        options
    }

    /// A file of the installation's `share` folder, whose layout differs between packagers.
    pub fn share(&self, file: &str) -> Option<PathBuf> {
        let share = self.basedir.join("share");
        ["mysql", "mariadb", ""]
            .iter()
            .map(|folder| share.join(folder).join(file))
            .find(|path| path.is_file())
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

fn ask_version(path: &Path) -> Result<Version, Error> {
    let not_a_server = |said: String| Error::NotAServer {
        path: path.to_owned(),
        said,
    };
    let answer = ask(path, &["--no-defaults", "--version"])
        .map_err(|error| not_a_server(format!("it cannot be run: {error}")))?;
    let Some(Answer {
        status,
        stdout,
        stderr,
    }) = answer
    else {
        let waited_s = ANSWER_TIMEOUT.as_secs();
        return Err(not_a_server(format!(
            "it does not answer `--version` within {waited_s} s"
        )));
    };
    Version::from_program(path, &stdout).map_err(|_| {
        let mut said = stdout.lines().chain(stderr.lines()).map(str::trim);
        let said = said.find(|line| !line.is_empty());
        not_a_server(said.map_or_else(
            || format!("`--version` printed nothing ({status})"),
            |line| line.chars().take(SAID_CHARS_MAX).collect(),
        ))
    })
}

/// What a program printed, and how it ended.
struct Answer {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a program that may be anything: `None` when it does not end in time. Of its output the beginning is kept.
fn ask(path: &Path, args: &[&str]) -> std::io::Result<Option<Answer>> {
    let mut child = Command::new(path)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().map(beginning_of);
    let stderr = child.stderr.take().map(beginning_of);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > ANSWER_TIMEOUT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    // Something that it left running may hold its output open.
    let text = |pipe: Option<Receiver<String>>| {
        pipe.and_then(|text| text.recv_timeout(Duration::from_secs(1)).ok())
            .unwrap_or_default()
    };
    Ok(Some(Answer {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    }))
}

/// Reads the beginning of a program's output on a thread of its own and closes the pipe then.
fn beginning_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is as good as the rest; nobody may be waiting for it any more.
        let _ = pipe.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The nearest folder above the program that has a `share` folder beside it.
fn basedir(program: &Path) -> PathBuf {
    program
        .ancestors()
        .skip(1)
        .take(3)
        .find(|folder| folder.join("share").is_dir())
        .or_else(|| program.parent())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_server_is_named_with_what_it_said() {
        let error = Binary::find("/bin/cat").expect_err("cat is no server");
        assert!(matches!(&error, Error::NotAServer { .. }), "{error}");
        assert!(error.to_string().contains("cat"), "{error}");
    }

    #[test]
    fn a_missing_program_gets_a_hint() {
        let error = Binary::find("mysqld-of-no-one").expect_err("there is none");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("apt-get")),
            "{error}"
        );
    }
}
