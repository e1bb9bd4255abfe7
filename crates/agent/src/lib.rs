//! The long-running part: watches both logs, and ends what makes the two nodes differ.

pub mod conflicts;
pub mod gtids;
pub mod history;
pub mod repair;
pub mod resolve;
pub mod run;
mod schedule;
pub mod settled;
pub mod stream;
pub mod verify;
pub mod watch;
