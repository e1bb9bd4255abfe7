//! Values to SQL and back, on every server.

use twinlog_agent::row::{
    Row, TableInfo, literal, locate, matches, parse_row, read_held, read_image, run, select_list,
};
use twinlog_binlog::Value;
use twinlog_server::conn::Conn;
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use crate::support::{changes, connect, logged, node, table};

/// Columns that every server has, with values as SQL.
const COMMON: &[(&str, &[&str])] = &[
    ("TINYINT", &["-128", "127", "0"]),
    ("TINYINT UNSIGNED", &["0", "255"]),
    ("SMALLINT", &["-32768", "32767"]),
    ("SMALLINT UNSIGNED", &["65535"]),
    ("MEDIUMINT", &["-8388608", "8388607"]),
    ("MEDIUMINT UNSIGNED", &["16777215"]),
    ("INT", &["-2147483648", "2147483647"]),
    ("INT(8) UNSIGNED ZEROFILL", &["4294967295", "7"]),
    ("BIGINT", &["-9223372036854775808", "9223372036854775807"]),
    (
        "BIGINT UNSIGNED",
        &["18446744073709551615", "9223372036854775808"],
    ),
    (
        "FLOAT",
        &[
            "0.1",
            "16777216",
            "16777217e3",
            "1.17549435e-38",
            "3.4028234663852886e38",
            "-1e-45",
        ],
    ),
    ("FLOAT(7,2)", &["123.45", "-99999.99", "0.01"]),
    (
        "DOUBLE",
        &[
            "0.1",
            "5e-324",
            "1.7976931348623157e308",
            "-1e23",
            "0.30000000000000004",
        ],
    ),
    ("DOUBLE(10,3)", &["0.001", "-1e-3", "1234567.891"]),
    (
        "DECIMAL(65,30)",
        &[
            "-99999999999999999999999999999999999.999999999999999999999999999999",
            "0.000000000000000000000000000001",
        ],
    ),
    ("DECIMAL(2,2)", &["0.50", "-0.05"]),
    ("DECIMAL(10,0)", &["-0", "1234567890"]),
    ("DECIMAL(8,2) UNSIGNED ZEROFILL", &["12.3"]),
    ("YEAR", &["0", "1901", "2155"]),
    (
        "DATE",
        &[
            "'0000-00-00'",
            "'2024-00-00'",
            "'2024-02-31'",
            "'9999-12-31'",
            "'1000-01-01'",
        ],
    ),
    (
        "TIME",
        &["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"],
    ),
    (
        "TIME(6)",
        &[
            "'-00:00:00.000001'",
            "'12:34:56.789012'",
            "'-838:59:58.999999'",
        ],
    ),
    ("TIME(3)", &["'-01:02:03.004'"]),
    (
        "DATETIME",
        &[
            "'0000-00-00'",
            "'9999-12-31 23:59:59'",
            "'2024-02-30 01:02:03'",
        ],
    ),
    (
        "DATETIME(6)",
        &["'0000-00-00'", "'2024-03-31 02:30:00.000001'"],
    ),
    ("DATETIME(1)", &["'2024-03-31 02:30:00.9'"]),
    (
        "TIMESTAMP NULL",
        &[
            "'0000-00-00'",
            "'1970-01-01 00:00:01'",
            "'2038-01-19 03:14:07'",
        ],
    ),
    (
        "TIMESTAMP(4) NULL",
        &["'0000-00-00'", "'2024-10-27 01:30:00.1234'"],
    ),
    (
        "TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP",
        &["'2001-02-03 04:05:06'"],
    ),
    ("CHAR(10) CHARACTER SET latin1", &["x'e96120'", "''", "'a'"]),
    (
        "CHAR(10) CHARACTER SET utf8mb4",
        &["_utf8mb4 x'f09f9880'", "'a'", "'A'"],
    ),
    (
        "VARCHAR(20) CHARACTER SET utf8mb4",
        &[
            "'a '",
            "'a'",
            "'A'",
            "'\\\\'",
            "'it''s'",
            "'\\0\\n\\Z'",
            "_utf8mb4 x'f09f9880'",
        ],
    ),
    (
        "VARCHAR(20) CHARACTER SET utf8",
        &["_utf8 x'c3a9'", "_utf8 x'65cc81'"],
    ),
    (
        "VARCHAR(20) CHARACTER SET ucs2",
        &["_ucs2 x'00e90041'", "''"],
    ),
    ("CHAR(4) CHARACTER SET utf16", &["_utf16 x'd83dde00'", "''"]),
    ("VARCHAR(20) CHARACTER SET utf32", &["_utf32 x'0001f600'"]),
    ("VARCHAR(20) CHARACTER SET sjis", &["_sjis x'835c'"]),
    ("VARCHAR(20) CHARACTER SET gbk", &["_gbk x'bf5c27'"]),
    ("TINYTEXT CHARACTER SET latin1", &["x'ff00'"]),
    ("TEXT CHARACTER SET utf8mb4", &["REPEAT('ab\\n', 1000)"]),
    ("MEDIUMTEXT CHARACTER SET latin1", &["''"]),
    ("LONGTEXT CHARACTER SET utf8mb4", &["'x'"]),
    ("BINARY(5)", &["x'6162'", "x'00'", "x'6100620000'", "''"]),
    (
        "VARBINARY(10)",
        &["x'61620000'", "x'00'", "''", "'a'", "'A'"],
    ),
    ("TINYBLOB", &["x'ff00'"]),
    ("BLOB", &["x'00010203275c22'"]),
    ("MEDIUMBLOB", &["''", "REPEAT(x'ff', 1048576)"]),
    ("LONGBLOB", &["x'27'"]),
    ("BIT(1)", &["0", "1"]),
    ("BIT(64)", &["18446744073709551615", "9223372036854775808"]),
    ("ENUM('a','B''','c,d')", &["0", "1", "2", "3"]),
    ("SET('a','b','c')", &["0", "5", "7"]),
    (
        "GEOMETRY",
        &[
            "ST_GeomFromText('POINT(1 2)', 0)",
            "ST_GeomFromText('LINESTRING(0 0, 1 1, 2 3.5)', 0)",
        ],
    ),
    ("POINT", &["ST_GeomFromText('POINT(-1e300 2)', 0)"]),
];

