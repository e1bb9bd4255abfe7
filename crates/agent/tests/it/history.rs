//! The history and the checkpoint on real servers.

use twinlog_agent::history::{
    Attempt, Checkpoint, Filter, HistoryError, State, counts, find, insert_sql, list, prune,
    read_checkpoint, record, resolve, set_repair_gtids, write_checkpoint,
};
use twinlog_agent::history::{chosen, is_history};
use twinlog_row::run;
use twinlog_testbed::ServerKind;

use crate::resolve::entry;
use crate::support::{changes, connect, logged, node, open, table};

const DAY_US: u64 = 86_400_000_000;

async fn kept(kind: ServerKind) {
    let server = node(kind, 1).await;
    // A session of its own time zone and modes: the history does not depend on them.
    let mut conn = open(&server).await;
    run(
        &mut conn,
        "SET SESSION time_zone = '+05:30', sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
    )
    .await
    .unwrap();
    let mut first = entry("0a0000000001");
    first.rule = "it's \\ \u{1F600}\n".to_owned();
    first.table_name = "od%d_t".to_owned();
    first.detail.attempts.push(Attempt {
        node: "a".to_owned(),
        code: Some(1062),
        message: "\\'\"\u{1F600}".to_owned(),
    });
    record(&mut conn, &first).await.unwrap();
    assert_eq!(find(&mut conn, "0A").await.unwrap(), first);
    // Found again, with more known: an open one is brought up to date.
    first.chosen = None;
    record(&mut conn, &first).await.unwrap();
    assert_eq!(find(&mut conn, "0a").await.unwrap(), first);
    // A person has closed it: it stays.
    assert!(
        resolve(
            &mut conn,
            &first.id,
            State::Kept,
            "kept by hand",
            first.found_us + 5
        )
        .await
        .unwrap()
    );
    assert!(
        !resolve(&mut conn, &first.id, State::Repaired, "twice", 0)
            .await
            .unwrap()
    );
    let closed = find(&mut conn, "0a").await.unwrap();
    assert_eq!(
        (closed.state, closed.rule.as_str(), closed.resolved_us),
        (State::Kept, "kept by hand", Some(first.found_us + 5))
    );
    record(&mut conn, &first).await.unwrap();
    assert_eq!(find(&mut conn, "0a").await.unwrap(), closed);
    set_repair_gtids(&mut conn, &[(first.id.clone(), "1-1-9".to_owned())])
        .await
        .unwrap();
    set_repair_gtids(&mut conn, &[(first.id.clone(), "1-1-10".to_owned())])
        .await
        .unwrap();
    assert_eq!(
        find(&mut conn, "0a").await.unwrap().repair_gtid.as_deref(),
        Some("1-1-9")
    );
    listed(&mut conn).await;
    marked(&server).await;
    let checkpoint = Checkpoint {
        settled: "a\n,b".to_owned(),
        written_us: 1_700_000_000_123_456,
        detail: "{\"x\": \"\\n\"}".to_owned(),
    };
    assert_eq!(read_checkpoint(&mut conn).await.unwrap(), None);
    write_checkpoint(&mut conn, &checkpoint).await.unwrap();
    let later = Checkpoint {
        settled: "c".to_owned(),
        ..checkpoint
    };
    write_checkpoint(&mut conn, &later).await.unwrap();
    assert_eq!(read_checkpoint(&mut conn).await.unwrap(), Some(later));
}

async fn listed(conn: &mut twinlog_server::conn::Conn) {
    let base = entry("0b0000000001");
    for (at, state) in [State::Open, State::Equal, State::Repaired]
        .into_iter()
        .enumerate()
    {
        let mut other = base.clone();
        other.id = format!("0b000000000{at}");
        other.found_us += DAY_US * (at as u64 + 1);
        other.state = state;
        record(conn, &other).await.unwrap();
    }
    let ids = async |conn: &mut _, filter: Filter| -> Vec<String> {
        let found = list(conn, &filter).await.unwrap();
        found
            .into_iter()
            .map(|entry| entry.id[..2].to_owned() + &entry.id[11..])
            .collect()
    };
    let all = Filter::default();
    assert_eq!(ids(conn, all.clone()).await, ["0b2", "0b1", "0b0", "0a1"]);
    assert_eq!(
        ids(
            conn,
            Filter {
                limit: Some(1),
                ..all.clone()
            }
        )
        .await,
        ["0b2"]
    );
    assert_eq!(
        ids(
            conn,
            Filter {
                table: Some("shop.t*".into()),
                ..all.clone()
            }
        )
        .await,
        ["0b2", "0b1", "0b0"]
    );
    assert_eq!(
        ids(
            conn,
            Filter {
                table: Some("shop.od%d_?".into()),
                ..all.clone()
            }
        )
        .await,
        ["0a1"]
    );
    assert_eq!(
        ids(
            conn,
            Filter {
                states: vec![State::Open, State::Kept],
                ..all.clone()
            }
        )
        .await,
        ["0b0", "0a1"]
    );
    assert_eq!(
        ids(
            conn,
            Filter {
                policy: Some("manual".into()),
                ..all.clone()
            }
        )
        .await,
        [""; 0]
    );
    let (since_us, until_us) = (
        Some(base.found_us + DAY_US),
        Some(base.found_us + 2 * DAY_US),
    );
    assert_eq!(
        ids(
            conn,
            Filter {
                since_us,
                until_us,
                ..all
            }
        )
        .await,
        ["0b0"]
    );
    assert!(matches!(
        find(conn, "0b").await,
        Err(HistoryError::Ambiguous { count: 3, .. })
    ));
    assert!(matches!(
        find(conn, "0c").await,
        Err(HistoryError::NoSuch { .. })
    ));
    assert!(matches!(
        find(conn, "%").await,
        Err(HistoryError::NoSuch { .. })
    ));
    let states = counts(conn).await.unwrap();
    assert_eq!(
        [
            states[&State::Open],
            states[&State::Kept],
            states.len() as u64
        ],
        [1, 1, 4]
    );
    assert_eq!(prune(conn, base.found_us + 3 * DAY_US).await.unwrap(), 2);
    assert_eq!(ids(conn, Filter::default()).await, ["0b2", "0b0"]);
}

/// The watcher reads the mark from the log, whether the log names columns or not.
async fn marked(server: &twinlog_testbed::Server) {
    let mut conn = connect(server).await;
    run(&mut conn, &insert_sql(&entry("0d0000000001")))
        .await
        .unwrap();
    let name = table("twinlog", "conflict");
    let found = changes(&logged(server).await, &name);
    let image = found.last().unwrap()[1].as_ref().unwrap();
    assert!(is_history(image.table()));
    let mark = chosen(image.as_image()).unwrap();
    let written = entry("0d0000000001");
    assert_eq!(
        (mark.id, mark.node, mark.micros),
        (written.id, written.chosen_node, written.chosen_us)
    );
}

#[tokio::test]
async fn the_history_is_kept_on_every_server() {
    for kind in ServerKind::ALL {
        kept(kind).await;
    }
}
