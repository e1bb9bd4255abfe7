//! `twinlog demo`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use twinlog_pair::{
    apply::Progress,
    config::write_new,
    plan::{Action, Plan, Step},
    site::Site,
    up::{self, Ui},
};

use crate::{
    demo::{
        Stop,
        place::{self, Place},
        play::Play,
        stage::Stage,
        story,
    },
    failure::{Failure, WORLD},
    output::{Terminal, tell},
};

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The whole story on this machine in about a minute, on throw-away data.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog demo                              with the server that is found on this machine
  twinlog demo --binary /opt/my/bin/mysqld  with this one
  twinlog demo --keep                       and leave the pair running, to try things on it

Two servers run in a temporary directory (TMPDIR, else /tmp) on two free ports; both are gone at the end. Called as
root, it runs them as user mysql, else as whoever called sudo, else as nobody.")]
pub(crate) struct DemoArgs {
    /// The server program: a mysqld or mariadbd.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Leave the pair running, and say how to use it and how to remove it.
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let mut signals = Signals::listen()?;
    let binary = place::find_server(args.binary.as_deref())?;
    let user = place::server_user()?;
    let place = Place::make(user.as_ref())?;
    let config = place.config(&binary, user.as_ref())?;
    let file = place.path().join("twinlog.toml");
    write_new(&file, &config.to_toml()?)?;
    let mut site = Site::open(config)?;

    let builder = Builder::new();
    let server = format!("{} ({})", binary.version, binary.path.display());
    let told = tokio::select! {
        // First in line, so that nothing is begun once it is ready.
        biased;
        () = builder.idle_after(signals.any()) => None,
        told = perform(&mut site, &server, &builder) => Some(told),
    };
    if args.keep && matches!(told, Some(Ok(()))) {
        keep(place, &file);
    } else {
        clear(place, &site, &mut signals).await?;
    }
    match told {
        Some(Ok(())) => {
            tell(&format!(
                "the demonstration took {:.0} s",
                started.elapsed().as_secs_f64()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Some(Err(Stop::Failed(failure))) => Err(failure),
        Some(Err(Stop::Unread)) => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::from(INTERRUPTED)),
    }
}

async fn perform(site: &mut Site, server: &str, builder: &Builder) -> Result<(), Stop> {
    let mut stage = Stage::default();
    let dir = site.config.dir.display().to_string();
    let ports = [site.nodes()[0].port, site.nodes()[1].port];
    story::opening(&mut stage, server, &dir, ports)?;
    let started = Instant::now();
    let done = up::up(site, builder).await?;
    story::built(&stage, &done, started.elapsed().as_secs_f64())?;
    let mut play = Play::open(site, stage).await?;
    let told = story::tell(&mut play).await;
    play.close().await;
    told
}

async fn clear(place: Place, site: &Site, signals: &mut Signals) -> Result<(), Failure> {
    tell("stopping both servers, removing their data");
    let dir = place.path().display().to_string();
    let left = tokio::select! {
        cleared = place.clear(site) => cleared.err(),
        // Asked again, it ends at once.
        () = signals.any() => Some(format!("interrupted again: servers may still run in {dir}")),
    };
    left.map_or(Ok(()), |left| {
        let hint = format!("see `ps ax | grep {dir}`, end them, then remove the directory");
        Err(Failure::new(WORLD, left, Some(hint)))
    })
}

fn keep(place: Place, file: &Path) {
    let dir = place.keep();
    let twinlog = format!("twinlog -c {}", file.display());
    tell(&format!(
        "\nThe pair goes on running:\n\
         \x20 {twinlog} status\n\
         \x20 {twinlog} sql a\n\
         When you have seen enough:\n\
         \x20 {twinlog} down --purge --yes && rm -r {}\n",
        dir.display()
    ));
}

/// The signals that end the demonstration, from the terminal or from elsewhere.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(WORLD, format!("cannot listen for signals: {error}"), None)
            })
        };
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The building of the pair as it is shown, and whether it can be left where it is.
struct Builder {
    terminal: Terminal,
    /// Steps at work that go on by themselves when nobody waits for them.
    unstoppable: AtomicUsize,
}

impl Builder {
    fn new() -> Self {
        Self {
            terminal: Terminal::new(true),
            unstoppable: AtomicUsize::new(0),
        }
    }

    /// Waits for a signal, and then until what was begun can be cleared away.
    async fn idle_after(&self, signal: impl Future<Output = ()>) {
        signal.await;
        tell("interrupted");
        while self.unstoppable.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// File work, which another thread does, and a server's start: MariaDB does not hear SIGTERM while it starts.
    fn is_unstoppable(step: &Step) -> bool {
        matches!(
            step.action,
            Action::Initialise { .. } | Action::MintCertificates { .. } | Action::Start { .. }
        )
    }
}

impl Progress for Builder {
    fn begin(&self, step: &Step) {
        if Self::is_unstoppable(step) {
            self.unstoppable.fetch_add(1, Ordering::Relaxed);
        }
        self.terminal.begin(step);
    }

    fn waiting(&self, what: &str, so_far: Duration) {
        self.terminal.waiting(what, so_far);
    }

    fn end(&self, step: &Step, took: Duration) {
        if Self::is_unstoppable(step) {
            self.unstoppable.fetch_sub(1, Ordering::Relaxed);
        }
        self.terminal.end(step, took);
    }
}

impl Ui for Builder {
    fn approve(&self, plan: &Plan, asks: bool) -> bool {
        self.terminal.approve(plan, asks)
    }
}
