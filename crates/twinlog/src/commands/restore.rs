//! `twinlog restore`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use twinlog_pair::{
    copy::{
        Counters,
        backup::{self, Manifest, Store},
    },
    prove,
};

use super::{backup::told, copy::How, up::describe};
use crate::{
    failure::{Failure, NO},
    output::{ask, print, tell},
};

/// Restore a backup onto both nodes of an empty pair.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog restore nightly            a directory of `twinlog backup`; shows what it is, then asks
  twinlog restore shop.tar --yes     an archive, without asking
  twinlog restore --check nightly    only: is it whole and undamaged?

All checksums are compared before anything is done. The pair must be there (`twinlog up`) and have
no tables of users; the agent must not run meanwhile. Both nodes are closed to clients and filled
at once, outside their logs: the links stay as they are. At the end each table is read again on
both nodes and compared with the backup. Killed half-way, both nodes stay closed, and the same
command goes on: a table that is there and the same stays. Accounts are not restored. Replicas of
others that follow a node do not get what is restored.

Exit codes: 0 done, or whole; 1 it is damaged, or the pair is not empty; 2 your mistake; 3 a node
failed.")]
pub(crate) struct RestoreArgs {
    /// The directory, or the tar archive.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    how: How,
    /// Do not ask.
    #[arg(long, conflicts_with = "check")]
    yes: bool,
    /// Only look whether it is whole and undamaged; no pair is needed.
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(config: &Path, args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let store = Store::open(&args.path)?;
    let manifest = store.manifest()?;
    let text = text(&manifest);
    tell(&text);
    let (store, manifest) = checked(store, manifest).await?;
    if args.check {
        print("it is whole and undamaged");
        return Ok(ExitCode::SUCCESS);
    }
    let site = super::open(config)?;
    let [a, b] = site.nodes().map(|node| node.name.as_str());
    if !args.yes && !ask(&format!("Restore it onto {a} and {b}?")) {
        return Err(Failure::new(NO, "nothing was changed", None));
    }
    let limits = args.how.limits();
    let counters = Arc::new(Counters::new(limits.rate_max).doing("restoring"));
    let work = backup::restore(&site, store, manifest, limits, Arc::clone(&counters));
    let restored = told(&counters, work).await?;
    if restored.kept_history {
        tell(
            "note: the pair had a history of conflicts and has kept it; that of the backup was left out",
        );
    }
    for unmade in &restored.unmade {
        tell(&format!("note: not made: {unmade}"));
    }
    if !restored.changed.is_empty() {
        tell(&format!(
            "note: some JSON documents of {} are not to the digit what they were: their text does not show all that they held",
            restored.changed.join(", ")
        ));
    }
    print(&format!(
        "restored {} rows of {} tables on {a} and {b}; each was read again and is what the backup has",
        restored.rows, restored.tables
    ));
    for proof in prove::prove(&site, prove::PROOF_TIMEOUT).await? {
        print(&describe(&proof));
    }
    match restored.unmade.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::new(
            NO,
            "all rows are there, and the pair serves; but not everything beside the tables could be made",
            Some("create what it needs (accounts, above all) on both nodes, then make it: `manifest.json` has the statements".into()),
        )),
    }
}

/// Compares all checksums.
async fn checked(store: Store, manifest: Manifest) -> Result<(Store, Manifest), Failure> {
    let check = move || {
        let checked = store.check(&manifest);
        checked.map(|()| (store, manifest))
    };
    match tokio::task::spawn_blocking(check).await {
        Ok(checked) => Ok(checked?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn text(manifest: &Manifest) -> String {
    let databases: Vec<&str> = manifest.databases().into_iter().collect();
    format!(
        "backup {} of node {} of the pair {}, server {}, taken at {} UTC: {} rows of {} tables in {} ({:.1} MB in files)",
        manifest.id,
        manifest.node,
        manifest.pair,
        manifest.server,
        manifest.taken_at,
        manifest.rows(),
        manifest.tables(),
        databases.join(", "),
        manifest.stored_bytes() as f64 / 1e6
    )
}
