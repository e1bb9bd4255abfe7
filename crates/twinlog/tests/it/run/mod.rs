//! `twinlog run` on real pairs.

mod crossing;
mod kit;
