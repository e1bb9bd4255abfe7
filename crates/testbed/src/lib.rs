//! Real servers for the tests.

mod docker;

pub use docker::DockerEngine;
