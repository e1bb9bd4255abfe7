//! The agent's parts on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod history;
mod resolve;
mod row;
mod stream;
mod support;
mod watch;
