//! Patterns that tables are named by.

/// `database.table`, in which `*` stands for any characters, also none. What stands between backticks means itself, a dot and
/// a star, too; a backtick there is written twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    database: Vec<String>,
    table: Vec<String>,
    /// Whether a dot that is not between backticks is in the table's part.
    pub(super) is_doubtful: bool,
}

impl Pattern {
    /// `None` where a part is missing, or a backtick.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mut database, mut pieces) = (None, vec![String::new()]);
        let (mut is_quoted, mut is_doubtful) = (false, false);
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '`' if is_quoted && chars.next_if_eq(&'`').is_some() => push(&mut pieces, '`'),
                '`' => is_quoted = !is_quoted,
                '*' if !is_quoted => pieces.push(String::new()),
                '.' if !is_quoted && database.is_none() => {
                    database = Some(std::mem::replace(&mut pieces, vec![String::new()]));
                }
                other => {
                    is_doubtful |= other == '.' && !is_quoted;
                    push(&mut pieces, other);
                }
            }
        }
        let is_part = |pieces: &[String]| pieces != [""];
        let database = database.filter(|database| is_part(database))?;
        (!is_quoted && is_part(&pieces)).then_some(Self {
            database,
            table: pieces,
            is_doubtful,
        })
    }

    /// Both parts, each with what it has between its stars.
    pub(super) fn parts(&self) -> [&[String]; 2] {
        [&self.database, &self.table]
    }

    pub(super) fn matches(&self, database: &str, table: &str) -> bool {
        matches(&self.database, database) && matches(&self.table, table)
    }
}

/// Whether a text is of the form `database.table`, as [`is_like`] takes it.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    Pattern::parse(text).is_some()
}

/// Whether a table is like a pattern `database.table`, in which `*` stands for any characters, also none, and backticks are
/// around what means itself.
#[must_use]
pub fn is_like(pattern: &str, database: &str, table: &str) -> bool {
    Pattern::parse(pattern).is_some_and(|pattern| pattern.matches(database, table))
}

fn push(pieces: &mut [String], char: char) {
    if let Some(piece) = pieces.last_mut() {
        piece.push(char);
    }
}

/// Whether a text has these pieces, with any characters between them, also none.
fn matches(pieces: &[String], text: &str) -> bool {
    let [head, rest @ ..] = pieces else {
        return false;
    };
    let [between @ .., tail] = rest else {
        return head == text;
    };
    let Some(mut text) = text.strip_prefix(head.as_str()) else {
        return false;
    };
    // Each piece is taken at its first place: what is left for the others is then the most there can be.
    for piece in between {
        match text.split_once(piece.as_str()) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(tail.as_str())
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
            let pattern = format!("d.{pattern}");
            assert_eq!(is_like(&pattern, "d", text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_between_backticks_means_itself() {
        for (pattern, database, table, expected) in [
            ("`we.ird`.`t.1`", "we.ird", "t.1", true),
            ("`we.ird`.`t.1`", "we", "ird.t.1", false),
            ("we.ird.t", "we", "ird.t", true),
            ("`we.ird`.t", "we.ird", "t", true),
            ("`we.ird`.*", "we.ird", "any.thing", true),
            ("`a``b`.`c``d`", "a`b", "c`d", true),
            ("`*`.`*`", "*", "*", true),
            ("`*`.`*`", "a", "b", false),
            ("shop.`log.`*", "shop", "log.2026", true),
            ("shop.`log.`*", "shop", "log2026", false),
            ("`shop`.t\"x", "shop", "t\"x", true),
        ] {
            assert_eq!(
                is_like(pattern, database, table),
                expected,
                "{pattern} {database} {table}"
            );
        }
        for text in [
            "shop",
            "shop.",
            ".t",
            "`shop.t`",
            "`shop`.``",
            "shop.`t",
            "",
        ] {
            assert!(!is_pattern(text), "{text}");
        }
    }
}
