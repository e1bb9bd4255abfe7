//! The binary on real servers. One test crate, so that its tests share the machine well.

mod status;
mod support;
