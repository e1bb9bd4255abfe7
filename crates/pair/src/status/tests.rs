//! Judging, without a server: facts in, sentences out.

use std::{collections::BTreeMap, path::Path, time::Duration};

use twinlog_server::{
    conn::{Address, Error as ConnError},
    dialect::Dialect,
    facts::{Coordinates, LinkFacts, Membership, ServerFacts},
    version::{Flavour, Version},
};

use super::*;
use crate::{
    config::{self, Config},
    origin::{Origin, Sameness},
    watch_state::{Checkpoint, History, LockHolder, STATE_OPEN, STATE_REPAIRED, Watched},
};

const UUIDS: [&str; 2] = [
    "aaaaaaaa-0000-0000-0000-000000000001",
    "bbbbbbbb-0000-0000-0000-000000000002",
];
const STRANGER: &str = "cccccccc-0000-0000-0000-000000000003";

fn config() -> Config {
    Config::local(Path::new("/pair"), "shop")
}

fn server(flavour: Flavour, index: usize, variables: &[(&str, &str)]) -> Answers {
    let (major, minor, patch) = match flavour {
        Flavour::MySql => (9, 7, 4),
        Flavour::MariaDb => (10, 11, 6),
    };
    let dialect = Dialect::of(&Version {
        flavour,
        major,
        minor,
        patch,
    })
    .expect("supported");
    let id = (index + 1).to_string();
    let mut all = BTreeMap::from([
        ("server_id".to_owned(), id.clone()),
        ("max_connections".to_owned(), "151".to_owned()),
    ]);
    match flavour {
        Flavour::MySql => {
            all.insert("server_uuid".into(), UUIDS[index].into());
            all.insert("gtid_mode".into(), "ON".into());
            let executed = format!("{}:1-7,\n{}:1-9", UUIDS[0], UUIDS[1]);
            all.insert("gtid_executed".into(), executed);
        }
        Flavour::MariaDb => {
            all.insert("gtid_domain_id".into(), id);
            for name in [
                "gtid_binlog_pos",
                "gtid_current_pos",
                "gtid_slave_pos",
                "gtid_binlog_state",
            ] {
                all.insert(name.into(), "1-1-7,2-2-9".into());
            }
        }
    }
    for (name, value) in variables {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut facts = ServerFacts::foreseen(dialect, all);
    facts.counters = BTreeMap::from([
        ("uptime".to_owned(), "90".to_owned()),
        ("threads_connected".to_owned(), "3".to_owned()),
    ]);
    facts.membership = Some(Membership {
        pair_id: "id".into(),
        node: ["a", "b"][index].into(),
        origin_gtids: String::new(),
    });
    facts.links = vec![link(1 - index)];
    Answers {
        facts,
        origin: None,
        half_copy: None,
        no_tables: Vec::new(),
        watched: None,
    }
}

fn link(source: usize) -> LinkFacts {
    let place = Coordinates {
        file: "binlog.000002".into(),
        position: 400,
    };
    LinkFacts {
        source_host: "127.0.0.1".into(),
        source_port: [3307, 3308][source],
        source_server_id: Some([1, 2][source]),
        receiver: "Yes".into(),
        applier: true,
        by_gtid: true,
        read: place.clone(),
        executed: place,
        seconds_behind: Some(0),
        tls: true,
        ..LinkFacts::default()
    }
}

fn report(servers: [Answers; 2]) -> Report {
    Report {
        asked_at: jiff::Timestamp::UNIX_EPOCH,
        pair_id: Some("id".into()),
        nodes: servers.map(|answers| NodeReport {
            server: Ok(Box::new(answers)),
            pid: Some(7),
            disk: None,
        }),
        crossings: [0, 0].map(|_| Crossing::Arrived(Duration::from_micros(3_125), MeasuredBy::Row)),
    }
}

fn pair(flavour: Flavour) -> Report {
    report([server(flavour, 0, &[]), server(flavour, 1, &[])])
}

fn answers(report: &mut Report, index: usize) -> &mut Answers {
    report.nodes[index].server.as_mut().expect("it answers")
}

fn link_into(report: &mut Report, index: usize) -> &mut LinkFacts {
    &mut answers(report, index).facts.links[0]
}

fn not_sent(report: &mut Report, source: usize) {
    report.crossings[source] = Crossing::NotSent("the link is stopped".into());
}

fn problems(report: &Report) -> Vec<(String, String, String)> {
    let status = assemble(&config(), report);
    assert_eq!(status.healthy, status.problems.is_empty());
    let problems = status.problems.into_iter();
    problems
        .map(|problem| {
            (
                problem.at,
                problem.message,
                problem.hint.unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn a_pair_without_problems_is_healthy() {
    for flavour in [Flavour::MySql, Flavour::MariaDb] {
        let status = assemble(&config(), &pair(flavour));
        assert!(status.healthy && status.is_known(), "{status:#?}");
        assert_eq!(status.notes, [""; 0]);
        let [a, _] = status.nodes.as_slice() else {
            panic!("two nodes")
        };
        let server = a.server.as_ref().expect("it answers");
        assert_eq!(
            (server.role, server.uptime_s, server.connections),
            (Role::Both, 90, 3)
        );
        assert!(!server.executed.as_deref().expect("GTIDs").contains('\n'));
        assert_eq!(server.errant.as_ref().map(|errant| errant.count), Some(0));
        for link in &status.links {
            assert_eq!((link.state, link.lag_ms), (LinkState::Running, Some(3.125)));
            let report = link.report.as_ref().expect("there is one");
            assert_eq!(report.missing, Some(Transactions::default()));
        }
    }
}

#[test]
fn what_the_replica_lacks_is_counted() {
    let behind = format!("{}:1-4,{}:1-9", UUIDS[0], UUIDS[1]);
    let mysql = report([
        server(Flavour::MySql, 0, &[]),
        server(Flavour::MySql, 1, &[("gtid_executed", &behind)]),
    ]);
    // Domain 0 is left of the time when both wrote in it: it differs for ever.
    let mariadb = report([
        server(
            Flavour::MariaDb,
            0,
            &[("gtid_binlog_pos", "0-1-11,1-1-7,2-2-9")],
        ),
        server(
            Flavour::MariaDb,
            1,
            &[("gtid_current_pos", "0-2-10,1-1-4,2-2-9")],
        ),
    ]);
    for (report, gtids) in [
        (mysql, format!("{}:5-7", UUIDS[0])),
        (mariadb, "1-1-5..7".into()),
    ] {
        let status = assemble(&config(), &report);
        let missing = |link: usize| {
            status.links[link]
                .report
                .as_ref()
                .and_then(|report| report.missing.clone())
        };
        assert_eq!(missing(0), Some(Transactions { count: 3, gtids }));
        assert_eq!(missing(1), Some(Transactions::default()));
    }
}

#[test]
fn a_link_by_position_has_no_missing_gtids() {
    let mut report = pair(Flavour::MySql);
    link_into(&mut report, 1).by_gtid = false;
    let status = assemble(&config(), &report);
    assert_eq!(
        status.links[0]
            .report
            .as_ref()
            .and_then(|report| report.missing.clone()),
        None
    );
}

#[test]
fn a_strangers_transaction_is_errant_where_the_peer_lacks_it() {
    let mysql = format!("{}:1-7,{}:1-9,{STRANGER}:3-4", UUIDS[0], UUIDS[1]);
    let cases = [
        (
            Flavour::MySql,
            "gtid_executed",
            mysql,
            format!("{STRANGER}:3-4"),
            2,
        ),
        (
            Flavour::MariaDb,
            "gtid_binlog_state",
            "1-9-8,1-1-9,2-2-9".into(),
            "1-9-8".into(),
            1,
        ),
    ];
    for (flavour, variable, value, gtids, count) in cases {
        let mut report = report([
            server(flavour, 0, &[(variable, &value)]),
            server(flavour, 1, &[]),
        ]);
        let found = problems(&report);
        assert!(
            matches!(&found[..], [(at, message, _)] if at == "a" && message.contains(&gtids)),
            "{found:?}"
        );

        answers(&mut report, 1)
            .facts
            .variables
            .insert(variable.into(), value.clone());
        let status = assemble(&config(), &report);
        let errant = status.nodes[0]
            .server
            .as_ref()
            .and_then(|server| server.errant.clone());
        assert_eq!(
            errant,
            Some(Errant {
                count,
                gtids: gtids.clone(),
                missing_on_peer: Some(0)
            })
        );
        assert!(
            status.healthy && status.notes[0].contains(&gtids),
            "{status:#?}"
        );

        // What was there when the pair was made is nobody's fault.
        answers(&mut report, 0).origin = Some(Origin {
            end: Coordinates::default(),
            gtids: gtids.clone(),
            sameness: Sameness::Equal,
            secrets_id: String::new(),
        });
        let status = assemble(&config(), &report);
        let errant = status.nodes[0]
            .server
            .as_ref()
            .and_then(|server| server.errant.clone());
        assert_eq!(errant.map(|errant| errant.count), Some(0));
    }
}

#[test]
fn an_appliers_error_is_said_with_what_to_do() {
    let mut report = pair(Flavour::MySql);
    let link = link_into(&mut report, 1);
    link.applier = false;
    link.applier_errno = 1062;
    link.applier_error = "Duplicate entry '1' for key 'x.PRIMARY'".into();
    not_sent(&mut report, 0);
    let found = problems(&report);
    let [(at, message, hint)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(at, "a→b");
    assert!(
        message.contains("applier of a→b") && message.contains("ERROR 1062: Duplicate entry"),
        "{message}"
    );
    assert!(hint.contains("same key"), "{hint}");
}

#[test]
fn a_link_that_was_stopped_is_no_error_and_still_a_problem() {
    let mut report = pair(Flavour::MariaDb);
    link_into(&mut report, 0).receiver = "No".into();
    not_sent(&mut report, 1);
    let found = problems(&report);
    assert!(
        matches!(&found[..], [(at, message, _)] if at == "b→a" && message.contains("the receiver of b→a stopped")),
        "{found:?}"
    );
}

#[test]
fn a_silent_node_is_one_problem_and_the_other_node_is_shown() {
    let mut report = pair(Flavour::MySql);
    report.nodes[1].server = Err(Silence::Failed(ConnError::Unreachable {
        address: Address::Tcp("db2".into(), 3306),
        user: "twinlog".into(),
        reason: "no answer within 1.5 s".into(),
    }));
    let link = link_into(&mut report, 0);
    link.receiver = "Connecting".into();
    link.receiver_errno = 2003;
    report.crossings = [0, 0].map(|_| Crossing::NotSent("b does not answer".into()));
    let status = assemble(&config(), &report);
    let [problem] = status.problems.as_slice() else {
        panic!("{:?}", status.problems)
    };
    assert_eq!(problem.at, "b");
    assert!(
        problem
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("error.log")),
        "{problem:?}"
    );
    assert!(status.nodes[0].server.is_some() && status.is_known());
    let states: Vec<LinkState> = status.links.iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Unknown, LinkState::Connecting]);

    report.nodes[0].server = Err(Silence::NotRunning);
    report.nodes[0].pid = None;
    assert!(!assemble(&config(), &report).is_known());
    report.nodes[1].pid = None;
    assert!(assemble(&config(), &report).is_known());
}

#[test]
fn a_late_canary_is_explained() {
    let late = |change: fn(&mut LinkFacts)| {
        let mut report = pair(Flavour::MariaDb);
        change(link_into(&mut report, 1));
        report.crossings[0] = Crossing::Late(Duration::from_millis(1500), MeasuredBy::Row);
        problems(&report).remove(0).2
    };
    assert!(late(|link| link.delay_s = 60).contains("on purpose, by 60 s"));
    let filter = ("Replicate_Do_DB".to_owned(), "test".to_owned());
    assert!(
        late(|link| link.filters = vec![("Replicate_Do_DB".into(), "test".into())])
            .contains(&filter.1)
    );
    assert!(late(|link| link.receiver = "Connecting".into()).contains("not connected"));
}

#[test]
fn a_server_that_is_not_the_pairs_is_named() {
    let mut report = pair(Flavour::MySql);
    answers(&mut report, 0).facts.membership = None;
    answers(&mut report, 1).facts.membership = Some(Membership {
        pair_id: "another".into(),
        node: "b".into(),
        origin_gtids: String::new(),
    });
    let found: Vec<String> = problems(&report)
        .into_iter()
        .map(|(_, message, _)| message)
        .collect();
    assert_eq!(
        found,
        [
            "a is not a node of this pair yet",
            "the server at 127.0.0.1:3308 is a node of another pair"
        ]
    );
}

#[test]
fn a_link_from_a_stranger_is_named() {
    let mut report = pair(Flavour::MySql);
    let link = link_into(&mut report, 1);
    link.source_uuid = Some(STRANGER.into());
    link.source_server_id = Some(77);
    let found = problems(&report);
    assert!(
        matches!(&found[..], [(_, message, _)] if message.contains(STRANGER)),
        "{found:?}"
    );
}

#[test]
fn roles_follow_from_who_refuses_writes() {
    let roles = |writes, closed: [&str; 2]| {
        let config = Config { writes, ..config() };
        let servers =
            [0, 1].map(|index| server(Flavour::MySql, index, &[("read_only", closed[index])]));
        let status = assemble(&config, &report(servers));
        let roles: Vec<Role> = status
            .nodes
            .iter()
            .filter_map(|node| node.server.as_ref())
            .map(|server| server.role)
            .collect();
        (roles, status.notes.len())
    };
    use config::Writes::{Both, One};
    assert_eq!(
        roles(One, ["OFF", "ON"]),
        (vec![Role::Writer, Role::Standby], 0)
    );
    assert_eq!(
        roles(One, ["OFF", "OFF"]),
        (vec![Role::Writer, Role::Writer], 1)
    );
    assert_eq!(
        roles(One, ["ON", "ON"]),
        (vec![Role::Standby, Role::Standby], 1)
    );
    assert_eq!(
        roles(Both, ["OFF", "ON"]),
        (vec![Role::Both, Role::Both], 1)
    );
}

fn watched(checkpoint: Option<&str>, history: History, locked: bool) -> Watched {
    Watched {
        lock: locked.then_some(LockHolder {
            connection: 5,
            from: None,
        }),
        checkpoint: checkpoint.map(|detail| Checkpoint {
            settled: "1-1-7".into(),
            written_at_us: 1_000_000,
            age_us: 2_500_000,
            state: serde_json::from_str(detail).ok(),
        }),
        history,
    }
}

/// A pair that shows this of its agent, on each node.
fn with(change: impl Fn(usize) -> Watched) -> Report {
    let mut report = pair(Flavour::MySql);
    for index in 0..2 {
        answers(&mut report, index).watched = Some(change(index));
    }
    report
}

fn history(open: u64, waiting: u64) -> History {
    let by_state = [
        (STATE_OPEN.to_owned(), open + waiting),
        (STATE_REPAIRED.to_owned(), 4),
    ];
    History {
        by_state: by_state.into(),
        open,
        waiting,
    }
}

#[test]
fn an_agent_that_runs_is_shown_by_its_latest_checkpoint() {
    let report = with(|index| {
        let detail = r#"{"host":"db1","pid":7,"lag_ms":{"a":1.5},"memory_limit_bytes":9}"#;
        let mut watched = watched(Some(detail), history(0, 0), true);
        if let (1, Some(checkpoint)) = (index, &mut watched.checkpoint) {
            // What has crossed is older than what is on its way.
            checkpoint.written_at_us = 500_000;
            checkpoint.state = None;
        }
        watched
    });
    let status = assemble(&config(), &report);
    assert!(status.healthy, "{:?}", status.problems);
    assert_eq!(status.notes, [""; 0]);
    let agent = status.agent.expect("both nodes tell");
    assert!(agent.running);
    assert_eq!((agent.host.as_deref(), agent.pid), (Some("db1"), Some(7)));
    assert_eq!(agent.checkpoint_at.as_deref(), Some("1970-01-01T00:00:01Z"));
    assert_eq!(agent.checkpoint_age_s, Some(2.5));
    let conflicts = status.conflicts.expect("both nodes tell");
    assert_eq!((conflicts.total, conflicts.repaired), (4, 4));
}

#[test]
fn an_open_conflict_is_a_problem_unless_it_waits_for_a_person() {
    let report = with(|_| watched(None, history(1, 0), true));
    let [(at, message, hint)] = problems(&report).try_into().expect("one");
    assert_eq!(at, "shop");
    assert_eq!(message, "the nodes differ: 1 conflict is open");
    assert!(hint.contains("twinlog conflicts list"), "{hint}");

    let waiting = with(|_| watched(None, history(0, 2), true));
    let status = assemble(&config(), &waiting);
    assert!(status.healthy);
    assert!(
        status.notes[0].starts_with("2 conflicts wait for you"),
        "{:?}",
        status.notes
    );
}

#[test]
fn what_an_agent_should_do_and_does_not_is_noted() {
    let notes = |report: &Report, config: &Config| assemble(config, report).notes.join("\n");
    let none = with(|_| watched(Some("{}"), History::default(), false));
    let said = notes(&none, &config());
    assert!(
        said.contains("no agent runs") && said.contains("2 s ago"),
        "{said}"
    );
    let mut manual = config();
    manual.conflicts.policy = config::Policy::Manual;
    assert_eq!(notes(&none, &manual), "");
    let mut by_position = config();
    by_position.replication.mode = config::Mode::Position;
    assert_eq!(notes(&none, &by_position), "");

    let half = with(|index| watched(None, History::default(), index == 0));
    let said = notes(&half, &config());
    assert!(said.contains("its lock on a alone"), "{said}");

    let hung = with(|_| {
        let detail = r#"{"in_flight_transactions":1}"#;
        let mut watched = watched(Some(detail), History::default(), true);
        if let Some(checkpoint) = &mut watched.checkpoint {
            checkpoint.age_us = 600_000_000;
        }
        watched
    });
    let said = notes(&hung, &config());
    assert!(
        said.contains("has not written how far it came for 10 min"),
        "{said}"
    );
    // One that rests writes nothing.
    let resting = with(|_| {
        let mut watched = watched(Some("{}"), History::default(), true);
        if let Some(checkpoint) = &mut watched.checkpoint {
            checkpoint.age_us = 600_000_000;
        }
        watched
    });
    assert_eq!(notes(&resting, &config()), "");
}

#[test]
fn what_is_not_known_to_be_equal_is_a_problem() {
    let detail =
        r#"{"to_verify":[{"table":"shop.t","reason":"it has no key"},{"table":"shop.u"}]}"#;
    let [(at, message, hint)] = problems(&with(|_| watched(Some(detail), history(0, 0), true)))
        .try_into()
        .expect("one");
    assert_eq!(at, "shop");
    assert_eq!(
        message,
        "whether shop.t is equal on both nodes is not known, because it has no key; and 1 more table"
    );
    assert!(hint.contains("twinlog run --once --compared"), "{hint}");
    let detail = r#"{"to_verify":[{"table":"*.*","reason":"the log was purged"}]}"#;
    let [(_, message, _)] = problems(&with(|_| watched(Some(detail), history(0, 0), true)))
        .try_into()
        .expect("one");
    assert_eq!(
        message,
        "whether the tables are equal on both nodes is not known, because the log was purged"
    );
}

#[test]
fn what_the_agents_own_comparison_found_is_a_problem() {
    let detail = r#"{"connections":{"a":5,"b":5},"verify":{"differing":[
        {"table":"shop.t","rows":2,"seen_at":"2026-11-23T17:00:00Z"},
        {"table":"shop.u","rows":5,"seen_at":"2026-11-23T17:00:00Z"},
        {"table":"shop.v","unknown":"its rows never stood still"}],
        "last":{"schema_differences":1,"ended_at":"2026-11-23T17:00:00Z"},
        "under_way":{"of":"*.*"},"next_at":"2026-11-30T17:00:00Z","failed":"a node was away"}}"#;
    let at_work = with(|_| watched(Some(detail), history(0, 0), true));
    let said = problems(&at_work);
    let [(at, differ, hint), (_, unknown, _)] = said.try_into().expect("two");
    assert_eq!(at, "shop");
    assert_eq!(
        differ,
        "the nodes differ: 7 rows of shop.t and 1 more table differ, as the agent's comparison saw at 2026-11-23T17:00:00Z"
    );
    assert!(hint.contains("twinlog verify --repair"), "{hint}");
    assert_eq!(
        unknown,
        "the agent could not compare shop.v to its end: its rows never stood still"
    );
    let said = assemble(&config(), &at_work).notes.join("\n");
    assert!(
        said.contains("definitions or accounts differed in 1 place when"),
        "{said}"
    );
    assert!(said.contains("tried again: a node was away"), "{said}");
    let verify = |report: &Report| {
        let status = assemble(&config(), report);
        status.agent.map(|agent| agent.verify).expect("an agent")
    };
    assert!(verify(&at_work).under_way.is_some() && verify(&at_work).next_at.is_some());
    // Without an agent nothing goes on, but what was found is known.
    let gone = verify(&with(|_| watched(Some(detail), history(0, 0), false)));
    assert_eq!((gone.under_way, gone.next_at), (None, None));
    assert_eq!(gone.differing.len(), 3);
}

