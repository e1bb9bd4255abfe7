use std::fs;

use insta::assert_snapshot;

use super::*;

/// The error's text and hint, without the directory.
fn said(text: &str) -> String {
    let error = parse(text).expect_err("it is wrong");
    let hint = error
        .hint()
        .map(|hint| format!("\nhint: {hint}"))
        .unwrap_or_default();
    format!("{error}{hint}").replace("/etc/shop/", "")
}

/// As [`said`], of lines after those of two nodes, which are the first four.
fn after_nodes(text: &str) -> String {
    said(&format!("{NODES}{text}"))
}

/// As [`said`], of an external pair whose node `a`, from line 4 on, has these lines.
fn external(lines: &str) -> String {
    let b = "[nodes.b]\nport = 3308\nuser = 'root'\nno_password = true\n";
    said(&format!(
        "[server]\nruntime = 'external'\n[nodes.a]\n{lines}\n{b}"
    ))
}

#[test]
fn every_unknown_key_at_any_depth() {
    let text = r#"
nmae = "shop"
server.data-dir = "x"
[node.a]
[nodes.a]
port = 3307
prot = 3308
cpus = 2
[nodes.b]
port = 3308
max_connections = 7
[replication]
gtid = true
[[conflicts.tables]]
match = "a.b"
policy = "merge"
counter = ["x"]
"#;
    assert_snapshot!(said(text), @"");
}

#[test]
fn one_unknown_key() {
    assert_snapshot!(after_nodes("[replication]\nsemisync = true"), @"");
    assert_snapshot!(said(&format!("semi_sync = true\n{NODES}")), @"");
    assert_snapshot!(after_nodes("[agent]\nzzz = 1"), @"");
}

#[test]
fn a_password_in_the_file_is_not_repeated() {
    let text = external("port = 3307\nuser = 'root'\npassword = 'hunter2'");
    assert!(!text.contains("hunter2"));
    assert_snapshot!(text, @"");
    let text = external("port = 3307\nuser = 'root'\npassword_env = 'hunter2!'");
    assert!(!text.contains("hunter2"));
    assert_snapshot!(text, @"");
}

#[test]
fn not_toml() {
    assert_snapshot!(said("name = \"shop\"\n[nodes.a\nport = 1"), @"");
    assert_snapshot!(said("name = shop"), @"");
    assert_snapshot!(said("name = 'a'\nname = 'b'"), @"");
}

#[test]
fn wrong_types_and_values() {
    let text = r#"
name = 7
databases = "test"
writes = "booth"
replication = "gtid"
[server]
runtime = "systemd"
binary = ""
options = { a = [1], b = 1979-05-27, c = 99999999999999999999 }
docker = { memory = "lots", cpus = "all" }
[nodes.a]
port = 70000
server_id = 0
bind_address = "db1"
[nodes]
b = 3308
[conflicts]
policy = "newest"
tables = [1]
[agent]
listen = "localhost:7474"
"#;
    assert_snapshot!(said(text), @"");
}

#[test]
fn wrong_choice() {
    assert_snapshot!(after_nodes("[replication]\nmode = 'gtids'"), @"");
    assert_snapshot!(after_nodes("[replication]\nmode = 1"), @"");
}

#[test]
fn names() {
    assert_snapshot!(said(&format!("name = \"Shop 1\"\n{NODES}")), @"");
    assert_snapshot!(said("[nodes.A]\nport = 1\n[nodes.secrets]\nport = 2"), @"");
}

#[test]
fn exactly_two_nodes_with_ports() {
    assert_snapshot!(said("name = 'shop'"), @"");
    assert_snapshot!(after_nodes("[nodes.c]\nport = 3309"), @"");
    assert_snapshot!(said("[nodes.a]\n[nodes.b]\nport = 3308"), @"");
}

#[test]
fn databases() {
    assert_snapshot!(said(&format!("databases = []\n{NODES}")), @"");
    assert_snapshot!(said(&format!("databases = ['a', 'MySQL', 'a', 'b ']\n{NODES}")), @"");
    assert_snapshot!(after_nodes("[replication]\nfilter = 'binlog-do-db'"), @"");
}

