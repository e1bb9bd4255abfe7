//! What must be true when a round's writes have stopped and the agent has settled everything: pure, from the ledger, the
//! tables before and after, and the history.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::evidence::{Entry, Rest, marks_in};
use crate::ledger::{Answer, Ledger, shown};
use crate::plan::Side;
use crate::schema::{Policy, Row, Shape, Table, is_solo};
use crate::transactions::COUNTERS;

/// The state of an entry that waits for a person.
pub(crate) const OPEN: &str = "open";

/// What is not as promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Broken {
    /// A table differs, or the history does.
    Diverged,
    /// A confirmed value is nowhere.
    Lost,
    /// A confirmed delete or update is undone, and the history does not know.
    Undone,
    /// A counter is not the sum of what was added.
    Sum,
    /// A conflict is reported where only one side wrote.
    FalseAlarm,
    /// A row that only one side wrote is not as that side left it.
    Touched,
    /// A child has no parent.
    Orphan,
    /// What a policy should have ended waits for a person.
    Open,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) broken: Broken,
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.broken, self.text)
    }
}

/// What is judged.
pub(crate) struct Case<'a> {
    pub(crate) tables: &'a [Table],
    pub(crate) before: &'a Rest,
    pub(crate) after: &'a Rest,
    pub(crate) ledger: &'a Ledger,
    /// Who wrote.
    pub(crate) writers: &'a [Side],
}

/// Makes lost answers into confirmed ones where what is there at the end tells.
pub(crate) fn settle_answers(ledger: &mut Ledger, tables: &[Table], after: &Rest) {
    let (held, told) = (after.in_tables(tables), after.in_history());
    ledger.settle_answers(tables, |mark| held.contains(mark) || told.contains(mark));
}

/// All that is not as promised.
pub(crate) fn check(case: &Case) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |broken, text: String| findings.push(Finding { broken, text });
    equal(case, &mut add);
    nothing_lost(case, &mut add);
    sums(case, &mut add);
    no_false_alarm(case, &mut add);
    untouched(case, &mut add);
    no_orphans(case, &mut add);
    nothing_open(case, &mut add);
    findings
}

/// Promise 1: the tables are identical, but for rows that wait for a person.
fn equal(case: &Case, add: &mut impl FnMut(Broken, String)) {
    let [a, b] = &case.after.nodes;
    for (index, table) in case.tables.iter().enumerate() {
        let on_a: HashSet<&Row> = a[index].iter().collect();
        let on_b: HashSet<&Row> = b[index].iter().collect();
        for (side, row) in on_a
            .difference(&on_b)
            .map(|row| (Side::A, *row))
            .chain(on_b.difference(&on_a).map(|row| (Side::B, *row)))
        {
            if table.policy != Policy::Manual || !is_open(case, table, row) {
                let what = format!(
                    "{} only on {}: {}",
                    table.name,
                    side.name(),
                    shown(Some(row))
                );
                add(Broken::Diverged, what);
            }
        }
    }
    let [a, b]: [HashSet<&Entry>; 2] = [0, 1].map(|side| case.after.history[side].iter().collect());
    let only = |side: Side| move |entry: &&Entry| (side, (*entry).clone());
    let differing = a.difference(&b).map(only(Side::A));
    for (side, entry) in differing.chain(b.difference(&a).map(only(Side::B))) {
        let what = format!("twinlog.conflict only on {}: {entry}", side.name());
        add(Broken::Diverged, what);
    }
}

/// Whether an open entry of the history shows the row; it may bear the name of another table, as a parent is judged with
/// its children.
fn is_open(case: &Case, table: &Table, row: &Row) -> bool {
    entries(case.after)
        .filter(|entry| entry.state == OPEN)
        .any(|entry| table.marks(row).all(|mark| entry.detail.contains(mark)))
}

