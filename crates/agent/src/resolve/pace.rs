//! How much of the time repairs take.

use std::time::Duration;

/// Leaves clients their share: after work follows rest, in proportion.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// What part of the time repairs may take, above 0 and up to 1.
    share: f64,
}

/// However long a repair took, the next does not wait longer for it.
const REST_MAX: Duration = Duration::from_millis(50);

impl Default for Pace {
    /// Half of the time.
    fn default() -> Self {
        Self { share: 0.5 }
    }
}

impl Pace {
    /// Repairs may take this part of the time.
    #[must_use]
    pub fn of(share: f64) -> Self {
        Self {
            share: share.clamp(0.01, 1.0),
        }
    }

    /// How long to rest after a repair that took that long.
    #[must_use]
    pub fn rest(self, worked: Duration) -> Duration {
        worked.mul_f64(1.0 / self.share - 1.0).min(REST_MAX)
    }
}
