//! Option files (`my.cnf`): read as the servers read them, and written with a reason for every line.
//!
//! The reading follows the manuals of both flavours and, where they are silent, what `my_print_defaults` of MySQL 9.7
//! and MariaDB 10.11 and 11.8 print.

mod line;
mod load;
mod name;
mod options;
mod render;

use std::io;
use std::path::{Path, PathBuf};

pub use options::{Opt, Options};
pub use render::{Line, RenderError, Section, render};

use crate::version::Version;

/// An option file, with the files it includes if it was loaded from disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionFile {
    /// The file's path.
    pub path: PathBuf,
    /// Every option of every group, in the order a program reads them.
    pub options: Vec<Opt>,
    /// The `!include` and `!includedir` lines met.
    pub includes: Vec<Include>,
    /// What the servers pass over, or read otherwise than its author may think.
    pub warnings: Vec<Warning>,
}

/// An `!include` or `!includedir` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The path as written; a server takes a relative one from its working directory.
    pub path: PathBuf,
    /// Whether it is `!includedir`: every `*.cnf` in that folder, in the order of their names.
    pub directory: bool,
    /// The file the line is in.
    pub file: PathBuf,
    /// Its line in that file, from 1.
    pub line: usize,
}

/// Why an option file cannot be read. A server refuses to start for any of these in its main file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is absent or unreadable.
    #[error("cannot read option file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A group's bracket is not closed.
    #[error("{}:{line}: the group name is not closed with ]", file.display())]
    GroupUnclosed {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An option stands before the first group.
    #[error("{}:{line}: an option stands before the first [group]", file.display())]
    NoGroup {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A value has no option name before it.
    #[error("{}:{line}: a value stands without an option name", file.display())]
    NoName {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An include line names nothing.
    #[error("{}:{line}: !{} names no path", file.display(), keyword(*directory))]
    NoPath {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Whether it is `!includedir`.
        directory: bool,
    },
    /// The folder of an `!includedir` line cannot be listed.
    #[error("{}:{line}: cannot list the folder {}", file.display(), path.display())]
    IncludeDir {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An option is not written in UTF-8.
    #[error("{}:{line}: the option is not UTF-8 text", file.display())]
    Encoding {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Read { .. } => "check the path and that this user may read it".to_owned(),
            Error::GroupUnclosed { .. } => "write it as [mysqld]".to_owned(),
            Error::NoGroup { .. } => {
                "put [mysqld] above it; if it is there, the file begins with a byte order mark: remove that".to_owned()
            }
            Error::NoName { .. } => "write it as name = value, or begin the line with #".to_owned(),
            Error::NoPath { directory, .. } => format!("write it as !{} /etc/…", keyword(*directory)),
            Error::IncludeDir { .. } => "make the folder, or remove the line: the server will not start".to_owned(),
            Error::Encoding { .. } => "save the file as UTF-8".to_owned(),
        })
    }
}

/// Something in an option file that a server accepts and its author may regret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Anyone may write to the file, so servers do not read it.
    #[error("{} is ignored by the server because anyone may write to it", path.display())]
    WorldWritable {
        /// The file.
        path: PathBuf,
    },
    /// The file of an `!include` line is not there.
    #[error("{}:{line}: the included file {} cannot be read and is passed over", file.display(), path.display())]
    IncludeMissing {
        /// The file with the line.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The missing file.
        path: PathBuf,
    },
    /// Files include each other deeper than servers follow.
    #[error("{}:{line}: the include is passed over: files include each other too deep", file.display())]
    IncludeTooDeep {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A comment follows an include's path.
    #[error("{}:{line}: MariaDB and MySQL before 9 take the comment for a part of the path", file.display())]
    IncludeComment {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A `!` line that is no include.
    #[error("{}:{line}: the server knows no such ! directive and passes it over", file.display())]
    UnknownDirective {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The line is longer than most servers read.
    #[error("{}:{line}: MariaDB and MySQL before 9 break the line after {} bytes", file.display(), line::LINE_BYTES_MAX)]
    LongLine {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The value's last character loses a byte.
    #[error("{}:{line}: the server cuts the last byte of the value off; put it in quotes", file.display())]
    CutValue {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl OptionFile {
    /// Reads an option file's text; its includes are reported, not followed. `path` is for messages.
    pub fn parse(path: &Path, text: &str) -> Result<OptionFile, Error> {
        load::parse(path, text)
    }

    /// Reads an option file and what it includes, taking relative includes from the file's own folder.
    pub fn load(path: &Path) -> Result<OptionFile, Error> {
        OptionFile::load_from(path, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads an option file and what it includes, taking relative includes from `working_dir`, as a server started
    /// there does.
    pub fn load_from(path: &Path, working_dir: &Path) -> Result<OptionFile, Error> {
        load::load(path, working_dir)
    }

    /// The options a server of this version reads; without one, those of the groups without a version that
    /// servers of either flavour read.
    pub fn server_options(&self, version: Option<Version>) -> Options {
        let groups = options::server_groups(version);
        self.options_of(&groups.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The options of these groups. Servers do not tell upper from lower case in group names.
    pub fn options_of(&self, groups: &[&str]) -> Options {
        let read = |opt: &&Opt| {
            groups
                .iter()
                .any(|group| group.eq_ignore_ascii_case(&opt.group))
        };
        Options(self.options.iter().filter(read).cloned().collect())
    }
}

#[cfg(test)]
mod tests;

fn keyword(directory: bool) -> &'static str {
    if directory { "includedir" } else { "include" }
}
