//! What tracker and policies make of what was seen on real servers, case by case.

mod definitions;
mod fold;
mod kept;
mod kit;
mod limits;
mod order;
mod partial;
mod policies;
mod rows;
