//! The binary on real servers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod docker;
mod doctor;
mod kill;
mod schema;
mod status;
mod support;
mod walk;
