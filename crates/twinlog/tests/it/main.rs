//! The binary on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod docker;
mod support;
mod walk;
