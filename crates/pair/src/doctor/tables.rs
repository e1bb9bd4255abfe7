//! Tables by themselves.

use twinlog_server::facts::schema::{SchemaFacts, Table};

use super::{Hit, Rule, Scene, Severity, settings::on};

/// From here on an AUTO_INCREMENT column is called nearly full, in percent.
const FULL_PERCENT: u128 = 80;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL301",
        severity: Severity::Error,
        title: "a table has no primary key, nor another that names its rows",
        why: "A row that has no name cannot be told from its equals: each change is looked for by reading the whole table, of two \
              equal rows the nodes may change different ones, and a conflict in it is seen and never repaired. A unique key does \
              as well if none of its columns may be NULL.",
        advice: "Give it one: `ALTER TABLE … ADD PRIMARY KEY (…)`, or a new column `id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY`.",
        check: |scene| {
            tables(scene, |table| {
                let unnamed =
                    table.primary_key().is_none() && !table.keys.iter().any(|key| key.unique);
                unnamed.then(|| "no primary or unique key".to_owned())
            })
        },
    },
    Rule {
        code: "TL302",
        severity: Severity::Error,
        title: "a table is not InnoDB",
        why: "Other engines have no transactions: what is rolled back here is still applied there, a crash leaves half of a change \
              behind, and a MEMORY table is empty after a restart of one node.",
        advice: "`ALTER TABLE … ENGINE = InnoDB`.",
        check: |scene| {
            tables(scene, |table| {
                let innodb = table.engine.eq_ignore_ascii_case("InnoDB");
                (!innodb).then(|| {
                    if table.engine.is_empty() {
                        "it cannot be opened".into()
                    } else {
                        format!("ENGINE = {}", table.engine)
                    }
                })
            })
        },
    },
    Rule {
        code: "TL307",
        severity: Severity::Warning,
        title: "a foreign key changes child rows that the log does not show",
        why: "CASCADE and SET NULL are carried out inside InnoDB, which MySQL before 9.6 and MariaDB do not log: each node does it for \
              itself. Where the nodes' children differ for a moment, they come to differ for good, and no log tells.",
        advice: "Change or delete the children by statements (ON DELETE RESTRICT), or know that only a comparison of the data finds a \
                 difference here. MySQL 9.6 and newer log it (innodb_native_foreign_keys = OFF).",
        check: cascades,
    },
    Rule {
        code: "TL309",
        severity: Severity::Info,
        title: "a table has triggers",
        why: "They fire where a client writes, and their effect is replicated. A repair is such a write, too: an AFTER trigger runs \
              once more at each repair, and a BEFORE trigger that changes the row keeps the repair from storing what was chosen, \
              so that conflicts there stay open for a person. A warning where the table's conflict policy repairs. MariaDB can \
              also fire them on the replica (slave_run_triggers_for_rbr): then the effect is there twice.",
        advice: "Keep them the same on both nodes, and `slave_run_triggers_for_rbr = NO`. Where what they do must not be done \
                 twice, or they change the row, give the table policy \"manual\" or move it into the application.",
        check: triggers,
    },
    Rule {
        code: "TL311",
        severity: Severity::Warning,
        title: "an AUTO_INCREMENT column is nearly full",
        why: "At the end of the type inserts fail (error 1062 or 167), on both nodes at about the same time. With increment 2 the numbers go \
              twice as fast.",
        advice: "Make the column a BIGINT UNSIGNED while the table is small enough to be changed.",
        check: |scene| tables(scene, nearly_full),
    },
    Rule {
        code: "TL312",
        severity: Severity::Error,
        title: "a table has only a unique key that may be NULL",
        why: "NULLs do not count as equal: many rows may have NULL in such a key, so that it names no row, and the table is as \
              bad as one without a primary key.",
        advice: "Make its columns NOT NULL, or add a primary key.",
        check: |scene| {
            tables(scene, |table| {
                nullable_substitute(table)
                    .map(|name| format!("no primary key, and unique key {name} may be NULL"))
            })
        },
    },
    Rule {
        code: "TL316",
        severity: Severity::Warning,
        title: "a column has MariaDB's old format of times",
        why: "Made before MariaDB 10.1.2, or with mysql56_temporal_format = OFF. The log does not say how many digits of a second \
              such a column has, so that nobody but the server itself can read its rows there: `twinlog run` sees that \
              they changed, and not to what.",
        advice: "ALTER TABLE … FORCE with mysql56_temporal_format = ON, on one node; it rebuilds the table.",
        check: |scene| {
            tables(scene, |table| {
                let old = table
                    .columns
                    .iter()
                    .find(|c| c.kind.contains("mariadb-5.3"))?;
                Some(format!("{} {}", old.name, old.kind))
            })
        },
    },
    Rule {
        code: "TL317",
        severity: Severity::Warning,
        title: "a table is system-versioned",
        why: "Each node writes the rows' past with its own times. `twinlog run` sees conflicts in such a table and does not repair \
              them: a repair would itself become a part of that past.",
        advice: "Decide its conflicts yourself, or drop the versioning: the history of conflicts keeps every version they overwrote.",
        check: |scene| {
            tables(scene, |table| {
                table.is_versioned.then(|| "WITH SYSTEM VERSIONING".into())
            })
        },
    },
    Rule {
        code: "TL318",
        severity: Severity::Info,
        title: "a sequence may give both nodes the same numbers",
        why: "A sequence with a fixed increment counts on each node by itself: both hand out 1, 2, 3. With INCREMENT BY 0 it goes by \
              auto_increment_increment and auto_increment_offset, which keep the nodes apart.",
        advice: "ALTER SEQUENCE … INCREMENT BY 0, and look with SHOW CREATE SEQUENCE: twinlog may not read which of them have it.",
        check: |scene| {
            each(scene, |schema| {
                let names = schema.sequences.iter();
                names
                    .map(|name| (name.clone(), "a sequence".into()))
                    .collect()
            })
        },
    },
];

