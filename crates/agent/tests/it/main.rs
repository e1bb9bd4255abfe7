//! The agent's parts on real servers.

mod stream;
