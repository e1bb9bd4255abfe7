//! The docker runtime on a real engine, with images that keep the public images' contract.

mod cut_short;
mod life;
mod refused;
mod support;
