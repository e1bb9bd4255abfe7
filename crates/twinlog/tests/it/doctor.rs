//! `twinlog doctor`: nothing to say of a fresh pair, and every planted fault seen.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use twinlog_pair::doctor::report::Report;
use twinlog_testbed::{Output, ServerKind, TestDir};

use crate::{
    schema::{assert_valid, check_schema},
    support::{Db, Pair, assert_fails, twinlog},
};

#[test]
fn the_schema_is_current() {
    check_schema::<Report>("doctor");
}

/// The codes of a report's findings.
fn codes(output: &Output) -> BTreeSet<String> {
    let report = assert_valid("doctor", &output.stdout);
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    findings
        .iter()
        .filter_map(|finding| finding["code"].as_str().map(str::to_owned))
        .collect()
}

fn has_all(found: &BTreeSet<String>, wanted: &[&str]) {
    let missing: Vec<&&str> = wanted
        .iter()
        .filter(|code| !found.contains(**code))
        .collect();
    assert!(missing.is_empty(), "not seen: {missing:?}; seen: {found:?}");
}

/// Faults of schemas, made on node a and replicated, and such that only one node has.
async fn plant_in_schemas([a, b]: &[Db; 2]) {
    a.run(&[
        "CREATE DATABASE shop",
        "CREATE TABLE shop.log (v INT)",
        "CREATE TABLE shop.maybe (v INT NULL, UNIQUE KEY u (v))",
        "CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE = MyISAM",
        "CREATE TABLE shop.full (id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 250",
        "CREATE TABLE shop.parent (id INT PRIMARY KEY)",
        "CREATE TABLE shop.child (id INT PRIMARY KEY, p INT, \
         FOREIGN KEY fk (p) REFERENCES shop.parent (id) ON DELETE CASCADE)",
        "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.log",
    ])
    .await;
    b.wait_for_rows(
        "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop'",
        &vec![vec!["1".into()]],
    )
    .await;
    a.run(&[
        "SET sql_log_bin = 0",
        "CREATE TABLE shop.lonely (id INT PRIMARY KEY)",
        "CREATE TRIGGER shop.t BEFORE INSERT ON shop.parent FOR EACH ROW SET @x = 1",
    ])
    .await;
    b.run(&[
        "SET sql_log_bin = 0",
        "ALTER TABLE shop.parent ADD COLUMN more VARCHAR(10)",
        "ALTER TABLE shop.child ADD UNIQUE KEY only_here (id, p)",
        "ALTER EVENT shop.nightly ENABLE",
    ])
    .await;
}

/// Faults of node b's settings and accounts, and of its link.
async fn plant_in_b(b: &Db, a: &Db, mariadb: bool) {
    let account = |who: &str| format!("CREATE USER {who}");
    a.run(&[
        "SET sql_log_bin = 0",
        &account("'mighty'@'%' IDENTIFIED BY 'xY1-long-enough'"),
        "GRANT ALL ON *.* TO 'mighty'@'%'",
    ])
    .await;
    b.run(&[
        "SET sql_log_bin = 0",
        &account("'open'@'localhost' IDENTIFIED BY ''"),
        &account("''@'localhost' IDENTIFIED BY 'x'"),
        &account("'root'@'%' IDENTIFIED BY 'x'"),
        "REVOKE PROCESS ON *.* FROM 'twinlog'@'%'",
        "SET GLOBAL sync_binlog = 0",
        "SET GLOBAL innodb_flush_log_at_trx_commit = 2",
        "SET GLOBAL binlog_row_image = MINIMAL",
        "SET GLOBAL auto_increment_increment = 1",
        "SET GLOBAL max_allowed_packet = 4194304",
        "SET GLOBAL sql_mode = ''",
        "SET GLOBAL binlog_expire_logs_seconds = 86400",
        "SET GLOBAL slave_exec_mode = STRICT",
        "SET GLOBAL read_only = ON",
    ])
    .await;
    if mariadb {
        b.run(&[
            "SET sql_log_bin = 0",
            "SET GLOBAL mysql56_temporal_format = OFF",
            "CREATE TABLE shop.aged (id INT PRIMARY KEY, t DATETIME(3))",
            "SET GLOBAL mysql56_temporal_format = ON",
            "CREATE TABLE shop.past (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
            "CREATE SEQUENCE shop.numbers",
            "SET sql_log_bin = 1",
            "STOP SLAVE",
            "SET GLOBAL slave_parallel_mode = optimistic",
            "SET GLOBAL gtid_strict_mode = OFF",
            "SET GLOBAL slave_ddl_exec_mode = IDEMPOTENT",
            "CHANGE MASTER TO MASTER_USER = 'mighty', MASTER_PASSWORD = 'xY1-long-enough', MASTER_DELAY = 60",
            "START SLAVE",
        ])
        .await;
    } else {
        b.run(&[
            "SET GLOBAL binlog_row_value_options = PARTIAL_JSON",
            "STOP REPLICA",
            "CHANGE REPLICATION SOURCE TO SOURCE_USER = 'mighty', SOURCE_PASSWORD = 'xY1-long-enough', \
             SOURCE_DELAY = 60, SOURCE_RETRY_COUNT = 3",
            "START REPLICA",
            // A transaction of a server that nobody knows, such as a restored copy brings with it.
            "SET GLOBAL gtid_purged = '+cccccccc-71ca-11e1-9e33-c80aa9429562:1'",
        ])
        .await;
    }
}

