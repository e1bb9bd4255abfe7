//! Which policy a table has.

use super::{
    model::{Conflicts, Policy, TablePolicy},
    pattern::is_like,
};

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

#[cfg(test)]
mod tests {
    use super::*;

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
