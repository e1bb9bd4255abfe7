//! The screen, as it is drawn 80 columns wide and without colours.

use twinlog_pair::status::{
    AgentLock, AgentStatus, Canary, ConflictStatus, Disk, Errant, Failure, Filter, Place, Problem,
    Transactions,
};
use twinlog_pair::watch_state::{Compared, Comparing};
use twinlog_server::version::Flavour;

use super::*;

const UUIDS: [&str; 2] = [
    "aaaaaaaa-0000-0000-0000-000000000001",
    "bbbbbbbb-0000-0000-0000-000000000002",
];

fn drawn(status: &Status) -> String {
    let text = anstream::adapter::strip_str(&render(status, 80)).to_string();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}\n{text}");
    text
}

fn node(index: usize) -> NodeStatus {
    NodeStatus {
        name: ["a", "b"][index].into(),
        runtime: Runtime::Process,
        address: format!("127.0.0.1:{}", 3307 + index),
        answers: true,
        error: None,
        pid: Some(4711),
        disk: Some(Disk {
            free_bytes: 20_100_000_000,
            total_bytes: 40_000_000_000,
        }),
        server: Some(ServerStatus {
            flavour: Flavour::MySql,
            version: "9.7.4".into(),
            role: Role::Both,
            read_only: false,
            server_id: 1 + index as u32,
            server_uuid: Some(UUIDS[index].into()),
            uptime_s: 11_520,
            connections: 5,
            connections_max: 151,
            clock_offset_ms: 0.214,
            clock_error_ms: 0.1,
            log_end: Some(place()),
            executed: Some(format!("{}:1-42,{}:1-7:9", UUIDS[0], UUIDS[1])),
            errant: Some(Errant {
                count: 0,
                gtids: String::new(),
                missing_on_peer: Some(0),
            }),
        }),
    }
}

fn place() -> Place {
    Place {
        file: "binlog.000002".into(),
        position: 1234,
    }
}

fn link(source: usize) -> LinkStatus {
    LinkStatus {
        source: ["a", "b"][source].into(),
        replica: ["b", "a"][source].into(),
        state: LinkState::Running,
        lag_ms: Some(3.125),
        canary: Canary {
            outcome: CanaryOutcome::Arrived,
            measured_by: Some(MeasuredBy::Row),
            detail: None,
        },
        error: None,
        report: Some(LinkReport {
            source_address: format!("127.0.0.1:{}", 3307 + source),
            channel: String::new(),
            mode: Mode::Gtid,
            receiver: "Yes".into(),
            receiver_state: "Waiting for source to send event".into(),
            applier: true,
            read: place(),
            executed: place(),
            missing: Some(Transactions::default()),
            seconds_behind: Some(0),
            delay_s: 0,
            tls: true,
            tls_verified: true,
            filters: Vec::new(),
        }),
    }
}

fn healthy() -> Status {
    Status {
        name: "shop".into(),
        asked_at: "2026-01-01T00:00:00Z".into(),
        healthy: true,
        mode: Mode::Gtid,
        writes: Writes::Both,
        problems: Vec::new(),
        notes: Vec::new(),
        nodes: vec![node(0), node(1)],
        links: vec![link(0), link(1)],
        agent: Some(agent()),
        conflicts: Some(conflicts()),
    }
}

fn agent() -> AgentStatus {
    let lock = |node: &str| AgentLock {
        node: node.into(),
        connection: 17,
        from: Some("localhost".into()),
    };
    AgentStatus {
        running: true,
        locks: vec![lock("a"), lock("b")],
        host: Some("db1".into()),
        pid: Some(4711),
        stays: true,
        started_at: Some("2025-12-31T20:48:00Z".into()),
        checkpoint_at: Some("2025-12-31T23:59:59Z".into()),
        checkpoint_age_s: Some(1.0),
        settled: Some(format!("{}:1-42,\n{}:1-7", UUIDS[0], UUIDS[1])),
        in_flight_transactions: Some(3),
        in_flight_keys: Some(12),
        memory_bytes: Some(120_000),
        memory_limit_bytes: Some(268_435_456),
        lag_ms: [("a".to_owned(), 3.125), ("b".to_owned(), 2.0)].into(),
        verdicts_open: Some(0),
        conflicts: Some(12),
        repairs: Some(11),
        to_verify: Vec::new(),
        verify: Default::default(),
    }
}

fn conflicts() -> ConflictStatus {
    ConflictStatus {
        total: 12,
        repaired: 11,
        open: 0,
        waiting: 1,
        by_state: [("open".to_owned(), 1), ("repaired".to_owned(), 11)].into(),
    }
}

#[test]
fn a_healthy_pair() {
    insta::assert_snapshot!("healthy", drawn(&healthy()));
}

