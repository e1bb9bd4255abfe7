//! One repair, tried until it is made or cannot be.

use std::time::{Duration, Instant};

use rand::Rng;
use tokio::time::sleep;
use twinlog_server::conn::Error;

use super::{
    Execution, Hand, Mark, Outcome, Progress, Repair, Sight, StepError, Watched,
    witness::{BEHIND_MAX, LOCKED_MAX},
};

/// How often a repair is tried against other transactions' locks. With a second per lock wait that is three seconds at
/// most: longer it would keep other repairs waiting, and is tried again after them.
const TRIES: u32 = 3;
/// The first pause between two tries; each is twice the one before, up to [`PAUSE_MAX`], and takes half of that at random.
const PAUSE_MIN: Duration = Duration::from_millis(4);
const PAUSE_MAX: Duration = Duration::from_millis(200);
const ARRIVAL_POLL: Duration = Duration::from_millis(5);

/// ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, and MariaDB's ER_CHECKREAD: someone else was there at the same time.
const AGAIN: [u16; 3] = [1205, 1213, 1020];
/// ER_DUP_ENTRY, and its form with the key's name.
const DUPLICATE: [u16; 2] = [1062, 1586];

/// Whether an error is because of another transaction.
pub(crate) fn is_passing(code: u16) -> bool {
    AGAIN.contains(&code)
}

/// How a repair ended after all tries.
#[derive(Debug)]
pub(crate) enum Tried {
    /// It is committed.
    Done,
    /// A row is not what was judged: which of [`Repair::rows`].
    Changed(usize),
    /// Someone has written its rows since they were judged.
    Touched,
    /// The row of the history that it should change is not there as it should be.
    NotYet,
    /// Rows that refer to its rows would go or change with them.
    Cascades(String),
    /// Clients hold the rows.
    Busy(String),
    /// The server, or what is known of its rows, does not allow it.
    Refused { code: Option<u16>, message: String },
}

impl Tried {
    /// Whether the statements' order may be what the server minds: see [`How::Rebuilt`].
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if DUPLICATE.contains(code))
    }

    /// What kept it from being done.
    pub(crate) fn reason(self) -> (Option<u16>, String) {
        match self {
            Self::Refused { code, message } => (code, message),
            Self::Busy(message) | Self::Cascades(message) => (None, message),
            Self::Done | Self::Changed(_) | Self::Touched | Self::NotYet => (
                None,
                "the other half of the repair has not come over the link".to_owned(),
            ),
        }
    }
}

/// Makes a repair, again where other transactions were in its way, or while the row of the history that it changes has
/// not come over the link, for so long at most.
///
/// # Errors
/// Where a connection is lost.
pub(crate) async fn try_repair(
    [hand, peer]: [&mut Hand; 2],
    repair: &Repair,
    mark: &Mark,
    arrival: Duration,
    mut watched: Watched<'_>,
) -> Result<Tried, Error> {
    let started = Instant::now();
    let mut tries = 0;
    let mut behind = 0;
    let mut pause = PAUSE_MIN;
    loop {
        tries += 1;
        let mut execution = match &mut watched {
            Some(witness) => {
                let patience = LOCKED_MAX[behind.min(LOCKED_MAX.len() - 1)];
                Execution::watched(
                    [&mut *hand, &mut *peer],
                    repair,
                    mark,
                    &mut **witness,
                    patience,
                )
            }
            None => Execution::new(hand, repair, mark),
        };
        let ended = loop {
            match execution.step().await {
                Ok(Progress::More) => {}
                Ok(Progress::Ended(outcome)) => break Ok(outcome),
                Err(error) => break Err(error),
            }
        };
        match ended {
            Ok(Outcome::Committed) => return Ok(Tried::Done),
            Ok(Outcome::Changed { row, .. }) => return Ok(Tried::Changed(row)),
            Ok(Outcome::Touched) => return Ok(Tried::Touched),
            Ok(Outcome::Behind(ends)) => {
                let seen = match &mut watched {
                    Some(witness) => witness.wait(ends, BEHIND_MAX).await,
                    None => Sight::Behind,
                };
                behind += 1;
                if seen == Sight::Behind || behind >= LOCKED_MAX.len() {
                    return Ok(Tried::Busy("the logs are not read that far yet".to_owned()));
                }
            }
            Ok(Outcome::NotYet) if started.elapsed() < arrival => {
                sleep(ARRIVAL_POLL).await;
            }
            Ok(Outcome::NotYet) => return Ok(Tried::NotYet),
            Ok(Outcome::Cascades(message)) => return Ok(Tried::Cascades(message)),
            Ok(Outcome::Refused(message)) => {
                return Ok(Tried::Refused {
                    code: None,
                    message,
                });
            }
            Err(StepError::Server(Error::Statement { code, .. }))
                if AGAIN.contains(&code) && tries < TRIES =>
            {
                hand.rollback().await?;
                let jitter = rand::rng().random_range(0.0..0.5);
                sleep(pause / 2 + pause.mul_f64(jitter)).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(StepError::Server(Error::Statement { code, message, .. })) => {
                hand.rollback().await?;
                if AGAIN.contains(&code) {
                    return Ok(Tried::Busy(message));
                }
                return Ok(Tried::Refused {
                    code: Some(code),
                    message,
                });
            }
            Err(StepError::Server(error)) => return Err(error),
            Err(error) => {
                hand.rollback().await?;
                let message = error.to_string();
                return Ok(Tried::Refused {
                    code: None,
                    message,
                });
            }
        }
    }
}
