//! One file per command.

pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod conflicts;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod dsn;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod rebuild;
pub(crate) mod repair;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod sql;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod verify;

use std::{path::Path, process::ExitCode};

use twinlog_pair::{
    config::{Config, Node},
    site::Site,
};

use crate::{
    cli::{Cli, Command},
    failure::{Failure, USAGE},
};

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = cli.config.as_path();
    match cli.command {
        Command::Init(args) => init::run(config, &args),
        Command::Plan(args) => plan::run(open(config)?, &args).await,
        Command::Copy(args) => copy::run(open(config)?, &args).await,
        Command::Rebuild(args) => rebuild::run(open(config)?, &args).await,
        Command::Backup(args) => backup::run(open(config)?, &args).await,
        Command::Restore(args) => restore::run(config, &args).await,
        Command::Up(args) => up::run(open(config)?, &args).await,
        Command::Down(args) => down::run(open(config)?, &args).await,
        Command::Doctor(args) => doctor::run(config, &args).await,
        Command::Status(args) => status::run(open(config)?, &args).await,
        Command::Run(args) => run::run(open(config)?, &args).await,
        Command::Conflicts(args) => conflicts::run(open(config)?, &args).await,
        Command::Verify(args) => verify::run(open(config)?, &args).await,
        Command::Repair(args) => repair::run(open(config)?, &args).await,
        Command::Sql(args) => sql::run(open(config)?, &args).await,
        Command::Dsn(args) => dsn::run(&open(config)?, &args),
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Man(args) => man::run(&args),
        Command::Demo(args) => demo::run(&args).await,
    }
}

fn open(config: &Path) -> Result<Site, Failure> {
    Ok(Site::open(Config::load(config)?)?)
}

/// The node of that name.
fn node<'a>(site: &'a Site, name: &str) -> Result<&'a Node, Failure> {
    site.config.node(name).ok_or_else(|| {
        let [a, b] = site.nodes().map(|node| node.name.as_str());
        Failure::new(
            USAGE,
            format!("no node is called '{name}'"),
            Some(format!("the nodes of this pair are {a} and {b}")),
        )
    })
}
