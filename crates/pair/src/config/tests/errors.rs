//! Text that is not the file it should be.

use std::fs;

use insta::assert_snapshot;

use super::*;

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
    assert_snapshot!(said(text), @"
    twinlog.toml:2:1: unknown key `nmae` at the top level
    twinlog.toml:3:8: unknown key `data-dir` in [server]
    twinlog.toml:4:2: unknown key `node` at the top level
    twinlog.toml:7:1: unknown key `prot` in [nodes.a]
    twinlog.toml:8:1: unknown key `cpus` in [nodes.a]
    twinlog.toml:11:1: unknown key `max_connections` in [nodes.b]
    twinlog.toml:13:1: unknown key `gtid` in [replication]
    twinlog.toml:17:1: unknown key `counter` in [[conflicts.tables]]
    hint: line 2: did you mean `name`?
    line 3: did you mean `data_dir`?
    line 4: did you mean `nodes`?
    line 7: did you mean `port`?
    line 8: `cpus` belongs in [server.docker]
    line 11: an option of the server goes into `options`; known here: runtime, binary, image, data_dir, host, port, bind_address, server_id, user, password_file, password_env, no_password, tls, ssl_ca, replication_host, replication_port, options
    line 13: known here: mode, semi_sync, tls, filter
    line 17: did you mean `counters`?
    ");
}

#[test]
fn one_unknown_key() {
    assert_snapshot!(after_nodes("[replication]\nsemisync = true"), @"
    twinlog.toml:6:1: unknown key `semisync` in [replication]
    hint: did you mean `semi_sync`?
    ");
    assert_snapshot!(said(&format!("semi_sync = true\n{NODES}")), @"
    twinlog.toml:1:1: unknown key `semi_sync` at the top level
    hint: `semi_sync` belongs in [replication]
    ");
    assert_snapshot!(after_nodes("[agent]\nzzz = 1"), @"
    twinlog.toml:6:1: unknown key `zzz` in [agent]
    hint: known here: listen, router, verify_every, verify_load
    ");
}

#[test]
fn a_password_in_the_file_is_not_repeated() {
    let text = external("port = 3307\nuser = 'root'\npassword = 'hunter2'");
    assert!(!text.contains("hunter2"));
    assert_snapshot!(text, @r#"
    twinlog.toml:6:1: `password` in [nodes.a]: no password may stand in this file
    hint: name where it is kept: `password_file = "FILE"` or `password_env = "VARIABLE"`, on an external node; twinlog generates the passwords of nodes it runs
    "#);
    let text = external("port = 3307\nuser = 'root'\npassword_env = 'hunter2!'");
    assert!(!text.contains("hunter2"));
    assert_snapshot!(text, @r#"twinlog.toml:6:16: `password_env` must be the name of an environment variable, such as "SHOP_A_PASSWORD", not this string"#);
}

#[test]
fn not_toml() {
    assert_snapshot!(said("name = \"shop\"\n[nodes.a\nport = 1"), @"twinlog.toml:2:9: not TOML: unclosed table, expected `]`");
    assert_snapshot!(said("name = shop"), @"twinlog.toml:1:8: not TOML: string values must be quoted, expected literal string");
    assert_snapshot!(said("name = 'a'\nname = 'b'"), @"twinlog.toml:2:1: not TOML: duplicate key");
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
    assert_snapshot!(said(text), @r#"
    twinlog.toml:2:8: `name` must be a non-empty string, not 7
    twinlog.toml:3:13: `databases` must be a list of strings, such as ["shop"], not "test"
    twinlog.toml:4:10: `writes` must be "both" or "one", not "booth"
    twinlog.toml:5:15: `replication` must be a table, [replication], not "gtid"
    twinlog.toml:7:11: `runtime` must be "process", "docker" or "external", not "systemd"
    twinlog.toml:8:10: `binary` must be a non-empty string, not ""
    twinlog.toml:9:17: option `a` must be a string, a number, true or false
    twinlog.toml:9:26: option `b` must be a string, a number, true or false
    twinlog.toml:9:42: option `c` must be a string, a number, true or false
    twinlog.toml:10:21: `memory` must be bytes or a size such as "512m" or "2g", not "lots"
    twinlog.toml:10:36: `cpus` must be a number such as 1.5, not "all"
    twinlog.toml:12:8: `port` must be a whole number from 1 to 65535, not 70000
    twinlog.toml:13:13: `server_id` must be a whole number from 1 to 4294967295, not 0
    twinlog.toml:14:16: `bind_address` must be an IP address such as "0.0.0.0", not "db1"
    twinlog.toml:16:5: `b` must be a table, [nodes.b], not 3308
    twinlog.toml:18:10: `policy` must be "last-write-wins", "first-write-wins", "prefer:<node>", "merge" or "manual", not "newest"
    twinlog.toml:19:11: `tables` must be a list of tables, [[conflicts.tables]], not 1
    twinlog.toml:21:10: `listen` must be an IP address and port, such as "127.0.0.1:7474", not "localhost:7474"
    hint: line 4: did you mean "both"?
    line 9: put the value in quotes, as it stands in my.cnf after the `=`
    line 9: put the value in quotes, as it stands in my.cnf after the `=`
    line 9: put the value in quotes, as it stands in my.cnf after the `=`
    "#);
}

#[test]
fn wrong_choice() {
    assert_snapshot!(after_nodes("[replication]\nmode = 'gtids'"), @r#"
    twinlog.toml:6:8: `mode` must be "gtid" or "position", not "gtids"
    hint: did you mean "gtid"?
    "#);
    assert_snapshot!(after_nodes("[replication]\nmode = 1"), @r#"twinlog.toml:6:8: `mode` must be "gtid" or "position", not 1"#);
}

#[test]
fn missing_and_unreadable_files() {
    let error = Config::load(Path::new("no/twinlog.toml")).expect_err("missing");
    assert_snapshot!(format!("{error}\nhint: {}", error.hint().unwrap_or_default()), @"
    no/twinlog.toml: no such file
    hint: `twinlog init` writes one; `-c FILE` names another file
    ");
    let dir = tempfile::tempdir().expect("a directory");
    let error = Config::load(dir.path()).expect_err("a directory is no file");
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
    let file = dir.path().join("twinlog.toml");
    fs::write(&file, b"name = 'shop'\n# caf\xe9\n").expect("written");
    let error = Config::load(&file).expect_err("not UTF-8").to_string();
    assert!(error.ends_with("twinlog.toml:2:6: not UTF-8"), "{error}");
}
