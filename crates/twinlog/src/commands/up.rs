//! `twinlog up`

use std::process::ExitCode;

use clap::Args;
use twinlog_pair::{canary::Way, prove::Proven, site::Site, up};

use crate::{
    failure::Failure,
    output::{Terminal, print, tell},
};

/// Make the pair what twinlog.toml says, then prove it; run again at any time, it does only what is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog up                      build, start, link and prove; asks before it changes a server of someone else's
  twinlog up --yes                the same in a script
  twinlog -c shop.toml up         another pair

Killed half-way, the next `twinlog up` goes on where it stopped.")]
pub(crate) struct UpArgs {
    /// Do not ask before changing external servers.
    #[arg(long)]
    pub(crate) yes: bool,
}

pub(crate) async fn run(mut site: Site, args: &UpArgs) -> Result<ExitCode, Failure> {
    let done = up::up(&mut site, &Terminal::new(args.yes)).await?;
    for note in &done.notes {
        tell(&format!("note: {note}"));
    }
    if done.steps == 0 {
        tell("nothing was missing");
    }
    for proof in &done.proofs {
        print(&describe(proof));
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for a proven link.
pub(crate) fn describe(proof: &Proven) -> String {
    let Proven {
        source,
        replica,
        took,
        way,
    } = proof;
    let ms = took.as_secs_f64() * 1000.0;
    match way {
        Way::Row => format!(
            "{source}→{replica}: proven, a row written on {source} was read on {replica} after {ms:.1} ms"
        ),
        Way::Through(database) => format!(
            "{source}→{replica}: proven, a row written on {source} under database {database} (its filter) was read on {replica} \
             after {ms:.1} ms"
        ),
        Way::Rotation => format!(
            "{source}→{replica}: proven by a log rotation after {ms:.1} ms; a filter lets no row of twinlog's own cross"
        ),
    }
}
