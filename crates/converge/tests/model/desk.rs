//! The agent's verdicts, settled one after the other.

use twinlog_converge::{Episode, Held, Outcome, Policy, Side, Version, decide};

use crate::{
    agent::{Agent, Job},
    history::Violation,
    pair::{Id, Mark, Pair},
    repair,
    schema::{Change, ID, Row},
    wire::{self, SERVER_IDS},
};

/// How often rows that are in the way are taken in.
const LOOKS: u32 = 12;

/// An episode that is being repaired.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) job: Job,
    /// Table and primary key of each row.
    rows: Vec<(usize, i32)>,
    /// What each node was judged to hold of each.
    judged: Vec<[Option<Row>; 2]>,
    /// What each shall be.
    wanted: Vec<Option<Row>>,
    mark: Mark,
    /// Whose version was chosen.
    chosen: Option<Side>,
    /// How often a server refused it.
    refused: u32,
    /// The repair of the first node, and the rows that it wrote.
    own: Option<(Id, Vec<(usize, i32)>)>,
    /// The nodes that are still to be looked at.
    sides: Vec<Side>,
}

impl Agent {
    /// One step with the next verdict. Says whether there was one, and something to do.
    pub(crate) fn judge(&mut self, pair: &mut Pair) -> Result<bool, Violation> {
        if self.open.is_some() {
            return self.repair(pair);
        }
        let Some(job) = self.ready.pop_front() else {
            return Ok(false);
        };
        self.decide(pair, job)?;
        Ok(true)
    }

    /// Rows of it were written since: another will take its place.
    fn park(&mut self, job: Job) -> Result<bool, Violation> {
        self.counts.again += 1;
        if !self.is_kept(job.number) {
            return Err(format!(
                "nothing will take the place of {:?}",
                job.episode.conflicts
            ));
        }
        self.parked.insert(job.number, job);
        Ok(true)
    }

    fn decide(&mut self, pair: &mut Pair, job: Job) -> Result<(), Violation> {
        if job.episode.repaired {
            return self.finish(pair, job.number);
        }
        let mut episode = job.episode.clone();
        let rows: Vec<_> = episode.rows.iter().map(|row| self.row_of(row)).collect();
        if !self.ask_for_unknown(pair, &mut episode, &rows, job.said_at) {
            return self.park(job).map(drop);
        }
        let judged: Vec<_> = episode
            .rows
            .iter()
            .map(|row| row.held.clone().map(repair::known))
            .collect();
        self.history.record(pair, &self.wire, &episode);
        if !episode.is_conflict() && judged.iter().all(|[a, b]| a == b) {
            return self.finish(pair, job.number);
        }
        // As the agent does: what the logs do not tell is asked for afterwards.
        let policies = vec![self.policy.clone(); episode.rows.len()];
        let decision = decide(&job.episode, &policies, SERVER_IDS);
        let mark = repair::mark(&episode, &decision, pair.now);
        let Some(outcomes) = decision.rows else {
            self.counts.for_a_person += 1;
            if self.policy != Policy::Manual {
                self.history.for_a_person.push(decision.rule);
            }
            return self.finish(pair, job.number);
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
        self.open = Some(Open {
            job,
            rows,
            judged,
            wanted,
            mark,
            chosen: decision.chosen,
            refused: 0,
            own: None,
            sides: Side::BOTH.to_vec(),
        });
        self.repair(pair).map(drop)
    }

    /// Replaces what the logs do not tell by what the nodes hold. `false` where rows were written since.
    fn ask_for_unknown(
        &mut self,
        pair: &Pair,
        episode: &mut Episode,
        rows: &[(usize, i32)],
        said_at: [usize; 2],
    ) -> bool {
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
            if repair::written_since(pair, side, said_at, rows) {
                return false;
            }
            let node = &pair.nodes[at];
            for (row, &(table, id)) in episode.rows.iter_mut().zip(rows) {
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
        let id = wire::decode(&row.key)[ID];
        (self.wire.place(&row.table), id.expect("the row's own key"))
    }

    /// Looks at one node and repairs it where that is due. Says whether it could: the second repair waits until the first
    /// has come over the link.
    fn repair(&mut self, pair: &mut Pair) -> Result<bool, Violation> {
        let Some(mut open) = self.open.take() else {
            return Ok(false);
        };
        let Some(side) = open.sides.pop() else {
            self.finish(pair, open.job.number)?;
            return Ok(true);
        };
        let own = open.own.as_ref().map(|(id, _)| *id);
        if own.is_some_and(|id| pair.transactions[id].place[side.index()].is_none()) {
            open.sides.push(side);
            self.open = Some(open);
            return Ok(false);
        }
        let Some(due) = open.due(pair, side) else {
            return self.park(open.job);
        };
        if due.is_empty() {
            self.open = Some(open);
            return Ok(true);
        }
        let mut state = pair.nodes[side.index()].state.clone();
        let Some(changes) = repair::write(pair, &mut state, due.clone()) else {
            open.sides.push(side);
            return self.refused(pair, open, side, &due);
        };
        self.counts.repairs += 1;
        self.history.repaired(pair, side, &changes)?;
        if open.own.is_none() {
            let wrote = due
                .iter()
                .filter_map(|it| Some((it.table, it.before.or(it.after)?[ID]?)));
            open.own = Some((pair.transactions.len(), wrote.collect()));
        }
        let judged = open.job.episode.writes.iter();
        let judged = judged.map(|write| write.gtid.clone()).collect();
        self.in_flight.push(pair.transactions.len());
        pair.repair(side, state, changes, open.mark, judged);
        self.open = Some(open);
        Ok(true)
    }

    /// A server refuses it because of rows that are not in it: all of them become what one node holds.
    fn refused(
        &mut self,
        pair: &Pair,
        mut open: Open,
        side: Side,
        due: &[Change],
    ) -> Result<bool, Violation> {
        self.history.refused += 1;
        open.refused += 1;
        if open.refused > LOOKS {
            self.history
                .for_a_person
                .push(format!("{side:?} refuses {due:?}"));
            self.finish(pair, open.job.number)?;
            return Ok(true);
        }
        let from = open.chosen.unwrap_or(side.peer());
        for key in repair::in_the_way(pair, side, from, due) {
            if !open.rows.contains(&key) {
                open.rows.push(key);
                open.judged.push([None; 2]);
                open.wanted.push(None);
            }
        }
        for (at, &(table, id)) in open.rows.iter().enumerate() {
            open.judged[at] = Side::BOTH.map(|side| pair.nodes[side.index()].state.row(table, id));
            open.wanted[at] = open.judged[at][from.index()];
            for held in open.judged[at] {
                self.history.keep(table, held);
            }
        }
        self.open = Some(open);
        Ok(true)
    }
}

impl Open {
    /// What must be written on a node; `None` where it does not hold what was judged.
    fn due(&self, pair: &Pair, side: Side) -> Option<Vec<Change>> {
        let state = &pair.nodes[side.index()].state;
        let mut due = Vec::new();
        for ((key, wanted), judged) in self.rows.iter().zip(&self.wanted).zip(&self.judged) {
            // The first repair has written it, and came over the link.
            if self
                .own
                .as_ref()
                .is_some_and(|(_, wrote)| wrote.contains(key))
            {
                continue;
            }
            let &(table, id) = key;
            let now = state.row(table, id);
            if now != judged[side.index()] {
                return None;
            }
            if now != *wanted {
                due.push(Change::new(table, now, *wanted));
            }
        }
        Some(due)
    }
}
