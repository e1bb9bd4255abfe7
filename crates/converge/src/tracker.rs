//! Follows both logs until what they did to a row is settled.
