//! A transaction's changes one by one: for the few that someone has to look at.

use std::sync::Arc;

use twinlog_binlog::{OwnedImage, RowError, Rows};

use super::{
    key::{KeyHash, Kind, SpreadMap},
    table::{Plan, Scratch, TableId, Tables},
    transaction::TxId,
};
use crate::Side;

/// One row changed.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) table: TableId,
    pub(super) plan: Arc<Plan>,
    pub(super) before: Option<(KeyHash, OwnedImage)>,
    pub(super) after: Option<(KeyHash, OwnedImage)>,
    pub(super) touched: Vec<(KeyHash, Kind)>,
}

impl Step {
    /// Whether both leave the same row.
    fn leaves_same(&self, other: &Self) -> bool {
        match (&self.after, &other.after) {
            (Some(mine), Some(other)) => mine.0 == other.0 && same_row(&mine.1, &other.1),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether it took a row that then was no more, or had another key.
    fn takes(&self) -> Option<KeyHash> {
        let (before, _) = self.before.as_ref()?;
        let stays = self
            .after
            .as_ref()
            .is_some_and(|(after, _)| after == before);
        (!stays).then_some(*before)
    }
}

/// Whether two images are known to be the same row.
pub(super) fn same_row(one: &OwnedImage, other: &OwnedImage) -> bool {
    // What cannot be read is not known to be the same.
    one.as_image()
        .same_values(&other.as_image())
        .unwrap_or(false)
}

/// Changes of one transaction that are tied to each other by keys, in both logs: what is judged as one.
#[derive(Debug, Clone, Default)]
pub(super) struct Atom {
    pub(super) keys: Vec<(KeyHash, Kind)>,
    /// Positions in [`Steps::of`] of each log.
    pub(super) steps: [Vec<usize>; 2],
    /// Whether both logs end in the same rows.
    pub(super) clean: bool,
    /// It was judged.
    pub(super) done: bool,
    /// It was judged, in the episode of that number, and stays until that is resolved.
    pub(super) kept: Option<u64>,
    /// What it was found to wait for.
    pub(super) parked: Option<Parked>,
}

/// What an atom waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parked {
    /// Until this transaction is settled, if it has that serial.
    pub(super) on: TxId,
    pub(super) serial: u64,
    /// The key on which that transaction must be judged before, or together.
    pub(super) via: Option<KeyHash>,
}

/// All changes of one transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    logs: [Vec<Step>; 2],
    same: bool,
    pub(super) atoms: Vec<Atom>,
    /// The atoms that touch a key and are not done.
    pub(super) touching: SpreadMap<KeyHash, Vec<(usize, Kind)>>,
}

impl Steps {
    /// Takes both logs' rows apart. Tables that are not followed for a transaction with this serial are left out.
    pub(super) fn new(
        rows: [&[Rows]; 2],
        same: bool,
        serial: u64,
        tables: &mut Tables,
        scratch: &mut Scratch,
    ) -> Self {
        let mut steps = Self {
            logs: [
                take_apart(rows[0], serial, tables, scratch),
                if same {
                    Vec::new()
                } else {
                    take_apart(rows[1], serial, tables, scratch)
                },
            ],
            same,
            ..Self::default()
        };
        steps.tie();
        steps
    }

    /// The changes that a log has.
    pub(super) fn of(&self, log: Side) -> &[Step] {
        match log {
            Side::B if !self.same => &self.logs[1],
            _ => &self.logs[0],
        }
    }

    /// Where there is one change in a log, it began with this.
    pub(super) fn begin_with(&mut self, log: Side, before: Option<(KeyHash, OwnedImage)>) {
        let at = if self.same { 0 } else { log.index() };
        if let ([step], Some(before)) = (&mut self.logs[at][..], before) {
            step.before = Some(before);
        }
    }

