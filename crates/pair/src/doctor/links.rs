//! The links: between the nodes, and to or from anybody else.

use twinlog_server::{dialect::Account, facts::LinkFacts};

use super::{Hit, Live, Rule, Scene, Severity, settings::number};
use crate::config::Mode;

/// A link that tries for less than this does not outlast a holiday.
const TRIES_MIN_S: u64 = 7 * 86_400;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL101",
        severity: Severity::Error,
        title: "a link is missing",
        why: "A dual primary has two links. What is written on the other node never comes here.",
        advice: "Run `twinlog up`: it makes the link and proves it.",
        check: missing_link,
    },
    Rule {
        code: "TL102",
        severity: Severity::Error,
        title: "a link does not run",
        why: "What is written on the other node does not come here until it does, and the nodes drift apart meanwhile.",
        advice: "Look at the error; `twinlog status` says what to do about it. Once its cause is gone, `twinlog up` starts the link.",
        check: stopped_link,
    },
    Rule {
        code: "TL106",
        severity: Severity::Warning,
        title: "a link is delayed on purpose",
        why: "For that time every write conflicts with the other node's, and a fail-over loses or waits for it.",
        advice: "Set the delay to 0: `CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 0` (MASTER_DELAY on older servers), with the link \
                 stopped. Keep delayed copies on a third server.",
        check: |scene| {
            each_link(scene, |_, link| {
                (link.delay_s > 0).then(|| format!("delayed by {} s", link.delay_s))
            })
        },
    },
    Rule {
        code: "TL107",
        severity: Severity::Warning,
        title: "a link is not encrypted",
        why: "Whoever sees the network between the nodes sees every change, and the login of the replication account.",
        advice: "Set `tls = \"required\"` in [replication] and run `twinlog up`; an external server needs a certificate first.",
        check: |scene| {
            each_link(scene, |_, link| {
                (!link.tls && !is_loopback(&link.source_host))
                    .then(|| format!("to {} without TLS", link.source_host))
            })
        },
    },
    Rule {
        code: "TL108",
        severity: Severity::Info,
        title: "a link does not check whom it talks to",
        why: "It is encrypted, but the source's certificate is not held against an authority: somebody in between could pose as the \
              source.",
        advice: "Give the replica the authority's certificate: SOURCE_SSL_CA (MASTER_SSL_CA on older servers).",
        check: |scene| {
            each_link(scene, |_, link| {
                (link.tls && !link.tls_ca && !is_loopback(&link.source_host))
                    .then(|| format!("to {} without a CA", link.source_host))
            })
        },
    },
    Rule {
        code: "TL109",
        severity: Severity::Warning,
        title: "a link logs in with an account that may do more than replicate",
        why: "The account's password is stored on the peer, in the clear on older servers. Whoever gets it owns this server.",
        advice: "Run `twinlog up`: it makes an account that may only read the log, and changes the link to it.",
        check: mighty_link,
    },
    Rule {
        code: "TL110",
        severity: Severity::Error,
        title: "a node replicates from a stranger",
        why: "Changes come in from a server outside the pair. twinlog does not know its log, cannot tell conflicts with it, and the \
              stranger does not get what is written here.",
        advice: "Stop that link and forget it: `STOP REPLICA; RESET REPLICA ALL` (SLAVE on older servers), for its channel.",
        check: stranger_link,
    },
    Rule {
        code: "TL111",
        severity: Severity::Info,
        title: "somebody else reads a node's log",
        why: "A third replica or a change-data-capture client gets everything that is written here, and has to be pointed at the \
              other node after a fail-over.",
        advice: "Know who it is. `SHOW PROCESSLIST` shows it; revoke REPLICATION SLAVE from an account that should not.",
        check: stranger_reader,
    },
    Rule {
        code: "TL114",
        severity: Severity::Warning,
        title: "MariaDB's link by position does not survive a crash",
        why: "Without GTIDs the link's place is kept in files that are written now and then. After a crash it goes on at an older \
              place, and changes are applied twice.",
        advice: "Use GTIDs (`mode = \"gtid\"`), or set `sync_master_info`, `sync_relay_log` and `sync_relay_log_info` to 1.",
        check: unsafe_position,
    },
    Rule {
        code: "TL115",
        severity: Severity::Warning,
        title: "a link gives up",
        why: "After an outage longer than its tries last, a link stays down until somebody starts it. MySQL 9 by itself gives up \
              after ten minutes.",
        advice: "Run `twinlog up`, or set SOURCE_RETRY_COUNT = 0 (MASTER_RETRY_COUNT on older servers; in MariaDB the option \
                 `master_retry_count = 0` in [mysqld]).",
        check: gives_up,
    },
    Rule {
        code: "TL116",
        severity: Severity::Warning,
        title: "a link goes by position though the pair uses GTIDs",
        why: "It cannot tell which changes are missing, and has to be set up by hand after a crash or fail-over.",
        advice: "Run `twinlog up`.",
        check: by_position,
    },
];

/// A hit for each link from a peer for which `bad` says something.
fn each_link(scene: &Scene, bad: fn(&Scene, &LinkFacts) -> Option<String>) -> Vec<Hit> {
    scene
        .live()
        .filter_map(|(index, subject, _)| {
            let seen = bad(scene, scene.link(index)?)?;
            Some(Hit::on(subject, seen).at(link_name(scene, index)))
        })
        .collect()
}

