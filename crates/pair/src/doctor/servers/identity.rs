//! Who a server is, and which numbers it hands out: what two nodes must not share.

use crate::{
    config::{Mode, Writes},
    doctor::{Hit, Rule, Scene, Severity, Subject, settings::on},
};

pub(in crate::doctor) const RULES: &[Rule] = &[
    Rule {
        code: "TL001",
        severity: Severity::Error,
        title: "no server id",
        why: "The server id is written into every change and tells a node its own changes, which it must not apply again when \
              they come back from the peer. Without one the server refuses to replicate; with the default both nodes have \
              the same.",
        advice: "Give each node its own: `server_id = 1` on one, `server_id = 2` on the other. It can be set at run time.",
        check: no_server_id,
    },
    Rule {
        code: "TL002",
        severity: Severity::Error,
        title: "both nodes have the same server id",
        why: "Each node takes the other's changes for its own and passes over them, or the link refuses to start.",
        advice: "Change one of them: `server_id = 2`. It can be set at run time, with the links stopped.",
        check: same_server_id,
    },
    Rule {
        code: "TL003",
        severity: Severity::Error,
        title: "both nodes have the same server UUID",
        why: "One data directory is a copy of the other, with its `auto.cnf`. GTIDs begin with the UUID: the two nodes would give \
              different changes the same name, and each would leave out what the other did. The link refuses to start.",
        advice: "Stop one server, delete `auto.cnf` in its data directory, and start it: it makes itself a new UUID.",
        check: same_uuid,
    },
    Rule {
        code: "TL004",
        severity: Severity::Error,
        title: "both MariaDB nodes number their changes in the same GTID domain",
        why: "In one domain MariaDB expects one order of changes, but two nodes that both take writes make two. With \
              gtid_strict_mode the links stop (error 1950); without it a node that reconnects passes over changes.",
        advice: "Give each node its own: `gtid_domain_id = 1` on one, `gtid_domain_id = 2` on the other. It can be set at run \
                 time and holds for new connections.",
        check: same_domain,
    },
    Rule {
        code: "TL005",
        severity: Severity::Error,
        title: "GTIDs are off where the pair is to use them",
        why: "twinlog.toml says mode = \"gtid\", but this server gives its changes no GTIDs, so that the link cannot find its \
              place by them. A link between a server with GTIDs and one without does not start.",
        advice: "Run `twinlog up`, which switches them on where the version can at run time; on MySQL 5.6 set `gtid_mode = ON` and \
                 `enforce_gtid_consistency = ON` in [mysqld] and restart.",
        check: gtid_off,
    },
    Rule {
        code: "TL006",
        severity: Severity::Warning,
        title: "no GTIDs",
        why: "Links by file and position have to be set up with numbers copied by hand, do not find their place again after a \
              crash or a fail-over, and cannot tell which changes are missing.",
        advice: "Set `gtid_mode = ON` and `enforce_gtid_consistency = ON` in [mysqld] of both nodes.",
        check: file_without_gtids,
    },
    Rule {
        code: "TL007",
        severity: Severity::Warning,
        title: "gtid_strict_mode is off",
        why: "MariaDB then lets changes into the log out of their order, so that a position no longer says which changes a node \
              has.",
        advice: "Set `gtid_strict_mode = ON` once each node has its own gtid_domain_id. It can be set at run time.",
        check: |scene| super::judged(scene, "gtid_strict_mode", |value| !on(value)),
    },
    Rule {
        code: "TL008",
        severity: Severity::Error,
        title: "both nodes hand out every AUTO_INCREMENT number",
        why: "With increment 1 both nodes give the same number to different rows as soon as both insert at once. The link \
              stops with a duplicate key (error 1062), or one of the two rows is lost.",
        advice: "Set `auto_increment_increment = 2` on both nodes, `auto_increment_offset = 1` on one and `= 2` on the other. \
                 It can be set at run time.",
        check: increment_too_small,
    },
    Rule {
        code: "TL009",
        severity: Severity::Error,
        title: "the nodes' AUTO_INCREMENT numbers overlap",
        why: "With the same offset, or increments that do not fit each other, some numbers are handed out by both nodes, and \
              rows that have nothing to do with each other collide.",
        advice: "Set the same `auto_increment_increment` (2) on both nodes, and `auto_increment_offset` 1 and 2.",
        check: numbers_overlap,
    },
];

