//! What each server version says and can do, as data.
//!
//! [`ROWS`] holds the spellings and features, one row for each version at which one of them changed;
//! [`VARIABLES`] the system variables. Supporting a new version means adding a row, nothing else.

mod grants;
mod link;
mod rows;
mod variables;

use std::fmt;

pub use grants::{Account, Grants};
pub use link::{CONNECT_RETRY_S, HEARTBEAT_S, LinkSource, LinkStart, LinkTls, RETRY_COUNT};
pub use rows::{Initialise, ROWS, Row};
pub use variables::{Changes, VARIABLES, Variable};

use crate::version::{Flavour, Version};

/// The dialect of one server version.
#[derive(Clone, Copy)]
pub struct Dialect {
    version: Version,
    row: &'static Row,
}

/// A version that twinlog does not know how to pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{version} is not supported")]
pub struct Unsupported {
    /// The version found.
    pub version: Version,
}

impl Unsupported {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some("twinlog pairs MySQL 5.6 to 9.x and MariaDB 10.5 and newer".into())
    }
}

impl Dialect {
    /// The dialect of a version.
    ///
    /// # Errors
    /// [`Unsupported`] for versions older than the oldest row of their flavour.
    pub fn of(version: &Version) -> Result<Self, Unsupported> {
        ROWS.iter()
            .rev()
            .find(|row| row.flavour == version.flavour && at_least(version, row.from))
            .map(|row| Self {
                version: *version,
                row,
            })
            .ok_or(Unsupported { version: *version })
    }

    /// The version this is the dialect of.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whose server it is.
    pub fn flavour(&self) -> Flavour {
        self.version.flavour
    }

    /// Whether it is MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.version.flavour == Flavour::MariaDb
    }

    /// The spellings and features of this version.
    pub fn row(&self) -> &'static Row {
        self.row
    }

    /// A system variable by twinlog's key for it; `None` where this version has no such variable.
    pub fn variable(&self, key: &str) -> Option<&'static Variable> {
        VARIABLES.iter().find(|variable| {
            variable.key == key
                && variable.flavour == self.version.flavour
                && at_least(&self.version, variable.from)
                && !at_least(&self.version, variable.until)
        })
    }

    /// Sets a global variable, surviving a restart where the version can.
    pub fn set_global(&self, name: &str, value: &str) -> String {
        let scope = if self.row.persist {
            "PERSIST"
        } else {
            "GLOBAL"
        };
        format!("SET {scope} {name} = {value}")
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.version)
    }
}

fn at_least(version: &Version, (major, minor, patch): (u16, u16, u16)) -> bool {
    version.at_least(major, minor, patch)
}
