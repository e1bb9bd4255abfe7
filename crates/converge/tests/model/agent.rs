//! The agent of the model: reads both logs at its own pace, judges, repairs, is killed and starts again.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{Hash, Hasher},
    sync::Arc,
};

use twinlog_converge::{
    Conflict, Decision, Episode, Held, Limits, Outcome, Output, Policy, Side, Tracker, Verdict,
    Version, decide,
};

use crate::{
    history::{History, Violation},
    pair::{Flavour, Id, Mark, Pair},
    schema::{Change, ID, Row, State},
    wire::{self, SERVER_IDS, Wire},
};

/// More than any case of the model needs.
const MEMORY_BYTES: usize = 64 << 20;

/// What the log need not be read of: transactions that are settled, by their number.
pub(crate) type Checkpoint = Arc<BTreeSet<Id>>;

/// An episode that is being repaired.
#[derive(Debug, Clone)]
struct Open {
    /// Table and primary key of each row.
    rows: Vec<(usize, i32)>,
    /// What each node was judged to hold of each.
    judged: Vec<[Option<Row>; 2]>,
    /// What each shall be.
    wanted: Vec<Option<Row>>,
    mark: Mark,
    /// How much of each log was known to the verdict.
    said_at: [usize; 2],
    /// The repair of one node, which the other may have got already.
    own: Vec<Id>,
    /// The nodes that are still to be looked at.
    sides: Vec<Side>,
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
    wire: Arc<Wire>,
    policy: Policy,
    /// How much of each log it has read.
    at: [usize; 2],
    /// What the logs say up to there.
    pub(crate) shadow: [State; 2],
    started: Checkpoint,
    retired: BTreeSet<Id>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// What the tracker said, and how much of each log it knew then.
    queue: VecDeque<(Output, [usize; 2])>,
    open: Option<Open>,
    /// Where the logs ended when all was judged anew.
    judged_at: Option<[usize; 2]>,
    /// What a node had executed when it was asked, and how long its log was then.
    asked: [Option<(usize, [u64; 2])>; 2],
    pub(crate) history: History,
    pub(crate) counts: Counts,
}

