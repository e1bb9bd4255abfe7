//! `twinlog conflicts` on real pairs whose both nodes wrote the same rows while the links were down.

use serde_json::Value;
use twinlog_agent::conflicts::{ListDocument, PruneDocument, RulingDocument, ShowDocument};
use twinlog_testbed::{Output, ServerKind, wait_until};

use crate::schema::{assert_valid, check_schema};
use crate::support::{DEADLINE, Pair, assert_fails, same_rows};

/// The later commit wins, but in the tables whose rows wait for a person.
const POLICIES: &str = "[conflicts]\npolicy = \"last-write-wins\"\n\
    [[conflicts.tables]]\nmatch = \"shop.ledger\"\npolicy = \"manual\"\n\
    [[conflicts.tables]]\nmatch = \"shop.user\"\npolicy = \"manual\"\n";

const TABLES: [&str; 7] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.stock (id INT PRIMARY KEY, quantity INT NOT NULL, note VARCHAR(200) CHARACTER SET utf8mb4) ENGINE=InnoDB",
    "CREATE TABLE shop.ledger (id INT PRIMARY KEY, amount DECIMAL(10,2), state ENUM('new','paid') NOT NULL, paper VARBINARY(20), \
     flags BIT(4), at TIMESTAMP(3) NULL) ENGINE=InnoDB CHARACTER SET latin1",
    "CREATE TABLE shop.user (id INT PRIMARY KEY, name VARCHAR(20) UNIQUE) ENGINE=InnoDB",
    "INSERT INTO shop.stock VALUES (1, 10, 'new')",
    "INSERT INTO shop.ledger VALUES (1, 1.50, 'new', x'00ff', b'1', '2026-01-01 00:00:00.5'), (2, 2, 'new', NULL, NULL, NULL), \
     (3, 3, 'new', NULL, NULL, NULL), (4, 4, 'new', NULL, NULL, NULL)",
    "INSERT INTO shop.user VALUES (1, 'eve')",
];

const STOCK: &str = "SELECT id, quantity, note FROM shop.stock ORDER BY id";
const LEDGER: &str = "SELECT id, amount, state, HEX(paper), flags + 0 FROM shop.ledger ORDER BY id";
const USER: &str = "SELECT id, name FROM shop.user ORDER BY id";

async fn links(pair: &Pair, kind: ServerKind, verb: &str) {
    let what = if kind == ServerKind::MySql97 {
        "REPLICA"
    } else {
        "SLAVE"
    };
    for node in ["a", "b"] {
        pair.exec(node, &[&format!("{verb} {what}")]).await;
    }
}

/// A pair that has been apart, with what the agent made of it: one conflict is repaired, four wait for a person, and of one
/// both nodes hold the same although nobody chose it.
async fn torn(kind: ServerKind) -> Pair {
    let pair = Pair::new(kind, POLICIES);
    pair.up();
    pair.exec("a", &TABLES).await;
    let [_, b] = pair.both();
    b.wait_for_rows(USER, &vec![vec!["1".into(), "eve".into()]])
        .await;
    pair.twinlog.run(&["run", "--once"]).expect_code(0);
    links(&pair, kind, "STOP").await;
    pair.exec(
        "a",
        &[
            "UPDATE shop.stock SET quantity = 9, note = 'sold on a' WHERE id = 1",
            "UPDATE shop.ledger SET amount = amount + 10, paper = x'aabb'",
            "INSERT INTO shop.user VALUES (5, 'ana')",
        ],
    )
    .await;
    // Seconds decide where the log has no microseconds.
    pair.exec("b", &["DO SLEEP(1.1)"]).await;
    pair.exec(
        "b",
        &[
            "UPDATE shop.stock SET quantity = 7 WHERE id = 1",
            "UPDATE shop.ledger SET amount = amount + 20, state = 'paid' WHERE id < 4",
            "DELETE FROM shop.ledger WHERE id = 4",
            "INSERT INTO shop.user VALUES (4, 'ana')",
        ],
    )
    .await;
    links(&pair, kind, "START").await;
    pair.twinlog.run(&["run", "--once"]).expect_code(1);
    pair
}

fn conflicts(pair: &Pair, args: &[&str]) -> Output {
    let mut all = vec!["conflicts"];
    all.extend(args);
    pair.twinlog.run(&all)
}

fn json(pair: &Pair, schema: &str, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    let output = conflicts(pair, &all);
    assert_valid(schema, output.expect_code(0))
}

