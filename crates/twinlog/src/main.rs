//! `twinlog`: MySQL and MariaDB dual primaries that stay equal.

mod cli;
mod commands;
mod demo;
mod failure;
mod output;
mod screen;

use std::{io, process::ExitCode};

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    output::log_to_stderr(cli.verbose, cli.command.is_agent());
    let runtime = match runtime(cli.command.is_agent()) {
        Ok(runtime) => runtime,
        Err(error) => {
            output::tell(&format!("error: cannot start: {error}"));
            return ExitCode::from(failure::WORLD);
        }
    };
    if let Some(note) = cli.command.when_interrupted() {
        runtime.spawn(interrupted(note));
    }
    match runtime.block_on(commands::run(cli)) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code)
        }
    }
}

/// The agent hands each transaction from task to task, which costs less than reading it only while no thread must be
/// woken for that; one core tracks more than two servers write. Other commands need a thread that hears Ctrl-C.
fn runtime(is_agent: bool) -> io::Result<Runtime> {
    let mut builder = match is_agent {
        true => Builder::new_current_thread(),
        false => Builder::new_multi_thread(),
    };
    builder.worker_threads(2).enable_all().build()
}

/// Ends the program at Ctrl-C, also while the command waits for an answer at the terminal. Every command may be cut
/// off anywhere; what it had done stays done.
async fn interrupted(note: &'static str) {
    if tokio::signal::ctrl_c().await.is_ok() {
        output::tell(note);
        std::process::exit(i32::from(failure::INTERRUPTED));
    }
}
