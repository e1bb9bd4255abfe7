//! Waiting for a state, never for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` again and again until it answers `Some`, and returns what it answered.
///
/// # Panics
/// When `deadline` has passed, naming `what` was waited for. A probe that hangs does not outlast it.
pub async fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        match timeout_at(end, probe()).await {
            Ok(Some(found)) => return found,
            Ok(None) if Instant::now() < end => sleep(PAUSE).await,
            Ok(None) | Err(_) => panic!("waited {deadline:?} in vain for: {what}"),
        }
    }
}