/// The id of the conflict about this row.
fn id_of(pair: &Pair, table: &str, key: &str) -> String {
    let list = json(pair, "conflicts-list", &["list", "--table", table]);
    let found = list["conflicts"].as_array().unwrap().iter();
    let ids: Vec<&str> = found
        .filter(|conflict| conflict["key"] == key)
        .filter_map(|conflict| conflict["id"].as_str())
        .collect();
    match ids.as_slice() {
        [id] => (*id).to_owned(),
        _ => panic!("{table} {key}: {list:#}"),
    }
}

fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
    let row = |row: &&[&str]| row.iter().map(|text| (*text).to_owned()).collect();
    rows.iter().map(row).collect()
}

async fn both_hold(pair: &Pair, sql: &str, expected: &[&[&str]]) {
    for db in pair.both() {
        db.wait_for_rows(sql, &rows(expected)).await;
    }
}

async fn lists_and_shows(pair: &Pair) {
    let text = conflicts(pair, &["list"]);
    let text = text.expect_code(0);
    for part in [
        "shop.stock",
        "repaired",
        "manual: it waits",
        "6 conflicts; 5 open",
        "conflicts show",
    ] {
        assert!(text.contains(part), "no {part}:\n{text}");
    }
    let open = json(
        pair,
        "conflicts-list",
        &["list", "--state", "open", "--limit", "2"],
    );
    assert_eq!(open["total"], 5);
    assert_eq!(open["conflicts"].as_array().unwrap().len(), 2);
    assert!(open["differ"].is_null(), "{open:#}");
    for (filter, total) in [
        (["--policy", "manual"], 5),
        (["--kind", "ddl"], 0),
        (["--until", "2020-01-01"], 0),
    ] {
        let list = json(pair, "conflicts-list", &["list", filter[0], filter[1]]);
        assert_eq!(list["total"], total, "{filter:?}");
    }
    for (filter, least) in [(["--table", "shop.s*"], 1), (["--since", "1h"], 6)] {
        let list = json(pair, "conflicts-list", &["list", filter[0], filter[1]]);
        assert!(
            list["total"].as_u64() >= Some(least),
            "{filter:?}: {list:#}"
        );
    }
    let none = conflicts(pair, &["list", "--kind", "ddl"]);
    assert_eq!(none.expect_code(0).trim(), "no conflict is like that");

    let id = id_of(pair, "shop.stock", "id=1");
    let show = conflicts(pair, &["show", &id[..8]]);
    let show = show.expect_code(0);
    for part in [
        &format!("conflict {id}: repaired"),
        "a wrote",
        "≠ quantity",
        "9 *",
        "7 *",
        "'sold on a' *",
        "9 !",
        "the later commit: b",
        "restore",
    ] {
        assert!(show.contains(part), "no {part}:\n{show}");
    }
    let show = json(pair, "conflicts-show", &["show", &id]);
    assert_eq!(show["conflict"]["chosen_node"], "b");
    let gtid = show["conflict"]["repair_gtid"].as_str();
    let gtid = gtid.unwrap_or_else(|| panic!("no repair's GTID: {show:#}"));
    let logged = "SELECT @@GLOBAL.gtid_executed";
    if let Ok(executed) = pair.db("a").try_rows(logged).await {
        let uuid = gtid.split(':').next().unwrap();
        assert!(executed[0][0].contains(uuid), "{gtid}: {executed:?}");
    }
    assert_eq!(
        show["written"][0]["versions"]["a"]["row"][1]["int"], "9",
        "{show:#}"
    );
    assert_eq!(show["detail"]["writes"].as_array().unwrap().len(), 2);
}

