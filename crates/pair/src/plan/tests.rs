//! The planner against situations, without a server: facts in, plan out.

use std::{collections::BTreeMap, path::Path};

use twinlog_server::{
    dialect::{Account, Dialect},
    facts::{AccountFacts, Coordinates, LinkFacts, Membership, Schema, ServerFacts},
    version::{Flavour, Version},
};

use super::*;
use crate::{
    compare::Comparison,
    config::{Config, Mode, Password, Writes},
    copy::{Mark, Source, Way},
    observe::{NodeFacts, PairFacts, RuntimeFacts},
    origin::{Origin, Sameness},
    own_tables,
};

const UUID_A: &str = "aaaaaaaa-0000-0000-0000-00000000000a";
const UUID_B: &str = "bbbbbbbb-0000-0000-0000-00000000000b";
const MYSQL_97: (Flavour, [u16; 3]) = (Flavour::MySql, [9, 7, 4]);
const MYSQL_56: (Flavour, [u16; 3]) = (Flavour::MySql, [5, 6, 24]);
const MARIADB: (Flavour, [u16; 3]) = (Flavour::MariaDb, [10, 11, 6]);

/// Two external servers with every setting right, empty, unlinked; a test changes what it is about.
struct Situation {
    site: Site,
    facts: PairFacts,
}

impl Situation {
    fn new((flavour, [major, minor, patch]): (Flavour, [u16; 3])) -> Self {
        let mut config = Config::local(Path::new("/site"), "shop");
        config.server.runtime = Runtime::External;
        for node in &mut config.nodes {
            node.user = Some("dba".into());
            node.password = Some(Password::Empty);
        }
        let mut site = Site::open(config).expect("nothing to read");
        site.pair_id = "11111111-2222-3333-4444-555555555555".into();
        let dialect = Dialect::of(&Version {
            flavour,
            major,
            minor,
            patch,
        })
        .expect("supported");
        let nodes = (0..2).map(|index| healthy(&site, index, dialect)).collect();
        let facts = PairFacts {
            nodes,
            founded: true,
            missing_secrets: Vec::new(),
            secrets_id: "set-1".into(),
            certificates_due: false,
            comparison: None,
            rebuild: None,
            way: Way::Auto,
            accounts: false,
        };
        Self { site, facts }
    }

    fn server(&mut self, index: usize) -> &mut ServerFacts {
        self.facts.nodes[index].server.as_mut().expect("it answers")
    }

    fn give_data(&mut self, index: usize) {
        self.server(index).schemas.push(Schema {
            name: "test".into(),
            tables: 1,
        });
    }

    fn give_origin(&mut self, index: usize, sameness: Sameness) {
        let end = at("binlog.000001", 1000 + index as u64);
        let origin = Origin {
            end,
            gtids: String::new(),
            sameness,
            secrets_id: self.facts.secrets_id.clone(),
        };
        let node = &mut self.facts.nodes[index];
        node.origin = Some(origin);
        let membership = Membership {
            pair_id: self.site.pair_id.clone(),
            node: node.name.clone(),
            origin_gtids: String::new(),
        };
        self.server(index).membership = Some(membership);
    }

    /// A link into `replica` as `up` makes it.
    fn link(&mut self, replica: usize) -> &mut LinkFacts {
        let source = self.site.nodes()[1 - replica];
        let (host, port) = (
            self.site.host_for_peer(source),
            self.site.port_for_peer(source),
        );
        let source_uuid = self.facts.nodes[1 - replica]
            .facts()
            .and_then(ServerFacts::server_uuid)
            .map(str::to_owned);
        let links = &mut self.server(replica).links;
        links.push(LinkFacts {
            source_host: host,
            source_port: port,
            source_user: Account::Replication.user().into(),
            source_server_id: Some(2 - replica as u32),
            source_uuid,
            receiver: "Yes".into(),
            applier: true,
            by_gtid: true,
            tls: true,
            executed: at("binlog.000007", 777),
            ..LinkFacts::default()
        });
        links.last_mut().expect("just pushed")
    }

    fn plan(&self) -> Plan {
        plan(&self.site, &self.facts).unwrap_or_else(|refusals| panic!("refused: {refusals:#?}"))
    }

