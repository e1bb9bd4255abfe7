//! `twinlog conflicts prune`

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use twinlog_agent::{
    conflicts::{Book, PruneDocument},
    history,
};
use twinlog_pair::site::Site;

use super::when;
use crate::{
    cli::Format,
    failure::{Failure, NO},
    output::{ask, print, print_json},
};

/// Forget conflicts that were found long ago and are not open any more, with all their versions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog conflicts prune --older-than 90d        says how many, and asks
  twinlog conflicts prune --older-than 90d --yes  for cron
  twinlog conflicts prune --older-than 1w --json  only counts: one JSON document (docs/schema/conflicts-prune.json)

What is open stays, however old. What is forgotten cannot be restored.
Exit codes: 0 done, or nothing to do; 1 declined; 2 your mistake; 3 no node could be asked.")]
pub(super) struct PruneArgs {
    /// How long ago they must have been found: 36h, 90d, 12w.
    #[arg(long, value_name = "AGE", value_parser = when::age)]
    older_than: u64,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(site: &Site, args: &PruneArgs) -> Result<ExitCode, Failure> {
    let before = super::now_us().saturating_sub(args.older_than);
    let mut book = Book::open(site).await?;
    let Some((_, conn)) = book.first() else {
        // It was opened, so one answers.
        return Ok(ExitCode::SUCCESS);
    };
    let failed = twinlog_agent::conflicts::Error::from;
    let (prunable, open) = history::prunable(conn, before).await.map_err(failed)?;
    let question = format!("Forget {} for good?", conflicts(prunable));
    let agreed = prunable > 0 && (args.yes || (!args.format.json && ask(&question)));
    let deleted = if agreed {
        history::prune(conn, before).await.map_err(failed)?
    } else {
        0
    };
    let declined = prunable > 0 && !agreed && !args.format.json;
    if args.format.json {
        let time = i64::try_from(before).ok();
        let time = time.and_then(|us| Timestamp::from_microsecond(us).ok());
        print_json(&PruneDocument {
            name: site.config.name.clone(),
            before: time.unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
            prunable,
            open,
            done: agreed,
            deleted,
        });
    } else {
        print(&text(before, prunable, open, agreed.then_some(deleted)));
        super::warn(book.answers(), None);
    }
    book.close().await;
    Ok(if declined {
        ExitCode::from(NO)
    } else {
        ExitCode::SUCCESS
    })
}

fn conflicts(count: u64) -> String {
    match count {
        1 => "1 conflict".into(),
        count => format!("{count} conflicts"),
    }
}

/// What was done, in a sentence or two.
pub(super) fn text(before: u64, prunable: u64, open: u64, deleted: Option<u64>) -> String {
    let before = when::second(before);
    let done = match (prunable, deleted) {
        (0, _) => format!("nothing to forget: no settled conflict was found before {before}"),
        (_, Some(deleted)) => format!("forgot {} found before {before}", conflicts(deleted)),
        (prunable, None) => format!(
            "forgot nothing: {} found before {before} could be",
            conflicts(prunable)
        ),
    };
    match open {
        0 => done,
        1 => format!("{done}\n1 that is as old is open, and stays"),
        open => format!("{done}\n{open} that are as old are open, and stay"),
    }
}
