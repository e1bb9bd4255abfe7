//! `twinlog run` on real pairs.

mod crash;
mod crossing;
mod kit;
mod policies;
mod tap;
