//! Files made of two `my.cnf`.

use insta::assert_snapshot;

use super::super::{MyCnfOption, from_my_cnf};
use super::*;

/// The options in force of a simple file: its `[mysqld]` group, comments removed.
fn options(text: &str) -> Vec<MyCnfOption> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('['));
    let option = |line: &str| match line.split_once('=') {
        Some((name, value)) => MyCnfOption {
            name: name.trim().to_owned(),
            value: Some(value.trim().to_owned()),
        },
        None => MyCnfOption {
            name: line.to_owned(),
            value: None,
        },
    };
    lines.map(option).collect()
}

/// What is made of the two files, which must be a valid configuration.
fn imported(a: &str, b: &str) -> (Config, String) {
    let imported = from_my_cnf(&dir(), "shop", [&options(a), &options(b)]);
    let text = imported.config.to_toml().expect("paths are UTF-8");
    assert_eq!(valid(&text), imported.config);
    let notes = imported.notes.iter().map(|note| format!("{note}\n"));
    (imported.config, notes.collect())
}

/// The hand-made pair's first file; the second has another server id.
const DOCUMENT: &str = "
[mysqld]
pid-file	= /var/run/mysqld/mysqld.pid
socket		= /var/run/mysqld/mysqld.sock
datadir		= /var/lib/mysql
#log-error	= /var/log/mysql/error.log
# By default we only accept connections from localhost
#bind-address	= 127.0.0.1
# Disabling symbolic-links is recommended to prevent assorted security risks
symbolic-links=0
 
lower_case_table_names = 1 #不区分大小写
character_set_server = utf8 #字符编码
 
log-bin=mysql-bin # 开启bin-log 日志，MySQL主从配置，必须开启
log-bin-index=mysql-bin
 
server_id=1 # 唯一的标识，与slave不同
 
log-slave-updates = true # 双主互备必须开启，否则只是主从关系
relay-log= relaylog
relay-log-index=relaylog
relay-log-purge=on
 
binlog-do-db=test #开启同步的数据库

#auto-increment-increment = 2 
#auto-increment-offset = 1
";

