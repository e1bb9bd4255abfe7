//! `twinlog backup`

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::time::{Instant, timeout};
use twinlog_pair::{
    copy::{
        Counters,
        backup::{self, Error, Sink, Taken},
    },
    site::Site,
};

use super::{conflicts::decide::side, copy::How};
use crate::{
    failure::{Failure, NO, USAGE, WORLD},
    output::{print, tell},
};

/// How often it is said how far it is.
const TOLD: Duration = Duration::from_secs(5);

/// Write all data of a node to files, as they are at one moment, while clients write on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog backup nightly             into the directory `nightly`, which is made
  twinlog backup --node b nightly    of node b; without it, of the first
  twinlog backup - | ssh store 'cat > shop.tar'
                                     a tar archive to standard output
  twinlog restore --check nightly    is it whole and undamaged?

The node is held up for one moment, in which several connections open the same snapshot. All
databases of the pair (or those that `databases` names) are written, with views, routines,
triggers, events and the history of conflicts; accounts are not. Rows are compressed (zstd), each
file has a checksum, and `manifest.json` says where the node's log stood and how much of its
peer's it had executed. The file `complete` is written last: without it, a backup is none, and is
not restored. The files hold your data: only their owner may read them.

Exit codes: 0 it is whole; 2 your mistake; 3 the node or the disk failed.")]
pub(crate) struct BackupArgs {
    /// A directory that is not there yet or is empty; `-` for a tar archive to standard output.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The node whose data it is.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    #[command(flatten)]
    how: How,
}

pub(crate) async fn run(site: Site, args: &BackupArgs) -> Result<ExitCode, Failure> {
    let node = match &args.node {
        Some(name) => side(&site, name)?.index(),
        None => 0,
    };
    let to_stdout = args.path == Path::new("-");
    let sink = match to_stdout {
        true => archive()?,
        false => Sink::directory(&args.path)?,
    };
    let limits = args.how.limits();
    let counters = Arc::new(Counters::new(limits.rate_max).doing("backing up"));
    let version = env!("CARGO_PKG_VERSION");
    let work = backup::backup(&site, node, sink, version, limits, Arc::clone(&counters));
    let taken = told(&counters, work).await?;
    let text = text(&site, node, &taken);
    match to_stdout {
        true => tell(&text),
        false => print(&text),
    }
    Ok(ExitCode::SUCCESS)
}

/// Standard output as an archive.
fn archive() -> Result<Sink, Failure> {
    let stdout = std::io::stdout();
    match stdout.is_terminal() {
        true => Err(Failure::new(
            USAGE,
            "a backup is no text for a terminal",
            Some("send it to a file or a program: `twinlog backup - > shop.tar`".into()),
        )),
        false => Ok(Sink::archive(Path::new("standard output"), stdout)),
    }
}

/// Says every few seconds how far it is.
pub(super) async fn told<T>(counters: &Counters, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        match timeout(TOLD, &mut work).await {
            Ok(done) => return done,
            Err(_) => tell(&format!(
                "\x1b[2m    {counters}: {} s so far\x1b[0m",
                began.elapsed().as_secs()
            )),
        }
    }
}

fn text(site: &Site, node: usize, taken: &Taken) -> String {
    let node = &site.nodes()[node].name;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let position = &taken.position;
    let mut text = format!(
        "backup {}: {} rows of {} tables of {node}, {:.1} MB, {:.1} MB in files; commits were held up for {:.1} ms\n\
         {node} stood at {}:{}",
        taken.id,
        taken.rows,
        taken.tables,
        mb(taken.bytes),
        mb(taken.stored_bytes),
        taken.locked.as_secs_f64() * 1000.0,
        position.file,
        position.position
    );
    for link in &position.links {
        text += &format!(
            "; of what {} wrote it had executed all up to {}:{}",
            link.source, link.file, link.position
        );
    }
    text
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Nowhere(_) | Error::Occupied(_) => USAGE,
            Error::NotWhole(_)
            | Error::Damaged { .. }
            | Error::Unknown(_)
            | Error::Foreign { .. }
            | Error::Outside(_)
            | Error::NoPair(_)
            | Error::NotEmpty { .. }
            | Error::Sealed(_)
            | Error::WasOpen(_)
            | Error::Half { .. }
            | Error::Link(_)
            | Error::Differs { .. }
            | Error::Busy { .. } => NO,
            Error::Copy(_) | Error::Site(_) | Error::File { .. } => WORLD,
        };
        Self::new(code, error.to_string(), error.hint())
    }
}
