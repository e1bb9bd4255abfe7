//! Every type, with values at its edges.

use twinlog_row::{Row, TableInfo, parse_row, run, select_list};
use twinlog_server::conn::Conn;
use twinlog_testbed::ServerKind;

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
pub(crate) const ODD: &str = "a`b'c\"d.é\\";

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

pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Makes both tables, and fills the first: one row per value of any column, the others NULL, and one row of NULLs.
pub(crate) async fn fill(conn: &mut Conn, kind: ServerKind) {
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

pub(crate) async fn rows(conn: &mut Conn, info: &TableInfo) -> Vec<Row> {
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
