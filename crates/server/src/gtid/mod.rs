//! Which transactions a server has: MySQL's GTID sets, MariaDB's positions, and both under one name.

mod intervals;
mod mariadb;
mod mysql;

use std::fmt;

pub use mariadb::{MariaDbGap, MariaDbGtid, MariaDbPosition, MariaDbState};
pub use mysql::MySqlSet;

use crate::version::Flavour;

/// What a server has executed, received or purged, in its own flavour's terms.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GtidSet {
    /// A set of transactions, each one known.
    MySql(MySqlSet),
    /// A high-water mark per domain; see [`MariaDbPosition`].
    MariaDb(MariaDbPosition),
}

/// The transactions of one [`GtidSet`] that another lacks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Missing {
    /// Exactly these transactions.
    MySql(MySqlSet),
    /// In each listed domain at most these; see [`MariaDbGap`].
    MariaDb(Vec<MariaDbGap>),
}

/// Why a text is not a GTID set, or two of them cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part between commas of a MySQL GTID set cannot be read.
    #[error("cannot read the GTID set item {item:?}: {why}")]
    MySql {
        /// The item, shortened.
        item: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A part between commas of a MariaDB GTID list cannot be read.
    #[error("cannot read the GTID {item:?}: it is not domain-server-sequence")]
    MariaDb {
        /// The item, shortened.
        item: String,
    },
    /// A MariaDB position has two marks in one domain.
    #[error("a position names domain {} twice: {first} and {second}", first.domain)]
    SameDomain {
        /// The mark that came first.
        first: MariaDbGtid,
        /// The other mark of that domain.
        second: MariaDbGtid,
    },
    /// A MariaDB binary log state has two entries of one domain and server.
    #[error("a binary log state names domain {} and server {} twice: {first} and {second}", first.domain, first.server)]
    SameServer {
        /// The entry that came first.
        first: MariaDbGtid,
        /// The other entry.
        second: MariaDbGtid,
    },
    /// A MySQL set was compared with a MariaDB position.
    #[error("a MySQL GTID set and a MariaDB position cannot be compared")]
    Mixed,
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::MySql { .. } => "a MySQL GTID set looks like UUID:1-5:9,UUID:1".to_owned(),
            Error::MariaDb { .. } => "a MariaDB position looks like 0-1-100,1-2-50".to_owned(),
            Error::SameDomain { .. } => {
                "give each domain once, as @@gtid_current_pos does".to_owned()
            }
            Error::SameServer { .. } => {
                "give each domain and server once, as @@gtid_binlog_state does".to_owned()
            }
            Error::Mixed => "pair servers of one flavour".to_owned(),
        })
    }
}

impl GtidSet {
    /// Reads what a server of this flavour prints: `@@gtid_executed`, or one of MariaDB's positions.
    pub fn parse(flavour: Flavour, text: &str) -> Result<GtidSet, Error> {
        match flavour {
            Flavour::MySql => text.parse().map(GtidSet::MySql),
            Flavour::MariaDb => text.parse().map(GtidSet::MariaDb),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        match self {
            GtidSet::MySql(set) => set.is_empty(),
            GtidSet::MariaDb(position) => position.is_empty(),
        }
    }

    /// Whether a server with this set needs nothing more to have `other`.
    ///
    /// On MySQL: every transaction of `other` is here. On MariaDB: in every domain of `other` the mark here is
    /// beyond, or is the same transaction.
    pub fn covers(&self, other: &GtidSet) -> Result<bool, Error> {
        match (self, other) {
            (GtidSet::MySql(mine), GtidSet::MySql(theirs)) => Ok(mine.contains(theirs)),
            (GtidSet::MariaDb(mine), GtidSet::MariaDb(theirs)) => Ok(mine.covers(theirs)),
            _ => Err(Error::Mixed),
        }
    }

    /// What is here and not in `other`: empty exactly when `other` covers this.
    pub fn subtract(&self, other: &GtidSet) -> Result<Missing, Error> {
        match (self, other) {
            (GtidSet::MySql(mine), GtidSet::MySql(theirs)) => {
                Ok(Missing::MySql(mine.subtract(theirs)))
            }
            (GtidSet::MariaDb(mine), GtidSet::MariaDb(theirs)) => {
                Ok(Missing::MariaDb(mine.subtract(theirs)))
            }
            _ => Err(Error::Mixed),
        }
    }

    /// What is here or in `other`: the union on MySQL, the higher mark of each domain on MariaDB.
    pub fn merge(&self, other: &GtidSet) -> Result<GtidSet, Error> {
        match (self, other) {
            (GtidSet::MySql(mine), GtidSet::MySql(theirs)) => {
                Ok(GtidSet::MySql(mine.union(theirs)))
            }
            (GtidSet::MariaDb(mine), GtidSet::MariaDb(theirs)) => {
                Ok(GtidSet::MariaDb(mine.merge(theirs)))
            }
            _ => Err(Error::Mixed),
        }
    }

    /// What is here and in `other`: the intersection on MySQL, the lower mark of each domain that both have on MariaDB.
    pub fn common(&self, other: &GtidSet) -> Result<GtidSet, Error> {
        match (self, other) {
            (GtidSet::MySql(mine), GtidSet::MySql(theirs)) => {
                Ok(GtidSet::MySql(mine.intersect(theirs)))
            }
            (GtidSet::MariaDb(mine), GtidSet::MariaDb(theirs)) => {
                Ok(GtidSet::MariaDb(mine.common(theirs)))
            }
            _ => Err(Error::Mixed),
        }
    }
}

impl fmt::Display for GtidSet {
    /// As the server takes it back, on one line; empty when nothing is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GtidSet::MySql(set) => set.fmt(f),
            GtidSet::MariaDb(position) => position.fmt(f),
        }
    }
}

