//! The options of some groups of an option file, and what they come to.

use std::fmt;
use std::path::PathBuf;

use super::name;
use crate::version::{Flavour, Version};

/// One option as written in one place.
#[derive(Clone, PartialEq, Eq)]
pub struct Opt {
    /// The option's name in snake case, without `loose-`, `skip-`, `disable-` and `enable-`; a server option whose
    /// own name begins so (`skip_name_resolve`) keeps it. A `maximum-` prefix stays: it limits the variable and
    /// does not set it.
    pub name: String,
    /// The value, unquoted; `None` where only the name is written. A prefix that switches gives `0` or `1`.
    pub value: Option<String>,
    /// The group it is in, as written.
    pub group: String,
    /// The name as written.
    pub written: String,
    /// Whether `loose-` says that a server without such an option shall go on.
    pub loose: bool,
    /// Whether the value comes from a `skip-`, `disable-` or `enable-` prefix: `skip-log-bin` is no log, while
    /// `log-bin = 0` is a log named 0.
    pub switched: bool,
    /// The file it is in.
    pub file: PathBuf,
    /// Its line in that file, from 1.
    pub line: usize,
}

impl Opt {
    pub(super) fn new(
        group: &str,
        written: &str,
        value: Option<&str>,
        file: PathBuf,
        line: usize,
    ) -> Opt {
        let name::Resolved {
            name,
            loose,
            switch,
        } = name::resolve(written, value);
        let value = match switch {
            Some(on) => Some(if on { "1" } else { "0" }.to_owned()),
            None => value.map(str::to_owned),
        };
        let (group, written) = (group.to_owned(), written.to_owned());
        Opt {
            name,
            value,
            group,
            written,
            loose,
            switched: switch.is_some(),
            file,
            line,
        }
    }

    /// Whether a boolean option is on; `None` where the value is no boolean (the server warns and takes it as off).
    pub fn as_bool(&self) -> Option<bool> {
        name::as_bool(self.value.as_deref())
    }

    /// The value as a whole number, a unit suffix (K, M, G, T, P, E: powers of 1024) applied.
    pub fn as_number(&self) -> Option<u64> {
        name::as_number(self.value.as_deref()?)
    }

    /// Whether every occurrence of this option counts, as of `binlog-do-db`, and not just the last.
    pub fn adds_up(&self) -> bool {
        name::adds_up(&self.name)
    }

    /// Whether the value is a password or the like and must not be shown.
    pub fn is_secret(&self) -> bool {
        name::is_secret(&self.name)
    }
}

impl fmt::Debug for Opt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.is_secret() {
            Some("…")
        } else {
            self.value.as_deref()
        };
        write!(
            f,
            "{}:{}: [{}] {} = {value:?}",
            self.file.display(),
            self.line,
            self.group,
            self.written
        )
    }
}

/// The options a program reads, in the order it reads them.
///
/// Order is that of the lines, whatever the group: a line of `[server]` below one of `[mysqld-9.7]` wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(pub(super) Vec<Opt>);

impl Options {
    /// Every occurrence, in reading order.
    pub fn iter(&self) -> std::slice::Iter<'_, Opt> {
        self.0.iter()
    }

    /// The occurrence of this option that counts: the last. The name may be spelled with dashes or underscores.
    pub fn get(&self, name: &str) -> Option<&Opt> {
        let name = name::normalise(name);
        self.0.iter().rfind(|opt| opt.name == name)
    }

    /// Every occurrence of this option, in reading order.
    pub fn all(&self, name: &str) -> Vec<&Opt> {
        let name = name::normalise(name);
        self.0.iter().filter(|opt| opt.name == name).collect()
    }

    /// The occurrences that count: the last of each option, and all of those that add up.
    pub fn effective(&self) -> Vec<&Opt> {
        let counts = |(at, opt): &(usize, &Opt)| {
            opt.adds_up() || !self.0[at + 1..].iter().any(|later| later.name == opt.name)
        };
        self.0
            .iter()
            .enumerate()
            .filter(counts)
            .map(|(_, opt)| opt)
            .collect()
    }
}

impl<'a> IntoIterator for &'a Options {
    type Item = &'a Opt;
    type IntoIter = std::slice::Iter<'a, Opt>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The groups a server reads, from `--help` of MySQL 5.6 and 9.7 and MariaDB 10.11 and 11.8.
///
/// Without a version: those that a server of either flavour reads in every version.
pub(super) fn server_groups(version: Option<Version>) -> Vec<String> {
    const MYSQL: [&str; 2] = ["mysqld", "server"];
    const MARIADB: [&str; 4] = ["mariadb", "mariadbd", "client-server", "galera"];
    let (more, versioned): (&[&str], &[&str]) = match version.map(|version| version.flavour) {
        Some(Flavour::MySql) => (&["mysql_cluster"], &["mysqld"]),
        Some(Flavour::MariaDb) => (&MARIADB, &["mysqld", "mariadb", "mariadbd"]),
        None => (&MARIADB, &[]),
    };
    let series = version.map(|version| version.series()).unwrap_or_default();
    let plain = MYSQL.iter().chain(more).map(|&group| group.to_owned());
    plain
        .chain(versioned.iter().map(|group| format!("{group}-{series}")))
        .collect()
}
