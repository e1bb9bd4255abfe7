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
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @"");
    assert_snapshot!(notes, @"");
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
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @"");
    assert_snapshot!(notes, @"");
}

#[test]
fn files_that_disagree() {
    let a = "server_id=1\nport=3310\ngtid_mode=ON\nbinlog-do-db=a,mysql\nslave-skip-errors=all\n\
             wsrep_sst_auth=root:secret\nreplicate-ignore-db=x\nssl-ca=/ca.pem\nlong_query_time=0.5\n\
             replicate_wild_do_table=a.t%";
    let b = "server_id=1\nreplicate-do-db=b\nloose-innodb_x=a\nloose_innodb_x=b\nport=x";
    let (config, notes) = imported(a, b);
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @"");
    assert!(!notes.contains("secret"));
    assert_snapshot!(notes, @"");
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
