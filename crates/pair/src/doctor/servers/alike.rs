//! What two nodes must have in common.

use twinlog_server::version::Version;

use crate::doctor::{Hit, Rule, Scene, Severity, Subject, settings::on};

/// Clocks further apart than this order two writes of one moment wrongly.
const CLOCKS_APART_MAX_US: i64 = 1_000_000;

pub(in crate::doctor) const RULES: &[Rule] = &[
    Rule {
        code: "TL040",
        severity: Severity::Error,
        title: "the nodes treat upper and lower case of table names differently",
        why: "A table that one node calls `Info` is another one, or none, on the other. The link stops at the first such table, or \
              two tables become one.",
        advice: "Give both the same `lower_case_table_names`. Since MySQL 8.0 it can only be chosen when a data directory is made.",
        check: |scene| differ(scene, "lower_case_table_names"),
    },
    Rule {
        code: "TL041",
        severity: Severity::Warning,
        title: "the nodes' default character sets or collations differ",
        why: "A table made without naming one gets each server's own where the statement is run anew, and text then compares and \
              sorts differently on the two nodes: a unique key may refuse on one what the other took.",
        advice: "Set the same `character_set_server` and `collation_server` on both nodes.",
        check: |scene| {
            let mut hits = differ(scene, "character_set_server");
            hits.extend(differ(scene, "collation_server"));
            hits
        },
    },
    Rule {
        code: "TL042",
        severity: Severity::Warning,
        title: "the nodes' SQL modes differ",
        why: "The same statement is refused on one node and taken, with cut or rounded values, on the other: what clients get \
              depends on the node they happen to be on.",
        advice: "Set the same `sql_mode` on both nodes. It can be set at run time and holds for new connections.",
        check: |scene| differ(scene, "sql_mode"),
    },
    Rule {
        code: "TL043",
        severity: Severity::Warning,
        title: "the nodes' time zones differ",
        why: "NOW() and the text of a TIMESTAMP differ between the nodes, events run at different hours, and DATETIME values written \
              on the two cannot be compared.",
        advice: "Set `default_time_zone = '+00:00'` on both nodes, or give both machines the same zone.",
        check: time_zones,
    },
    Rule {
        code: "TL044",
        severity: Severity::Warning,
        title: "the nodes' largest packets differ",
        why: "A value that one node takes is too large for a client of the other to write, read or dump.",
        advice: "Set the same `max_allowed_packet` on both nodes. It can be set at run time.",
        check: |scene| differ(scene, "max_allowed_packet"),
    },
    Rule {
        code: "TL045",
        severity: Severity::Info,
        title: "the event scheduler runs on both nodes",
        why: "An event made on one node comes to the other switched off, so it runs once, as it should, but no longer after \
              a fail-over; one that somebody enables there, too, runs twice.",
        advice: "Know which node runs your events; after a fail-over enable them on the other one.",
        check: schedulers,
    },
    Rule {
        code: "TL046",
        severity: Severity::Warning,
        title: "the version no longer gets fixes",
        why: "Errors and security holes in it stay.",
        advice: "Upgrade one node, let it catch up, then the other: a pair may mix versions for that time.",
        check: end_of_life,
    },
    Rule {
        code: "TL047",
        severity: Severity::Info,
        title: "the nodes' releases differ",
        why: "Within one series that works; defaults and errors may still differ in detail.",
        advice: "Bring both to the same release.",
        check: |scene| versions(scene, |[a, b]| a.series() == b.series() && a != b),
    },
    Rule {
        code: "TL048",
        severity: Severity::Warning,
        title: "one link leads from a newer series to an older one",
        why: "In a dual primary each node is the other's replica, so the older one replicates from the newer, which no vendor \
              promises to work: the newer one may log what the older does not know (collations, functions, DDL), and the link stops.",
        advice: "Finish the upgrade soon; until then write only on the older node (`writes = \"one\"`).",
        check: |scene| {
            versions(scene, |[a, b]| {
                a.flavour == b.flavour && a.series() != b.series()
            })
        },
    },
    Rule {
        code: "TL049",
        severity: Severity::Error,
        title: "one node is MySQL, the other MariaDB",
        why: "Their logs and GTIDs do not mix.",
        advice: "Pair two servers of one flavour.",
        check: |scene| versions(scene, |[a, b]| a.flavour != b.flavour),
    },
    Rule {
        code: "TL050",
        severity: Severity::Warning,
        title: "the nodes' clocks are apart",
        why: "Of two conflicting writes the later one wins by the writer's clock: with clocks apart, the earlier one may. Lag \
              cannot be measured across such nodes either.",
        advice: "Run NTP (chrony, systemd-timesyncd) on both machines, or choose a policy that needs no clock: `prefer:<node>`.",
        check: clocks,
    },
];

