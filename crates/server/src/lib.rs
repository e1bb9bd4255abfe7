//! One MySQL or MariaDB server.

pub mod docker;
