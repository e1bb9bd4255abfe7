//! Real servers for the tests.
//!
//! `scripts/fetch-servers` puts the servers into a cache; here they are found ([`ServerKind`]), initialised once per
//! machine, and started per test from a copy of that template ([`Server`]), in a directory ([`TestDir`]) and on a
//! port ([`Port`]) of their own. [`Twinlog`] runs the binary under test with nothing of the developer's environment.
//!
//! What fails here fails the test, so most functions panic, saying what was seen, and return no `Result`.
//!
//! How many servers live at once is bounded by the test runner's threads; a governor of our own would only wait twice.

mod dir;
mod docker;
mod port;
mod process;
mod server;
mod servers;
mod template;
mod twinlog;
mod wait;

pub use dir::TestDir;
pub use docker::DockerEngine;
pub use port::{Port, free_port};
pub use server::{Server, ServerOptions};
pub use servers::{ServerKind, servers_dir};
pub use twinlog::{Output, Running, Twinlog};
pub use wait::wait_until;
