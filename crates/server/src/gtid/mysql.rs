//! MySQL's GTID sets: `uuid:1-5:9:tag:1-3, uuid:…`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::intervals::Intervals;
use super::{Error, shorten};

/// The greatest transaction number a server accepts (2⁶³ − 2), as seen on MySQL 9.7.
const NUMBER_MAX: u64 = i64::MAX as u64 - 1;

/// The longest tag a server accepts, in characters, from the manual of MySQL 8.3.
const TAG_CHARS_MAX: usize = 32;

/// A MySQL GTID set such as `@@gtid_executed`: transaction numbers per server UUID and tag.
///
/// Tags exist since MySQL 8.3; transactions without one are kept under the empty tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MySqlSet(BTreeMap<(Uuid, String), Intervals>);

impl FromStr for MySqlSet {
    type Err = Error;

    /// Accepts what `GTID_SUBSET` of MySQL 9.7 accepts: spaces and newlines anywhere between parts, any case,
    /// repeated UUIDs and tags, overlapping and inverted ranges, empty items, a UUID without numbers.
    fn from_str(text: &str) -> Result<MySqlSet, Error> {
        let mut set = MySqlSet::default();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            set.add_item(item).map_err(|why| Error::MySql {
                item: shorten(item),
                why,
            })?;
        }
        Ok(set)
    }
}

impl MySqlSet {
    fn add_item(&mut self, item: &str) -> Result<(), &'static str> {
        let mut parts = item.split(':').map(str::trim);
        let uuid = parts.next().unwrap_or_default();
        let uuid = parse_uuid(uuid).ok_or("it does not begin with a server UUID")?;
        let mut tag = String::new();
        for part in parts {
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                let (first, last) = parse_range(part)?;
                if first <= last {
                    self.0
                        .entry((uuid, tag.clone()))
                        .or_default()
                        .insert(first, last);
                }
            } else {
                tag = parse_tag(part)?;
            }
        }
        Ok(())
    }

    /// Whether no transaction is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many transactions are in it; stops at `u64::MAX`.
    pub fn count(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum: u64, numbers| sum.saturating_add(numbers.count()))
    }

    /// Whether the transaction `number` of this server and tag (empty: none) is in it.
    pub fn has(&self, server: Uuid, tag: &str, number: u64) -> bool {
        self.0
            .get(&(server, tag.to_ascii_lowercase()))
            .is_some_and(|numbers| numbers.has(number))
    }

    /// Adds the transaction `number` of this server and tag (empty: none).
    ///
    /// A number outside 1 to 2⁶³ − 2, which no server gives, adds nothing.
    pub fn add(&mut self, server: Uuid, tag: &str, number: u64) {
        if (1..=NUMBER_MAX).contains(&number) {
            let numbers = self.0.entry((server, tag.to_ascii_lowercase()));
            numbers.or_default().insert(number, number);
        }
    }

    /// Its bytes in the protocol: in the request for a binary log and at the begin of every log file.
    ///
    /// Sets with tags have a form of their own since MySQL 8.3; one without is written in the form that every version
    /// reads. All numbers are little-endian, and a range ends with the number after its last.
    pub fn encode(&self) -> Vec<u8> {
        let tagged = self.0.keys().any(|(_, tag)| !tag.is_empty());
        let mut bytes = Vec::with_capacity(8 + 64 * self.0.len());
        let entries = self.0.len() as u64;
        // The form is named in the first and the last byte of the number of entries.
        let form = if tagged {
            (1 << 56) | (entries << 8) | 1
        } else {
            entries
        };
        bytes.extend(form.to_le_bytes());
        for ((server, tag), numbers) in &self.0 {
            bytes.extend(server.as_bytes());
            if tagged {
                // A length of at most 32 takes one byte, whose lowest bit 0 says that no further byte follows.
                bytes.push((tag.len() as u8) << 1);
                bytes.extend(tag.as_bytes());
            }
            bytes.extend((numbers.ranges().len() as u64).to_le_bytes());
            for (first, last) in numbers.ranges() {
                bytes.extend(first.to_le_bytes());
                bytes.extend((last + 1).to_le_bytes());
            }
        }
        bytes
    }

    /// Whether every transaction of `other` is in this set, as `GTID_SUBSET(other, self)` tells.
    pub fn contains(&self, other: &MySqlSet) -> bool {
        other.subtract(self).is_empty()
    }

    /// The transactions of either set.
    pub fn union(&self, other: &MySqlSet) -> MySqlSet {
        let mut sum = self.clone();
        for (key, numbers) in &other.0 {
            let entry = sum.0.entry(key.clone()).or_default();
            *entry = entry.union(numbers);
        }
        sum
    }

    /// The transactions of both sets.
    pub fn intersect(&self, other: &MySqlSet) -> MySqlSet {
        self.filter_map(|key, numbers| other.0.get(key).map(|theirs| numbers.intersect(theirs)))
    }

    /// The transactions of this set that are not in `other`, as `GTID_SUBTRACT(self, other)` gives.
    pub fn subtract(&self, other: &MySqlSet) -> MySqlSet {
        self.filter_map(|key, numbers| {
            Some(
                other
                    .0
                    .get(key)
                    .map_or_else(|| numbers.clone(), |theirs| numbers.subtract(theirs)),
            )
        })
    }

    /// The transactions first committed on this server, whatever their tag.
    pub fn only_from(&self, server: Uuid) -> MySqlSet {
        self.filter_map(|(uuid, _), numbers| (*uuid == server).then(|| numbers.clone()))
    }

    /// The UUIDs of the servers its transactions were first committed on, ascending.
    pub fn servers(&self) -> Vec<Uuid> {
        let mut servers: Vec<Uuid> = self.0.keys().map(|(uuid, _)| *uuid).collect();
        servers.dedup();
        servers
    }

    /// Keeps what `f` gives, dropping what became empty: an entry always holds a number, so equal sets are equal maps.
    fn filter_map(&self, f: impl Fn(&(Uuid, String), &Intervals) -> Option<Intervals>) -> MySqlSet {
        let kept = self
            .0
            .iter()
            .filter_map(|(key, numbers)| Some((key.clone(), f(key, numbers)?)));
        MySqlSet(kept.filter(|(_, numbers)| !numbers.is_empty()).collect())
    }
}

