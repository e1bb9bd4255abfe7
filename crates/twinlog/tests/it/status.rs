//! `twinlog status` on real servers: healthy pairs, and each way not to be one.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use mysql_async::prelude::Queryable;
use serde_json::Value;
use twinlog_pair::status::Status;
use twinlog_testbed::{ServerKind, wait_until};

use crate::schema::{assert_valid, check_schema};
use crate::support::Pair;

/// How long a state may take to come about on two busy cores.
const DEADLINE: Duration = Duration::from_secs(30);

fn status(pair: &Pair, code: i32) -> Value {
    let output = pair.twinlog.run(&["status", "--json"]);
    assert_valid("status", output.expect_code(code))
}

/// Asks until the pair is, or is not, healthy.
async fn wait_for(pair: &Pair, healthy: bool) -> Value {
    wait_until(DEADLINE, "another state of health", async || {
        let output = pair.twinlog.run(&["status", "--json"]);
        let status = assert_valid("status", &output.stdout);
        (status["healthy"] == healthy).then_some(status)
    })
    .await
}

/// The only problem, as where it is, its message and its hint.
#[track_caller]
fn problem(status: &Value) -> [&str; 3] {
    let problems = status["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    ["at", "message", "hint"].map(|key| problems[0][key].as_str().unwrap_or_default())
}

/// The message of the problem at this node or link.
#[track_caller]
fn message_at<'a>(status: &'a Value, at: &str) -> &'a str {
    let mut problems = status["problems"].as_array().expect("a list").iter();
    let problem = problems.find(|problem| problem["at"] == at);
    problem
        .and_then(|problem| problem["message"].as_str())
        .unwrap_or_else(|| panic!("no problem at {at}: {status:#}"))
}

#[test]
fn its_schema_is_in_docs() {
    check_schema::<Status>("status");
}

#[tokio::test]
async fn a_healthy_pair_of_mysql() {
    let pair = Pair::proven(ServerKind::MySql97);
    healthy(&pair);
    watched(&pair);
    // Nobody may write on b now, so nothing can be written there to be measured.
    pair.exec("b", &["SET GLOBAL super_read_only = ON"]).await;
    by_position(&pair, 1).await;
}

#[tokio::test]
async fn a_healthy_pair_of_mariadb() {
    let pair = Pair::proven(ServerKind::MariaDb1011);
    healthy(&pair);
    // A filter of somebody's who does not know of twinlog's table: `up` would rotate the log.
    let filter = "SET GLOBAL replicate_wild_do_table = 'test.%'";
    pair.exec("b", &["STOP SLAVE", filter, "START SLAVE"]).await;
    wait_for(&pair, true).await;
    by_position(&pair, 0).await;
}

/// The link from this node is measured by its log's end, and its log stays as it is.
async fn by_position(pair: &Pair, source: usize) {
    let logs = async || {
        pair.db(["a", "b"][source])
            .rows("SHOW BINARY LOGS")
            .await
            .len()
    };
    let before = logs().await;
    let found = status(pair, 0);
    let link = &found["links"][source];
    assert_eq!(link["canary"]["measured_by"], "position");
    assert!(link["lag_ms"].is_number(), "{link:#}");
    let note = found["notes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    assert!(
        note.into_iter()
            .any(|note| note.contains("measured by log position")),
        "{found:#}"
    );
    assert_eq!(logs().await, before);
}

fn healthy(pair: &Pair) {
    let found = status(pair, 0);
    assert_eq!(
        (&found["healthy"], &found["problems"]),
        (&true.into(), &Value::Array(vec![]))
    );
    for (index, node) in ["a", "b"].into_iter().enumerate() {
        let (node_status, link) = (&found["nodes"][index], &found["links"][index]);
        assert_eq!(node_status["name"], node);
        assert_eq!(node_status["pid"].to_string(), pair.pid(node));
        assert!(
            node_status["disk"]["free_bytes"]
                .as_u64()
                .is_some_and(|bytes| bytes > 0)
        );
        let server = &node_status["server"];
        assert_eq!(
            (&server["role"], &server["errant"]["count"]),
            (&"both".into(), &0.into())
        );
        assert!(server["connections"].as_u64() <= server["connections_max"].as_u64());
        assert!(
            server["clock_offset_ms"]
                .as_f64()
                .is_some_and(|offset| offset.abs() < 1000.0)
        );
        assert_eq!(link["source"], node);
        assert_eq!(
            (&link["state"], &link["error"]),
            (&"running".into(), &Value::Null)
        );
        assert_eq!(
            (&link["canary"]["measured_by"], &link["report"]["tls"]),
            (&"row".into(), &true.into())
        );
        assert_eq!(link["report"]["missing"]["count"], 0);
        assert!(
            link["lag_ms"]
                .as_f64()
                .is_some_and(|lag| lag > 0.0 && lag < 1500.0),
            "{link:#}"
        );
    }
    let text = pair.twinlog.run(&["status"]).expect_code(0).to_owned();
    assert!(
        text.starts_with("pair: healthy") && text.contains("a → b"),
        "{text}"
    );
}

