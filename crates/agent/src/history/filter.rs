//! Which rows of the history are meant.

use super::{Kind, State, datetime};
use twinlog_row::text_literal;

/// How many rows a list has unless it is told otherwise.
pub const LIST_LIMIT_DEFAULT: u32 = 100;

/// Which rows a list has.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `schema.table`, with `*` for anything and `?` for one character.
    pub table: Option<String>,
    /// Found at that time or later: microseconds since 1970.
    pub since_us: Option<u64>,
    /// Found before that time.
    pub until_us: Option<u64>,
    /// In one of these states; empty for all.
    pub states: Vec<State>,
    /// By this policy.
    pub policy: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// At most so many, [`LIST_LIMIT_DEFAULT`] for none said.
    pub limit: Option<u32>,
}

impl Filter {
    pub(super) fn condition(&self) -> String {
        let mut terms = vec!["TRUE".to_owned()];
        if let Some(pattern) = &self.table {
            terms.push(format!(
                "CONCAT(schema_name, '.', table_name) LIKE {} ESCAPE '|'",
                text_literal(&like(pattern))
            ));
        }
        terms.extend(
            self.since_us
                .map(|us| format!("found_at >= {}", datetime(us))),
        );
        terms.extend(
            self.until_us
                .map(|us| format!("found_at < {}", datetime(us))),
        );
        if !self.states.is_empty() {
            let words: Vec<String> = self
                .states
                .iter()
                .map(|state| format!("'{state}'"))
                .collect();
            terms.push(format!("state IN ({})", words.join(", ")));
        }
        terms.extend(
            self.policy
                .as_deref()
                .map(|policy| format!("policy = {}", text_literal(policy))),
        );
        terms.extend(self.kind.map(|kind| format!("kind = '{kind}'")));
        terms.join(" AND ")
    }
}

/// A pattern with `*` and `?` as one of LIKE's, with `|` before what it shall not take for a pattern.
fn like(pattern: &str) -> String {
    let mut out = String::new();
    for c in pattern.chars() {
        match c {
            '*' => out.push('%'),
            '?' => out.push('_'),
            '%' | '_' | '|' => out.extend(['|', c]),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        assert_eq!(like("shop.*"), "shop.%");
        assert_eq!(like("a_b.t?|%"), "a|_b.t_|||%");
    }
}
