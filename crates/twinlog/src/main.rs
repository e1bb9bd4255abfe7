//! `twinlog`: MySQL and MariaDB dual primaries that stay equal.

mod cli;
mod commands;
mod demo;
mod failure;
mod output;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    output::log_to_stderr(cli.verbose, cli.command.is_agent());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
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

/// Ends the program at Ctrl-C, also while the command waits for an answer at the terminal. Every command may be cut
/// off anywhere; what it had done stays done.
async fn interrupted(note: &'static str) {
    if tokio::signal::ctrl_c().await.is_ok() {
        output::tell(note);
        std::process::exit(i32::from(failure::INTERRUPTED));
    }
}
