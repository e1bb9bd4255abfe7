//! All that can happen with a few transactions: every interleaving of commits, applying, reading and repairing.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use twinlog_converge::{Policy, Side};

use crate::{
    case::{FOLD_FROM, Op, Run, Shape},
    history::Violation,
    node::{Do, Set},
    pair::Flavour,
};

/// A client's transactions, one after the other.
pub(crate) type Script = Vec<Vec<Do>>;

/// When the agent reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// At any time.
    AtAnyTime,
    /// Whatever is there, at once; only when it judges is left to chance. To read changes nothing on the nodes, so what is
    /// left out are repairs by an agent that has not read what is there to be read.
    AtOnce,
}

/// A moment of the search.
#[derive(Clone)]
struct Moment {
    reads: Reads,
    run: Run,
    /// How much of each side's script is committed.
    committed: [usize; 2],
    path: Vec<Op>,
}

/// Goes through every interleaving of two scripts, after both nodes hold what `setup` writes. Returns how many
/// different moments there are.
pub(crate) fn explore(
    shape: &Shape,
    setup: &[Do],
    scripts: [&Script; 2],
    reads: Reads,
) -> Result<usize, Violation> {
    let mut run = Run::new(shape);
    run.pair.client(Side::A, setup);
    run.drain()?;
    let mut seen = HashSet::new();
    let mut left = vec![Moment {
        reads,
        run,
        committed: [0; 2],
        path: Vec::new(),
    }];
    while let Some(moment) = left.pop() {
        if !seen.insert(moment.fingerprint()) {
            continue;
        }
        let next = moment.next(scripts)?;
        if next.is_empty() {
            let verified = moment.run.verify();
            verified.map_err(|violation| moment.report(&violation))?;
        }
        left.extend(next);
    }
    Ok(seen.len())
}

impl Moment {
    /// What makes two moments the same, whichever way led there: what the nodes and their logs hold, what had seen
    /// what, how far all is, and what the agent has in hand.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.committed.hash(&mut hasher);
        self.run.pair.fingerprint(&mut hasher);
        self.run.agent.fingerprint(&mut hasher);
        hasher.finish()
    }

    /// All that can happen now.
    fn next(&self, scripts: [&Script; 2]) -> Result<Vec<Self>, Violation> {
        let mut next = Vec::new();
        for side in Side::BOTH {
            if let Some(statements) = scripts[side.index()].get(self.committed[side.index()]) {
                let mut moment = self.step(Op::Client(side, statements.clone()))?;
                moment.committed[side.index()] += 1;
                next.push(moment);
            }
            if self.run.pair.has_to_apply(side) {
                next.push(self.step(Op::Apply(side, 1))?);
            }
            let unread = !self.run.agent.has_read_all(&self.run.pair, side);
            if unread && self.reads == Reads::AtAnyTime {
                next.push(self.step(Op::Read(side, 1))?);
            }
        }
        if !self.run.agent.has_judged_all() {
            next.push(self.step(Op::Judge(1))?);
        }
        Ok(next)
    }

    fn step(&self, op: Op) -> Result<Self, Violation> {
        let mut moment = self.clone();
        let done = moment.run.step(&op).and_then(|()| match self.reads {
            Reads::AtAnyTime => moment.run.settle(),
            Reads::AtOnce => moment.run.read_all(),
        });
        moment.path.push(op);
        match done {
            Ok(()) => Ok(moment),
            Err(violation) => Err(moment.report(&violation)),
        }
    }

    fn report(&self, violation: &str) -> Violation {
        format!("{violation}\n{:#?}\n{}", self.path, self.run.pair)
    }
}

/// The transactions of which the scripts are made: two rows, all kinds of changes; those that meet most often first.
pub(crate) fn menu() -> Vec<Vec<Do>> {
    let update = |id| Do::Update {
        table: 0,
        id,
        set: Set {
            values: [true, false],
            ..Set::default()
        },
        keys: [0; 3],
        parent: 0,
    };
    let insert = |id| Do::Insert {
        table: 0,
        id,
        keys: [id, 0, 0],
        parent: 0,
        plain: false,
    };
    vec![
        vec![update(1)],
        vec![Do::Delete { table: 0, id: 1 }],
        vec![Do::Move {
            table: 0,
            id: 1,
            to: 2,
        }],
        vec![insert(1)],
        vec![update(1), update(2)],
        vec![insert(2)],
        vec![Do::Delete { table: 0, id: 2 }],
    ]
}

/// One table, a primary key and a unique key; the row 1 is there.
pub(crate) fn shape(flavour: Flavour) -> (Shape, Vec<Do>) {
    let shape = Shape {
        flavour,
        policy: Policy::LastWriteWins,
        secondary: vec![vec![1]],
        child_of: None,
        skew: [0; 2],
        fold_from: FOLD_FROM,
    };
    (
        shape,
        vec![Do::Insert {
            table: 0,
            id: 1,
            keys: [1, 0, 0],
            parent: 0,
            plain: false,
        }],
    )
}
