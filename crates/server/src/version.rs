//! Which server this is: MySQL or MariaDB, and its number.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The two lines of servers twinlog knows. Percona Server counts as MySQL: it shares MySQL's numbers and statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// MySQL and what is built from it under MySQL's own numbers.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flavour::MySql => "MySQL",
            Flavour::MariaDb => "MariaDB",
        })
    }
}

/// A server's flavour and number, such as MySQL 9.7.4.
///
/// It has no order of its own, because MySQL 8 and MariaDB 10 do not compare; ask [`Version::at_least`] after
/// looking at the flavour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// MySQL or MariaDB.
    pub flavour: Flavour,
    /// First number: 9 in 9.7.4.
    pub major: u16,
    /// Second number: 7 in 9.7.4.
    pub minor: u16,
    /// Third number: 4 in 9.7.4.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version {
            flavour,
            major,
            minor,
            patch,
        } = self;
        write!(f, "{flavour} {major}.{minor}.{patch}")
    }
}

/// Why a version could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text of `SELECT VERSION()` does not begin with three numbers.
    #[error("cannot read a version number from {text:?}")]
    NoNumber {
        /// What the server said.
        text: String,
    },
    /// A program answered `--version`, but it is not a database server.
    #[error("{} is not a MySQL or MariaDB server: it says {said:?}", program.display())]
    NotAServer {
        /// The program that was asked.
        program: PathBuf,
        /// The first line of its answer, shortened.
        said: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NoNumber { .. } => {
                "check that the address is that of a MySQL or MariaDB server, not of a proxy"
                    .to_owned()
            }
            Error::NotAServer { .. } => {
                "name the server program itself: mysqld or mariadbd".to_owned()
            }
        })
    }
}

impl Version {
    /// Reads the answers of `SELECT VERSION(), @@version_comment`.
    ///
    /// MariaDB names itself in the version text; distributions that rename it still do in the comment. Its old way
    /// of posing as 5.5.5 to MySQL replicas (`5.5.5-10.6.12-MariaDB`) is undone.
    pub fn parse(version: &str, comment: &str) -> Result<Version, Error> {
        let version = version.trim();
        let flavour = if names_mariadb(version) || names_mariadb(comment) {
            Flavour::MariaDb
        } else {
            Flavour::MySql
        };
        let posed = match flavour {
            Flavour::MariaDb => version
                .strip_prefix("5.5.5-")
                .filter(|rest| numbers(rest).is_some()),
            Flavour::MySql => None,
        };
        let (major, minor, patch) =
            numbers(posed.unwrap_or(version)).ok_or_else(|| Error::NoNumber {
                text: first_line(version),
            })?;
        Ok(Version {
            flavour,
            major,
            minor,
            patch,
        })
    }

    /// Reads what `PROGRAM --version` wrote to its standard output.
    ///
    /// Every server writes `PATH  Ver NUMBER for SYSTEM …`; so do clients and dump tools, therefore the name the
    /// program gives itself must be the server's.
    pub fn from_program(program: &Path, output: &str) -> Result<Version, Error> {
        let not_a_server = || Error::NotAServer {
            program: program.to_owned(),
            said: first_line(output),
        };
        let (name, rest) = output
            .lines()
            .find_map(|line| line.split_once(" Ver "))
            .ok_or_else(not_a_server)?;
        if !is_server_name(name.trim()) {
            return Err(not_a_server());
        }
        let mut words = rest.split_whitespace();
        let number = words.next().ok_or_else(not_a_server)?;
        Version::parse(number, "").map_err(|_| not_a_server())
    }

    /// Whether the number is this one or later, whatever the flavour.
    pub fn at_least(&self, major: u16, minor: u16, patch: u16) -> bool {
        (self.major, self.minor, self.patch) >= (major, minor, patch)
    }

