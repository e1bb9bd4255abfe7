//! `twinlog down`

use std::process::ExitCode;

use clap::Args;
use twinlog_pair::{down, site::Site};

use crate::{
    failure::Failure,
    output::{ask, tell},
};

/// Stop the nodes that twinlog runs; with --purge also delete their data.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog down                    stop both servers cleanly; `twinlog up` starts them again
  twinlog down --purge            stop them and delete all their data (asks)

External nodes are left alone.")]
pub(crate) struct DownArgs {
    /// Delete the nodes' data, the pair's passwords and certificates.
    #[arg(long)]
    purge: bool,
    /// Do not ask before deleting.
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(site: Site, args: &DownArgs) -> Result<ExitCode, Failure> {
    let dir = site.config.server.data_dir.display().to_string();
    if args.purge
        && !args.yes
        && !ask(&format!(
            "Delete all data of pair {} in {dir}?",
            site.config.name
        ))
    {
        return Err(Failure::new(
            crate::failure::NO,
            "nothing was stopped or deleted",
            None,
        ));
    }
    for event in down::down(&site, args.purge).await? {
        tell(&event);
    }
    Ok(ExitCode::SUCCESS)
}