async fn resolves(pair: &Pair) {
    // Kept as it was written on one node, every type among it.
    let id = id_of(pair, "shop.ledger", "id=1");
    let plan = json(pair, "conflicts-resolve", &["resolve", &id, "--keep", "a"]);
    assert_eq!(plan["done"], false);
    let sql = plan["statements"][0]["sql"].as_str().unwrap();
    assert!(
        sql.starts_with("UPDATE `shop`.`ledger` SET `amount` = 11.50"),
        "{sql}"
    );
    let shown = conflicts(pair, &["resolve", &id, "--keep", "a", "--dry-run"]);
    let shown = shown.expect_code(0);
    for part in ["a holds", "shall be", "21.50", "11.50", "on a", "'new'"] {
        assert!(shown.contains(part), "no {part}:\n{shown}");
    }
    // Nobody is there to be asked.
    let declined = conflicts(pair, &["resolve", &id, "--keep", "a"]);
    declined.expect_code(1);
    let done = conflicts(pair, &["resolve", &id, "--keep", "a", "--yes"]);
    let done = done.expect_code(0);
    assert!(
        done.contains("repaired, written on a; both nodes hold it"),
        "{done}"
    );
    let again = conflicts(pair, &["resolve", &id, "--keep", "b", "--yes"]);
    assert_fails(&again, 1, &["is not open", "restore"]);

    // By hand, on top of one.
    let id = id_of(pair, "shop.ledger", "id=2");
    for (set, says) in [
        ("amount=many", "amount"),
        ("id=9", "names the row"),
        ("price=1", "has no column price"),
        ("flags=x", "flags"),
    ] {
        let wrong = conflicts(
            pair,
            &["resolve", &id, "--keep", "a", "--set", set, "--yes"],
        );
        wrong.expect_code(2);
        assert!(wrong.stderr.contains(says), "{}", wrong.stderr);
    }
    let alone = conflicts(pair, &["resolve", &id, "--set", "amount=1", "--yes"]);
    assert_fails(&alone, 2, &["not the same on both nodes", "--keep"]);
    let by_hand = [
        "resolve",
        &id,
        "--keep",
        "b",
        "--set",
        "amount=77.7",
        "--set",
        "paper=0xc0de",
        "--set",
        "flags=b'11'",
        "--set",
        "at=2026-02-03 04:05:06.789",
        "--yes",
    ];
    conflicts(pair, &by_hand).expect_code(0);

    // Left as it is.
    let id = id_of(pair, "shop.ledger", "id=3");
    conflicts(pair, &["resolve", &id, "--leave", "--yes"]).expect_code(0);
    let show = json(pair, "conflicts-show", &["show", &id]);
    assert_eq!(show["conflict"]["state"], "kept");
    assert_eq!(show["conflict"]["rulings"][0]["what"], "leave it");

    // Deleted on one node, and so gone on both: brought back.
    let id = id_of(pair, "shop.ledger", "id=4");
    conflicts(pair, &["restore", &id, "--version", "a", "--yes"]).expect_code(0);
    for db in pair.both() {
        let sql = format!("{LEDGER} LIMIT 2");
        let kept = rows(&[
            &["1", "11.50", "new", "AABB", "1"],
            &["2", "77.70", "paid", "C0DE", "3"],
        ]);
        db.wait_for_rows(&sql, &kept).await;
        let last = "SELECT amount, state FROM shop.ledger WHERE id = 4";
        db.wait_for_rows(last, &rows(&[&["14.00", "new"]])).await;
    }

    // Two rows with one name: one of them goes.
    let list = json(pair, "conflicts-list", &["list", "--table", "shop.user"]);
    let id = list["conflicts"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(list["conflicts"][0]["rows"], 2, "{list:#}");
    let plan = conflicts(
        pair,
        &[
            "resolve",
            &id,
            "--keep",
            "b",
            "--set",
            "name=x",
            "--dry-run",
        ],
    );
    assert_fails(&plan, 2, &["2 rows", "--row"]);
    // Neither: each node has one that must go.
    let neither = conflicts(pair, &["restore", &id, "--version", "base", "--yes"]);
    let neither = neither.expect_code(0);
    assert!(
        neither.contains("repaired, written on a and on b; both nodes hold it"),
        "{neither}"
    );
    both_hold(pair, USER, &[&["1", "eve"]]).await;
    let states =
        "SELECT state, resolved_at IS NOT NULL FROM twinlog.conflict WHERE table_name = 'user'";
    both_hold(pair, states, &[&["repaired", "1"]]).await;
    conflicts(pair, &["restore", &id, "--version", "b", "--yes"]).expect_code(0);
    both_hold(pair, USER, &[&["1", "eve"], &["4", "ana"]]).await;
}

async fn restores(pair: &Pair) {
    let id = id_of(pair, "shop.stock", "id=1");
    both_hold(pair, STOCK, &[&["1", "7", "new"]]).await;
    conflicts(pair, &["restore", &id, "--version", "a", "--yes"]).expect_code(0);
    both_hold(pair, STOCK, &[&["1", "9", "sold on a"]]).await;
    // What a client wrote since is overwritten, and kept.
    pair.exec("b", &["UPDATE shop.stock SET quantity = 1000 WHERE id = 1"])
        .await;
    both_hold(pair, STOCK, &[&["1", "1000", "sold on a"]]).await;
    let document = json(
        pair,
        "conflicts-resolve",
        &["restore", &id, "--version", "base", "--yes"],
    );
    assert_eq!(document["done"], true);
    assert_eq!(document["equal"], true, "{document:#}");
    both_hold(pair, STOCK, &[&["1", "10", "new"]]).await;
    let show = conflicts(pair, &["show", &id]);
    let show = show.expect_code(0);
    for part in [
        "restore what it was before",
        "quantity=1000",
        "restore the version of a",
    ] {
        assert!(show.contains(part), "no {part}:\n{show}");
    }
    let nothing = conflicts(pair, &["restore", &id, "--version", "base", "--yes"]);
    assert!(
        nothing.expect_code(0).contains("nothing to do"),
        "{}",
        nothing.stdout
    );
    assert_fails(
        &conflicts(pair, &["restore", &id, "--version", "c", "--yes"]),
        2,
        &["no node is called 'c'"],
    );
    assert_fails(
        &conflicts(pair, &["show", "ffffffffffff"]),
        2,
        &["there is no conflict"],
    );
}

async fn prunes(pair: &Pair) {
    let counted = json(pair, "conflicts-prune", &["prune", "--older-than", "0s"]);
    assert_eq!(counted["done"], false);
    let settled = counted["prunable"].as_u64().unwrap();
    assert_eq!(settled, 6, "{counted:#}");
    let none = conflicts(pair, &["prune", "--older-than", "90d", "--yes"]);
    assert!(none.expect_code(0).contains("nothing to forget"));
    let asked = conflicts(pair, &["prune", "--older-than", "0s"]);
    asked.expect_code(1);
    let done = json(
        pair,
        "conflicts-prune",
        &["prune", "--older-than", "0s", "--yes"],
    );
    assert_eq!(done["deleted"].as_u64(), Some(settled));
    for db in pair.both() {
        db.wait_for_rows("SELECT COUNT(*) FROM twinlog.conflict", &rows(&[&["0"]]))
            .await;
    }
}

async fn the_whole_story(kind: ServerKind) {
    let pair = torn(kind).await;
    lists_and_shows(&pair).await;
    resolves(&pair).await;
    restores(&pair).await;
    // An agent that looks at all of that finds nothing to do, and no conflict.
    let after = pair.twinlog.run(&["run", "--once", "--json"]);
    let after: Value = serde_json::from_str(after.expect_code(0)).unwrap();
    assert_eq!(
        (&after["conflicts"], &after["divergences"]),
        (&0.into(), &0.into()),
        "{after:#}"
    );
    // It has written down which transactions those were.
    let unnamed =
        "SELECT COUNT(*) FROM twinlog.conflict WHERE state = 'repaired' AND repair_gtid IS NULL";
    both_hold(&pair, unnamed, &[&["0"]]).await;
    same_rows(&pair.both(), STOCK).await;
    same_rows(&pair.both(), USER).await;
    prunes(&pair).await;
}

#[tokio::test]
async fn on_mysql_9_7() {
    the_whole_story(ServerKind::MySql97).await;
}

#[tokio::test]
async fn on_mariadb_10_11() {
    the_whole_story(ServerKind::MariaDb1011).await;
}

/// An agent at work and a person who decides do not disturb each other.
#[tokio::test]
async fn beside_an_agent() {
    let kind = ServerKind::MySql97;
    let pair = torn(kind).await;
    let mut agent = pair.twinlog.spawn(&["run"]);
    agent.wait_for_line("reading both logs");
    let id = id_of(&pair, "shop.ledger", "id=1");
    conflicts(&pair, &["resolve", &id, "--keep", "b", "--yes"]).expect_code(0);
    // Rows that clients have written since are theirs.
    let id = id_of(&pair, "shop.ledger", "id=2");
    pair.exec("a", &["UPDATE shop.ledger SET amount = 5 WHERE id = 2"])
        .await;
    for db in pair.both() {
        let sql = "SELECT amount FROM shop.ledger WHERE id = 2";
        db.wait_for_rows(sql, &rows(&[&["5.00"]])).await;
    }
    let since = conflicts(&pair, &["resolve", &id, "--keep", "b", "--yes"]);
    assert_fails(&since, 1, &["was written since", "restore"]);
    conflicts(&pair, &["resolve", &id, "--set", "amount=6", "--yes"]).expect_code(0);
    wait_until(DEADLINE, "the agent has read that", async || {
        let status = pair.twinlog.run(&["status", "--json"]);
        let status: Value = serde_json::from_str(&status.stdout).ok()?;
        (status["agent"]["running"] == true).then_some(())
    })
    .await;
    agent.kill();
    let after = pair.twinlog.run(&["run", "--once", "--json"]);
    let after: Value = serde_json::from_str(&after.stdout).unwrap();
    assert_eq!(
        (&after["conflicts"], &after["divergences"]),
        (&0.into(), &0.into()),
        "{after:#}"
    );
    let settled = "SELECT id, amount, state FROM shop.ledger WHERE id < 3 ORDER BY id";
    both_hold(
        &pair,
        settled,
        &[&["1", "21.50", "paid"], &["2", "6.00", "paid"]],
    )
    .await;
}

/// One node is gone, or a link: what is known is shown, and what is not is said.
#[tokio::test]
async fn with_half_a_pair() {
    let kind = ServerKind::MariaDb1011;
    let pair = torn(kind).await;
    links(&pair, kind, "STOP").await;
    let id = id_of(&pair, "shop.ledger", "id=3");
    conflicts(&pair, &["resolve", &id, "--leave", "--yes"]).expect_code(0);
    let list = json(&pair, "conflicts-list", &["list"]);
    let differ = list["differ"].as_str().unwrap();
    assert!(differ.contains("do not say the same of 1"), "{differ}");
    let show = conflicts(&pair, &["show", &id]);
    show.expect_code(0);
    assert!(
        show.stderr.contains("a says that it is kept, b says open"),
        "{}",
        show.stderr
    );
    let plan = conflicts(
        &pair,
        &[
            "resolve",
            &id_of(&pair, "shop.ledger", "id=1"),
            "--keep",
            "a",
            "--dry-run",
        ],
    );
    assert!(
        plan.expect_code(0).contains("has not executed all yet"),
        "{}",
        plan.stdout
    );
    links(&pair, kind, "START").await;

    pair.signal("a", "KILL");
    let list = conflicts(&pair, &["list"]);
    assert!(
        list.expect_code(0).contains("shop.stock"),
        "{}",
        list.stdout
    );
    assert!(list.stderr.contains("a was not asked"), "{}", list.stderr);
    let id = id_of(&pair, "shop.ledger", "id=1");
    assert_fails(
        &conflicts(&pair, &["resolve", &id, "--keep", "a", "--yes"]),
        3,
        &["cannot connect"],
    );
    pair.signal("b", "KILL");
    assert_fails(&conflicts(&pair, &["list"]), 3, &["cannot connect"]);
}

/// Where every policy is manual the appliers stop at what does not fit: no decision may make them.
#[tokio::test]
async fn where_the_appliers_are_strict() {
    let kind = ServerKind::MariaDb1011;
    let pair = Pair::new(kind, "[conflicts]\npolicy = \"manual\"\n");
    pair.up();
    pair.exec("a", &TABLES).await;
    let [a, b] = pair.both();
    b.wait_for_rows(USER, &rows(&[&["1", "eve"]])).await;
    links(&pair, kind, "STOP").await;
    for (db, quantity) in [(&a, 9), (&b, 7)] {
        let sql = format!("UPDATE shop.stock SET quantity = {quantity}");
        db.run(&[&sql]).await;
    }
    links(&pair, kind, "START").await;
    pair.twinlog.run(&["run", "--once"]).expect_code(1);
    let id = id_of(&pair, "shop.stock", "id=1");
    a.run(&["SET sql_log_bin = 0", "DELETE FROM shop.stock"])
        .await;
    // It would be inserted on a, and b has it already.
    let refused = conflicts(&pair, &["restore", &id, "--version", "b", "--yes"]);
    assert_fails(
        &refused,
        1,
        &[
            "stop the applier of b",
            "SET GLOBAL slave_exec_mode = IDEMPOTENT",
        ],
    );
    b.run(&["SET GLOBAL slave_exec_mode = 'IDEMPOTENT'"]).await;
    conflicts(&pair, &["restore", &id, "--version", "b", "--yes"]).expect_code(0);
    both_hold(&pair, STOCK, &[&["1", "7", "new"]]).await;
    assert_eq!(
        b.link("Slave_SQL_Running", "Replica_SQL_Running").await,
        "Yes"
    );
}

#[test]
fn schemas_are_current() {
    check_schema::<ListDocument>("conflicts-list");
    check_schema::<ShowDocument>("conflicts-show");
    check_schema::<RulingDocument>("conflicts-resolve");
    check_schema::<PruneDocument>("conflicts-prune");
}
