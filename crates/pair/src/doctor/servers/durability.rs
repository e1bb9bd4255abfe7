//! What is still there after a crash.

use crate::doctor::{Rule, Severity, settings::on};

pub(in crate::doctor) const RULES: &[Rule] = &[
    Rule {
        code: "TL021",
        severity: Severity::Warning,
        title: "a commit is not in the log on disk when the client hears of it",
        why: "After a crash of the machine the log lacks the last commits, while the peer may already have them, or the tables do. \
              The nodes then differ, or the restarted node uses the same GTIDs again for other changes.",
        advice: "Set `sync_binlog = 1`. It can be set at run time.",
        check: |scene| super::judged(scene, "sync_binlog", |value| value != "1"),
    },
    Rule {
        code: "TL022",
        severity: Severity::Warning,
        title: "a commit is not in the tables on disk when the client hears of it",
        why: "After a crash the last commits are missing from the tables, although the client was told that they are safe and \
              the peer may have them.",
        advice: "Set `innodb_flush_log_at_trx_commit = 1`. It can be set at run time.",
        check: |scene| {
            super::judged(scene, "innodb_flush_log_at_trx_commit", |value| {
                value != "1"
            })
        },
    },
    Rule {
        code: "TL023",
        severity: Severity::Warning,
        title: "InnoDB's doublewrite is off",
        why: "A page that was half written when the machine crashed cannot be restored; the table is corrupt, and the node has to \
              be built anew.",
        advice: "Set `innodb_doublewrite = ON` in [mysqld] and restart (MySQL 8.0.30 and newer, from DETECT_ONLY: at run time).",
        check: |scene| {
            super::judged(scene, "innodb_doublewrite", |value| {
                !on(value) && !value.eq_ignore_ascii_case("DETECT_AND_RECOVER")
            })
        },
    },
    Rule {
        code: "TL024",
        severity: Severity::Warning,
        title: "a crashed replica trusts its relay log",
        why: "After a crash the relay log may be cut off or damaged, and the link stops with an error or applies garbage. With \
              relay_log_recovery the server throws it away and fetches again what was not applied.",
        advice: "Set `relay_log_recovery = ON` in [mysqld] and restart.",
        check: |scene| super::judged(scene, "relay_log_recovery", |value| !on(value)),
    },
    Rule {
        code: "TL025",
        severity: Severity::Warning,
        title: "the link's place is kept in files",
        why: "The files `master.info` and `relay-log.info` are not written with the data they speak of. After a crash the applier \
              goes on at a place that does not fit: changes are applied twice or left out.",
        advice: "Set `relay_log_info_repository = TABLE` and `master_info_repository = TABLE` (MySQL before 8.0.2; later it is the \
                 default). It can be set at run time with the link stopped.",
        check: |scene| {
            ["source_info_repository", "relay_log_info_repository"]
                .into_iter()
                .flat_map(|key| {
                    super::judged(scene, key, |value| value.eq_ignore_ascii_case("FILE"))
                })
                .collect()
        },
    },
    Rule {
        code: "TL026",
        severity: Severity::Warning,
        title: "relay logs are never removed",
        why: "What has been applied stays on disk until it is full.",
        advice: "Set `relay_log_purge = ON`. It can be set at run time.",
        check: |scene| super::judged(scene, "relay_log_purge", |value| !on(value)),
    },
];
