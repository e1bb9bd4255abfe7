//! The demonstration: a story told on two real servers with throw-away data.
//!
//! [`place`] finds what it takes and cleans up, [`stage`] shows, [`play`] does on the servers what is shown, and
//! [`story`] is what is told.

pub(crate) mod place;
pub(crate) mod play;
pub(crate) mod stage;
pub(crate) mod story;

use crate::failure::Failure;

/// Why the story ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something failed.
    Failed(Failure),
    /// Nobody reads any more: what stands behind the pipe has gone.
    Unread,
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
