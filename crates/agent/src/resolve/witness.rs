//! Who knows whether anyone has written an episode's rows since it was judged.
//!
//! That a row is what was judged is not enough. It may have been written and written back; a write may have been skipped
//! by this node's applier, and stand on the other node; and a copy of which nothing was left does not say what it would
//! have done. So when its rows are locked a repair asks where both logs end: all that this node has executed is in its own
//! log by then, and in that of its origin. Both are read to there, and whoever reads them says whether a transaction that
//! the verdict did not know touched a row of it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use twinlog_server::facts::Coordinates;

/// How long a repair holds its rows while both logs are read, at its first try and at those after it. It takes milliseconds
/// where they are read as they grow; where clients write faster than that they would keep a repair from being made for
/// ever, if it never waited longer.
pub(super) const LOCKED_MAX: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
];
/// How long is waited without any lock where the logs are not read as far yet, before it is tried again later.
pub(super) const BEHIND_MAX: Duration = Duration::from_secs(5);

/// What was seen in both logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Nobody has written the rows since.
    Untouched,
    /// Someone has.
    Touched,
    /// The logs were not read as far in time.
    Behind,
}

/// Reads both logs, for one episode.
pub trait Witness: Send {
    /// What both logs (the first node's first) show up to these places, if they are read as far within `limit`.
    fn look(&mut self, ends: [Coordinates; 2], limit: Duration) -> BoxFuture<'_, Sight>;

    /// The same, while no row is locked: it is only waited until the logs are read as far.
    fn wait(&mut self, ends: [Coordinates; 2], limit: Duration) -> BoxFuture<'_, Sight> {
        self.look(ends, limit)
    }
}

/// A witness, or none: for a person's decision, who chose by what the rows are.
pub type Watched<'a> = Option<&'a mut dyn Witness>;

/// The same once more, for as long.
pub(super) fn again<'a>(watched: &'a mut Watched<'_>) -> Watched<'a> {
    match watched {
        Some(witness) => Some(&mut **witness),
        None => None,
    }
}