#[test]
fn the_document() {
    let (config, notes) = imported(DOCUMENT, &DOCUMENT.replace("server_id=1", "server_id=2"));
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @r#"
    # A dual primary run by twinlog. `twinlog plan` shows what this means, `twinlog up` makes it so.
    # No password belongs into this file. Relative paths start at its directory.
    name = "shop"                   # names containers, directories, accounts
    databases = ["test"]            # replicate only these
    writes = "both"                 # both | one: may clients write on both nodes, or on one at a time

    [server]                        # what the nodes that twinlog runs have in common
    runtime = "external"            # process | docker | external
    # binary = "mysqld"             # process: a name on PATH or a path
    data_dir = "./data"             # a directory per node, and secrets/

    [server.options]                # extra [mysqld] lines; they win over twinlog's
    character_set_server = "utf8"
    lower_case_table_names = 1

    [nodes.a]
    host = "127.0.0.1"              # where twinlog and clients reach it
    port = 3307
    server_id = 1
    user = "root"                   # the account twinlog connects as
    password_env = "TWINLOG_A_PASSWORD" # the variable's name, not its value

    [nodes.b]
    host = "127.0.0.1"              # where twinlog and clients reach it
    port = 3308
    server_id = 2
    user = "root"                   # the account twinlog connects as
    password_env = "TWINLOG_B_PASSWORD" # the variable's name, not its value

    [replication]                   # the two links
    mode = "position"               # gtid | position
    semi_sync = false               # true: a commit waits until the peer has received it
    tls = "required"                # required | preferred | off
    filter = "replica"              # replica | binlog-do-db (loses cross-database statements)

    [conflicts]                     # when both nodes wrote the same row
    policy = "last-write-wins"      # last-write-wins | first-write-wins | prefer:NODE | merge | manual
    # [[conflicts.tables]]          # the first entry that matches a table decides for it
    # match = "shop.stock"          # database.table, * for any characters
    # policy = "merge"
    # counters = ["quantity"]       # columns whose changes are added up

    [agent]                         # the long-running part: twinlog run
    listen = "127.0.0.1:7474"       # dashboard, API, metrics
    # router = "127.0.0.1:3306"     # the one address clients use; absent: no router
    verify_every = "7d"             # it compares all rows of both nodes so often; or "never"
    verify_load = 25                # percent of its time that a comparison works; it rests the others
    "#);
    assert_snapshot!(notes, @r#"
    left out: pid_file (a, b): a path of this machine: twinlog sets it for nodes it runs, and leaves an external node's alone
    left out: socket (a, b): a path of this machine: twinlog sets it for nodes it runs, and leaves an external node's alone
    left out: datadir (a, b): a path of this machine: twinlog sets it for nodes it runs, and leaves an external node's alone
    left out: symbolic_links (a, b): off by default and deprecated since MySQL 8.0; on MySQL 5.x and MariaDB put `symbolic_links = 0` into `options` to keep it off
    kept: character_set_server (a, b): `utf8` means utf8mb3, three bytes at most, no emoji: kept, since changing it changes new tables
    left out: log_bin (a, b): both logs are needed and twinlog names them; an external node keeps its names
    left out: log_bin_index (a, b): both logs are needed and twinlog names them; an external node keeps its names
    left out: log_slave_updates (a, b): twinlog sets it as a dual primary needs it; put it into `options` to insist
    left out: relay_log (a, b): both logs are needed and twinlog names them; an external node keeps its names
    left out: relay_log_index (a, b): both logs are needed and twinlog names them; an external node keeps its names
    left out: relay_log_purge (a, b): twinlog sets it as a dual primary needs it; put it into `options` to insist
    changed: binlog_do_db (a, b): it logs by the default database and loses cross-database statements; `databases` filters on the replica instead (`replication.filter = "binlog-do-db"` for the old form)
    assumed: port (a): port 3307 of 127.0.0.1; correct `host` and `port`
    assumed: user (a): root, its password in the environment variable TWINLOG_A_PASSWORD; correct `user` and `password_env`
    assumed: port (b): port 3308 of 127.0.0.1; correct `host` and `port`
    assumed: user (b): root, its password in the environment variable TWINLOG_B_PASSWORD; correct `user` and `password_env`
    added: auto_increment_increment (a, b): absent or commented out: two inserts at once would get the same id; twinlog sets increment 2 and offsets 1 and 2
    added: auto_increment_offset (a, b): absent or commented out: two inserts at once would get the same id; twinlog sets increment 2 and offsets 1 and 2
    assumed: replication.mode (a, b): the files do not turn GTIDs on: "position"; "gtid" is safer where the servers have it
    "#);
}

#[test]
fn a_modern_pair() {
    let common = "port=3306\nserver-id=%\ngtid-mode=ON\nenforce_gtid_consistency=ON\n\
                  rpl_semi_sync_source_enabled=1\ninnodb-buffer-pool-size=1G\nskip-name-resolve\n\
                  sql_mode=\nreplicate-wild-do-table=my\\_shop.%\nauto_increment_increment=2\n\
                  auto_increment_offset=%\nmax_connections=%00\n";
    let (config, notes) = imported(
        &common
            .replace('%', "1")
            .replace("my\\_shop.1", "my\\_shop.%"),
        &common
            .replace('%', "2")
            .replace("my\\_shop.2", "my\\_shop.%"),
    );
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @r#"
    # A dual primary run by twinlog. `twinlog plan` shows what this means, `twinlog up` makes it so.
    # No password belongs into this file. Relative paths start at its directory.
    name = "shop"                   # names containers, directories, accounts
    databases = ["my_shop"]         # replicate only these
    writes = "both"                 # both | one: may clients write on both nodes, or on one at a time

    [server]                        # what the nodes that twinlog runs have in common
    runtime = "external"            # process | docker | external
    # binary = "mysqld"             # process: a name on PATH or a path
    data_dir = "./data"             # a directory per node, and secrets/

    [server.options]                # extra [mysqld] lines; they win over twinlog's
    innodb_buffer_pool_size = "1G"
    skip_name_resolve = true
    sql_mode = ""

    [nodes.a]
    host = "127.0.0.1"              # where twinlog and clients reach it
    port = 3307
    server_id = 1
    user = "root"                   # the account twinlog connects as
    password_env = "TWINLOG_A_PASSWORD" # the variable's name, not its value

    [nodes.a.options]               # over [server.options]
    max_connections = 100

    [nodes.b]
    host = "127.0.0.1"              # where twinlog and clients reach it
    port = 3308
    server_id = 2
    user = "root"                   # the account twinlog connects as
    password_env = "TWINLOG_B_PASSWORD" # the variable's name, not its value

    [nodes.b.options]               # over [server.options]
    max_connections = 200

    [replication]                   # the two links
    mode = "gtid"                   # gtid | position
    semi_sync = true                # true: a commit waits until the peer has received it
    tls = "required"                # required | preferred | off
    filter = "replica"              # replica | binlog-do-db (loses cross-database statements)

    [conflicts]                     # when both nodes wrote the same row
    policy = "last-write-wins"      # last-write-wins | first-write-wins | prefer:NODE | merge | manual
    # [[conflicts.tables]]          # the first entry that matches a table decides for it
    # match = "shop.stock"          # database.table, * for any characters
    # policy = "merge"
    # counters = ["quantity"]       # columns whose changes are added up

    [agent]                         # the long-running part: twinlog run
    listen = "127.0.0.1:7474"       # dashboard, API, metrics
    # router = "127.0.0.1:3306"     # the one address clients use; absent: no router
    verify_every = "7d"             # it compares all rows of both nodes so often; or "never"
    verify_load = 25                # percent of its time that a comparison works; it rests the others
    "#);
    assert_snapshot!(notes, @"
    changed: gtid_mode (a, b): `replication.mode` says it
    changed: enforce_gtid_consistency (a, b): `replication.mode` says it
    changed: rpl_semi_sync_source_enabled (a, b): `replication.semi_sync = true` says it
    changed: replicate_wild_do_table (a, b): `databases` says it
    left out: auto_increment_increment (a, b): twinlog sets increment 2 and offsets 1 and 2, so that both nodes can insert at once
    left out: auto_increment_offset (a, b): twinlog sets increment 2 and offsets 1 and 2, so that both nodes can insert at once
    assumed: port (a): port 3307 of 127.0.0.1; correct `host` and `port`
    assumed: user (a): root, its password in the environment variable TWINLOG_A_PASSWORD; correct `user` and `password_env`
    assumed: port (b): port 3308 of 127.0.0.1; correct `host` and `port`
    assumed: user (b): root, its password in the environment variable TWINLOG_B_PASSWORD; correct `user` and `password_env`
    kept: max_connections (a, b): the nodes differ in it: kept per node; equal is safer
    ");
}

#[test]
fn files_that_disagree() {
    let a = "server_id=1\nport=3310\ngtid_mode=ON\nbinlog-do-db=a,mysql\nslave-skip-errors=all\n\
             wsrep_sst_auth=root:secret\nreplicate-ignore-db=x\nssl-ca=/ca.pem\nlong_query_time=0.5\n\
             replicate_wild_do_table=a.t%";
    let b = "server_id=1\nreplicate-do-db=b\nloose-innodb_x=a\nloose_innodb_x=b\nport=x";
    let (config, notes) = imported(a, b);
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @r#"
    # A dual primary run by twinlog. `twinlog plan` shows what this means, `twinlog up` makes it so.
    # No password belongs into this file. Relative paths start at its directory.
    name = "shop"                   # names containers, directories, accounts
    databases = ["a", "b"]          # replicate only these
    writes = "both"                 # both | one: may clients write on both nodes, or on one at a time

    [server]                        # what the nodes that twinlog runs have in common
    runtime = "external"            # process | docker | external
    # binary = "mysqld"             # process: a name on PATH or a path
    data_dir = "./data"             # a directory per node, and secrets/

    [nodes.a]
    host = "127.0.0.1"              # where twinlog and clients reach it
    port = 3310
    user = "root"                   # the account twinlog connects as
    password_env = "TWINLOG_A_PASSWORD" # the variable's name, not its value

    [nodes.a.options]               # over [server.options]
    long_query_time = 0.5

    [nodes.b]
    host = "127.0.0.1"              # where twinlog and clients reach it
    port = 3306
    user = "root"                   # the account twinlog connects as
    password_env = "TWINLOG_B_PASSWORD" # the variable's name, not its value

    [nodes.b.options]               # over [server.options]
    loose_innodb_x = "b"

    [replication]                   # the two links
    mode = "position"               # gtid | position
    semi_sync = false               # true: a commit waits until the peer has received it
    tls = "required"                # required | preferred | off
    filter = "replica"              # replica | binlog-do-db (loses cross-database statements)

    [conflicts]                     # when both nodes wrote the same row
    policy = "last-write-wins"      # last-write-wins | first-write-wins | prefer:NODE | merge | manual
    # [[conflicts.tables]]          # the first entry that matches a table decides for it
    # match = "shop.stock"          # database.table, * for any characters
    # policy = "merge"
    # counters = ["quantity"]       # columns whose changes are added up

    [agent]                         # the long-running part: twinlog run
    listen = "127.0.0.1:7474"       # dashboard, API, metrics
    # router = "127.0.0.1:3306"     # the one address clients use; absent: no router
    verify_every = "7d"             # it compares all rows of both nodes so often; or "never"
    verify_load = 25                # percent of its time that a comparison works; it rests the others
    "#);
    assert!(!notes.contains("secret"));
    assert_snapshot!(notes, @r#"
    changed: gtid_mode (a): `replication.mode` says it
    changed: binlog_do_db (a): the server reads a list with commas as one name, which filters everything out; taken as the list it was meant to be
    left out: binlog_do_db (a): mysql is a system schema: each server keeps its own
    changed: binlog_do_db (a): it logs by the default database and loses cross-database statements; `databases` filters on the replica instead (`replication.filter = "binlog-do-db"` for the old form)
    left out: slave_skip_errors (a): skipping replication errors hides that the nodes differ
    left out: wsrep_sst_auth (a): it is for Galera or Group Replication, and this pair replicates natively
    left out: replicate_ignore_db (a): such a filter lets the nodes differ without an error; `databases` chooses what is replicated
    left out: ssl_ca (a): an external node keeps its certificates; `[tls]` is for nodes twinlog runs
    left out: replicate_wild_do_table (a): it takes part of a database, or several; `databases` takes whole ones by name
    changed: replicate_do_db (b): it filters by the default database and loses cross-database statements; `databases` is rendered as replicate_wild_do_table
    changed: loose_innodb_x (b): given more than once: the last one is kept
    left out: port (b): it is not a port number
    assumed: user (a): root, its password in the environment variable TWINLOG_A_PASSWORD; correct `user` and `password_env`
    assumed: user (b): root, its password in the environment variable TWINLOG_B_PASSWORD; correct `user` and `password_env`
    left out: server_id (a, b): both files give the same: each server would drop the other's events as its own
    added: auto_increment_increment (a, b): absent or commented out: two inserts at once would get the same id; twinlog sets increment 2 and offsets 1 and 2
    added: auto_increment_offset (a, b): absent or commented out: two inserts at once would get the same id; twinlog sets increment 2 and offsets 1 and 2
    assumed: replication.mode (a, b): only one of the files turns GTIDs on: "position"; turn them on in both for "gtid"
    changed: databases (a, b): the files name different databases: what is written in one of them alone would not arrive; all of them are replicated both ways
    kept: long_query_time (a, b): the nodes differ in it: kept per node; equal is safer
    kept: loose_innodb_x (a, b): the nodes differ in it: kept per node; equal is safer
    "#);
}

#[test]
fn mariadb_uses_its_gtids() {
    let (config, notes) = imported(
        "server_id=1\ngtid_domain_id=1",
        "server_id=2\ngtid_domain_id=2",
    );
    assert_eq!(config.replication.mode, super::super::Mode::Gtid);
    assert!(
        notes.contains(
            "changed: gtid_domain_id (a, b): twinlog gives each node a domain of its own"
        )
    );
}

#[test]
fn empty_files_make_a_valid_pair() {
    let (config, _) = imported("", "");
    assert_eq!(config.databases, None);
}
