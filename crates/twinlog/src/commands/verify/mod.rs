//! `twinlog verify`

pub(crate) mod progress;
pub(crate) mod text;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Arg, Args};
use jiff::Timestamp;
use twinlog_agent::verify::{Error, Limits, Options, Progress, ROWS_MAX_DEFAULT, cut_off, verify};
use twinlog_pair::{config::is_pattern, site::Site};

use crate::{
    cli::Format,
    commands::{
        conflicts::when::moment,
        repair::{self, Wish},
    },
    failure::{Failure, NO, USAGE, WORLD},
    output::{print, print_json, tell},
    screen::width,
};

/// So many rows that differ are shown of each table.
const SHOWN_DEFAULT: usize = 10;

/// Compare both nodes, all tables and rows, views, programs and accounts, while clients write: nothing is written.
#[derive(Debug, Args)]
#[command(
    mut_args(only_with_repair),
    after_help = "\
Examples:
  twinlog verify                            all tables, and what there is beside them: views, routines, triggers, events,
                                            sequences, and accounts with their grants
  twinlog verify --tables 'shop.*'          the tables of one database
  twinlog verify --tables '`we.ird`.`t.1`'  a table whose name, or whose database's, has a dot
  twinlog verify --tables shop.orders --where 'id > 100000'
                                            some rows of one table
  twinlog verify --since 2h                 rows that the logs say were written in the last two hours
  twinlog verify --json                     one JSON document (docs/schema/verify.json)
  twinlog verify --repair --keep a          and what would make b as a is: see `twinlog repair --help`

Each row that is named differs at a moment that both nodes have in common: what is only on its way is told apart. A
difference is missed once in 2^64 (MySQL 8.0 and newer: 2^256). It rests the longer, the more clients do, and waits while a
link is behind. Only rows that differ are locked, 20 at most, and for little more than a second.
Exit codes: 0 both hold the same; 1 they do not, or not all could be compared; 3 a node did not answer, or a link stands
still."
)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) what: What,
    /// Show what would make both nodes equal, and do it if you agree: as `twinlog repair` does, whose help says more.
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    wish: Wish,
}

/// What a repair is asked is no question of a comparison.
fn only_with_repair(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "keep" | "yes" | "dry_run" => arg.requires("repair"),
        _ => arg,
    }
}

/// What is compared, and how.
#[derive(Debug, Args)]
pub(crate) struct What {
    /// Only tables like this: `database.table`, with * for anything; names with dots or stars between backticks. May be
    /// repeated.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    tables: Vec<String>,
    /// Only rows of which this condition in SQL is true.
    #[arg(long = "where", value_name = "SQL")]
    only: Option<String>,
    /// Only rows that the logs say were written since: a time, or so long ago. Not what was written outside the logs.
    #[arg(long, value_name = "TIME|DURATION", value_parser = since, conflicts_with = "only")]
    since: Option<Timestamp>,
    /// Hash so many pieces at once on each node.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// Do not rest for clients.
    #[arg(long)]
    full_speed: bool,
    /// Wait while a link is further behind, in seconds.
    #[arg(long, value_name = "S", default_value_t = 10)]
    max_lag: u64,
    /// Leave a table when more of its rows differ.
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    max_rows: u64,
    /// Begin anew, though a run of the same within the last day was cut off.
    #[arg(long)]
    restart: bool,
    /// Show so many rows of each table; the JSON document has all.
    #[arg(long, value_name = "N", default_value_t = SHOWN_DEFAULT)]
    pub(crate) show: usize,
    #[command(flatten)]
    pub(crate) format: Format,
}

fn since(text: &str) -> Result<Timestamp, String> {
    let micros = i64::try_from(moment(text)?).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).map_err(|error| error.to_string())
}

fn pattern(text: &str) -> Result<String, String> {
    match is_pattern(text) {
        true => Ok(text.to_owned()),
        false => Err(
            "it has the form database.table, with * for anything; names with dots or stars between backticks"
                .to_owned(),
        ),
    }
}

impl What {
    /// What is to be compared. Says so where it goes on with what was cut off.
    pub(crate) fn options(&self, site: &Site) -> Options {
        let options = Options {
            tables: self.tables.clone(),
            beside: self.tables.is_empty(),
            only: self.only.clone(),
            since: self.since,
            rows_max: self.max_rows,
            anew: self.restart,
            limits: Limits {
                parallel: self.parallel.into(),
                yields: !self.full_speed,
                lag_max: Duration::from_secs(self.max_lag),
                load_percent: 100,
                settled_first: false,
            },
        };
        if let Some(since) = cut_off(site, &options) {
            tell(&format!(
                "going on where the comparison of {since:.0} was cut off; --restart begins anew"
            ));
        }
        options
    }
}

/// Shows how far a comparison is, until it is done.
pub(crate) async fn watched<T>(
    comparison: impl AsyncFnOnce(Arc<Progress>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let seen = Arc::new(Progress::default());
    let shown = tokio::spawn(progress::show(Arc::clone(&seen)));
    let done = comparison(seen).await;
    shown.abort();
    progress::clear();
    done
}

pub(crate) async fn run(site: Site, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.repair {
        return repair::repair(&site, &args.what, &args.wish).await;
    }
    let options = args.what.options(&site);
    let report = watched(async |seen| Ok(verify(&site, &options, seen).await?)).await?;
    if args.what.format.json {
        print_json(&report);
    } else {
        print(&text::text(&report, args.what.show, width()));
        if !report.rows.is_empty() {
            let [a, b] = &report.nodes;
            tell(&format!(
                "`twinlog repair` puts such rows right: --keep {a} or --keep {b} says which node is right; nothing is written \
                 before you agree"
            ));
        }
        if !report.schema.is_empty() {
            tell(
                "definitions and accounts are put right by hand, on the node that is wrong, after SET SESSION sql_log_bin = 0: logged, \
                 the statement would fail on the other one; or `twinlog rebuild NODE` (not accounts)",
            );
        }
    }
    Ok(match report.equal {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(NO),
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::NoTable(_) | Error::Condition { .. } | Error::ByPosition => USAGE,
            _ => WORLD,
        };
        let hint = error.hint();
        Self::new(code, error.to_string(), hint)
    }
}