/// One document per line until Ctrl-C, which is no failure.
fn watched(pair: &Pair) {
    let mut command = pair
        .twinlog
        .command(&["status", "--json", "--watch", "0.1"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines.take(2) {
        assert_eq!(
            assert_valid("status", &line.expect("text"))["healthy"],
            true
        );
    }
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", "INT", &id])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[tokio::test]
async fn trouble_on_a_link_of_mysql() {
    trouble(ServerKind::MySql97, "REPLICA").await;
}

#[tokio::test]
async fn trouble_on_a_link_of_mariadb() {
    trouble(ServerKind::MariaDb1011, "SLAVE").await;
}

async fn trouble(kind: ServerKind, replica: &str) {
    // With a policy that repairs, the applier would go on past the row that is in its way.
    let pair = Pair::new(kind, "[conflicts]\npolicy = \"manual\"\n");
    pair.up();
    pair.exec("b", &[&format!("STOP {replica} SQL_THREAD")])
        .await;
    let found = status(&pair, 1);
    let [at, message, hint] = problem(&found);
    assert_eq!(
        (at, message.contains("the applier of a→b stopped")),
        ("a→b", true),
        "{message}"
    );
    assert!(hint.contains("twinlog up"), "{hint}");
    assert_eq!(
        (&found["links"][0]["state"], &found["links"][1]["state"]),
        (&"stopped".into(), &"running".into())
    );
    assert_eq!(found["links"][0]["canary"]["outcome"], "not_sent");
    // What it says to do helps.
    pair.twinlog.run(&["up"]).expect_code(0);
    status(&pair, 0);

    pair.exec(
        "a",
        &[
            "CREATE DATABASE test",
            "CREATE TABLE test.x (id INT PRIMARY KEY, name CHAR(9))",
        ],
    )
    .await;
    wait_for(&pair, true).await;
    // Seen only after the table has crossed: the canary goes behind it.
    pair.exec(
        "b",
        &["SET sql_log_bin = 0", "INSERT INTO test.x VALUES (1, 'b')"],
    )
    .await;
    pair.exec("a", &["INSERT INTO test.x VALUES (1, 'a')"])
        .await;
    let found = wait_for(&pair, false).await;
    let [at, message, hint] = problem(&found);
    assert_eq!(at, "a→b");
    assert!(
        message.contains("ERROR 1062") && message.contains("Duplicate entry '1'"),
        "{message}"
    );
    assert!(hint.contains("same key"), "{hint}");
    assert_eq!(found["links"][0]["error"]["code"], 1062);
    assert!(found["links"][0]["report"]["missing"]["count"].as_u64() >= Some(1));
    let text = pair.twinlog.run(&["status"]).expect_code(1).to_owned();
    assert!(
        text.contains("applier stopped") && text.contains("→ both nodes inserted the same key"),
        "{text}"
    );
}

#[tokio::test]
async fn a_strangers_transaction_and_a_dead_node_on_mysql() {
    let gtid = "11111111-2222-3333-4444-555555555555:7";
    let next = format!("SET gtid_next = '{gtid}'");
    let pair = Pair::proven(ServerKind::MySql97);
    planted(&pair, "STOP REPLICA", &[&next, "BEGIN", "COMMIT"], gtid).await;
    // Once both have it the nodes are equal again; it is still told.
    pair.exec("b", &["START REPLICA"]).await;
    let found = wait_for(&pair, true).await;
    let note = found["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains(gtid), "{found:#}");
    dead(&pair).await;
}

#[tokio::test]
async fn a_strangers_transaction_and_a_dead_node_on_mariadb() {
    let pair = Pair::proven(ServerKind::MariaDb1011);
    let plant = ["SET SESSION server_id = 99", "CREATE DATABASE planted"];
    // The link stays stopped: a transaction of a third server's comes back to where it was planted, and stops there.
    planted(&pair, "STOP SLAVE", &plant, "1-99-").await;
    dead(&pair).await;
}

/// What neither node made, and only one has, is found.
async fn planted(pair: &Pair, stop: &str, plant: &[&str], gtid: &str) {
    pair.exec("b", &[stop]).await;
    pair.exec("a", plant).await;
    let found = status(pair, 1);
    let message = message_at(&found, "a");
    assert!(
        message.contains("neither node made") && message.contains(gtid),
        "{message}"
    );
    let errant = &found["nodes"][0]["server"]["errant"];
    assert_eq!(
        (&errant["count"], &errant["missing_on_peer"]),
        (&1.into(), &1.into())
    );
}

/// A frozen node, then a killed one: the other is shown all the same, and soon.
async fn dead(pair: &Pair) {
    pair.signal("b", "STOP");
    let asked = Instant::now();
    let found = status(pair, 1);
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let message = message_at(&found, "b");
    assert!(message.contains("no answer within 1.5 s"), "{message}");

    pair.signal("b", "KILL");
    wait_until(DEADLINE, "the end of b", async || {
        let found = status(pair, 1);
        assert_eq!(found["nodes"][0]["answers"], true);
        message_at(&found, "b")
            .contains("not running")
            .then_some(())
    })
    .await;
    let text = pair.twinlog.run(&["status"]).expect_code(1).to_owned();
    assert!(
        text.contains("process, not running") && text.contains("→ `twinlog up` starts it"),
        "{text}"
    );
}

/// An agent is known by its lock on both nodes and by what it writes; its history decides whether the pair is healthy.
async fn an_agent(kind: ServerKind) {
    let pair = Pair::proven(kind);
    let found = status(&pair, 0);
    assert_eq!(found["agent"]["running"], false);
    assert!(found["agent"]["settled"].is_null(), "{found:#}");
    assert_eq!(found["conflicts"]["total"], 0);
    assert!(
        found["notes"].to_string().contains("no agent runs"),
        "{found:#}"
    );

    let mut held = Vec::new();
    for node in ["a", "b"] {
        let mut conn = pair.db(node).conn().await.unwrap();
        conn.query_drop("DO GET_LOCK('twinlog.agent', 0)")
            .await
            .unwrap();
        held.push(conn);
    }
    let detail = r#"{"version":1,"host":"db1","pid":4711,"started_at":"2026-01-01T00:00:00Z","lag_ms":{"a":1.5,"b":2},
        "in_flight_transactions":3,"in_flight_keys":5,"memory_bytes":100,"memory_limit_bytes":1000}"#;
    let row = |id: &str, state: &str| {
        format!(
            "INSERT INTO twinlog.conflict (id, found_at, schema_name, table_name, row_key, kind, state, policy, rule, detail) \
             VALUES ('{id}', UTC_TIMESTAMP(6), 'shop', 't', '1', 'conflict', '{state}', 'last-write-wins', '', '{{}}')"
        )
    };
    let checkpoint = format!(
        "REPLACE INTO twinlog.checkpoint (settled, written_at, detail) VALUES ('1-1-1', UTC_TIMESTAMP(6), '{detail}')"
    );
    pair.exec("a", &[&checkpoint, &row("aaaaaaaaaaaa", "repaired")])
        .await;
    let found = status(&pair, 0);
    let agent = &found["agent"];
    assert_eq!(
        (&agent["running"], &agent["host"]),
        (&true.into(), &"db1".into())
    );
    assert_eq!(agent["locks"].as_array().map(Vec::len), Some(2));
    assert!(agent["locks"][0]["from"].is_string(), "{agent:#}");
    assert!(
        agent["checkpoint_age_s"]
            .as_f64()
            .is_some_and(|age| age < 60.0),
        "{agent:#}"
    );
    assert_eq!(agent["lag_ms"]["b"], 2.0);
    assert_eq!(found["conflicts"]["repaired"], 1);
    assert_eq!(found["notes"], Value::Array(vec![]));

    pair.exec("b", &[&row("bbbbbbbbbbbb", "open")]).await;
    let found = wait_for(&pair, false).await;
    let [at, message, hint] = problem(&found);
    assert_eq!(
        (at, message),
        ("pair", "the nodes differ: 1 conflict is open")
    );
    assert!(hint.contains("twinlog conflicts list"), "{hint}");
    for conn in held {
        conn.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_on_mysql_9_7() {
    an_agent(ServerKind::MySql97).await;
}

#[tokio::test]
async fn an_agent_on_mysql_5_6() {
    an_agent(ServerKind::MySql56).await;
}

#[tokio::test]
async fn an_agent_on_mariadb() {
    an_agent(ServerKind::MariaDb1011).await;
}
