//! Sets of transaction numbers, kept as ranges.

use std::fmt;

/// A set of transaction numbers from 1 on: ranges with both ends included, ascending, never touching each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Intervals(Vec<(u64, u64)>);

impl Intervals {
    /// Adds `first..=last`; an inverted range adds nothing, as on the server.
    pub(super) fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        // Ranges that overlap or touch the new one form one run, because the list is ascending.
        let from = self
            .0
            .partition_point(|&(_, end)| end.saturating_add(1) < first);
        let to = self
            .0
            .partition_point(|&(start, _)| start <= last.saturating_add(1));
        let merged = match self.0.get(from..to) {
            Some([]) | None => (first, last),
            Some(run) => (first.min(run[0].0), last.max(run[run.len() - 1].1)),
        };
        self.0.splice(from..to, [merged]);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges, ascending, both ends included.
    pub(super) fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many numbers; stops at `u64::MAX`.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, &(first, last)| {
            sum.saturating_add(last - first).saturating_add(1)
        })
    }

    pub(super) fn has(&self, number: u64) -> bool {
        let at = self.0.partition_point(|&(_, end)| end < number);
        self.0.get(at).is_some_and(|&(start, _)| start <= number)
    }

    pub(super) fn union(&self, other: &Intervals) -> Intervals {
        let mut sum = self.clone();
        for &(first, last) in &other.0 {
            sum.insert(first, last);
        }
        sum
    }

    pub(super) fn intersect(&self, other: &Intervals) -> Intervals {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) <= b.min(d) {
                common.push((a.max(c), b.min(d)));
            }
            if b < d {
                left.next()
            } else {
                right.next()
            };
        }
        Intervals(common)
    }

    pub(super) fn subtract(&self, other: &Intervals) -> Intervals {
        let mut rest = Vec::new();
        for &(first, last) in &self.0 {
            let from = other.0.partition_point(|&(_, end)| end < first);
            // What of this range is still uncut; `None` once a cut reached its end.
            let mut next = Some(first);
            for &(start, end) in other.0[from..]
                .iter()
                .take_while(|&&(start, _)| start <= last)
            {
                if let Some(first) = next.filter(|&first| first < start) {
                    rest.push((first, start - 1));
                }
                next = end.checked_add(1).filter(|&first| first <= last);
            }
            if let Some(first) = next {
                rest.push((first, last));
            }
        }
        Intervals(rest)
    }
}

impl fmt::Display for Intervals {
    /// `1-5:7`, as between a server's UUID and the next tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ranges() -> impl Strategy<Value = Vec<(u64, u64)>> {
        proptest::collection::vec(
            (1u64..60, 0u64..9).prop_map(|(first, more)| (first, first + more)),
            0..12,
        )
    }

    fn build(ranges: &[(u64, u64)]) -> Intervals {
        let mut set = Intervals::default();
        for &(first, last) in ranges {
            set.insert(first, last);
        }
        set
    }

    fn model(ranges: &[(u64, u64)]) -> BTreeSet<u64> {
        ranges
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .collect()
    }

    fn members(set: &Intervals) -> BTreeSet<u64> {
        model(&set.0)
    }

    fn well_formed(set: &Intervals) -> bool {
        set.0.iter().all(|(first, last)| first <= last)
            && set.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0)
    }

    #[test]
    fn the_greatest_numbers() {
        let all = build(&[(1, u64::MAX)]);
        assert_eq!(all.count(), u64::MAX);
        assert!(all.subtract(&all).is_empty());
        assert!(build(&[(u64::MAX, u64::MAX)]).subtract(&all).is_empty());
        assert_eq!(build(&[(u64::MAX, u64::MAX), (1, u64::MAX - 1)]), all);
    }

    proptest! {
        #[test]
        fn like_a_set_of_numbers(left in ranges(), right in ranges(), number in 1u64..70) {
            let (a, b) = (build(&left), build(&right));
            let (x, y) = (model(&left), model(&right));
            let results = [
                (a.union(&b), &x | &y),
                (a.intersect(&b), &x & &y),
                (a.subtract(&b), &x - &y),
            ];
            for (set, expected) in results {
                prop_assert!(well_formed(&set), "{:?}", set);
                prop_assert_eq!(members(&set), expected);
            }
            prop_assert_eq!(a.count(), x.len() as u64);
            prop_assert_eq!(a.has(number), x.contains(&number));
        }
    }
}
