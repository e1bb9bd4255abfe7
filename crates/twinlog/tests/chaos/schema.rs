//! The tables under load: one of each shape for every policy, and some that only one side writes.
//!
//! A column that carries *marks* holds a text that no other write ever writes, so that a write can be followed through
//! tables, logs and history. The other columns come from small ranges: they are there to collide.

use std::fmt::Write as _;

/// The database of all of them.
pub(crate) const DATABASE: &str = "chaos";
/// The account of the clients: an ordinary one, which `read_only` holds back.
pub(crate) const CLIENT: &str = "client";

/// Rows as texts, `None` for NULL.
pub(crate) type Row = Vec<Option<String>>;

/// What a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A primary key, a nullable unique key of texts that differ by case only, a unique key of two columns.
    Items,
    /// What children refer to.
    Parent,
    /// Refers to a parent.
    Child,
    /// Numbers that are added to.
    Counters,
    /// Written by one side only; who wrote a row last is noted in it by a trigger.
    Solo,
    /// A row per transaction, never changed.
    Journal,
}

/// What the pair's `twinlog.toml` says of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Last,
    First,
    Prefer,
    Merge,
    Manual,
}

impl Policy {
    pub(crate) const ALL: [Self; 5] = [
        Self::Last,
        Self::First,
        Self::Prefer,
        Self::Merge,
        Self::Manual,
    ];

    /// What the names of its tables end with.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::First => "first",
            Self::Prefer => "prefer",
            Self::Merge => "merge",
            Self::Manual => "manual",
        }
    }

    fn configured(self) -> &'static str {
        match self {
            Self::Last => "last-write-wins",
            Self::First => "first-write-wins",
            Self::Prefer => "prefer:a",
            Self::Merge => "merge",
            Self::Manual => "manual",
        }
    }
}

/// A table under load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) policy: Policy,
}

impl Table {
    fn new(shape: Shape, name: &str, policy: Policy) -> Self {
        Self {
            name: name.to_owned(),
            shape,
            policy,
        }
    }

    /// Its columns, the primary key first.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self.shape {
            Shape::Items => &["id", "code", "grp", "slot", "v", "w"],
            Shape::Parent => &["id", "v"],
            Shape::Child => &["id", "parent_id", "v"],
            Shape::Counters => &["id", "n", "note"],
            Shape::Solo => &["id", "code", "v", "writer"],
            Shape::Journal => &["mark"],
        }
    }

    /// The positions of the columns that carry marks.
    pub(crate) fn marked(&self) -> &'static [usize] {
        match self.shape {
            Shape::Items => &[4, 5],
            Shape::Parent => &[1],
            Shape::Child | Shape::Counters | Shape::Solo => &[2],
            Shape::Journal => &[0],
        }
    }

    /// The marks of a row.
    pub(crate) fn marks<'a>(&self, row: &'a Row) -> impl Iterator<Item = &'a str> {
        self.marked().iter().filter_map(|&at| row[at].as_deref())
    }

    /// `database.table`, for SQL.
    pub(crate) fn full_name(&self) -> String {
        format!("{DATABASE}.{}", self.name)
    }

    fn columns_sql(&self) -> String {
        let mark = "VARCHAR(64) CHARACTER SET ascii NOT NULL";
        match self.shape {
            Shape::Items => format!(
                "id INT NOT NULL PRIMARY KEY, code VARCHAR(8) NULL, grp INT NOT NULL, slot INT NOT NULL, v {mark}, \
                 w {mark}, UNIQUE KEY code (code), UNIQUE KEY place (grp, slot)"
            ),
            Shape::Parent => format!("id INT NOT NULL PRIMARY KEY, v {mark}"),
            Shape::Child => format!(
                "id INT NOT NULL PRIMARY KEY, parent_id INT NOT NULL, v {mark}, KEY (parent_id), \
                 FOREIGN KEY (parent_id) REFERENCES {DATABASE}.{} (id)",
                self.name.replace("child", "parent")
            ),
            Shape::Counters => {
                format!("id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, note {mark}")
            }
            Shape::Solo => format!(
                "id INT NOT NULL PRIMARY KEY, code VARCHAR(8) NULL UNIQUE, v {mark}, writer VARCHAR(64) NOT NULL"
            ),
            Shape::Journal => format!("mark {mark} PRIMARY KEY"),
        }
    }
}

/// All tables; an index into them names one.
pub(crate) fn tables() -> Vec<Table> {
    let mut tables = Vec::new();
    for policy in Policy::ALL {
        for (shape, name) in [
            (Shape::Items, "items"),
            (Shape::Parent, "parent"),
            (Shape::Child, "child"),
        ] {
            let name = format!("{name}_{}", policy.suffix());
            tables.push(Table::new(shape, &name, policy));
        }
    }
    tables.push(Table::new(Shape::Counters, "counters_merge", Policy::Merge));
    for name in ["solo_a", "solo_b"] {
        tables.push(Table::new(Shape::Solo, name, Policy::Last));
    }
    tables.push(Table::new(Shape::Journal, "journal", Policy::Last));
    tables
}

/// The lines of `twinlog.toml` that give every table its policy.
pub(crate) fn conflicts_toml() -> String {
    let mut text = "[conflicts]\npolicy = \"last-write-wins\"\n".to_owned();
    text.push_str(
        "[[conflicts.tables]]\nmatch = \"chaos.counters_merge\"\npolicy = \"merge\"\ncounters = [\"n\"]\n",
    );
    for policy in Policy::ALL {
        let _ = writeln!(
            text,
            "[[conflicts.tables]]\nmatch = \"{DATABASE}.*_{}\"\npolicy = \"{}\"",
            policy.suffix(),
            policy.configured()
        );
    }
    text
}

/// The statements that make the tables, their counters and the clients' account, on one node, as root.
pub(crate) fn create(counters: u32) -> Vec<String> {
    let mut sql = vec![
        format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4"),
        format!("CREATE USER {CLIENT}@localhost IDENTIFIED BY '{CLIENT}'"),
        format!("GRANT ALL ON {DATABASE}.* TO {CLIENT}@localhost"),
    ];
    for table in tables() {
        let name = table.full_name();
        sql.push(format!(
            "CREATE TABLE {name} ({}) ENGINE=InnoDB",
            table.columns_sql()
        ));
        match table.shape {
            Shape::Solo => {
                for moment in ["INSERT", "UPDATE"] {
                    sql.push(format!(
                        "CREATE TRIGGER {name}_{moment} BEFORE {moment} ON {name} FOR EACH ROW \
                         SET NEW.writer = SUBSTRING_INDEX(USER(), '@', 1)"
                    ));
                }
            }
            Shape::Counters => {
                for id in 1..=counters {
                    sql.push(format!("INSERT INTO {name} VALUES ({id}, 0, '~0.{id}~')"));
                }
            }
            Shape::Items | Shape::Parent | Shape::Child | Shape::Journal => {}
        }
    }
    sql
}

/// Whether a mark was written where only one side writes.
pub(crate) fn is_solo(mark: &str) -> bool {
    mark.starts_with("~s")
}