    /// Makes atoms of changes that have a key in common, unless all only refer to it.
    fn tie(&mut self) {
        let all = || Side::BOTH.into_iter().take(if self.same { 1 } else { 2 });
        let mut sets = Sets::default();
        let mut owner: SpreadMap<KeyHash, (usize, Kind)> = SpreadMap::default();
        for pass in [Kind::Existence, Kind::Update, Kind::Reference] {
            let mut at = 0;
            for log in all() {
                for step in &self.logs[log.index()] {
                    sets.grow(at);
                    for &(key, kind) in step.touched.iter().filter(|(_, kind)| *kind == pass) {
                        match owner.get(&key) {
                            Some(&(other, other_kind)) if kind.contends(other_kind) => {
                                sets.join(at, other);
                            }
                            Some(_) => {}
                            None => {
                                owner.insert(key, (at, kind));
                            }
                        }
                    }
                    at += 1;
                }
            }
        }
        let mut atom_of: SpreadMap<usize, usize> = SpreadMap::default();
        let mut at = 0;
        for log in all() {
            for (position, step) in self.logs[log.index()].iter().enumerate() {
                let root = sets.root(at);
                at += 1;
                let atom = *atom_of.entry(root).or_insert_with(|| {
                    self.atoms.push(Atom::default());
                    self.atoms.len() - 1
                });
                self.atoms[atom].steps[log.index()].push(position);
                for &(key, kind) in &step.touched {
                    let touching = self.touching.entry(key).or_default();
                    match touching.iter_mut().find(|(other, _)| *other == atom) {
                        Some(old) => old.1 = old.1.max(kind),
                        None => touching.push((atom, kind)),
                    }
                }
            }
        }
        for (&key, atoms) in &self.touching {
            for &(atom, kind) in atoms {
                self.atoms[atom].keys.push((key, kind));
            }
        }
        for at in 0..self.atoms.len() {
            // The map's order is not one to show.
            self.atoms[at].keys.sort_unstable();
            if self.same {
                self.atoms[at].steps[1] = self.atoms[at].steps[0].clone();
            }
            let clean = self.same || self.is_clean(&self.atoms[at]);
            self.atoms[at].clean = clean;
        }
    }

    fn is_clean(&self, atom: &Atom) -> bool {
        let [a, b] = &atom.steps;
        a.len() == b.len()
            && a.iter().zip(b).all(|(&a, &b)| {
                let (a, b) = (&self.logs[0][a], &self.logs[1][b]);
                a.leaves_same(b) && a.takes() == b.takes()
            })
    }
}

/// A forest of sets of numbers.
#[derive(Debug, Clone, Default)]
struct Sets(Vec<usize>);

impl Sets {
    fn grow(&mut self, to: usize) {
        while self.0.len() <= to {
            self.0.push(self.0.len());
        }
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}

fn take_apart(rows: &[Rows], serial: u64, tables: &mut Tables, scratch: &mut Scratch) -> Vec<Step> {
    let mut steps = Vec::new();
    for rows in rows {
        let (table, plan) = tables.plan(&rows.table);
        let Some(plan) = plan.filter(|plan| plan.names_rows()) else {
            continue;
        };
        if tables.get(table).since > serial {
            continue;
        }
        // What cannot be read was said when the transaction came in.
        let _ = take_rows(rows, table, &plan, serial, tables, scratch, &mut steps);
    }
    steps
}

fn take_rows(
    rows: &Rows,
    table: TableId,
    plan: &Arc<Plan>,
    serial: u64,
    tables: &Tables,
    scratch: &mut Scratch,
    steps: &mut Vec<Step>,
) -> Result<(), RowError> {
    for change in rows {
        let change = change?;
        let mut touched: Vec<(KeyHash, Kind)> = Vec::new();
        plan.touched(&change, scratch, |touch| {
            if tables.get(touch.table).since > serial {
                return;
            }
            match touched.iter_mut().find(|(key, _)| *key == touch.key) {
                Some(old) => old.1 = old.1.max(touch.kind),
                None => touched.push((touch.key, touch.kind)),
            }
        })?;
        let mut named = |image: Option<twinlog_binlog::Image<'_>>| {
            let Some(image) = image else {
                return Ok(None);
            };
            let key = plan.row_key(&image, scratch)?;
            Ok::<_, RowError>(key.map(|key| (key, image.to_owned())))
        };
        let (before, after) = (named(change.before)?, named(change.after)?);
        if before.is_some() == change.before.is_some() && after.is_some() == change.after.is_some()
        {
            steps.push(Step {
                table,
                plan: Arc::clone(plan),
                before,
                after,
                touched,
            });
        }
    }
    Ok(())
}
