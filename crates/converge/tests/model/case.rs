//! One run of the model: a shape of tables, and what happens in which order.

use std::sync::Arc;

use twinlog_converge::{Policy, Side};

use crate::{
    agent::{Agent, Counts},
    history::{self, Violation},
    node::Do,
    pair::{Flavour, Pair},
    schema::{COUNTER, ID, Table},
    wire::Wire,
};

/// What the tables look like, and what rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) flavour: Flavour,
    pub(crate) policy: Policy,
    /// The columns of the secondary unique keys, in the server's order.
    pub(crate) secondary: Vec<Vec<usize>>,
    /// A second table that refers to this column of the first.
    pub(crate) child_of: Option<usize>,
    /// How far each node's clock is ahead, in microseconds.
    pub(crate) skew: [u64; 2],
    /// From so many changes on, long runs of one side are taken as one.
    pub(crate) fold_from: usize,
}

impl Shape {
    /// The definitions.
    pub(crate) fn schema(&self) -> Arc<[Table]> {
        let mut unique = vec![vec![ID]];
        unique.extend(self.secondary.iter().cloned());
        // A foreign key refers to a unique one.
        let column = self
            .child_of
            .filter(|&column| unique.contains(&vec![column]));
        let column = self.child_of.map(|_| column.unwrap_or(ID));
        let parent = Table {
            unique: unique.clone(),
            foreign: None,
            referenced: None,
        };
        let Some(column) = column else {
            return Arc::new([parent]);
        };
        let parent = Table {
            referenced: Some((1, column)),
            ..parent
        };
        let child = Table {
            unique,
            foreign: Some((0, column)),
            referenced: None,
        };
        Arc::new([parent, child])
    }
}

/// As in life: more than a case of the model has.
pub(crate) const FOLD_FROM: usize = 256;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// A client's transaction.
    Client(Side, Vec<Do>),
    /// Time passes, in milliseconds.
    Wait(u16),
    /// The link that fills this node starts or stops.
    Link(Side, bool),
    /// It applies so many transactions.
    Apply(Side, u8),
    /// The agent reads so many transactions of this node's log.
    Read(Side, u8),
    /// It asks a node what it has executed.
    Ask(Side),
    /// It handles so many of the tracker's words.
    Judge(u8),
    /// It is killed, and started from a checkpoint: the last, the one before it, and so on.
    Kill(u8),
}

/// All of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) ops: Vec<Op>,
}

/// The model at some moment.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) pair: Pair,
    pub(crate) agent: Agent,
    policy: Policy,
}

/// Rounds of "apply all, read all, judge all" in which a pair must come to rest.
const ROUNDS: usize = 60;

impl Run {
    pub(crate) fn new(shape: &Shape) -> Self {
        let schema = shape.schema();
        let wire = Arc::new(Wire::new(&schema));
        let pair = Pair::new(schema, shape.flavour, shape.skew);
        let agent = Agent::new(&pair, wire, shape.policy.clone(), shape.fold_from);
        Self {
            pair,
            agent,
            policy: shape.policy.clone(),
        }
    }

    pub(crate) fn step(&mut self, op: &Op) -> Result<(), Violation> {
        let Self { pair, agent, .. } = self;
        match op {
            Op::Client(side, statements) => {
                pair.client(*side, statements);
            }
            Op::Wait(ms) => pair.now += u64::from(*ms) * 1000,
            Op::Link(side, on) => pair.nodes[side.index()].linked = *on,
            Op::Apply(side, times) => {
                for _ in 0..*times {
                    pair.apply(*side);
                }
            }
            Op::Read(side, times) => {
                for _ in 0..*times {
                    agent.read(pair, *side);
                }
                agent.pull(pair)?;
            }
            Op::Ask(side) => {
                agent.ask(pair, *side);
                agent.pull(pair)?;
            }
            Op::Judge(times) => {
                for _ in 0..*times {
                    agent.judge(pair)?;
                }
            }
            Op::Kill(back) => {
                let written = agent.checkpoints.len();
                let at = written.saturating_sub(1 + usize::from(*back));
                agent.restart(pair, Arc::clone(&agent.checkpoints[at]));
            }
        }
        Ok(())
    }

    /// What can only happen one way: a node that is asked answers.
    pub(crate) fn settle(&mut self) -> Result<(), Violation> {
        let Self { pair, agent, .. } = self;
        for side in Side::BOTH {
            if agent.has_read_all(pair, side) {
                agent.ask(pair, side);
            }
        }
        agent.pull(pair)
    }

