//! `twinlog plan`

use std::process::ExitCode;

use clap::Args;
use twinlog_pair::{observe::observe, plan, site::Site};

use crate::{
    cli::Format,
    failure::Failure,
    output::{print, print_json},
};

/// Print what `up` would do, every option-file line and SQL statement in order; changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog plan                    what would `up` do?
  twinlog plan | less             read it at leisure
  twinlog plan --json             the same for programs (docs/schema/plan.json)

Passwords are shown as '***'. An empty plan means that nothing is missing.")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    format: Format,
}

pub(crate) async fn run(site: Site, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let facts = observe(&site).await;
    let plan = plan::plan(&site, &facts)?;
    if args.format.json {
        print_json(&plan.view(site.nodes().map(|node| node.name.as_str())));
    } else if plan.steps.is_empty() {
        print(&format!("Nothing is missing.\n{plan}"));
    } else {
        print(&plan.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
