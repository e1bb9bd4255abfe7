//! What keeps a pair from being healthy, in sentences, each said once and where it begins: pure.

use twinlog_server::{conn::Error as ConnError, facts::ServerFacts, version::Flavour};

use super::{
    Crossing, LinkState, LinkStatus, MeasuredBy, NodeReport, NodeStatus, Problem, Report,
    measure::{Belonging, belonging, link_from},
};
use crate::{
    config::{Config, Writes},
    copy::Mark,
    lost,
};

/// Clocks further apart than this make conflicts by time of commit unfair.
const CLOCK_OFFSET_MS_MAX: f64 = 1000.0;
/// How much of a set of transactions a sentence quotes, in characters.
const GTIDS_CHARS_MAX: usize = 120;

/// Everything that keeps the pair from being healthy; empty when it is.
pub(super) fn problems(
    config: &Config,
    report: &Report,
    nodes: &[NodeStatus],
    links: &[LinkStatus],
) -> Vec<Problem> {
    let facts = report.nodes.each_ref().map(NodeReport::facts);
    let pair_id = report.pair_id.as_deref();
    let mut found = Vec::new();
    for (status, facts) in nodes.iter().zip(facts) {
        node(status, facts, pair_id, &mut found);
    }
    let halves = report.nodes.each_ref().map(NodeReport::half_copy);
    for (status, half) in nodes.iter().zip(halves) {
        found.extend(half.map(|mark| half_copied(&status.name, mark)));
    }
    if let [Some(a), Some(b)] = facts {
        for (own, ends) in [(0, [a, b]), (1, [b, a])] {
            // Its log begins anew when the copy is whole.
            if halves[own].is_some() {
                continue;
            }
            let names = [own, 1 - own].map(|index| nodes[index].name.as_str());
            found.extend(lost::of(names, ends[0], ends[1]).map(|lost| Problem {
                at: names[0].to_owned(),
                message: lost.message,
                hint: Some(lost.hint),
            }));
        }
    }
    // A server that is no node of the pair has no link of the pair, which goes without saying; nor has half a copy.
    let are_nodes = halves == [None, None]
        && nodes.iter().zip(facts).all(|(status, facts)| {
            facts.is_none_or(|facts| belonging(facts, pair_id, &status.name) == Belonging::Ours)
        });
    for (source, status) in links.iter().enumerate().filter(|_| are_nodes) {
        let ends = [facts[source], facts[1 - source]];
        let crossing = &report.crossings[source];
        if let Some((message, hint)) = link(config, source, status, ends, crossing) {
            found.push(Problem {
                at: format!("{}→{}", status.source, status.replica),
                message,
                hint,
            });
        }
    }
    found
}

fn half_copied(name: &str, mark: &Mark) -> Problem {
    Problem {
        at: name.to_owned(),
        message: format!(
            "{name} holds half a copy of {}: it is not what it seems, and closed to clients",
            mark.source
        ),
        hint: Some(format!("{}, if it does not already", mark.source.hint())),
    }
}

fn node(
    status: &NodeStatus,
    facts: Option<&ServerFacts>,
    pair_id: Option<&str>,
    found: &mut Vec<Problem>,
) {
    let name = &status.name;
    let mut add = |message: String, hint: Option<String>| {
        found.push(Problem {
            at: name.clone(),
            message,
            hint,
        });
    };
    if let Some(error) = &status.error {
        add(
            format!("{name} does not answer: {}", error.message),
            error.hint.clone(),
        );
    }
    match facts.map(|facts| belonging(facts, pair_id, name)) {
        Some(Belonging::Nobody) => add(
            format!("{name} is not a node of this pair yet"),
            Some("run `twinlog up`".into()),
        ),
        Some(Belonging::Other) => add(
            format!("the server at {} is a node of another pair", status.address),
            Some(format!(
                "check host and port of [nodes.{name}], or `data_dir` in [server]"
            )),
        ),
        Some(Belonging::Ours) | None => {}
    }
    let Some(server) = &status.server else { return };
    let errant = server.errant.as_ref();
    if let Some(errant) =
        errant.filter(|errant| errant.missing_on_peer.is_some_and(|count| count > 0))
    {
        add(
            format!(
                "{name} has {} that neither node made and its peer lacks: {}",
                transactions(errant.missing_on_peer.unwrap_or(0)),
                shorten(&errant.gtids)
            ),
            Some(format!(
                "find out who wrote there ({}), and bring what it wrote to the peer: until then the nodes differ",
                makers(server.flavour)
            )),
        );
    }
}

