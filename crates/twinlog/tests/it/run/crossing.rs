//! Every way known in which writes of the two nodes cross: both links stopped, both nodes written, links started.

mod families;
mod tables;

use std::fmt::Write as _;

use twinlog_testbed::ServerKind;

use super::kit::{Content, count, equal, finds_nothing, history, links, settles};
use crate::support::{Db, Pair, Rows};

/// One way. `{t}` and `{c}` are its tables; a text `~x~` is a mark of its own, which must not get lost.
struct Case {
    name: &'static str,
    start: &'static [&'static str],
    a: &'static [&'static str],
    b: &'static [&'static str],
}

/// The later commit wins: in the one database b's, in the other a's.
const DATABASES: [&str; 2] = ["b_later", "a_later"];

const ROWS: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, v VARCHAR(40))";
const UNIQUE: &str = "CREATE TABLE {t} (id INT PRIMARY KEY, u INT UNIQUE, v VARCHAR(40))";
const TWO_UNIQUE: &str =
    "CREATE TABLE {t} (id INT PRIMARY KEY, u1 INT UNIQUE, u2 INT UNIQUE, v VARCHAR(40))";
const THREE: &str = "INSERT INTO {t} VALUES (1, 'x'), (2, 'x'), (3, 'x')";
const THREE_UNIQUE: &str = "INSERT INTO {t} VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 3, 'x')";

/// The statements of all cases, for one database and one place: their tables are their own.
fn script(
    cases: &[&Case],
    database: &str,
    of: impl Fn(&Case) -> &'static [&'static str],
) -> Vec<String> {
    let mut script = vec![format!("USE {database}")];
    for case in cases {
        let statements = of(case).iter();
        script.extend(statements.map(|sql| {
            sql.replace("{t}", &format!("{}_t", case.name))
                .replace("{c}", &format!("{}_c", case.name))
        }));
    }
    script
}

async fn run(db: &Db, script: &[String]) {
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    db.run(&script).await;
}

/// The marks in a script's statements.
fn marks(statements: &[&'static str]) -> impl Iterator<Item = String> {
    let pieces = statements
        .iter()
        .flat_map(|sql| sql.split('~').skip(1).step_by(2));
    pieces.map(|mark| format!("~{mark}~"))
}

/// What clients wrote in a case and is neither in its tables nor in its history.
fn lost(case: &Case, database: &str, content: &Content, history: &Rows) -> Vec<String> {
    let own = |table: &str| {
        let name = table
            .strip_prefix(database)
            .and_then(|name| name.strip_prefix('.'));
        name.is_some_and(|name| {
            name == format!("{}_t", case.name) || name == format!("{}_c", case.name)
        })
    };
    let kept = content
        .iter()
        .filter(|(table, _)| own(table))
        .flat_map(|(_, rows)| rows.iter().flatten());
    let written = history.iter().filter(|row| own(&row[0])).map(|row| &row[5]);
    let all: Vec<&String> = kept.chain(written).collect();
    let lost = marks(case.a)
        .chain(marks(case.b))
        .filter(|mark| !all.iter().any(|text| text.contains(mark)));
    lost.map(|mark| format!("{database}.{}: {mark}", case.name))
        .collect()
}

/// What the nodes hold in the end, for people.
fn describe(content: &Content) -> String {
    let mut text = String::new();
    for (table, rows) in content {
        let rows: Vec<String> = rows
            .iter()
            .map(|row| row.join(" ").escape_debug().to_string())
            .collect();
        writeln!(text, "{table}: {}", rows.join(" | ")).unwrap();
    }
    text
}

const ALL: [&[Case]; 4] = [
    tables::ROWS_OF_ONE,
    tables::KEYS,
    families::FAMILIES,
    families::CASCADES,
];

/// All of them on one pair: equal afterwards, nothing lost, and nothing more to do.
async fn cross(kind: ServerKind) {
    let mut cases: Vec<&Case> = ALL.into_iter().flatten().collect();
    if kind == ServerKind::MySql97 {
        cases.extend(families::LOGGED_CASCADES);
    }
    let pair = Pair::proven(kind);
    let [a, b] = pair.both();
    for database in DATABASES {
        a.run(&[&format!("CREATE DATABASE {database}")]).await;
        run(&a, &script(&cases, database, |case| case.start)).await;
    }
    settles(&pair);
    equal(&pair).await;

    links(&pair, kind, "STOP").await;
    let [b_later, a_later] = DATABASES;
    run(&a, &script(&cases, b_later, |case| case.a)).await;
    run(&b, &script(&cases, a_later, |case| case.b)).await;
    // Seconds decide where the log has no microseconds.
    a.run(&["DO SLEEP(1.1)"]).await;
    run(&b, &script(&cases, b_later, |case| case.b)).await;
    run(&a, &script(&cases, a_later, |case| case.a)).await;
    links(&pair, kind, "START").await;

    let summary = settles(&pair);
    assert!(
        count(&summary, "conflicts") as usize > cases.len(),
        "{summary:#}"
    );
    let content = equal(&pair).await;
    let history = history(&pair).await;
    let lost: Vec<String> = DATABASES
        .iter()
        .flat_map(|database| {
            cases
                .iter()
                .flat_map(|case| lost(case, database, &content, &history))
        })
        .collect();
    assert_eq!(lost, [""; 0], "{history:#?}");
    finds_nothing(&pair, kind).await;
    let (logged, content): (Content, Content) = content.into_iter().partition(|(table, _)| {
        families::LOGGED_CASCADES
            .iter()
            .any(|case| table.contains(case.name))
    });
    if kind == ServerKind::MySql97 {
        insta::assert_snapshot!("where_cascades_are_logged", describe(&logged));
    }
    insta::assert_snapshot!("what_both_nodes_hold", describe(&content));
}

#[tokio::test]
async fn on_mysql_9_7() {
    cross(ServerKind::MySql97).await;
}

#[tokio::test]
async fn on_mariadb_10_11() {
    cross(ServerKind::MariaDb1011).await;
}
