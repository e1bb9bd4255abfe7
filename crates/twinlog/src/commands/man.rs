//! `twinlog man`

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::{
    cli::Cli,
    failure::{Failure, WORLD},
    output::print,
};

/// Print a manual page, or write the pages of all commands into a directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog man | man -l -                      read the manual
  twinlog man up | man -l -                   read about one command
  twinlog man /usr/local/share/man/man1       install the pages of all commands")]
pub(crate) struct ManArgs {
    /// A command, to print its page; or a directory, made if need be, for twinlog.1, twinlog-up.1 and so on.
    #[arg(value_name = "COMMAND|DIR")]
    what: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<ExitCode, Failure> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let show = |command| -> Result<(), Failure> {
        print(&page(command).map_err(|error| failed(Path::new("the manual"), &error))?);
        Ok(())
    };
    let named = |path: &PathBuf| {
        root.get_subcommands()
            .find(|command| path.to_str() == Some(command.get_name()))
    };
    match args.what.as_ref().map(|what| (what, named(what))) {
        None => show(&root)?,
        Some((_, Some(command))) => show(command)?,
        Some((dir, None)) => {
            fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
            write_pages(&root, dir)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &clap::Command, dir: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = dir.join(format!("{name}.1"));
    page(command)
        .and_then(|text| fs::write(&path, text))
        .map_err(|error| failed(&path, &error))?;
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .try_for_each(|command| write_pages(command, dir))
}

/// One command's page. The generator would run the examples together into a paragraph.
fn page(command: &clap::Command) -> io::Result<String> {
    let man = Man::new(command.clone())
        .source(format!("twinlog {}", env!("CARGO_PKG_VERSION")))
        .manual("twinlog manual");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let text = String::from_utf8_lossy(&text);
    // Each section brings this preamble along; a page needs it once.
    let (preamble, sections) = text.split_at(text.find(".TH").unwrap_or_default());
    let mut page = preamble.to_owned() + &sections.replace(preamble, "");
    if let Some(after) = command.get_after_help() {
        page += &after_help(&after.to_string());
    }
    Ok(page)
}

/// The text behind a help as sections: its examples line by line, the rest as it flows.
fn after_help(text: &str) -> String {
    let mut examples = String::new();
    let mut notes = String::new();
    for block in text.split("\n\n") {
        // Writing to a String cannot fail.
        let _ = match block.strip_prefix("Examples:\n") {
            Some(lines) => write!(examples, ".SH EXAMPLES\n.nf\n{}\n.fi\n", roff(lines)),
            None if notes.is_empty() => write!(notes, ".SH NOTES\n{}\n", roff(block)),
            None => write!(notes, ".PP\n{}\n", roff(block)),
        };
    }
    examples + &notes
}

/// Text as troff reads it back: no line is taken for a request, no character for an escape.
fn roff(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) {
            format!("\\&{line}")
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        WORLD,
        format!("cannot write {}: {error}", path.display()),
        None,
    )
}
