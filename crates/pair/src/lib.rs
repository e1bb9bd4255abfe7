//! Two servers as one dual primary: observe, plan, apply, prove, inspect.

pub mod apply;
pub mod beside;
pub mod canary;
pub mod compare;
pub mod config;
pub mod container;
pub mod copy;
pub mod doctor;
pub mod down;
pub mod explain;
pub mod lost;
pub mod observe;
pub mod origin;
pub mod own_tables;
pub mod plan;
pub mod prove;
pub mod rebuild;
pub mod schemas;
pub mod settings;
pub mod site;
pub mod status;
pub mod up;
pub mod watch_state;
