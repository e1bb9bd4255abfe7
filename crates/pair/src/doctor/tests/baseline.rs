//! Healthy pairs, each with what `up` makes of its version.

use std::path::{Path, PathBuf};

use jiff::civil::date;
use twinlog_server::{
    dialect::{Account, Dialect},
    facts::{
        AccountFacts, Coordinates, LinkFacts, Membership, ServerFacts,
        logins::Login,
        schema::{Column, Key, SchemaFacts, Table},
    },
    mycnf::OptionFile,
    version::{Flavour, Version},
};

use crate::{
    config::Config,
    doctor::{Live, Scene, Settings, Subject},
    settings,
};

pub(super) const UUIDS: [&str; 2] = [
    "aaaaaaaa-71ca-11e1-9e33-c80aa9429562",
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562",
];

pub(super) fn mysql() -> Scene {
    of(Flavour::MySql, (9, 7, 4))
}

pub(super) fn mysql_57() -> Scene {
    let mut scene = of(Flavour::MySql, (5, 7, 44));
    scene.today = date(2023, 10, 1);
    scene
}

pub(super) fn mariadb() -> Scene {
    of(Flavour::MariaDb, (10, 11, 6))
}

pub(super) fn all() -> [Scene; 4] {
    [mysql(), mysql_57(), mariadb(), files()]
}

fn of(flavour: Flavour, (major, minor, patch): (u16, u16, u16)) -> Scene {
    let version = Version {
        flavour,
        major,
        minor,
        patch,
    };
    let dialect = Dialect::of(&version).expect("supported");
    let config = Config::local(Path::new("/x"), "shop");
    Scene {
        subjects: (0..2)
            .map(|index| subject(&config, index, dialect))
            .collect(),
        config: Some(config),
        founded: true,
        today: date(2026, 1, 1),
    }
}

fn subject(config: &Config, index: usize, dialect: Dialect) -> Subject {
    let facts = server(config, index, dialect);
    let text = "[mysqld]\nmaster_retry_count = 0\n";
    let file = OptionFile::parse(Path::new("/x/my.cnf"), text).expect("an option file");
    Subject {
        name: config.nodes[index].name.clone(),
        version: Some(*dialect.version()),
        settings: Settings::of_server(&facts.variables),
        options: Some(file.server_options(Some(*dialect.version()))),
        warnings: Vec::new(),
        certificates: vec![(
            PathBuf::from("/x/cert.pem"),
            Some("2030-01-01T00:00:00Z".parse().expect("a time")),
        )],
        disk_free_bytes: Some(100 << 30),
        live: Some(Live {
            executed_later: facts.executed().to_owned(),
            schema: Some(schema()),
            logins: Some(vec![
                login("root", "localhost", &["SUPER"]),
                login("twinlog_repl", "%", &[]),
                login("twinlog", "%", &[]),
            ]),
            accounts: Account::ALL
                .into_iter()
                .map(|account| AccountFacts {
                    user: account.user().to_owned(),
                    grants: dialect.grant_statements(account, None),
                })
                .collect(),
            facts,
        }),
    }
}

fn server(config: &Config, index: usize, dialect: Dialect) -> ServerFacts {
    let number = u32::from(index == 1) + 1;
    let mut variables: std::collections::BTreeMap<String, String> =
        settings::desired(config, index, number, &dialect)
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect();
    for (name, value) in [
        ("log_bin", "ON"),
        ("event_scheduler", "OFF"),
        ("lower_case_table_names", "0"),
        ("character_set_server", "utf8mb4"),
        ("collation_server", "utf8mb4_bin"),
        ("sql_mode", "STRICT_TRANS_TABLES"),
        ("time_zone", "SYSTEM"),
        ("system_time_zone", "UTC"),
        ("max_allowed_packet", "67108864"),
        ("default_storage_engine", "InnoDB"),
        ("innodb_doublewrite", "ON"),
        ("relay_log", "relay"),
        ("log_bin_basename", "/x/binlog"),
        ("hostname", "vm"),
        ("read_only", "OFF"),
        ("skip_networking", "OFF"),
        ("relay_log_purge", "ON"),
        ("innodb_native_foreign_keys", "OFF"),
    ] {
        variables.insert(name.into(), value.into());
    }
    let executed = if dialect.is_mariadb() {
        variables.insert("gtid_current_pos".into(), "1-1-10,2-2-20".into());
        "1-1-10,2-2-20".to_owned()
    } else {
        variables.insert("server_uuid".into(), UUIDS[index].into());
        let set = format!("{}:1-10,{}:1-20", UUIDS[0], UUIDS[1]);
        variables.insert("gtid_executed".into(), set.clone());
        variables.insert("gtid_purged".into(), String::new());
        set
    };
    let peer = &config.nodes[1 - index];
    let mut facts = ServerFacts::foreseen(dialect, variables);
    facts.links = vec![LinkFacts {
        source_host: peer.host.clone(),
        source_port: peer.port,
        source_user: "twinlog_repl".into(),
        source_server_id: Some(3 - number),
        source_uuid: Some(UUIDS[1 - index].into()),
        receiver: "Yes".into(),
        applier: true,
        by_gtid: true,
        tls: true,
        tls_ca: true,
        connect_retry_s: 2,
        retrieved_gtids: executed,
        read: Coordinates::default(),
        ..LinkFacts::default()
    }];
    facts.log_readers = vec!["twinlog_repl@localhost:1".into()];
    facts.membership = Some(Membership {
        pair_id: "p".into(),
        node: config.nodes[index].name.clone(),
        origin_gtids: String::new(),
    });
    facts
}