#[test]
fn a_broken_link() {
    let mut status = healthy();
    let message = "Could not execute Write_rows event on table test.x; Duplicate entry '1' for key 'x.PRIMARY'";
    let hint =
        "both nodes inserted the same key, and the applier stopped: compare the row on both nodes";
    status.healthy = false;
    status.problems = vec![Problem {
        at: "a→b".into(),
        message: format!("the applier of a→b is in trouble: ERROR 1062: {message}"),
        hint: Some(hint.into()),
    }];
    status.notes = vec![
        "both nodes accept clients' writes, although writes = \"one\": `twinlog up` closes one"
            .into(),
    ];
    let link = &mut status.links[0];
    link.state = LinkState::Stopped;
    link.lag_ms = None;
    link.canary = Canary {
        outcome: CanaryOutcome::NotSent,
        measured_by: None,
        detail: Some("the link is stopped".into()),
    };
    link.error = Some(Failure {
        code: Some(1062),
        message: message.into(),
        hint: Some(hint.into()),
    });
    if let Some(report) = &mut link.report {
        report.applier = false;
        report.seconds_behind = None;
        report.delay_s = 60;
        report.missing = Some(Transactions {
            count: 3,
            gtids: format!("{}:40-42", UUIDS[0]),
        });
        report.filters = vec![Filter {
            rule: "Replicate_Wild_Do_Table".into(),
            value: "test.%,twinlog.%".into(),
        }];
    }
    insta::assert_snapshot!("broken_link", drawn(&status));
}

#[test]
fn a_dead_node() {
    let mut status = healthy();
    status.healthy = false;
    status.problems = vec![Problem {
        at: "b".into(),
        message: "b does not answer: its server is not running".into(),
        hint: Some("`twinlog up` starts it".into()),
    }];
    let dead = &mut status.nodes[1];
    (dead.answers, dead.pid, dead.server) = (false, None, None);
    for link in &mut status.links {
        link.lag_ms = None;
        link.canary.outcome = CanaryOutcome::NotSent;
    }
    (status.links[0].state, status.links[0].report) = (LinkState::Unknown, None);
    status.links[1].state = LinkState::Connecting;
    insta::assert_snapshot!("dead_node", drawn(&status));
}

/// The lines about the agent alone.
fn about_agent(change: impl FnOnce(&mut AgentStatus)) -> String {
    let mut status = healthy();
    let mut agent = agent();
    change(&mut agent);
    status.agent = Some(agent);
    status.conflicts = None;
    let text = drawn(&status);
    let last = text.rsplit("\n\n").next();
    last.unwrap_or_default().to_owned()
}

#[test]
fn each_state_of_an_agent() {
    let said = [
        about_agent(|agent| {
            agent.running = false;
            agent.locks.clear();
            agent.checkpoint_age_s = Some(11_520.0);
        }),
        about_agent(|agent| {
            agent.running = false;
            agent.locks.pop();
        }),
        // Never one.
        about_agent(|agent| {
            *agent = AgentStatus {
                running: false,
                locks: Vec::new(),
                host: None,
                pid: None,
                stays: false,
                started_at: None,
                checkpoint_at: None,
                checkpoint_age_s: None,
                settled: None,
                in_flight_transactions: None,
                in_flight_keys: None,
                memory_bytes: None,
                memory_limit_bytes: None,
                lag_ms: [].into(),
                verdicts_open: None,
                conflicts: None,
                repairs: None,
                to_verify: Vec::new(),
                verify: Default::default(),
            }
        }),
        // It has found more than it has settled by now.
        about_agent(|agent| agent.verdicts_open = Some(2700)),
        // It compares by itself, and will; and has.
        about_agent(|agent| agent.verify.next_at = Some("2026-01-01T00:09:00Z".into())),
        about_agent(|agent| {
            agent.verify.under_way = Some(Comparing {
                began_at: "2025-12-31T23:57:00Z".into(),
                of: "*.*".into(),
                rows_estimated: 1_000_000,
                rows_done: 412_345,
                ..Comparing::default()
            });
            agent.verify.next_at = Some("2025-12-31T23:57:00Z".into());
        }),
        about_agent(|agent| {
            agent.verify.last = Some(Compared {
                began_at: "2025-12-31T20:00:00Z".into(),
                ended_at: "2025-12-31T21:00:00Z".into(),
                tables: 12,
                rows: 1_000_000,
                differing_rows: 3,
                ..Compared::default()
            });
            agent.verify.next_at = Some("2026-01-07T20:00:00Z".into());
        }),
        // It has just come, and wrote nothing yet.
        about_agent(|agent| (agent.host, agent.settled) = (None, None)),
    ];
    insta::assert_snapshot!("agents", said.join("\n\n"));
}

#[test]
fn colours_are_there_to_be_taken_out() {
    let text = render(&healthy(), 80);
    assert!(text.contains("\x1b[1;32mhealthy\x1b[0m"), "{text:?}");
}