/// Promise 2: what was confirmed is in the tables, or was overwritten by someone who had seen it, or is in the history.
fn nothing_lost(case: &Case, add: &mut impl FnMut(Broken, String)) {
    let (held, told) = (case.after.in_tables(case.tables), case.after.in_history());
    let traces = case.ledger.traces(case.tables);
    let mut written: Vec<(&str, &str)> = Vec::new();
    for (content, table) in case
        .before
        .nodes
        .iter()
        .flat_map(|node| node.iter().zip(case.tables))
    {
        let marks = content.iter().flat_map(|row| table.marks(row));
        written.extend(marks.map(|mark| (table.name.as_str(), mark)));
    }
    for commit in &case.ledger.commits {
        if commit.answer == Answer::Confirmed {
            for change in &commit.changes {
                let table = &case.tables[change.table];
                written.extend(
                    change
                        .written(table)
                        .map(|mark| (table.name.as_str(), mark)),
                );
            }
        }
    }
    written.sort_unstable();
    written.dedup();
    for (table, mark) in written {
        let trace = traces.get(mark).copied().unwrap_or_default();
        let about = || case.ledger.about(case.tables, mark);
        if !held.contains(mark)
            && !told.contains(mark)
            && !trace.overwritten
            && !trace.maybe_overwritten
        {
            add(Broken::Lost, format!("{table}: {mark}\n{}", about()));
        }
        if held.contains(mark) && trace.overwritten && !told.contains(mark) {
            add(Broken::Undone, format!("{table}: {mark}\n{}", about()));
        }
    }
}

/// Counters are merged: every addition counts, whoever made it.
fn sums(case: &Case, add: &mut impl FnMut(Broken, String)) {
    let Some(index) = case
        .tables
        .iter()
        .position(|table| table.shape == Shape::Counters)
    else {
        return;
    };
    let number = |rest: &Rest, side: usize, id: u32| {
        let id = Some(id.to_string());
        let row = rest.nodes[side]
            .get(index)?
            .iter()
            .find(|row| row[0] == id)?;
        row[1].as_deref()?.parse::<i64>().ok()
    };
    for id in 1..=COUNTERS {
        let mut sure = 0;
        // Every sum that the answers in doubt allow.
        let mut possible = HashSet::from([0]);
        for (commit, change) in case
            .ledger
            .commits
            .iter()
            .flat_map(|commit| commit.changes.iter().map(move |change| (commit, change)))
            .filter(|(_, change)| change.table == index && of_row(change.after.as_ref(), id))
        {
            match commit.answer {
                Answer::Confirmed => sure += change.added,
                Answer::Lost => {
                    let with: Vec<i64> = possible.iter().map(|sum| sum + change.added).collect();
                    possible.extend(with);
                }
            }
        }
        for side in Side::BOTH {
            let [before, after] =
                [case.before, case.after].map(|rest| number(rest, side.index(), id));
            let gained = before.zip(after).map(|(before, after)| after - before);
            if !gained.is_some_and(|gained| possible.contains(&(gained - sure))) {
                add(
                    Broken::Sum,
                    format!(
                        "counter {id} on {}: {before:?} → {after:?}, and {sure} was added, besides {possible:?}",
                        side.name()
                    ),
                );
            }
        }
    }
}

fn of_row(row: Option<&Row>, id: u32) -> bool {
    row.is_some_and(|row| row[0].as_deref() == Some(id.to_string().as_str()))
}

/// Promise 3: rows that one side alone wrote are in no conflict, and a round with one writer has none at all.
fn no_false_alarm(case: &Case, add: &mut impl FnMut(Broken, String)) {
    let known: HashSet<&str> = entries(case.before)
        .map(|entry| entry.id.as_str())
        .collect();
    let mut told = HashSet::new();
    for entry in entries(case.after).filter(|entry| !known.contains(entry.id.as_str())) {
        if !told.insert(&entry.id) {
            continue;
        }
        // Rows that wait for a person differ, so what one side writes there may be skipped on the other.
        let one_sided = case.writers.len() == 1 && !is_manual(case, &entry.table);
        let solo = marks_in(&entry.detail).any(is_solo);
        if one_sided || solo {
            add(
                Broken::FalseAlarm,
                format!(
                    "{entry}
      {}",
                    entry.detail
                ),
            );
        }
    }
}

