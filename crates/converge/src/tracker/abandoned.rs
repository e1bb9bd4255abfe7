//! Transactions that are not followed any more although the other node may still log them.

use std::collections::BTreeMap;

use twinlog_binlog::Gtid;
use xxhash_rust::xxh3::xxh3_128;

/// Sets of numbers, one for each source of GTIDs, as ranges: what is abandoned comes in runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Abandoned {
    /// The first and the last number of each range.
    ranges: BTreeMap<(u128, u64), u64>,
}

/// What one range takes.
const RANGE_BYTES: usize = 64;

impl Abandoned {
    pub(super) fn insert(&mut self, gtid: &Gtid) {
        let (source, number) = split(gtid);
        let before = self.ranges.range(..(source, number)).next_back();
        let before = before
            .filter(|((other, _), last)| *other == source && **last >= number.saturating_sub(1))
            .map(|(&(_, first), &last)| (first, last));
        let (first, mut last) = before.unwrap_or((number, number));
        last = last.max(number);
        if let Some(after) = last.checked_add(1)
            && let Some(further) = self.ranges.remove(&(source, after))
        {
            last = further;
        }
        self.ranges.insert((source, first), last);
    }

    pub(super) fn contains(&self, gtid: &Gtid) -> bool {
        if self.ranges.is_empty() {
            return false;
        }
        let (source, number) = split(gtid);
        let at = self.ranges.range(..=(source, number)).next_back();
        at.is_some_and(|((other, _), last)| *other == source && *last >= number)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.ranges.len() * RANGE_BYTES
    }
}

fn split(gtid: &Gtid) -> (u128, u64) {
    match gtid {
        Gtid::MySql {
            uuid,
            tag,
            sequence,
        } => {
            let tag = tag.as_deref().unwrap_or_default();
            (xxh3_128(&[uuid, tag.as_bytes()].concat()), *sequence)
        }
        Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        } => {
            let source = (u64::from(*domain) << 32) | u64::from(*server_id);
            (u128::from(source), *sequence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_take_one_range_whatever_their_order() {
        let gtid = |domain, sequence| Gtid::MariaDb {
            domain,
            server_id: 1,
            sequence,
        };
        let mut set = Abandoned::default();
        for number in [5, 3, 4, 1, 9, 2, 8, 5] {
            set.insert(&gtid(0, number));
            set.insert(&gtid(1, number + 1));
        }
        assert_eq!(set.ranges.len(), 4);
        for number in 0..12 {
            let expected = (1..=5).contains(&number) || (8..=9).contains(&number);
            assert_eq!(set.contains(&gtid(0, number)), expected, "{number}");
            assert_eq!(set.contains(&gtid(1, number + 1)), expected, "{number}");
            assert!(!set.contains(&gtid(2, number)));
        }
    }
}
