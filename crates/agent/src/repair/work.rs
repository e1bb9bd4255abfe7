//! Carries a plan out: many rows of a table at once where nothing is in the way, else one by one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::time::{Instant, sleep};
use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_pair::site::Site;
use twinlog_server::conn;

use super::{
    Action, Error, Outcome, Plan,
    bench::{Bench, Came, now_us},
    choose::Choice,
    entry::entry,
    left::close_left,
    plan::Known,
};
use crate::{
    conflicts::content,
    history::{Attempt, Entry},
    resolve::{JudgedRow, Pace},
    verify::{self, equal_by_now, name_of},
};

/// So many rows of a table are written in one transaction at most, and so many bytes of them: while a batch is written its
/// rows are locked on both nodes, and all of it is in memory.
const BATCH_ROWS: usize = 20;
const BATCH_BYTES: usize = 4 << 20;

/// Why a row is left that is not what was shown.
pub(super) const WRITTEN_SINCE: &str = "it was written since it was compared: compare once more";

/// How far a repair is, for whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    all: AtomicU64,
}

impl Progress {
    /// Rows that are done, and all there are.
    pub fn seen(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.all.load(Relaxed))
    }
}

/// Carries a plan out, and looks again at its rows; the plan's document says what became of them. `by` is who wants it.
///
/// # Errors
/// Where a node does not answer. What was repaired until then is whole and written down; the next repair does the rest.
pub async fn carry_out(
    site: &Site,
    plan: &mut Plan,
    by: &str,
    progress: Arc<Progress>,
) -> Result<(), Error> {
    plan.document.applied = true;
    let mut bench = Bench::open(site).await?;
    close_left(&mut bench).await?;
    plan.read_again(site, &mut bench.hands).await?;
    progress.all.store(plan.targets.len() as u64, Relaxed);
    let mut work = Work {
        site,
        plan,
        bench,
        by,
        taken_in: HashMap::new(),
    };
    let targets = work.plan.targets.clone();
    let mut rest = targets.as_slice();
    while !rest.is_empty() {
        let began = Instant::now();
        let together = work.together(rest);
        let done = work.try_batch(&rest[..together]).await?;
        progress.done.fetch_add(done as u64, Relaxed);
        rest = &rest[done..];
        sleep(Pace::default().rest(began.elapsed())).await;
    }
    work.open_others().await?;
    work.look_again().await?;
    close_left(&mut work.bench).await?;
    work.bench.close().await;
    Ok(())
}

/// Closes what a repair that was cut off has left open in the history, where there is nothing else to do.
///
/// # Errors
/// Where a node does not answer.
pub async fn tidy(site: &Site) -> Result<(), Error> {
    let mut bench = Bench::open(site).await?;
    close_left(&mut bench).await?;
    bench.close().await;
    Ok(())
}

pub(super) struct Work<'a> {
    pub(super) site: &'a Site,
    pub(super) plan: &'a mut Plan,
    pub(super) bench: Bench,
    pub(super) by: &'a str,
    /// The history's ids of rows that were repaired with others, by their tables and keys.
    pub(super) taken_in: HashMap<String, String>,
}