#[test]
fn what_an_agent_has_found_and_not_settled_is_a_problem() {
    let open = r#"{"host":"db1","pid":7,"verdicts_open":2700,"connections":{"a":5,"b":5}}"#;
    let messages = |report: &Report| {
        let all = assemble(&config(), report).problems.into_iter();
        all.map(|problem| problem.message).collect::<Vec<_>>()
    };
    let at_work = with(|_| watched(Some(open), History::default(), true));
    assert_eq!(
        messages(&at_work),
        ["the nodes differ: 2700 conflicts were found and not settled yet"]
    );
    // What the last one has left, and nobody is there to settle it.
    let left = with(|_| watched(Some(open), History::default(), false));
    assert_eq!(
        messages(&left),
        ["the nodes differ: 2700 conflicts were found, and no agent is there to settle them"]
    );
}

#[test]
fn an_agent_that_was_there_to_stay_and_is_not_there_is_a_problem() {
    let stays = r#"{"host":"db1","pid":7,"stays":true,"connections":{"a":5,"b":4}}"#;
    let gone = with(|_| watched(Some(stays), History::default(), false));
    let status = assemble(&config(), &gone);
    let [problem] = status.problems.try_into().expect("one");
    assert_eq!(
        problem.message,
        "the agent on db1, process 7, does not run any more: what both nodes write is neither compared nor repaired; \
         it last wrote how far it was 2 s ago"
    );
    assert_eq!(status.notes, [""; 0]);
    let mut manual = config();
    manual.conflicts.policy = config::Policy::Manual;
    assert!(assemble(&manual, &gone).healthy);
    // Another one runs, and has not written anything yet: what the last one said is not said of it.
    let another = with(|_| watched(Some(stays), History::default(), true));
    let status = assemble(&config(), &another);
    assert!(status.healthy, "{:?}", status.problems);
    let agent = status.agent.expect("both nodes tell");
    assert!(agent.running && agent.settled.is_some());
    assert_eq!(
        (agent.host, agent.pid, agent.in_flight_transactions),
        (None, None, None)
    );
}

