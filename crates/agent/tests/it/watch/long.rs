//! Rows that are more than a statement may hold.

use twinlog_converge::Side;
use twinlog_testbed::ServerKind;

use super::Up;

/// The longest statement that the servers take, in bytes.
const PACKET: usize = 65_536;

/// What fits into the history in pieces is repaired, in one transaction; what does not is open, and the agent goes on.
async fn in_pieces(kind: ServerKind) {
    let setup = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, a TEXT, b BLOB); \
         INSERT INTO shop.t VALUES (1, '', ''), (2, '', ''), (3, '', ''), (4, '', '')";
    let pair = Up::with(kind, "policy = \"prefer:b\"", setup).await;
    for side in Side::BOTH {
        pair.exec(side, &format!("SET GLOBAL max_allowed_packet = {PACKET}"))
            .await;
    }
    let agent = pair.agent();
    let write = |letter: char, id: u32, length: u32| {
        // In JSON each has a backslash, so that the whole of it is written as digits.
        format!("UPDATE shop.t SET a = CONCAT('{letter}', REPEAT('\"', {length})) WHERE id = {id}")
    };
    let writes = |letter| {
        let writes = [
            write(letter, 1, 3_000),
            write(letter, 2, 30_000),
            write(letter, 3, 1),
            // In the history five versions are this: they fit because each value is there once.
            write(letter, 4, 10_000),
        ];
        writes.join("; ")
    };
    pair.apart(&writes('a'), &writes('b')).await;
    let all = "SELECT CONCAT_WS(' ', row_key, state) FROM twinlog.conflict ORDER BY row_key";
    let states = [
        "id=1 repaired",
        "id=2 open",
        "id=3 repaired",
        "id=4 repaired",
    ];
    pair.both(all, &states).await;
    let rows = "SELECT CONCAT(LEFT(a, 1), LENGTH(a)) FROM shop.t WHERE id <> 2 ORDER BY id";
    pair.both(rows, &["b3001", "b2", "b10001"]).await;
    let why = "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'open' AND detail LIKE '%raise max_allowed_packet%'";
    pair.both(why, &["1"]).await;
    // Nothing of it was overwritten.
    assert_eq!(
        pair.rows(Side::A, "SELECT LEFT(a, 1) FROM shop.t WHERE id = 2")
            .await,
        ["b"]
    );
    assert_eq!(
        pair.rows(Side::B, "SELECT LEFT(a, 1) FROM shop.t WHERE id = 2")
            .await,
        ["a"]
    );
    let summary = agent.stop().await.unwrap();
    assert_eq!((summary.repaired, summary.open), (3, 1));
}

#[tokio::test]
async fn a_long_repair_is_written_in_pieces_on_mysql() {
    in_pieces(ServerKind::MySql97).await;
    in_pieces(ServerKind::MySql56).await;
}

#[tokio::test]
async fn a_long_repair_is_written_in_pieces_on_mariadb() {
    in_pieces(ServerKind::MariaDb1011).await;
}
