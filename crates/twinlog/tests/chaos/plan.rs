//! What is done to the pair, from a seed alone: rounds, the faults in them, and each client's transactions.
//!
//! The plan is the same whenever the seed is; how far the clients get with it, and what runs at the same moment, is up
//! to the machine.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::transactions::{Maker, Transaction};

/// One of the two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    A,
    B,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(crate) fn name(self) -> &'static str {
        ["a", "b"][self.index()]
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Load, then quiet, then judgement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Round {
    pub(crate) number: u64,
    /// Who writes; one side alone may cause no conflict.
    pub(crate) writers: Vec<Side>,
    pub(crate) load: Duration,
    pub(crate) faults: Vec<Fault>,
    seed: u64,
}

/// Something goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fault {
    /// After the round's begin.
    pub(crate) at: Duration,
    /// How long it stays wrong.
    pub(crate) lasts: Duration,
    pub(crate) what: What,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// `STOP REPLICA` on that side.
    LinkStopped(Side),
    /// Only the applier is stopped.
    ApplierStopped(Side),
    /// The replica on that side loses its connection to the peer, and finds no other.
    NetworkCut(Side),
    /// The connection stays, and nothing comes through.
    NetworkStalled(Side),
    /// SIGKILL; another one is started afterwards.
    AgentKilled,
    /// The agent's connections to that node are killed.
    AgentCutOff(Side),
    /// SIGKILL; `twinlog up` afterwards.
    ServerKilled(Side),
    /// A client holds the locks of many rows.
    RowsLocked(Side),
    /// A new binary log file.
    LogRotated(Side),
}

/// The rounds of a seed, without end.
pub(crate) fn rounds(seed: u64) -> impl Iterator<Item = Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    (1..).map(move |number| round(&mut rng, number))
}

fn round(rng: &mut StdRng, number: u64) -> Round {
    // Every third round has one writer, by turns.
    let writers = match number % 6 {
        2 => vec![Side::A],
        5 => vec![Side::B],
        _ => Side::BOTH.to_vec(),
    };
    let seconds = if writers.len() == 2 { 6..=10 } else { 2..=4 };
    let load = Duration::from_secs(rng.random_range(seconds));
    let mut faults: Vec<Fault> = (0..rng.random_range(2..=5))
        .map(|_| fault(rng, load))
        .collect();
    // Both links stand still at the same time: what both sides write meanwhile is concurrent.
    if writers.len() == 2 && rng.random_bool(0.6) {
        let at = load.mul_f64(rng.random_range(0.0..0.3));
        let lasts = load.mul_f64(rng.random_range(0.2..0.7));
        faults.extend(Side::BOTH.map(|side| Fault {
            at,
            lasts,
            what: What::LinkStopped(side),
        }));
    }
    faults.sort_by_key(|fault| fault.at);
    Round {
        number,
        writers,
        load,
        faults,
        seed: rng.random(),
    }
}

fn fault(rng: &mut StdRng, load: Duration) -> Fault {
    let side = Side::BOTH[rng.random_range(0..2)];
    let what = match rng.random_range(0..100) {
        0..20 => What::LinkStopped(side),
        20..30 => What::ApplierStopped(side),
        30..45 => What::NetworkCut(side),
        45..55 => What::NetworkStalled(side),
        55..70 => What::AgentKilled,
        70..78 => What::AgentCutOff(side),
        78..86 => What::ServerKilled(side),
        86..94 => What::RowsLocked(side),
        _ => What::LogRotated(side),
    };
    Fault {
        at: load.mul_f64(rng.random_range(0.0..0.8)),
        lasts: load.mul_f64(rng.random_range(0.02..0.3)),
        what,
    }
}

impl Round {
    /// The transactions of a client of one side, without end.
    pub(crate) fn transactions(
        &self,
        side: Side,
        client: u64,
    ) -> impl Iterator<Item = Transaction> + use<> {
        let number = client * 2 + side.index() as u64;
        let seed = self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut maker = Maker::new(seed, side);
        std::iter::from_fn(move || Some(maker.transaction()))
    }
}

/// The plan of a seed is always the same, and has both kinds of rounds.
pub(crate) fn self_test() {
    let two = [0, 1].map(|_| rounds(7).take(12).collect::<Vec<_>>());
    assert_eq!(two[0], two[1]);
    let [round, ..] = two[0].as_slice() else {
        panic!("no rounds")
    };
    let two = [0, 1].map(|_| round.transactions(Side::B, 2).take(50).collect::<Vec<_>>());
    assert_eq!(two[0], two[1]);
    let other = round.transactions(Side::A, 2).take(50).collect::<Vec<_>>();
    assert_ne!(two[0], other);
}
