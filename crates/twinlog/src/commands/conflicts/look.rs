//! `twinlog conflicts show`

use std::process::ExitCode;

use clap::Args;
use twinlog_agent::conflicts::{Book, ShowDocument};
use twinlog_pair::site::Site;

use super::show;
use crate::{
    cli::Format,
    failure::Failure,
    output::{print, print_json},
    screen::width,
};

/// Show one conflict: who wrote what, when and where, all versions side by side, what was chosen and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog conflicts show 3f2a             the first digits of the id will do
  twinlog conflicts show 3f2a --full      every column and every value, whatever its length
  twinlog conflicts show 3f2a --json      one JSON document (docs/schema/conflicts-show.json)

A line with ≠ differs between versions. A value with * was changed there; one with ! was held by a
node and is not what was chosen. Columns that are the same everywhere are left out, long values cut
short. Times are UTC.
Exit codes: 0 shown; 2 no conflict has this id, or several have; 3 neither node could be asked.")]
pub(super) struct ShowArgs {
    /// Its id, or the first digits of it.
    #[arg(value_name = "ID")]
    id: String,
    /// Leave nothing out, and cut nothing short.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(site: &Site, args: &ShowArgs) -> Result<ExitCode, Failure> {
    let mut book = Book::open(site).await?;
    let found = book.find(&args.id).await?;
    if args.format.json {
        print_json(&ShowDocument::new(
            &site.config.name,
            book.answers(),
            &found,
        ));
    } else {
        let look = show::Look {
            full: args.full,
            now: super::now_us(),
            width: width(),
        };
        print(&show::text(&found.entry, &look));
        super::warn(book.answers(), found.differ.as_deref());
    }
    book.close().await;
    Ok(ExitCode::SUCCESS)
}
