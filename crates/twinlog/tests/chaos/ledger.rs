//! What the clients did: every change of every transaction that was committed, with the row that the client had seen
//! under lock and overwrote.

use std::collections::HashMap;
use std::fmt;
use std::fmt::Write as _;

use crate::plan::Side;
use crate::schema::{Row, Table};

/// A row that a client changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) table: usize,
    /// The row that the client had read and locked; `None` for an insert.
    pub(crate) before: Option<Row>,
    /// `None` for a delete.
    pub(crate) after: Option<Row>,
    /// What was added to a counter.
    pub(crate) added: i64,
}

/// What the client knows of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Confirmed,
    /// The connection broke.
    Lost,
}

/// A transaction that was committed, or may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its name: the marks of its writes have it.
    pub(crate) name: String,
    pub(crate) side: Side,
    /// Where the server tells it.
    pub(crate) gtid: Option<String>,
    /// Since the round's begin.
    pub(crate) at_ms: u128,
    pub(crate) answer: Answer,
    pub(crate) changes: Vec<Change>,
}

/// All commits of a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) commits: Vec<Commit>,
}

/// What became of a mark's writer, and who overwrote it having seen it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Some confirmed transaction took the mark away.
    pub(crate) overwritten: bool,
    /// Some transaction without an answer may have.
    pub(crate) maybe_overwritten: bool,
}

impl Change {
    /// The marks that the change brought.
    pub(crate) fn written<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a str> {
        only_in(table, self.after.as_ref(), self.before.as_ref())
    }

    /// The marks that the client saw and took away.
    pub(crate) fn removed<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a str> {
        only_in(table, self.before.as_ref(), self.after.as_ref())
    }

    /// All marks of the row that the client found.
    fn seen<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a str> {
        self.before.iter().flat_map(|row| table.marks(row))
    }
}

/// A mark of the transaction of that name: `~NAME.NUMBER~`, with an `s` in front where only one side writes.
pub(crate) fn mark(name: &str, number: impl fmt::Display, solo: bool) -> String {
    format!("~{}{name}.{number}~", if solo { "s" } else { "" })
}

fn is_of(mark: &str, name: &str) -> bool {
    let text = mark.trim_start_matches(['~', 's']);
    text.strip_prefix(name)
        .is_some_and(|rest| rest.starts_with('.'))
}

fn only_in<'a>(
    table: &'a Table,
    here: Option<&'a Row>,
    there: Option<&'a Row>,
) -> impl Iterator<Item = &'a str> {
    table.marked().iter().filter_map(move |&at| {
        let mark = here?[at].as_deref()?;
        (there.and_then(|row| row[at].as_deref()) != Some(mark)).then_some(mark)
    })
}

impl Ledger {
    /// Makes lost answers into confirmed ones where the mark of the transaction was met by somebody: `met` tells of the
    /// tables and the history; other clients' reads are looked at here.
    pub(crate) fn settle_answers(&mut self, tables: &[Table], met: impl Fn(&str) -> bool) {
        let mut seen = std::collections::HashSet::new();
        for commit in &self.commits {
            for change in &commit.changes {
                let other = |mark: &&str| !is_of(mark, &commit.name);
                seen.extend(
                    change
                        .seen(&tables[change.table])
                        .filter(other)
                        .map(str::to_owned),
                );
            }
        }
        for commit in &mut self.commits {
            let mut marks = commit
                .changes
                .iter()
                .flat_map(|change| change.written(&tables[change.table]));
            if commit.answer == Answer::Lost && marks.any(|mark| met(mark) || seen.contains(mark)) {
                commit.answer = Answer::Confirmed;
            }
        }
    }

    /// For every mark that was taken away by somebody who had seen it: by whom.
    pub(crate) fn traces<'a>(&'a self, tables: &'a [Table]) -> HashMap<&'a str, Traces> {
        let mut traces: HashMap<&'a str, Traces> = HashMap::new();
        for commit in &self.commits {
            for change in &commit.changes {
                for mark in change.removed(&tables[change.table]) {
                    let trace = traces.entry(mark).or_default();
                    match commit.answer {
                        Answer::Confirmed => trace.overwritten = true,
                        Answer::Lost => trace.maybe_overwritten = true,
                    }
                }
            }
        }
        traces
    }

    /// How many answers were lost and never settled.
    pub(crate) fn in_doubt(&self) -> usize {
        let lost = |commit: &&Commit| commit.answer == Answer::Lost;
        self.commits.iter().filter(lost).count()
    }

    /// The commits that had to do with a mark, for a person to read.
    pub(crate) fn about(&self, tables: &[Table], mark: &str) -> String {
        let mut text = String::new();
        for commit in &self.commits {
            let mut rows = commit.changes.iter().flat_map(|change| {
                let marks = |row| tables[change.table].marks(row);
                change.before.iter().chain(&change.after).flat_map(marks)
            });
            if rows.any(|found| found == mark) {
                let _ = write!(text, "{}", Told { commit, tables });
            }
        }
        text
    }

    /// All of it, for a person to read.
    pub(crate) fn told(&self, tables: &[Table]) -> String {
        self.commits
            .iter()
            .map(|commit| Told { commit, tables }.to_string())
            .collect()
    }
}

/// A commit, for a person to read.
struct Told<'a> {
    commit: &'a Commit,
    tables: &'a [Table],
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Commit {
            name,
            side,
            gtid,
            at_ms,
            answer,
            changes,
        } = self.commit;
        writeln!(
            f,
            "      {at_ms:>6} ms on {}: {name} {} {answer:?}",
            side.name(),
            gtid.as_deref().unwrap_or_default()
        )?;
        for change in changes {
            writeln!(
                f,
                "                {}: {} → {}",
                self.tables[change.table].name,
                shown(change.before.as_ref()),
                shown(change.after.as_ref())
            )?;
        }
        Ok(())
    }
}

/// A row, for a person to read.
pub(crate) fn shown(row: Option<&Row>) -> String {
    row.map_or_else(
        || "none".to_owned(),
        |row| {
            let values: Vec<&str> = row
                .iter()
                .map(|value| value.as_deref().unwrap_or("NULL"))
                .collect();
            format!("({})", values.join(", "))
        },
    )
}