/// A setting that is known on both and not the same.
fn differ(scene: &Scene, key: &str) -> Vec<Hit> {
    let Some([a, b]) = scene.both() else {
        return Vec::new();
    };
    let said = |subject: &Subject| match subject.settings.text(key) {
        Some(text) => Some(text.to_owned()),
        // Of a file without the line its default: the same for both, as far as can be told.
        None if subject.settings.is_file() => Some(
            subject
                .settings
                .in_force(key)
                .unwrap_or("its default".into()),
        ),
        None => None,
    };
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b) || (on(a) && on(b));
    match (said(a), said(b)) {
        (Some(left), Some(right)) if !same(&left, &right) => vec![
            Hit::both(
                [a, b],
                format!("{key} is {left} on {} and {right} on {}", a.name, b.name),
            )
            .at(key),
        ],
        _ => Vec::new(),
    }
}

fn time_zones(scene: &Scene) -> Vec<Hit> {
    let zone = |subject: &Subject| {
        let zone = subject.settings.text("time_zone")?;
        let name = if zone.eq_ignore_ascii_case("SYSTEM") {
            subject.settings.text("system_time_zone")?
        } else {
            zone
        };
        // One zone, many names.
        Some(
            if ["UTC", "+00:00", "GMT", "Etc/UTC"].contains(&name) {
                "UTC"
            } else {
                name
            }
            .to_owned(),
        )
    };
    let Some([a, b]) = scene.both() else {
        return Vec::new();
    };
    match (zone(a), zone(b)) {
        (Some(left), Some(right)) if left != right => vec![
            Hit::both(
                [a, b],
                format!("time zone {left} on {} and {right} on {}", a.name, b.name),
            )
            .at("time_zone"),
        ],
        _ => differ(scene, "default_time_zone"),
    }
}

fn schedulers(scene: &Scene) -> Vec<Hit> {
    let running = |subject: &Subject| {
        !subject.settings.is_file() && subject.settings.is_on("event_scheduler")
    };
    scene
        .both()
        .filter(|both| both.iter().all(|subject| running(subject)))
        .map(|both| Hit::both(both, "event_scheduler is ON on both").at("event_scheduler"))
        .into_iter()
        .collect()
}

fn end_of_life(scene: &Scene) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .filter_map(|subject| {
            let version = subject.version?;
            let end = crate::doctor::lifetimes::end_of(&version)?;
            (end < scene.today).then(|| {
                Hit::on(subject, format!("{version}: its series ended on {end}")).at("version")
            })
        })
        .collect()
}

fn versions(scene: &Scene, bad: fn([Version; 2]) -> bool) -> Vec<Hit> {
    let Some([a, b]) = scene.both() else {
        return Vec::new();
    };
    match (a.version, b.version) {
        (Some(left), Some(right)) if bad([left, right]) => {
            vec![
                Hit::both(
                    [a, b],
                    format!("{left} on {} and {right} on {}", a.name, b.name),
                )
                .at("version"),
            ]
        }
        _ => Vec::new(),
    }
}

fn clocks(scene: &Scene) -> Vec<Hit> {
    let Some([(a, left), (b, right)]) = scene.both_live() else {
        return Vec::new();
    };
    let ahead = left.facts.clock_offset_us - right.facts.clock_offset_us;
    let sure = ahead.abs() - left.facts.clock_error_us - right.facts.clock_error_us;
    if sure <= CLOCKS_APART_MAX_US {
        return Vec::new();
    }
    let fast = if ahead > 0 { a } else { b };
    let seen = format!("{} is {:.1} s ahead", fast.name, ahead.abs() as f64 / 1e6);
    vec![Hit::both([a, b], seen)]
}
