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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const U: &str = "3E11FA47-71CA-11E1-9E33-C80AA9429562";
    const V: &str = "0e11fa47-71ca-11e1-9e33-c80aa9429562";

    /// `U` and `V` in a text stand for the two UUIDs.
    fn fill(text: &str) -> String {
        text.replace('U', U).replace('V', V)
    }

    fn set(text: &str) -> MySqlSet {
        fill(text).parse().unwrap()
    }

    /// Each pair is a text and what MySQL 9.7.4 made of it.
    #[test]
    fn canonical_form_is_the_servers() {
        let cases = [
            ("", ""),
            ("U", ""),
            ("U:1-5", "U:1-5"),
            ("U:1-5:tag_a:2-7", "U:1-5:tag_a:2-7"),
            ("U:Tag:1,U:5,V:3", "V:3,U:5:tag:1"),
            ("U : 1 - 5 : 9", "U:1-5:9"),
            ("U:5-3", ""),
            ("U:4-0", ""),
            ("U:1-3:2-5:6", "U:1-6"),
            ("U:a:1:b:2:c:3-4:a:2", "U:a:1-2:b:2:c:3-4"),
            (",U:1,,V:1,", "V:1,U:1"),
            ("{U}:1", "U:1"),
            ("3E11FA4771CA11E19E33C80AA9429562:1", "U:1"),
            ("U:9223372036854775806", "U:9223372036854775806"),
            ("U:_a:1", "U:_a:1"),
            (
                "U:a1234567890123456789012345678901:1",
                "U:a1234567890123456789012345678901:1",
            ),
            ("U:a", ""),
            ("U:a:b:1", "U:b:1"),
            ("U:1:a:1,\nU:2:a:2", "U:1-2:a:1-2"),
            ("U:01", "U:1"),
            ("U: a : 1", "U:a:1"),
            ("U:b:1:2-3,U:a:1", "U:a:1:b:1-3"),
            ("U\n:1\n", "U:1"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                set(text).to_string(),
                fill(expected).to_lowercase(),
                "{text}"
            );
        }
    }

    /// Texts that MySQL 9.7.4 refuses.
    #[test]
    fn refused_as_by_the_server() {
        let cases = [
            "U:0",
            "U:1:",
            "U:",
            "U:9223372036854775807",
            "U:18446744073709551616",
            "U:1a:1",
            "U:a12345678901234567890123456789012:1",
            "U:a-b:1",
            "U:+1",
            "U:1-",
            "U:-1",
            "U:1-2-3",
            "1-5",
            "0-1-5",
            "urn:uuid:U:1",
            "U:1;V:1",
            "U:é:1",
        ];
        for text in cases {
            let error = fill(text).parse::<MySqlSet>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("cannot read the GTID set item"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn questions() {
        let all = set("U:1-5:a:1-2,V:7");
        assert_eq!(all.count(), 8);
        assert_eq!(all.only_from(U.parse().unwrap()), set("U:1-5:a:1-2"));
        assert_eq!(
            all.servers(),
            [V.parse().unwrap(), U.parse::<Uuid>().unwrap()]
        );
        assert!(all.contains(&set("U:2-3,V:7")));
        assert!(!all.contains(&set("U:b:1")) && !all.contains(&set("V:1")));
        assert!(all.has(U.parse().unwrap(), "A", 2) && !all.has(U.parse().unwrap(), "", 6));
        assert_eq!(all.subtract(&set("U:2-4:a:1,V:7")), set("U:1:5:a:2"));
        assert_eq!(all.intersect(&set("U:4-9:b:1,V:1-7")), set("U:4-5,V:7"));
    }

    fn any_set() -> impl Strategy<Value = MySqlSet> {
        let item = (0u8..3, 0u8..3, 1u64..30, 0u64..6);
        proptest::collection::vec(item, 0..10).prop_map(|items| {
            let mut set = MySqlSet::default();
            for (server, tag, first, more) in items {
                let tag = ["", "a", "tag_b"][usize::from(tag)].to_owned();
                let key = (Uuid::from_u128(u128::from(server) << 120), tag);
                set.0.entry(key).or_default().insert(first, first + more);
            }
            set
        })
    }

    proptest! {
        #[test]
        fn round_trip(set in any_set()) {
            prop_assert_eq!(&set.to_string().parse::<MySqlSet>().unwrap(), &set);
            prop_assert_eq!(set.is_empty(), set.to_string().is_empty());
        }

        #[test]
        fn algebra(a in any_set(), b in any_set(), c in any_set()) {
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert_eq!(a.intersect(&b), b.intersect(&a));
            prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
            prop_assert_eq!(a.intersect(&b.union(&c)), a.intersect(&b).union(&a.intersect(&c)));
            prop_assert_eq!(a.subtract(&b.union(&c)), a.subtract(&b).subtract(&c));
            prop_assert_eq!(a.subtract(&b).union(&a.intersect(&b)), a.clone());
            prop_assert!(a.subtract(&b).intersect(&b).is_empty());
            prop_assert!(a.union(&b).contains(&a) && a.contains(&a.intersect(&b)));
            prop_assert_eq!(a.contains(&b) && b.contains(&a), a == b);
            prop_assert_eq!(a.count() + b.count(), a.union(&b).count() + a.intersect(&b).count());
        }

        #[test]
        fn split_by_server(a in any_set()) {
            let parts = a.servers().into_iter().map(|server| a.only_from(server));
            prop_assert_eq!(parts.fold(MySqlSet::default(), |sum, part| sum.union(&part)), a);
        }

        #[test]
        fn no_text_panics(text in ".*", near in "[0-9a-f:{}, -]{0,60}") {
            let _ = text.parse::<MySqlSet>();
            let _ = near.parse::<MySqlSet>();
        }
    }
}
