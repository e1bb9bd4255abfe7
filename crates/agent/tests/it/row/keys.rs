//! Keys: how they are read, and that they find their rows.

use twinlog_row::{TableInfo, locate, parse_row, read_held, run, select_list};
use twinlog_server::conn::Conn;
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use crate::support::{connect, table};

#[tokio::test]
async fn keys_are_read_as_the_log_counts_columns() {
    for kind in ServerKind::ALL {
        let server = Server::start(kind, &ServerOptions::default()).await;
        let new = if kind == ServerKind::MySql97 {
            ", UNIQUE KEY f ((b * 2)), i INT INVISIBLE"
        } else {
            ""
        };
        server
            .exec(&format!(
                "CREATE DATABASE d; CREATE TABLE d.p (x INT, a INT NOT NULL, b INT NOT NULL, PRIMARY KEY (b, a)) ENGINE = InnoDB; \
                 CREATE TABLE d.`P` (x INT) ENGINE = InnoDB; CREATE TABLE d.m (id INT PRIMARY KEY) ENGINE = MyISAM; \
                 CREATE TABLE d.c (n INT, z INT NOT NULL, t TEXT NOT NULL, b INT, a INT, UNIQUE KEY k2 (n), UNIQUE KEY k3 (z), \
                 UNIQUE KEY k1 (t(5)), KEY (b, a), FOREIGN KEY (b, a) REFERENCES d.p (b, a) ON DELETE SET NULL{new}) ENGINE = InnoDB"
            ))
            .await;
        let mut conn = connect(&server).await;
        let child = TableInfo::load(&mut conn, &table("d", "c")).await.unwrap();
        let names: Vec<(&str, &[usize], bool, bool)> = child
            .unique
            .iter()
            .map(|index| {
                (
                    index.name.as_str(),
                    index.columns.as_slice(),
                    index.prefix,
                    index.nullable,
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                ("k1", &[2][..], true, false),
                ("k3", &[1], false, false),
                ("k2", &[0], false, true)
            ]
        );
        assert_eq!(child.opaque, if new.is_empty() { &[][..] } else { &["f"] });
        assert_eq!(child.columns.len(), if new.is_empty() { 5 } else { 6 });
        assert_eq!(child.foreign.len(), 1);
        assert_eq!(child.foreign[0].parent, table("d", "p"));
        assert_eq!(
            (&child.foreign[0].columns, &child.foreign[0].parent_columns),
            (&vec![3, 4], &vec![2, 1])
        );
        assert_eq!(child.keys().unique.len(), 3);
        let parent = TableInfo::load(&mut conn, &table("d", "p")).await.unwrap();
        assert_eq!(parent.key().unwrap().columns, [2, 1]);
        assert_eq!(parent.referring.len(), 1);
        let reference = &parent.referring[0];
        assert_eq!(
            (
                &reference.child,
                &reference.child_columns,
                &reference.columns
            ),
            (
                &table("d", "c"),
                &vec!["b".to_owned(), "a".to_owned()],
                &vec![2, 1]
            )
        );
        assert!(reference.deletes_cascade && !reference.updates_cascade);
        let keyless = TableInfo::load(&mut conn, &table("d", "P")).await.unwrap();
        assert_eq!(keyless.columns.len(), 1);
        assert!(keyless.key().is_err() && keyless.keys().unique.is_empty());
        let myisam = TableInfo::load(&mut conn, &table("d", "m")).await.unwrap();
        assert_eq!(
            myisam.obstacle.as_deref(),
            Some("its engine MyISAM has no transactions")
        );
        assert!(
            TableInfo::load(&mut conn, &table("d", "none"))
                .await
                .is_err()
        );
    }
}

/// The key's index finds the one row: nothing else is locked.
pub(crate) async fn assert_const(conn: &mut Conn, info: &TableInfo, condition: &str) {
    let sql = format!(
        "EXPLAIN FORMAT = TRADITIONAL SELECT * FROM {} WHERE {condition}",
        info.sql_name()
    );
    let plan = run(conn, &sql).await.unwrap();
    let words: Vec<String> = plan[0]
        .iter()
        .flatten()
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    assert!(
        words.contains(&"PRIMARY".to_owned()) && words.contains(&"const".to_owned()),
        "{words:?}: {sql}"
    );
}

/// Types that a key may have, each with two values.
const KEYS: &[(&str, [&str; 2])] = &[
    ("BIGINT UNSIGNED", ["18446744073709551615", "1"]),
    ("FLOAT", ["0.1", "1.1754943508222875e-38"]),
    ("DOUBLE", ["0.1", "0.30000000000000004"]),
    ("DECIMAL(65,30)", ["0.000000000000000000000000000001", "-1"]),
    ("YEAR", ["0", "2155"]),
    ("DATE", ["'0000-00-00'", "'2024-02-31'"]),
    ("TIME(6)", ["'-00:00:00.000001'", "'838:59:58.999999'"]),
    (
        "DATETIME(6)",
        ["'0000-00-00'", "'2024-03-31 02:30:00.000001'"],
    ),
    (
        "TIMESTAMP(4) NULL",
        ["'0000-00-00'", "'2024-10-27 01:30:00.1234'"],
    ),
    ("CHAR(5) CHARACTER SET utf16", ["_utf16 x'd83dde00'", "'a'"]),
    ("VARCHAR(20) CHARACTER SET sjis", ["_sjis x'835c'", "'A'"]),
    ("BINARY(5)", ["x'6100'", "''"]),
    ("VARBINARY(5)", ["x'6100'", "x'61'"]),
    ("BIT(64)", ["18446744073709551615", "0"]),
    ("ENUM('a','b')", ["0", "2"]),
    ("SET('a','b')", ["0", "3"]),
];

async fn keys(kind: ServerKind) {
    let server = Server::start(kind, &ServerOptions::default()).await;
    let mut conn = connect(&server).await;
    run(&mut conn, "CREATE DATABASE d").await.unwrap();
    let mut types = KEYS.to_vec();
    if kind.is_mariadb() {
        types.push((
            "UUID",
            [
                "'123e4567-e89b-12d3-a456-426614174000'",
                "'123e4567-e89b-72d3-a456-426614174000'",
            ],
        ));
        types.push(("INET6", ["'::'", "'::1'"]));
    }
    for (at, (declared, values)) in types.iter().enumerate() {
        let declared = declared.replace(" NULL", " NOT NULL DEFAULT '2000-01-01'");
        run(
            &mut conn,
            &format!(
                "CREATE TABLE d.t{at} (k {declared} {}PRIMARY KEY) ENGINE = InnoDB",
                if declared.contains("DEFAULT") {
                    ""
                } else {
                    "NOT NULL "
                }
            ),
        )
        .await
        .unwrap();
        let info = TableInfo::load(&mut conn, &table("d", &format!("t{at}")))
            .await
            .unwrap();
        run(
            &mut conn,
            &format!(
                "INSERT INTO d.t{at} VALUES ({}), ({})",
                values[0], values[1]
            ),
        )
        .await
        .unwrap();
        let sql = format!("SELECT {} FROM d.t{at}", select_list(&info));
        for row in run(&mut conn, &sql).await.unwrap() {
            let row = parse_row(&info, row).unwrap();
            assert_eq!(
                read_held(&mut conn, &info, &row).await.unwrap().as_ref(),
                Some(&row)
            );
            assert_const(&mut conn, &info, &locate(&info, &row).unwrap()).await;
        }
    }
}

#[tokio::test]
async fn a_key_of_any_type_finds_its_row_by_its_index() {
    for kind in ServerKind::ALL {
        keys(kind).await;
    }
}
