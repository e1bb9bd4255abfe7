//! `twinlog copy`

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use twinlog_pair::{
    copy::{Limits, Way},
    site::Site,
    up::{self, Done},
};

use super::up::describe;
use crate::{
    failure::Failure,
    output::{Terminal, print, tell},
};

/// Copy the data of the node that has some onto the one that has none, while clients write, and link both from there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog copy                    as `twinlog up` does it; asks before it changes a server of someone else's
  twinlog copy --yes --rate 20    in a script, at 20 MB a second at most
  twinlog copy --way clone        by MySQL's CLONE, whatever the size
  twinlog copy --accounts         users, roles and grants, too
  twinlog plan                    what it would do, each step

The source is held up for one moment, in which several connections open the same snapshot; its clients write on. The other
node is closed to clients until all is there. Killed half-way, the same command goes on: of what was copied it compares
hashes, and copies again only what changed since. Nothing is copied onto a node that has data of its own.

By CLONE nothing is held up. All that the other server has is replaced, accounts too; it ends, and twinlog starts it again.
A server that twinlog does not run must be started by whoever does; then the same command goes on.
Exit codes: as those of `twinlog up`.")]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    what: What,
    /// Do not ask before changing external servers.
    #[arg(long)]
    yes: bool,
}

/// How hard the nodes are driven.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Copy so many stretches of tables at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: Option<u16>,
    /// Copy so many megabytes a second at most.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
}

/// What goes from one node to the other, and how.
#[derive(Debug, Args)]
pub(crate) struct What {
    #[command(flatten)]
    how: How,
    /// Which way the data takes.
    #[arg(long, value_enum, value_name = "WAY", default_value = "auto")]
    way: Asked,
    /// Copy users and roles that the other node lacks, too, with their passwords and grants; CLONE always does.
    #[arg(long)]
    accounts: bool,
}

/// The ways, as words.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Asked {
    /// Whichever of both is likely to be done first; the plan says which, and why.
    Auto,
    /// Rows and definitions, table by table: between all servers; of what is there, only what differs.
    Logical,
    /// MySQL's CLONE: the files of the whole server, accounts among them; the other server ends and starts again.
    Clone,
}

impl From<Asked> for Way {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Auto => Self::Auto,
            Asked::Logical => Self::Logical,
            Asked::Clone => Self::Clone,
        }
    }
}

impl How {
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            parallel: self.parallel.map_or(usual.parallel, usize::from),
            rate_max: self.rate.map(|mb| mb * 1_000_000),
            ..usual
        }
    }
}

impl What {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            way: self.way.into(),
            accounts: self.accounts,
            ..self.how.limits()
        }
    }
}

pub(crate) async fn run(mut site: Site, args: &CopyArgs) -> Result<ExitCode, Failure> {
    let terminal = Terminal::new(args.yes).limited(args.what.limits());
    let done = up::up(&mut site, &terminal).await?;
    Ok(end(&done))
}

/// Says what came of it.
pub(crate) fn end(done: &Done) -> ExitCode {
    for note in &done.notes {
        tell(&format!("note: {note}"));
    }
    if !done.copied {
        tell("nothing was copied: no node lacked the other's data");
    }
    for proof in &done.proofs {
        print(&describe(proof));
    }
    ExitCode::SUCCESS
}
