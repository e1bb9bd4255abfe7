//! How a node applies what its peer did.

use twinlog_server::{dialect::Dialect, version::Flavour};

use crate::doctor::{
    Hit, Rule, Scene, Severity,
    settings::{number, on},
};

/// Longer than this, a dead connection goes unnoticed for too long.
const NET_TIMEOUT_MAX_S: u64 = 60;
/// The servers' own number of retries; fewer give up on an ordinary lock.
const RETRIES_MIN: u64 = 10;

pub(in crate::doctor) const RULES: &[Rule] = &[
    Rule {
        code: "TL030",
        severity: Severity::Warning,
        title: "several appliers commit out of order",
        why: "The node passes through states that the peer never had, its log has another order than the peer's, and after a \
              crash it may have gaps. The two logs can no longer be compared.",
        advice: "Set `replica_preserve_commit_order = ON` (`slave_…` before MySQL 8.0.26), with the link stopped; on MySQL 5.6, which \
                 cannot, set `slave_parallel_workers = 0`.",
        check: out_of_order,
    },
    Rule {
        code: "TL031",
        severity: Severity::Warning,
        title: "MariaDB applies transactions ahead of those they depend on",
        why: "In optimistic and aggressive mode a transaction may run before the one it depends on, and is rolled back when \
              that shows as an error. Where missing rows are forgiven (slave_exec_mode) there is no error, and the change is lost.",
        advice: "Set `slave_parallel_mode = conservative`, with the link stopped.",
        check: optimistic,
    },
    Rule {
        code: "TL032",
        severity: Severity::Error,
        title: "errors of the applier are skipped",
        why: "A change that cannot be applied is thrown away and the link goes on. The nodes differ, and nothing says so.",
        advice: "Take `slave_skip_errors` (`replica_skip_errors`) out of [mysqld], restart, and compare the two nodes' data.",
        check: |scene| {
            super::judged(scene, "replica_skip_errors", |value| {
                !value.is_empty() && !value.eq_ignore_ascii_case("OFF")
            })
        },
    },
    Rule {
        code: "TL033",
        severity: Severity::Error,
        title: "missing and duplicate rows are passed over",
        why: "With IDEMPOTENT the applier overwrites a row that is already there and shrugs at one that is missing. Conflicts of \
              the two nodes then leave different rows behind, without an error: A holds what B wrote, and B what A wrote. It is \
              right only where `twinlog run` repairs that: with GTIDs and a conflict policy other than `manual`.",
        advice: "Set `replica_exec_mode = STRICT` (`slave_exec_mode` before MySQL 8.0.26 and in MariaDB). It can be set at run time.",
        check: |scene| {
            if scene.repairs() {
                return Vec::new();
            }
            super::judged(scene, "replica_exec_mode", |value| {
                value.eq_ignore_ascii_case("IDEMPOTENT")
            })
        },
    },
    Rule {
        code: "TL039",
        severity: Severity::Warning,
        title: "the applier stops at the rows that twinlog is to repair",
        why: "A conflict policy other than `manual` is set, and `twinlog run` repairs what conflicts leave behind; but with STRICT \
              the link stops at the first row that both nodes wrote, and everything behind it waits.",
        advice: "Run `twinlog up`: it sets `replica_exec_mode = IDEMPOTENT` (`slave_exec_mode` before MySQL 8.0.26 and in MariaDB), \
                 which acts at once.",
        check: |scene| {
            if !scene.repairs() {
                return Vec::new();
            }
            super::judged(scene, "replica_exec_mode", |value| {
                value.eq_ignore_ascii_case("STRICT")
            })
        },
    },
    Rule {
        code: "TL034",
        severity: Severity::Warning,
        title: "a dead connection goes unnoticed for more than a minute",
        why: "A replica whose source vanished without a word (a cut cable, a lost machine) waits this long before it \
              reconnects, and says all the while that it runs and has no lag.",
        advice: "Set `replica_net_timeout = 10` (`slave_net_timeout` before MySQL 8.0.26 and in MariaDB) and let the source send a \
                 heartbeat every 2 s; `twinlog up` does both.",
        check: |scene| {
            super::judged(scene, "replica_net_timeout", |value| {
                number(value).is_some_and(|seconds| seconds > NET_TIMEOUT_MAX_S)
            })
        },
    },
    Rule {
        code: "TL035",
        severity: Severity::Warning,
        title: "the applier gives up on the first locks",
        why: "On a node that takes writes, clients' locks and deadlocks hit the applier in ordinary use. With few retries the link \
              stops on one long transaction.",
        advice: "Set `replica_transaction_retries = 100` (`slave_transaction_retries` before MySQL 8.0.26 and in MariaDB).",
        check: few_retries,
    },
    Rule {
        code: "TL036",
        severity: Severity::Warning,
        title: "links do not start with the server",
        why: "After a restart of the server the node serves clients but gets nothing from its peer until somebody starts the link.",
        advice: "Take `skip_replica_start` (`skip_slave_start`) out of [mysqld].",
        check: skips_start,
    },
    Rule {
        code: "TL037",
        severity: Severity::Warning,
        title: "values are cut to fit narrower columns",
        why: "ALL_LOSSY lets the applier store a value in a column that cannot hold it, cut or rounded. The nodes then differ \
              without an error.",
        advice: "Set `replica_type_conversions = ''` (`slave_type_conversions` before MySQL 8.0.26 and in MariaDB).",
        check: |scene| {
            super::judged(scene, "replica_type_conversions", |value| {
                value.to_ascii_uppercase().contains("ALL_LOSSY")
            })
        },
    },
    Rule {
        code: "TL038",
        severity: Severity::Error,
        title: "a node applies its own changes again",
        why: "In a dual primary every change comes back to the node that made it. With replicate_same_server_id the node does \
              not pass over it: the change goes round for ever, or stops the link.",
        advice: "Take `replicate_same_server_id` out of [mysqld] and restart.",
        check: applies_own,
    },
];

