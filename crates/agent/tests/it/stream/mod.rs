//! Logs of real servers, read while things happen to them.

mod errors;
mod interrupted;
mod reading;
mod resume;
mod support;