/// The servers' schemas: each table once where both nodes have the same to say of it.
fn tables(scene: &Scene, bad: fn(&Table) -> Option<String>) -> Vec<Hit> {
    each(scene, |schema| {
        schema
            .tables
            .iter()
            .filter_map(|table| Some((table.full_name(), bad(table)?)))
            .collect()
    })
}

/// What `look` sees in each node's schema, what is the same on both in one hit.
pub(super) fn each(
    scene: &Scene,
    look: impl Fn(&SchemaFacts) -> Vec<(String, String)>,
) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut places: std::collections::BTreeMap<(String, String), usize> =
        std::collections::BTreeMap::new();
    for (_, subject, live) in scene.live() {
        for (place, seen) in live.schema.as_ref().map(&look).unwrap_or_default() {
            match places.get(&(place.clone(), seen.clone())) {
                Some(at) => hits[*at].nodes.push(subject.name.clone()),
                None => {
                    places.insert((place.clone(), seen.clone()), hits.len());
                    hits.push(Hit::on(subject, seen).at(place));
                }
            }
        }
    }
    hits
}

/// Without a primary key: the unique keys are all nullable, and this is the first of them.
fn nullable_substitute(table: &Table) -> Option<&str> {
    let mut unique = table.keys.iter().filter(|key| key.unique);
    let first = unique.next()?;
    let none_whole = first.nullable && unique.all(|key| key.nullable);
    (table.primary_key().is_none() && none_whole).then_some(first.name.as_str())
}

fn cascades(scene: &Scene) -> Vec<Hit> {
    let logged = |subject: &super::Subject| {
        subject
            .settings
            .text("innodb_native_foreign_keys")
            .is_some_and(|value| !on(value))
    };
    if scene
        .subjects
        .iter()
        .filter(|subject| subject.live.is_some())
        .all(logged)
    {
        return Vec::new();
    }
    each(scene, |schema| {
        let keys = schema
            .tables
            .iter()
            .flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
        keys.filter_map(|(table, key)| {
            let acts = |rule: &str| ["CASCADE", "SET NULL"].contains(&rule);
            let rules: Vec<String> = [("DELETE", &key.on_delete), ("UPDATE", &key.on_update)]
                .into_iter()
                .filter(|(_, rule)| acts(rule))
                .map(|(event, rule)| format!("ON {event} {rule}"))
                .collect();
            (!rules.is_empty()).then(|| {
                (
                    table.full_name(),
                    format!("{} to {}: {}", key.name, key.parent, rules.join(", ")),
                )
            })
        })
        .collect()
    })
}

fn triggers(scene: &Scene) -> Vec<Hit> {
    let hits = each(scene, |schema| {
        let triggers = schema.triggers.iter();
        triggers
            .map(|trigger| {
                (
                    format!("{}.{}", trigger.schema, trigger.table),
                    format!("{} {}", trigger.name, trigger.when),
                )
            })
            .collect()
    });
    let worse = |hit: Hit| {
        let table = hit.place.as_deref().and_then(|place| place.split_once('.'));
        match table.is_some_and(|(database, table)| scene.repairs_table(database, table)) {
            true => hit.severe(Severity::Warning),
            false => hit,
        }
    };
    hits.into_iter().map(worse).collect()
}

fn nearly_full(table: &Table) -> Option<String> {
    let (next, column) = (table.auto_increment?, table.auto_increment_column()?);
    let max = largest(&column.kind)?;
    let percent = u128::from(next) * 100 / u128::from(max);
    (percent >= FULL_PERCENT).then(|| {
        format!(
            "{} ({}) is at {next} of {max}: {percent} %",
            column.name, column.kind
        )
    })
}

/// The largest number of an integer type.
fn largest(kind: &str) -> Option<u64> {
    let bits = match kind.split(['(', ' ']).next()? {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => return None,
    };
    let unused = 64 - bits + u32::from(!kind.contains("unsigned"));
    Some(u64::MAX >> unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_types_end_where_the_manual_says() {
        assert_eq!(largest("tinyint(3) unsigned"), Some(255));
        assert_eq!(largest("mediumint"), Some(8_388_607));
        assert_eq!(largest("int(11)"), Some(2_147_483_647));
        assert_eq!(largest("int unsigned"), Some(4_294_967_295));
        assert_eq!(largest("bigint(20) unsigned"), Some(u64::MAX));
        assert_eq!(largest("double"), None);
    }
}
