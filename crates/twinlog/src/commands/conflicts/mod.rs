//! `twinlog conflicts`

pub(crate) mod decide;
mod list;
mod look;
mod plan;
mod prune;
pub(crate) mod show;
pub(super) mod when;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use twinlog_agent::conflicts::{Answer, Blame, Error};
use twinlog_pair::site::Site;

use crate::{
    failure::{Failure, NO, USAGE, WORLD},
    output::tell,
};

/// Look at the rows that both nodes wrote without having seen each other, and decide what no policy did.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog conflicts list                      what was found, the newest first
  twinlog conflicts show 3f2a                 all versions of one, side by side
  twinlog conflicts resolve 3f2a --keep a     both nodes shall hold what was written on a
  twinlog conflicts restore 3f2a --version b  bring back what was overwritten
  twinlog conflicts prune --older-than 90d    forget what is long settled

An id may be cut short as long as it means one conflict only. `twinlog run` finds conflicts and
settles those that have a policy; these commands work with an agent running and without one.")]
pub(crate) struct ConflictsArgs {
    #[command(subcommand)]
    command: ConflictsCommand,
}

#[derive(Debug, Subcommand)]
enum ConflictsCommand {
    List(list::ListArgs),
    Show(look::ShowArgs),
    Resolve(decide::ResolveArgs),
    Restore(decide::RestoreArgs),
    Prune(prune::PruneArgs),
}

pub(crate) async fn run(site: Site, args: &ConflictsArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        ConflictsCommand::List(args) => list::run(&site, args).await,
        ConflictsCommand::Show(args) => look::run(&site, args).await,
        ConflictsCommand::Resolve(args) => decide::resolve(&site, args).await,
        ConflictsCommand::Restore(args) => decide::restore(&site, args).await,
        ConflictsCommand::Prune(args) => prune::run(&site, args).await,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.blame() {
            Blame::User => USAGE,
            Blame::No => NO,
            Blame::World => WORLD,
        };
        let hint = error.hint();
        Self::new(code, error.to_string(), hint)
    }
}

/// Says which node could not be asked, and what the nodes do not agree on.
fn warn(answers: &[Answer], differ: Option<&str>) {
    for answer in answers {
        if let Some(error) = &answer.error {
            tell(&format!(
                "note: {} was not asked: {error}; what it alone knows is missing here",
                answer.node
            ));
        }
    }
    if let Some(differ) = differ {
        tell(&format!("note: {differ} (`twinlog status`)"));
    }
}

/// Now, in microseconds since 1970.
fn now_us() -> u64 {
    u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
