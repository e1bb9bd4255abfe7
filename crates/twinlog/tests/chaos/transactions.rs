//! What a client does, from a seed alone.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::plan::Side;
use crate::schema::{Policy, Shape, Table, tables};

/// Rows of the small ranges: few, so that both sides meet.
const ITEMS: u32 = 16;
const CODES: u32 = 8;
const SLOTS: u32 = 10;
const PARENTS: u32 = 6;
const CHILDREN: u32 = 12;
pub(crate) const COUNTERS: u32 = 5;
const SOLO: u32 = 20;
/// Rows of shared tables that only one side writes: a's from here, b's from [`OWN_STEP`] later.
const OWN_FROM: u32 = 1000;
const OWN_STEP: u32 = 1000;
const OWN: u32 = 4;

/// A client's transaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) steps: Vec<Step>,
    /// Between the steps, with the locks held.
    pub(crate) pause: Duration,
    /// After it.
    pub(crate) rest: Duration,
    /// Whether it notes itself in the journal, so that a lost answer does not leave it in doubt.
    pub(crate) journal: bool,
    pub(crate) end: End,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    Rollback,
    /// The client hangs up when it has asked for the commit.
    HangUp,
}

/// A statement, on the table of that index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Insert {
        table: usize,
        id: u32,
        with: With,
    },
    Replace {
        table: usize,
        id: u32,
        with: With,
    },
    Update {
        table: usize,
        id: u32,
        set: Set,
    },
    UpdateRange {
        table: usize,
        from: u32,
        to: u32,
    },
    Delete {
        table: usize,
        id: u32,
    },
    DeleteRange {
        table: usize,
        from: u32,
        to: u32,
    },
    /// A parent with all its children.
    DeleteFamily {
        parent: usize,
        child: usize,
        id: u32,
    },
}

/// The columns of an inserted row that are there to collide; each shape of table takes those that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct With {
    pub(crate) code: Option<String>,
    pub(crate) place: (u32, u32),
    pub(crate) parent: u32,
}

/// What an update changes. All but `Only` write new marks into all columns that carry some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Set {
    /// One of the columns with marks, by its number among them.
    Only(usize),
    Marks,
    Id(u32),
    Code(Option<String>),
    Place(u32, u32),
    Parent(u32),
    /// Adds to a counter; `note` also marks it.
    Add {
        delta: i64,
        note: bool,
    },
}

impl Step {
    /// Whether only this side writes what the step writes.
    pub(crate) fn is_solo(&self, tables: &[Table]) -> bool {
        match self {
            Self::Insert { table, id, .. }
            | Self::Replace { table, id, .. }
            | Self::Update { table, id, .. }
            | Self::Delete { table, id } => tables[*table].shape == Shape::Solo || *id >= OWN_FROM,
            Self::UpdateRange { .. } | Self::DeleteRange { .. } | Self::DeleteFamily { .. } => {
                false
            }
        }
    }
}

/// Makes the transactions of a client.
pub(crate) struct Maker {
    rng: StdRng,
    tables: Vec<Table>,
    side: Side,
}

