//! One value for all that a row stores: the same for equal rows, another for any other.

use std::collections::HashMap;

use twinlog_row::{Hash, TableInfo, run, select_expression};
use twinlog_server::{conn::Conn, facts::read_dialect};
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use super::values::{ODD, fill, quoted, rows};
use crate::support::{connect, table};

/// Each row's hash, over some of a table's columns, asked for as of `info` but of the table `of`.
async fn hashes(
    conn: &mut Conn,
    info: &TableInfo,
    columns: &[usize],
    of: &str,
    order: &str,
) -> Vec<Vec<u8>> {
    let dialect = read_dialect(conn).await.unwrap();
    let some = TableInfo {
        columns: columns.iter().map(|&at| info.columns[at].clone()).collect(),
        ..info.clone()
    };
    let hash = Hash::of([&dialect, &dialect]).row(&some);
    let sql = format!("SELECT {hash} FROM {of} ORDER BY {order}");
    let rows = run(conn, &sql)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    rows.into_iter()
        .map(|row| row[0].clone().expect("a hash is never NULL"))
        .collect()
}

/// The same hashes where the names are the same, others where they are not.
fn assert_tells_apart(hashes: &[Vec<u8>], names: &[String], what: &str) {
    let mut by_hash: HashMap<&[u8], &str> = HashMap::new();
    let mut by_name: HashMap<&str, &[u8]> = HashMap::new();
    for (hash, name) in hashes.iter().zip(names) {
        let first = by_hash.entry(hash).or_insert(name);
        assert_eq!(first, name, "{what}: one hash for both");
        let first = by_name.entry(name).or_insert(hash);
        assert_eq!(first, hash, "{what}: two hashes for {name}");
    }
}

/// Every value of every type: alone, beside one of each other column, and in a row that was copied.
async fn types(kind: ServerKind) {
    let server = Server::start(kind, &ServerOptions::with(&["max_allowed_packet = 16M"])).await;
    let mut conn = connect(&server).await;
    fill(&mut conn, kind).await;
    let info = TableInfo::load(&mut conn, &table(ODD, &format!("{ODD}one")))
        .await
        .unwrap();
    let name = info.sql_name();
    let values = rows(&mut conn, &info).await;
    let stored: Vec<usize> = info.stored().collect();
    for (place, &first) in stored.iter().enumerate() {
        let alone = hashes(&mut conn, &info, &[first], &name, "id").await;
        let names: Vec<String> = values
            .iter()
            .map(|row| format!("{:?}", row[first]))
            .collect();
        assert_tells_apart(&alone, &names, &info.columns[first].declared);
        let second = stored[(place + 1) % stored.len()];
        let beside = hashes(&mut conn, &info, &[first, second], &name, "id").await;
        let names: Vec<String> = values
            .iter()
            .map(|row| format!("{:?} {:?}", row[first], row[second]))
            .collect();
        assert_tells_apart(&beside, &names, &info.columns[second].declared);
    }
    let columns: Vec<String> = stored
        .iter()
        .map(|&at| quoted(&info.columns[at].name))
        .collect();
    let two = format!("{}.{}", quoted(ODD), quoted(&format!("{ODD}two")));
    let columns = columns.join(", ");
    let copy = format!("INSERT INTO {two} ({columns}) SELECT {columns} FROM {name}");
    run(&mut conn, &copy).await.unwrap();
    assert_eq!(
        hashes(&mut conn, &info, &stored, &name, "id").await,
        hashes(&mut conn, &info, &stored, &two, "id").await
    );
}

/// Rows that others have taken for one another: each is another, in pairs of texts of many character sets.
const PAIRS: &[&str] = &[
    "'a', 'b#c'",
    "'a#b', 'c'",
    "'a#b#c', ''",
    "'', 'a#b#c'",
    "'a#b#c', NULL",
    "NULL, 'a#b#c'",
    "NULL, NULL",
    "'', NULL",
    "NULL, ''",
    "'', ''",
    "'1#a', 'b'",
    "'1', 'a#b'",
    "'NULL', '0'",
    "'x', 'y'",
    "'X', 'y'",
    "'x', 'y '",
    "'x ', 'y'",
    "'x', 'y\\0'",
    "'é', 'e'",
    "'e', 'é'",
    "'è', 'e'",
    "'e', 'e'",
    "'?', '?'",
    "'ß', 'ss'",
    "'ss', 'ss'",
];

/// Pairs of columns: their types, on all servers. What the server could convert into another's character set, or could not.
const COLUMNS: &[&str] = &[
    "a VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "a VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_spanish_ci, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "a VARCHAR(20) CHARACTER SET latin1, b VARCHAR(20) CHARACTER SET utf8",
    "a VARCHAR(20) CHARACTER SET latin1, b VARCHAR(20) CHARACTER SET latin2",
    "a VARCHAR(20) CHARACTER SET ucs2, b VARCHAR(20) CHARACTER SET utf32",
    "a VARCHAR(20) CHARACTER SET cp932, b VARBINARY(20)",
    "a VARBINARY(20), b VARCHAR(20) CHARACTER SET latin1",
    "a TEXT CHARACTER SET latin1, b VARCHAR(20) CHARACTER SET utf8mb4",
    "a TINYBLOB, b LONGTEXT CHARACTER SET ucs2",
];

