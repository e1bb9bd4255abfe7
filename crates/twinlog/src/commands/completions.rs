//! `twinlog completions`

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{cli::Cli, output::print};

/// Print a shell's completion script.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog completions bash > ~/.local/share/bash-completion/completions/twinlog
  twinlog completions zsh > ~/.zfunc/_twinlog
  twinlog completions fish > ~/.config/fish/completions/twinlog.fish")]
pub(crate) struct CompletionsArgs {
    /// For which shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "twinlog", &mut script);
    print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