    /// The agent reads all that is there.
    pub(crate) fn read_all(&mut self) -> Result<(), Violation> {
        for side in Side::BOTH {
            while self.agent.read(&self.pair, side) {}
        }
        self.settle()
    }

    /// Clients stop; links, agent and repairs come to rest.
    pub(crate) fn drain(&mut self) -> Result<(), Violation> {
        let Self { pair, agent, .. } = self;
        for _ in 0..ROUNDS {
            let mut moved = false;
            for side in Side::BOTH {
                pair.nodes[side.index()].linked = true;
                while pair.apply(side) {
                    moved = true;
                }
            }
            for side in Side::BOTH {
                while agent.read(pair, side) {
                    moved = true;
                }
                agent.ask(pair, side);
            }
            agent.pull(pair)?;
            while agent.judge(pair)? {
                moved = true;
            }
            if !moved && agent.is_idle(pair) {
                if !agent.parked.is_empty() {
                    return Err("a verdict waits for another in its place for ever".into());
                }
                return Ok(());
            }
        }
        Err(format!("no rest after {ROUNDS} rounds: {:?}", agent.counts))
    }

    /// The promises.
    pub(crate) fn verify(&self) -> Result<(), Violation> {
        history::verify(&self.pair, &self.agent, &self.policy)
    }
}

/// Runs a case to its end.
pub(crate) fn run(case: &Case) -> Result<Run, Violation> {
    let mut run = Run::new(&case.shape);
    let mut whole = || {
        for op in &case.ops {
            run.step(op)?;
        }
        run.drain()?;
        run.verify()?;
        latest_wins(case, &run)
    };
    match whole() {
        Ok(()) => Ok(run),
        Err(violation) => Err(format!("{violation}\n{}", run.pair)),
    }
}

/// Where nothing but the primary key can contend and every transaction changes one row, last-write-wins leaves the
/// latest commit of each row.
fn latest_wins(case: &Case, run: &Run) -> Result<(), Violation> {
    let pair = &run.pair;
    let simple = case.shape.policy == Policy::LastWriteWins
        && case.shape.flavour == Flavour::MySql
        && case.shape.skew == [0; 2]
        && pair.schema.len() == 1
        && pair.schema[0].unique.len() == 1;
    if !simple {
        return Ok(());
    }
    let clients: Vec<_> = pair
        .transactions
        .iter()
        .filter(|it| it.repair.is_none())
        .collect();
    let one_row = |it: &&crate::pair::Transaction| {
        let [change] = &it.changes[..] else {
            return false;
        };
        match (change.before, change.after) {
            (Some(before), Some(after)) => before[ID] == after[ID],
            _ => true,
        }
    };
    if !clients.iter().all(one_row) {
        return Ok(());
    }
    for transaction in &clients {
        let change = transaction.changes[0];
        let id = change.before.or(change.after).and_then(|row| row[ID]);
        let latest = clients
            .iter()
            .filter(|it| {
                it.changes[0]
                    .before
                    .or(it.changes[0].after)
                    .and_then(|row| row[ID])
                    == id
            })
            .max_by_key(|it| it.micros);
        let wanted = latest.and_then(|it| it.changes[0].after);
        let holds = pair.nodes[0].state.row(0, id.unwrap_or_default());
        if wanted != holds {
            return Err(format!(
                "row {id:?} is {holds:?}, the latest commit left {wanted:?}"
            ));
        }
    }
    Ok(())
}

/// Where clients only add to counters, `merge` keeps every addition.
pub(crate) fn sums(run: &Run) -> Result<(), Violation> {
    let pair = &run.pair;
    let mut sums = std::collections::BTreeMap::<Option<i32>, i32>::new();
    for transaction in pair.transactions.iter().filter(|it| it.repair.is_none()) {
        for change in transaction.changes.iter() {
            let (before, after) = (change.before, change.after.ok_or("a delete")?);
            let was = before.and_then(|row| row[COUNTER]).unwrap_or(0);
            *sums.entry(after[ID]).or_default() += after[COUNTER].unwrap_or(0) - was;
        }
    }
    for (id, sum) in sums {
        let holds = pair.nodes[0]
            .state
            .row(0, id.unwrap_or_default())
            .and_then(|row| row[COUNTER]);
        if holds != Some(sum) {
            return Err(format!(
                "the counter of row {id:?} is {holds:?}, clients added {sum}\n{pair}"
            ));
        }
    }
    Ok(())
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.episodes += other.episodes;
        self.unknown += other.unknown;
        self.repairs += other.repairs;
        self.again += other.again;
        self.for_a_person += other.for_a_person;
    }
}
