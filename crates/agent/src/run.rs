//! `twinlog run`: one watch after the other, until told to stop.

use std::time::{Duration, Instant};

use tokio::sync::watch::Receiver;
use twinlog_pair::site::Site;

use crate::watch::{self, Error, Options, Summary};

/// The first pause before another try; each is twice the one before, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// A server that was restarted is watched again within this time.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long `--once` tries before it says that the pair cannot be reached.
const ONCE_PATIENCE: Duration = Duration::from_secs(30);

/// Watches until told to stop, and begins again after whatever may pass.
///
/// # Errors
/// What does not pass; with `once` also what does not pass for half a minute.
pub async fn run(
    site: &Site,
    options: Options,
    mut stop: Receiver<bool>,
) -> Result<Summary, Error> {
    let mut options = options;
    let began = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let attempt = Instant::now();
        let error = match watch::watch(site, &mut options, &mut stop).await {
            Ok(summary) => return Ok(summary),
            Err(error) => error,
        };
        if !error.is_transient() || (options.once && began.elapsed() > ONCE_PATIENCE) {
            return Err(error);
        }
        if attempt.elapsed() > PAUSE_MAX {
            pause = PAUSE_MIN;
        }
        tracing::warn!("{error}; trying again in {} ms", pause.as_millis());
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(Summary::default()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
