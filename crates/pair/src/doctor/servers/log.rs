//! The binary log: what a server writes down for its peer, and for how long.

use twinlog_server::version::Flavour;

use crate::doctor::{
    Hit, Rule, Scene, Severity, Subject,
    settings::{number, on},
};

/// Below this a week-end's outage may outlast the log.
const RETENTION_MIN_S: u64 = 7 * 86_400;

pub(in crate::doctor) const RULES: &[Rule] = &[
    Rule {
        code: "TL010",
        severity: Severity::Error,
        title: "no binary log",
        why: "The peer reads a node's changes from its binary log. Without one nothing replicates.",
        advice: "Set `log_bin = binlog` in [mysqld] and restart.",
        check: |scene| super::judged(scene, "log_bin", |value| !on(value)),
    },
    Rule {
        code: "TL011",
        severity: Severity::Error,
        title: "the log holds statements instead of rows",
        why: "A statement can do something else on the peer than it did here: with LIMIT, NOW(), UUID(), another AUTO_INCREMENT \
              sequence, or rows that a concurrent write has changed. The nodes then differ without an error. twinlog reads rows \
              and cannot compare statements. MIXED logs statements, too.",
        advice: "Set `binlog_format = ROW`. It can be set at run time and holds for new connections.",
        check: |scene| {
            super::judged(scene, "binlog_format", |value| {
                !value.eq_ignore_ascii_case("ROW")
            })
        },
    },
    Rule {
        code: "TL012",
        severity: Severity::Error,
        title: "the log holds parts of rows",
        why: "Without the whole row before and after a change, a conflict of the two nodes can neither be seen nor resolved.",
        advice: "Set `binlog_row_image = FULL`. It can be set at run time and holds for new connections.",
        check: |scene| {
            super::judged(scene, "binlog_row_image", |value| {
                !value.eq_ignore_ascii_case("FULL")
            })
        },
    },
    Rule {
        code: "TL013",
        severity: Severity::Warning,
        title: "the log does not describe its columns",
        why: "Without their names and signs, values of unsigned columns are read wrongly, and columns are matched by their place.",
        advice: "Set `binlog_row_metadata = FULL` (MySQL 8.0.1 and MariaDB 10.5 and newer). It can be set at run time.",
        check: |scene| {
            super::judged(scene, "binlog_row_metadata", |value| {
                !value.eq_ignore_ascii_case("FULL")
            })
        },
    },
    Rule {
        code: "TL014",
        severity: Severity::Error,
        title: "the log holds parts of JSON values",
        why: "A partial update says what to change in a document, not what it came to. twinlog cannot tell the value from it, and \
              refuses such logs.",
        advice: "Set `binlog_row_value_options = ''`. It can be set at run time and holds for new connections.",
        check: |scene| super::judged(scene, "binlog_row_value_options", |value| !value.is_empty()),
    },
    Rule {
        code: "TL015",
        severity: Severity::Error,
        title: "what comes from the peer is not logged",
        why: "Each node's log has to show what it applied from the peer: only from both logs can be told in which order a node \
              saw two conflicting changes. A backup's log, or a third server behind this one, would lack the peer's changes.",
        advice: "Set `log_replica_updates = ON` (`log_slave_updates` before MySQL 8.0.26 and in MariaDB) in [mysqld] and restart.",
        check: |scene| super::judged(scene, "log_replica_updates", |value| !on(value)),
    },
    Rule {
        code: "TL016",
        severity: Severity::Warning,
        title: "the log has no checksums",
        why: "An event damaged on disk or on the way is applied as if it were right.",
        advice: "Set `binlog_checksum = CRC32`. It can be set at run time.",
        check: |scene| {
            super::judged(scene, "binlog_checksum", |value| {
                value.eq_ignore_ascii_case("NONE")
            })
        },
    },
    Rule {
        code: "TL017",
        severity: Severity::Warning,
        title: "the log is kept for less than a week",
        why: "When a node is away for longer than its peer keeps the log, the changes it missed are gone, and it has to be built \
              anew from a copy.",
        advice: "Keep 30 days: `binlog_expire_logs_seconds = 2592000`, or `expire_logs_days = 30` on older versions.",
        check: |scene| {
            retention(
                scene,
                |seconds| seconds > 0 && seconds < RETENTION_MIN_S,
                "the log is kept for",
            )
        },
    },
    Rule {
        code: "TL018",
        severity: Severity::Warning,
        title: "the log is kept for ever",
        why: "Nothing ever removes old log files. They fill the disk, and a server with a full disk stops taking writes.",
        advice: "Set `binlog_expire_logs_seconds = 2592000`, or `expire_logs_days = 30` on older versions. It can be set at run \
                 time.",
        check: |scene| retention(scene, |seconds| seconds == 0, "log files expire after"),
    },
    Rule {
        code: "TL019",
        severity: Severity::Error,
        title: "the log leaves databases out by the current database",
        why: "binlog_do_db and binlog_ignore_db go by the client's current database, not by what a statement changes. `USE other; \
              ALTER TABLE test.info …` is lost without an error, and so is every change under another current database where \
              statements are logged. The nodes then differ, and both links say Yes. CREATE TABLE in an unlisted database, \
              under the listed one, stops the peer's link.",
        advice: "Take the line out. To replicate only some databases, name them in `databases` of twinlog.toml, or use \
                 `replicate_wild_do_table = test.%` on both nodes: it goes by the table.",
        check: filtered_log,
    },
];

