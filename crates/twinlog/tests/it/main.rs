//! The binary on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod cli;
mod docker;
mod dsn;
mod init;
mod plan_json;
mod sql;
mod support;
mod terminal;
mod walk;
