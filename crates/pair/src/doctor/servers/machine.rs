//! The rest of what a server is set to and stands on.

use crate::{
    config::{Config, Runtime, Writes},
    doctor::{
        Hit, Rule, Scene, Severity, Subject,
        settings::{number, on},
    },
    settings,
};

/// A server writes its logs on: with less than this it may stop within hours.
const DISK_FREE_MIN: u64 = 1 << 30;

pub(in crate::doctor) const RULES: &[Rule] = &[
    Rule {
        code: "TL051",
        severity: Severity::Warning,
        title: "the disk is nearly full",
        why: "A server that cannot write its log stops taking writes, and its link stops, too.",
        advice: "Free some space, or move the node's data to a larger disk.",
        check: disk_low,
    },
    Rule {
        code: "TL052",
        severity: Severity::Error,
        title: "who may write is not what twinlog.toml says",
        why: "With writes = \"one\" a second node that takes writes makes conflicts that the pair is not meant to have; a node that \
              is read-only by mistake refuses clients.",
        advice: "Run `twinlog up`: it opens and closes the nodes as `writes` says.",
        check: read_only,
    },
    Rule {
        code: "TL053",
        severity: Severity::Warning,
        title: "an option of yours replaces a safe value of twinlog's",
        why: "What you set in `options` wins over what twinlog would set for the pair to be safe.",
        advice: "Take the option out of twinlog.toml and run `twinlog up`, unless you know why you need it.",
        check: overridden,
    },
    Rule {
        code: "TL054",
        severity: Severity::Warning,
        title: "new tables are not InnoDB by default",
        why: "Other engines have no transactions: a crash leaves half of a change behind, and what is rolled back here is still \
              applied there.",
        advice: "Set `default_storage_engine = InnoDB`. It can be set at run time.",
        check: |scene| {
            super::judged(scene, "default_storage_engine", |value| {
                !value.eq_ignore_ascii_case("InnoDB")
            })
        },
    },
    Rule {
        code: "TL055",
        severity: Severity::Info,
        title: "table names lose their case",
        why: "With lower_case_table_names = 1 names are stored in lower case. Both nodes need the same value; since MySQL 8.0 it has \
              to be given when the data directory is made, and a server whose file says otherwise does not start.",
        advice: "Keep the line on both nodes, and give it when a new node is made (`options` of twinlog.toml does).",
        check: |scene| super::judged(scene, "lower_case_table_names", |value| value == "1"),
    },
    Rule {
        code: "TL056",
        severity: Severity::Info,
        title: "text takes three bytes a character at most",
        why: "`utf8` means utf8mb3: an emoji or a rare Chinese character is refused or cut off, on whichever node it is written.",
        advice: "Set `character_set_server = utf8mb4` on both nodes for new tables; convert old ones with ALTER TABLE … CONVERT TO.",
        check: |scene| {
            super::judged(scene, "character_set_server", |value| {
                ["utf8", "utf8mb3"].contains(&value.to_ascii_lowercase().as_str())
            })
        },
    },
    Rule {
        code: "TL057",
        severity: Severity::Warning,
        title: "log files are named after the host",
        why: "When the machine or container gets another name the server looks for its logs under another name, too: a relay log \
              cannot be found and the link stops, or the binary log starts anew and the peer does not find its place.",
        advice: "Set `relay_log = relay` and `log_bin = binlog` in [mysqld] and restart, with the links caught up.",
        check: named_after_host,
    },
    Rule {
        code: "TL058",
        severity: Severity::Error,
        title: "the server does not listen for TCP connections",
        why: "The peer connects by TCP: with skip_networking it cannot.",
        advice: "Take `skip_networking` out of [mysqld] and restart; `bind_address` says where the server listens.",
        check: |scene| super::judged(scene, "skip_networking", on),
    },
];

fn disk_low(scene: &Scene) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .filter_map(|subject| Some((subject, subject.disk_free_bytes?)))
        .filter(|(_, free)| *free < DISK_FREE_MIN)
        .map(|(subject, free)| {
            let seen = format!("{} MiB are free", free >> 20);
            Hit::on(subject, seen).at(subject.settings.text("datadir").unwrap_or("datadir"))
        })
        .collect()
}

