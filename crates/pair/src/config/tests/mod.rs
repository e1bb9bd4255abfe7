//! The file as users write it.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError};

mod contract;
mod errors;
mod import;
mod round_trip;
mod writing;

const FILE: &str = "/etc/shop/twinlog.toml";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new(FILE))
}

fn valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint()))
}

fn dir() -> PathBuf {
    PathBuf::from("/etc/shop")
}

/// The two nodes that every file needs.
const NODES: &str = "[nodes.a]\nport = 3307\n[nodes.b]\nport = 3308\n";
