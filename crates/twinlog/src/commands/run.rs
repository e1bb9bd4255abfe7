//! `twinlog run`

use std::{process::ExitCode, time::Duration};

use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use twinlog_agent::{
    run,
    watch::{Options, Summary},
};
use twinlog_converge::Limits;
use twinlog_pair::site::Site;

use crate::{
    cli::Format,
    failure::{Failure, INTERRUPTED, NO, TERMINATED, USAGE, WORLD},
    output::{print, print_json, tell},
};

/// How long a stop may take before it is forced: what is under way is one transaction, which its server rolls back.
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// Watch both logs and end what makes the two nodes differ: every conflict is found, settled by the table's policy, and
/// kept with all its versions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog run                     in the foreground, until Ctrl-C or SIGTERM; dist/systemd has a unit
  twinlog run --once              settle all that both nodes have executed by now, then end: for cron
  twinlog run --once --json       the same, and what was done as one JSON document
  twinlog run --from-now          do not look at what happened before: for a log that was purged
  twinlog run --once --compared   the tables that `twinlog status` named as not known to be equal have been compared

It keeps nothing on disk: how far it is stands in the pair itself, so that it may be killed at any time and started on
any host. A second one says who is at work, and waits.
Exit code with --once: 0 all settled; 1 something waits for a person, tables are to be compared, or a link does not run;
3 a server failed; 130 or 143 stopped by Ctrl-C or SIGTERM before all was settled.")]
pub(crate) struct RunArgs {
    /// Settle what there is, and end.
    #[arg(long)]
    once: bool,
    /// Begin with what both nodes have executed by now, whatever the last agent left; all tables are then to be compared.
    #[arg(long)]
    from_now: bool,
    /// The tables that could not be followed until now have been compared, by whatever means: forget that they were to be.
    #[arg(long, conflicts_with = "from_now")]
    compared: bool,
    /// The memory for what is not settled yet, in MiB; beyond it tables are named to be compared as a whole.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(8..=65536))]
    memory: u32,
    #[command(flatten)]
    format: Format,
}

pub(crate) async fn run(site: Site, args: &RunArgs) -> Result<ExitCode, Failure> {
    let options = Options {
        once: args.once,
        from_now: args.from_now,
        compared: args.compared,
        limits: Limits {
            memory_bytes: args.memory as usize * 1024 * 1024,
        },
    };
    let (stop, stopped) = watch::channel(false);
    let mut told = stopped.clone();
    let asked = tokio::spawn(async move {
        let code = asked_to_stop().await;
        if code.is_ok() {
            // The receiver lives as long as the watch.
            let _ = stop.send(true);
        }
        code
    });
    let work = run::run(&site, options, stopped);
    let deadline = async {
        // An error means that nobody can ask to stop any more: then there is no deadline.
        if told.wait_for(|stop| *stop).await.is_ok() {
            tokio::time::sleep(STOP_TIMEOUT).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let summary = tokio::select! {
        done = work => done?,
        () = deadline => {
            tell("stopped before all was written down; the next start reads it again");
            Summary::default()
        }
    };
    if args.once && *told.borrow() {
        tell("stopped before all was settled; the next start goes on from here");
        let code = asked.await.ok().and_then(Result::ok);
        return Ok(ExitCode::from(code.unwrap_or(INTERRUPTED)));
    }
    if args.once {
        show(&summary, args);
        if summary.open + summary.to_verify > 0 {
            return Ok(ExitCode::from(NO));
        }
    } else {
        tell("stopped; the next start goes on from here");
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or SIGTERM; the exit code of what either has cut short.
pub(crate) async fn asked_to_stop() -> std::io::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| INTERRUPTED),
        _ = terminate.recv() => Ok(TERMINATED),
    }
}

fn show(summary: &Summary, args: &RunArgs) {
    if args.format.json {
        print_json(summary);
        return;
    }
    print(&describe(summary));
}

/// What `--once` did, in a few lines.
pub(crate) fn describe(summary: &Summary) -> String {
    let Summary {
        transactions,
        conflicts,
        divergences,
        repaired,
        open,
        to_verify,
    } = summary;
    let mut text = format!("settled: {transactions} transactions read from both logs\n");
    if conflicts + divergences == 0 {
        text.push_str("no row was written on both nodes unseen, and none differs\n");
    } else {
        let s = |n: &u64| if *n == 1 { "" } else { "s" };
        text.push_str(&format!(
            "{conflicts} conflict{}, {divergences} other divergence{}; {repaired} repaired, {open} open (`twinlog conflicts \
             list`)\n",
            s(conflicts),
            s(divergences)
        ));
    }
    if *to_verify > 0 {
        text.push_str(&format!(
            "{to_verify} tables could not be followed, and are to be compared: see the warnings above\n"
        ));
    }
    text
}

impl From<twinlog_agent::watch::Error> for Failure {
    fn from(error: twinlog_agent::watch::Error) -> Self {
        use twinlog_agent::watch::{Error, StartError};
        let code = match &error {
            Error::Start(StartError::ByPosition) => USAGE,
            Error::LinkStopped { .. } | Error::Leadership(_) => NO,
            _ => WORLD,
        };
        let hint = error.hint();
        Self::new(code, error.to_string(), hint)
    }
}
