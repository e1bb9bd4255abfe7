//! JSON documents with values of the server's own types.

use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// As JSON has no word for them.
const DOCUMENT: &str = "JSON_OBJECT('n', CAST(1.10 AS DECIMAL(5,2)), 'd', DATE'2020-01-02', 't', CAST('10:11:12.5' AS TIME(6)), \
     'b', CAST(x'00ff' AS BINARY), 'u', CAST(7 AS UNSIGNED), 'l', JSON_ARRAY(1, TIMESTAMP'2021-01-01 00:00:00'))";

#[tokio::test]
async fn a_document_comes_back_with_its_types() {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, j JSON, n INT); \
         INSERT INTO shop.t VALUES (1, '{}', 0), (2, '{}', 0), (3, '{}', 0)";
    let conflicts =
        "policy = \"prefer:b\"\n[[conflicts.tables]]\nmatch = \"shop.m\"\npolicy = \"merge\"";
    let merged = "CREATE TABLE shop.m LIKE shop.t; INSERT INTO shop.m SELECT * FROM shop.t";
    let pair = Up::with(
        ServerKind::MySql97,
        conflicts,
        &format!("{setup}; {merged}"),
    )
    .await;
    let agent = pair.agent();
    // Chosen whole; merged of both; inserted again.
    pair.apart(
        "UPDATE shop.t SET j = '[1]', n = 1 WHERE id = 1; UPDATE shop.m SET n = 1 WHERE id = 1; DELETE FROM shop.t WHERE id = 2",
        &format!(
            "UPDATE shop.t SET j = {DOCUMENT} WHERE id < 3; UPDATE shop.m SET j = {DOCUMENT} WHERE id = 1"
        ),
    )
    .await;
    pair.both(
        "SELECT CONCAT(COUNT(*), ' ', SUM(state = 'repaired')) FROM twinlog.conflict",
        &["3 3"],
    )
    .await;
    let types = |table: &str, id: u32| {
        let types = ["n", "d", "t", "b", "u", "l[0]", "l[1]"]
            .map(|member| format!("JSON_TYPE(j->'$.{member}')"));
        format!(
            "SELECT CONCAT_WS(' ', {}) FROM shop.{table} WHERE id = {id}",
            types.join(", ")
        )
    };
    let expected = ["DECIMAL DATE TIME BLOB UNSIGNED INTEGER INTEGER DATETIME"];
    for (table, id) in [("t", 1), ("t", 2), ("m", 1)] {
        pair.both(&types(table, id), &expected).await;
        let rows = format!("SELECT CONCAT(n, ' ', j) FROM shop.{table} WHERE id = {id}");
        let rows_of_a = pair.rows(Side::A, &rows).await;
        pair.both(&rows, &[&rows_of_a[0]]).await;
    }
    // Byte for byte what B wrote.
    pair.both(
        &format!("SELECT COUNT(*) FROM shop.t WHERE j = CAST({DOCUMENT} AS JSON) AND id < 3"),
        &["2"],
    )
    .await;
    pair.both("SELECT n FROM shop.m WHERE id = 1", &["1"]).await;
    agent.stop().await.unwrap();
}
