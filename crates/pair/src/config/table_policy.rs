//! Which policy a table has.

use super::model::{Conflicts, Policy, TablePolicy};

impl Conflicts {
    /// What decides for a table: the first entry that matches, else the pair's policy, which has no counters.
    #[must_use]
    pub fn policy_of(&self, database: &str, table: &str) -> (&Policy, &[String]) {
        let entry = self
            .tables
            .iter()
            .find(|entry| entry.matches(database, table));
        entry.map_or((&self.policy, &[]), |entry| {
            (&entry.policy, &entry.counters)
        })
    }

    /// Whether twinlog is to repair what conflicts leave behind, in any table: a policy other than [`Policy::Manual`] is
    /// set.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let mut policies = self.tables.iter().map(|table| &table.policy);
        self.policy != Policy::Manual || policies.any(|policy| *policy != Policy::Manual)
    }
}

impl TablePolicy {
    /// Whether the entry is for this table.
    #[must_use]
    pub fn matches(&self, database: &str, table: &str) -> bool {
        is_like(&self.pattern, database, table)
    }
}

/// Whether a table is like a pattern `database.table`, in which `*` stands for any characters, also none.
#[must_use]
pub fn is_like(pattern: &str, database: &str, table: &str) -> bool {
    let parts = pattern.split_once('.');
    parts.is_some_and(|(left, right)| matches(left, database) && matches(right, table))
}

/// Whether a text is of a pattern in which `*` stands for any characters, also none.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    // Each piece is taken at its first place: what is left for the others is then the most there can be.
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("*", "", true),
            ("*", "anything", true),
            ("sh*", "shop", true),
            ("sh*", "push", false),
            ("*op", "shop", true),
            ("*op", "shops", false),
            ("s*o*p", "shoop", true),
            ("s*o*p", "sp", false),
            ("a*a", "a", false),
            ("log_*_*", "log_2026_11", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_entry_that_matches_decides() {
        let entry = |pattern: &str, policy, counters: &[&str]| TablePolicy {
            pattern: pattern.to_owned(),
            policy,
            counters: counters.iter().map(|&name| name.to_owned()).collect(),
        };
        let conflicts = Conflicts {
            policy: Policy::Manual,
            tables: vec![
                entry("shop.stock", Policy::Merge, &["quantity"]),
                entry("shop.*", Policy::FirstWriteWins, &[]),
            ],
        };
        let counters = ["quantity".to_owned()];
        assert_eq!(
            conflicts.policy_of("shop", "stock"),
            (&Policy::Merge, counters.as_slice())
        );
        assert_eq!(
            conflicts.policy_of("shop", "orders").0,
            &Policy::FirstWriteWins
        );
        assert_eq!(conflicts.policy_of("blog", "posts").0, &Policy::Manual);
        assert!(conflicts.is_active());
    }
}
