//! `twinlog run` on real pairs.

mod crash;
mod crossing;
mod interrupted;
mod kit;
mod life;
mod load;
mod policies;
mod refused;
mod tap;
