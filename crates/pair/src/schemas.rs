//! What two nodes' schemas do not have in common: tables, columns, keys and triggers.

use std::collections::BTreeMap;

use twinlog_server::facts::schema::{Column, Key, SchemaFacts, Table};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table is on one node only.
    Table,
    /// The columns of a table.
    Columns,
    /// The primary key of a table, or its unique keys.
    UniqueKeys,
    /// Other indexes of a table.
    Indexes,
    /// A trigger.
    Trigger,
}

impl Kind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [
        Self::Table,
        Self::Columns,
        Self::UniqueKeys,
        Self::Indexes,
        Self::Trigger,
    ];
}

/// Something that is not the same on both nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `schema.table`, or `schema.trigger`.
    pub at: String,
    /// `schema.table`.
    pub table: String,
    /// The node that alone has it: 0 or 1; `None` where both have it.
    pub only_on: Option<usize>,
    /// What was seen, in words.
    pub seen: String,
}

/// All differences of a kind. `names` are the nodes'.
pub fn differences(names: [&str; 2], schemas: [&SchemaFacts; 2], kind: Kind) -> Vec<Difference> {
    match kind {
        Kind::Table => lonely_tables(names, schemas),
        Kind::Trigger => triggers(names, schemas),
        Kind::Columns | Kind::UniqueKeys | Kind::Indexes => twins(schemas)
            .filter_map(|tables| {
                let seen = match kind {
                    Kind::Columns => columns(names, tables),
                    kind => keys(names, tables, kind == Kind::UniqueKeys),
                };
                Some(Difference {
                    at: tables[0].full_name(),
                    table: tables[0].full_name(),
                    only_on: None,
                    seen: seen?,
                })
            })
            .collect(),
    }
}

/// Why the rows of a table cannot be held against each other; `None` where they can: its columns have the same names and
/// types, and its rows are named by the same keys.
pub fn incomparable(names: [&str; 2], tables: [&Table; 2]) -> Option<String> {
    let shape = |table: &Table| {
        let columns = table.columns.iter();
        columns
            .map(|column| (column.name.clone(), plain_type(&column.kind)))
            .collect::<Vec<_>>()
    };
    if shape(tables[0]) != shape(tables[1]) {
        return columns(names, tables);
    }
    keys(names, tables, true)
}

/// The first column of a table that is not the same on both nodes.
pub fn columns(names: [&str; 2], [a, b]: [&Table; 2]) -> Option<String> {
    let (a, b) = (&a.columns, &b.columns);
    for at in 0..a.len().max(b.len()) {
        match (a.get(at), b.get(at)) {
            (Some(left), Some(right)) if left.name != right.name => {
                return Some(format!(
                    "column {} is {} on {} and {} on {}",
                    at + 1,
                    left.name,
                    names[0],
                    right.name,
                    names[1]
                ));
            }
            (Some(left), Some(right)) => {
                let (said, other) = (describe(left), describe(right));
                if said != other {
                    return Some(format!(
                        "{} is {said} on {} and {other} on {}",
                        left.name, names[0], names[1]
                    ));
                }
            }
            (Some(only), None) => return Some(format!("{} lacks column {}", names[1], only.name)),
            (None, Some(only)) => return Some(format!("{} lacks column {}", names[0], only.name)),
            (None, None) => {}
        }
    }
    None
}

/// The first key of a table, unique or not, that is not the same on both nodes.
pub fn keys(names: [&str; 2], tables: [&Table; 2], unique: bool) -> Option<String> {
    let [a, b] = tables.map(|table| {
        let keys = table.keys.iter().filter(|key| key.unique == unique);
        keys.map(|key| (key.name.as_str(), key))
            .collect::<BTreeMap<&str, &Key>>()
    });
    let mut all = a.keys().chain(b.keys()).copied();
    let name = all
        .find(|name| a.get(name).map(|key| &key.columns) != b.get(name).map(|key| &key.columns))?;
    let said = |key: Option<&&Key>| {
        key.map_or("missing".to_owned(), |key| {
            format!("({})", key.columns.join(", "))
        })
    };
    Some(format!(
        "key {name} is {} on {} and {} on {}",
        said(a.get(name)),
        names[0],
        said(b.get(name)),
        names[1]
    ))
}

fn lonely_tables(names: [&str; 2], schemas: [&SchemaFacts; 2]) -> Vec<Difference> {
    let lonely = |here: usize| {
        let there = schemas[1 - here];
        let tables = schemas[here].tables.iter();
        tables
            .filter(|table| there.table(&table.schema, &table.name).is_none())
            .map(|table| Difference {
                at: table.full_name(),
                table: table.full_name(),
                only_on: Some(here),
                seen: format!("{} lacks it", names[1 - here]),
            })
            .collect::<Vec<_>>()
    };
    [lonely(0), lonely(1)].concat()
}

/// Tables of the same name on both nodes.
fn twins([a, b]: [&SchemaFacts; 2]) -> impl Iterator<Item = [&Table; 2]> {
    a.tables
        .iter()
        .filter_map(|table| Some([table, b.table(&table.schema, &table.name)?]))
}

/// A column's definition, the same text for the same meaning in every version.
fn describe(column: &Column) -> String {
    let mut text = plain_type(&column.kind);
    if let Some(collation) = &column.collation {
        text += " ";
        text += &collation.replace("utf8_", "utf8mb3_");
    }
    text += if column.nullable {
        " NULL"
    } else {
        " NOT NULL"
    };
    // MariaDB writes a default of NULL out.
    if let Some(default) = column
        .default
        .as_deref()
        .filter(|default| *default != "NULL")
    {
        text += &format!(" DEFAULT {default}");
    }
    let extra = column.extra.replace("DEFAULT_GENERATED", "");
    if !extra.trim().is_empty() {
        text += " ";
        text += extra.trim();
    }
    text
}

/// A type's name without what only some versions write: the display width of integers and years, which MySQL 8.0.19 and
/// newer leave out; the shorter name of a collection of geometries.
fn plain_type(kind: &str) -> String {
    let integer = [
        "tinyint(",
        "smallint(",
        "mediumint(",
        "int(",
        "bigint(",
        "year(",
    ]
    .iter()
    .any(|name| kind.starts_with(name));
    match (integer, kind.split_once('(')) {
        (true, Some((name, rest))) => format!(
            "{name}{}",
            rest.split_once(')').map_or("", |(_, tail)| tail)
        ),
        _ => kind.replace("geomcollection", "geometrycollection"),
    }
}

fn triggers(names: [&str; 2], schemas: [&SchemaFacts; 2]) -> Vec<Difference> {
    let [a, b] = schemas.map(|schema| {
        let triggers = schema.triggers.iter();
        triggers
            .map(|trigger| (format!("{}.{}", trigger.schema, trigger.name), trigger))
            .collect::<BTreeMap<_, _>>()
    });
    let all = a
        .iter()
        .chain(b.iter().filter(|(name, _)| !a.contains_key(*name)));
    all.filter_map(|(name, trigger)| {
        let (only_on, seen) = match (a.get(name), b.get(name)) {
            (Some(left), Some(right)) if left == right => return None,
            (Some(_), Some(_)) => (None, "not the same on both".to_owned()),
            (Some(_), None) => (Some(0), format!("{} lacks it", names[1])),
            (None, _) => (Some(1), format!("{} lacks it", names[0])),
        };
        Some(Difference {
            at: name.clone(),
            table: format!("{}.{}", trigger.schema, trigger.table),
            only_on,
            seen,
        })
    })
    .collect()
}