/// `a→b`, for the link into node `index`.
fn link_name(scene: &Scene, index: usize) -> String {
    let name = |index: usize| {
        scene
            .subjects
            .get(index)
            .map_or("?", |subject| subject.name.as_str())
    };
    format!("{}→{}", name(1_usize.saturating_sub(index)), name(index))
}

fn missing_link(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter(|(index, ..)| scene.peer(*index).is_some() && scene.link(*index).is_none())
        .map(|(index, subject, _)| {
            Hit::on(subject, "no link from the other node").at(link_name(scene, index))
        })
        .collect()
}

fn stopped_link(scene: &Scene) -> Vec<Hit> {
    each_link(scene, |_, link| {
        if link.is_running() {
            return None;
        }
        let threads = format!(
            "receiver {}, applier {}",
            link.receiver,
            if link.applier { "Yes" } else { "No" }
        );
        Some(match link.error() {
            Some((code, message)) => format!("{threads}; error {code}: {message}"),
            None => threads,
        })
    })
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn mighty_link(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter_map(|(index, subject, _)| {
            let user = &scene.link(index)?.source_user;
            let (_, peer) = scene.peer(index)?;
            let powers: Vec<&str> = peer
                .logins
                .iter()
                .flatten()
                .filter(|login| login.user == *user)
                .flat_map(|login| login.powers.iter().copied())
                .collect();
            if user != "root" && powers.is_empty() {
                return None;
            }
            let seen = if powers.is_empty() {
                format!("logs in as '{user}'")
            } else {
                format!("logs in as '{user}', who has {} and more", powers[0])
            };
            Some(Hit::on(subject, seen).at(link_name(scene, index)))
        })
        .collect()
}

fn stranger_link(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .flat_map(|(index, subject, live)| {
            let strangers = live
                .facts
                .links
                .iter()
                .filter(move |link| !scene.is_from_peer(index, link));
            strangers.map(move |link| {
                let seen = format!(
                    "replicates from {}:{} as '{}'",
                    link.source_host, link.source_port, link.source_user
                );
                let place = if link.channel.is_empty() {
                    "default channel".to_owned()
                } else {
                    format!("channel {}", link.channel)
                };
                Hit::on(subject, seen).at(place)
            })
        })
        .collect()
}

/// Readers beside the peer's one and twinlog itself.
fn stranger_reader(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .flat_map(|(index, subject, live)| {
            let peers = scene
                .peer(index)
                .and_then(|_| scene.link(1 - index))
                .map(|link| link.source_user.clone());
            let mut expected = usize::from(peers.is_some());
            strangers(live, peers.as_deref(), &mut expected)
                .into_iter()
                .map(|reader| Hit::on(subject, format!("{reader} reads the log")).at(reader))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn strangers(live: &Live, peer_user: Option<&str>, expected: &mut usize) -> Vec<String> {
    let user = |reader: &str| {
        reader
            .rsplit_once('@')
            .map_or(reader, |(user, _)| user)
            .to_owned()
    };
    live.facts
        .log_readers
        .iter()
        .filter(|reader| {
            let user = user(reader);
            if Some(user.as_str()) == peer_user && *expected > 0 {
                *expected -= 1;
                return false;
            }
            // A peer that could not be asked reads with twinlog's account, if it was made by twinlog.
            let unasked = peer_user.is_none() && user == Account::Replication.user();
            user != Account::Agent.user() && !unasked
        })
        .cloned()
        .collect()
}

fn unsafe_position(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter(|(index, _, live)| {
            live.facts.dialect.is_mariadb() && scene.link(*index).is_some_and(|link| !link.by_gtid)
        })
        .filter_map(|(index, subject, _)| {
            let unsynced: Vec<String> =
                ["sync_source_info", "sync_relay_log", "sync_relay_log_info"]
                    .into_iter()
                    .filter_map(|key| subject.settings.judge(key, |value| value != "1"))
                    .map(|seen| seen.text)
                    .collect();
            (!unsynced.is_empty())
                .then(|| Hit::on(subject, unsynced.join(", ")).at(link_name(scene, index)))
        })
        .collect()
}

fn gives_up(scene: &Scene) -> Vec<Hit> {
    scene
        .live()
        .filter_map(|(index, subject, live)| {
            let link = scene.link(index)?;
            let tries = if live.facts.dialect.is_mariadb() {
                // No variable shows it; what its file does not say is 100000 tries.
                let options = subject.options.as_ref()?;
                options
                    .get("master_retry_count")
                    .map_or(Some(100_000), |opt| opt.value.as_deref().and_then(number))?
            } else {
                link.retry_count
            };
            let seconds = tries.saturating_mul(u64::from(link.connect_retry_s.max(1)));
            (tries > 0 && seconds < TRIES_MIN_S).then(|| {
                let seen = format!(
                    "gives up after {tries} tries, {} s apart",
                    link.connect_retry_s
                );
                Hit::on(subject, seen).at(link_name(scene, index))
            })
        })
        .collect()
}

fn by_position(scene: &Scene) -> Vec<Hit> {
    let by_gtid = scene
        .config
        .as_ref()
        .is_some_and(|config| config.replication.mode == Mode::Gtid);
    if !by_gtid {
        return Vec::new();
    }
    each_link(scene, |_, link| {
        (!link.by_gtid).then(|| "follows by file and position".to_owned())
    })
}