    /// The release series as option file groups and download pages name it: `9.7` of 9.7.4.
    pub fn series(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

fn names_mariadb(text: &str) -> bool {
    text.to_ascii_lowercase().contains("mariadb")
}

/// The three numbers a text begins with. What follows (`-log`, `-27`, `.mysql_aurora`) belongs to the packager.
fn numbers(text: &str) -> Option<(u16, u16, u16)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let mut parts = text[..end].split('.').map(|part| part.parse::<u16>());
    let mut next = || parts.next()?.ok();
    Some((next()?, next()?, next()?))
}

/// `mysqld` and `mariadbd`, bare or with a suffix such as `-debug`, `-9.7` or `.exe`; not `mysqldump` or `mysqld_safe`.
fn is_server_name(path: &str) -> bool {
    let base = path.rsplit(['/', '\\']).next().unwrap_or(path);
    ["mysqld", "mariadbd"]
        .iter()
        .filter_map(|server| base.strip_prefix(server))
        .any(|rest| !rest.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// The first line with text, at most 80 characters: an unknown program may answer with a book.
fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    line.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mysql(major: u16, minor: u16, patch: u16) -> Version {
        Version {
            flavour: Flavour::MySql,
            major,
            minor,
            patch,
        }
    }

    fn mariadb(major: u16, minor: u16, patch: u16) -> Version {
        Version {
            flavour: Flavour::MariaDb,
            major,
            minor,
            patch,
        }
    }

    #[test]
    fn what_servers_say_of_themselves() {
        let cases = [
            (
                "5.7.44-log",
                "MySQL Community Server (GPL)",
                mysql(5, 7, 44),
            ),
            ("5.6.24", "MySQL Community Server (GPL)", mysql(5, 6, 24)),
            (
                "8.0.35-27",
                "Percona Server (GPL), Release 27, Revision 2f8eeab1",
                mysql(8, 0, 35),
            ),
            ("8.0.36-0ubuntu0.22.04.1", "(Ubuntu)", mysql(8, 0, 36)),
            ("9.7.4", "MySQL Community Server - GPL", mysql(9, 7, 4)),
            ("9.7.4-2", "(Debian)", mysql(9, 7, 4)),
            (
                "10.11.6-MariaDB-0+deb12u1-log",
                "Debian 12",
                mariadb(10, 11, 6),
            ),
            (
                "11.8.6-MariaDB-0+deb13u1 from Debian-log",
                "",
                mariadb(11, 8, 6),
            ),
            ("5.5.5-10.6.12-MariaDB", "", mariadb(10, 6, 12)),
            ("5.5.5-MariaDB", "", mariadb(5, 5, 5)),
            ("10.6.12-8", "MariaDB Enterprise Server", mariadb(10, 6, 12)),
        ];
        for (version, comment, expected) in cases {
            assert_eq!(Version::parse(version, comment), Ok(expected), "{version}");
        }
    }

    #[test]
    fn what_server_programs_say() {
        let cases = [
            (
                "/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))\n",
                mysql(9, 7, 4),
            ),
            (
                "/opt/a b/mysqld  Ver 5.6.24 for linux-glibc2.5 on x86_64 (MySQL Community Server (GPL))\n",
                mysql(5, 6, 24),
            ),
            (
                "mysqld  Ver 8.0.35-27 for Linux on x86_64 (Percona Server (GPL), Release 27)\n",
                mysql(8, 0, 35),
            ),
            (
                "mariadbd  Ver 11.8.6-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64 (-- Please help)\n",
                mariadb(11, 8, 6),
            ),
            (
                "./mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)\n",
                mariadb(10, 11, 19),
            ),
            (
                "a warning\n/x/mysqld-debug  Ver 8.4.0 for Linux on x86_64 (Source distribution)",
                mysql(8, 4, 0),
            ),
        ];
        for (output, expected) in cases {
            assert_eq!(
                Version::from_program(Path::new("/x/server"), output),
                Ok(expected),
                "{output}"
            );
        }
    }

    #[test]
    fn other_programs_are_named() {
        let outputs = [
            "cat (GNU coreutils) 9.1\nCopyright",
            "mysql  Ver 9.7.4-2 for Linux on x86_64 ((Debian))",
            "mysqldump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)",
            "mysqld_safe  Ver 1.0.0",
            "/usr/bin/mariadb from 11.8.6-MariaDB, client 15.2 for debian-linux-gnu (x86_64)",
            "mysqld  Ver ",
            "mysqld  Ver unknown",
            "",
        ];
        for output in outputs {
            let error = Version::from_program(Path::new("/bin/other"), output).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("/bin/other is not a MySQL or MariaDB server"),
                "{error}"
            );
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn texts_without_a_number() {
        for text in ["", "log", "8", "8.0", "8.0-log", "99999.1.1", "8..1"] {
            assert!(Version::parse(text, "").is_err(), "{text}");
        }
    }

    #[test]
    fn series_and_serde() {
        assert_eq!(mysql(8, 0, 35).series(), "8.0");
        assert_eq!(
            serde_json::to_value(Flavour::MariaDb).unwrap(),
            serde_json::json!("mariadb")
        );
    }

    proptest! {
        #[test]
        fn numbers_survive(major in 0u16.., minor in 0u16.., patch in 0u16.., tail in "(-[a-z0-9.+-]{0,9})?") {
            let version = Version::parse(&format!("{major}.{minor}.{patch}{tail}"), "").unwrap();
            prop_assert_eq!((version.major, version.minor, version.patch), (major, minor, patch));
            prop_assert_eq!(version.to_string(), format!("MySQL {major}.{minor}.{patch}"));
            prop_assert!(version.at_least(major, minor, patch));
            if let Some(next) = patch.checked_add(1) {
                prop_assert!(!version.at_least(major, minor, next));
            }
        }

        #[test]
        fn no_text_panics(version in ".*", comment in ".*") {
            let _ = Version::parse(&version, &comment);
            let _ = Version::from_program(Path::new("x"), &version);
        }
    }
}