impl Missing {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        match self {
            Missing::MySql(set) => set.is_empty(),
            Missing::MariaDb(gaps) => gaps.is_empty(),
        }
    }

    /// How many transactions are missing: exactly on MySQL, at most on MariaDB; stops at `u64::MAX`.
    pub fn count(&self) -> u64 {
        match self {
            Missing::MySql(set) => set.count(),
            Missing::MariaDb(gaps) => gaps
                .iter()
                .fold(0, |sum: u64, gap| sum.saturating_add(gap.count())),
        }
    }
}

impl fmt::Display for Missing {
    /// A MySQL set, or MariaDB's gaps with commas between: `0-1-101..120,5-1-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::MySql(set) => set.fmt(f),
            Missing::MariaDb(gaps) => {
                let gaps: Vec<String> = gaps.iter().map(MariaDbGap::to_string).collect();
                f.write_str(&gaps.join(","))
            }
        }
    }
}

/// An item for an error message: at most 60 characters.
fn shorten(item: &str) -> String {
    item.trim().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(flavour: Flavour, text: &str) -> GtidSet {
        GtidSet::parse(flavour, text).unwrap()
    }

    #[test]
    fn one_name_for_both() {
        let cases = [
            (
                Flavour::MySql,
                format!("{UUID}:1-9"),
                format!("{UUID}:1-4"),
                format!("{UUID}:5-9"),
                5,
            ),
            (
                Flavour::MariaDb,
                "0-1-9,3-1-1".into(),
                "0-2-4,3-1-1".into(),
                "0-1-5..9".into(),
                5,
            ),
        ];
        for (flavour, ahead, behind, missing, count) in cases {
            let (ahead, behind) = (set(flavour, &ahead), set(flavour, &behind));
            assert_eq!(
                (ahead.covers(&behind), behind.covers(&ahead)),
                (Ok(true), Ok(false))
            );
            let gap = ahead.subtract(&behind).unwrap();
            assert_eq!(
                (gap.to_string(), gap.count(), gap.is_empty()),
                (missing, count, false)
            );
            assert!(behind.subtract(&ahead).unwrap().is_empty());
            assert_eq!(behind.merge(&ahead), Ok(ahead.clone()));
            assert!(!ahead.is_empty() && set(flavour, "").is_empty());
            assert_eq!(set(flavour, "").to_string(), "");
        }
    }

    #[test]
    fn flavours_do_not_mix() {
        let (mysql, mariadb) = (set(Flavour::MySql, ""), set(Flavour::MariaDb, ""));
        assert_eq!(mysql.covers(&mariadb), Err(Error::Mixed));
        assert_eq!(mariadb.subtract(&mysql), Err(Error::Mixed));
        assert_eq!(mariadb.merge(&mysql), Err(Error::Mixed));
    }
}
