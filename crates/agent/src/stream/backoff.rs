//! How long to wait before the next attempt.

use std::time::Duration;

use rand::Rng;

/// The first wait at its longest: a server that ended one connection mostly takes the next at once.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait. A server that starts again after hours is read within it.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// The wait before the attempt of this number, from 1 on: twice as long each time, up to [`BACKOFF_MAX`], and half of
/// it at random, so that the readers of many pairs do not come at the same moment.
pub(super) fn wait(attempt: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled
        .min(BACKOFF_MAX)
        .mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_a_bound() {
        for (attempt, most_ms) in [
            (1, 100),
            (2, 200),
            (5, 1600),
            (8, 10_000),
            (u32::MAX, 10_000),
        ] {
            let (wait, most) = (wait(attempt), Duration::from_millis(most_ms));
            assert!(wait <= most && wait >= most / 2, "{attempt}: {wait:?}");
        }
    }
}
