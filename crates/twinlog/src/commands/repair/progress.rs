//! How far a repair is: a line that moves on a terminal, a line now and then elsewhere.

use std::{io::IsTerminal, io::Write, sync::Arc, time::Duration};

use tokio::time::sleep;
use twinlog_agent::repair::Progress;

use crate::output::tell;

const EVERY: Duration = Duration::from_millis(500);
/// A log has a line so often.
const EVERY_LOGGED: Duration = Duration::from_secs(30);

/// Tells how far it is until it is dropped.
pub(super) async fn show(progress: Arc<Progress>) {
    let is_terminal = std::io::stderr().is_terminal();
    loop {
        sleep(if is_terminal { EVERY } else { EVERY_LOGGED }).await;
        let (done, all) = progress.seen();
        let line = match done < all {
            true => format!("repairs: {done} of {all} rows"),
            false => format!("{all} rows are done: they are looked at again"),
        };
        if is_terminal {
            let mut out = anstream::stderr();
            // Nobody listening is no reason to stop.
            let _ = write!(out, "\r\x1b[K\x1b[2m{line}\x1b[0m").and_then(|()| out.flush());
        } else {
            tell(&line);
        }
    }
}
