//! Values that are well-formed and do not fit each other.

use insta::assert_snapshot;

use super::*;

#[test]
fn names() {
    assert_snapshot!(said(&format!("name = \"Shop 1\"\n{NODES}")), @r#"
    twinlog.toml:1:8: "Shop 1" cannot name a pair
    hint: lower case letters, digits and `-`, a letter first, at most 32: it names containers, directories and accounts
    "#);
    assert_snapshot!(said("[nodes.A]\nport = 1\n[nodes.secrets]\nport = 2"), @r#"
    twinlog.toml:1:8: "A" cannot name a node
    twinlog.toml:3:8: "secrets" cannot name a node: its directory holds the pair's passwords
    hint: line 1: lower case letters, digits and `-`, a letter first, at most 16
    line 3: such as "a" and "b"
    "#);
}

#[test]
fn exactly_two_nodes_with_ports() {
    assert_snapshot!(said("name = 'shop'"), @"
    twinlog.toml:1:1: a pair has exactly two nodes, here are 0
    hint: write [nodes.a] and [nodes.b], each with its `port`
    ");
    assert_snapshot!(after_nodes("[nodes.c]\nport = 3309"), @"
    twinlog.toml:1:2: a pair has exactly two nodes, here are 3
    hint: write [nodes.a] and [nodes.b], each with its `port`
    ");
    assert_snapshot!(said("[nodes.a]\n[nodes.b]\nport = 3308"), @"
    twinlog.toml:1:8: [nodes.a] needs `port`
    hint: such as `port = 3307`
    ");
}

#[test]
fn databases() {
    assert_snapshot!(said(&format!("databases = []\n{NODES}")), @"
    twinlog.toml:1:13: `databases` is empty: nothing would be replicated
    hint: leave the key out to replicate all of them
    ");
    assert_snapshot!(said(&format!("databases = ['a', 'MySQL', 'a', 'b ']\n{NODES}")), @r#"
    twinlog.toml:1:19: "MySQL" is a system schema: each server keeps its own
    twinlog.toml:1:28: "a" is listed twice
    twinlog.toml:1:33: "b " cannot be a database's name
    hint: line 1: leave it out
    "#);
    assert_snapshot!(after_nodes("[replication]\nfilter = 'binlog-do-db'"), @r#"
    twinlog.toml:6:10: filter "binlog-do-db" filters nothing without `databases`
    hint: list the `databases`, or leave `filter` out
    "#);
}

#[test]
fn nodes_that_collide() {
    let same = "[nodes.a]\nport = 3307\nserver_id = 7\ndata_dir = 'data'\n\
                [nodes.b]\nport = 3307\nserver_id = 7";
    assert_snapshot!(said(same), @"
    twinlog.toml:4:12: the data directory of node a overlaps the secrets'
    twinlog.toml:5:8: nodes a and b share a data directory
    twinlog.toml:6:8: nodes a and b share port 3307
    twinlog.toml:7:13: nodes a and b share a server id
    hint: line 4: `<server.data_dir>/secrets` holds the generated passwords
    line 5: one directory each, neither within the other
    line 6: two servers on one machine need two ports
    line 7: each drops the other's events as its own: give them different ones
    ");
    let bound = "[nodes.a]\nport = 3307\nbind_address = '127.0.0.1'\n\
                 [nodes.b]\nport = 3307\nbind_address = '::'";
    assert_snapshot!(said(bound), @"
    twinlog.toml:5:8: nodes a and b share port 3307
    hint: two servers on one machine need two ports
    ");
    let apart = bound.replace("::", "127.0.0.2");
    valid(&apart);
}

#[test]
fn external_nodes_say_how_to_enter() {
    assert_snapshot!(external("port = 3307"), @"
    twinlog.toml:3:8: external node a needs `password_file` or `password_env`
    twinlog.toml:3:8: external node a needs `user`
    hint: line 3: `no_password = true` if the password is empty
    line 3: the account twinlog connects as; it needs most privileges
    ");
    let two = "port = 3307\nuser = 'root'\npassword_file = 'a'\npassword_env = 'A'";
    assert_snapshot!(external(two), @"twinlog.toml:3:8: [nodes.a] may have only one of `password_file`, `password_env` or `no_password`");
    let odd = "port = 3308\nhost = 'localhost'\nuser = 'root'\npassword_env = 'A'\ndata_dir = 'x'\ntls = 'verify-ca'";
    assert_snapshot!(external(odd), @r#"
    twinlog.toml:8:12: `data_dir` means nothing on external node a
    twinlog.toml:9:7: `tls` of node a verifies against nothing
    twinlog.toml:11:8: nodes a and b share port 3308
    hint: line 8: twinlog does not start this server
    line 9: name the authority's certificate: `ssl_ca = "ca.pem"`
    line 11: two servers on one machine need two ports
    "#);
    let unused = "port = 3307\nhost = 'db 1'\nuser = 'root'\npassword_env = 'A'\ntls = 'off'\nssl_ca = 'ca.pem'";
    assert_snapshot!(external(unused), @r#"
    twinlog.toml:5:8: "db 1" cannot be a host
    twinlog.toml:9:10: `ssl_ca` of node a is not used with `tls = "off"`
    hint: line 5: a host name or an IP address, without port
    line 9: leave one of them out
    "#);
}

#[test]
fn own_nodes_need_no_account() {
    let text = "[nodes.a]\nport = 3307\nuser = 'root'\npassword_file = 'x'\nimage = 'mysql:8.4'\n\
                [nodes.b]\nport = 3308\nruntime = 'docker'\nbinary = 'mysqld'\nimage = 'my sql'";
    assert_snapshot!(said(text), @r#"
    twinlog.toml:3:8: `user` is for external nodes, and twinlog runs node a
    twinlog.toml:4:17: `password_file` is for external nodes, and twinlog runs node a
    twinlog.toml:5:9: `image` means nothing to the runtime of node a
    twinlog.toml:9:10: `binary` means nothing to the runtime of node b
    twinlog.toml:10:9: "my sql" cannot be an image's name
    hint: line 3: twinlog makes its accounts and passwords; `[tls]` takes your certificates
    line 4: twinlog makes its accounts and passwords; `[tls]` takes your certificates
    line 5: `binary` is for process, `image` for docker
    line 9: `binary` is for process, `image` for docker
    line 10: such as "mysql:8.4" or "mariadb:11.8"
    "#);
}

#[test]
fn options() {
    let text = "[server.options]\nport = 1\nDataDir = 'x'\nbinlog-do-db = 'test'\n'a b' = 1\n\
                sql_mode = \"a\\nb\"\nmax-connections = 1\nmax_connections = 2";
    assert_snapshot!(after_nodes(text), @"
    twinlog.toml:12:1: option `max_connections` is given twice
    hint: `-` and `_` are the same in an option's name
    ");
    let text = "[server.options]\nport = 1\nDataDir = 'x'\nbinlog-do-db = 'test'\n'a b' = 1\nsql_mode = \"a\\nb\"";
    assert_snapshot!(after_nodes(text), @r#"
    twinlog.toml:6:8: option `port` cannot be set through `options`
    twinlog.toml:7:11: option `datadir` cannot be set through `options`
    twinlog.toml:8:16: option `binlog_do_db` cannot be set through `options`
    twinlog.toml:9:9: "a b" cannot be the name of a server option
    twinlog.toml:10:12: the value of option `sql_mode` must be one line
    hint: line 6: use `port` of the node
    line 7: use `data_dir`
    line 8: use `databases`, with `replication.filter = "binlog-do-db"` for this form
    "#);
}

#[test]
fn server_values() {
    let text = "[server]\nuser = 'my sql'\nimage = ' '\n[server.docker]\nmemory = '1m'\ncpus = 0";
    assert_snapshot!(after_nodes(text), @r#"
    twinlog.toml:6:8: "my sql" cannot be an account's name
    twinlog.toml:7:9: " " cannot be an image's name
    twinlog.toml:9:10: a container needs at least 6 MiB of memory
    twinlog.toml:10:8: `cpus` must be more than 0
    hint: line 7: such as "mysql:8.4" or "mariadb:11.8"
    line 9: a server needs some hundred: "1g"
    "#);
}

#[test]
fn certificates() {
    assert_snapshot!(after_nodes("[tls.nodes.a]\ncert = 'a.pem'"), @r#"
    twinlog.toml:5:2: [tls] needs `ca`
    twinlog.toml:5:12: [tls.nodes.a] needs `key`
    hint: line 5: such as `ca = "ca.pem"`
    line 5: such as `key = "a-key.pem"`
    "#);
    let text = "[tls]\nca = 'ca.pem'\n[tls.nodes.a]\ncert = 'a.pem'\nkey = 'a.key'\n\
                [tls.nodes.c]\ncert = 'c.pem'\nkey = 'c.key'";
    assert_snapshot!(after_nodes(text), @"
    twinlog.toml:7:6: [tls] has no certificate for node b
    twinlog.toml:10:12: [tls.nodes.c] names no node
    hint: line 7: [tls.nodes.b] with `cert` and `key`, or no [tls] at all
    ");
}

#[test]
fn conflicts() {
    let text = "[conflicts]\npolicy = 'prefer:c'\n\
                [[conflicts.tables]]\nmatch = 'stock'\npolicy = 'manual'\ncounters = ['quantity']\n\
                [[conflicts.tables]]\nmatch = 'shop.*'\npolicy = 'prefer:b'\n\
                [[conflicts.tables]]\nmatch = 'shop.*'\npolicy = 'prefer:'";
    assert_snapshot!(after_nodes(text), @r#"
    twinlog.toml:6:10: "prefer:c" names no node
    twinlog.toml:8:9: "stock" does not match any table
    twinlog.toml:10:12: `counters` mean nothing under policy "manual"
    twinlog.toml:15:9: "shop.*" has an entry above
    twinlog.toml:16:10: "prefer:" names no node
    hint: line 6: write "prefer:a" or "prefer:b"
    line 8: write `database.table`, `*` for any characters: "shop.stock", "shop.*"; a name with a dot goes between backticks: "`we.ird`.stock"
    line 10: counters are added up by policy "merge"
    line 15: the first entry that matches decides: join the two
    line 16: write "prefer:a" or "prefer:b"
    "#);
    assert_snapshot!(after_nodes("[[conflicts.tables]]\ncounters = ['quantity']"), @r#"
    twinlog.toml:5:1: [[conflicts.tables]] needs `match`
    twinlog.toml:5:1: [[conflicts.tables]] needs `policy`
    hint: line 5: such as `match = "shop.stock"`
    line 5: such as `policy = "merge"`
    "#);
}

#[test]
fn agent() {
    assert_snapshot!(after_nodes("[agent]\nlisten = '0.0.0.0:3307'\nrouter = '127.0.0.1:3307'"), @"
    twinlog.toml:6:10: port 3307 is that of node a
    twinlog.toml:7:10: port 3307 is that of `listen`
    twinlog.toml:7:10: port 3307 is that of node a
    hint: line 6: give the agent a port of its own
    line 7: give each a port of its own
    line 7: give the agent a port of its own
    ");
    assert_snapshot!(after_nodes("[agent]\nrouter = '127.0.0.1:0'"), @"twinlog.toml:6:10: `router` needs a port other than 0");
    let often = after_nodes("[agent]\nverify_every = 'daily'\nverify_load = 0");
    assert_snapshot!(often, @r#"
    twinlog.toml:6:16: `verify_every` must be a time such as "7d", "12h" or "30m", or "never", not "daily"
    twinlog.toml:7:15: `verify_load` must be a whole number from 1 to 100, not 0
    "#);
}
