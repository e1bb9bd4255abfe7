//! What keeps `twinlog run` from seeing and repairing conflicts as `twinlog.toml` wants it.

use twinlog_server::facts::schema::{Column, Table};

use super::{Hit, Rule, Scene, Severity, tables::each};
use crate::config::{Config, Mode, TablePolicy};

/// Types whose changes can be added up.
const NUMERIC: [&str; 8] = [
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "bigint",
    "decimal",
    "float",
    "double",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL059",
        severity: Severity::Warning,
        title: "conflicts are not repaired without GTIDs",
        why: "A conflict policy is set, but with mode = \"position\" the two logs cannot be compared: `twinlog run` tells one \
              transaction from another by its GTID. The applier stops at the first row that both nodes wrote.",
        advice: "Set `mode = \"gtid\"` in [replication], or `policy = \"manual\"` in [conflicts] to say that you know.",
        check: without_gtids,
    },
    Rule {
        code: "TL060",
        severity: Severity::Warning,
        title: "a table from the peer replaces one of the same name",
        why: "With slave_ddl_exec_mode = IDEMPOTENT, its default, MariaDB runs the peer's CREATE TABLE as CREATE OR REPLACE. When \
              both nodes make a table of one name, each loses its own and the rows in it, without an error.",
        advice: "Run `twinlog up`, which sets `slave_ddl_exec_mode = STRICT`. It acts at once.",
        check: replaces_tables,
    },
    Rule {
        code: "TL313",
        severity: Severity::Warning,
        title: "an entry of [[conflicts.tables]] decides for no table",
        why: "Conflicts in the tables it was written for are decided by another entry, or by the pair's policy.",
        advice: "Correct `match` (`database.table`, `*` for any characters), or take the entry out. The first entry that matches a table \
                 decides for it.",
        check: idle_entries,
    },
    Rule {
        code: "TL314",
        severity: Severity::Error,
        title: "a counter is no numeric column of its table",
        why: "Policy `merge` adds up what both nodes did to a counter. Where there is no such number, the later write wins, and what the \
              other node had added is lost.",
        advice: "Correct `counters` of that entry in [[conflicts.tables]], or give it the tables that have the column.",
        check: bad_counters,
    },
    Rule {
        code: "TL315",
        severity: Severity::Error,
        title: "a foreign key leads out of the replicated databases",
        why: "The parent's rows are on one node and not on the other: the child's row is refused there, which stops the link (error \
              1452) or, where the applier goes on, leaves the nodes different. No repair can put it right.",
        advice: "Add the parent's database to `databases` of twinlog.toml, or drop the foreign key.",
        check: parents_elsewhere,
    },
];

fn without_gtids(scene: &Scene) -> Vec<Hit> {
    let by_position = |config: &&Config| {
        config.conflicts.is_active() && config.replication.mode == Mode::Position
    };
    let (Some(config), Some(subjects)) = (scene.config.as_ref().filter(by_position), scene.both())
    else {
        return Vec::new();
    };
    let seen = format!(
        "policy = \"{}\" with mode = \"position\"",
        config.conflicts.policy
    );
    vec![Hit::both(subjects, seen).at("[conflicts] policy")]
}

fn replaces_tables(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter_map(|(_, subject, live)| {
            let mode = live.facts.variable("slave_ddl_exec_mode")?;
            mode.eq_ignore_ascii_case("IDEMPOTENT").then(|| {
                Hit::on(subject, format!("slave_ddl_exec_mode = {mode}")).at("slave_ddl_exec_mode")
            })
        })
        .collect()
}

/// The entry that decides for a table.
fn entry_of<'a>(config: &'a Config, table: &Table) -> Option<&'a TablePolicy> {
    let mut entries = config.conflicts.tables.iter();
    entries.find(|entry| entry.matches(&table.schema, &table.name))
}

fn idle_entries(scene: &Scene) -> Vec<Hit> {
    let (Some(config), Some(subjects)) = (&scene.config, scene.both()) else {
        return Vec::new();
    };
    // What one node does not show may be there.
    let schemas: Option<Vec<_>> = scene
        .live()
        .map(|(_, _, live)| live.schema.as_ref())
        .collect();
    let tables: Vec<&Table> = schemas
        .iter()
        .flatten()
        .flat_map(|schema| &schema.tables)
        .collect();
    if tables.is_empty() {
        return Vec::new();
    }
    config
        .conflicts
        .tables
        .iter()
        .filter_map(|entry| {
            let decides = |table: &&Table| {
                entry_of(config, table).is_some_and(|first| std::ptr::eq(first, entry))
            };
            if tables.iter().any(decides) {
                return None;
            }
            let matches = |table: &&Table| entry.matches(&table.schema, &table.name);
            let seen = if tables.iter().any(matches) {
                "entries above it take every table that it matches"
            } else {
                "no table matches it"
            };
            Some(Hit::both(subjects, seen).at(format!("match = \"{}\"", entry.pattern)))
        })
        .collect()
}

fn bad_counters(scene: &Scene) -> Vec<Hit> {
    let Some(config) = &scene.config else {
        return Vec::new();
    };
    each(scene, |schema| {
        let pairs = schema.tables.iter().flat_map(|table| {
            let counters = entry_of(config, table).map_or(&[][..], |entry| &entry.counters);
            counters.iter().map(move |counter| (table, counter))
        });
        pairs
            .filter_map(|(table, counter)| Some((table.full_name(), not_a_number(table, counter)?)))
            .collect()
    })
}

/// What is wrong with a counter.
fn not_a_number(table: &Table, counter: &str) -> Option<String> {
    let found = |column: &&Column| column.name.eq_ignore_ascii_case(counter);
    let Some(column) = table.columns.iter().find(found) else {
        return Some(format!("it has no column {counter}"));
    };
    let kind = column.kind.split(['(', ' ']).next().unwrap_or_default();
    (!NUMERIC.contains(&kind)).then(|| format!("its column {counter} is a {}", column.kind))
}

fn parents_elsewhere(scene: &Scene) -> Vec<Hit> {
    let Some(databases) = scene.databases() else {
        return Vec::new();
    };
    each(scene, |schema| {
        let keys = schema
            .tables
            .iter()
            .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
        keys.filter(|(_, key)| {
            !databases
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&key.parent_schema))
        })
        .map(|(table, key)| {
            (
                table.full_name(),
                format!("{} to {}.{}", key.name, key.parent_schema, key.parent),
            )
        })
        .collect()
    })
}
