//! What the agent compares when: a pure function of what is known.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// What stands for all tables.
pub(crate) const ALL: &str = "*.*";
/// A table is compared when nothing has named it for so long: what cannot be followed comes in bursts.
const QUIET: SignedDuration = SignedDuration::from_secs(5);
/// It is not waited longer for that.
const QUIET_MAX: SignedDuration = SignedDuration::from_secs(60);
/// Where no agent has compared all tables yet, one does so after this time: a start is busy enough.
const FIRST: SignedDuration = SignedDuration::from_mins(10);
/// A comparison of all tables that has gone on for longer is not interrupted for a table that was named: within a day it
/// could not be gone on with any more.
const INTERRUPTED_MAX: SignedDuration = SignedDuration::from_hours(20);

/// What is compared rests for so many times as long as it took, at least [`REST_MIN`], or [`REST_DIFFERS`] where it differs:
/// somebody has to mend it first.
const REST_FACTOR: i32 = 4;
const REST_MIN: SignedDuration = SignedDuration::from_mins(1);
const REST_DIFFERS: SignedDuration = SignedDuration::from_mins(10);
/// After a comparison that came to no end, the first time; each is twice the one before.
const FAILED_MIN: SignedDuration = SignedDuration::from_mins(1);
const FAILED_MAX: SignedDuration = SignedDuration::from_hours(1);

/// From when to when a comparison went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

impl Ran {
    fn took(self) -> SignedDuration {
        self.ended.duration_since(self.began)
    }
}

/// A table, or a pattern of tables, that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// When that was first said.
    pub(crate) first: Timestamp,
    /// When it was last said.
    pub(crate) last: Timestamp,
    /// Not to be compared before.
    pub(crate) not_before: Timestamp,
}

impl Wanted {
    fn due(&self) -> Timestamp {
        later(self.last, QUIET)
            .min(later(self.first, QUIET_MAX))
            .max(self.not_before)
    }
}

/// What is known.
#[derive(Debug)]
pub(crate) struct Known {
    /// How often all tables are compared.
    pub(crate) every: SignedDuration,
    /// Since when this agent is at work.
    pub(crate) started: Timestamp,
    /// The last comparison of all tables that came to its end.
    pub(crate) last: Option<Ran>,
    /// Whether one was cut off that can be gone on with.
    pub(crate) is_cut_off: bool,
    /// All tables are not to be compared before.
    pub(crate) not_before: Timestamp,
    /// What was named.
    pub(crate) wanted: BTreeMap<String, Wanted>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, for now.
    Nothing,
    /// Compare what is like this, because it was named.
    Named(String),
    /// Compare all tables, because it is time.
    All,
}

impl Known {
    /// When all tables are to be compared next: so often from begin to begin, and never without a rest as long as the last
    /// took.
    pub(crate) fn all_at(&self) -> Timestamp {
        let due = match self.last {
            _ if self.is_cut_off => self.started,
            Some(ran) => later(ran.began, self.every.max(ran.took() * 2)),
            None => later(self.started, self.every.min(FIRST)),
        };
        due.max(self.not_before)
    }

    /// What is due, the longest due first; what was named before all.
    pub(crate) fn next(&self, now: Timestamp) -> Next {
        let named = self
            .wanted
            .iter()
            .map(|(what, wanted)| (wanted.due(), what));
        match named.min() {
            Some((due, what)) if due <= now => Next::Named(what.clone()),
            _ if self.all_at() <= now => Next::All,
            _ => Next::Nothing,
        }
    }

    /// Whether a comparison of all tables by the schedule, which began then, gives way to what was named.
    pub(crate) fn gives_way(&self, began: Timestamp, now: Timestamp) -> bool {
        now.duration_since(began) < INTERRUPTED_MAX && matches!(self.next(now), Next::Named(_))
    }
}

/// When what was compared may be compared again.
pub(crate) fn rested(ran: Ran, is_equal: bool) -> Timestamp {
    let least = if is_equal { REST_MIN } else { REST_DIFFERS };
    later(ran.ended, least.max(ran.took() * REST_FACTOR))
}