    fn statements(&self) -> String {
        let actions = self
            .plan()
            .steps
            .into_iter()
            .map(|step| format!("-- {}\n{}", step.title, step.action));
        actions.collect::<Vec<_>>().join("\n")
    }

    fn refusal(&self) -> String {
        match plan(&self.site, &self.facts) {
            Ok(plan) => panic!("not refused:\n{plan}"),
            Err(refusals) => refusals
                .into_iter()
                .map(|refusal| refusal.message)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }
}

fn at(file: &str, position: u64) -> Coordinates {
    Coordinates {
        file: file.into(),
        position,
    }
}

fn healthy(site: &Site, index: usize, dialect: Dialect) -> NodeFacts {
    let name = site.nodes()[index].name.clone();
    let mut variables: BTreeMap<String, String> =
        settings::desired(&site.config, index, index as u32 + 1, &dialect)
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect();
    let own: &[(&str, &str)] = if dialect.is_mariadb() {
        &[("log_bin", "ON"), ("have_ssl", "YES"), ("read_only", "OFF")]
    } else {
        &[
            ("log_bin", "ON"),
            ("ssl_cert", "server-cert.pem"),
            ("read_only", "OFF"),
        ]
    };
    variables.extend(
        own.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    if !dialect.is_mariadb() {
        variables.insert("server_uuid".into(), [UUID_A, UUID_B][index].into());
    }
    let mut server = ServerFacts::foreseen(dialect, variables);
    server.binlog_end = Some(at("binlog.000003", 154));
    server.has_own_schema = true;
    let accounts = Account::ALL
        .map(|account| AccountFacts {
            user: account.user().into(),
            grants: dialect.grant_statements(account, None),
        })
        .to_vec();
    NodeFacts {
        name,
        runtime: RuntimeFacts::External,
        server: Ok(server),
        accounts,
        own_tables: own_tables::TABLES.map(|table| table.name.to_owned()).into(),
        agent_login: true,
        origin: None,
        half_copy: None,
        clone_begun: None,
        file_bytes: None,
    }
}

#[test]
fn two_empty_servers_are_prepared_and_linked() {
    for (name, version) in [("mysql", MYSQL_97), ("mariadb", MARIADB)] {
        insta::assert_snapshot!(
            format!("empty_{name}"),
            Situation::new(version).statements()
        );
    }
}

#[test]
fn the_same_facts_give_the_same_plan() {
    let situation = Situation::new(MYSQL_97);
    assert_eq!(situation.plan(), situation.plan());
}

#[test]
fn a_finished_pair_lacks_nothing() {
    for version in [MYSQL_97, MARIADB] {
        let mut situation = linked(version);
        situation.give_data(0);
        situation.give_data(1);
        assert_eq!(situation.plan(), Plan::default());
    }
}

fn linked(version: (Flavour, [u16; 3])) -> Situation {
    let mut situation = Situation::new(version);
    for index in 0..2 {
        situation.give_origin(index, Sameness::Settled);
        situation.link(index);
    }
    situation
}

#[test]
fn a_run_killed_between_the_links_goes_on_from_the_noted_place() {
    let mut situation = Situation::new(MYSQL_97);
    situation.site.config.replication.mode = Mode::Position;
    situation.give_origin(0, Sameness::Empty);
    situation.give_origin(1, Sameness::Empty);
    situation.link(1).by_gtid = false;
    // Clients wrote on both meanwhile; the logs stand elsewhere by now.
    situation.give_data(0);
    situation.give_data(1);
    let statements = situation.statements();
    assert!(
        statements.contains("SOURCE_LOG_FILE='binlog.000001', SOURCE_LOG_POS=1001"),
        "{statements}"
    );
    assert!(!statements.contains("LOG_POS=154"), "{statements}");
}

#[test]
fn a_lost_link_is_not_made_again_from_the_beginning() {
    let mut situation = linked(MYSQL_97);
    situation.site.config.replication.mode = Mode::Position;
    situation.server(0).links.clear();
    situation.server(1).links[0].by_gtid = false;
    assert!(situation.refusal().contains("the link b→a was removed"));
    // By GTID the replica itself knows what it has.
    let mut situation = linked(MYSQL_97);
    situation.server(0).links.clear();
    assert!(situation.statements().contains("SOURCE_AUTO_POSITION=1"));
}

#[test]
fn links_that_run_are_noted_once() {
    let mut situation = Situation::new(MARIADB);
    for index in 0..2 {
        situation.give_origin(index, Sameness::Equal);
        situation.link(index);
    }
    assert_eq!(
        situation
            .statements()
            .matches("`sameness` = 'settled'")
            .count(),
        2
    );
}

#[test]
fn a_run_killed_after_one_node_was_prepared_does_not_ask_for_a_copy() {
    let mut situation = Situation::new(MYSQL_97);
    situation.site.config.replication.mode = Mode::Position;
    situation.give_origin(0, Sameness::Empty);
    situation.give_data(0);
    let statements = situation.statements();
    // b follows a from where a stood when both were empty; a follows b from now.
    assert!(statements.contains("SOURCE_LOG_POS=1000"), "{statements}");
    assert!(statements.contains("SOURCE_LOG_POS=154"), "{statements}");
}

#[test]
fn what_clients_wrote_after_the_origin_is_never_skipped() {
    let mut situation = Situation::new(MYSQL_97);
    situation.give_origin(0, Sameness::Empty);
    situation.give_origin(1, Sameness::Empty);
    for index in 0..2 {
        let origin = situation.facts.nodes[index].origin.as_mut().expect("given");
        origin.gtids = format!("{}:1-5", [UUID_A, UUID_B][index]);
    }
    situation
        .server(0)
        .variables
        .insert("gtid_executed".into(), format!("{UUID_A}:1-9"));
    situation
        .server(1)
        .variables
        .insert("gtid_executed".into(), format!("{UUID_B}:1-5"));
    let statements = situation.statements();
    assert!(
        statements.contains(&format!("SET GLOBAL gtid_purged = '+{UUID_A}:1-5'")),
        "{statements}"
    );
    assert!(!statements.contains("1-9"), "{statements}");
}

#[test]
fn a_node_whose_data_was_deleted_is_not_linked_empty() {
    for mode in [Mode::Gtid, Mode::Position] {
        let mut situation = Situation::new(MARIADB);
        situation.site.config.replication.mode = mode;
        situation.give_origin(0, Sameness::Settled);
        situation.give_data(0);
        situation.link(0).by_gtid = mode == Mode::Gtid;
        // Both had been stopped, so that twinlog had made b anew before a could be asked.
        situation.give_origin(1, Sameness::Empty);
        assert!(
            situation.refusal().contains("b was a node of this pair"),
            "{}",
            situation.refusal()
        );
    }
}

#[test]
fn a_settled_node_starts_anew_from_where_it_was_compared() {
    let mut situation = Situation::new(MYSQL_97);
    situation.site.config.replication.mode = Mode::Position;
    situation.give_origin(0, Sameness::Settled);
    situation.give_data(0);
    situation.give_data(1);
    situation.facts.comparison = Some(Comparison::Equal(vec![Some(at("binlog.000003", 154)); 2]));
    let statements = situation.statements();
    assert_eq!(
        statements
            .matches("SOURCE_LOG_FILE='binlog.000003', SOURCE_LOG_POS=154")
            .count(),
        2,
        "{statements}"
    );
    assert_eq!(statements.matches("'equal'").count(), 2, "{statements}");
}

#[test]
fn a_replicas_own_writes_below_its_sources_mark_are_seen() {
    let mut situation = Situation::new(MARIADB);
    situation.give_data(0);
    situation.give_data(1);
    situation.link(0);
    let logs = [("0-2-100", "0-1-95,0-2-100"), ("0-2-120", "0-2-120")];
    for (index, (position, state)) in logs.into_iter().enumerate() {
        let variables = &mut situation.server(index).variables;
        variables.insert("gtid_current_pos".into(), position.into());
        variables.insert("gtid_binlog_state".into(), state.into());
    }
    assert!(
        situation
            .refusal()
            .contains("has executed what b has not: 0-1-95"),
        "{}",
        situation.refusal()
    );
    let variables = &mut situation.server(0).variables;
    variables.insert("gtid_binlog_state".into(), "0-2-100".into());
    assert!(situation.statements().contains("MASTER_USE_GTID=slave_pos"));
}

#[test]
fn strict_mode_is_left_to_a_restart_of_an_external_server() {
    let mut situation = linked(MARIADB);
    for index in 0..2 {
        let variables = &mut situation.server(index).variables;
        variables.insert("gtid_domain_id".into(), "0".into());
        variables.insert("gtid_strict_mode".into(), "OFF".into());
    }
    let statements = situation.statements();
    assert!(statements.contains("gtid_domain_id = 2"), "{statements}");
    assert!(!statements.contains("gtid_strict_mode"), "{statements}");
    let notes = situation.plan().notes.join("\n");
    assert_eq!(notes.matches("gtid_strict_mode = ON").count(), 2, "{notes}");
}

#[test]
fn data_on_one_node_only_needs_a_copy() {
    let mut situation = Situation::new(MYSQL_97);
    situation.give_data(1);
    let plan = situation.plan();
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["copy all data from b to a"]);
    // The links are planned once the copy has said where they start.
    assert!(plan.open);
    insta::assert_snapshot!(plan.to_string());
}

fn half_copy(source: &str) -> Option<Mark> {
    Some(Mark {
        source: Source::Node(source.into()),
        end: at("binlog.000001", 4),
        gtids: String::new(),
        was_read_only: false,
        took_files: false,
        rebuilt: false,
        whole: false,
        cloned: false,
    })
}

#[test]
fn a_copy_that_was_cut_off_is_gone_on_with_and_nothing_else() {
    let mut situation = Situation::new(MYSQL_97);
    situation.give_data(0);
    situation.give_data(1);
    situation.facts.nodes[1].half_copy = half_copy("a");
    situation
        .server(1)
        .variables
        .insert("read_only".into(), "ON".into());
    let plan = situation.plan();
    // Nothing opens the half copy to clients.
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(titles, ["copy all data from a to b"]);
    assert!(plan.to_string().contains("a copy was cut off"), "{plan}");
    situation.link(0);
    assert!(situation.refusal().contains("b holds half a copy of a"));
    let mut situation = Situation::new(MYSQL_97);
    situation.facts.nodes[1].half_copy = half_copy("other");
    assert!(situation.refusal().contains("b holds half a copy of other"));
}

/// What the plan says of the way from a to b.
fn way(change: impl FnOnce(&mut Situation)) -> String {
    let mut situation = Situation::new(MYSQL_97);
    situation.give_data(0);
    situation.facts.nodes[0].file_bytes = Some(1 << 30);
    change(&mut situation);
    let text = situation.plan().to_string();
    let (_, copy) = text
        .split_once("copy all data from a to b\n")
        .expect("a copy");
    copy.lines().next().unwrap_or_default().trim().to_owned()
}

#[test]
fn the_way_of_a_copy_is_said_with_its_reason() {
    let asked = |way| move |situation: &mut Situation| situation.facts.way = way;
    assert_eq!(way(asked(Way::Clone)), "by CLONE: asked for");
    assert_eq!(
        way(asked(Way::Logical)),
        "by rows and definitions; asked for"
    );
    let said = way(asked(Way::Auto));
    assert!(
        said.contains("not by CLONE: it ends the server of b"),
        "{said}"
    );
    let said = way(|situation| {
        situation.facts.nodes[1].half_copy = half_copy("a").map(|mark| Mark {
            cloned: true,
            ..mark
        })
    });
    assert_eq!(said, "by CLONE: all is there by CLONE already");
    let ours = |bytes| {
        move |situation: &mut Situation| {
            situation.site.config.server.runtime = Runtime::Process;
            situation.facts.nodes[0].file_bytes = Some(bytes);
        }
    };
    let said = way(ours(1 << 30));
    assert!(
        said.starts_with("by CLONE: the tables of a take 1024 MiB"),
        "{said}"
    );
    let said = way(ours(1 << 20));
    assert!(
        said.starts_with("by rows and definitions; not by CLONE: the tables of a take 1 MiB"),
        "{said}"
    );
}

#[test]
fn clone_is_refused_where_it_cannot_be() {
    type Change = fn(&mut Situation);
    let cases: [(Change, &str); 4] = [
        (
            |situation| situation.site.config.databases = Some(vec!["test".into()]),
            "`databases` restricts the pair",
        ),
        (
            |situation| {
                let variables = &mut situation.server(1).variables;
                variables.insert("innodb_page_size".into(), "4096".into());
                let variables = &mut situation.server(0).variables;
                variables.insert("innodb_page_size".into(), "16384".into());
            },
            "innodb_page_size differs",
        ),
        (
            |situation| drop(situation.server(0).variables.remove("ssl_cert")),
            "a offers no TLS",
        ),
        (
            |situation| situation.server(1).log_readers.push("x@y".into()),
            "x@y reads the log of b",
        ),
    ];
    for (change, why) in cases {
        let said = way(change);
        assert!(
            said.contains("not by CLONE: ") && said.contains(why),
            "{said}"
        );
        let mut situation = Situation::new(MYSQL_97);
        situation.give_data(0);
        situation.facts.way = Way::Clone;
        change(&mut situation);
        let refusal = situation.refusal();
        assert!(refusal.contains(why), "{refusal}");
    }
    for version in [MYSQL_56, MARIADB] {
        let mut situation = Situation::new(version);
        situation.give_data(0);
        situation.facts.way = Way::Clone;
        assert!(situation.refusal().contains("has none"));
    }
}

#[test]
fn what_could_not_be_linked_afterwards_is_not_copied() {
    let mut situation = Situation::new(MYSQL_56);
    situation.give_data(0);
    assert!(situation.plan().open);
    let executed = format!("{UUID_B}:1-3");
    situation
        .server(1)
        .variables
        .insert("gtid_executed".into(), executed);
    assert!(
        situation
            .refusal()
            .contains("b: it has executed transactions of its own")
    );
}

#[test]
fn data_on_both_nodes_must_be_equal_and_at_rest() {
    let mut situation = Situation::new(MYSQL_97);
    situation.give_data(0);
    situation.give_data(1);
    let ends = vec![Some(at("binlog.000003", 154)); 2];
    situation.facts.comparison = Some(Comparison::Equal(ends.clone()));
    assert!(situation.statements().contains("'equal'"));
    situation.facts.comparison = Some(Comparison::Equal(vec![
        ends[0].clone(),
        Some(at("binlog.000003", 100)),
    ]));
    assert!(situation.refusal().contains("somebody wrote"));
    situation.facts.comparison = Some(Comparison::Different(vec![
        "test.t: 1 rows against 2 rows".into(),
    ]));
    assert!(situation.refusal().contains("test.t"));
}

#[test]
fn a_strangers_link_is_left_alone() {
    let mut situation = Situation::new(MYSQL_97);
    situation.link(0).source_uuid = Some("cccccccc-0000-0000-0000-00000000000c".into());
    assert!(
        situation
            .refusal()
            .contains("replicates already, and not from its peer alone")
    );
    let mut situation = linked(MYSQL_97);
    situation.link(0).channel = "other".into();
    assert!(situation.refusal().contains("(channel 'other')"));
}

#[test]
fn identities_must_differ() {
    let mut situation = Situation::new(MYSQL_97);
    situation
        .server(1)
        .variables
        .insert("server_uuid".into(), UUID_A.into());
    assert!(situation.refusal().contains("same server UUID"));
    let mut situation = Situation::new(MARIADB);
    situation
        .server(1)
        .variables
        .insert("server_id".into(), "1".into());
    assert_eq!(situation.refusal(), "a and b have the same server id, 1");
}

#[test]
fn flavours_do_not_mix() {
    let mut situation = Situation::new(MYSQL_97);
    situation.facts.nodes[1] = Situation::new(MARIADB).facts.nodes.remove(1);
    assert!(
        situation
            .refusal()
            .contains("their logs and GTIDs do not mix")
    );
}

#[test]
fn clocks_matter_only_where_time_decides() {
    let mut situation = Situation::new(MYSQL_97);
    situation.server(1).clock_offset_us = 60_000_000;
    assert!(situation.refusal().contains("60.0 s apart"));
    situation.site.config.conflicts.policy = crate::config::Policy::Manual;
    assert!(!situation.plan().steps.is_empty());
}

#[test]
fn a_strangers_account_of_our_name_is_left_alone() {
    let mut situation = Situation::new(MYSQL_97);
    situation.server(1).has_own_schema = false;
    assert!(
        situation
            .refusal()
            .contains("node b: there is an account 'twinlog_repl'@'%' that twinlog did not make")
    );
}

#[test]
fn new_passwords_reach_the_links_without_moving_them() {
    let mut situation = linked(MYSQL_97);
    situation.site.config.replication.mode = Mode::Position;
    for index in 0..2 {
        situation.server(index).links[0].by_gtid = false;
    }
    situation.facts.secrets_id = "set-2".into();
    let statements = situation.statements();
    assert_eq!(
        statements
            .matches("CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='***';")
            .count(),
        2,
        "{statements}"
    );
    // Killed before that, the next run sees what the link says.
    let mut situation = linked(MARIADB);
    situation.server(0).links[0].receiver_errno = 1045;
    assert!(
        situation
            .statements()
            .contains("CHANGE MASTER TO MASTER_PASSWORD='***'")
    );
}

#[test]
fn a_linked_server_keeps_its_id() {
    let mut situation = linked(MARIADB);
    situation
        .server(1)
        .variables
        .insert("server_id".into(), "7".into());
    situation.site.config.nodes[1].server_id = Some(2);
    assert!(
        situation
            .refusal()
            .contains("node b is linked under server id 7")
    );
}

#[test]
fn what_a_restart_undoes_is_said() {
    let mut situation = Situation::new(MARIADB);
    situation
        .server(0)
        .variables
        .insert("auto_increment_increment".into(), "1".into());
    let notes = situation.plan().notes.join("\n");
    assert!(
        notes.contains("lasts until it restarts") && notes.contains("auto_increment_increment = 2"),
        "{notes}"
    );
}

#[test]
fn another_pairs_server_is_refused() {
    let mut situation = linked(MYSQL_97);
    situation.server(0).membership = Some(Membership {
        pair_id: "other".into(),
        node: "a".into(),
        origin_gtids: String::new(),
    });
    assert!(
        situation
            .refusal()
            .contains("node 'a' of another pair (other)")
    );
}

#[test]
fn folded_names_on_one_side_only_are_refused() {
    let mut situation = Situation::new(MYSQL_97);
    situation
        .server(0)
        .variables
        .insert("lower_case_table_names".into(), "1".into());
    assert!(
        situation
            .refusal()
            .contains("lower_case_table_names is 1 on a and 0 on b")
    );
}

#[test]
fn a_handmade_link_is_stopped_first_and_changed_where_it_then_stands() {
    let mut situation = linked(MYSQL_97);
    situation.site.config.replication.mode = Mode::Position;
    for index in 0..2 {
        situation.server(index).links[0].by_gtid = false;
    }
    situation.server(1).links[0].source_user = "root".into();
    let plan = situation.plan();
    let last = plan.steps.last().expect("a step");
    assert_eq!(
        (last.action.to_string(), plan.open),
        ("STOP REPLICA;\n".to_owned(), true)
    );
    let stop = last.title.clone();

    let link = &mut situation.server(1).links[0];
    (link.receiver, link.applier) = ("No".into(), false);
    let statements = situation.statements();
    // `up` asks again for what it has not shown, by title.
    assert!(!statements.contains(&stop), "{statements}");
    assert!(
        statements.contains("SOURCE_LOG_FILE='binlog.000007', SOURCE_LOG_POS=777"),
        "{statements}"
    );
    assert!(
        statements.contains("SOURCE_USER='twinlog_repl'"),
        "{statements}"
    );
}

#[test]
fn a_receiver_that_still_tries_is_not_restarted() {
    let mut situation = linked(MYSQL_97);
    situation.server(0).links[0].receiver = "Connecting".into();
    assert!(
        !situation.statements().contains("START"),
        "{}",
        situation.statements()
    );
    situation.server(0).links[0].applier = false;
    assert!(situation.statements().contains("START REPLICA"));
}

#[test]
fn run_time_settings_are_set_and_the_others_named() {
    let mut situation = Situation::new(MYSQL_97);
    situation
        .server(0)
        .variables
        .insert("auto_increment_increment".into(), "1".into());
    situation
        .server(0)
        .variables
        .insert("relay_log_recovery".into(), "OFF".into());
    assert!(
        situation
            .statements()
            .contains("SET PERSIST auto_increment_increment = 2")
    );
    assert!(
        situation
            .plan()
            .notes
            .iter()
            .any(|note| note.contains("relay_log_recovery = ON"))
    );
    situation
        .server(0)
        .variables
        .insert("log_replica_updates".into(), "OFF".into());
    assert!(situation.refusal().contains("take a restart"));
}

#[test]
fn gtids_are_switched_on_one_rung_at_a_time() {
    let mut situation = Situation::new(MYSQL_97);
    situation
        .server(0)
        .variables
        .insert("gtid_mode".into(), "OFF_PERMISSIVE".into());
    let statements = situation.statements();
    assert!(
        statements.contains("SET PERSIST gtid_mode = ON_PERMISSIVE;"),
        "{statements}"
    );
    assert!(
        !statements.contains("SET PERSIST gtid_mode = OFF_PERMISSIVE"),
        "{statements}"
    );
    // Where both are the same is looked at again once nothing can be written without a GTID.
    assert!(
        !statements.contains("twinlog") && !statements.contains("CHANGE"),
        "{statements}"
    );
    assert!(situation.plan().open);
    let mut old = Situation::new((Flavour::MySql, [5, 6, 24]));
    old.server(0)
        .variables
        .insert("gtid_mode".into(), "OFF".into());
    assert!(
        old.refusal()
            .contains("GTIDs are off, and MySQL 5.6.24 switches them on only at a restart")
    );
}

#[test]
fn with_one_writer_the_open_node_stays_the_writer() {
    let mut situation = linked(MYSQL_97);
    situation.site.config.writes = Writes::One;
    assert!(
        situation
            .statements()
            .contains("-- b: refuse clients' writes")
    );
    situation
        .server(0)
        .variables
        .insert("read_only".into(), "ON".into());
    assert!(
        !situation.statements().contains("clients' writes"),
        "{}",
        situation.statements()
    );
}

#[test]
fn links_in_the_clear_need_leave_beyond_this_machine() {
    let mut situation = Situation::new(MYSQL_97);
    situation.server(0).variables.remove("ssl_cert");
    assert!(
        situation
            .plan()
            .notes
            .iter()
            .any(|note| note.contains("not encrypted"))
    );
    situation.site.config.nodes[0].host = "db1.example".into();
    assert!(
        situation
            .refusal()
            .contains("cross the network in the clear")
    );
}

#[test]
fn a_node_is_made_again_from_its_peer_alone() {
    let mut situation = linked(MYSQL_97);
    situation.give_data(0);
    situation.give_data(1);
    situation.site.config.writes = Writes::One;
    let closed = |situation: &mut Situation, value: &str| {
        let variables = &mut situation.server(0).variables;
        variables.insert("read_only".into(), value.into());
    };
    closed(&mut situation, "ON");
    situation.facts.rebuild = Some(1);
    let titles =
        |plan: &Plan| -> Vec<String> { plan.steps.iter().map(|step| step.title.clone()).collect() };
    // The writer is made again: the other one is opened once it is closed.
    assert_eq!(
        titles(&situation.plan()),
        [
            "take b out of the pair, to make it again from a",
            "a: allow clients' writes",
            "copy all data from a to b"
        ]
    );
    // Never from what is not whole, and never the one that is.
    situation.facts.nodes[0].half_copy = half_copy("b");
    assert!(situation.refusal().contains("a holds half a copy of b"));
    situation.facts.nodes[0].half_copy = None;
    situation.server(0).schemas.clear();
    assert!(situation.refusal().contains("a has no tables of users"));
}
