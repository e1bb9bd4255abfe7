//! Distributed transactions that are prepared and that nobody ends: of a coordinator that has crashed, for the most part.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use twinlog_converge::Unended;

/// What is prepared is ended within milliseconds, unless whoever would do so is gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names those that stay.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Since when there always was something prepared.
    since: Option<Instant>,
    said: BTreeSet<Bytes>,
}

impl Prepared {
    /// Looks at what is prepared now, and names it once it stays. Whether to go on without its end.
    pub(super) fn look(&mut self, unended: &[Unended], names: [&str; 2]) -> bool {
        if unended.is_empty() {
            *self = Self::default();
            return false;
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            return false;
        }
        for unended in unended {
            if !self.said.insert(unended.xid.clone()) {
                continue;
            }
            let micros = i64::try_from(unended.prepared.micros).unwrap_or(i64::MAX);
            let at = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
            tracing::warn!(
                "the distributed transaction {} is prepared on {} since {} and neither committed nor rolled back: what it \
                 writes is judged when it ends, and until then logs must be kept from there on; XA RECOVER lists it, XA \
                 COMMIT or XA ROLLBACK ends it",
                String::from_utf8_lossy(&unended.xid),
                names[unended.origin.index()],
                at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            );
        }
        true
    }
}