const MYSQL_NEW: &[(&str, &[&str])] = &[
    (
        "JSON",
        &[
            "'{\"a\": [1, 2.5, null, \"é\\\\n\"]}'",
            "'null'",
            "'\"x\"'",
            "'18446744073709551615'",
            "'1e100'",
        ],
    ),
    (
        "GEOMETRY SRID 4326",
        &["ST_GeomFromText('POINT(1 2)', 4326)"],
    ),
    ("VECTOR(3)", &["x'0000803F0000004000004040'"]),
];
const MARIADB: &[(&str, &[&str])] = &[
    ("JSON", &["'{\"a\": 1 }'"]),
    (
        "UUID",
        &[
            "'123e4567-e89b-12d3-a456-426614174000'",
            "'123e4567-e89b-72d3-a456-426614174000'",
        ],
    ),
    ("INET6", &["'::'", "'::1'", "'2001:db8::'"]),
    ("INET4", &["'0.0.0.0'", "'1.2.3.0'"]),
    (
        "VARCHAR(50) COMPRESSED CHARACTER SET latin1",
        &["'abc'", "REPEAT('x', 40)"],
    ),
];

/// A name with everything in it that a name may have.
const ODD: &str = "a`b'c\"d.é\\";

fn columns(kind: ServerKind) -> Vec<(&'static str, &'static [&'static str])> {
    let mut columns = COMMON.to_vec();
    match kind {
        ServerKind::MySql97 => columns.extend(MYSQL_NEW),
        ServerKind::MySql56 => {}
        ServerKind::MariaDb1011 => columns.extend(MARIADB),
        ServerKind::MariaDb118 => {
            columns.extend(MARIADB);
            columns.push(("TIMESTAMP(6) NULL", &["'2106-02-07 06:28:15.999999'"]));
        }
    }
    columns
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Makes both tables, and fills the first: one row per value of any column, the others NULL, and one row of NULLs.
async fn fill(conn: &mut Conn, kind: ServerKind) {
    let columns = columns(kind);
    let definitions: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, (declared, _))| format!("c{at} {declared}"))
        .collect();
    let odd = quoted(ODD);
    let generated = if kind == ServerKind::MySql56 {
        ""
    } else {
        ", g INT GENERATED ALWAYS AS (c0 + 1) VIRTUAL, s INT GENERATED ALWAYS AS (c0 + 2) STORED"
    };
    for name in ["one", "two"] {
        run(
            conn,
            &format!(
                "CREATE DATABASE IF NOT EXISTS {odd}; CREATE TABLE {odd}.{} ({odd} VARCHAR(10) CHARACTER SET utf8mb4 NOT NULL, \
                 id INT NOT NULL AUTO_INCREMENT, {}{generated}, PRIMARY KEY (id, {odd})) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
                quoted(&format!("{ODD}{name}")),
                definitions.join(", ")
            ),
        )
        .await
        .unwrap();
    }
    let one = quoted(&format!("{ODD}one"));
    run(
        conn,
        &format!("INSERT INTO {odd}.{one} ({odd}, id) VALUES ('é', 0)"),
    )
    .await
    .unwrap();
    let mut id = 1;
    for (at, (_, values)) in columns.iter().enumerate() {
        for value in *values {
            let key = if id % 2 == 0 { "k" } else { "K" };
            run(
                conn,
                &format!(
                    "INSERT INTO {odd}.{one} ({odd}, id, c{at}) VALUES ('{key}', {id}, {value})"
                ),
            )
            .await
            .unwrap_or_else(|error| panic!("{at} {value}: {error}"));
            id += 1;
        }
    }
}

