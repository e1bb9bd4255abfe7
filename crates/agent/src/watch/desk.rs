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
        self.task.abort();
        let _ = self.task.await;
    }
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
    async fn work(mut self, mut inbox: mpsc::UnboundedReceiver<Job>) -> Result<(), Error> {
        while let Some(job) = inbox.recv().await {
            let began = Instant::now();
            let found = match &job.verdict {
                Verdict::Episode(episode) => self.episode(job.number, episode).await?,
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
            if wrote && !inbox.is_empty() {
                tokio::time::sleep(self.pace.rest(began.elapsed())).await;
            }
        }
        Ok(())
    }

    async fn episode(&mut self, job: u64, episode: &Episode) -> Result<Found, Error> {
        let tables = self.infos(episode).await?;
        let (policies, policy) = self.policies(episode, &tables);
        let server_ids = self.nodes.each_ref().map(|node| node.server_id);
        let decision = decide(episode, &policies, server_ids);
        let mut judged = Judged::new(episode, &decision, &tables)?;
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let mut left: BTreeSet<usize> = (0..judged.rows.len()).collect();
        for _ in 0..LOOKS_MAX {
            let touched = self.ask(job, &mut judged, &left).await?;
            left.retain(|row| !touched.contains(row));
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
            let settled = if rows.rows.is_empty() {
                resolve::supersede(&mut self.leadership, &draft, now_us()).await?
            } else {
                resolve::settle(&mut self.leadership, &rows, draft.clone(), now_us()).await?
            };
            if let Settled::Changed { .. } = settled {
                judged.forget();
                continue;
            }
            return Ok(found(episode, &draft, decision.rule, settled));
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
        let reason =
            format!("clients changed its rows {LOOKS_MAX} times while they were looked at");
        let settled =
            resolve::leave_open(&mut self.leadership, draft.clone(), reason, now_us()).await?;
        Ok(found(episode, &draft, decision.rule, settled))
    }

    /// Reads what is not known of the rows, and waits until both logs were read to where they ended after that; says
    /// which rows were written since the verdict.
    async fn ask(
        &mut self,
        job: u64,
        judged: &mut Judged,
        left: &BTreeSet<usize>,
    ) -> Result<BTreeSet<usize>, Error> {
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
            return Ok(BTreeSet::new());
        }
        let (reply, touched) = oneshot::channel();
        let caught = Caught { job, logged, reply };
        // Where nobody answers the watch has ended, and this task ends at its next message.
        let _ = self.to.send(Answer::Caught(caught)).await;
        Ok(touched.await.unwrap_or_default())
    }

    async fn infos(&mut self, episode: &Episode) -> Result<resolve::Tables, Error> {
        let mut infos = HashMap::new();
        for table in episode.tables() {
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
