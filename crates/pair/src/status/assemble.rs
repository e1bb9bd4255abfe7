//! From what was found out to the [`Status`]: pure.

use twinlog_server::{
    conn::Error as ConnError,
    facts::{LinkFacts, ServerFacts},
    process::Paths,
};

use super::{
    Answers, Canary, CanaryOutcome, Crossing, Failure, Filter, LinkReport, LinkState, LinkStatus,
    Mode, NodeReport, NodeStatus, Place, Report, Role, ServerStatus, Status, agent, gtids,
    measure::link_from, problems,
};
use crate::{
    config::{Config, Node, Writes},
    explain,
    observe::Silence,
};

/// Puts together what was found out about a pair.
pub fn assemble(config: &Config, report: &Report) -> Status {
    let facts = report.nodes.each_ref().map(NodeReport::facts);
    let nodes: Vec<NodeStatus> = (0..2)
        .map(|index| {
            node(
                config,
                &config.nodes[index],
                &report.nodes[index],
                facts[1 - index],
            )
        })
        .collect();
    let links: Vec<LinkStatus> = (0..2)
        .map(|source| link(config, source, facts, &report.crossings[source]))
        .collect();
    let agent = agent::agent(config, &report.nodes);
    let conflicts = agent::conflicts(&report.nodes);
    let mut problems = problems::problems(config, report, &nodes, &links);
    problems.extend(agent::problems(
        config,
        &report.nodes,
        agent.as_ref(),
        conflicts.as_ref(),
    ));
    let mut notes = problems::notes(config, &nodes, &links);
    notes.extend(agent::notes(config, agent.as_ref(), conflicts.as_ref()));
    Status {
        name: config.name.clone(),
        asked_at: report.asked_at.to_string(),
        healthy: problems.is_empty(),
        mode: config.replication.mode.into(),
        writes: config.writes.into(),
        notes,
        problems,
        nodes,
        links,
        agent,
        conflicts,
    }
}

fn node(
    config: &Config,
    node: &Node,
    report: &NodeReport,
    peer: Option<&ServerFacts>,
) -> NodeStatus {
    let error = match &report.server {
        Ok(_) => None,
        Err(Silence::NotRunning) => Some(Failure {
            code: None,
            message: "its server is not running".into(),
            hint: Some("`twinlog up` starts it".into()),
        }),
        Err(Silence::Starting) => Some(Failure {
            code: None,
            message: "its server is starting".into(),
            hint: Some("ask again in a moment; `twinlog up` waits for it".into()),
        }),
        Err(Silence::Failed(error)) => Some(Failure {
            code: error.code().map(u32::from),
            message: error.to_string(),
            hint: match (error, report.pid) {
                (ConnError::Unreachable { .. } | ConnError::Lost { .. }, Some(pid)) => {
                    let log = Paths::new(config.data_dir_of(node)).error_log();
                    Some(format!(
                        "its process {pid} is there, so it starts, or hangs: look at {}",
                        log.display()
                    ))
                }
                _ => error.hint(),
            },
        }),
    };
    NodeStatus {
        name: node.name.clone(),
        runtime: config.runtime_of(node).into(),
        address: address(&node.host, node.port),
        answers: error.is_none(),
        error,
        pid: report.pid,
        disk: report.disk,
        server: report
            .server
            .as_ref()
            .ok()
            .map(|answers| server(config, answers, peer)),
    }
}

fn server(config: &Config, answers: &Answers, peer: Option<&ServerFacts>) -> ServerStatus {
    let facts = &answers.facts;
    let version = facts.version();
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let counter = |name: &str| number(facts.counters.get(name).map(String::as_str));
    let read_only = facts.is_on("read_only") || facts.is_on("super_read_only");
    ServerStatus {
        flavour: version.flavour,
        version: format!("{}.{}.{}", version.major, version.minor, version.patch),
        role: match (config.writes, read_only) {
            (Writes::Both, _) => Role::Both,
            (Writes::One, false) => Role::Writer,
            (Writes::One, true) => Role::Standby,
        },
        read_only,
        server_id: facts.server_id(),
        server_uuid: facts.server_uuid().map(str::to_owned),
        uptime_s: counter("uptime"),
        connections: counter("threads_connected"),
        connections_max: number(facts.named("max_connections")),
        clock_offset_ms: ms(facts.clock_offset_us as f64),
        clock_error_ms: ms(facts.clock_error_us as f64),
        log_end: facts.binlog_end.as_ref().map(Place::from),
        executed: gtids::executed(facts),
        errant: gtids::errant(facts, answers.origin.as_ref(), peer),
    }
}

fn link(
    config: &Config,
    source: usize,
    facts: [Option<&ServerFacts>; 2],
    crossing: &Crossing,
) -> LinkStatus {
    let ends = [facts[source], facts[1 - source]];
    let found = ends[1].and_then(|replica| link_from(&replica.links, ends[0]));
    LinkStatus {
        source: config.nodes[source].name.clone(),
        replica: config.nodes[1 - source].name.clone(),
        state: match (ends[1], found) {
            (None, _) => LinkState::Unknown,
            (_, None) => LinkState::Missing,
            (_, Some(link)) if link.is_running() => LinkState::Running,
            (_, Some(link)) if link.is_stopped() => LinkState::Stopped,
            _ => LinkState::Connecting,
        },
        lag_ms: match crossing {
            Crossing::Arrived(took, _) => Some(ms(took.as_secs_f64() * 1e6)),
            _ => None,
        },
        canary: canary(crossing),
        error: found
            .and_then(LinkFacts::error)
            .map(|(code, message)| Failure {
                code: Some(code),
                message: message.to_owned(),
                hint: explain::link_error(code, message),
            }),
        report: found.map(|link| link_report(link, ends)),
    }
}

fn canary(crossing: &Crossing) -> Canary {
    let (outcome, measured_by, detail) = match crossing {
        Crossing::Arrived(_, by) => (CanaryOutcome::Arrived, Some(*by), None),
        Crossing::Late(waited, by) => {
            let detail = format!("not there after {:.1} s", waited.as_secs_f64());
            (CanaryOutcome::Late, Some(*by), Some(detail))
        }
        Crossing::Failed(error) => (CanaryOutcome::Failed, None, Some(error.to_string())),
        Crossing::NotSent(reason) => (CanaryOutcome::NotSent, None, Some(reason.clone())),
    };
    Canary {
        outcome,
        measured_by,
        detail,
    }
}

fn link_report(link: &LinkFacts, ends: [Option<&ServerFacts>; 2]) -> LinkReport {
    let missing = match ends {
        [Some(source), Some(replica)] if link.by_gtid => gtids::missing(source, replica),
        _ => None,
    };
    LinkReport {
        source_address: address(&link.source_host, link.source_port),
        channel: link.channel.clone(),
        mode: if link.by_gtid {
            Mode::Gtid
        } else {
            Mode::Position
        },
        receiver: link.receiver.clone(),
        receiver_state: link.receiver_state.clone(),
        applier: link.applier,
        read: Place::from(&link.read),
        executed: Place::from(&link.executed),
        missing,
        seconds_behind: link.seconds_behind,
        delay_s: link.delay_s,
        tls: link.tls,
        tls_verified: link.tls && link.tls_ca,
        filters: link
            .filters
            .iter()
            .map(|(rule, value)| Filter {
                rule: rule.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}

fn address(host: &str, port: u16) -> String {
    twinlog_server::conn::Address::Tcp(host.to_owned(), port).to_string()
}

/// Microseconds as milliseconds, to the microsecond.
fn ms(us: f64) -> f64 {
    us.round() / 1000.0
}
