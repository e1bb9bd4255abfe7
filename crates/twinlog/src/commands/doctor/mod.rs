//! `twinlog doctor`

mod text;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use jiff::Zoned;
use twinlog_pair::{
    config::Config,
    doctor::{
        self, Rule, Scene, Severity, gather,
        report::{Report, Selection},
    },
    site::Site,
};
use twinlog_server::{mycnf::OptionFile, version::Version};

use crate::{
    cli::Format,
    failure::{Failure, NO, USAGE, WORLD},
    output::{print, print_json},
};

/// Look for what is wrong with servers, links, accounts, schemas and option files, and say what to do about it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog doctor                          both nodes of twinlog.toml; exit code 1 if something needs care
  twinlog doctor --severity error         only what breaks the pair in ordinary use
  twinlog doctor --ignore TL046,TL301     not these rules
  twinlog doctor --explain TL301          all about a rule
  twinlog doctor --json                   one JSON document (docs/schema/doctor.json)
  twinlog doctor --my-cnf master.cnf slave.cnf
                                          option files by themselves: no server, no twinlog.toml
  twinlog doctor --my-cnf my.cnf --server-version 5.7.44
                                          what holds for this version (MariaDB: 10.11.6-MariaDB)

Exit codes: 0 nothing worse than info; 1 findings; 3 a server could not be asked. It changes nothing.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    format: Format,
    /// Only findings at least this bad.
    #[arg(long, value_name = "LEVEL")]
    severity: Option<Level>,
    /// Only these rules; may be repeated, or a list with commas.
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = code)]
    only: Vec<String>,
    /// Not these rules; may be repeated, or a list with commas.
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = code)]
    ignore: Vec<String>,
    /// Look at these option files instead of servers; two of them are also held against each other.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    my_cnf: Vec<PathBuf>,
    /// The version that the option files are for, such as 5.7.44 or 10.11.6-MariaDB.
    #[arg(long, value_name = "VERSION", requires = "my_cnf", value_parser = version)]
    server_version: Option<Version>,
    /// Say everything about one rule.
    #[arg(long, value_name = "CODE", value_parser = code, conflicts_with_all = ["my_cnf", "json", "list"])]
    explain: Option<String>,
    /// List all rules.
    #[arg(long, conflicts_with_all = ["my_cnf", "json"])]
    list: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    Error,
    Warning,
    Info,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warning => Self::Warning,
            Level::Info => Self::Info,
        }
    }
}

fn code(text: &str) -> Result<String, String> {
    doctor::rule(text.trim())
        .map(|rule| rule.code.to_owned())
        .ok_or_else(|| "there is no such rule: `twinlog doctor --list` shows all".into())
}

fn version(text: &str) -> Result<Version, String> {
    // `5.7` is enough: the series' last release is meant.
    let padded = match text.split('.').count() {
        2 if text.chars().all(|c| c.is_ascii_digit() || c == '.') => format!("{text}.{}", u16::MAX),
        _ => text.to_owned(),
    };
    Version::parse(&padded, "").map_err(|error| error.to_string())
}

pub(crate) async fn run(config: &Path, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    if let Some(rule) = args.explain.as_deref().and_then(doctor::rule) {
        print(&text::explain(rule, text::width()));
        return Ok(ExitCode::SUCCESS);
    }
    if args.list {
        print(&list(&doctor::rules()));
        return Ok(ExitCode::SUCCESS);
    }
    let report = if args.my_cnf.is_empty() {
        let site = Site::open(Config::load(config)?)?;
        let gathered = gather::gather(&site).await;
        let findings = doctor::examine(&gathered.scene);
        Report::new(
            findings,
            &selection(args),
            gathered.silent,
            gathered.unchecked,
        )
    } else {
        let scene = Scene::of_files(
            &load(&args.my_cnf)?,
            args.server_version,
            Zoned::now().date(),
        );
        Report::new(
            doctor::examine(&scene),
            &selection(args),
            Vec::new(),
            Vec::new(),
        )
    };
    if args.format.json {
        print_json(&report);
    } else {
        print(&text::render(&report, text::width()));
    }
    Ok(exit_code(&report))
}

fn selection(args: &DoctorArgs) -> Selection {
    Selection {
        at_least: args.severity.map(Severity::from),
        only: args.only.clone(),
        ignore: args.ignore.clone(),
    }
}

fn load(paths: &[PathBuf]) -> Result<Vec<OptionFile>, Failure> {
    paths
        .iter()
        .map(|path| {
            OptionFile::load(path).map_err(|error| {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                Failure::new(
                    USAGE,
                    format!("{error}{}", cause.unwrap_or_default()),
                    error.hint(),
                )
            })
        })
        .collect()
}

fn exit_code(report: &Report) -> ExitCode {
    if !report.silent.is_empty() {
        ExitCode::from(WORLD)
    } else if report.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    }
}

fn list(rules: &[&Rule]) -> String {
    rules
        .iter()
        .map(|rule| {
            format!(
                "{}  {:<7}  {}\n",
                rule.code,
                rule.severity.word(),
                rule.title
            )
        })
        .collect()
}
