//! The checker finds what is planted, and nothing where nothing is.

use crate::checker::{Broken, Case, OPEN, check, settle_answers};
use crate::evidence::{Entry, Rest, marks_in};
use crate::ledger::{Answer, Change, Commit, Ledger};
use crate::plan::Side;
use crate::schema::{CLIENT, Row, Table, tables};
use crate::transactions::COUNTERS;

/// A round on a pair that was never there.
#[derive(Clone)]
struct Scene {
    tables: Vec<Table>,
    before: Rest,
    after: Rest,
    ledger: Ledger,
    writers: Vec<Side>,
}

fn row(values: &[&str]) -> Row {
    values.iter().map(|&value| Some(value.to_owned())).collect()
}

impl Scene {
    /// Both nodes hold a row that nobody touches, and the counters.
    fn new() -> Self {
        let tables = tables();
        let mut content = vec![Vec::new(); tables.len()];
        let at = |name: &str| tables.iter().position(|table| table.name == name).unwrap();
        content[at("parent_last")] = vec![row(&["1", "~0.a~"])];
        content[at("counters_merge")] = (1..=COUNTERS)
            .map(|id| row(&[&id.to_string(), "10", &format!("~0.{id}~")]))
            .collect();
        let rest = Rest {
            nodes: [content.clone(), content],
            history: [Vec::new(), Vec::new()],
        };
        Self {
            tables,
            before: rest.clone(),
            after: rest,
            ledger: Ledger::default(),
            writers: Side::BOTH.to_vec(),
        }
    }

    fn at(&self, name: &str) -> usize {
        let found = self.tables.iter().position(|table| table.name == name);
        found.unwrap()
    }

    /// A client's change, which both nodes end up with.
    fn commit(&mut self, name: &str, table: &str, before: Option<&[&str]>, after: Option<&[&str]>) {
        let table = self.at(table);
        let [before, after] = [before, after].map(|values| values.map(row));
        for node in &mut self.after.nodes {
            node[table].retain(|row| Some(row) != before.as_ref());
            node[table].extend(after.clone());
        }
        self.ledger.commits.push(Commit {
            name: name.to_owned(),
            side: Side::A,
            gtid: None,
            at_ms: 0,
            answer: Answer::Confirmed,
            changes: vec![Change {
                table,
                before,
                after,
                added: 0,
            }],
        });
    }

    /// Rows of a table, replaced on some nodes.
    fn hold(&mut self, sides: &[Side], table: &str, rows: &[&[&str]]) {
        let table = self.at(table);
        for side in sides {
            self.after.nodes[side.index()][table] = rows.iter().map(|values| row(values)).collect();
        }
    }

    fn told(&mut self, table: &str, detail: &str) {
        for history in &mut self.after.history {
            history.push(Entry {
                id: format!("id{}", history.len()),
                table: table.to_owned(),
                state: "state".to_owned(),
                rest: String::new(),
                detail: detail.to_owned(),
            });
        }
    }

    /// All that was told waits for a person.
    fn leave_open(&mut self) {
        for entry in self.after.history.iter_mut().flatten() {
            OPEN.clone_into(&mut entry.state);
        }
    }

    /// The kinds of findings, each once.
    fn found(mut self) -> Vec<Broken> {
        settle_answers(&mut self.ledger, &self.tables, &self.after);
        let findings = check(&Case {
            tables: &self.tables,
            before: &self.before,
            after: &self.after,
            ledger: &self.ledger,
            writers: &self.writers,
        });
        let mut kinds: Vec<Broken> = findings.iter().map(|finding| finding.broken).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

const PARENT: &str = "parent_last";
const BOTH: [Side; 2] = Side::BOTH;

/// Every case, by name.
pub(crate) fn run() {
    marks();
    for (name, found, expected) in [
        ("nothing happened", Scene::new().found(), vec![]),
        ("a chain of updates", chain(), vec![]),
        (
            "an update that is nowhere",
            lost_update(),
            vec![Broken::Lost],
        ),
        ("one that the history has", update_in_history(), vec![]),
        (
            "an insert that is nowhere",
            lost_insert(),
            vec![Broken::Lost],
        ),
        ("a delete undone", undone(), vec![Broken::Undone]),
        ("a row on one node", one_sided_row(), vec![Broken::Diverged]),
        ("the same under manual", manual(true), vec![]),
        ("the same, not told", manual(false), vec![Broken::Diverged]),
        ("a lost answer, committed", doubt(true), vec![]),
        ("a lost answer, not committed", doubt(false), vec![]),
        ("a counter", counter(13, Answer::Confirmed), vec![]),
        (
            "a lost addition",
            counter(10, Answer::Confirmed),
            vec![Broken::Sum],
        ),
        ("one in doubt", counter(10, Answer::Lost), vec![]),
        ("twice", counter(16, Answer::Lost), vec![Broken::Sum]),
        ("a false alarm", false_alarm(), vec![Broken::FalseAlarm]),
        (
            "a conflict with one writer",
            one_writer(),
            vec![Broken::FalseAlarm],
        ),
        ("a repair without cause", touched(), vec![Broken::Touched]),
        ("an orphan", orphan(), vec![Broken::Orphan]),
        ("left to a person", open(PARENT), vec![Broken::Open]),
        ("as the policy says", open("parent_manual"), vec![]),
    ] {
        assert_eq!(found, expected, "the checker on: {name}");
    }
}

fn marks() {
    let found: Vec<&str> = marks_in("{\"v\":\"~1a0.1.2~\",\"w\":\"~s1a0.1.3~\"} ~ ~~x").collect();
    assert!(
        found.contains(&"~1a0.1.2~") && found.contains(&"~s1a0.1.3~"),
        "{found:?}"
    );
}

fn chain() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit(
        "1a0.1",
        PARENT,
        Some(&["1", "~0.a~"]),
        Some(&["1", "~1a0.1.1~"]),
    );
    scene.commit(
        "1a0.2",
        PARENT,
        Some(&["1", "~1a0.1.1~"]),
        Some(&["1", "~1a0.2.1~"]),
    );
    scene.commit("1a0.3", PARENT, Some(&["1", "~1a0.2.1~"]), None);
    scene.found()
}

/// Two updates of the same row, neither having seen the other.
fn concurrent() -> Scene {
    let mut scene = Scene::new();
    scene.commit(
        "1a0.1",
        PARENT,
        Some(&["1", "~0.a~"]),
        Some(&["1", "~1a0.1.1~"]),
    );
    scene.commit(
        "1b0.1",
        PARENT,
        Some(&["1", "~0.a~"]),
        Some(&["1", "~1b0.1.1~"]),
    );
    scene.hold(&BOTH, PARENT, &[&["1", "~1b0.1.1~"]]);
    scene
}

fn lost_update() -> Vec<Broken> {
    concurrent().found()
}

fn update_in_history() -> Vec<Broken> {
    let mut scene = concurrent();
    scene.told(PARENT, "{\"a\":\"~1a0.1.1~\",\"b\":\"~1b0.1.1~\"}");
    scene.found()
}

fn lost_insert() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit("1a0.1", PARENT, None, Some(&["2", "~1a0.1.1~"]));
    scene.hold(&BOTH, PARENT, &[&["1", "~0.a~"]]);
    scene.found()
}

