//! What `SHOW CREATE TABLE` says, taken apart: a table is filled faster without its secondary indexes, and its foreign keys
//! need tables that are yet to come. No connection here.

use serde::{Deserialize, Serialize};

/// A table's definition in the order in which it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Parts {
    /// `CREATE TABLE` without what follows.
    pub(super) create: String,
    /// Secondary indexes, as they stand in the definition.
    pub(super) indexes: Vec<Part>,
    /// Foreign keys.
    pub(super) foreign: Vec<Part>,
    /// Whether a column gets its numbers by itself.
    pub(super) is_counted: bool,
}

impl Parts {
    /// Whether a table that is so can become one that is like `whole`, by what it lacks.
    pub(super) fn is_begin_of(&self, whole: &Self) -> bool {
        let all_in =
            |parts: &[Part], others: &[Part]| parts.iter().all(|part| others.contains(part));
        without_counter(&self.create) == without_counter(&whole.create)
            && all_in(&self.indexes, &whole.indexes)
            && all_in(&self.foreign, &whole.foreign)
    }
}

/// The next number of a table's counter, where the definition says it.
pub(super) fn counter(create: &str) -> Option<u64> {
    let options = &create[create.rfind("\n)")?..];
    let (_, after) = options.split_once(" AUTO_INCREMENT=")?;
    let end = after.find(|char: char| !char.is_ascii_digit());
    after[..end.unwrap_or(after.len())].parse().ok()
}

/// The place of a table's counter is no part of its definition.
pub(super) fn without_counter(create: &str) -> String {
    let options = create.rfind("\n)").unwrap_or(0);
    let (columns, options) = create.split_at(options);
    match options.split_once(" AUTO_INCREMENT=") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|char: char| char.is_ascii_digit());
            format!("{columns}{before}{after}")
        }
        None => create.to_owned(),
    }
}

/// An index or a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    /// As `ALTER TABLE … ADD` takes it.
    pub(super) definition: String,
}

impl Part {
    /// Whether it lets no two rows have the same.
    pub(super) fn is_unique(&self) -> bool {
        self.definition.starts_with("UNIQUE KEY ")
    }
}

/// What indexes begin with that can be added later.
const INDEXES: [&str; 4] = ["KEY `", "UNIQUE KEY `", "FULLTEXT KEY `", "SPATIAL KEY `"];

/// Takes a definition apart. Each line of it but the first and those from the closing parenthesis on is a column, an index
/// or a constraint: servers write line breaks inside of them as `\n`.
pub(super) fn parts(create: &str) -> Parts {
    let lines: Vec<&str> = create.lines().collect();
    let end = lines
        .iter()
        .rposition(|line| line.starts_with(')'))
        .unwrap_or(0);
    let body = || {
        lines
            .iter()
            .take(end)
            .skip(1)
            .map(|line| line.trim_end_matches(',').trim_start())
    };
    let primary = body().find(|line| line.starts_with("PRIMARY KEY"));
    let counter = body()
        .filter(|line| line.starts_with('`'))
        // A comment may hold any words.
        .map(|line| line.split(" COMMENT '").next().unwrap_or(line))
        .find(|line| line.contains(" AUTO_INCREMENT"))
        .and_then(quoted);
    let is_counted = |line: &str| {
        let first = line
            .split_once('(')
            .and_then(|(_, columns)| quoted(columns));
        counter.is_some() && first == counter
    };
    let counter_is_primary = primary.is_some_and(is_counted);
    let mut parts = Parts {
        is_counted: counter.is_some(),
        ..Parts::default()
    };
    let mut kept = Vec::new();
    for line in body() {
        let part = || Part {
            name: name(line),
            definition: line.to_owned(),
        };
        // Without a primary key rows lie in the order of a unique one; a counter needs an index of its own.
        let needed = primary.is_none() && line.starts_with("UNIQUE KEY")
            || !counter_is_primary && is_counted(line);
        if line.starts_with("CONSTRAINT `") && line.contains("` FOREIGN KEY (") {
            parts.foreign.push(part());
        } else if INDEXES.iter().any(|index| line.starts_with(index)) && !needed {
            parts.indexes.push(part());
        } else {
            kept.push(format!("  {line}"));
        }
    }
    parts.create = [
        lines.first().copied().unwrap_or_default(),
        &kept.join(",\n"),
        &lines[end..].join("\n"),
    ]
    .join("\n");
    parts
}

/// Statements that add what `present`, the definition of the same table on another server, does not have. One for all
/// indexes: the rows are read once. But a server makes one full text index at a time.
pub(super) fn missing_indexes(table: &str, wanted: &[Part], present: &Parts) -> Vec<String> {
    let missing: Vec<&Part> = missing(wanted, &present.indexes).collect();
    let (full_text, others): (Vec<&Part>, Vec<&Part>) = missing
        .into_iter()
        .partition(|part| part.definition.starts_with("FULLTEXT"));
    let together = (!others.is_empty()).then(|| add(table, &others));
    let alone = full_text.into_iter().map(|part| add(table, &[part]));
    together.into_iter().chain(alone).collect()
}

