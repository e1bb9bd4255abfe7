//! What can be wrong with a `twinlog.toml`, said with the file, line and column.

use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("{}: no such file", file.display())]
    Missing {
        /// The file, as the user named it.
        file: PathBuf,
    },
    /// The file is there but cannot be read.
    #[error("{}: cannot read: {source}", file.display())]
    Read {
        /// The file, as the user named it.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file's content is wrong.
    #[error("{}", located(file, problems))]
    Invalid {
        /// The file, as the user named it.
        file: PathBuf,
        /// Everything found, in the order of the file; never empty.
        problems: Vec<Problem>,
    },
    /// A new file is not written over an existing one.
    #[error("{}: exists already", file.display())]
    Exists {
        /// The file, as the user named it.
        file: PathBuf,
    },
    /// A new file cannot be written.
    #[error("{}: cannot write: {source}", file.display())]
    Write {
        /// The file, as the user named it.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// TOML is UTF-8: a path in another encoding cannot be said in it.
    #[error("the path {} is not UTF-8 and cannot be written into a TOML file", path.display())]
    PathNotUtf8 {
        /// The path.
        path: PathBuf,
    },
}

impl ConfigError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("`twinlog init` writes one; `-c FILE` names another file".to_owned())
            }
            Self::Read { .. } => None,
            Self::Invalid { problems, .. } => hints(problems),
            Self::Exists { .. } => {
                Some("move it away first, or write another one with `-c FILE`".to_owned())
            }
            Self::Write { .. } => Some(
                "its directory must exist and be writable, with space left on the disk".to_owned(),
            ),
            Self::PathNotUtf8 { .. } => Some("rename it, or use a relative path".to_owned()),
        }
    }
}

/// One thing wrong in the file's content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

fn located(file: &std::path::Path, problems: &[Problem]) -> String {
    let lines = problems.iter().map(|p| format!("{}:{p}", file.display()));
    lines.collect::<Vec<_>>().join("\n")
}

/// One problem's hint stands alone; several say which line they are for.
fn hints(problems: &[Problem]) -> Option<String> {
    if let [only] = problems {
        return only.hint.clone();
    }
    let mut text = String::new();
    for problem in problems {
        if let Some(hint) = &problem.hint {
            let separator = if text.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}line {}: {hint}", problem.line);
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Line and column, both counted from 1, of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
