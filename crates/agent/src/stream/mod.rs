//! The stream: a server's binary log, read as a replica reads it.
mod wire;