fn is_manual(case: &Case, name: &str) -> bool {
    let table = case.tables.iter().find(|table| table.name == name);
    table.is_some_and(|table| table.policy == Policy::Manual)
}

fn entries(rest: &Rest) -> impl Iterator<Item = &Entry> {
    rest.history.iter().flatten()
}

/// Promise 4: rows that one side alone wrote are, to the last column, what its clients left.
fn untouched(case: &Case, add: &mut impl FnMut(Broken, String)) {
    for (index, table) in case.tables.iter().enumerate() {
        for side in Side::BOTH {
            // Rows of the side that wrote, by the marks of their last write.
            let mine = |row: &Row| {
                if case.writers.len() == 1 {
                    case.writers[0] == side
                } else {
                    table.marks(row).any(is_solo)
                }
            };
            let mut count: BTreeMap<Row, i64> = BTreeMap::new();
            let mut tally = |row: &Row, by: i64| {
                if mine(row) {
                    *count.entry(row.clone()).or_default() += by;
                }
            };
            case.before.nodes[side.index()][index]
                .iter()
                .for_each(|row| tally(row, 1));
            case.after.nodes[side.index()][index]
                .iter()
                .for_each(|row| tally(row, -1));
            let mut doubtful: HashMap<&Row, i64> = HashMap::new();
            for commit in &case.ledger.commits {
                for change in commit.changes.iter().filter(|change| change.table == index) {
                    if commit.answer == Answer::Confirmed {
                        change.before.iter().for_each(|row| tally(row, -1));
                        change.after.iter().for_each(|row| tally(row, 1));
                    } else {
                        for row in change.before.iter().chain(&change.after) {
                            *doubtful.entry(row).or_default() += 1;
                        }
                    }
                }
            }
            for (row, times) in count {
                if times != 0 && !doubtful.contains_key(&row) {
                    let what = if times > 0 {
                        "is gone"
                    } else {
                        "came from nowhere"
                    };
                    add(
                        Broken::Touched,
                        format!(
                            "{} on {}: {} {what}",
                            table.name,
                            side.name(),
                            shown(Some(&row))
                        ),
                    );
                }
            }
        }
    }
}

/// No child without a parent.
fn no_orphans(case: &Case, add: &mut impl FnMut(Broken, String)) {
    let parents = case.tables.iter().enumerate();
    for (parent, table) in parents.filter(|(_, table)| table.shape == Shape::Parent) {
        let name = table.name.replace("parent", "child");
        let Some(child) = case.tables.iter().position(|table| table.name == name) else {
            continue;
        };
        for side in Side::BOTH {
            let node = &case.after.nodes[side.index()];
            let ids: HashSet<&Option<String>> = node[parent].iter().map(|row| &row[0]).collect();
            for row in node[child].iter().filter(|row| !ids.contains(&row[1])) {
                add(
                    Broken::Orphan,
                    format!("{name} on {}: {}", side.name(), shown(Some(row))),
                );
            }
        }
    }
}

/// Nothing waits for a person but what the policy leaves to one.
fn nothing_open(case: &Case, add: &mut impl FnMut(Broken, String)) {
    let known: HashSet<&Entry> = entries(case.before).collect();
    let mut told = HashSet::new();
    for entry in entries(case.after).filter(|entry| entry.state == OPEN && !known.contains(entry)) {
        if !is_manual(case, &entry.table) && told.insert(&entry.id) {
            add(Broken::Open, format!("{entry}\n      {}", entry.detail));
        }
    }
}
