//! The long-running part: watches both logs, and ends what makes the two nodes differ.

pub mod gtids;
pub mod row;
pub mod settled;