/// What of a GTID tells who made it.
fn makers(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::MySql => "the UUID in front is that server's",
        Flavour::MariaDb => "the number in the middle is that server's id",
    }
}

/// What is wrong with a link, unless a silent node explains it.
fn link(
    config: &Config,
    source: usize,
    status: &LinkStatus,
    ends: [Option<&ServerFacts>; 2],
    crossing: &Crossing,
) -> Option<(String, Option<String>)> {
    let (from, to) = (&status.source, &status.replica);
    let replica = ends[1]?;
    let Some(report) = &status.report else {
        return Some((
            format!("{to} does not follow {from}: it has no link"),
            Some("`twinlog up` makes it".into()),
        ));
    };
    if let Some(stranger) = stranger(replica, ends[0]) {
        return Some((
            format!("{to} does not follow {from} but {} ({stranger})", report.source_address),
            Some("twinlog does not take a server out of another replication: `twinlog plan` says more".into()),
        ));
    }
    let waiting = status.state == LinkState::Connecting && ends[0].is_none();
    if let Some(error) = status.error.as_ref().filter(|_| !waiting) {
        let who = if report.applier {
            "receiver"
        } else {
            "applier"
        };
        let code = error
            .code
            .map_or(String::new(), |code| format!("ERROR {code}: "));
        return Some((
            format!(
                "the {who} of {from}→{to} is in trouble: {code}{}",
                error.message
            ),
            error.hint.clone(),
        ));
    }
    if status.state == LinkState::Stopped {
        let who = match (report.receiver.as_str(), report.applier) {
            ("No", false) => "the receiver and the applier",
            ("No", true) => "the receiver",
            _ => "the applier",
        };
        return Some((
            format!("{who} of {from}→{to} stopped, and there is no error to say why"),
            Some("somebody stopped it, or its server started without it: `twinlog up` starts it again".into()),
        ));
    }
    ends[0]?; // A silent source is a problem of its own.
    let unproven = |why: &str| format!("{from}→{to} is not proven: {why}");
    match crossing {
        Crossing::Arrived(..) => None,
        Crossing::Late(..) => Some(late(config, source, status)),
        Crossing::NotSent(reason) => Some((unproven(reason), None)),
        Crossing::Failed(error) => Some((unproven(&error.to_string()), failed(error))),
    }
}

/// What to do where a server refused the canary or broke off.
fn failed(error: &ConnError) -> Option<String> {
    match error {
        ConnError::Lost { .. } => Some(
            "a lock (a backup's FLUSH TABLES WITH READ LOCK) or a full disk may keep writes out: SHOW PROCESSLIST \
             tells, and the server's error log"
                .into(),
        ),
        error => error.hint(),
    }
}

/// Whom the replica follows, where that is somebody else.
fn stranger(replica: &ServerFacts, source: Option<&ServerFacts>) -> Option<String> {
    let source = source?;
    let link = link_from(&replica.links, Some(source))?;
    match (
        &link.source_uuid,
        source.server_uuid(),
        link.source_server_id,
    ) {
        (Some(theirs), Some(ours), _) if theirs != ours => Some(format!("server UUID {theirs}")),
        (_, None, Some(id)) if id != source.server_id() => Some(format!("server id {id}")),
        _ => None,
    }
}

