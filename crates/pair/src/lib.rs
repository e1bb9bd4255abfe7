//! Two servers as one dual primary: observe, plan, apply, prove, inspect.

pub mod config;