#[test]
fn nodes_that_collide() {
    let same = "[nodes.a]\nport = 3307\nserver_id = 7\ndata_dir = 'data'\n\
                [nodes.b]\nport = 3307\nserver_id = 7";
    assert_snapshot!(said(same), @"");
    let bound = "[nodes.a]\nport = 3307\nbind_address = '127.0.0.1'\n\
                 [nodes.b]\nport = 3307\nbind_address = '::'";
    assert_snapshot!(said(bound), @"");
    let apart = bound.replace("::", "127.0.0.2");
    valid(&apart);
}

#[test]
fn external_nodes_say_how_to_enter() {
    assert_snapshot!(external("port = 3307"), @"");
    let two = "port = 3307\nuser = 'root'\npassword_file = 'a'\npassword_env = 'A'";
    assert_snapshot!(external(two), @"");
    let odd = "port = 3308\nhost = 'localhost'\nuser = 'root'\npassword_env = 'A'\ndata_dir = 'x'\ntls = 'verify-ca'";
    assert_snapshot!(external(odd), @"");
    let unused = "port = 3307\nhost = 'db 1'\nuser = 'root'\npassword_env = 'A'\ntls = 'off'\nssl_ca = 'ca.pem'";
    assert_snapshot!(external(unused), @"");
}

#[test]
fn own_nodes_need_no_account() {
    let text = "[nodes.a]\nport = 3307\nuser = 'root'\npassword_file = 'x'\nimage = 'mysql:8.4'\n\
                [nodes.b]\nport = 3308\nruntime = 'docker'\nbinary = 'mysqld'\nimage = 'my sql'";
    assert_snapshot!(said(text), @"");
}

#[test]
fn options() {
    let text = "[server.options]\nport = 1\nDataDir = 'x'\nbinlog-do-db = 'test'\n'a b' = 1\n\
                sql_mode = \"a\\nb\"\nmax-connections = 1\nmax_connections = 2";
    assert_snapshot!(after_nodes(text), @"");
    let text = "[server.options]\nport = 1\nDataDir = 'x'\nbinlog-do-db = 'test'\n'a b' = 1\nsql_mode = \"a\\nb\"";
    assert_snapshot!(after_nodes(text), @"");
}

#[test]
fn server_values() {
    let text = "[server]\nuser = 'my sql'\nimage = ' '\n[server.docker]\nmemory = '1m'\ncpus = 0";
    assert_snapshot!(after_nodes(text), @"");
}

#[test]
fn certificates() {
    assert_snapshot!(after_nodes("[tls.nodes.a]\ncert = 'a.pem'"), @"");
    let text = "[tls]\nca = 'ca.pem'\n[tls.nodes.a]\ncert = 'a.pem'\nkey = 'a.key'\n\
                [tls.nodes.c]\ncert = 'c.pem'\nkey = 'c.key'";
    assert_snapshot!(after_nodes(text), @"");
}

#[test]
fn conflicts() {
    let text = "[conflicts]\npolicy = 'prefer:c'\n\
                [[conflicts.tables]]\nmatch = 'stock'\npolicy = 'manual'\ncounters = ['quantity']\n\
                [[conflicts.tables]]\nmatch = 'shop.*'\npolicy = 'prefer:b'\n\
                [[conflicts.tables]]\nmatch = 'shop.*'\npolicy = 'prefer:'";
    assert_snapshot!(after_nodes(text), @"");
    assert_snapshot!(after_nodes("[[conflicts.tables]]\ncounters = ['quantity']"), @"");
}

#[test]
fn agent() {
    assert_snapshot!(after_nodes("[agent]\nlisten = '0.0.0.0:3307'\nrouter = '127.0.0.1:3307'"), @"");
    assert_snapshot!(after_nodes("[agent]\nrouter = '127.0.0.1:0'"), @"");
}

#[test]
fn missing_and_unreadable_files() {
    let error = Config::load(Path::new("no/twinlog.toml")).expect_err("missing");
    assert_snapshot!(format!("{error}\nhint: {}", error.hint().unwrap_or_default()), @"");
    let dir = tempfile::tempdir().expect("a directory");
    let error = Config::load(dir.path()).expect_err("a directory is no file");
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
    let file = dir.path().join("twinlog.toml");
    fs::write(&file, b"name = 'shop'\n# caf\xe9\n").expect("written");
    let error = Config::load(&file).expect_err("not UTF-8").to_string();
    assert!(error.ends_with("twinlog.toml:2:6: not UTF-8"), "{error}");
}
