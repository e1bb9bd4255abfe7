//! The published form of the file, and the defaults.

use super::super::{
    ClientTls, Filter, LinkTls, Mode, OptionValue, Password, Policy, Runtime, TablePolicy, Writes,
};
use super::*;

/// The published form of the file, to the letter.
const CONTRACT: &str = r#"
name = "shop"
databases = ["test"]            # optional: replicate only these; default all but system schemas
writes = "both"                 # both | one: may clients write on both nodes, or on one at a time

[server]                        # for nodes that twinlog runs
runtime = "process"             # process | docker | external
binary = "mysqld"               # process: a name on PATH or a path      image = "mysql:8.4" for docker
data_dir = "./data"
options = { lower_case_table_names = 1, character_set_server = "utf8mb4" }   # extra [mysqld] lines

[nodes.a]
port = 3307                     # external nodes: host, port, user, password_file or password_env, tls
[nodes.b]
port = 3308

[replication]
mode = "gtid"                   # gtid | position
semi_sync = false

[conflicts]
policy = "last-write-wins"      # last-write-wins | first-write-wins | prefer:a | merge | manual
[[conflicts.tables]]
match = "shop.stock"
policy = "merge"
counters = ["quantity"]

[agent]
listen = "127.0.0.1:7474"       # dashboard, API, metrics
router = "127.0.0.1:3306"       # the one address clients use; absent: no router
"#;

#[test]
fn the_contract_is_read() {
    let mut expected = Config::local(&dir(), "shop");
    expected.databases = Some(vec!["test".to_owned()]);
    expected.server.binary = Some(PathBuf::from("mysqld"));
    expected.server.data_dir = PathBuf::from("/etc/shop/data");
    expected.server.options = [
        ("lower_case_table_names".to_owned(), OptionValue::Integer(1)),
        (
            "character_set_server".to_owned(),
            OptionValue::Text("utf8mb4".to_owned()),
        ),
    ]
    .into();
    expected.conflicts.tables = vec![TablePolicy {
        pattern: "shop.stock".to_owned(),
        policy: Policy::Merge,
        counters: vec!["quantity".to_owned()],
    }];
    expected.agent.router = "127.0.0.1:3306".parse().ok();
    assert_eq!(valid(CONTRACT), expected);
}

#[test]
fn two_ports_are_enough() {
    let config = valid(NODES);
    assert_eq!(config, Config::local(&dir(), "pair"));
    assert_eq!(config.writes, Writes::Both);
    assert_eq!(config.replication.mode, Mode::Gtid);
    assert_eq!(config.replication.tls, LinkTls::Required);
    assert_eq!(config.replication.filter, Filter::Replica);
}

#[test]
fn the_module_documentation_is_a_valid_file() {
    let documentation = include_str!("../mod.rs");
    let lines = documentation
        .lines()
        .map_while(|line| line.strip_prefix("//!"));
    let block = lines.skip_while(|line| !line.contains("```toml")).skip(1);
    let block: Vec<&str> = block.take_while(|line| !line.contains("```")).collect();
    let config = valid(&block.join("\n"));
    let node = config.node("b").expect("b is there");
    assert_eq!(config.runtime_of(node), Runtime::External);
    assert_eq!(
        node.password,
        Some(Password::File(dir().join("b.password")))
    );
    assert_eq!(node.client_tls(), ClientTls::VerifyIdentity);
}

#[test]
fn nodes_keep_the_order_of_the_file() {
    let config = valid("[nodes.west]\nport = 1\n[nodes.east]\nport = 2\n");
    let names: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["west", "east"]);
}

#[test]
fn a_node_overrides_the_server() {
    let config = valid(
        r#"
        server.options = { max-connections = 100, innodb_buffer_pool_size = "1G" }
        server.image = "mysql:8.0"
        server.data_dir = "/srv/pair"
        [nodes.a]
        port = 3307
        options.max_connections = 200
        [nodes.b]
        port = 3308
        runtime = "docker"
        image = "mysql:8.4"
        data_dir = "../b"
        "#,
    );
    let [a, b] = config.nodes.as_slice() else {
        panic!("two nodes")
    };
    let lines = |node| {
        let options = config.options_of(node);
        options
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(a),
        ["innodb_buffer_pool_size=1G", "max_connections=200"]
    );
    assert_eq!(
        lines(b),
        ["innodb_buffer_pool_size=1G", "max_connections=100"]
    );
    assert_eq!(config.image_of(a), "mysql:8.0");
    assert_eq!(config.image_of(b), "mysql:8.4");
    assert_eq!(config.runtime_of(b), Runtime::Docker);
    assert_eq!(config.data_dir_of(a), Path::new("/srv/pair/a"));
    assert_eq!(config.data_dir_of(b), Path::new("/etc/shop/../b"));
    assert_eq!(config.secrets_dir(), Path::new("/srv/pair/secrets"));
    assert_eq!(config.binary_of(a), None);
}

#[test]
fn dotted_option_names_are_one_name() {
    let text = format!("{NODES}[server.options]\nvalidate_password.policy = 1\n\"a.b\" = true\n");
    let options = valid(&text).server.options;
    let names: Vec<&String> = options.keys().collect();
    assert_eq!(names, ["a.b", "validate_password.policy"]);
}

#[test]
fn docker_limits_take_sizes() {
    for (memory, bytes) in [
        ("\"512m\"", 512 << 20),
        ("\"2GiB\"", 2 << 30),
        ("1073741824", 1 << 30),
    ] {
        let text = format!("{NODES}[server.docker]\nmemory = {memory}\ncpus = 2\n");
        let limits = valid(&text).server.docker;
        assert_eq!((limits.memory_bytes, limits.cpus), (Some(bytes), Some(2.0)));
    }
}

#[test]
fn a_windows_editor_is_no_obstacle() {
    let text = format!("\u{feff}{}", NODES.replace('\n', "\r\n"));
    assert_eq!(valid(&text), Config::local(&dir(), "pair"));
}

#[test]
fn a_key_is_found_again() {
    let line = |key| Config::line_of(CONTRACT, key);
    assert_eq!(line("server.binary"), Some(8));
    assert_eq!(line("server.image"), Some(6));
    assert_eq!(line("nodes.b.port"), Some(15));
    assert_eq!(line("conflicts.tables.0.policy"), Some(25));
    assert_eq!(line("tls.ca"), None);
}
