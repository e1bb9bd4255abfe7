//! The agent of the model: reads both logs at its own pace, judges, repairs, is killed and starts again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{Hash, Hasher},
    sync::Arc,
};

use twinlog_converge::{Episode, Limits, Output, Policy, Side, Tracker, Verdict};

use crate::{
    desk::Open,
    history::{History, Violation},
    pair::{Flavour, Id, Pair},
    schema::{ID, State},
    wire::{self, Wire},
};

/// More than any case of the model needs.
const MEMORY_BYTES: usize = 64 << 20;

/// What the log need not be read of: transactions that are settled, by their number.
pub(crate) type Checkpoint = Arc<BTreeSet<Id>>;

/// An episode that is to be settled.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The tracker's number of it.
    pub(crate) number: u64,
    pub(crate) episode: Episode,
    /// How much of each log was known to it.
    pub(crate) said_at: [usize; 2],
}

/// What a checkpoint waits for, in the order in which the tracker said it.
#[derive(Debug, Clone)]
enum Entry {
    Job(u64),
    Retired(Id),
}

/// How often what happened: to see that the model gets everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) episodes: u64,
    pub(crate) unknown: u64,
    pub(crate) repairs: u64,
    pub(crate) again: u64,
    pub(crate) for_a_person: u64,
}

/// The one agent.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    tracker: Tracker,
    fold_from: usize,
    pub(crate) wire: Arc<Wire>,
    pub(crate) policy: Policy,
    /// How much of each log it has read.
    at: [usize; 2],
    /// What the logs say up to there.
    pub(crate) shadow: [State; 2],
    started: Checkpoint,
    retired: BTreeSet<Id>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// How many episodes the tracker has said.
    said: u64,
    pub(crate) ready: VecDeque<Job>,
    /// Those of which rows were written since: others will take their place.
    pub(crate) parked: BTreeMap<u64, Job>,
    pub(crate) open: Option<Open>,
    /// Its repairs that were not read from both logs yet.
    pub(crate) in_flight: Vec<Id>,
    /// Those that are settled and wait for the repairs that were in flight then: up to that transaction.
    settled: Vec<(u64, Id)>,
    ledger: VecDeque<Entry>,
    done: BTreeSet<u64>,
    /// What a node had executed when it was asked, and how long its log was then.
    asked: [Option<(usize, [u64; 2])>; 2],
    pub(crate) history: History,
    pub(crate) counts: Counts,
}

impl Agent {
    pub(crate) fn new(pair: &Pair, wire: Arc<Wire>, policy: Policy, fold_from: usize) -> Self {
        let empty = State::new(pair.schema.len());
        Self {
            tracker: Tracker::new(Limits {
                memory_bytes: MEMORY_BYTES,
            })
            .keeping()
            .folding_from(fold_from),
            fold_from,
            wire,
            policy,
            at: [0; 2],
            shadow: [empty.clone(), empty],
            started: Checkpoint::default(),
            retired: BTreeSet::new(),
            checkpoints: vec![Checkpoint::default()],
            said: 0,
            ready: VecDeque::new(),
            parked: BTreeMap::new(),
            open: None,
            in_flight: Vec::new(),
            settled: Vec::new(),
            ledger: VecDeque::new(),
            done: BTreeSet::new(),
            asked: [None; 2],
            history: History::default(),
            counts: Counts::default(),
        }
    }

    /// Whether it has read all and judged all.
    pub(crate) fn is_idle(&self, pair: &Pair) -> bool {
        self.has_judged_all() && Side::BOTH.iter().all(|&side| self.has_read_all(pair, side))
    }

    /// Whether it has handled all that the tracker said.
    pub(crate) fn has_judged_all(&self) -> bool {
        self.ready.is_empty() && self.open.is_none()
    }

    /// How far it is and what it has in hand; not what its tracker keeps, which must follow from that.
    pub(crate) fn fingerprint(&self, hasher: &mut impl Hasher) {
        (self.at, &self.started, &self.retired).hash(hasher);
        let Counts {
            episodes,
            repairs,
            again,
            ..
        } = self.counts;
        (episodes, repairs, again).hash(hasher);
        if !self.has_judged_all() || !self.parked.is_empty() {
            format!("{:?} {:?} {:?}", self.ready, self.parked, self.open).hash(hasher);
        }
    }

    pub(crate) fn has_read_all(&self, pair: &Pair, side: Side) -> bool {
        self.at[side.index()] == pair.nodes[side.index()].log.len()
    }

    /// What the tracker still keeps: nothing, once all is settled.
    pub(crate) fn kept(&self) -> usize {
        let load = self.tracker.load();
        load.transactions + load.keys
    }

    /// Reads the next transaction of a log. Says whether there was one.
    pub(crate) fn read(&mut self, pair: &Pair, side: Side) -> bool {
        let at = side.index();
        let Some(&id) = pair.nodes[at].log.get(self.at[at]) else {
            return false;
        };
        self.at[at] += 1;
        let transaction = &pair.transactions[id];
        for change in transaction.logged[at].as_deref().unwrap_or_default() {
            self.shadow[at].replay(change);
        }
        if !self.started.contains(&id) {
            let sent = self.wire.transaction(pair, id, side);
            for table in self.tracker.unknown_tables(&sent) {
                let keys = self.wire.keys_of(&table);
                self.tracker.set_keys(table, keys);
            }
            self.tracker
                .push(side, transaction.origin, sent, wire::mark(pair, id));
        }
        if self.asked[at].is_some_and(|(end, _)| self.at[at] >= end) {
            self.pass(side);
        }
        true
    }