pub(super) fn login(user: &str, host: &str, powers: &[&'static str]) -> Login {
    Login {
        user: user.into(),
        host: host.into(),
        open: false,
        powers: powers.to_vec(),
    }
}

fn schema() -> SchemaFacts {
    SchemaFacts {
        tables: vec![table("info"), table("log")],
        ..SchemaFacts::default()
    }
}

pub(super) fn table(name: &str) -> Table {
    let column = |name: &str, kind: &str, extra: &str| Column {
        name: name.into(),
        kind: kind.into(),
        extra: extra.into(),
        ..Column::default()
    };
    Table {
        is_versioned: false,
        schema: "shop".into(),
        name: name.into(),
        engine: "InnoDB".into(),
        auto_increment: Some(7),
        columns: vec![
            column("id", "int(11)", "auto_increment"),
            column("name", "varchar(255)", ""),
        ],
        keys: vec![
            key("PRIMARY", true, &["id"]),
            key("by_name", false, &["name"]),
        ],
        foreign_keys: Vec::new(),
    }
}

pub(super) fn key(name: &str, unique: bool, columns: &[&str]) -> Key {
    Key {
        name: name.into(),
        unique,
        nullable: false,
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
    }
}

/// Two option files with nothing wrong for any version that understands them.
pub(super) fn files() -> Scene {
    of_texts([&healthy_file(1), &healthy_file(2)], None)
}

pub(super) fn healthy_file(number: u32) -> String {
    format!(
        "[mysqld]\nserver_id = {number}\nlog_bin = binlog\nbinlog_format = ROW\nbinlog_row_image = FULL\n\
         binlog_row_metadata = FULL\nlog_slave_updates = ON\ngtid_mode = ON\nenforce_gtid_consistency = ON\n\
         auto_increment_increment = 2\nauto_increment_offset = {number}\nsync_binlog = 1\nrelay_log = relay\n\
         relay_log_recovery = ON\nslave_net_timeout = 10\nbinlog_expire_logs_seconds = 2592000\n\
         slave_preserve_commit_order = ON\nloose_master_info_repository = TABLE\nloose_relay_log_info_repository = TABLE\n"
    )
}

pub(super) fn of_texts(texts: [&str; 2], version: Option<&str>) -> Scene {
    let names = ["/etc/a.cnf", "/etc/b.cnf"];
    let files: Vec<OptionFile> = names
        .iter()
        .zip(texts)
        .map(|(name, text)| OptionFile::parse(Path::new(name), text).expect("an option file"))
        .collect();
    let version = version.map(|text| Version::parse(text, "").expect("a version"));
    Scene::of_files(&files, version, date(2026, 1, 1))
}

/// Sets a variable of a server.
pub(super) fn set(scene: &mut Scene, index: usize, name: &str, value: &str) {
    scene.subjects[index].settings.set(name, value);
    if let Some(live) = &mut scene.subjects[index].live {
        live.facts.variables.insert(name.into(), value.into());
    }
}

/// A server's answers.
pub(super) fn live(scene: &mut Scene, index: usize) -> &mut Live {
    scene.subjects[index].live.as_mut().expect("it answered")
}

/// The link of node a from node b.
pub(super) fn link(scene: &mut Scene) -> &mut LinkFacts {
    &mut live(scene, 0).facts.links[0]
}

/// A table of node b.
pub(super) fn table_of_b(scene: &mut Scene) -> &mut Table {
    &mut live(scene, 1).schema.as_mut().expect("it was read").tables[0]
}
