//! What two nodes' schemas must have in common: tables, columns, keys, triggers and events.

use twinlog_server::facts::schema::SchemaFacts;

use super::{Hit, Rule, Scene, Severity, Subject};
use crate::schemas::{self, Kind};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL303",
        severity: Severity::Error,
        title: "a table is on one node only",
        why: "A change to it stops the link of the node that lacks it (error 1146), or is lost where a filter hides it.",
        advice: "Find out which node is right. Make the table on the other with `SET sql_log_bin = 0` first, and copy its rows, or \
                 drop it here in the same way.",
        check: |scene| differences(scene, Kind::Table),
    },
    Rule {
        code: "TL304",
        severity: Severity::Error,
        title: "a table's columns differ between the nodes",
        why: "Rows are applied column by column. Another type, order or character set stops the link (error 1677) or stores another \
              value; a default or a NULL that only one node allows makes rows differ or refuses them.",
        advice: "Make the columns equal with ALTER TABLE on the node that is wrong, `SET sql_log_bin = 0` first, so that the other \
                 does not get it.",
        check: |scene| differences(scene, Kind::Columns),
    },
    Rule {
        code: "TL305",
        severity: Severity::Error,
        title: "a table's primary or unique keys differ between the nodes",
        why: "The node with the key refuses, as a duplicate, a row that the other has taken: the link stops. And each node looks for \
              the row to change by another key.",
        advice: "Make the keys equal with ALTER TABLE on the node that is wrong, `SET sql_log_bin = 0` first.",
        check: |scene| differences(scene, Kind::UniqueKeys),
    },
    Rule {
        code: "TL306",
        severity: Severity::Info,
        title: "a table's other indexes differ between the nodes",
        why: "The data is the same, but a query that is fast on one node is slow on the other.",
        advice: "Make the index on the other node, too.",
        check: |scene| differences(scene, Kind::Indexes),
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
        check: |scene| differences(scene, Kind::Trigger),
    },
];

/// Both nodes' schemas, where both were read.
fn both(scene: &Scene) -> Option<([&Subject; 2], [&SchemaFacts; 2])> {
    let [(a, left), (b, right)] = scene.both_live()?;
    Some(([a, b], [left.schema.as_ref()?, right.schema.as_ref()?]))
}

fn differences(scene: &Scene, kind: Kind) -> Vec<Hit> {
    let Some((subjects, schemas)) = both(scene) else {
        return Vec::new();
    };
    let names = subjects.map(|subject| subject.name.as_str());
    let found = schemas::differences(names, schemas, kind).into_iter();
    let hit = |found: schemas::Difference| {
        let hit = match found.only_on {
            Some(node) => Hit::on(subjects[node], found.seen),
            None => Hit::both(subjects, found.seen),
        };
        hit.at(found.at)
    };
    found.map(hit).collect()
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
