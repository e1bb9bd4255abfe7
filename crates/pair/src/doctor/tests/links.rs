//! Faults of links, GTIDs, accounts and certificates.

use twinlog_server::facts::LinkFacts;

use super::{
    Case,
    baseline::{UUIDS, link, live, login, mariadb, mysql, set},
};
use crate::{
    config::{Mode, Policy, Runtime},
    doctor::examine,
};

pub(super) const CASES: &[Case] = &[
    Case("TL101", mysql, |s| live(s, 0).facts.links.clear()),
    Case("TL102", mysql, |s| {
        let link = link(s);
        link.applier = false;
        (link.applier_errno, link.applier_error) = (1062, "Duplicate entry".into());
    }),
    Case("TL103", mysql, |s| filter(s, "Replicate_Do_DB", "test")),
    Case("TL104", mysql, |s| {
        filter(s, "Replicate_Wild_Ignore_Table", "test.tmp%")
    }),
    Case("TL105", mysql, |s| {
        filter(s, "Replicate_Wild_Do_Table", "test.%,twinlog.%")
    }),
    Case("TL105", mysql, |s| {
        s.config.as_mut().expect("a pair").databases = Some(vec!["test".into()])
    }),
    Case("TL106", mysql, |s| link(s).delay_s = 3600),
    Case("TL107", mysql, |s| {
        let link = link(s);
        (link.source_host, link.tls) = ("db2".into(), false);
    }),
    Case("TL108", mysql, |s| {
        let link = link(s);
        (link.source_host, link.tls_ca) = ("db2".into(), false);
    }),
    Case("TL109", mysql, |s| link(s).source_user = "root".into()),
    Case("TL109", mysql, |s| {
        live(s, 1).logins = Some(vec![login("twinlog_repl", "%", &["SUPER"])]);
    }),
    Case("TL110", mysql, |s| {
        let stranger = LinkFacts {
            source_server_id: Some(99),
            source_host: "db9".into(),
            receiver: "Yes".into(),
            applier: true,
            ..LinkFacts::default()
        };
        live(s, 0).facts.links.push(stranger);
    }),
    Case("TL111", mysql, |s| {
        live(s, 0).facts.log_readers.push("cdc@10.0.0.9:1".into())
    }),
    Case("TL111", mysql, |s| {
        live(s, 0)
            .facts
            .log_readers
            .push("twinlog_repl@10.0.0.9:1".into())
    }),
    Case("TL112", mysql, |s| {
        let set_of_a = format!(
            "{}:1-10,{}:1-20,cccccccc-71ca-11e1-9e33-c80aa9429562:1-3",
            UUIDS[0], UUIDS[1]
        );
        set(s, 0, "gtid_executed", &set_of_a);
    }),
    Case("TL112", mysql, |s| {
        set(
            s,
            0,
            "gtid_executed",
            &format!("{}:1-10,{}:1-21", UUIDS[0], UUIDS[1]),
        )
    }),
    Case("TL112", mariadb, |s| {
        set(s, 0, "gtid_current_pos", "1-1-10,2-2-21")
    }),
    Case("TL113", mysql, |s| {
        live(s, 1).executed_later = format!("{}:1-5,{}:1-20", UUIDS[0], UUIDS[1]);
        set(s, 0, "gtid_purged", &format!("{}:1-6", UUIDS[0]));
    }),
    Case("TL117", mysql, |s| {
        set(
            s,
            0,
            "gtid_executed",
            &format!("{}:1-10,{}:1-21", UUIDS[0], UUIDS[1]),
        )
    }),
    Case("TL117", mariadb, |s| {
        set(s, 1, "gtid_binlog_state", "1-1-10,2-2-2");
        set(s, 0, "gtid_binlog_state", "2-2-20,1-1-10");
    }),
    Case("TL114", mariadb, |s| {
        link(s).by_gtid = false;
        set(s, 0, "sync_master_info", "10000");
    }),
    Case("TL115", mysql, |s| {
        let link = link(s);
        (link.retry_count, link.connect_retry_s) = (10, 60);
    }),
    Case("TL115", mariadb, |s| {
        let empty = super::baseline::of_texts(["[mysqld]\n", ""], None);
        s.subjects[0].options = empty.subjects[0].options.clone();
    }),
    Case("TL116", mysql, |s| link(s).by_gtid = false),
    Case("TL201", mysql, |s| {
        live(s, 0).accounts.pop();
    }),
    Case("TL201", mysql, |s| {
        live(s, 0).accounts[1].grants = vec!["GRANT USAGE ON *.* TO `x`@`%`".into()]
    }),
    Case("TL202", mysql, |s| open(s, "app")),
    Case("TL203", mysql, |s| open(s, "")),
    Case("TL204", mysql, |s| {
        s.subjects[0].certificates[0].1 = Some("2026-01-20T00:00:00Z".parse().expect("a time"))
    }),
    Case("TL205", mysql, |s| set(s, 0, "skip_grant_tables", "ON")),
    Case("TL206", mysql, |s| {
        live(s, 0).logins = Some(vec![login("root", "%", &["SUPER"])])
    }),
    Case("TL207", mysql, |s| {
        let config = s.config.as_mut().expect("a pair");
        config.nodes[0].runtime = Some(Runtime::External);
        config.nodes[0].user = Some("dba".into());
        live(s, 0).facts.own_grants = vec!["GRANT SELECT ON *.* TO `dba`@`%`".into()];
    }),
];

