//! The command line: what can be said, and help that teaches by example.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// MySQL and MariaDB dual primaries that stay equal.
#[derive(Debug, Parser)]
#[command(
    name = "twinlog",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  twinlog demo                    see the whole story on throw-away data, in about a minute
  twinlog init && twinlog up      two servers on this machine, each the other's replica, proven
  twinlog status                  is the pair healthy?
  twinlog run                     keep both nodes equal from now on
  twinlog sql a -e 'SELECT 1'     a statement on one of them

Exit codes: 0 done or healthy; 1 the honest answer is no; 2 your mistake; 3 the world failed."
)]
pub(crate) struct Cli {
    /// The pair's configuration.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "twinlog.toml",
        global = true
    )]
    pub(crate) config: PathBuf,
    /// Say more on standard error; twice for every statement.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(crate::commands::init::InitArgs),
    Plan(crate::commands::plan::PlanArgs),
    Up(crate::commands::up::UpArgs),
    Copy(crate::commands::copy::CopyArgs),
    Rebuild(crate::commands::rebuild::RebuildArgs),
    Backup(crate::commands::backup::BackupArgs),
    Restore(crate::commands::restore::RestoreArgs),
    Down(crate::commands::down::DownArgs),
    Doctor(crate::commands::doctor::DoctorArgs),
    Status(crate::commands::status::StatusArgs),
    Run(crate::commands::run::RunArgs),
    Conflicts(crate::commands::conflicts::ConflictsArgs),
    Verify(crate::commands::verify::VerifyArgs),
    Repair(crate::commands::repair::RepairArgs),
    Sql(crate::commands::sql::SqlArgs),
    Dsn(crate::commands::dsn::DsnArgs),
    Demo(crate::commands::demo::DemoArgs),
    Completions(crate::commands::completions::CompletionsArgs),
    Man(crate::commands::man::ManArgs),
}

impl Command {
    /// Whether what it does is told by log lines.
    pub(crate) fn is_agent(&self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// What to say at Ctrl-C or SIGTERM before the program ends; `None` for a command that has something to do then.
    pub(crate) fn when_interrupted(&self) -> Option<&'static str> {
        match self {
            Self::Up(_) => {
                Some("interrupted: the next `twinlog up` goes on where this one stopped")
            }
            Self::Copy(_) => {
                Some("interrupted: the next `twinlog copy` goes on where this one stopped")
            }
            Self::Rebuild(_) => Some(
                "interrupted: the same command, or `twinlog up`, goes on where this one stopped",
            ),
            Self::Backup(_) => Some("interrupted: what was written is no backup"),
            Self::Restore(_) => {
                Some("interrupted: the next `twinlog restore` goes on where this one stopped")
            }
            Self::Repair(_) => Some(INTERRUPTED_REPAIR),
            Self::Verify(args) if args.repair => Some(INTERRUPTED_REPAIR),
            Self::Verify(_) => {
                Some("interrupted: the same `twinlog verify` goes on where this one stopped")
            }
            // It ends by itself, and says what it has done.
            Self::Run(_) => None,
            // The demo clears up behind itself.
            Self::Sql(_) | Self::Demo(_) => None,
            // Ctrl-C is how a watch ends well.
            Self::Status(args) if args.is_watching() => None,
            _ => Some("interrupted"),
        }
    }
}

const INTERRUPTED_REPAIR: &str =
    "interrupted: each row is as it was or as it shall be; the next `twinlog repair` does the rest";

/// For commands whose data can be read by programs.
#[derive(Debug, Args)]
pub(crate) struct Format {
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests;
