//! The file as users write it.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError};

mod checks;
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

/// The error's text and hint, without the directory.
fn said(text: &str) -> String {
    let error = parse(text).expect_err("it is wrong");
    let hint = error
        .hint()
        .map(|hint| format!("\nhint: {hint}"))
        .unwrap_or_default();
    format!("{error}{hint}").replace("/etc/shop/", "")
}

/// As [`said`], of lines after those of two nodes, which are the first four.
fn after_nodes(text: &str) -> String {
    said(&format!("{NODES}{text}"))
}

/// As [`said`], of an external pair whose node `a`, from line 4 on, has these lines.
fn external(lines: &str) -> String {
    let b = "[nodes.b]\nport = 3308\nuser = 'root'\nno_password = true\n";
    said(&format!(
        "[server]\nruntime = 'external'\n[nodes.a]\n{lines}\n{b}"
    ))
}
