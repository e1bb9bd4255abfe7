//! Any valid configuration is read as it was written.

use std::collections::BTreeMap;

use proptest::option::of;
use proptest::prelude::*;

use super::super::{
    Agent, ClientTls, Conflicts, DockerLimits, Filter, Identity, LinkTls, Mode, Node, OptionValue,
    Options, Password, Policy, Replication, Runtime, Server, TablePolicy, Tls, Writes,
};
use super::*;

/// Text with everything TOML must quote.
fn any_text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 \"'\\\\#=\\[\\]{}é库-]{1,12}[a-z\"'\\\\]"
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9\"'\\\\#é库:/.-]{1,12}"
}

fn path() -> impl Strategy<Value = PathBuf> {
    ("(/etc/shop|/srv|/)", "[a-z0-9 \"'é]{1,8}", "[a-z.]{3,8}")
        .prop_map(|(root, middle, last)| Path::new(&root).join(middle).join(format!("x{last}")))
}

fn binary() -> impl Strategy<Value = PathBuf> {
    prop_oneof![path(), "[a-z]{1,8}".prop_map(PathBuf::from)]
}

fn options() -> impl Strategy<Value = Options> {
    let value = prop_oneof![
        any_text().prop_map(OptionValue::Text),
        Just(OptionValue::Text(String::new())),
        any::<i64>().prop_map(OptionValue::Integer),
        any::<bool>().prop_map(OptionValue::Switch),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(OptionValue::Float),
    ];
    proptest::collection::btree_map("x[a-z0-9_]{0,8}(\\.[a-z]{1,4})?", value, 0..4)
}

fn runtime() -> impl Strategy<Value = Runtime> {
    prop_oneof![
        Just(Runtime::Process),
        Just(Runtime::Docker),
        Just(Runtime::External)
    ]
}

fn server() -> impl Strategy<Value = Server> {
    let limits = (of(6_u64 << 20..1 << 40), of(0.1_f64..64.0));
    (
        runtime(),
        of(binary()),
        word(),
        path(),
        word(),
        options(),
        limits,
    )
        .prop_map(
            |(runtime, binary, image, data_dir, user, options, (memory_bytes, cpus))| Server {
                runtime,
                binary,
                image,
                data_dir: data_dir.join("data"),
                user,
                options,
                docker: DockerLimits { memory_bytes, cpus },
            },
        )
}

fn password() -> impl Strategy<Value = Password> {
    prop_oneof![
        path().prop_map(Password::File),
        "[A-Z_][A-Z0-9_]{0,8}".prop_map(Password::Env),
        Just(Password::Empty),
    ]
}

fn client_tls() -> impl Strategy<Value = ClientTls> {
    prop_oneof![
        Just(ClientTls::Preferred),
        Just(ClientTls::Required),
        Just(ClientTls::VerifyCa),
        Just(ClientTls::VerifyIdentity),
    ]
}

prop_compose! {
    /// All that any node may have, and some of what only an external or only an own one may.
    fn node(name: &'static str, port: u16)(
        runtime in of(runtime()),
        binary in of(binary()),
        image in of(word()),
        host in word(),
        bind_address in of(any::<std::net::IpAddr>()),
        server_id in of(1_u32..1000),
        access in (word(), password(), of(client_tls()), path()),
        replication in (of(word()), of(1_u16..)),
        options in options(),
    ) -> Node {
        let (user, password, tls, ca) = access;
        Node {
            runtime,
            binary,
            image,
            host,
            bind_address,
            // Odd and even ids never meet.
            server_id: server_id.map(|id| id * 2 + u32::from(port % 2)),
            user: Some(user),
            password: Some(password),
            tls,
            ssl_ca: Some(ca),
            replication_host: replication.0,
            replication_port: replication.1,
            options,
            ..Node::new(name, port)
        }
    }
}

/// Takes out what the node's runtime does not know.
fn fitting(config: &Config, node: &mut Node) {
    let runtime = config.runtime_of(node);
    if runtime == Runtime::External {
        node.bind_address = None;
    } else {
        (node.user, node.password, node.tls, node.ssl_ca) = (None, None, None, None);
    }
    if runtime != Runtime::Process {
        node.binary = None;
    }
    if runtime != Runtime::Docker {
        node.image = None;
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::LastWriteWins),
        Just(Policy::FirstWriteWins),
        Just(Policy::Prefer("b-1".to_owned())),
        Just(Policy::Merge),
        Just(Policy::Manual),
    ]
}