/// Where the applier loses changes when it tries again, it had better stop.
fn few_retries(scene: &Scene) -> Vec<Hit> {
    let few = |value: &str| number(value).is_some_and(|retries| retries < RETRIES_MIN);
    let subjects = scene.subjects.iter().filter(|subject| {
        let version = subject.version.as_ref();
        let dialect = version.and_then(|version| Dialect::of(version).ok());
        dialect.is_none_or(|dialect| dialect.row().retries_whole)
    });
    subjects
        .filter_map(|subject| {
            let seen = subject.settings.judge("replica_transaction_retries", few)?;
            Some(super::hit(subject, seen))
        })
        .collect()
}

fn out_of_order(scene: &Scene) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .filter_map(|subject| {
            let settings = &subject.settings;
            let workers = settings.number("replica_parallel_workers")?;
            if workers < 2 || settings.may_be(Flavour::MariaDb) {
                return None; // MariaDB keeps the order within a domain in every mode.
            }
            let seen = |order: String| {
                Hit::on(subject, format!("{workers} appliers, {order}"))
                    .at("replica_preserve_commit_order")
            };
            match settings.judge("replica_preserve_commit_order", |value| !on(value)) {
                Some(order) => Some(seen(order.text)),
                // A version that has no such setting cannot keep the order.
                None if settings.in_force("replica_preserve_commit_order").is_none() => {
                    Some(seen("and this version cannot keep the order".into()))
                }
                None => None,
            }
        })
        .collect()
}

fn optimistic(scene: &Scene) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .filter(|subject| {
            subject
                .settings
                .number("replica_parallel_workers")
                .unwrap_or(0)
                > 0
        })
        .filter_map(|subject| {
            let seen = subject.settings.judge("slave_parallel_mode", |value| {
                ["optimistic", "aggressive"].contains(&value.to_ascii_lowercase().as_str())
            })?;
            Some(super::hit(subject, seen))
        })
        .collect()
}

fn skips_start(scene: &Scene) -> Vec<Hit> {
    option_on(scene, "skip_replica_start")
}

fn applies_own(scene: &Scene) -> Vec<Hit> {
    option_on(scene, "replicate_same_server_id")
}

/// Switches that not every version shows as a variable: looked for in the option file, too.
pub(in crate::doctor) fn option_on(scene: &Scene, key: &str) -> Vec<Hit> {
    let names = crate::doctor::catalogue::entry(key).map_or(&[][..], |entry| entry.names);
    scene
        .subjects
        .iter()
        .filter_map(|subject| {
            if let Some(seen) = subject.settings.judge(key, on) {
                return Some(super::hit(subject, seen));
            }
            let options = subject.options.as_ref()?;
            let opt = names.iter().find_map(|name| options.get(name))?;
            let is_on = opt.as_bool().unwrap_or(false);
            let file = opt
                .file
                .file_name()
                .unwrap_or(opt.file.as_os_str())
                .to_string_lossy();
            is_on.then(|| {
                Hit::on(subject, format!("{} is on", opt.name)).at(format!("{file}:{}", opt.line))
            })
        })
        .collect()
}