/// The statement that adds the foreign keys that `present` does not have.
pub(super) fn missing_foreign(table: &str, wanted: &[Part], present: &Parts) -> Option<String> {
    let missing: Vec<&Part> = missing(wanted, &present.foreign).collect();
    (!missing.is_empty()).then(|| add(table, &missing))
}

fn missing<'a>(wanted: &'a [Part], present: &[Part]) -> impl Iterator<Item = &'a Part> {
    wanted
        .iter()
        .filter(|part| !present.iter().any(|other| other.name == part.name))
}

fn add(table: &str, parts: &[&Part]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("ADD {}", part.definition))
        .collect();
    format!("ALTER TABLE {table} {}", parts.join(", "))
}

/// The name of an index or a constraint.
fn name(line: &str) -> String {
    line.find('`')
        .and_then(|at| quoted(&line[at..]))
        .unwrap_or_default()
}

/// The name that a text begins with, without its quotes; a quote in it is written twice.
fn quoted(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('`')?.chars().peekable();
    let mut name = String::new();
    while let Some(next) = chars.next() {
        if next != '`' {
            name.push(next);
        } else if chars.next_if_eq(&'`').is_none() {
            return Some(name);
        } else {
            name.push('`');
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "CREATE TABLE `orders` (
  `id` int NOT NULL AUTO_INCREMENT,
  `ke``y, KEY` varchar(20) DEFAULT 'a, KEY `x` (`y`)' COMMENT 'b,\\n  KEY `z` (`z`)',
  `note` text,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u``q` (`ke``y, KEY`),
  KEY `by_both` (`id`,`ke``y, KEY`(5)),
  FULLTEXT KEY `ft` (`note`),
  CONSTRAINT `f` FOREIGN KEY (`id`) REFERENCES `parent` (`id`) ON DELETE CASCADE,
  CONSTRAINT `c` CHECK ((`id` > 0))
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 4 */";

    #[test]
    fn indexes_and_foreign_keys_come_later() {
        let parts = parts(ORDERS);
        assert_eq!(
            parts.create,
            "CREATE TABLE `orders` (
  `id` int NOT NULL AUTO_INCREMENT,
  `ke``y, KEY` varchar(20) DEFAULT 'a, KEY `x` (`y`)' COMMENT 'b,\\n  KEY `z` (`z`)',
  `note` text,
  PRIMARY KEY (`id`),
  CONSTRAINT `c` CHECK ((`id` > 0))
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 4 */"
        );
        let names = |parts: &[Part]| -> Vec<String> {
            parts.iter().map(|part| part.name.clone()).collect()
        };
        assert_eq!(names(&parts.indexes), ["u`q", "by_both", "ft"]);
        assert_eq!(names(&parts.foreign), ["f"]);
        assert_eq!(
            missing_indexes("`t`", &parts.indexes, &Parts::default()),
            [
                "ALTER TABLE `t` ADD UNIQUE KEY `u``q` (`ke``y, KEY`), ADD KEY `by_both` (`id`,`ke``y, KEY`(5))",
                "ALTER TABLE `t` ADD FULLTEXT KEY `ft` (`note`)"
            ]
        );
        assert_eq!(missing_indexes("`t`", &parts.indexes, &parts), [""; 0]);
        assert_eq!(
            missing_foreign("`t`", &parts.foreign, &Parts::default()).as_deref(),
            Some(
                "ALTER TABLE `t` ADD CONSTRAINT `f` FOREIGN KEY (`id`) REFERENCES `parent` (`id`) ON DELETE CASCADE"
            )
        );
    }

    #[test]
    fn a_table_that_was_begun_is_known_again() {
        let whole = parts(ORDERS);
        let begun = parts(
            &whole
                .create
                .replace("AUTO_INCREMENT=7", "AUTO_INCREMENT=1234"),
        );
        assert!(begun.is_begin_of(&whole));
        assert!(whole.is_begin_of(&whole));
        assert!(!whole.is_begin_of(&begun));
        assert_eq!(
            [counter(&begun.create), counter(&whole.create)],
            [Some(1234), Some(7)]
        );
        assert_eq!(counter(&without_counter(&whole.create)), None);
        let other = parts(&ORDERS.replace("`id`,`ke``y, KEY`(5)", "`id`"));
        assert!(!other.is_begin_of(&whole));
        let wider = parts(&ORDERS.replace("varchar(20)", "varchar(30)"));
        assert!(!wider.is_begin_of(&whole));
    }

    #[test]
    fn what_a_table_cannot_be_without_stays() {
        let counted = "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  `n` int NOT NULL AUTO_INCREMENT,\n  PRIMARY KEY (`a`),\n  KEY `n` (`n`),\n  KEY `m` (`a`)\n) ENGINE=InnoDB";
        assert_eq!(parts(counted).indexes.len(), 1);
        let unique = "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  UNIQUE KEY `u` (`a`),\n  KEY `m` (`a`)\n) ENGINE=InnoDB";
        let names: Vec<_> = parts(unique)
            .indexes
            .into_iter()
            .map(|part| part.name)
            .collect();
        assert_eq!(names, ["m"]);
        assert_eq!(parts("").create.trim(), "");
    }
}
