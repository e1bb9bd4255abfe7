//! One file per command.

pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod plan;
pub(crate) mod up;

use std::{path::Path, process::ExitCode};

use twinlog_pair::{config::Config, site::Site};

use crate::{
    cli::{Cli, Command},
    failure::Failure,
};

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = cli.config.as_path();
    match cli.command {
        Command::Plan(args) => plan::run(open(config)?, &args).await,
        Command::Up(args) => up::run(open(config)?, &args).await,
        Command::Down(args) => down::run(open(config)?, &args).await,
        Command::Doctor(args) => doctor::run(config, &args).await,
    }
}

fn open(config: &Path) -> Result<Site, Failure> {
    Ok(Site::open(Config::load(config)?)?)
}
