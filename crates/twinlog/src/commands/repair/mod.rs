//! `twinlog repair`, which is `twinlog verify --repair`

mod progress;
mod text;

use std::{process::ExitCode, sync::Arc};

use clap::Args;
use twinlog_agent::repair::{Error, Plan, Progress, carry_out, plan, tidy};
use twinlog_pair::site::Site;

use super::{
    conflicts::decide::{person, side},
    verify::{What, watched},
};
use crate::{
    failure::{Failure, NO, WORLD},
    output::{ask, print, print_json, tell},
    screen::width,
};

/// Compare both nodes, show what would make them equal, and do it if you agree.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog repair --keep a             b shall hold what a holds: shows it, then asks
  twinlog repair --keep a --dry-run   only shows it
  twinlog repair --tables 'shop.*' --keep b --yes
                                      some tables, without asking
  twinlog repair                      by the tables' policies: prefer:NODE says which node is right
  twinlog repair --keep a --json      one JSON document (docs/schema/repair.json)

It is for what no log explains: rows changed with logging off, a restored file, a link that skipped.
What both nodes wrote unseen is in `twinlog conflicts`. Nobody knows when such rows were written, so
no policy but prefer:NODE tells which node is right: without --keep they are left, and named.

Rows are written on the wrong node alone, outside its log, by the account that `twinlog up` uses,
while they are locked on both nodes and nothing of them is on its way: no write of a client is lost,
no link stops, and an agent need not be stopped. A row that is not as it was is looked at anew. Rows
that hang together, by unique or foreign keys, are written together. The history has what is
overwritten (`twinlog conflicts list`, `restore`). In the end all rows are looked at again.

Left to you, by name: tables without a key, without transactions, with triggers, or with another
definition on each node.

Exit codes: 0 both nodes hold the same; 1 rows differ still, declined or only shown; 2 your mistake;
3 a node did not answer, or a link stands still.")]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    wish: Wish,
}

/// What somebody wants of a repair.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// This node is right, whatever a table's policy says.
    #[arg(long, value_name = "NODE")]
    keep: Option<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

pub(crate) async fn run(site: Site, args: &RepairArgs) -> Result<ExitCode, Failure> {
    repair(&site, &args.what, &args.wish).await
}

/// Compares, shows, asks, and repairs.
pub(crate) async fn repair(site: &Site, what: &What, wish: &Wish) -> Result<ExitCode, Failure> {
    let keep = wish
        .keep
        .as_deref()
        .map(|name| side(site, name))
        .transpose()?;
    let options = what.options(site);
    let mut plan = watched(async |seen| Ok(plan(site, &options, keep, seen).await?)).await?;
    let json = what.format.json;
    if !json {
        let text = text::plan(&plan.document, what.show, width());
        // It is what is asked for where nothing is done.
        if wish.dry_run || plan.count() == 0 {
            print(&text);
        } else {
            tell(&text);
        }
    }
    if plan.has_work() && is_agreed(wish, &plan, json) {
        let progress = Arc::new(Progress::default());
        let shown = tokio::spawn(progress::show(Arc::clone(&progress)));
        let done = carry_out(site, &mut plan, &person(), progress).await;
        shown.abort();
        super::verify::progress::clear();
        if let Err(error) = done {
            // What was repaired until then is said all the same.
            match json {
                true => print_json(&plan.document),
                false => print(&text::done(&plan.document, what.show)),
            }
            return Err(error.into());
        }
        if !json {
            print(&text::done(&plan.document, what.show));
        }
    } else if !plan.has_work() && !wish.dry_run {
        tidy(site).await?;
    }
    if json {
        print_json(&plan.document);
    }
    Ok(match plan.document.equal {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(NO),
    })
}

/// Whether it is to be done; asks if need be.
fn is_agreed(wish: &Wish, plan: &Plan, json: bool) -> bool {
    let question = match plan.count() {
        0 => "Enter them in the history, for `twinlog conflicts resolve`?",
        _ => "Write this?",
    };
    wish.yes || (!wish.dry_run && !json && ask(question))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Verify(error) => error.into(),
            Error::Conflicts(error) => (*error).into(),
            error => {
                let hint = error.hint();
                Self::new(WORLD, error.to_string(), hint)
            }
        }
    }
}
