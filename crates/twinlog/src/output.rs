//! What goes where: data to standard output, messages and progress to standard error.

use std::{
    io::{IsTerminal, Write},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use twinlog_pair::{
    apply::Progress,
    copy::Limits,
    plan::{Plan, Step},
    up::Ui,
};

/// Sends log lines to standard error: warnings, or more for each `-v`. `RUST_LOG` refines it. Those of the agent, which
/// are its only output, have the time before them and begin one level lower.
pub(crate) fn log_to_stderr(verbose: u8, agent: bool) {
    let level = match verbose + u8::from(agent) {
        0 => "warn,mysql_async=off",
        1 => "info,mysql_async=off",
        _ => {
            "twinlog_server=debug,twinlog_pair=debug,twinlog_agent=debug,twinlog=debug,info,mysql_async=off"
        }
    };
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(!agent)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if agent {
        lines.init();
    } else {
        lines.without_time().init();
    }
}

/// Prints data; ends the program as [`written`] does when nobody takes it.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    written(writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()));
}

/// Prints one JSON document.
pub(crate) fn print_json(value: &impl serde::Serialize) {
    let mut out = std::io::stdout().lock();
    let text = serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from);
    written(text.and_then(|()| writeln!(out)).and_then(|()| out.flush()));
}

/// What comes of writing data. A reader that has gone away ends the program quietly, as it does every other tool; a
/// full disk must not look like success.
pub(crate) fn written<T>(result: std::io::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            tell(&format!(
                "\x1b[1;31merror:\x1b[0m cannot write to standard output: {error}"
            ));
            std::process::exit(i32::from(crate::failure::WORLD));
        }
    }
}

/// How wide the screen is, in characters: what `COLUMNS` says, or the terminal; `None` where there is neither.
pub(crate) fn screen_width() -> Option<u16> {
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    asked.or_else(|| comfy_table::Table::new().width())
}

/// Prints a message for the person at the terminal. Nobody listening is no reason to stop.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Progress as lines on standard error, one when a step begins; plans and questions.
pub(crate) struct Terminal {
    /// Do not ask.
    pub(crate) yes: bool,
    limits: Limits,
    done: AtomicUsize,
}

impl Terminal {
    pub(crate) fn new(yes: bool) -> Self {
        Self {
            yes,
            limits: Limits::default(),
            done: AtomicUsize::new(0),
        }
    }

    /// With other limits for what is copied.
    pub(crate) fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Progress for Terminal {
    fn begin(&self, step: &Step) {
        let number = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        tell(&format!("\x1b[2m[{number}]\x1b[0m {}", step.title));
    }

    fn waiting(&self, what: &str, so_far: Duration) {
        tell(&format!(
            "\x1b[2m    {what}: {} s so far\x1b[0m",
            so_far.as_secs()
        ));
    }

    fn moved(&self, what: &str) {
        tell(&format!("    {what}"));
    }

    fn copy_limits(&self) -> Limits {
        self.limits
    }

    fn end(&self, step: &Step, took: Duration) {
        if took > Duration::from_millis(500) {
            tell(&format!(
                "\x1b[2m    {}: done in {:.1} s\x1b[0m",
                step.title,
                took.as_secs_f64()
            ));
        }
    }
}

impl Ui for Terminal {
    fn approve(&self, plan: &Plan, asks: bool) -> bool {
        if !asks {
            return true;
        }
        tell(&plan.to_string());
        self.yes || ask("Change these servers?")
    }
}

/// Asks a question; anything but yes is no, and so is a standard input that nobody types at.
pub(crate) fn ask(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        tell(&format!(
            "{question} Nobody to ask: say --yes if you mean it."
        ));
        return false;
    }
    tell(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