async fn rows(conn: &mut Conn, info: &TableInfo) -> Vec<Row> {
    let sql = format!(
        "SELECT {} FROM {} ORDER BY id",
        select_list(info),
        info.sql_name()
    );
    let rows = run(conn, &sql).await.unwrap();
    rows.into_iter()
        .map(|row| parse_row(info, row).unwrap())
        .collect()
}

async fn round_trip(kind: ServerKind) {
    let server = Server::start(kind, &ServerOptions::with(&["max_allowed_packet = 16M"])).await;
    let mut conn = connect(&server).await;
    fill(&mut conn, kind).await;
    let one = TableInfo::load(&mut conn, &table(ODD, &format!("{ODD}one")))
        .await
        .unwrap();
    let two = TableInfo::load(&mut conn, &table(ODD, &format!("{ODD}two")))
        .await
        .unwrap();
    assert_eq!(one.obstacle, None);
    assert_eq!(
        one.columns.len() - one.stored().count(),
        if kind == ServerKind::MySql56 { 0 } else { 2 }
    );
    let values = rows(&mut conn, &one).await;
    for row in &values {
        let names: Vec<String> = two
            .stored()
            .map(|at| quoted(&two.columns[at].name))
            .collect();
        let literals: Vec<String> = two
            .stored()
            .map(|at| literal(&two, at, &row[at]).unwrap())
            .collect();
        run(
            &mut conn,
            &format!(
                "INSERT INTO {} ({}) VALUES ({})",
                two.sql_name(),
                names.join(", "),
                literals.join(", ")
            ),
        )
        .await
        .unwrap_or_else(|error| panic!("{row:?}: {error}"));
    }
    assert_eq!(rows(&mut conn, &two).await, values);
    let sums = run(
        &mut conn,
        &format!("CHECKSUM TABLE {}, {}", one.sql_name(), two.sql_name()),
    )
    .await
    .unwrap();
    assert_eq!(sums[0][1], sums[1][1]);
    for row in &values {
        let key = [row[1].clone(), row[0].clone()];
        assert_eq!(
            read_held(&mut conn, &one, &key).await.unwrap().as_ref(),
            Some(row)
        );
    }
    only_itself(&mut conn, &one, &values).await;
    by_key(&mut conn, &one, &values[1]).await;
}