fn filter(scene: &mut crate::doctor::Scene, name: &str, value: &str) {
    link(scene).filters.push((name.into(), value.into()));
}

fn open(scene: &mut crate::doctor::Scene, user: &str) {
    let mut account = login(user, "localhost", &[]);
    account.open = true;
    live(scene, 0).logins = Some(vec![account]);
}

#[test]
fn transactions_on_their_way_are_not_errant() {
    let mut scene = mysql();
    set(
        &mut scene,
        0,
        "gtid_executed",
        &format!("{}:1-15,{}:1-20", UUIDS[0], UUIDS[1]),
    );
    assert_eq!(examine(&scene), []);
    // What b did after its own facts were read, and a had already got.
    set(
        &mut scene,
        0,
        "gtid_executed",
        &format!("{}:1-10,{}:1-21", UUIDS[0], UUIDS[1]),
    );
    live(&mut scene, 1).executed_later = format!("{}:1-10,{}:1-21", UUIDS[0], UUIDS[1]);
    assert_eq!(examine(&scene), []);
}

#[test]
fn a_link_tries_long_enough() {
    let mut scene = mysql();
    (
        link(&mut scene).retry_count,
        link(&mut scene).connect_retry_s,
    ) = (86_400, 60);
    assert_eq!(examine(&scene), []);
}

#[test]
fn the_filter_that_twinlog_toml_asks_for_is_no_finding() {
    let mut scene = mysql();
    scene.config.as_mut().expect("a pair").databases = Some(vec!["test".into()]);
    for index in 0..2 {
        let filter = (
            "Replicate_Wild_Do_Table".to_owned(),
            "test.%,twinlog.%".to_owned(),
        );
        live(&mut scene, index).facts.links[0].filters.push(filter);
    }
    assert_eq!(examine(&scene), []);
}

#[test]
fn a_pair_by_position_is_judged_as_such() {
    let mut scene = mysql();
    let config = scene.config.as_mut().expect("a pair");
    config.replication.mode = Mode::Position;
    config.conflicts.policy = Policy::Manual;
    for index in 0..2 {
        live(&mut scene, index).facts.links[0].by_gtid = false;
        set(&mut scene, index, "gtid_mode", "OFF");
        set(&mut scene, index, "replica_exec_mode", "STRICT");
    }
    assert_eq!(examine(&scene), []);
}

#[test]
fn without_its_peer_a_server_is_judged_alone() {
    let mut scene = mysql();
    scene.subjects[1].live = None;
    scene.subjects[1].settings = crate::doctor::Settings::unknown();
    assert_eq!(examine(&scene), []);
}
