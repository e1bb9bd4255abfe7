//! `twinlog plan`

use std::process::ExitCode;

use clap::Args;
use twinlog_pair::{observe::observe, plan, site::Site};

use crate::{failure::Failure, output::print};

/// Print what `up` would do, every option-file line and SQL statement in order; changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog plan                    what would `up` do?
  twinlog plan | less             read it at leisure

Passwords are shown as '***'. An empty plan means that nothing is missing.")]
pub(crate) struct PlanArgs {}

pub(crate) async fn run(site: Site, _args: &PlanArgs) -> Result<ExitCode, Failure> {
    let facts = observe(&site).await;
    let plan = plan::plan(&site, &facts)?;
    if plan.steps.is_empty() {
        print(&format!("Nothing is missing.\n{plan}"));
    } else {
        print(&plan.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
