//! The verdicts that lie on the desk.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use twinlog_converge::Side;

use super::{
    follow::Job,
    ties::{Taken, Ties},
};

/// How long rows that clients hold locked are left alone before their repair is tried again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// How often those that wait for another verdict in their place are asked about.
const PARKED_LOOK: Duration = Duration::from_secs(5);
/// How many verdicts are looked at for one that need not wait for those before it.
const SCANNED_MAX: usize = 256;

/// A row of the history that one half of a repair has left open, and the node that has written it.
pub(super) type Half = (String, Side);

/// A verdict that can be settled, with the half of its repair that was done when it was tried before.
#[derive(Debug)]
struct Ready {
    job: Job,
    ties: Ties,
    half: Option<Half>,
}

/// Verdicts that came, that are being settled, that wait for clients, and that wait for others in their place.
#[derive(Debug)]
pub(super) struct Pile {
    ready: VecDeque<Ready>,
    at_work: BTreeMap<u64, Ties>,
    busy: VecDeque<(Instant, Job, Option<Half>)>,
    parked: BTreeMap<u64, (Job, Option<Half>)>,
    /// Those that were replaced while they were at work.
    replaced: BTreeSet<u64>,
    looked: Instant,
    /// Halves of those that were replaced.
    halves: Vec<Half>,
}

impl Pile {
    pub(super) fn new() -> Self {
        Self {
            ready: VecDeque::new(),
            at_work: BTreeMap::new(),
            busy: VecDeque::new(),
            parked: BTreeMap::new(),
            replaced: BTreeSet::new(),
            looked: Instant::now(),
            halves: Vec::new(),
        }
    }

    /// Whether there is nothing that could be done at once.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Puts it on the pile, and takes those away that it takes the place of.
    pub(super) fn take(&mut self, job: Job) {
        if !job.replaces.is_empty() {
            let gone: BTreeSet<u64> = job.replaces.iter().copied().collect();
            let halves = &mut self.halves;
            self.ready.retain_mut(|ready| {
                let stays = !gone.contains(&ready.job.number);
                halves.extend(ready.half.take_if(|_| !stays));
                stays
            });
            self.busy.retain_mut(|(_, job, half)| {
                let stays = !gone.contains(&job.number);
                halves.extend(half.take_if(|_| !stays));
                stays
            });
            for number in gone {
                if let Some((_, half)) = self.parked.remove(&number) {
                    self.halves.extend(half);
                }
                if self.at_work.contains_key(&number) {
                    self.replaced.insert(number);
                }
            }
        }
        self.put(job, None);
    }

    fn put(&mut self, job: Job, half: Option<Half>) {
        let ties = Ties::of(&job.verdict);
        self.ready.push_back(Ready { job, ties, half });
    }

    /// The first that need not wait for one before it, to be worked at until [`Pile::done`], [`Pile::later`] or
    /// [`Pile::park`]; the half that was done of it, and those of others to be closed.
    pub(super) fn next(&mut self) -> Option<(Job, Option<Half>, Vec<Half>)> {
        let now = Instant::now();
        while self.busy.front().is_some_and(|(due, ..)| *due <= now)
            && let Some((_, job, half)) = self.busy.pop_front()
        {
            self.put(job, half);
        }
        let mut taken = Taken::default();
        self.at_work.values().for_each(|ties| taken.add(ties));
        let free = self
            .ready
            .iter()
            .take(SCANNED_MAX)
            .position(|Ready { ties, .. }| {
                let waits = taken.bind(ties);
                if waits {
                    taken.add(ties);
                }
                !waits
            });
        let Ready { job, ties, half } = self.ready.remove(free?)?;
        self.at_work.insert(job.number, ties);
        Some((job, half, std::mem::take(&mut self.halves)))
    }

    /// It is settled.
    pub(super) fn done(&mut self, job: u64) {
        self.at_work.remove(&job);
        self.replaced.remove(&job);
    }

    /// Its rows are held by clients: later, if no other has taken its place.
    pub(super) fn later(&mut self, job: Job, half: Option<Half>) {
        self.at_work.remove(&job.number);
        if self.replaced.remove(&job.number) {
            self.halves.extend(half);
        } else {
            self.busy
                .push_back((Instant::now() + BUSY_PAUSE, job, half));
        }
    }

    /// Its rows were written since: another verdict will come in its place, or has come.
    pub(super) fn park(&mut self, job: Job, half: Option<Half>) {
        self.at_work.remove(&job.number);
        if self.replaced.remove(&job.number) {
            self.halves.extend(half);
        } else {
            self.parked.insert(job.number, (job, half));
        }
    }

    /// No other verdict will come in its place: it is looked at as it is.
    pub(super) fn unpark(&mut self, number: u64) {
        if let Some((mut job, half)) = self.parked.remove(&number) {
            job.kept = false;
            self.put(job, half);
        }
    }

    /// Those of which it is time to see whether they still wait for something.
    pub(super) fn look_due(&mut self) -> Vec<u64> {
        if self.looked.elapsed() < PARKED_LOOK {
            return Vec::new();
        }
        self.looked = Instant::now();
        self.parked.keys().copied().collect()
    }
}