const PLANTED: &[&str] = &[
    "TL008", "TL012", "TL017", "TL021", "TL022", "TL039", "TL042", "TL044", "TL052", "TL106",
    "TL109", "TL201", "TL202", "TL203", "TL206", "TL301", "TL302", "TL303", "TL304", "TL305",
    "TL308", "TL309", "TL310", "TL311", "TL312",
];

async fn a_pair_with_faults(kind: ServerKind, own: &[&str], silent: &[&str]) {
    let pair = Pair::new(kind, "");
    pair.up();
    let doctor = |args: &[&str]| pair.twinlog.run(&[&["doctor"], args].concat());
    let fresh = doctor(&["--json", "--severity", "warning"]);
    fresh.expect_code(0);
    assert_eq!(codes(&fresh), BTreeSet::new());

    let nodes = pair.both();
    plant_in_schemas(&nodes).await;
    plant_in_b(&nodes[1], &nodes[0], kind.is_mariadb()).await;
    let ill = doctor(&["--json"]);
    ill.expect_code(1);
    let found = codes(&ill);
    has_all(&found, PLANTED);
    has_all(&found, own);
    for code in silent {
        assert!(!found.contains(*code), "{code} is no fault of {kind}");
    }
    the_text_says_it(&doctor(&["--only", "TL301,TL304"]));

    nodes[0].run(&["STOP REPLICA"]).await;
    assert!(codes(&doctor(&["--json"])).contains("TL102"));
    // One node gone: of the other is told what there is.
    pair.signal("b", "KILL");
    let half = doctor(&["--json"]);
    half.expect_code(3);
    let report: Value = serde_json::from_str(&half.stdout).unwrap();
    assert_eq!(report["silent"][0]["node"], "b");
    has_all(&codes(&half), &["TL301"]);
}