fn undone() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit("1a0.1", PARENT, Some(&["1", "~0.a~"]), None);
    scene.hold(&BOTH, PARENT, &[&["1", "~0.a~"]]);
    scene.found()
}

fn one_sided_row() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit("1a0.1", PARENT, None, Some(&["2", "~1a0.1.1~"]));
    scene.hold(&[Side::B], PARENT, &[&["1", "~0.a~"]]);
    scene.found()
}

fn manual(told: bool) -> Vec<Broken> {
    let (table, mut scene) = ("parent_manual", Scene::new());
    scene.commit("1a0.1", table, None, Some(&["2", "~1a0.1.1~"]));
    scene.commit("1b0.1", table, None, Some(&["2", "~1b0.1.1~"]));
    scene.hold(&[Side::A], table, &[&["2", "~1b0.1.1~"]]);
    scene.hold(&[Side::B], table, &[&["2", "~1a0.1.1~"]]);
    if told {
        scene.told(table, "~1a0.1.1~ ~1b0.1.1~");
        scene.leave_open();
    }
    scene.found()
}

/// A client that overwrote a row got no answer.
fn doubt(committed: bool) -> Vec<Broken> {
    let mut scene = Scene::new();
    let new: &[&str] = &["1", "~1a0.1.1~"];
    scene.commit("1a0.1", PARENT, Some(&["1", "~0.a~"]), Some(new));
    scene.ledger.commits[0].answer = Answer::Lost;
    if !committed {
        scene.hold(&BOTH, PARENT, &[&["1", "~0.a~"]]);
    }
    scene.found()
}

/// 3 was added to a counter of 10.
fn counter(now: i64, answer: Answer) -> Vec<Broken> {
    let mut scene = Scene::new();
    let table = "counters_merge";
    scene.commit(
        "1a0.1",
        table,
        Some(&["1", "10", "~0.1~"]),
        Some(&["1", "13", "~0.1~"]),
    );
    scene.ledger.commits[0].answer = answer;
    scene.ledger.commits[0].changes[0].added = 3;
    let at = scene.at(table);
    for node in &mut scene.after.nodes {
        node[at].retain(|row| row[0].as_deref() != Some("1"));
        node[at].push(row(&["1", &now.to_string(), "~0.1~"]));
    }
    scene.found()
}

fn false_alarm() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit(
        "1a0.1",
        "solo_a",
        None,
        Some(&["2", "k1", "~s1a0.1.1~", CLIENT]),
    );
    scene.told("solo_a", "~s1a0.1.1~");
    scene.found()
}

fn one_writer() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.writers = vec![Side::A];
    scene.commit("1a0.1", PARENT, None, Some(&["2", "~1a0.1.1~"]));
    scene.told(PARENT, "~1a0.1.1~");
    scene.found()
}

fn touched() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit(
        "1a0.1",
        "solo_a",
        None,
        Some(&["2", "k1", "~s1a0.1.1~", CLIENT]),
    );
    scene.hold(&BOTH, "solo_a", &[&["2", "k1", "~s1a0.1.1~", "twinlog"]]);
    scene.found()
}

fn orphan() -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.commit("1a0.1", "child_last", None, Some(&["2", "7", "~1a0.1.1~"]));
    scene.found()
}

fn open(table: &str) -> Vec<Broken> {
    let mut scene = Scene::new();
    scene.told(table, "~1a0.1.1~");
    scene.leave_open();
    scene.found()
}