fn retention(scene: &Scene, bad: fn(u64) -> bool, said: &str) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .filter_map(|subject| {
            let settings = &subject.settings;
            // MySQL switches purging off altogether with this; MariaDB 11.4 can purge by size instead.
            let never = settings
                .text("binlog_expire_logs_auto_purge")
                .is_some_and(|value| !on(value));
            let by_size = settings
                .text("max_binlog_total_size")
                .and_then(number)
                .unwrap_or(0)
                > 0;
            if by_size
                || subject
                    .settings
                    .text("log_bin")
                    .is_some_and(|value| !on(value))
            {
                return None;
            }
            if never {
                return bad(0).then(|| {
                    Hit::on(subject, "binlog_expire_logs_auto_purge is OFF")
                        .at("binlog_expire_logs_auto_purge")
                });
            }
            match written_retention(subject) {
                Some((name, seconds)) => bad(seconds).then(|| {
                    let place = settings
                        .get(name)
                        .and_then(|(_, value)| value.place.clone());
                    Hit::on(subject, format!("{said} {}", days(seconds)))
                        .at(place.unwrap_or_else(|| name.to_owned()))
                }),
                None if settings.is_file() => unwritten_retention(subject, bad),
                None => None,
            }
        })
        .collect()
}

/// The setting that decides, and its seconds: two settings mean the same, and one that is 0 leaves it to the other.
fn written_retention(subject: &Subject) -> Option<(&'static str, u64)> {
    let read = |name| subject.settings.text(name).and_then(number);
    let seconds =
        read("binlog_expire_logs_seconds").map(|seconds| ("binlog_expire_logs_seconds", seconds));
    let days = subject
        .settings
        .text("expire_logs_days")
        .and_then(|days| days.parse::<f64>().ok())
        .map(|days| ("expire_logs_days", (days * 86_400.0) as u64));
    seconds
        .into_iter()
        .chain(days)
        .find(|(_, seconds)| *seconds > 0)
        .or(seconds)
        .or(days)
}

/// What an option file without a word about it leads to.
fn unwritten_retention(subject: &Subject, bad: fn(u64) -> bool) -> Option<Hit> {
    if !bad(0) {
        return None;
    }
    let for_ever: Vec<&str> = match subject.version {
        Some(version) if version.flavour == Flavour::MySql && version.at_least(8, 0, 11) => {
            Vec::new()
        }
        Some(_) => vec!["this version"],
        None => [
            (Flavour::MySql, "MySQL before 8.0"),
            (Flavour::MariaDb, "MariaDB"),
        ]
        .into_iter()
        .filter(|(flavour, _)| subject.settings.may_be(*flavour))
        .map(|(_, text)| text)
        .collect(),
    };
    (!for_ever.is_empty()).then(|| {
        Hit::on(
            subject,
            format!(
                "no expiry is set; {} then keeps the log for ever",
                for_ever.join(" and ")
            ),
        )
        .at("expire_logs_days")
    })
}

fn days(seconds: u64) -> String {
    match seconds {
        0 => "never".into(),
        seconds if seconds.is_multiple_of(86_400) => format!("{} days", seconds / 86_400),
        seconds => format!("{seconds} s"),
    }
}

fn filtered_log(scene: &Scene) -> Vec<Hit> {
    let of_options = scene
        .subjects
        .iter()
        .filter(|subject| subject.live.is_none())
        .flat_map(|subject| {
            let options = subject.options.iter().flatten();
            options
                .filter(|opt| matches!(opt.name.as_str(), "binlog_do_db" | "binlog_ignore_db"))
                .map(|opt| {
                    let file = opt
                        .file
                        .file_name()
                        .unwrap_or(opt.file.as_os_str())
                        .to_string_lossy();
                    Hit::on(
                        subject,
                        format!(
                            "{} = {}",
                            opt.name,
                            opt.value.as_deref().unwrap_or_default()
                        ),
                    )
                    .at(format!("{file}:{}", opt.line))
                })
                .collect::<Vec<_>>()
        });
    let of_servers = scene.live().flat_map(|(_, subject, live)| {
        [
            ("binlog_do_db", &live.facts.binlog_do_db),
            ("binlog_ignore_db", &live.facts.binlog_ignore_db),
        ]
        .into_iter()
        .filter_map(|(name, list)| Some((name, list.as_deref()?)))
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| Hit::on(subject, format!("{name} = {list}")).at(name))
        .collect::<Vec<_>>()
    });
    of_options.chain(of_servers).collect()
}