/// When to try again after so many comparisons, one after the other, that came to no end.
pub(crate) fn tried_again(failed: Timestamp, times: u32) -> Timestamp {
    let doubled = FAILED_MIN * 2_i32.pow(times.saturating_sub(1).min(10));
    later(failed, doubled.min(FAILED_MAX))
}

/// The end of time where that is passed.
fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn ran(began: i64, ended: i64) -> Ran {
        Ran {
            began: at(began),
            ended: at(ended),
        }
    }

    fn known(last: Option<Ran>, wanted: &[(&str, [i64; 3])]) -> Known {
        let wanted = wanted.iter().map(|(what, [first, last, not_before])| {
            let wanted = Wanted {
                first: at(*first),
                last: at(*last),
                not_before: at(*not_before),
            };
            ((*what).to_owned(), wanted)
        });
        Known {
            every: SignedDuration::from_secs(DAY),
            started: at(1000),
            last,
            is_cut_off: false,
            not_before: at(0),
            wanted: wanted.collect(),
        }
    }

    #[test]
    fn all_tables_are_compared_from_begin_to_begin() {
        let known = known(Some(ran(500, 900)), &[]);
        assert_eq!(known.next(at(500 + DAY - 1)), Next::Nothing);
        assert_eq!(known.next(at(500 + DAY)), Next::All);
    }

    #[test]
    fn the_first_comes_soon_after_a_start_and_a_long_one_is_followed_by_a_rest() {
        assert_eq!(known(None, &[]).all_at(), at(1000 + 600));
        let often = Known {
            every: SignedDuration::from_secs(30),
            ..known(None, &[])
        };
        assert_eq!(often.all_at(), at(1030));
        let slow = known(Some(ran(0, 2 * DAY)), &[]);
        assert_eq!(slow.all_at(), at(4 * DAY));
        let failed = Known {
            not_before: at(9 * DAY),
            ..slow
        };
        assert_eq!(failed.all_at(), at(9 * DAY));
        let cut_off = Known {
            is_cut_off: true,
            ..known(None, &[])
        };
        assert_eq!(cut_off.all_at(), at(1000));
    }

    #[test]
    fn what_was_named_goes_first_when_it_is_quiet() {
        let named = known(
            None,
            &[("shop.t", [2000, 2030, 0]), ("shop.u", [2010, 2010, 0])],
        );
        assert_eq!(named.next(at(2014)), Next::All);
        assert_eq!(named.next(at(2015)), Next::Named("shop.u".to_owned()));
        let one = known(None, &[("shop.t", [2000, 2030, 0])]);
        assert_eq!(one.next(at(2035)), Next::Named("shop.t".to_owned()));
        // It is named again and again.
        let restless = known(None, &[("shop.t", [2000, 2060, 0])]);
        assert_eq!(restless.next(at(2060)), Next::Named("shop.t".to_owned()));
        let rests = known(Some(ran(1, 2)), &[("shop.t", [2000, 2000, 3000])]);
        assert_eq!(rests.next(at(2999)), Next::Nothing);
        assert_eq!(rests.next(at(3000)), Next::Named("shop.t".to_owned()));
    }

    #[test]
    fn the_schedule_gives_way_to_what_was_named_while_it_can_be_gone_on_with() {
        let named = known(None, &[("shop.t", [2000, 2000, 0])]);
        assert!(!named.gives_way(at(1900), at(2004)));
        assert!(named.gives_way(at(1900), at(2005)));
        assert!(!named.gives_way(at(1900), at(1900 + 20 * 3600)));
        assert!(!known(None, &[]).gives_way(at(1900), at(90_000)));
    }

    #[test]
    fn what_was_compared_rests() {
        assert_eq!(rested(ran(0, 10), true), at(70));
        assert_eq!(rested(ran(0, 100), true), at(500));
        assert_eq!(rested(ran(0, 100), false), at(700));
        assert_eq!(rested(ran(0, 1000), false), at(5000));
        let tries = [1, 2, 5, 7, 99].map(|times| tried_again(at(0), times));
        assert_eq!(tries, [60, 120, 960, 3600, 3600].map(at));
    }
}
