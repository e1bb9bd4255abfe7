//! When `--once` is done.

use twinlog_converge::Side;
use twinlog_server::gtid::{self, GtidSet};

use super::sounding::Sounding;

/// How often new repairs may lead to another round: a repair is a write, and may meet a client's.
const ROUNDS_MAX: u32 = 1000;

/// Follows a drain: all that both nodes had executed at some moment is settled, and if that led to repairs, those are
/// settled too.
#[derive(Debug, Default)]
pub(super) struct Target {
    logged: [Option<GtidSet>; 2],
    repaired_before: u64,
    rounds: u32,
}

impl Target {
    /// A node says how far its log goes; the first time of each round counts.
    pub(super) fn note(&mut self, sounding: &Sounding) {
        self.logged[sounding.side.index()].get_or_insert_with(|| sounding.standing.logged.clone());
    }

    /// Whether the drain is done. `is_settled` tells whether a node's log is settled so far, `repaired` is how many repairs
    /// were made so far.
    pub(super) fn is_reached(
        &mut self,
        is_settled: impl Fn(Side, &GtidSet) -> Result<bool, gtid::Error>,
        repaired: u64,
    ) -> Result<bool, gtid::Error> {
        for side in Side::BOTH {
            match &self.logged[side.index()] {
                Some(logged) if is_settled(side, logged)? => {}
                _ => return Ok(false),
            }
        }
        self.rounds += 1;
        if repaired == self.repaired_before || self.rounds >= ROUNDS_MAX {
            return Ok(true);
        }
        self.repaired_before = repaired;
        self.logged = [None, None];
        Ok(false)
    }
}