fn no_server_id(scene: &Scene) -> Vec<Hit> {
    let missing = |subject: &&Subject| match subject.settings.text("server_id") {
        Some(text) => text == "0",
        None => subject.settings.is_file(),
    };
    scene
        .subjects
        .iter()
        .filter(missing)
        .map(|subject| match subject.settings.get("server_id") {
            Some((_, value)) => Hit::on(subject, "server_id = 0")
                .at(value.place.clone().unwrap_or("server_id".into())),
            None => Hit::on(
                subject,
                "server_id is not set; its default is the same on every server",
            ),
        })
        .collect()
}

fn same(scene: &Scene, key: &str, skip: fn(&str) -> bool) -> Option<String> {
    let [a, b] = scene.both()?;
    let (a, b) = (a.settings.in_force(key)?, b.settings.in_force(key)?);
    (a == b && !skip(&a)).then_some(a)
}

fn same_server_id(scene: &Scene) -> Vec<Hit> {
    pair_hit(
        scene,
        same(scene, "server_id", |id| id == "0").map(|id| format!("server_id = {id} on both")),
        "server_id",
    )
}

fn same_uuid(scene: &Scene) -> Vec<Hit> {
    pair_hit(
        scene,
        same(scene, "server_uuid", str::is_empty)
            .map(|uuid| format!("server_uuid = {uuid} on both")),
        "server_uuid",
    )
}

fn same_domain(scene: &Scene) -> Vec<Hit> {
    // With links by position the domains play no part.
    let by_gtid = scene
        .config
        .as_ref()
        .is_none_or(|config| config.replication.mode == Mode::Gtid);
    let same = by_gtid
        .then(|| same(scene, "gtid_domain_id", |_| false))
        .flatten();
    pair_hit(
        scene,
        same.map(|id| format!("gtid_domain_id = {id} on both")),
        "gtid_domain_id",
    )
}

fn pair_hit(scene: &Scene, seen: Option<String>, place: &str) -> Vec<Hit> {
    scene
        .both()
        .zip(seen)
        .map(|(both, seen)| Hit::both(both, seen).at(place))
        .into_iter()
        .collect()
}

fn gtid_off(scene: &Scene) -> Vec<Hit> {
    let wanted = scene
        .config
        .as_ref()
        .is_some_and(|config| config.replication.mode == Mode::Gtid);
    if !wanted {
        return Vec::new();
    }
    let mut hits = super::judged(scene, "gtid_mode", |value| value != "ON");
    hits.extend(super::judged(scene, "enforce_gtid_consistency", |value| {
        value != "ON"
    }));
    hits
}

fn file_without_gtids(scene: &Scene) -> Vec<Hit> {
    if scene.config.is_some() {
        return Vec::new();
    }
    super::judged(scene, "gtid_mode", |value| value != "ON")
}

/// With one writer at a time, no two nodes hand out numbers at once.
fn both_write(scene: &Scene) -> bool {
    scene
        .config
        .as_ref()
        .is_none_or(|config| config.writes == Writes::Both)
}

fn increment_too_small(scene: &Scene) -> Vec<Hit> {
    if both_write(scene) {
        super::judged(scene, "auto_increment_increment", |value| value == "1")
    } else {
        Vec::new()
    }
}

fn numbers_overlap(scene: &Scene) -> Vec<Hit> {
    let numbers = |subject: &Subject| {
        let increment = subject.settings.number("auto_increment_increment")?;
        let offset = subject.settings.number("auto_increment_offset")?;
        // The server ignores an offset above the increment.
        Some((increment, if offset > increment { 1 } else { offset }))
    };
    let Some([a, b]) = scene.both().filter(|_| both_write(scene)) else {
        return Vec::new();
    };
    let (Some((step_a, first_a)), Some((step_b, first_b))) = (numbers(a), numbers(b)) else {
        return Vec::new();
    };
    let apart = first_a.abs_diff(first_b);
    let overlap = step_a > 1 && step_b > 1 && apart.is_multiple_of(gcd(step_a, step_b));
    let seen = format!(
        "increment {step_a}, offset {first_a} on one; increment {step_b}, offset {first_b} on the other"
    );
    pair_hit(scene, overlap.then_some(seen), "auto_increment_offset")
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