impl fmt::Display for MySqlSet {
    /// The server's canonical form on one line: UUIDs ascending, each with its numbers and then its tags.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = None;
        for ((uuid, tag), numbers) in &self.0 {
            match before {
                Some(same) if same == uuid => {}
                Some(_) => write!(f, ",{uuid}")?,
                None => write!(f, "{uuid}")?,
            }
            before = Some(uuid);
            if !tag.is_empty() {
                write!(f, ":{tag}")?;
            }
            write!(f, ":{numbers}")?;
        }
        Ok(())
    }
}

/// With or without dashes, with or without braces; not the URN form the library would take too.
fn parse_uuid(text: &str) -> Option<Uuid> {
    let plain = text.starts_with('{') || text.len() == 36 || text.len() == 32;
    plain.then(|| Uuid::try_parse(text).ok()).flatten()
}

fn parse_range(part: &str) -> Result<(u64, u64), &'static str> {
    let (first, last) = match part.split_once('-') {
        Some((first, last)) => (parse_number(first.trim())?, parse_number(last.trim())?),
        None => (parse_number(part)?, parse_number(part)?),
    };
    if first == 0 {
        return Err("transaction numbers begin at 1");
    }
    Ok((first, last))
}

fn parse_number(text: &str) -> Result<u64, &'static str> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a transaction number is missing or has other characters in it");
    }
    let number = text
        .parse::<u64>()
        .ok()
        .filter(|&number| number <= NUMBER_MAX);
    number.ok_or("a transaction number is too great")
}

fn parse_tag(part: &str) -> Result<String, &'static str> {
    if part.is_empty() {
        return Err("nothing follows a colon");
    }
    let begins = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins || !part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(
            "a tag is made of letters, digits and underscores and does not begin with a digit",
        );
    }
    if part.len() > TAG_CHARS_MAX {
        return Err("a tag is longer than 32 characters");
    }
    Ok(part.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
