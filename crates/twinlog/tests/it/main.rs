//! The binary on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![expect(
    clippy::print_stdout,
    reason = "what was skipped or reached is told with the test's output"
)]

mod accounts;
mod agent_account;
mod backup;
mod bad_external;
mod bad_input;
mod cli;
mod clone;
mod conflicts;
mod copy;
mod demo;
mod docker;
mod doctor;
mod dsn;
mod exec_mode;
mod external;
mod hand;
mod init;
mod kill;
mod pages;
mod plan;
mod plan_json;
mod rebuild;
mod repair;
mod restored;
mod run;
mod schema;
mod sql;
mod status;
mod support;
mod terminal;
mod unprivileged;
mod verify;
mod walk;