#[test]
fn tables_of_twinlogs_own_that_are_missing_are_a_problem() {
    let mut report = with(|_| watched(None, History::default(), true));
    answers(&mut report, 1).no_tables = vec!["conflict", "checkpoint"];
    let [(at, message, hint)] = problems(&report).try_into().expect("one");
    assert_eq!(at, "shop");
    assert!(
        message.ends_with("that are not there: conflict, checkpoint on b"),
        "{message}"
    );
    assert!(hint.contains("twinlog up"), "{hint}");
}

#[test]
fn half_a_copy_is_said_and_not_what_comes_of_it() {
    let mut report = with(|_| watched(None, History::default(), true));
    let b = answers(&mut report, 1);
    b.facts.links.clear();
    b.half_copy = Some(Mark {
        source: crate::copy::Source::Node("a".into()),
        end: b.facts.binlog_end.clone().unwrap_or_default(),
        gtids: String::new(),
        was_read_only: false,
        took_files: false,
        rebuilt: true,
        whole: false,
        cloned: false,
    });
    let [(at, message, hint)] = problems(&report).try_into().expect("one");
    assert_eq!(at, "b");
    assert!(message.starts_with("b holds half a copy of a"), "{message}");
    assert!(hint.contains("twinlog up"), "{hint}");
}
