//! Damaged logs: always an error or an output, never a panic.
