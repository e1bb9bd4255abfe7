//! Transactions that one node has and the other will never get.

use twinlog_server::{
    facts::author,
    gtid::{MariaDbPosition, MySqlSet},
};

use super::{Hit, Live, Rule, Scene, Severity, Subject};
use crate::config::Mode;

/// A GTID set can be long; its beginning tells enough.
const SHOWN_CHARS_MAX: usize = 120;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "TL112",
        severity: Severity::Error,
        title: "a node has transactions that the other never made or got",
        why: "Such errant transactions came from neither node through a link: from a third server, a restored copy, or a node that \
              lost its last commits in a crash. The nodes differ already. When their log is gone, the link stops; a lost node's \
              new transactions take old names, and its peer passes over them.",
        advice: "Compare the two nodes' data. If they are equal, give the other node these GTIDs as empty transactions \
                 (`SET gtid_next = '…'; BEGIN; COMMIT; SET gtid_next = AUTOMATIC`); if not, rebuild the node that is wrong.",
        check: errant,
    },
    Rule {
        code: "TL113",
        severity: Severity::Error,
        title: "transactions that a node still needs are gone from its peer's log",
        why: "The link cannot go on: the changes in between exist in no log any more.",
        advice: "Make the node that lacks them again from the other with `twinlog rebuild NODE`, and keep the log for longer \
                 (`binlog_expire_logs_seconds`).",
        check: purged,
    },
    Rule {
        code: "TL117",
        severity: Severity::Error,
        title: "a node has lost transactions of its own",
        why: "The other node had them from it. It was restored from an older copy, or its log was reset, and gives their names \
              again: what clients write there is passed over by the other node, and the nodes differ without an error.",
        advice: "Keep clients away from it. Put its newer data directory back, or make it again from the other node with \
                 `twinlog rebuild NODE`: docs/operations.md says more under \"A node that is made again\".",
        check: own_lost,
    },
];

/// Both servers, where they replicate by MySQL's GTIDs.
fn by_mysql_gtids(scene: &Scene) -> Option<[(&Subject, &Live); 2]> {
    let by_gtid = scene
        .config
        .as_ref()
        .is_some_and(|config| config.replication.mode == Mode::Gtid);
    let both = scene.both_live()?;
    let able =
        |(_, live): &(&Subject, &Live)| !live.facts.dialect.is_mariadb() && live.facts.has_gtids();
    (by_gtid && both.iter().all(able)).then_some(both)
}

fn directions<T: Copy>([a, b]: [T; 2]) -> [(T, T); 2] {
    [(a, b), (b, a)]
}

fn errant(scene: &Scene) -> Vec<Hit> {
    if let Some(both) = by_mysql_gtids(scene) {
        return directions(both)
            .into_iter()
            .filter_map(|((subject, live), (_, peer))| errant_of(subject, live, peer))
            .collect();
    }
    let Some(both) = scene.both_live() else {
        return Vec::new();
    };
    directions(both)
        .into_iter()
        .filter_map(|((subject, live), (peer_subject, peer))| {
            ahead_of(subject, live, peer_subject, peer)
        })
        .collect()
}

/// What a node has and the other lacks, its own transactions left out: those are only on their way.
fn errant_of(subject: &Subject, live: &Live, peer: &Live) -> Option<Hit> {
    let executed: MySqlSet = live.facts.executed().parse().ok()?;
    let lacking = executed.subtract(&peer.executed_later.parse().ok()?);
    let own: Option<uuid::Uuid> = live.facts.server_uuid()?.parse().ok();
    let foreign: Vec<String> = lacking
        .servers()
        .into_iter()
        .filter(|server| Some(*server) != own)
        .map(|server| lacking.only_from(server).to_string())
        .collect();
    (!foreign.is_empty())
        .then(|| Hit::on(subject, shorten(&foreign.join(", "))).at("gtid_executed"))
}

/// MariaDB: whether a node is further in its peer's own domain than the peer itself.
fn ahead_of(subject: &Subject, live: &Live, peer_subject: &Subject, peer: &Live) -> Option<Hit> {
    if !live.facts.dialect.is_mariadb() || !peer.facts.dialect.is_mariadb() {
        return None;
    }
    let domain: u32 = peer.facts.named("gtid_domain_id")?.parse().ok()?;
    let own: u32 = live.facts.named("gtid_domain_id")?.parse().ok()?;
    let seen = live
        .facts
        .executed()
        .parse::<MariaDbPosition>()
        .ok()?
        .mark(domain)?;
    let last = peer
        .executed_later
        .parse::<MariaDbPosition>()
        .ok()?
        .mark(domain);
    let ahead = last.is_none_or(|last| last.sequence < seen.sequence);
    (domain != own && ahead).then(|| {
        let last = last.map_or("nothing".to_owned(), |last| last.to_string());
        Hit::on(
            subject,
            format!("it has {seen}, and {} itself has {last}", peer_subject.name),
        )
        .at("gtid_current_pos")
    })
}

fn own_lost(scene: &Scene) -> Vec<Hit> {
    let Some(both) = scene.both_live() else {
        return Vec::new();
    };
    directions(both)
        .into_iter()
        .filter_map(|((subject, live), (_, peer))| {
            let mut facts = live.facts.clone();
            if !facts.dialect.is_mariadb() {
                let later = live.executed_later.clone();
                facts.variables.insert("gtid_executed".into(), later);
            }
            let missing = author::lost(&facts, &peer.facts)?;
            Some(Hit::on(subject, shorten(&missing.to_string())))
        })
        .collect()
}

fn purged(scene: &Scene) -> Vec<Hit> {
    let Some(both) = by_mysql_gtids(scene) else {
        return Vec::new();
    };
    directions(both)
        .into_iter()
        .filter_map(|((_, source), (subject, replica))| {
            let purged: MySqlSet = source.facts.purged().parse().ok()?;
            let lacking = purged.subtract(&replica.executed_later.parse().ok()?);
            (!lacking.is_empty())
                .then(|| Hit::on(subject, shorten(&lacking.to_string())).at("gtid_executed"))
        })
        .collect()
}

fn shorten(set: &str) -> String {
    match set.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &set[..at]),
        None => set.to_owned(),
    }
}
