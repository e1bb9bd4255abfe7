//! The server program: where it is, which version, and where its installation keeps its files.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
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
    let output = Command::new(path)
        .args(["--no-defaults", "--version"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_a_server(format!("it cannot be run: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Version::from_program(path, &text).map_err(|_| {
        let said = text.lines().next().unwrap_or_default().trim();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let said = if said.is_empty() {
            complaint.lines().next().unwrap_or_default()
        } else {
            said
        };
        not_a_server(if said.is_empty() {
            format!("`--version` printed nothing ({})", output.status)
        } else {
            said.into()
        })
    })
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
