//! One server: what its version can say, how to speak to it, what state it is in, and how to run it.
//!
//! This room knows nothing of a pair. `twinlog-pair` asks it for facts and hands it statements.

pub mod certs;
pub mod conn;
pub mod dialect;
pub mod docker;
pub mod facts;
pub mod files;
pub mod gtid;
pub mod mycnf;
pub mod process;
pub mod secrets;
pub mod sql;
pub mod version;