impl Maker {
    pub(crate) fn new(seed: u64, side: Side) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            tables: tables(),
            side,
        }
    }

    pub(crate) fn transaction(&mut self) -> Transaction {
        let steps = match self.rng.random_range(0..10) {
            0..6 => 1,
            6..9 => self.rng.random_range(2..=3),
            _ => self.rng.random_range(4..=8),
        };
        let steps = (0..steps).map(|_| self.step()).collect();
        let pause = match self.rng.random_range(0..100) {
            0..90 => 0,
            90..99 => self.rng.random_range(1..=20),
            _ => self.rng.random_range(50..=400),
        };
        Transaction {
            steps,
            pause: Duration::from_millis(pause),
            rest: Duration::from_millis(self.rng.random_range(0..=30)),
            journal: self.rng.random_bool(0.2),
            end: match self.rng.random_range(0..100) {
                0..95 => End::Commit,
                95..98 => End::Rollback,
                _ => End::HangUp,
            },
        }
    }

    fn step(&mut self) -> Step {
        let policy = Policy::ALL[self.rng.random_range(0..Policy::ALL.len())];
        match self.rng.random_range(0..100) {
            0..45 => self.items_step(policy),
            45..65 => self.family_step(policy),
            65..80 => {
                let note = self.rng.random_bool(0.3);
                Step::Update {
                    table: self.find(Shape::Counters, "counters_merge"),
                    id: self.rng.random_range(1..=COUNTERS),
                    set: Set::Add {
                        delta: self.rng.random_range(1..=3),
                        note,
                    },
                }
            }
            80..90 => {
                let name = format!("solo_{}", self.side.name());
                let table = self.find(Shape::Solo, &name);
                self.row_step(table, 1, SOLO)
            }
            _ => {
                let table = self.find(Shape::Items, &format!("items_{}", policy.suffix()));
                let from = OWN_FROM + OWN_STEP * self.side.index() as u32;
                self.row_step(table, from, OWN)
            }
        }
    }

    fn find(&self, shape: Shape, name: &str) -> usize {
        let found = self
            .tables
            .iter()
            .position(|table| table.shape == shape && table.name == name);
        found.unwrap_or_else(|| panic!("no table {name}"))
    }

    fn items_step(&mut self, policy: Policy) -> Step {
        let table = self.find(Shape::Items, &format!("items_{}", policy.suffix()));
        if self.rng.random_bool(0.05) {
            let from = self.rng.random_range(1..=ITEMS);
            let to = (from + self.rng.random_range(1..=4)).min(ITEMS);
            return if self.rng.random_bool(0.2) {
                Step::DeleteRange { table, from, to }
            } else {
                Step::UpdateRange { table, from, to }
            };
        }
        self.row_step(table, 1, ITEMS)
    }

    /// A step on a row of a table, among `rows` rows from `from` on; on other values of its other keys than others use.
    fn row_step(&mut self, table: usize, from: u32, rows: u32) -> Step {
        let id = from + self.rng.random_range(0..rows);
        let with = self.with(from);
        match self.rng.random_range(0..100) {
            0..30 => Step::Insert { table, id, with },
            30..35 => Step::Replace { table, id, with },
            35..45 => Step::Delete { table, id },
            roll => {
                let set = match roll {
                    45..58 => Set::Only(0),
                    58..70 => Set::Only(1),
                    70..76 => Set::Marks,
                    76..85 => Set::Id(from + self.rng.random_range(0..rows)),
                    85..93 => Set::Code(with.code),
                    _ => Set::Place(with.place.0, with.place.1),
                };
                Step::Update { table, id, set }
            }
        }
    }

    fn with(&mut self, from: u32) -> With {
        let letter = if self.rng.random_bool(0.8) { 'k' } else { 'K' };
        let number = from + self.rng.random_range(0..CODES);
        With {
            code: self
                .rng
                .random_bool(0.7)
                .then(|| format!("{letter}{number}")),
            place: (
                from + self.rng.random_range(0..2),
                self.rng.random_range(1..=SLOTS),
            ),
            parent: self.rng.random_range(1..=PARENTS),
        }
    }

    fn family_step(&mut self, policy: Policy) -> Step {
        let parent = self.find(Shape::Parent, &format!("parent_{}", policy.suffix()));
        let child = self.find(Shape::Child, &format!("child_{}", policy.suffix()));
        let mother = self.rng.random_range(1..=PARENTS);
        let baby = self.rng.random_range(1..=CHILDREN);
        let with = self.with(1);
        match self.rng.random_range(0..100) {
            0..25 => Step::Insert {
                table: parent,
                id: mother,
                with,
            },
            25..35 => Step::Update {
                table: parent,
                id: mother,
                set: Set::Marks,
            },
            35..42 => Step::DeleteFamily {
                parent,
                child,
                id: mother,
            },
            42..50 => Step::Delete {
                table: parent,
                id: mother,
            },
            50..72 => Step::Insert {
                table: child,
                id: baby,
                with,
            },
            72..82 => Step::Update {
                table: child,
                id: baby,
                set: Set::Parent(with.parent),
            },
            82..92 => Step::Update {
                table: child,
                id: baby,
                set: Set::Marks,
            },
            _ => Step::Delete {
                table: child,
                id: baby,
            },
        }
    }
}
