//! What two nodes' schemas must have in common: tables, columns, keys, triggers and events.

use std::collections::BTreeMap;

use twinlog_server::facts::schema::{Column, Key, SchemaFacts, Table};

use super::{Hit, Rule, Scene, Severity, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL303",
        severity: Severity::Error,
        title: "a table is on one node only",
        why: "A change to it stops the link of the node that lacks it (error 1146), or is lost where a filter hides it.",
        advice: "Find out which node is right. Make the table on the other with `SET sql_log_bin = 0` first, and copy its rows, or \
                 drop it here in the same way.",
        check: lonely_tables,
    },
    Rule {
        code: "TL304",
        severity: Severity::Error,
        title: "a table's columns differ between the nodes",
        why: "Rows are applied column by column. Another type, order or character set stops the link (error 1677) or stores another \
              value; a default or a NULL that only one node allows makes rows differ or refuses them.",
        advice: "Make the columns equal with ALTER TABLE on the node that is wrong, `SET sql_log_bin = 0` first, so that the other \
                 does not get it.",
        check: columns_differ,
    },
    Rule {
        code: "TL305",
        severity: Severity::Error,
        title: "a table's primary or unique keys differ between the nodes",
        why: "The node with the key refuses, as a duplicate, a row that the other has taken: the link stops. And each node looks for \
              the row to change by another key.",
        advice: "Make the keys equal with ALTER TABLE on the node that is wrong, `SET sql_log_bin = 0` first.",
        check: |scene| keys_differ(scene, true),
    },
    Rule {
        code: "TL306",
        severity: Severity::Info,
        title: "a table's other indexes differ between the nodes",
        why: "The data is the same, but a query that is fast on one node is slow on the other.",
        advice: "Make the index on the other node, too.",
        check: |scene| keys_differ(scene, false),
    },
    Rule {
        code: "TL308",
        severity: Severity::Error,
        title: "an event is enabled on both nodes",
        why: "It runs twice, once on each node, and what it writes on each is replicated to the other: rows are inserted twice, \
              counters count double, or the two runs conflict.",
        advice: "Disable it on one: `ALTER EVENT … DISABLE ON SLAVE` (REPLICA on MySQL 8.0.26 and newer), `SET sql_log_bin = 0` first.",
        check: events_on_both,
    },
    Rule {
        code: "TL310",
        severity: Severity::Warning,
        title: "a trigger differs between the nodes, or is on one only",
        why: "A trigger fires where a client writes, and its effect is replicated. The same write then leaves different rows, \
              depending on the node it was made on.",
        advice: "Make the trigger equal on both nodes, `SET sql_log_bin = 0` first.",
        check: triggers_differ,
    },
];

/// Both nodes' schemas, where both were read.
fn both(scene: &Scene) -> Option<([&Subject; 2], [&SchemaFacts; 2])> {
    let [(a, left), (b, right)] = scene.both_live()?;
    Some(([a, b], [left.schema.as_ref()?, right.schema.as_ref()?]))
}

fn lonely_tables(scene: &Scene) -> Vec<Hit> {
    let Some((subjects, schemas)) = both(scene) else {
        return Vec::new();
    };
    let lonely = |here: usize| {
        let there = schemas[1 - here];
        schemas[here]
            .tables
            .iter()
            .filter(|table| there.table(&table.schema, &table.name).is_none())
            .map(|table| {
                Hit::on(
                    subjects[here],
                    format!("{} lacks it", subjects[1 - here].name),
                )
                .at(table.full_name())
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

fn columns_differ(scene: &Scene) -> Vec<Hit> {
    let Some((subjects, schemas)) = both(scene) else {
        return Vec::new();
    };
    twins(schemas)
        .filter_map(|tables| {
            let seen = first_difference(subjects, tables.map(|table| table.columns.as_slice()))?;
            Some(Hit::both(subjects, seen).at(tables[0].full_name()))
        })
        .collect()
}

/// The first column that is not the same on both.
fn first_difference(subjects: [&Subject; 2], [a, b]: [&[Column]; 2]) -> Option<String> {
    let names = subjects.map(|subject| subject.name.as_str());
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

/// Integers without the display width, which MySQL 8.0.19 and newer leave out.
fn plain_type(kind: &str) -> String {
    let integer = ["tinyint(", "smallint(", "mediumint(", "int(", "bigint("]
        .iter()
        .any(|name| kind.starts_with(name));
    match (integer, kind.split_once('(')) {
        (true, Some((name, rest))) => format!(
            "{name}{}",
            rest.split_once(')').map_or("", |(_, tail)| tail)
        ),
        _ => kind.to_owned(),
    }
}

fn keys_differ(scene: &Scene, unique: bool) -> Vec<Hit> {
    let Some((subjects, schemas)) = both(scene) else {
        return Vec::new();
    };
    twins(schemas)
        .filter_map(|tables| {
            let [a, b] = tables.map(|table| {
                let keys = table.keys.iter().filter(|key| key.unique == unique);
                keys.map(|key| (key.name.as_str(), key))
                    .collect::<BTreeMap<&str, &Key>>()
            });
            let names = a.keys().chain(b.keys());
            let name = names.copied().find(|name| {
                a.get(name).map(|key| &key.columns) != b.get(name).map(|key| &key.columns)
            })?;
            let said = |key: Option<&&Key>| {
                key.map_or("missing".to_owned(), |key| {
                    format!("({})", key.columns.join(", "))
                })
            };
            let seen = format!(
                "key {name} is {} on {} and {} on {}",
                said(a.get(name)),
                subjects[0].name,
                said(b.get(name)),
                subjects[1].name
            );
            Some(Hit::both(subjects, seen).at(tables[0].full_name()))
        })
        .collect()
}

fn events_on_both(scene: &Scene) -> Vec<Hit> {
    let Some((subjects, [a, b])) = both(scene) else {
        return Vec::new();
    };
    a.events
        .iter()
        .filter(|event| event.status == "ENABLED" && b.events.contains(event))
        .map(|event| {
            Hit::both(subjects, "ENABLED on both").at(format!("{}.{}", event.schema, event.name))
        })
        .collect()
}

fn triggers_differ(scene: &Scene) -> Vec<Hit> {
    let Some((subjects, schemas)) = both(scene) else {
        return Vec::new();
    };
    let [a, b] = schemas.map(|schema| {
        let triggers = schema.triggers.iter();
        triggers
            .map(|trigger| (format!("{}.{}", trigger.schema, trigger.name), trigger))
            .collect::<BTreeMap<_, _>>()
    });
    let mut hits = Vec::new();
    for (name, trigger) in &a {
        match b.get(name) {
            None => hits.push(
                Hit::on(subjects[0], format!("{} lacks it", subjects[1].name)).at(name.clone()),
            ),
            Some(other) if other != trigger => {
                hits.push(Hit::both(subjects, "not the same on both").at(name.clone()));
            }
            Some(_) => {}
        }
    }
    for name in b.keys().filter(|name| !a.contains_key(*name)) {
        hits.push(Hit::on(subjects[1], format!("{} lacks it", subjects[0].name)).at(name.clone()));
    }
    hits
}
