//! What the agent writes down in the pair: how far it is, and what is under way.
//!
//! Whether it lives is told by its lock, so that a pair that rests stays at rest: nothing is written unless clients have
//! written, or what is under way is not what was told of it last.

use std::time::{Duration, Instant};

use twinlog_pair::watch_state::{AgentState, Comparing};
use twinlog_server::conn::{Conn, Error as ConnError, within};

use xxhash_rust::xxh3::xxh3_64;

use super::trouble::is_busy;
use crate::history::{self, Checkpoint};

/// How often it is written while clients write: what a new agent reads again at most.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// How often it is written while something is under way that does not change: a state that is older is of an agent that
/// something holds up.
const BUSY_EVERY: Duration = Duration::from_secs(10);
/// How long a node may take to write it: the watch waits for it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What others should know soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    in_flight: u64,
    verdicts_open: u64,
    /// A hash of what is to be compared, and of what was.
    compared: u64,
}

impl Told {
    fn of(state: &AgentState) -> Self {
        Self {
            in_flight: state.in_flight_transactions,
            verdicts_open: state.verdicts_open,
            compared: compared(state),
        }
    }
}

/// How far a comparison is comes and goes.
fn compared(state: &AgentState) -> u64 {
    let mut verify = state.verify.clone();
    if let Some(under_way) = &mut verify.under_way {
        *under_way = Comparing {
            of: std::mem::take(&mut under_way.of),
            ..Comparing::default()
        };
    }
    // Numbers and texts: nothing that JSON cannot say.
    let text = serde_json::to_vec(&(&state.to_verify, verify)).unwrap_or_default();
    xxh3_64(&text)
}

/// Writes it down, when there is something to tell.
pub(super) struct Record {
    /// One per node.
    writers: [Conn; 2],
    written_at: Instant,
    told: Told,
    /// Whether something was under way when that was last asked: what comes and goes within a second is not told.
    was_busy: bool,
}

impl Record {
    /// The last agent said `last`.
    pub(super) fn new(writers: [Conn; 2], last: &AgentState) -> Self {
        Self {
            writers,
            written_at: Instant::now(),
            told: Told::of(last),
            was_busy: false,
        }
    }

    /// Whether it must be written now; asked every now and then. `moved`: more is settled than was written down.
    pub(super) fn is_due(&mut self, moved: bool, state: &AgentState) -> bool {
        let since = self.written_at.elapsed();
        let lasts = !state.is_busy() || self.was_busy;
        self.was_busy = state.is_busy();
        (moved && since >= EVERY)
            || (lasts && self.is_news(state))
            || ((state.is_busy() || state.verify.under_way.is_some()) && since >= BUSY_EVERY)
    }

    /// Whether it is not what was told last.
    pub(super) fn is_news(&self, state: &AgentState) -> bool {
        Told::of(state) != self.told
    }

    /// Writes it on the first node that takes it; `false` where neither does so for now.
    pub(super) async fn write(
        &mut self,
        checkpoint: &Checkpoint,
        state: &AgentState,
    ) -> Result<bool, ConnError> {
        let [a, b] = &mut self.writers;
        self.written_at = Instant::now();
        if write(a, checkpoint).await.is_err() {
            match write(b, checkpoint).await {
                Err(error) if is_busy(&error) => {
                    tracing::debug!("{error}: the checkpoint is written later");
                    return Ok(false);
                }
                written => written?,
            }
        }
        self.told = Told::of(state);
        Ok(true)
    }

    pub(super) async fn close(self) {
        for conn in self.writers {
            conn.close().await;
        }
    }
}

async fn write(conn: &mut Conn, checkpoint: &Checkpoint) -> Result<(), ConnError> {
    let written = within(WRITE_TIMEOUT, history::write_checkpoint(conn, checkpoint)).await;
    written.unwrap_or_else(|| {
        Err(ConnError::Lost {
            address: conn.address().clone(),
            reason: format!("no answer within {} s", WRITE_TIMEOUT.as_secs()),
            sql: "write the checkpoint".into(),
        })
    })
}
