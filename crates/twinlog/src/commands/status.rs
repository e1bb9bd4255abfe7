//! `twinlog status`

mod agent;
mod text;
pub(crate) mod words;

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use clap::Args;
use twinlog_pair::{
    site::Site,
    status::{self, Status},
};

use crate::{
    cli::Format,
    failure::{Failure, NO, WORLD},
    output::{print, screen_width},
};

/// The narrowest screen that is laid out for; on a narrower one lines break where they must.
const WIDTH_MIN: u16 = 60;
/// On wider screens the columns do not drift apart any further.
const WIDTH_MAX: u16 = 110;
/// Where there is no terminal to ask.
const WIDTH_DEFAULT: u16 = 80;

/// Say how the pair is: both nodes, both links, and the lag of each, measured by a row that is written and read back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog status                  one screen; exit code 0 if the pair is healthy, 1 if it is not
  twinlog status --watch          the same, again every 2 seconds, until Ctrl-C
  twinlog status --json           one JSON document (docs/schema/status.json)
  twinlog status --json --watch 10
                                  one document per line, every 10 seconds
  twinlog status --wait 30        give a link that catches up 30 seconds to deliver

It changes nothing but one row of twinlog's own on each node. Where no such row may cross, it
waits for the replica to reach the end of the source's log instead.
Exit code 3 means that neither node could be asked.")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    format: Format,
    /// Ask again every SECONDS (2 if not said), until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    watch: Option<Duration>,
    /// How long to wait for a node's connection, and then for the row to arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(status::WAIT), value_parser = wait)]
    wait: Seconds,
}

/// A duration that is shown in seconds.
#[derive(Debug, Clone, Copy)]
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}

impl StatusArgs {
    /// Whether it goes on until Ctrl-C.
    pub(crate) fn is_watching(&self) -> bool {
        self.watch.is_some()
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "a number of seconds, from 0.1 to 86400".into())
}

fn wait(text: &str) -> Result<Seconds, String> {
    seconds(text).map(Seconds)
}

pub(crate) async fn run(site: Site, args: &StatusArgs) -> Result<ExitCode, Failure> {
    let Some(pause) = args.watch else {
        let status = status::status(&site, args.wait.0).await;
        show(&status, args)?;
        return Ok(exit_code(&status));
    };
    let mut latest = ExitCode::SUCCESS;
    let rounds = async {
        loop {
            let status = status::status(&site, args.wait.0).await;
            latest = exit_code(&status);
            show(&status, args)?;
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        ended = rounds => ended,
        _ = tokio::signal::ctrl_c() => Ok(latest),
    }
}

fn exit_code(status: &Status) -> ExitCode {
    match (status.healthy, status.is_known()) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(NO),
        (false, false) => ExitCode::from(WORLD),
    }
}

fn show(status: &Status, args: &StatusArgs) -> Result<(), Failure> {
    let watched = args.watch.is_some();
    if args.format.json {
        let json = if watched {
            serde_json::to_string(status)
        } else {
            serde_json::to_string_pretty(status)
        };
        print(&json.map_err(|error| Failure::new(WORLD, error.to_string(), None))?);
        return Ok(());
    }
    let text = text::render(status, width());
    match (watched, std::io::stdout().is_terminal()) {
        // Over the former screen, line by line, and away with what is left of it: no flicker.
        (true, true) => print(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))),
        (true, false) => print(&format!("{text}\n")),
        (false, _) => print(&text),
    }
    Ok(())
}

fn width() -> u16 {
    screen_width()
        .unwrap_or(WIDTH_DEFAULT)
        .clamp(WIDTH_MIN, WIDTH_MAX)
}
