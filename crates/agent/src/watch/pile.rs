//! The verdicts that lie on the desk.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, time::timeout_at};
use twinlog_converge::Side;

use super::follow::Job;

/// How long rows that clients hold locked are left alone before their repair is tried again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// How often those that wait for another verdict in their place are asked about.
const PARKED_LOOK: Duration = Duration::from_secs(5);

/// A row of the history that one half of a repair has left open, and the node that has written it.
pub(super) type Half = (String, Side);

/// What to do next.
pub(super) enum Next {
    /// This verdict. Of those that it took the place of, the halves that were done.
    Job(Box<Job>, Vec<Half>),
    /// See whether these still wait for something.
    Look(Vec<u64>),
}

/// Verdicts that came, that wait for clients, and that wait for others in their place.
pub(super) struct Pile {
    inbox: mpsc::UnboundedReceiver<Job>,
    ready: VecDeque<Job>,
    busy: VecDeque<(Instant, Job)>,
    parked: BTreeMap<u64, (Job, Option<Half>)>,
    looked: Instant,
    /// Halves of those that were replaced.
    halves: Vec<Half>,
}

impl Pile {
    pub(super) fn new(inbox: mpsc::UnboundedReceiver<Job>) -> Self {
        Self {
            inbox,
            ready: VecDeque::new(),
            busy: VecDeque::new(),
            parked: BTreeMap::new(),
            looked: Instant::now(),
            halves: Vec::new(),
        }
    }

    /// Whether there is nothing that could be done at once.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.inbox.is_empty()
    }

    /// Its rows are held by clients: later.
    pub(super) fn later(&mut self, job: Job) {
        self.busy.push_back((Instant::now() + BUSY_PAUSE, job));
    }

    /// Its rows were written since: another verdict will come in its place.
    pub(super) fn park(&mut self, job: Job, half: Option<Half>) {
        self.parked.insert(job.number, (job, half));
    }

    /// No other verdict will come in its place: it is looked at as it is.
    pub(super) fn unpark(&mut self, number: u64) {
        if let Some((mut job, half)) = self.parked.remove(&number) {
            job.kept = false;
            self.halves.extend(half);
            self.ready.push_back(job);
        }
    }

    /// What to do next; `None` when nothing more will come.
    pub(super) async fn next(&mut self) -> Option<Next> {
        loop {
            while let Ok(job) = self.inbox.try_recv() {
                self.take(job);
            }
            if let Some(job) = self.ready.pop_front() {
                return Some(Next::Job(Box::new(job), std::mem::take(&mut self.halves)));
            }
            let now = Instant::now();
            if self.busy.front().is_some_and(|(due, _)| *due <= now)
                && let Some((_, job)) = self.busy.pop_front()
            {
                return Some(Next::Job(Box::new(job), std::mem::take(&mut self.halves)));
            }
            if !self.parked.is_empty() && now >= self.looked + PARKED_LOOK {
                self.looked = now;
                return Some(Next::Look(self.parked.keys().copied().collect()));
            }
            let due = self.busy.front().map(|(due, _)| *due);
            let look = (!self.parked.is_empty()).then(|| self.looked + PARKED_LOOK);
            // The inbox closes when the watch ends: what waits is seen again by the next one.
            match [due, look].into_iter().flatten().min() {
                None => {
                    let job = self.inbox.recv().await?;
                    self.take(job);
                }
                Some(due) => {
                    if let Ok(job) = timeout_at(due.into(), self.inbox.recv()).await {
                        let job = job?;
                        self.take(job);
                    }
                }
            }
        }
    }

    /// Puts it on the pile, and takes those away that it takes the place of.
    fn take(&mut self, job: Job) {
        if !job.replaces.is_empty() {
            let gone: BTreeSet<u64> = job.replaces.iter().copied().collect();
            self.ready.retain(|job| !gone.contains(&job.number));
            self.busy.retain(|(_, job)| !gone.contains(&job.number));
            for number in gone {
                if let Some((_, half)) = self.parked.remove(&number) {
                    self.halves.extend(half);
                }
            }
        }
        self.ready.push_back(job);
    }
}