/// Bytes that are no text, or another, in some of the character sets; a server that knows so cuts them off.
async fn odd_bytes(conn: &mut Conn, table: &str) {
    for bytes in ["ff", "fe", "c3", "c328", "3f"] {
        let sql = format!("INSERT IGNORE INTO {table} (a, b) VALUES ('odd', x'{bytes}')");
        run(conn, &sql).await.unwrap();
    }
}

async fn pairs(kind: ServerKind) {
    let server = Server::start(kind, &ServerOptions::default()).await;
    let mut conn = connect(&server).await;
    run(&mut conn, "CREATE DATABASE d").await.unwrap();
    for (at, columns) in COLUMNS.iter().enumerate() {
        let name = format!("d.t{at}");
        let create = format!("CREATE TABLE {name} (id INT AUTO_INCREMENT PRIMARY KEY, {columns})");
        run(&mut conn, &create).await.unwrap();
        for pair in PAIRS {
            let insert = format!("INSERT IGNORE INTO {name} (a, b) VALUES ({pair})");
            run(&mut conn, &insert).await.unwrap();
        }
        odd_bytes(&mut conn, &name).await;
        let info = TableInfo::load(&mut conn, &table("d", &format!("t{at}")))
            .await
            .unwrap();
        let names: Vec<String> = rows(&mut conn, &info)
            .await
            .iter()
            .map(|row| format!("{:?} {:?}", row[1], row[2]))
            .collect();
        assert!(names.len() > PAIRS.len());
        let hashes = hashes(&mut conn, &info, &[1, 2], &name, "id").await;
        assert_tells_apart(&hashes, &names, columns);
    }
    // A peer may have other character sets: what is asked of it as of this node's is answered, by the bytes that it stores.
    let first = TableInfo::load(&mut conn, &table("d", "t0")).await.unwrap();
    let own = hashes(&mut conn, &first, &[1, 2], "d.t0", "id").await;
    for (at, columns) in COLUMNS.iter().enumerate().skip(1) {
        let other = TableInfo::load(&mut conn, &table("d", &format!("t{at}")))
            .await
            .unwrap();
        let asked = hashes(&mut conn, &first, &[1, 2], &format!("d.t{at}"), "id").await;
        let [held, theirs] = [rows(&mut conn, &first).await, rows(&mut conn, &other).await];
        for place in 0..PAIRS.len() {
            assert_eq!(
                asked[place] == own[place],
                held[place][1..] == theirs[place][1..],
                "{columns}: {}",
                PAIRS[place]
            );
        }
    }
}

/// A value that is longer than a server joins or casts (MariaDB's CAST gives NULL for it) is hashed all the same.
async fn long(kind: ServerKind) {
    let server = Server::start(kind, &ServerOptions::with(&["max_allowed_packet = 8M"])).await;
    let mut conn = connect(&server).await;
    for sql in [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id INT PRIMARY KEY, t LONGTEXT CHARACTER SET utf8mb4, l MEDIUMTEXT CHARACTER SET latin1, b LONGBLOB)",
        "INSERT INTO d.t VALUES (1, REPEAT('x', 2000000), '', ''), (2, REPEAT('y', 2000000), '', ''), (3, NULL, '', '')",
        "INSERT INTO d.t VALUES (4, '', REPEAT('x', 2000000), ''), (5, '', REPEAT('y', 2000000), ''), (6, '', NULL, '')",
        "INSERT INTO d.t VALUES (7, '', '', REPEAT('x', 2000000)), (8, '', '', REPEAT('y', 2000000)), (9, '', '', NULL)",
        "SET GLOBAL max_allowed_packet = 1048576",
    ] {
        run(&mut conn, sql).await.unwrap();
    }
    let mut conn = connect(&server).await;
    let info = TableInfo::load(&mut conn, &table("d", "t")).await.unwrap();
    let hashes = hashes(&mut conn, &info, &[1, 2, 3], "d.t", "id").await;
    let names: Vec<String> = (1..=9).map(|id: i32| id.to_string()).collect();
    assert_tells_apart(&hashes, &names, "long values");
    // Nor is one read as NULL.
    for column in &info.columns[1..] {
        let nulls = format!("SELECT SUM(ISNULL({})) FROM d.t", select_expression(column));
        assert_eq!(
            run(&mut conn, &nulls).await.unwrap(),
            [[Some(b"1".to_vec())]]
        );
    }
}

#[tokio::test]
async fn a_hash_tells_every_value_of_every_type_from_others() {
    for kind in ServerKind::ALL {
        types(kind).await;
    }
}

#[tokio::test]
async fn a_hash_tells_rows_apart_whatever_their_character_sets() {
    for kind in ServerKind::ALL {
        pairs(kind).await;
    }
}

#[tokio::test]
async fn a_hash_is_of_long_values_too() {
    for kind in ServerKind::ALL {
        long(kind).await;
    }
}
