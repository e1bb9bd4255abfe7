//! The binary on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![expect(
    clippy::print_stdout,
    reason = "shown for a test that fails, or with --nocapture"
)]

mod bad_external;
mod bad_input;
mod external;
mod hand;
mod kill;
mod plan;
mod support;
mod unprivileged;
mod walk;
