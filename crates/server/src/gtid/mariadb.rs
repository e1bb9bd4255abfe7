//! MariaDB's GTIDs: `domain-server-sequence`, and positions made of one per domain.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{Error, shorten};

/// One MariaDB transaction's identity: `0-1-100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MariaDbGtid {
    /// The replication domain (`gtid_domain_id`): an independent stream of transactions.
    pub domain: u32,
    /// The `server_id` of the server that first committed the transaction.
    pub server: u32,
    /// The number within the domain, ascending whichever server wrote.
    pub sequence: u64,
}

impl fmt::Display for MariaDbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

impl FromStr for MariaDbGtid {
    type Err = Error;

    fn from_str(text: &str) -> Result<MariaDbGtid, Error> {
        let error = || Error::MariaDb {
            item: shorten(text),
        };
        let mut parts = text.trim().split('-').map(digits);
        let mut next = || parts.next().flatten().ok_or_else(error);
        let narrow = |number: u64| u32::try_from(number).map_err(|_| error());
        let gtid = MariaDbGtid {
            domain: narrow(next()?)?,
            server: narrow(next()?)?,
            sequence: next()?,
        };
        if parts.next().is_some() {
            Err(error())
        } else {
            Ok(gtid)
        }
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// A position: `@@gtid_slave_pos`, `@@gtid_binlog_pos` or `@@gtid_current_pos`.
///
/// In each domain it is a high-water mark: the named transaction and all of lower number are done. A domain it does
/// not name has nothing done; so has one named with sequence 0, which is therefore dropped on reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MariaDbPosition(BTreeMap<u32, MariaDbGtid>);

impl FromStr for MariaDbPosition {
    type Err = Error;

    /// Spaces and newlines around items are allowed; two items of one domain are not, as on the server.
    fn from_str(text: &str) -> Result<MariaDbPosition, Error> {
        let mut marks = BTreeMap::new();
        for gtid in parse_list(text)? {
            if let Some(first) = marks.insert(gtid.domain, gtid) {
                return Err(Error::SameDomain {
                    first,
                    second: gtid,
                });
            }
        }
        marks.retain(|_, gtid| gtid.sequence > 0);
        Ok(MariaDbPosition(marks))
    }
}

impl MariaDbPosition {
    /// Whether it says that nothing is done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mark of this domain, if anything is done in it.
    pub fn mark(&self, domain: u32) -> Option<MariaDbGtid> {
        self.0.get(&domain).copied()
    }

    /// Puts the mark of its domain at this transaction, wherever it was; sequence 0 removes it.
    pub fn set(&mut self, mark: MariaDbGtid) {
        if mark.sequence > 0 {
            self.0.insert(mark.domain, mark);
        } else {
            self.0.remove(&mark.domain);
        }
    }

    /// The marks, by ascending domain.
    pub fn marks(&self) -> impl Iterator<Item = MariaDbGtid> + '_ {
        self.0.values().copied()
    }

    /// Whether everything `other` says is done is done here too.
    ///
    /// In each domain of `other` the mark here must be of a higher number, or the same transaction. Equal numbers
    /// written by two servers are two transactions, and neither mark covers the other.
    pub fn covers(&self, other: &MariaDbPosition) -> bool {
        other.0.values().all(|&theirs| self.covers_mark(theirs))
    }

    fn covers_mark(&self, theirs: MariaDbGtid) -> bool {
        self.mark(theirs.domain)
            .is_some_and(|mine| mine.sequence > theirs.sequence || mine == theirs)
    }

    /// What is done here and not in `other`: one gap for each domain whose mark here `other` does not cover.
    pub fn subtract(&self, other: &MariaDbPosition) -> Vec<MariaDbGap> {
        let ahead = self.0.values().filter(|&&mark| !other.covers_mark(mark));
        ahead
            .map(|&last| {
                let behind = other.mark(last.domain).map_or(0, |mark| mark.sequence);
                // With equal numbers from two servers at least that one transaction is missing.
                MariaDbGap {
                    first: behind.saturating_add(1).min(last.sequence),
                    last,
                }
            })
            .collect()
    }

    /// The higher mark of each domain: what is done when both positions are one server's, say its binary log's
    /// and its applier's. Equal numbers of two servers keep the higher server id.
    pub fn merge(&self, other: &MariaDbPosition) -> MariaDbPosition {
        let mut marks = self.0.clone();
        for &theirs in other.0.values() {
            let mine = marks.entry(theirs.domain).or_insert(theirs);
            if (theirs.sequence, theirs.server) > (mine.sequence, mine.server) {
                *mine = theirs;
            }
        }
        MariaDbPosition(marks)
    }

    /// The lower mark of each domain that both have: what is done by both servers when each position is one server's.
    pub fn common(&self, other: &MariaDbPosition) -> MariaDbPosition {
        let lower = |(domain, mine): (&u32, &MariaDbGtid)| {
            let theirs = other.mark(*domain)?;
            let mark = if theirs.sequence < mine.sequence {
                theirs
            } else {
                *mine
            };
            Some((*domain, mark))
        };
        MariaDbPosition(self.0.iter().filter_map(lower).collect())
    }

    /// This position in one domain alone.
    pub fn only_domain(&self, domain: u32) -> MariaDbPosition {
        MariaDbPosition(
            self.0
                .iter()
                .filter(|(id, _)| **id == domain)
                .map(|(id, mark)| (*id, *mark))
                .collect(),
        )
    }
}

impl fmt::Display for MariaDbPosition {
    /// `0-1-5,1-2-7`, by ascending domain, as the server prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0.values())
    }
}