impl Agent {
    pub(crate) fn new(pair: &Pair, wire: Arc<Wire>, policy: Policy) -> Self {
        let empty = State::new(pair.schema.len());
        Self {
            tracker: Tracker::new(Limits {
                memory_bytes: MEMORY_BYTES,
            }),
            wire,
            policy,
            at: [0; 2],
            shadow: [empty.clone(), empty],
            started: Checkpoint::default(),
            retired: BTreeSet::new(),
            checkpoints: vec![Checkpoint::default()],
            queue: VecDeque::new(),
            open: None,
            judged_at: None,
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
        self.queue.is_empty() && self.open.is_none()
    }

    /// Whether the next that the tracker said only says that a transaction is done with.
    pub(crate) fn can_retire(&self) -> bool {
        self.open.is_none() && matches!(self.queue.front(), Some((Output::Retired(_), _)))
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
        if !self.has_judged_all() {
            format!("{:?} {:?}", self.queue, self.open).hash(hasher);
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
        while let Some(output) = self.tracker.next_output() {
            if let Output::Verdict(Verdict::Episode(episode)) = &output {
                self.counts.episodes += 1;
                let known = |side: Side, table: usize, id: i32| {
                    (!self.left_out(pair, side, table, id))
                        .then(|| self.shadow[side.index()].row(table, id))
                };
                self.history.check(pair, &self.wire, episode, known)?;
            }
            self.queue.push_back((output, self.at));
        }
        Ok(())
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
        let fresh = Self::new(pair, Arc::clone(&self.wire), self.policy.clone());
        let old = std::mem::replace(self, fresh);
        self.retired = (*checkpoint).clone();
        self.started = checkpoint;
        self.checkpoints = old.checkpoints;
        self.history = old.history;
        self.counts = old.counts;
    }

    /// Judges anew, with all that the logs have by now: what was judged is no longer what a node holds.
    fn again(&mut self, pair: &Pair, why: &str) -> Result<(), Violation> {
        self.counts.again += 1;
        let ends = [0, 1].map(|at| pair.nodes[at].log.len());
        if self.judged_at == Some(ends) {
            return Err(format!("judged again with nothing new, and in vain: {why}"));
        }
        let last = self.checkpoints.last().cloned().unwrap_or_default();
        self.restart(pair, last);
        self.judged_at = Some(ends);
        for side in Side::BOTH {
            while self.read(pair, side) {}
            self.ask(pair, side);
        }
        self.pull(pair)
    }

    /// One step with the first thing that the tracker said. Says whether there was one.
    pub(crate) fn judge(&mut self, pair: &mut Pair) -> Result<bool, Violation> {
        if self.open.is_some() {
            self.repair(pair)?;
            return Ok(true);
        }
        match self.queue.pop_front() {
            None => return Ok(false),
            Some((Output::Retired(gtid), _)) => {
                self.retired.insert(pair.named(&gtid));
                self.checkpoints.push(self.checkpoint(pair));
            }
            Some((Output::Verdict(Verdict::Episode(episode)), said_at)) => {
                self.decide(pair, episode, said_at)?;
            }
            Some((Output::Verdict(other), _)) => return Err(format!("unexpected: {other:?}")),
        }
        Ok(true)
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

    /// Replaces what the logs do not tell by what the nodes hold. `false` where that is not what was judged any more.
    fn ask_for_unknown(&mut self, pair: &Pair, episode: &mut Episode, said_at: [usize; 2]) -> bool {
        let rows: Vec<_> = episode.rows.iter().map(|row| self.row_of(row)).collect();
        for side in Side::BOTH {
            let at = side.index();
            if episode
                .rows
                .iter()
                .all(|row| matches!(row.held[at], Held::Known(_)))
            {
                continue;
            }
            self.counts.unknown += 1;
            if written_since(pair, side, said_at, &rows, &[]) {
                return false;
            }
            let node = &pair.nodes[at];
            for (row, &(table, id)) in episode.rows.iter_mut().zip(&rows) {
                if matches!(row.held[at], Held::Unknown) {
                    row.held[at] = Held::Known(match node.state.row(table, id) {
                        Some(row) => Version::Row(self.wire.image(table, &row)),
                        None => Version::Gone,
                    });
                }
            }
        }
        true
    }

    fn row_of(&self, row: &twinlog_converge::EpisodeRow) -> (usize, i32) {
        (
            self.wire.place(&row.table),
            wire::decode(&row.key)[ID].expect("the row's own key"),
        )
    }

    fn decide(
        &mut self,
        pair: &mut Pair,
        mut episode: Episode,
        said_at: [usize; 2],
    ) -> Result<(), Violation> {
        if !self.ask_for_unknown(pair, &mut episode, said_at) {
            return self.again(pair, "a row was written while it was read");
        }
        let judged: Vec<_> = episode
            .rows
            .iter()
            .map(|row| row.held.clone().map(known))
            .collect();
        let equal = judged.iter().all(|[a, b]| a == b);
        self.history.record(pair, &self.wire, &episode);
        if equal && !episode.is_conflict() {
            return Ok(());
        }
        let policies = vec![self.policy.clone(); episode.rows.len()];
        let decision = decide(&episode, &policies, SERVER_IDS);
        let mark = mark(&episode, &decision, pair.now);
        let Some(outcomes) = decision.rows else {
            self.counts.for_a_person += 1;
            if self.policy != Policy::Manual {
                self.history.for_a_person.push(decision.rule);
            }
            return Ok(());
        };
        let wanted = outcomes
            .into_iter()
            .zip(&judged)
            .map(|(outcome, held)| match outcome {
                Outcome::Version(Version::Row(image)) => Some(wire::decode(&image)),
                Outcome::Version(Version::Gone) => None,
                Outcome::Merged(values) => Some(wire::from_values(&values)),
                Outcome::AsHeld(side) => held[side.index()],
            })
            .collect();
        let rows = episode.rows.iter().map(|row| self.row_of(row)).collect();
        let sides = Side::BOTH.to_vec();
        self.open = Some(Open {
            rows,
            judged,
            wanted,
            mark,
            said_at,
            own: Vec::new(),
            sides,
        });
        self.repair(pair)
    }

    /// Looks at one node and repairs it where that is due.
    fn repair(&mut self, pair: &mut Pair) -> Result<(), Violation> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let Some(side) = open.sides.pop() else {
            self.open = None;
            return Ok(());
        };
        if written_since(pair, side, open.said_at, &open.rows, &open.own) {
            return self.again(pair, "a row was written since the verdict");
        }
        let state = &pair.nodes[side.index()].state;
        let mut due = Vec::new();
        for ((&(table, id), wanted), judged) in open.rows.iter().zip(&open.wanted).zip(&open.judged)
        {
            let now = state.row(table, id);
            if now != judged[side.index()] && (open.own.is_empty() || now != *wanted) {
                let judged = judged[side.index()];
                let why = format!("row {id} of t{table} on {side:?} is {now:?}, judged {judged:?}");
                return self.again(pair, &why);
            }
            if now == *wanted {
                continue;
            }
            due.push(Change::new(table, now, *wanted));
        }
        if due.is_empty() {
            return Ok(());
        }
        let mut state = state.clone();
        let Some(changes) = write(pair, &mut state, due) else {
            self.history.refused += 1;
            let why = format!("{side:?} refuses {:?} → {:?}", open.rows, open.wanted);
            return self.again(pair, &why);
        };
        self.counts.repairs += 1;
        self.history.repaired(pair, side, &changes)?;
        open.own.push(pair.transactions.len());
        let mark = open.mark;
        pair.repair(side, state, changes, mark);
        Ok(())
    }
}

/// Whether a node has executed something on these rows that was not known to a verdict: that its log did not have then, or
/// that the log of its origin did not (a copy of which nothing was left does not tell what it would have done). What the
/// node holds may look the same and still be another version, or one that its clients had not seen.
fn written_since(
    pair: &Pair,
    side: Side,
    said_at: [usize; 2],
    rows: &[(usize, i32)],
    own: &[Id],
) -> bool {
    let unknown = |side: Side| &pair.nodes[side.index()].log[said_at[side.index()]..];
    let of_peer = unknown(side.peer()).iter().filter(|&&id| {
        let it = &pair.transactions[id];
        it.origin != side && it.place[side.index()].is_some()
    });
    let mut since = unknown(side)
        .iter()
        .chain(of_peer)
        .filter(|id| !own.contains(id));
    since.any(|&id| {
        let transaction = &pair.transactions[id];
        let copy = transaction.logged[side.index()]
            .as_deref()
            .unwrap_or_default();
        copy.iter().chain(transaction.changes.iter()).any(|change| {
            let ids = [change.before, change.after].map(|row| row.and_then(|row| row[ID]));
            rows.iter()
                .any(|&(table, id)| change.table == table && ids.contains(&Some(id)))
        })
    })
}

fn known(held: Held) -> Option<Row> {
    match held {
        Held::Known(Version::Row(image)) => Some(wire::decode(&image)),
        Held::Known(Version::Gone) => None,
        Held::Unknown => unreachable!("the node was asked"),
    }
}

/// When and where what was chosen had been committed.
fn mark(episode: &Episode, decision: &Decision, now: u64) -> Mark {
    let of = |side: Option<Side>| {
        let writes = episode
            .writes
            .iter()
            .filter(move |write| side.is_none_or(|side| write.origin == side));
        writes
            .map(|write| Mark {
                micros: write.committed.micros,
                origin: write.origin,
            })
            .max()
    };
    let origin = decision.chosen.unwrap_or(Side::A);
    of(decision.chosen).unwrap_or(Mark {
        micros: now,
        origin,
    })
}

/// Writes rows in an order that the keys allow: children go first, parents come first. What stands in its own way
/// (two rows that change places) is deleted and inserted. `None` where the server refuses.
fn write(pair: &Pair, state: &mut State, due: Vec<Change>) -> Option<Vec<Change>> {
    let mut made = Vec::new();
    let rank = |change: &Change| match (change.before, change.after) {
        (Some(_), None) => (0, usize::MAX - change.table),
        (Some(_), Some(_)) => (1, change.table),
        _ => (2, change.table),
    };
    let mut left = due;
    let mut split = false;
    while !left.is_empty() {
        left.sort_by_key(rank);
        without_orphans(pair, &mut left);
        let before = left.len();
        left.retain(|change| {
            let done = state.change(&pair.schema, change).is_ok();
            if done {
                made.push(*change);
            }
            !done
        });
        if left.len() < before {
            continue;
        }
        if split {
            return None;
        }
        split = true;
        left = left
            .into_iter()
            .flat_map(|change| match change {
                Change {
                    before: Some(_),
                    after: Some(_),
                    ..
                } => {
                    vec![
                        Change {
                            after: None,
                            ..change
                        },
                        Change {
                            before: None,
                            ..change
                        },
                    ]
                }
                _ => vec![change],
            })
            .collect();
    }
    Some(made)
}

/// A row that goes while another takes over what children refer to is deleted without a look at them.
fn without_orphans(pair: &Pair, due: &mut [Change]) {
    let all = due.to_vec();
    for change in due.iter_mut().filter(|change| change.after.is_none()) {
        let Some((_, column)) = pair.schema[change.table].referenced else {
            continue;
        };
        let value = |row: Option<Row>| row.and_then(|row| row[column]);
        change.unchecked = all
            .iter()
            .any(|other| other.table == change.table && value(other.after) == value(change.before));
    }
}

/// The pair of transactions of a conflict.
pub(crate) fn pair_of(pair: &Pair, conflict: &Conflict) -> [Id; 2] {
    [
        pair.named(&conflict.gtids[0]),
        pair.named(&conflict.gtids[1]),
    ]
}
