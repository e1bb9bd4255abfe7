//! Where verdicts are settled: a task of its own, so that the logs are read on meanwhile.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use twinlog_binlog::Gtid;
use twinlog_converge::{Episode, Policy, Side, TableName, Verdict, decide};
use twinlog_pair::config::{self, Conflicts};
use twinlog_server::{dialect::Dialect, facts::Standing};

use super::{
    Error,
    barriers::Caught,
    follow::{Job, NodeName},
    pile::{Half, Next, Pile},
    tables::Tables,
};
use crate::{
    history::{self, Entry},
    resolve::{self, Judged, Leadership, Pace, Settled},
    row::TableInfo,
};

/// How often rows that clients write while they are repaired are looked at again.
const LOOKS_MAX: u32 = 20;

/// What the desk tells the watch.
#[derive(Debug)]
pub(super) enum Answer {
    /// It asks.
    Caught(Caught),
    /// It asks whether another verdict will take the place of this one.
    Kept {
        /// Its number in the ledger.
        job: u64,
        /// Gets the answer.
        reply: oneshot::Sender<bool>,
    },
    /// A verdict is settled.
    Settled(Settlement),
}

/// What became of a verdict.
#[derive(Debug)]
pub(super) struct Settlement {
    /// Its number in the ledger.
    pub(super) job: u64,
    /// What it was.
    pub(super) found: Found,
    /// How long after the transaction that completed it.
    pub(super) took: Duration,
}

/// What was found, and what became of it.
#[derive(Debug)]
pub(super) enum Found {
    /// Rows.
    Rows {
        /// The first row: its table and key.
        row: String,
        /// The history's id.
        id: String,
        /// Whether both nodes wrote unseen.
        conflict: bool,
        /// Why what was chosen was chosen.
        rule: String,
        /// What came of it.
        settled: Settled,
    },
    /// Both nodes changed a definition.
    Ddl {
        /// Of what.
        table: TableName,
        /// The history's id.
        id: String,
    },
    /// A table cannot be followed.
    ToVerify {
        /// Which.
        table: TableName,
        /// Why.
        reason: String,
    },
}

/// The desk, as the watch sees it.
pub(super) struct Desk {
    jobs: mpsc::UnboundedSender<Job>,
    answers: mpsc::Receiver<Answer>,
    task: JoinHandle<Result<(), Error>>,
}

impl Desk {
    /// Opens it.
    pub(super) fn open(clerk: impl FnOnce(mpsc::Sender<Answer>) -> Clerk, queue: usize) -> Self {
        // Unbounded: the watch must never wait for the desk, which waits for the watch to read. The watch reads no
        // further while too much lies here.
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (to, answers) = mpsc::channel(queue);
        let task = tokio::spawn(clerk(to).work(inbox));
        Self {
            jobs,
            answers,
            task,
        }
    }

    /// Gives it a verdict.
    pub(super) fn take(&self, job: Job) {
        // A desk that has closed has said why: the watch ends by that.
        let _ = self.jobs.send(job);
    }

    /// What it says next; an error when it has closed.
    pub(super) async fn next(&mut self) -> Result<Answer, Error> {
        match self.answers.recv().await {
            Some(answer) => Ok(answer),
            None => match (&mut self.task).await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) => std::future::pending().await,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
        }
    }

    /// Ends it: the transaction it is in is rolled back by its server, or was committed whole.
    pub(super) async fn close(self) {
        // One that has ended may have been asked for its result already, and gives it once.
        if !self.task.is_finished() {
            self.task.abort();
            let _ = self.task.await;
        }
    }
}

/// What a look at an episode came to.
enum Seen {
    /// It is settled, or must wait for clients.
    Found(Found),
    /// Its rows were written since: another verdict will take its place. The half that was done.
    Written(Option<Half>),
}

/// Who works at the desk.
pub(super) struct Clerk {
    pub(super) nodes: [NodeName; 2],
    pub(super) dialects: [Dialect; 2],
    pub(super) conflicts: Conflicts,
    pub(super) tables: Arc<Tables>,
    pub(super) leadership: Leadership,
    pub(super) pace: Pace,
    pub(super) to: mpsc::Sender<Answer>,
}

