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
use twinlog_server::conn;

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
    let done = runtime.block_on(commands::run(cli));
    // What was given up on the way to a failure, or by an agent that was told to stop.
    runtime.block_on(conn::end_all());
    match done {
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

/// Ends the program at Ctrl-C or SIGTERM, also while the command waits for an answer at the terminal. Every command may be
/// cut off anywhere; what it had done stays done, and what it had asked the servers for is ended there.
async fn interrupted(note: &'static str) {
    if let Ok(code) = commands::run::asked_to_stop().await {
        output::tell(note);
        conn::end_all().await;
        std::process::exit(i32::from(code));
    }
}