fn the_text_says_it(output: &Output) {
    let text = output.expect_code(1);
    for part in [
        "error    TL301  a table has no primary key, nor another that names its rows\n",
        "  a, b: shop.log: no primary or unique key\n",
        "  why: ",
        "  do:  ",
    ] {
        assert!(text.contains(part), "no '{part}' in\n{text}");
    }
    assert!(
        text.contains("b lacks") || text.contains("a lacks column more"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[tokio::test]
async fn faults_on_mysql_97() {
    a_pair_with_faults(
        ServerKind::MySql97,
        &["TL014", "TL112", "TL113", "TL115"],
        &["TL307", "TL031"],
    )
    .await;
}

#[tokio::test]
async fn faults_on_mariadb_1011() {
    a_pair_with_faults(
        ServerKind::MariaDb1011,
        &[
            "TL007", "TL031", "TL060", "TL307", "TL316", "TL317", "TL318",
        ],
        &["TL112"],
    )
    .await;
}

#[test]
fn of_a_fresh_mysql_56_only_its_age_is_said() {
    let pair = Pair::new(ServerKind::MySql56, "");
    pair.up();
    let output = pair.twinlog.run(&["doctor", "--json"]);
    output.expect_code(1);
    assert_eq!(codes(&output), BTreeSet::from(["TL046".to_owned()]));
    pair.twinlog
        .run(&["doctor", "--ignore", "tl046"])
        .expect_code(0);
}

/// Policies for tables that are not as they say, and a parent that is not replicated.
async fn policies_and_parents(kind: ServerKind) {
    let pair = Pair::new(kind, "");
    let text = std::fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    let entry = |pattern: &str, counters: &str| {
        format!("[[conflicts.tables]]\nmatch = \"{pattern}\"\npolicy = \"merge\"\n{counters}\n")
    };
    let conflicts = [
        entry(
            "shop.stock",
            "counters = [\"quantity\", \"name\", \"left\"]",
        ),
        entry("shop.stok", ""),
    ];
    pair.twinlog.write(
        "twinlog.toml",
        &format!("databases = [\"shop\"]\n{text}{}", conflicts.concat()),
    );
    pair.up();
    for db in pair.both() {
        db.run(&[
            "SET sql_log_bin = 0",
            "CREATE DATABASE shop",
            "CREATE DATABASE far",
            "CREATE TABLE far.maker (id INT PRIMARY KEY)",
            "CREATE TABLE shop.stock (id INT PRIMARY KEY, quantity DECIMAL(10,2), name VARCHAR(9), maker INT, \
             FOREIGN KEY (maker) REFERENCES far.maker (id))",
        ])
        .await;
    }
    let output = pair.twinlog.run(&["doctor", "--ignore", "TL046"]);
    let text = output.expect_code(1);
    for part in [
        "shop.stock: its column name is a varchar(9)",
        "shop.stock: it has no column left",
        "match = \"shop.stok\": no table matches it",
        "to far.maker",
    ] {
        assert!(text.contains(part), "no '{part}' in\n{text}");
    }
    let output = pair.twinlog.run(&[
        "doctor",
        "--json",
        "--severity",
        "warning",
        "--ignore",
        "TL046",
    ]);
    assert_eq!(
        codes(&output),
        BTreeSet::from(["TL313", "TL314", "TL315"].map(str::to_owned))
    );
}

#[tokio::test]
async fn policies_and_parents_on_mysql_9_7() {
    policies_and_parents(ServerKind::MySql97).await;
}

#[tokio::test]
async fn policies_and_parents_on_mysql_5_6() {
    policies_and_parents(ServerKind::MySql56).await;
}

#[tokio::test]
async fn policies_and_parents_on_mariadb() {
    policies_and_parents(ServerKind::MariaDb1011).await;
}

#[test]
fn options_of_the_users_that_are_unsafe_are_said() {
    let pair = Pair::new(ServerKind::MariaDb118, "options = { sync_binlog = 0 }\n");
    pair.up();
    let output = pair.twinlog.run(&["doctor", "--json"]);
    output.expect_code(1);
    assert_eq!(
        codes(&output),
        BTreeSet::from(["TL021".to_owned(), "TL053".to_owned()])
    );
}

#[test]
fn a_pair_that_is_not_there_cannot_be_asked() {
    let pair = Pair::new(ServerKind::MariaDb1011, "");
    let output = pair.twinlog.run(&["doctor"]);
    let text = output.expect_code(3);
    assert!(
        text.contains("not asked  a: the server is not running"),
        "{text}"
    );
    assert!(text.contains("2 nodes not asked"), "{text}");
}

#[test]
fn option_files_by_themselves() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/fixtures/document");
    let dir = TestDir::new();
    for name in ["master.cnf", "slave.cnf"] {
        std::fs::copy(document.join(name), dir.join(name)).unwrap();
    }
    let twinlog = twinlog(&dir);
    let files = ["doctor", "--my-cnf", "master.cnf", "slave.cnf"];
    let text = twinlog.run(&files);
    let text = text.expect_code(1);
    assert!(
        text.contains("  master.cnf:26: binlog_do_db = test\n"),
        "{text}"
    );
    assert!(
        text.contains("  master.cnf, slave.cnf: auto_increment_increment is not set"),
        "{text}"
    );
    let json = twinlog.run(&[&files[..], &["--json", "--server-version", "5.7"]].concat());
    json.expect_code(1);
    has_all(
        &codes(&json),
        &[
            "TL006", "TL008", "TL018", "TL019", "TL024", "TL025", "TL046", "TL055", "TL056",
            "TL403",
        ],
    );
    assert_fails(
        &twinlog.run(&["doctor", "--my-cnf", "none.cnf"]),
        2,
        &["cannot read option file none.cnf"],
    );
    twinlog
        .run(&["doctor", "--my-cnf", "master.cnf", "--only", "TL402"])
        .expect_code(0);
}

#[test]
fn rules_are_listed_and_explained() {
    let dir = TestDir::new();
    let twinlog = twinlog(&dir);
    let list = twinlog.run(&["doctor", "--list"]);
    assert!(list.expect_code(0).lines().count() >= 40);
    let text = twinlog.run(&["doctor", "--explain", "tl301"]);
    assert!(text.expect_code(0).starts_with("TL301 (error, schemas)\n"));
    let unknown = twinlog.run(&["doctor", "--explain", "TL999"]);
    unknown.expect_code(2);
    assert!(
        unknown.stderr.contains("twinlog doctor --list"),
        "{}",
        unknown.stderr
    );
}

#[tokio::test]
async fn an_account_that_may_not_look_is_told_what_it_lacks() {
    let pair = Pair::new(ServerKind::MariaDb1011, "");
    pair.up();
    for node in pair.both() {
        node.run(&[
            "SET sql_log_bin = 0",
            "CREATE USER 'poor'@'%' IDENTIFIED BY 'x'",
            "GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO 'poor'@'%'",
        ])
        .await;
    }
    let dir = TestDir::new();
    let node = |port| {
        format!(
            "runtime = \"external\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"poor\"\npassword_env = \"PASSWORD\"\n"
        )
    };
    let [a, b] = &pair.ports;
    let twinlog = twinlog(&dir).with_env("PASSWORD", "x");
    twinlog.write(
        "twinlog.toml",
        &format!("[nodes.a]\n{}[nodes.b]\n{}", node(a), node(b)),
    );
    let output = twinlog.run(&["doctor", "--json"]);
    output.expect_code(3);
    let report = assert_valid("doctor", &output.stdout);
    let hint = report["silent"][1]["hint"].as_str().unwrap_or_default();
    assert!(
        hint.starts_with("the account lacks ALTER, ") && hint.contains("REPLICATION SLAVE ADMIN"),
        "{hint}"
    );
}
