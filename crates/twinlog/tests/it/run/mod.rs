//! `twinlog run` on real pairs.

mod alarm;
mod crash;
mod crossing;
mod cut_short;
mod half;
mod impostor;
mod interrupted;
mod kit;
mod life;
mod load;
mod once;
mod policies;
mod quiet;
mod refused;
mod strict;
mod tap;
mod unfollowed;