fn late(config: &Config, source: usize, status: &LinkStatus) -> (String, Option<String>) {
    let (from, to) = (&status.source, &status.replica);
    let detail = status.canary.detail.as_deref().unwrap_or_default();
    let message = match status.canary.measured_by {
        Some(MeasuredBy::Position) => format!("{to} lags: what {from} had logged is {detail}"),
        _ => format!("{to} lags: what was written on {from} is {detail}"),
    };
    let report = status.report.as_ref();
    let filters: Vec<String> = report
        .into_iter()
        .flat_map(|report| &report.filters)
        .map(|filter| format!("{}: {}", filter.rule, filter.value))
        .collect();
    let hint = match report {
        Some(report) if report.delay_s > 0 => {
            format!("the link is delayed on purpose, by {} s", report.delay_s)
        }
        Some(_) if status.state == LinkState::Connecting => format!(
            "the receiver is not connected to {}: give it some seconds, then look at the error log of {to}",
            config.nodes[source].name
        ),
        Some(report) if report.missing.as_ref().is_some_and(|missing| missing.count > 1) => format!(
            "it has {} to catch up with: watch that number shrink with `twinlog status --watch`",
            transactions(report.missing.as_ref().map_or(0, |missing| missing.count))
        ),
        _ if !filters.is_empty() => format!("a filter may keep it out: {}", filters.join(", ")),
        _ => "a long transaction or a lock may hold the applier up (SHOW PROCESSLIST); `--wait` waits longer".into(),
    };
    (message, Some(hint))
}

/// What is worth knowing and hurts nobody yet.
pub(super) fn notes(config: &Config, nodes: &[NodeStatus], links: &[LinkStatus]) -> Vec<String> {
    let mut notes = Vec::new();
    let servers: Vec<_> = nodes
        .iter()
        .filter_map(|node| Some((node.name.as_str(), node.server.as_ref()?)))
        .collect();
    let closed: Vec<&str> = servers
        .iter()
        .filter(|(_, server)| server.read_only)
        .map(|(name, _)| *name)
        .collect();
    match (config.writes, closed.as_slice()) {
        (Writes::Both, []) => {}
        (Writes::Both, closed) => notes.push(format!(
            "{} refuses clients' writes, although writes = \"both\": `twinlog up` opens it",
            closed.join(" and ")
        )),
        (Writes::One, [_]) => {}
        (Writes::One, _) if servers.len() < 2 => {}
        (Writes::One, []) => notes.push(
            "both nodes accept clients' writes, although writes = \"one\": `twinlog up` closes one"
                .into(),
        ),
        (Writes::One, _) => {
            notes.push("both nodes refuse clients' writes: `twinlog up` opens one".into());
        }
    }
    let strange = servers.iter().find_map(|(_, server)| {
        let errant = server.errant.as_ref()?;
        (errant.count > 0 && errant.missing_on_peer == Some(0)).then_some((errant, server.flavour))
    });
    if let Some((errant, flavour)) = strange {
        notes.push(format!(
            "both nodes have {} that neither made: {} ({})",
            transactions(errant.count),
            shorten(&errant.gtids),
            makers(flavour)
        ));
    }
    if let [(a, first), (b, second)] = servers.as_slice() {
        let apart = (first.clock_offset_ms - second.clock_offset_ms).abs();
        if apart > CLOCK_OFFSET_MS_MAX {
            notes.push(format!(
                "the clocks of {a} and {b} are {:.1} s apart: run a time service on both machines",
                apart / 1000.0
            ));
        }
    }
    let by_position: Vec<String> = links
        .iter()
        .filter(|link| link.canary.measured_by == Some(MeasuredBy::Position))
        .map(|link| format!("{}→{}", link.source, link.replica))
        .collect();
    if !by_position.is_empty() {
        notes.push(format!(
            "{} measured by log position: a filter or super_read_only lets no row of twinlog's own cross",
            by_position.join(" and ")
        ));
    }
    notes
}

fn transactions(count: u64) -> String {
    match count {
        1 => "1 transaction".into(),
        count => format!("{count} transactions"),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(GTIDS_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