fn read_only(scene: &Scene) -> Vec<Hit> {
    let (Some(config), Some(both)) = (&scene.config, scene.both_live()) else {
        return Vec::new();
    };
    let closed = both.map(|(_, live)| live.facts.is_on("read_only"));
    let names = both.map(|(subject, _)| subject);
    match (config.writes, closed) {
        (Writes::One, [false, false]) => {
            vec![Hit::both(names, "writes = \"one\", and both nodes take writes").at("read_only")]
        }
        (Writes::One, [true, true]) => vec![
            Hit::both(names, "writes = \"one\", and neither node takes writes").at("read_only"),
        ],
        (Writes::Both, closed) => names
            .into_iter()
            .zip(closed)
            .filter(|(_, closed)| *closed)
            .map(|(subject, _)| {
                Hit::on(subject, "writes = \"both\", and this node is read-only").at("read_only")
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn overridden(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter_map(|(index, subject, live)| {
            let (config, node) = scene.node(index)?;
            (config.runtime_of(node) != Runtime::External).then_some((index, config, subject, live))
        })
        .flat_map(|(index, config, subject, live)| {
            overrides(
                config,
                index,
                subject,
                live.facts.server_id(),
                &live.facts.dialect,
            )
        })
        .collect()
}

fn overrides(
    config: &Config,
    index: usize,
    subject: &Subject,
    server_id: u32,
    dialect: &twinlog_server::dialect::Dialect,
) -> Vec<Hit> {
    let mut plain = config.clone();
    plain.server.options.clear();
    plain.nodes[index].options.clear();
    let safe = settings::desired(&plain, index, server_id, dialect);
    settings::desired(config, index, server_id, dialect)
        .iter()
        .zip(&safe)
        .filter(|(own, safe)| !as_safe(&own.key, &own.value, &safe.value))
        .map(|(own, safe)| {
            let seen = format!(
                "{} = {} in `options`; twinlog would set {}",
                own.name, own.value, safe.value
            );
            Hit::on(subject, seen).at(own.name.clone()).advise(format!(
                "Take {} out of `options` and run `twinlog up`: {}.",
                own.name, safe.reason
            ))
        })
        .collect()
}

/// Whether a user's value does what twinlog's does.
fn as_safe(key: &str, own: &str, safe: &str) -> bool {
    let numbers = number(own).zip(number(safe));
    match key {
        "log_bin" => !own.eq_ignore_ascii_case("OFF"),
        "server_id" => true, // Two that are equal are another rule's.
        // 0 is for ever; how full the disk gets is another rule's.
        "binlog_expire_logs_seconds" => numbers.is_some_and(|(own, safe)| own == 0 || own >= safe),
        "replica_net_timeout" => numbers.is_some_and(|(own, safe)| own <= safe),
        "replica_transaction_retries" if safe == "0" => own == "0",
        "replica_transaction_retries" => numbers.is_some_and(|(own, safe)| own >= safe),
        "replica_parallel_workers" => true,
        _ => settings::same_value(safe, own),
    }
}

/// A log whose name is the host's, or one that by default is.
fn named_after_host(scene: &Scene) -> Vec<Hit> {
    scene
        .subjects
        .iter()
        .flat_map(|subject| {
            if subject.settings.is_file() {
                file_names(subject)
            } else {
                server_names(subject)
            }
        })
        .collect()
}

fn server_names(subject: &Subject) -> Vec<Hit> {
    let Some(host) = subject
        .settings
        .text("hostname")
        .filter(|host| !host.is_empty())
    else {
        return Vec::new();
    };
    [("relay_log", "-relay-bin"), ("log_bin_basename", "-bin")]
        .into_iter()
        .filter_map(|(name, suffix)| {
            let path = subject.settings.text(name)?;
            let file = path.rsplit('/').next().unwrap_or(path);
            // Empty is MariaDB's and 5.6's way to say the default.
            let by_host =
                (file.is_empty() && name == "relay_log") || file == format!("{host}{suffix}");
            by_host.then(|| {
                let seen = if file.is_empty() {
                    format!("{name} is not set")
                } else {
                    format!("{name} = {path}")
                };
                Hit::on(subject, seen).at(name)
            })
        })
        .collect()
}

fn file_names(subject: &Subject) -> Vec<Hit> {
    let Some(options) = &subject.options else {
        return Vec::new();
    };
    let bare_log = options
        .get("log_bin")
        .is_some_and(|opt| opt.value.is_none());
    let named = |name| options.get(name).is_some() || options.get("log_basename").is_some();
    [
        (!named("relay_log"), "relay_log", "relay_log is not set"),
        (
            bare_log && !named("log_basename"),
            "log_bin",
            "log_bin has no name; before MySQL 8.0 and in MariaDB it is the host's",
        ),
    ]
    .into_iter()
    .filter(|(bad, ..)| *bad)
    .map(|(_, name, seen)| Hit::on(subject, seen).at(name))
    .collect()
}
