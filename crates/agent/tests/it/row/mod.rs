//! Values to SQL and back, on every server.

mod hash;
mod keys;
mod values;

use twinlog_binlog::Value;
use twinlog_row::{Row, TableInfo, literal, locate, matches, read_held, read_image, run};
use twinlog_server::conn::Conn;
use twinlog_testbed::{Server, ServerKind, ServerOptions};

use crate::support::{changes, connect, logged, node, table};
use keys::assert_const;
use values::{ODD, fill, quoted, rows};

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

/// `k` is not `K`, and the key's index is used.
async fn by_key(conn: &mut Conn, info: &TableInfo, row: &Row) {
    let other = [row[1].clone(), Value::Bytes(b"k".to_vec())];
    assert_eq!(row[0], Value::Bytes(b"K".to_vec()));
    assert_eq!(read_held(conn, info, &other).await.unwrap(), None);
    let own = locate(info, &[row[1].clone(), row[0].clone()]).unwrap();
    assert_const(conn, info, &own).await;
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