impl Clerk {
    async fn work(mut self, inbox: mpsc::UnboundedReceiver<Job>) -> Result<(), Error> {
        let mut pile = Pile::new(inbox);
        while let Some(next) = pile.next().await {
            let (job, halves) = match next {
                Next::Job(job, halves) => (*job, halves),
                Next::Look(parked) => {
                    self.look(&mut pile, parked).await;
                    continue;
                }
            };
            for (id, side) in halves {
                history::supersede(self.leadership.hand(side).conn(), &id, now_us()).await?;
            }
            let began = Instant::now();
            let found = match &job.verdict {
                Verdict::Episode(episode) => {
                    match self.episode(job.number, job.kept, episode).await? {
                        Seen::Found(found) => found,
                        Seen::Written(half) => {
                            pile.park(job, half);
                            continue;
                        }
                    }
                }
                Verdict::ConcurrentDdl {
                    table,
                    gtids,
                    statements,
                } => self.ddl(table, gtids, statements).await?,
                Verdict::ToVerify { table, reason } => Found::ToVerify {
                    table: table.clone(),
                    reason: reason.clone(),
                },
            };
            if let Found::Rows {
                settled: Settled::Busy { side, reason },
                row,
                ..
            } = &found
            {
                let node = &self.nodes[side.index()].name;
                tracing::debug!(
                    node,
                    row,
                    reason,
                    "clients hold its rows: it is tried again"
                );
                pile.later(job);
                continue;
            }
            let wrote = matches!(
                &found,
                Found::Rows {
                    settled: Settled::Repaired,
                    ..
                }
            );
            let settlement = Settlement {
                job: job.number,
                found,
                took: job.seen_at.elapsed(),
            };
            if self.to.send(Answer::Settled(settlement)).await.is_err() {
                break;
            }
            if wrote && !pile.is_empty() {
                tokio::time::sleep(self.pace.rest(began.elapsed())).await;
            }
        }
        Ok(())
    }

    /// Those for which no other verdict will come are looked at as they are.
    async fn look(&mut self, pile: &mut Pile, parked: Vec<u64>) {
        for job in parked {
            let (reply, kept) = oneshot::channel();
            // Where nobody answers the watch has ended.
            let _ = self.to.send(Answer::Kept { job, reply }).await;
            if !kept.await.unwrap_or(true) {
                pile.unpark(job);
            }
        }
    }

    async fn episode(&mut self, job: u64, kept: bool, episode: &Episode) -> Result<Seen, Error> {
        let mut tables = self.infos(episode.tables()).await?;
        let (policies, policy) = self.policies(episode, &tables);
        let server_ids = self.nodes.each_ref().map(|node| node.server_id);
        let mut decision = decide(episode, &policies, server_ids);
        let mut judged = Judged::new(episode, &decision, &tables)?;
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let mut left: BTreeSet<usize> = (0..judged.rows.len()).collect();
        // Whether all rows are taken from one node, with those that were in the way.
        let mut whole = false;
        let mut reason =
            format!("clients changed its rows {LOOKS_MAX} times while they were looked at");
        let mut half = None;
        for _ in 0..LOOKS_MAX {
            let Some(touched) = self.ask(job, &mut judged, &left).await? else {
                return Ok(Seen::Written(half));
            };
            if kept && !whole && !touched.is_empty() {
                return Ok(Seen::Written(half));
            }
            if !whole {
                left.retain(|row| !touched.contains(row));
                for row in judged.of_others() {
                    left.remove(&row);
                }
            }
            let draft = resolve::draft(
                episode,
                &decision,
                &judged,
                &tables,
                &policy,
                &names,
                now_us(),
            )?;
            let rows = judged.only(&left);
            let mut settled = Settled::Quiet;
            if !rows.rows.is_empty() {
                settled =
                    resolve::settle(&mut self.leadership, &rows, draft.clone(), now_us()).await?;
            }
            // Of the rows that are left nothing is to be said, but others were written since.
            if settled == Settled::Quiet && left.len() < judged.rows.len() {
                settled = resolve::supersede(&mut self.leadership, &draft, now_us()).await?;
            }
            match settled {
                Settled::Changed { half: done, .. } => {
                    half = done.map(|side| (draft.id().to_owned(), side)).or(half);
                    judged.forget();
                    continue;
                }
                Settled::Blocked { side, reason: why } => {
                    let from = decision.chosen.unwrap_or(side.peer());
                    tables.extend(self.infos(resolve::related(&rows)).await?);
                    let others =
                        resolve::in_the_way(&mut self.leadership, &rows, side, &tables).await?;
                    let new = judged.take_whole(from, others);
                    reason = why;
                    if !new && whole {
                        break;
                    }
                    if !whole {
                        let name = &names[from.index()];
                        decision.rule =
                            format!("{}; all rows as {name} holds them: {reason}", decision.rule);
                        decision.chosen = Some(from);
                        whole = true;
                    }
                    left = (0..judged.rows.len()).collect();
                    continue;
                }
                _ => {}
            }
            return Ok(Seen::Found(found(episode, &draft, decision.rule, settled)));
        }
        let draft = resolve::draft(
            episode,
            &decision,
            &judged,
            &tables,
            &policy,
            &names,
            now_us(),
        )?;
        let settled =
            resolve::leave_open(&mut self.leadership, draft.clone(), reason, now_us()).await?;
        Ok(Seen::Found(found(episode, &draft, decision.rule, settled)))
    }

