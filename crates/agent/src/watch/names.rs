//! The tables that cannot be followed: named until a comparison that began after the last naming has shown them equal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use twinlog_pair::watch_state::{ALL_TABLES, ToVerify};

/// How the tracker names what it has no name for.
const ALL_IN: &str = "all in ";
const ALL_OF_THEM: &str = "all tables";

/// Who was named, and why.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: BTreeMap<(String, String), Naming>,
    /// How often something was named.
    count: u64,
}

#[derive(Debug)]
struct Naming {
    /// Its place among all namings; of several the last.
    number: u64,
    times: Times,
}

/// When something was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Names {
    /// Names a table; `false` if it was named for the same reason before.
    pub(super) fn name(&mut self, table: String, reason: String, now: Timestamp) -> bool {
        self.count += 1;
        let mut is_new = false;
        let naming = self.all.entry((table, reason)).or_insert_with(|| {
            is_new = true;
            Naming {
                number: 0,
                times: Times {
                    first: now,
                    last: now,
                },
            }
        });
        (naming.number, naming.times.last) = (self.count, now);
        is_new
    }

    /// How often something was named until now.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Forgets those namings up to that one of which `is_equal` says, by a pattern, that all of it was compared since and
    /// is equal; the tables that are not named any more.
    pub(super) fn clear(&mut self, upto: u64, is_equal: impl Fn(&str) -> bool) -> Vec<String> {
        let mut cleared = Vec::new();
        self.all.retain(|(table, _), naming| {
            let clears = naming.number <= upto && is_equal(&pattern(table));
            if clears && !cleared.contains(table) {
                cleared.push(table.clone());
            }
            !clears
        });
        cleared.retain(|table| self.all.keys().all(|(named, _)| named != table));
        cleared
    }

    /// A table has another name.
    pub(super) fn rename(&mut self, [old, new]: [&str; 2]) {
        let all = std::mem::take(&mut self.all).into_iter();
        self.all = all
            .map(|((table, reason), naming)| {
                let table = if table == old { new.to_owned() } else { table };
                ((table, reason), naming)
            })
            .collect();
    }

    /// What is to be compared, as patterns.
    pub(super) fn patterns(&self) -> BTreeMap<String, Times> {
        let mut patterns = BTreeMap::new();
        for ((table, _), naming) in &self.all {
            let times: &mut Times = patterns.entry(pattern(table)).or_insert(naming.times);
            times.first = times.first.min(naming.times.first);
            times.last = times.last.max(naming.times.last);
        }
        patterns
    }

    /// As others are told.
    pub(super) fn to_state(&self) -> Vec<ToVerify> {
        let names = self.all.keys().map(|(table, reason)| ToVerify {
            table: table.clone(),
            reason: reason.clone(),
        });
        names.collect()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// `database.table`, with `*` for anything.
fn pattern(table: &str) -> String {
    match table.strip_prefix(ALL_IN) {
        _ if table == ALL_OF_THEM => ALL_TABLES.to_owned(),
        Some(database) if !database.contains('.') => format!("{database}.*"),
        _ => table.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use twinlog_converge::TableName;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn name(names: &mut Names, table: &str, second: i64) -> bool {
        names.name(table.to_owned(), "it is so".to_owned(), at(second))
    }

    #[test]
    fn a_later_naming_is_never_cleared() {
        let mut names = Names::default();
        assert!(name(&mut names, "shop.t", 1));
        let begun = names.count();
        assert!(!name(&mut names, "shop.t", 5));
        assert!(names.clear(begun, |_| true).is_empty());
        assert_eq!(names.len(), 1);
        let begun = names.count();
        assert!(name(&mut names, "shop.u", 6));
        assert_eq!(names.clear(begun, |_| true), ["shop.t"]);
        assert_eq!(names.to_state()[0].table, "shop.u");
        assert!(names.clear(9, |pattern| pattern != "shop.u").is_empty());
    }

    #[test]
    fn another_reason_keeps_a_table_named() {
        let mut names = Names::default();
        name(&mut names, "shop.t", 1);
        let begun = names.count();
        names.name("shop.t".to_owned(), "it is also so".to_owned(), at(7));
        assert!(names.clear(begun, |_| true).is_empty());
        assert_eq!(names.to_state().len(), 1);
        let times = Times {
            first: at(7),
            last: at(7),
        };
        assert_eq!(names.patterns()["shop.t"], times);
    }

    #[test]
    fn a_name_goes_with_its_table() {
        let mut names = Names::default();
        name(&mut names, "shop.t", 1);
        name(&mut names, "shop.u", 2);
        names.rename(["shop.t", "shop.v"]);
        let named: Vec<String> = names.patterns().into_keys().collect();
        assert_eq!(named, ["shop.u", "shop.v"]);
        assert_eq!(names.clear(1, |_| true), ["shop.v"]);
    }

    #[test]
    fn whatever_is_named_has_a_pattern() {
        let said = |database: &str, name: &str| {
            let name = TableName {
                database: database.into(),
                name: name.into(),
            };
            pattern(&name.to_string())
        };
        assert_eq!(said("", ""), "*.*");
        assert_eq!(said("shop", ""), "shop.*");
        assert_eq!(said("shop", "t"), "shop.t");
        assert_eq!(pattern(ALL_TABLES), "*.*");
    }
}
