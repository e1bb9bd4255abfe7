//! `twinlog rebuild`

use std::{process::ExitCode, time::Duration};

use clap::Args;
use futures_util::future::BoxFuture;
use twinlog_agent::repair::{Saved, save_errant};
use twinlog_converge::Side;
use twinlog_pair::{
    apply::{Progress, Unsaved},
    copy::Limits,
    plan::{Plan, Step},
    site::Site,
    up::{self, Ui},
};

use super::{
    conflicts::decide::{person, side},
    copy::{What, end},
};
use crate::{failure::Failure, output::Terminal};

/// Make a node again from its peer, whatever it has: lost, diverged, or too far behind. The peer serves meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog rebuild b               shows what is overwritten, then asks
  twinlog rebuild b --yes         without asking
  twinlog rebuild b --discard     also where what b alone has cannot be saved

The node is closed to clients, both links are taken away, and what it alone has executed is saved:
as rows in a file under `rebuilt` in the data directory, and as open entries in the history, which
`twinlog conflicts resolve ID --keep NODE` brings back. Then it becomes what its peer is: only what
differs is copied. Its log begins anew; both links are made and proven, as by `twinlog up`.
Cut off, `twinlog up` or the same command goes on.

The agent must not run meanwhile; start it afterwards as usual.
Exit codes: as those of `twinlog up`.")]
pub(crate) struct RebuildArgs {
    /// The node that is made again.
    #[arg(value_name = "NODE")]
    node: String,
    #[command(flatten)]
    what: What,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Do not save what the node alone has.
    #[arg(long)]
    discard: bool,
}

pub(crate) async fn run(mut site: Site, args: &RebuildArgs) -> Result<ExitCode, Failure> {
    let node = side(&site, &args.node)?.index();
    let saver = Saver {
        terminal: Terminal::new(args.yes).limited(args.what.limits()),
        discard: args.discard,
    };
    let done = up::rebuild(&mut site, node, &saver).await?;
    Ok(end(&done))
}

/// Asks, shows progress, and saves.
struct Saver {
    terminal: Terminal,
    discard: bool,
}

impl Progress for Saver {
    fn begin(&self, step: &Step) {
        self.terminal.begin(step);
    }

    fn end(&self, step: &Step, took: Duration) {
        self.terminal.end(step, took);
    }

    fn waiting(&self, what: &str, so_far: Duration) {
        self.terminal.waiting(what, so_far);
    }

    fn moved(&self, what: &str) {
        self.terminal.moved(what);
    }

    fn copy_limits(&self) -> Limits {
        self.terminal.copy_limits()
    }

    fn save<'a>(&'a self, site: &'a Site, node: usize) -> BoxFuture<'a, Result<String, Unsaved>> {
        Box::pin(async move {
            let name = &site.nodes()[node].name;
            if self.discard {
                return Ok(format!("what {name} alone has is not saved: --discard"));
            }
            match save_errant(site, Side::BOTH[node], &person()).await {
                Ok(saved) => Ok(told(name, &saved)),
                Err(error) => Err(Unsaved {
                    message: error.to_string(),
                    hint: Some(error.hint()),
                }),
            }
        })
    }
}

impl Ui for Saver {
    fn approve(&self, plan: &Plan, asks: bool) -> bool {
        self.terminal.approve(plan, asks)
    }
}

/// What was saved, in words.
fn told(name: &str, saved: &Saved) -> String {
    let Some(file) = &saved.file else {
        return format!("{name} has executed nothing that its peer has not");
    };
    let Saved {
        transactions,
        changes,
        statements,
        entries,
        unentered,
        ..
    } = saved;
    let mut text = format!(
        "{transactions} transactions ({changes} rows, {statements} statements) that only {name} had executed are saved in {}",
        file.display()
    );
    if *entries > 0 {
        text += &format!(
            "; {entries} rows of them differ on the peer: `twinlog conflicts list --state open`"
        );
    }
    if *unentered > 0 {
        text += &format!(
            "; {unentered} rows are in the file alone (no key, another definition on the peer, in the hands of a statement or of XA)"
        );
    }
    text
}