impl Work<'_> {
    /// How many of the next rows may be written in one transaction: those of one table that go, or do not.
    fn together(&self, rest: &[usize]) -> usize {
        let kind = |at: usize| {
            let row = &self.plan.document.rows[at];
            (&row.table, row.action == Some(Action::Delete))
        };
        let same = rest
            .iter()
            .take(BATCH_ROWS)
            .take_while(|&&at| kind(at) == kind(rest[0]));
        same.count()
    }

    /// Repairs the first of some rows of a table; how many. What is the matter with them ends nothing else.
    async fn try_batch(&mut self, batch: &[usize]) -> Result<usize, Error> {
        let reason = match self.batch(batch).await {
            Ok(done) => return Ok(done),
            Err(Error::Server(conn::Error::Statement { code, message, .. })) => {
                format!("ERROR {code}: {message}")
            }
            Err(Error::Row(error)) => error.to_string(),
            Err(error) => return Err(error),
        };
        for hand in &mut self.bench.silent {
            hand.rollback().await?;
        }
        for &at in batch {
            if self.plan.document.rows[at].outcome == Outcome::Planned {
                self.leave(at, reason.clone());
            }
        }
        Ok(batch.len())
    }

    async fn batch(&mut self, batch: &[usize]) -> Result<usize, Error> {
        let Some((known, kept)) = self.known(batch[0]) else {
            batch
                .iter()
                .for_each(|&at| self.leave(at, "nobody has said which node is right".into()));
            return Ok(batch.len());
        };
        let table = Arc::clone(&known.infos[kept.peer().index()]);
        let (mut rows, mut places, mut bytes, mut seen) = (Vec::new(), Vec::new(), 0, 0);
        let mut single = Vec::new();
        for &at in batch {
            let key = self.plan.suspects[at].key.clone();
            let row = self.bench.judge(&table, &key, kept).await?;
            seen += 1;
            if is_equal(&row) {
                self.found_equal(at);
                continue;
            }
            if !self.is_as_shown(at, &row, kept.peer()) {
                // By itself, for it may only be on its way.
                single.push(at);
                continue;
            }
            bytes += weight(&row);
            rows.push(row);
            places.push(at);
            if bytes > BATCH_BYTES {
                break;
            }
        }
        if rows.len() > 1 {
            let drafts = rows.iter().map(std::slice::from_ref);
            let drafts = drafts.map(|row| self.draft(row, &known, kept));
            let mut entries: Vec<Entry> = drafts.collect();
            self.bench.identify(&mut entries).await?;
            if let Came::Done = self.bench.attempt(rows, kept, &entries).await? {
                for (at, entry) in std::mem::take(&mut places).into_iter().zip(entries) {
                    self.repaired(at, entry.id);
                }
            }
        }
        for at in places.into_iter().chain(single) {
            self.alone(at).await?;
        }
        Ok(seen)
    }

    /// A row's table, and the node that both shall be like.
    pub(super) fn known(&self, at: usize) -> Option<(Known, Side)> {
        let name = &self.plan.suspects[at].table.info.name;
        let known = self.plan.tables.get(name)?.clone();
        let kept = known.kept()?;
        Some((known, kept))
    }

    /// Whether a node holds of a row what was shown: what a client wrote there since, nobody has agreed to overwrite.
    pub(super) fn is_as_shown(&self, at: usize, row: &JudgedRow, side: Side) -> bool {
        let shown = self
            .plan
            .shown(at, side)
            .and_then(|told| content(&row.table, told));
        match (shown, &row.held[side.index()]) {
            (Some(shown), Some(held)) => shown.same(&row.table, held),
            _ => false,
        }
    }

    /// The row of the history for rows that are repaired together.
    pub(super) async fn entry(
        &mut self,
        rows: &[JudgedRow],
        known: &Known,
        kept: Side,
    ) -> Result<Entry, Error> {
        let mut entry = self.draft(rows, known, kept);
        let entries = std::slice::from_mut(&mut entry);
        self.bench.identify(entries).await?;
        Ok(entry)
    }

    fn draft(&self, rows: &[JudgedRow], known: &Known, kept: Side) -> Entry {
        let (Choice::Keep { why, .. } | Choice::Leave(why)) = &known.choice;
        let who = (&self.bench.names, self.by);
        entry(
            rows,
            (kept, why),
            who,
            &self.site.config.conflicts,
            now_us(),
        )
    }

    pub(super) fn repaired(&mut self, at: usize, id: String) {
        let row = &mut self.plan.document.rows[at];
        (row.outcome, row.reason, row.id) = (Outcome::Repaired, None, Some(id));
    }

    pub(super) fn leave(&mut self, at: usize, reason: String) {
        let row = &mut self.plan.document.rows[at];
        (row.outcome, row.reason) = (Outcome::Left, Some(reason));
    }

    /// Both nodes hold the same: a repair of other rows has taken it in, or somebody else wrote it.
    pub(super) fn found_equal(&mut self, at: usize) {
        match self
            .taken_in
            .get(&name_of(&self.plan.suspects[at]))
            .cloned()
        {
            Some(id) => self.repaired(at, id),
            None => self.plan.document.rows[at].outcome = Outcome::Equal,
        }
    }

    /// Writes rows down that a person shall decide about with `conflicts resolve`: those that cannot be written outside the
    /// log, though it is known which node is right.
    async fn open_others(&mut self) -> Result<(), Error> {
        for at in self.plan.open.clone() {
            let Some((known, kept)) = self.known(at) else {
                continue;
            };
            let table = &known.infos[kept.peer().index()];
            let key = self.plan.suspects[at].key.clone();
            let row = self.bench.judge(table, &key, kept).await?;
            if is_equal(&row) {
                self.found_equal(at);
                continue;
            }
            let reason = known.obstacle(kept, &self.bench.names);
            let refused = (None, reason.unwrap_or_default());
            self.open(at, &[row], (&known, kept), refused).await?;
        }
        Ok(())
    }

    /// Leaves a row to a person, with an entry in the history to decide about.
    pub(super) async fn open(
        &mut self,
        at: usize,
        rows: &[JudgedRow],
        (known, kept): (&Known, Side),
        (code, message): (Option<u16>, String),
    ) -> Result<(), Error> {
        let node = self.bench.names[kept.peer().index()].clone();
        let text = match code {
            Some(code) => format!("ERROR {code} on {node}: {message}"),
            None => message.clone(),
        };
        self.leave(at, text);
        let entry = self.entry(rows, known, kept).await?;
        let id = entry.id.clone();
        let attempt = Attempt {
            node,
            code,
            message,
        };
        if self.bench.leave_open(entry, kept, attempt).await? {
            self.plan.document.rows[at].id = Some(id);
        } else {
            let reason = "its versions are too long for the history: raise max_allowed_packet on both nodes, and repair again";
            self.leave(at, reason.to_owned());
        }
        Ok(())
    }

    /// Looks once more at all rows, and says what is so by now.
    async fn look_again(&mut self) -> Result<(), Error> {
        let equal = equal_by_now(&mut self.bench.hands, &self.plan.suspects).await?;
        let document = &mut self.plan.document;
        for (suspect, row) in self.plan.suspects.iter().zip(&mut document.rows) {
            let is_equal = equal.contains(&name_of(suspect));
            match row.outcome {
                Outcome::Left if is_equal => row.outcome = Outcome::Equal,
                Outcome::Planned | Outcome::Repaired | Outcome::Equal if !is_equal => {
                    row.outcome = Outcome::Left;
                    row.reason =
                        Some("it differed when it was looked at again: compare once more".into());
                }
                _ => {}
            }
        }
        let count = |outcome| {
            let rows = document.rows.iter();
            rows.filter(|row| row.outcome == outcome).count() as u64
        };
        (document.repaired, document.left) = (count(Outcome::Repaired), count(Outcome::Left));
        let compared = &document.compared;
        let all_compared = compared
            .tables
            .iter()
            .all(|table| table.note.is_none() && table.outcome != verify::Outcome::Unknown);
        document.equal = all_compared && compared.schema.is_empty() && document.left == 0;
        Ok(())
    }
}

/// Whether both nodes hold the same.
pub(super) fn is_equal(row: &JudgedRow) -> bool {
    let [Some(a), Some(b)] = &row.held else {
        return false;
    };
    a.same(&row.table, b)
}

/// How much of a row is in memory, about.
fn weight(row: &JudgedRow) -> usize {
    let held = row.held.iter().flatten().filter_map(|held| held.row());
    held.flatten()
        .map(|value| match value {
            Value::Bytes(bytes) | Value::Geometry(bytes) | Value::Vector(bytes) => bytes.len(),
            Value::Json(text) => text.len(),
            _ => 16,
        })
        .sum()
}
