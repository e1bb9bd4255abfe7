//! What there is beside tables: views, routines, triggers, events, sequences, and accounts with their grants.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use twinlog_testbed::ServerKind;

use super::{report, verify};
use crate::support::{Pair, same_rows};

const MADE: &[&str] = &[
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (id INT PRIMARY KEY, n INT)",
    "INSERT INTO shop.t VALUES (1, 1)",
    "CREATE VIEW shop.v AS SELECT id FROM shop.t",
    "CREATE VIEW shop.`lo.st` AS SELECT n FROM shop.t",
    "CREATE PROCEDURE shop.p() SELECT 'it''s PRESERVE ENABLE'",
    "CREATE FUNCTION shop.f() RETURNS INT DETERMINISTIC RETURN 1",
    "CREATE FUNCTION shop.same() RETURNS INT DETERMINISTIC RETURN 1",
    "CREATE TRIGGER shop.tr BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.n = 7",
    "CREATE EVENT shop.e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    "CREATE EVENT shop.quiet ON SCHEDULE EVERY 1 DAY COMMENT 'x' DO SELECT 1",
    "CREATE USER same@'%' IDENTIFIED BY 'pw-of-same'",
    "CREATE USER x@'%' IDENTIFIED BY 'pw-of-x'",
    "CREATE USER y@'10.%' IDENTIFIED BY 'pw-of-y'",
    "CREATE USER z@'%' IDENTIFIED BY 'pw-of-z'",
    "GRANT SELECT, INSERT ON shop.* TO y@'10.%'",
    "GRANT SELECT ON shop.t TO same@'%'",
];

const MADE_ON_MARIADB: &[&str] = &[
    "CREATE SEQUENCE shop.s INCREMENT BY 10",
    "CREATE ROLE clerk",
    "SET SESSION sql_mode = 'ORACLE'",
    "CREATE PACKAGE shop.pk AS FUNCTION one RETURN INT; END",
    "CREATE PACKAGE BODY shop.pk AS FUNCTION one RETURN INT AS BEGIN RETURN 1; END; END",
];

const CHANGED: &[&str] = &[
    "SET sql_log_bin = 0",
    "CREATE OR REPLACE VIEW shop.v AS SELECT id + 0 AS id FROM shop.t",
    "DROP VIEW shop.`lo.st`",
    "DROP PROCEDURE shop.p",
    "DROP FUNCTION shop.f",
    "CREATE FUNCTION shop.f() RETURNS INT DETERMINISTIC RETURN 2",
    "DROP TRIGGER shop.tr",
    "CREATE TRIGGER shop.tr BEFORE INSERT ON shop.t FOR EACH ROW SET NEW.n = 8",
    "ALTER EVENT shop.e DO SELECT 2",
    "ALTER EVENT shop.quiet DISABLE",
    "CREATE DATABASE only_b",
    "REVOKE INSERT ON shop.* FROM y@'10.%'",
    "DROP USER z@'%'",
    "CREATE USER w@'%'",
];

const CHANGED_ON_MARIADB: &[&str] = &[
    "SET sql_log_bin = 0",
    "ALTER SEQUENCE shop.s INCREMENT BY 20",
    "GRANT SELECT ON shop.* TO clerk",
    "SET SESSION sql_mode = 'ORACLE'",
    "DROP PACKAGE BODY shop.pk",
];

const DIFFERENCES: &[&str] = &[
    "view shop.v: defined differently",
    "view shop.lo.st: b lacks it",
    "procedure shop.p: b lacks it",
    "function shop.f: defined differently",
    "trigger shop.tr: defined differently",
    "event shop.e: defined differently",
    "database only_b: a lacks it",
    "account 'w'@'%': a lacks it",
    "account 'x'@'%': passwords differ",
    "account 'z'@'%': b lacks it",
];

fn told(report: &Value, list: &str, said: &str) -> BTreeSet<String> {
    let all = report[list].as_array().unwrap().iter();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    all.map(|one| format!("{}: {}", text(one, "at"), text(one, said)))
        .collect()
}

async fn beside(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let is_mariadb = kind == ServerKind::MariaDb1011;
    pair.exec("a", MADE).await;
    if is_mariadb {
        pair.exec("a", MADE_ON_MARIADB).await;
    }
    pair.exec("a", &["CREATE TABLE shop.last (id INT PRIMARY KEY)"])
        .await;
    let last = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'last'";
    same_rows(&pair.both(), last).await;
    let found = report(&pair, 0, &[]);
    assert_eq!(found["unseen"], serde_json::json!([]));
    unseen(&pair);
    pair.exec("b", CHANGED).await;
    pair.exec("b", &["SET sql_log_bin = 0", other_password(kind)])
        .await;
    if is_mariadb {
        pair.exec("b", CHANGED_ON_MARIADB).await;
    }
    differences(&pair, is_mariadb);
    no_secret_is_shown(&pair, kind).await;
    // Rows and definitions of tables, and no more; their triggers are of them.
    let of_tables = report(&pair, 1, &["--tables", "shop.*"]);
    assert_eq!(
        told(&of_tables, "schema", "seen"),
        ["shop.tr: not the same on both".to_owned()].into()
    );
    // A repair leaves them to people.
    let repair = pair.twinlog.run(&["repair", "--keep", "a", "--yes"]);
    let text = repair.expect_code(1);
    assert!(text.contains("view shop.v"), "{text}");
    assert!(text.contains("left to you"), "{text}");
}