    /// Reads what is not known of the rows, and waits until both logs were read to where they ended after that; says
    /// which rows were written since the verdict; `None` where another has taken its place.
    async fn ask(
        &mut self,
        job: u64,
        judged: &mut Judged,
        left: &BTreeSet<usize>,
    ) -> Result<Option<BTreeSet<usize>>, Error> {
        let mut logged = [None, None];
        for side in Side::BOTH {
            if !judged.unknown(side).any(|row| left.contains(&row)) {
                continue;
            }
            let conn = self.leadership.hand(side).conn();
            judged.ask(side, conn).await?;
            let standing = Standing::read(conn, &self.dialects[side.index()]).await?;
            logged[side.index()] = Some(standing.logged);
        }
        if logged.iter().all(Option::is_none) {
            return Ok(Some(BTreeSet::new()));
        }
        let (reply, touched) = oneshot::channel();
        let caught = Caught { job, logged, reply };
        // Where nobody answers the watch has ended, and this task ends at its next message.
        let _ = self.to.send(Answer::Caught(caught)).await;
        Ok(touched.await.unwrap_or_default())
    }

    async fn infos(&mut self, names: Vec<TableName>) -> Result<resolve::Tables, Error> {
        let mut infos = HashMap::new();
        for table in names {
            let mut known = self.tables.get(&table);
            for side in Side::BOTH {
                if known.is_none() {
                    let conn = self.leadership.hand(side).conn();
                    self.tables.load(conn, &table).await?;
                    known = self.tables.get(&table);
                }
            }
            if let Some(info) = known {
                infos.insert(table, info);
            }
        }
        Ok(infos)
    }

    /// Each row's policy, and the name of the first one's.
    fn policies(&self, episode: &Episode, tables: &resolve::Tables) -> (Vec<Policy>, String) {
        let of = |table: &TableName| self.conflicts.policy_of(&table.database, &table.name);
        let policies = episode.rows.iter().map(|row| {
            let (policy, counters) = of(&row.table);
            self.policy(policy, counters, tables.get(&row.table).map(|info| &**info))
        });
        let name = episode.rows.first().map(|row| of(&row.table).0.to_string());
        (policies.collect(), name.unwrap_or_default())
    }

    fn policy(
        &self,
        policy: &config::Policy,
        counters: &[String],
        table: Option<&TableInfo>,
    ) -> Policy {
        match policy {
            config::Policy::LastWriteWins => Policy::LastWriteWins,
            config::Policy::FirstWriteWins => Policy::FirstWriteWins,
            config::Policy::Prefer(name) => {
                let is_a = self.nodes[Side::A.index()].name == *name;
                Policy::Prefer(if is_a { Side::A } else { Side::B })
            }
            config::Policy::Merge => {
                let position = |counter: &String| {
                    let columns = &table?.columns;
                    // A column's name is the same in any case, on all servers.
                    let counter = counter.to_lowercase();
                    columns
                        .iter()
                        .position(|column| column.name.to_lowercase() == counter)
                };
                Policy::Merge {
                    counters: counters.iter().filter_map(position).collect(),
                }
            }
            config::Policy::Manual => Policy::Manual,
        }
    }

    async fn ddl(
        &mut self,
        table: &TableName,
        gtids: &[Gtid; 2],
        statements: &[String; 2],
    ) -> Result<Found, Error> {
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let entry: Entry = resolve::concurrent_ddl(table, gtids, statements, names, now_us());
        history::record(self.leadership.hand(Side::A).conn(), &entry).await?;
        Ok(Found::Ddl {
            table: table.clone(),
            id: entry.id,
        })
    }
}

fn found(episode: &Episode, draft: &resolve::Draft, rule: String, settled: Settled) -> Found {
    Found::Rows {
        row: draft.row(),
        id: draft.id().to_owned(),
        conflict: episode.is_conflict(),
        rule,
        settled,
    }
}

/// Now, in microseconds since 1970.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