/// Each value matches in its own row and in those that hold the same, and nowhere else.
async fn only_itself(conn: &mut Conn, info: &TableInfo, values: &[Row]) {
    for at in info.stored().skip(2) {
        let mut seen: Vec<&Value> = Vec::new();
        for row in values {
            if seen.contains(&&row[at]) {
                continue;
            }
            seen.push(&row[at]);
            let sql = format!(
                "SELECT id FROM {} WHERE {} ORDER BY id",
                info.sql_name(),
                matches(info, at, &row[at]).unwrap()
            );
            let found: Vec<i64> = run(conn, &sql)
                .await
                .unwrap_or_else(|error| panic!("{error}: {sql}"))
                .into_iter()
                .map(|row| {
                    String::from_utf8(row[0].clone().unwrap())
                        .unwrap()
                        .parse()
                        .unwrap()
                })
                .collect();
            let expected: Vec<i64> = values
                .iter()
                .filter(|other| other[at] == row[at])
                .map(|other| {
                    if let Value::Int(id) = other[1] {
                        id
                    } else {
                        panic!("{other:?}")
                    }
                })
                .collect();
            assert_eq!(
                found, expected,
                "{} = {:?}: {sql}",
                info.columns[at].declared, row[at]
            );
        }
    }
}

/// What the log has of a row is what a `SELECT` gives, for every value.
async fn as_logged(kind: ServerKind, metadata: &str) {
    let server = node(kind, 1).await;
    if kind != ServerKind::MySql56 {
        server
            .exec(&format!("SET GLOBAL binlog_row_metadata = {metadata}"))
            .await;
    }
    let mut conn = connect(&server).await;
    fill(&mut conn, kind).await;
    let name = table(ODD, &format!("{ODD}one"));
    let info = TableInfo::load(&mut conn, &name).await.unwrap();
    let selected = rows(&mut conn, &info).await;
    let logged = changes(&logged(&server).await, &name);
    assert_eq!(logged.len(), selected.len());
    for ([_, after], selected) in logged.iter().zip(&selected) {
        let logged = read_image(&info, after.as_ref().unwrap().as_image()).unwrap();
        for at in info.stored() {
            assert_eq!(
                logged[at], selected[at],
                "{kind}: {}",
                info.columns[at].declared
            );
        }
    }
}

#[tokio::test]
async fn a_log_has_what_a_select_gives() {
    for kind in ServerKind::ALL {
        as_logged(kind, "FULL").await;
    }
    as_logged(ServerKind::MySql97, "MINIMAL").await;
    as_logged(ServerKind::MariaDb1011, "NO_LOG").await;
}

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

/// `k` is not `K`, and the key's index is used.
async fn by_key(conn: &mut Conn, info: &TableInfo, row: &Row) {
    let other = [row[1].clone(), Value::Bytes(b"k".to_vec())];
    assert_eq!(row[0], Value::Bytes(b"K".to_vec()));
    assert_eq!(read_held(conn, info, &other).await.unwrap(), None);
    let own = locate(info, &[row[1].clone(), row[0].clone()]).unwrap();
    assert_const(conn, info, &own).await;
}

/// The key's index finds the one row: nothing else is locked.
async fn assert_const(conn: &mut Conn, info: &TableInfo, condition: &str) {
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

#[tokio::test]
async fn every_value_comes_back_on_mysql_9_7() {
    round_trip(ServerKind::MySql97).await;
}

#[tokio::test]
async fn every_value_comes_back_on_mysql_5_6() {
    round_trip(ServerKind::MySql56).await;
}

#[tokio::test]
async fn every_value_comes_back_on_mariadb_10_11() {
    round_trip(ServerKind::MariaDb1011).await;
}

#[tokio::test]
async fn every_value_comes_back_on_mariadb_11_8() {
    round_trip(ServerKind::MariaDb118).await;
}