    /// Asks a node what it has executed. The answer counts once its log has been read to where it ended then.
    pub(crate) fn ask(&mut self, pair: &Pair, side: Side) {
        let node = &pair.nodes[side.index()];
        self.asked[side.index()] = Some((node.log.len(), node.executed));
        if self.has_read_all(pair, side) {
            self.pass(side);
        }
    }

    fn pass(&mut self, side: Side) {
        if let Some((_, executed)) = self.asked[side.index()].take() {
            self.tracker.passed(side, &|gtid| {
                let (origin, sequence) = wire::origin(gtid);
                sequence <= executed[origin.index()]
            });
        }
    }

    /// Takes what the tracker has to say.
    pub(crate) fn pull(&mut self, pair: &Pair) -> Result<(), Violation> {
        self.let_go(pair);
        while let Some(output) = self.tracker.next_output() {
            match output {
                Output::Retired(gtid) => {
                    self.ledger.push_back(Entry::Retired(pair.named(&gtid)));
                }
                Output::Verdict(Verdict::Episode(episode)) => self.take(pair, episode)?,
                Output::Verdict(other) => return Err(format!("unexpected: {other:?}")),
            }
        }
        self.advance(pair);
        Ok(())
    }

    fn take(&mut self, pair: &Pair, episode: Episode) -> Result<(), Violation> {
        self.counts.episodes += 1;
        let known = |side: Side, table: usize, id: i32| {
            (!self.left_out(pair, side, table, id))
                .then(|| self.shadow[side.index()].row(table, id))
        };
        self.history.check(pair, &self.wire, &episode, known)?;
        self.said += 1;
        for old in self.tracker.replaced_by(self.said) {
            self.ready.retain(|job| job.number != old);
            self.parked.remove(&old);
            if self
                .open
                .as_ref()
                .is_some_and(|open| open.job.number == old)
            {
                self.open = None;
            }
            self.done.insert(old);
        }
        self.ledger.push_back(Entry::Job(self.said));
        self.ready.push_back(Job {
            number: self.said,
            episode,
            said_at: self.at,
        });
        Ok(())
    }

    /// Nothing is left to do about an episode. The tracker is told once the repairs were read from both logs.
    pub(crate) fn finish(&mut self, pair: &Pair, number: u64) -> Result<(), Violation> {
        self.done.insert(number);
        self.settled.push((number, pair.transactions.len()));
        self.pull(pair)
    }

    /// Lets those go whose repairs were read.
    fn let_go(&mut self, pair: &Pair) {
        let at = self.at;
        self.in_flight.retain(|&id| {
            !Side::BOTH.into_iter().all(|side| {
                let log = &pair.nodes[side.index()].log[..at[side.index()]];
                log.contains(&id)
            })
        });
        let first = self.in_flight.first().copied().unwrap_or(Id::MAX);
        for (number, _) in self.settled.extract_if(.., |&mut (_, end)| end <= first) {
            self.tracker.resolved(number);
        }
    }

    /// Whether a later write on the keys of an episode will bring another in its place.
    pub(crate) fn is_kept(&self, number: u64) -> bool {
        self.tracker.is_kept(number)
    }

    /// Writes a checkpoint of what no verdict waits for.
    fn advance(&mut self, pair: &Pair) {
        let before = self.retired.len();
        while let Some(entry) = self.ledger.front() {
            match entry {
                Entry::Job(number) if !self.done.remove(number) => break,
                Entry::Job(_) => {}
                Entry::Retired(id) => {
                    self.retired.insert(*id);
                }
            }
            self.ledger.pop_front();
        }
        if self.retired.len() > before {
            self.checkpoints.push(self.checkpoint(pair));
        }
    }

    /// Whether a transaction that was not read again, because it is in the checkpoint, wrote a row.
    fn left_out(&self, pair: &Pair, side: Side, table: usize, id: i32) -> bool {
        self.started.iter().any(|&it| {
            let changes = pair.transactions[it].logged[side.index()].as_deref();
            changes.unwrap_or_default().iter().any(|change| {
                let ids = [change.before, change.after].map(|row| row.and_then(|row| row[ID]));
                change.table == table && ids.contains(&Some(id))
            })
        })
    }

    /// Killed, and started again from a checkpoint that it had written.
    pub(crate) fn restart(&mut self, pair: &Pair, checkpoint: Checkpoint) {
        let fresh = Self::new(
            pair,
            Arc::clone(&self.wire),
            self.policy.clone(),
            self.fold_from,
        );
        let old = std::mem::replace(self, fresh);
        self.retired = (*checkpoint).clone();
        self.started = checkpoint;
        self.checkpoints = old.checkpoints;
        self.history = old.history;
        self.counts = old.counts;
    }

    /// MySQL can be asked for any set of transactions; MariaDB only for what comes after a position of each domain.
    fn checkpoint(&self, pair: &Pair) -> Checkpoint {
        if pair.flavour == Flavour::MySql {
            return Arc::new(self.retired.clone());
        }
        let prefix = pair.by_origin.iter().flat_map(|ids| {
            ids.iter()
                .copied()
                .take_while(|id| self.retired.contains(id))
        });
        Arc::new(prefix.collect())
    }
}