fn other_password(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::MySql56 => "SET PASSWORD FOR x@'%' = PASSWORD('other')",
        _ => "ALTER USER x@'%' IDENTIFIED BY 'other'",
    }
}

fn differences(pair: &Pair, is_mariadb: bool) {
    let found = report(pair, 1, &[]);
    assert_eq!(found["rows"], serde_json::json!([]));
    let mut seen = told(&found, "schema", "seen");
    let grants = seen
        .iter()
        .find(|one| one.starts_with("account 'y'@'10.%': grants differ: a alone has GRANT SELECT"));
    let grants = grants.unwrap_or_else(|| panic!("{found:#}")).clone();
    seen.remove(&grants);
    let mut expected: BTreeSet<String> = DIFFERENCES.iter().map(|one| (*one).to_owned()).collect();
    if is_mariadb {
        let role = seen.iter().find(|one| {
            one.starts_with("role 'clerk': grants differ: b alone has GRANT SELECT ON `shop`.*")
        });
        let role = role.unwrap_or_else(|| panic!("{found:#}")).clone();
        seen.remove(&role);
        expected.insert("sequence shop.s: defined differently".to_owned());
        expected.insert("package body shop.pk: b lacks it".to_owned());
    }
    assert_eq!(seen, expected, "{found:#}");
}

/// With twinlog's own account alone not all can be seen, and it is said what.
fn unseen(pair: &Pair) {
    let secret = pair.dir.join("data/secrets/root");
    let aside = pair.dir.join("root-aside");
    fs::rename(&secret, &aside).unwrap();
    let found = report(pair, 0, &[]);
    fs::rename(&aside, &secret).unwrap();
    let unseen = told(&found, "unseen", "reason");
    let is_said = |what: &str| unseen.iter().any(|one| one.starts_with(what));
    for what in ["views: a does not show", "views: b does not show"] {
        assert!(is_said(what), "{found:#}");
    }
}

async fn no_secret_is_shown(pair: &Pair, kind: ServerKind) {
    let column = match kind {
        ServerKind::MySql56 => "Password",
        _ => "authentication_string",
    };
    let sql = format!("SELECT HEX({column}), {column} FROM mysql.user WHERE {column} <> ''");
    let mut secrets = pair.db("a").rows(&sql).await;
    secrets.extend(pair.db("b").rows(&sql).await);
    assert!(secrets.len() > 4);
    let outputs = [
        verify(pair, &[]),
        verify(pair, &["--json"]),
        pair.twinlog.run(&["-vv", "verify"]),
    ];
    for output in outputs {
        let said = output.stdout + &output.stderr;
        for secret in secrets.iter().flatten() {
            assert!(!said.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn what_is_beside_tables_on_mysql_9_7() {
    beside(ServerKind::MySql97).await;
}

#[tokio::test]
async fn what_is_beside_tables_on_mysql_5_6() {
    beside(ServerKind::MySql56).await;
}

#[tokio::test]
async fn what_is_beside_tables_on_mariadb() {
    beside(ServerKind::MariaDb1011).await;
}

/// A link that carries some databases carries no accounts.
#[tokio::test]
async fn databases_that_are_not_replicated_are_nobodys() {
    let pair = Pair::new(ServerKind::MySql97, "");
    let text = fs::read_to_string(pair.dir.join("twinlog.toml")).unwrap();
    pair.twinlog
        .write("twinlog.toml", &format!("databases = [\"shop\"]\n{text}"));
    pair.up();
    pair.exec(
        "a",
        &["CREATE DATABASE shop", "CREATE VIEW shop.v AS SELECT 1"],
    )
    .await;
    let view = "SELECT COUNT(*) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop'";
    same_rows(&pair.both(), view).await;
    pair.exec(
        "b",
        &[
            "SET sql_log_bin = 0",
            "CREATE DATABASE other",
            "CREATE VIEW other.v AS SELECT 1",
            "CREATE USER x@'%'",
        ],
    )
    .await;
    assert_eq!(report(&pair, 0, &[])["schema"], serde_json::json!([]));
}