/// The transactions of one domain from one mark to another.
///
/// Numbers in it may be unused (a domain may skip some, and a replica does not log what it skips), so its length is
/// the most that can be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MariaDbGap {
    /// The first missing number.
    pub first: u64,
    /// The last missing transaction; earlier ones may be other servers'.
    pub last: MariaDbGtid,
}

impl MariaDbGap {
    /// How many transactions it spans; stops at `u64::MAX`.
    pub fn count(&self) -> u64 {
        (self.last.sequence - self.first).saturating_add(1)
    }
}

impl fmt::Display for MariaDbGap {
    /// `0-1-101..120` (domain 0, numbers 101 to 120, the last by server 1), or `0-1-120` where it is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MariaDbGtid {
            domain,
            server,
            sequence,
        } = self.last;
        if self.first == sequence {
            write!(f, "{}", self.last)
        } else {
            write!(f, "{domain}-{server}-{}..{sequence}", self.first)
        }
    }
}

/// `@@gtid_binlog_state`: the last transaction in the binary log of every domain and server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MariaDbState(BTreeMap<u32, Vec<MariaDbGtid>>);

impl FromStr for MariaDbState {
    type Err = Error;

    fn from_str(text: &str) -> Result<MariaDbState, Error> {
        let mut domains = BTreeMap::<u32, Vec<MariaDbGtid>>::new();
        for gtid in parse_list(text)? {
            let known = domains.entry(gtid.domain).or_default();
            if let Some(&first) = known.iter().find(|known| known.server == gtid.server) {
                return Err(Error::SameServer {
                    first,
                    second: gtid,
                });
            }
            known.push(gtid);
        }
        Ok(MariaDbState(domains))
    }
}

impl MariaDbState {
    /// The position it stands for, equal to `@@gtid_binlog_pos`: the server lists the transaction it logged last
    /// in a domain as that domain's last.
    pub fn position(&self) -> MariaDbPosition {
        let marks = self
            .0
            .iter()
            .filter_map(|(id, known)| Some((*id, *known.last()?)));
        MariaDbPosition(marks.filter(|(_, mark)| mark.sequence > 0).collect())
    }

    /// The last transaction this server wrote in this domain.
    pub fn last_of(&self, domain: u32, server: u32) -> Option<MariaDbGtid> {
        self.0
            .get(&domain)?
            .iter()
            .find(|gtid| gtid.server == server)
            .copied()
    }
}

impl fmt::Display for MariaDbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0.values().flatten())
    }
}

fn parse_list(text: &str) -> Result<Vec<MariaDbGtid>, Error> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(str::parse).collect()
}

fn write_list<'a>(
    f: &mut fmt::Formatter<'_>,
    list: impl Iterator<Item = &'a MariaDbGtid>,
) -> fmt::Result {
    for (index, gtid) in list.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(f, "{comma}{gtid}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
