//! The binary on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod bad_input;
mod external;
mod hand;
mod kill;
mod support;
mod walk;