fn conflicts() -> impl Strategy<Value = Conflicts> {
    let counters = proptest::collection::vec(word(), 0..3);
    let entries =
        proptest::collection::btree_map("[a-z*]{1,4}\\.[a-z*]{1,4}", (policy(), counters), 0..3);
    (policy(), entries).prop_map(|(policy, entries)| Conflicts {
        policy,
        tables: entries
            .into_iter()
            .map(|(pattern, (policy, counters))| TablePolicy {
                pattern,
                counters: if policy == Policy::Merge {
                    counters
                } else {
                    Vec::new()
                },
                policy,
            })
            .collect(),
    })
}

fn replication() -> impl Strategy<Value = Replication> {
    let mode = prop_oneof![Just(Mode::Gtid), Just(Mode::Position)];
    let tls = prop_oneof![
        Just(LinkTls::Required),
        Just(LinkTls::Preferred),
        Just(LinkTls::Off)
    ];
    let filter = prop_oneof![Just(Filter::Replica), Just(Filter::BinlogDoDb)];
    (mode, any::<bool>(), tls, filter).prop_map(|(mode, semi_sync, tls, filter)| Replication {
        mode,
        semi_sync,
        tls,
        filter,
    })
}

prop_compose! {
    fn config()(
        name in "[a-z]([a-z0-9-]{0,8}[a-z0-9])?",
        databases in of(proptest::collection::btree_set("x[a-z \"'é.%]{0,8}y", 1..4)),
        writes in prop_oneof![Just(Writes::Both), Just(Writes::One)],
        server in server(),
        nodes in (node("z", 1001), node("b-1", 1002)),
        mut replication in replication(),
        tls in of((path(), path(), path())),
        conflicts in conflicts(),
        agent in (any::<std::net::IpAddr>(), of(any::<std::net::IpAddr>()), of(1..u32::MAX), 1..=100_u8),
    ) -> Config {
        if databases.is_none() {
            replication.filter = Filter::Replica;
        }
        let mut config = Config {
            dir: dir(),
            name,
            databases: databases.map(|names| names.into_iter().collect()),
            writes,
            server,
            nodes: Vec::new(),
            replication,
            tls: None,
            conflicts,
            agent: Agent {
                listen: (agent.0, 2001).into(),
                router: agent.1.map(|address| (address, 2002).into()),
                verify_every: agent.2.map(|seconds| std::time::Duration::from_secs(seconds.into())),
                verify_load: agent.3,
            },
        };
        for mut node in [nodes.0, nodes.1] {
            fitting(&config, &mut node);
            config.nodes.push(node);
        }
        let own = |node: &&Node| config.runtime_of(node) != Runtime::External;
        let identities: BTreeMap<String, Identity> = tls
            .iter()
            .flat_map(|(_, cert, key)| {
                config.nodes.iter().filter(own).map(|node| {
                    (node.name.clone(), Identity { cert: cert.clone(), key: key.clone() })
                })
            })
            .collect();
        config.tls = tls.map(|(ca, _, _)| Tls { ca, nodes: identities });
        config
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(config in config()) {
        let text = config.to_toml().expect("paths are UTF-8");
        match parse(&text) {
            Ok(read) => prop_assert_eq!(read, config, "{}", text),
            Err(error) => prop_assert!(false, "{}\n{}", error, text),
        }
    }

    #[test]
    fn a_damaged_file_never_panics(config in config(), at in any::<prop::sample::Index>(), with in "\\PC{0,3}") {
        let text = config.to_toml().expect("paths are UTF-8");
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        let place = *at.get(&places);
        let damaged = format!("{}{with}{}", &text[..place], &text[place..].chars().skip(1).collect::<String>());
        if let Err(ConfigError::Invalid { problems, .. }) = parse(&damaged) {
            // The end of a file that ends in a new line is on a line of its own.
            let lines = damaged.split('\n').count();
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| problem.line <= lines));
        }
    }
}
