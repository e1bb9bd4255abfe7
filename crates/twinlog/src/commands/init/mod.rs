//! `twinlog init`

mod ask;
mod decide;
mod nodes;
mod places;
mod ports;

use std::{
    io::{IsTerminal, stderr, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use twinlog_pair::config::{self, Config, ConfigError, Password, Policy, Runtime, Server};
use twinlog_server::{
    dialect::Dialect,
    files::{FILE_PUBLIC, replace_whole},
    process::{Binary, RunAs},
};

use self::{
    ask::Asker,
    nodes::{NodeAt, node_at},
};
use crate::{
    failure::{Failure, USAGE},
    output::tell,
};

/// Write twinlog.toml, by flags or by answers to questions.
///
/// Asks only at a terminal, and only for what the flags leave open; elsewhere, or with --yes, the defaults stand: two
/// nodes a and b on this machine, run by twinlog with the server program it finds. The file explains its keys; edit
/// it as you like. No password is ever written into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  twinlog init                                        ask, then write ./twinlog.toml
  twinlog init --yes                                  two local servers with every default
  twinlog init --runtime docker --image mysql:8.4     two containers
  twinlog init --name shop --databases shop,stock --writes one --yes
  twinlog init --node a=db1:3306 --node b=db2:3306 --user admin --password-file admin.password
  twinlog init --from-my-cnf db1/my.cnf db2/my.cnf    take over two hand-written option files")]
pub(crate) struct InitArgs {
    /// Names the pair in containers, directories and accounts. Default: pair.
    #[arg(long)]
    name: Option<String>,
    /// Who runs the servers. Default: process, or what --binary, --image or --node imply.
    #[arg(long, value_name = "WHO")]
    runtime: Option<RuntimeArg>,
    /// The server program of process nodes, a name on PATH or a path. Default: mysqld or mariadbd, whichever is found.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "image")]
    binary: Option<PathBuf>,
    /// The image of docker nodes.
    #[arg(long)]
    image: Option<String>,
    /// Where twinlog keeps the nodes' data and the pair's passwords. Default: ./data beside the file.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The port of node a. Default: 3307, or the next one that is free.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port_a: Option<u16>,
    /// The port of node b. Default: 3308, or the next one that is free.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port_b: Option<u16>,
    /// A server that runs already; give it twice. The port is 3306 if left out.
    #[arg(long, value_name = "NAME=HOST[:PORT]", value_parser = node_at, conflicts_with_all = ["port_a", "port_b"])]
    node: Vec<NodeAt>,
    /// The account twinlog connects as to servers that run already; twice where they differ.
    #[arg(long)]
    user: Vec<String>,
    /// The file that holds its password; twice where they differ.
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Vec<PathBuf>,
    /// The environment variable that holds its password; twice where they differ.
    #[arg(long, value_name = "VARIABLE")]
    password_env: Vec<String>,
    /// How replicas find their place in the source's log. Default: gtid.
    #[arg(long)]
    mode: Option<ModeArg>,
    /// May clients write on both nodes, or on one at a time? Default: both.
    #[arg(long)]
    writes: Option<WritesArg>,
    /// Replicate only these databases. Default: all but the system's.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    databases: Vec<String>,
    /// Who wins when both nodes wrote the same row: last-write-wins, first-write-wins, prefer:NODE, merge or manual.
    /// Default: last-write-wins.
    #[arg(long, value_parser = policy)]
    policy: Option<Policy>,
    /// Make the file of the option files of two servers, and say what became of each line.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    from_my_cnf: Vec<PathBuf>,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RuntimeArg {
    /// twinlog starts local servers
    Process,
    /// twinlog runs containers
    Docker,
    /// The servers run already
    External,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// Global transaction identifiers
    Gtid,
    /// File and position
    Position,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WritesArg {
    /// Clients may write on either
    Both,
    /// One takes writes, the other is read-only until a switchover
    One,
}

fn policy(text: &str) -> Result<Policy, String> {
    Ok(match text {
        "last-write-wins" => Policy::LastWriteWins,
        "first-write-wins" => Policy::FirstWriteWins,
        "merge" => Policy::Merge,
        "manual" => Policy::Manual,
        _ => match text.strip_prefix("prefer:") {
            Some(node) if !node.is_empty() => Policy::Prefer(node.to_owned()),
            _ => {
                return Err(
                    "one of last-write-wins, first-write-wins, prefer:NODE, merge, manual".into(),
                );
            }
        },
    })
}

pub(crate) fn run(file: &Path, args: &InitArgs) -> Result<ExitCode, Failure> {
    if file.exists() && !args.force {
        return Err(exists(file));
    }
    let terminal = stdin().is_terminal() && stderr().is_terminal();
    let mut input = stdin().lock();
    let mut asker = Asker::new((terminal && !args.yes).then_some(&mut input as _));
    let draft = decide::draft(file, args, &mut asker, ports::is_free)?;
    let mut config = draft.config;
    let mut notes = draft.notes;
    notes.extend(account(&mut config));
    let text = checked(&config, file)?;
    if args.force && file.exists() {
        replace_whole(file, text.as_bytes(), FILE_PUBLIC).map_err(|source| ConfigError::Write {
            file: file.to_owned(),
            source,
        })?;
        tell(&format!("replaced {}", file.display()));
    } else {
        config::write_new(file, &text).map_err(|error| match error {
            ConfigError::Exists { .. } => exists(file),
            error => error.into(),
        })?;
        tell(&format!("wrote {}", file.display()));
    }
    notes.iter().for_each(|note| tell(note));
    tell(&server(&config));
    next_steps(file, &config);
    Ok(ExitCode::SUCCESS)
}

fn exists(file: &Path) -> Failure {
    Failure::new(
        USAGE,
        format!("{}: exists already", file.display()),
        Some("--force replaces it; `-c FILE` writes another one".into()),
    )
}

/// The file's text, after reading it back: what cannot be said in a file is the flags' mistake.
fn checked(config: &Config, file: &Path) -> Result<String, Failure> {
    let text = config.to_toml()?;
    match Config::parse(&text, file) {
        Ok(_) => Ok(text),
        // Its lines are of a file that is not there.
        Err(ConfigError::Invalid { problems, .. }) => Err(Failure::several(
            USAGE,
            problems.into_iter().map(|p| (p.message, p.hint)),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Servers do not run as root: another account where the usual one does not exist.
fn account(config: &mut Config) -> Option<String> {
    const OTHER: &str = "nobody";
    let process = config
        .nodes
        .iter()
        .any(|node| config.runtime_of(node) == Runtime::Process);
    if !process || RunAs::choose(Some(&config.server.user)).is_ok() || RunAs::named(OTHER).is_err()
    {
        return None;
    }
    config.server.user = OTHER.to_owned();
    Some(format!(
        "note: there is no account '{}' on this machine, so the servers will run as '{OTHER}' (`user` in [server])",
        Server::DEFAULT_USER
    ))
}

/// Which servers these will be, or what is in the way.
fn server(config: &Config) -> String {
    let [a, b] = [&config.nodes[0], &config.nodes[1]];
    let at = |node: &config::Node| format!("{} at {}:{}", node.name, node.host, node.port);
    let nodes = format!("nodes: {} and {}", at(a), at(b));
    match config.runtime_of(a) {
        Runtime::External => nodes,
        Runtime::Docker => format!("{nodes}, containers of {}", config.image_of(a)),
        Runtime::Process => {
            let name = config
                .binary_of(a)
                .map_or("mysqld".into(), |path| path.display().to_string());
            let found = Binary::find(&name).map_err(|error| (error.to_string(), error.hint()));
            let known = found.and_then(|binary| {
                Dialect::of(&binary.version)
                    .map(|_| binary)
                    .map_err(|error| (error.to_string(), error.hint()))
            });
            match known {
                Ok(binary) => {
                    format!(
                        "{nodes}, each a {} ({})",
                        binary.version,
                        binary.path.display()
                    )
                }
                Err((error, hint)) => {
                    let hint = hint
                        .map(|hint| format!("\nhint: {hint}"))
                        .unwrap_or_default();
                    format!("{nodes}\nwarning: {error}{hint}")
                }
            }
        }
    }
}

fn next_steps(file: &Path, config: &Config) {
    let mut passwords: Vec<&Password> = Vec::new();
    for password in config
        .nodes
        .iter()
        .filter_map(|node| node.password.as_ref())
    {
        if !passwords.contains(&password) {
            passwords.push(password);
        }
    }
    for password in passwords {
        match password {
            Password::File(path) if !path.exists() => tell(&format!(
                "next: put the account's password into {} (mode 0600)",
                path.display()
            )),
            Password::Env(name) if std::env::var_os(name).is_none() => {
                tell(&format!("next: export {name}, the account's password"));
            }
            _ => {}
        }
    }
    let other = if file == Path::new("twinlog.toml") {
        String::new()
    } else {
        format!("-c {} ", file.display())
    };
    tell(&format!(
        "next: `twinlog {other}plan` shows what this means, `twinlog {other}up` makes it so"
    ));
}
