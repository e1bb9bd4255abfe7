//! Where verdicts are settled: by a few clerks at once, so that the logs are read on meanwhile, and commits share the
//! servers' flushes to disk.

use std::time::{Duration, Instant, SystemTime};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::{interval, sleep},
};
use twinlog_converge::TableName;

use super::{
    Error,
    barriers::Caught,
    clerk::{Clerk, Seen},
    follow::Job,
    pile::Pile,
};
use crate::resolve::{Pace, Settled};

/// How often verdicts that wait are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often idle clerks ask whether they still hold their locks: an agent that has lost one must not stay one for long.
/// Those at work notice by their next statement.
const CHECK_EVERY: Duration = Duration::from_secs(1);

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
    /// Rows of a table that is not there any more.
    Dropped,
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
    /// Opens it. The clerks are made with where their answers go; `queue` answers may wait.
    pub(super) fn open(
        clerks: impl FnOnce(&mpsc::Sender<Answer>) -> Vec<Clerk>,
        pace: Pace,
        queue: usize,
    ) -> Self {
        // Unbounded: the watch must never wait for the desk, which waits for the watch to read. The watch reads no
        // further while too much lies here.
        let (jobs, inbox) = mpsc::unbounded_channel();
        let (to, answers) = mpsc::channel(queue);
        let office = Office {
            idle: clerks(&to),
            at_work: JoinSet::new(),
            pile: Pile::new(),
            checked: Instant::now(),
            pace,
            to,
        };
        Self {
            jobs,
            answers,
            task: tokio::spawn(office.run(inbox)),
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

    /// Ends it: the transactions it is in are rolled back by their servers, or were committed whole.
    pub(super) async fn close(self) {
        // One that has ended may have been asked for its result already, and gives it once.
        if !self.task.is_finished() {
            self.task.abort();
            let _ = self.task.await;
        }
    }
}

/// A clerk who is back from work.
struct Back {
    clerk: Clerk,
    /// What it was; `None` for a pause, or a look at the locks.
    work: Option<(Job, Seen, Duration)>,
}

/// Hands out verdicts, and takes back what came of them.
struct Office {
    idle: Vec<Clerk>,
    /// They end with it.
    at_work: JoinSet<Result<Back, Error>>,
    pile: Pile,
    checked: Instant,
    pace: Pace,
    to: mpsc::Sender<Answer>,
}

impl Office {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Job>) -> Result<(), Error> {
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                job = inbox.recv() => match job {
                    Some(job) => self.pile.take(job),
                    // The watch has ended: what waits is seen again by the next one.
                    None => return Ok(()),
                },
                Some(back) = self.at_work.join_next() => match back {
                    Ok(back) => self.back(back?).await,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                _ = tick.tick() => self.look().await,
            }
            while let Ok(job) = inbox.try_recv() {
                self.pile.take(job);
            }
            self.hand_out();
        }
    }

    fn hand_out(&mut self) {
        while let Some(mut clerk) = self.idle.pop() {
            let Some((job, half, halves)) = self.pile.next() else {
                self.idle.push(clerk);
                return;
            };
            self.at_work.spawn(async move {
                let began = Instant::now();
                let seen = clerk.settle(&job, half, halves).await?;
                let work = Some((job, seen, began.elapsed()));
                Ok(Back { clerk, work })
            });
        }
    }

    async fn back(&mut self, Back { clerk, work }: Back) {
        let Some((job, seen, took)) = work else {
            self.idle.push(clerk);
            return;
        };
        let (found, half) = match seen {
            Seen::Written(half) => {
                self.pile.park(job, half);
                self.idle.push(clerk);
                return;
            }
            Seen::Busy(reason, half) => {
                tracing::debug!(reason, "it is tried again");
                self.pile.later(job, half);
                self.idle.push(clerk);
                return;
            }
            Seen::Found(found, half) => (found, half),
        };
        if let Found::Rows {
            settled: Settled::Busy { side, reason, .. },
            row,
            ..
        } = &found
        {
            let node = &clerk.nodes[side.index()].name;
            tracing::debug!(node, row, reason, "its rows are in use: it is tried again");
            self.pile.later(job, half);
            self.idle.push(clerk);
            return;
        }
        self.pile.done(job.number);
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
        // Where nobody listens the watch has ended.
        let _ = self.to.send(Answer::Settled(settlement)).await;
        if wrote && !self.pile.is_empty() {
            let rest = self.pace.rest(took);
            self.at_work.spawn(async move {
                sleep(rest).await;
                Ok(Back { clerk, work: None })
            });
        } else {
            self.idle.push(clerk);
        }
    }

    /// Those for which no other verdict will come are looked at as they are; idle clerks look at their locks.
    async fn look(&mut self) {
        for job in self.pile.look_due() {
            let (reply, kept) = oneshot::channel();
            // Where nobody answers the watch has ended.
            let _ = self.to.send(Answer::Kept { job, reply }).await;
            if !kept.await.unwrap_or(true) {
                self.pile.unpark(job);
            }
        }
        if self.checked.elapsed() >= CHECK_EVERY {
            self.checked = Instant::now();
            for mut clerk in self.idle.drain(..) {
                self.at_work.spawn(async move {
                    clerk.leadership.check().await?;
                    Ok(Back { clerk, work: None })
                });
            }
        }
    }
}

/// Now, in microseconds since 1970.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
