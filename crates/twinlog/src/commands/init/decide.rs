//! From flags and answers to a configuration.

use std::path::{Path, PathBuf, absolute};

use twinlog_pair::config::{
    Config, Mode, MyCnfOption, Note, NoteKind, Runtime, Writes, from_my_cnf,
};
use twinlog_server::mycnf::OptionFile;

use super::{InitArgs, ModeArg, RuntimeArg, WritesArg, ask::Asker, places};
use crate::failure::{Failure, USAGE, WORLD};

/// What is to be written, and what to tell with it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) notes: Vec<String>,
}

/// Everything the flags say, then the answers to what they leave open, then the defaults.
pub(super) fn draft(
    file: &Path,
    args: &InitArgs,
    asker: &mut Asker<'_>,
    is_free: impl Fn(u16) -> bool,
) -> Result<Draft, Failure> {
    let file = resolved(file)?;
    let dir = file.parent().unwrap_or(Path::new("/"));
    let (mut config, imported, warnings) = start(dir, &args.from_my_cnf)?;
    let runtime = runtime(args, asker)?;
    fits(args, runtime)?;
    config.name = match &args.name {
        Some(name) => name.clone(),
        None => answer(asker.ask("Name of the pair?", "pair", plain))?,
    };
    config.server.runtime = runtime;
    if let Some(dir) = &args.data_dir {
        config.server.data_dir = resolved(dir)?;
    }
    let mut notes = warnings;
    match runtime {
        Runtime::External => places::external(&mut config, args, asker)?,
        Runtime::Process | Runtime::Docker => {
            notes.extend(places::local(&mut config, args, asker, is_free)?);
        }
    }
    choices(&mut config, args, asker)?;
    let answered =
        |note: &Note| note.kind == NoteKind::Assumed && !still_assumed(note, args, runtime);
    let imported = imported.iter().filter(|note| !answered(note));
    notes.extend(imported.map(Note::to_string));
    Ok(Draft { config, notes })
}

/// A pair of defaults, or of two option files with the notes on them and the warnings of their reader.
fn start(dir: &Path, files: &[PathBuf]) -> Result<(Config, Vec<Note>, Vec<String>), Failure> {
    let [a, b] = files else {
        return Ok((Config::local(dir, "pair"), Vec::new(), Vec::new()));
    };
    let mut warnings = Vec::new();
    let mut read = |path: &PathBuf| {
        let file = OptionFile::load(path)
            .map_err(|error| Failure::new(USAGE, with_source(&error), error.hint()))?;
        warnings.extend(
            file.warnings
                .iter()
                .map(|warning| format!("warning: {warning}")),
        );
        let options = file.server_options(None);
        let options = options.effective().into_iter().map(|option| MyCnfOption {
            name: option.name.clone(),
            value: option.value.clone(),
        });
        Ok::<_, Failure>(options.collect::<Vec<_>>())
    };
    let (a, b) = (read(a)?, read(b)?);
    let imported = from_my_cnf(dir, "pair", [&a, &b]);
    Ok((imported.config, imported.notes, warnings))
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn runtime(args: &InitArgs, asker: &mut Asker<'_>) -> Result<Runtime, Failure> {
    let said = match args.runtime {
        Some(RuntimeArg::Process) => Some(Runtime::Process),
        Some(RuntimeArg::Docker) => Some(Runtime::Docker),
        Some(RuntimeArg::External) => Some(Runtime::External),
        None if !args.node.is_empty() || !args.from_my_cnf.is_empty() => Some(Runtime::External),
        None if args.image.is_some() => Some(Runtime::Docker),
        None if args.binary.is_some() => Some(Runtime::Process),
        None => None,
    };
    let question = "Who runs the servers: process (twinlog starts them here), docker, or external (they run already)?";
    said.map_or_else(
        || {
            answer(asker.ask(question, "process", |text| match text {
                "process" => Ok(Runtime::Process),
                "docker" => Ok(Runtime::Docker),
                "external" => Ok(Runtime::External),
                _ => Err("process, docker or external".into()),
            }))
        },
        Ok,
    )
}

/// Flags that mean nothing to the runtime are a mistake better said than passed over.
fn fits(args: &InitArgs, runtime: Runtime) -> Result<(), Failure> {
    let external = runtime == Runtime::External;
    let unfit = [
        (
            "--node",
            !args.node.is_empty() && !external,
            "servers that run already (--runtime external)",
        ),
        (
            "--user",
            !args.user.is_empty() && !external,
            "servers that run already (--runtime external)",
        ),
        (
            "--password-file",
            !args.password_file.is_empty() && !external,
            "servers that run already (--runtime external)",
        ),
        (
            "--password-env",
            !args.password_env.is_empty() && !external,
            "servers that run already (--runtime external)",
        ),
        (
            "--port-a",
            args.port_a.is_some() && external,
            "servers that twinlog runs; --node places the others",
        ),
        (
            "--port-b",
            args.port_b.is_some() && external,
            "servers that twinlog runs; --node places the others",
        ),
        (
            "--binary",
            args.binary.is_some() && runtime != Runtime::Process,
            "process nodes (--runtime process)",
        ),
        (
            "--image",
            args.image.is_some() && runtime != Runtime::Docker,
            "docker nodes (--runtime docker)",
        ),
    ];
    let thrice = [
        ("--user", args.user.len()),
        ("--password-file", args.password_file.len()),
        ("--password-env", args.password_env.len()),
    ];
    if let Some((flag, _)) = thrice.into_iter().find(|(_, times)| *times > 2) {
        let message = format!("{flag} is given once for both nodes, or once for each");
        return Err(Failure::new(USAGE, message, None));
    }
    match unfit.into_iter().find(|(_, given, _)| *given) {
        Some((flag, _, purpose)) => Err(Failure::new(
            USAGE,
            format!("{flag} is for {purpose}"),
            None,
        )),
        None => Ok(()),
    }
}

/// What holds for every runtime.
fn choices(config: &mut Config, args: &InitArgs, asker: &mut Asker<'_>) -> Result<(), Failure> {
    if !args.databases.is_empty() {
        config.databases = Some(args.databases.clone());
    } else if asker.asks() && args.from_my_cnf.is_empty() {
        let question = "Which databases, separated by commas? Leave it empty for all.";
        let names = answer(asker.ask(question, "", |text| {
            let names = text.split(',').map(|name| name.trim().to_owned());
            Ok(names.filter(|name| !name.is_empty()).collect::<Vec<_>>())
        }))?;
        config.databases = (!names.is_empty()).then_some(names);
    }
    match args.writes {
        Some(WritesArg::Both) => config.writes = Writes::Both,
        Some(WritesArg::One) => config.writes = Writes::One,
        None => {
            let question = "May clients write on both nodes, or on one at a time: both or one?";
            config.writes = answer(asker.ask(question, "both", |text| match text {
                "both" => Ok(Writes::Both),
                "one" => Ok(Writes::One),
                _ => Err("both or one".into()),
            }))?;
        }
    }
    match args.mode {
        Some(ModeArg::Gtid) => config.replication.mode = Mode::Gtid,
        Some(ModeArg::Position) => config.replication.mode = Mode::Position,
        None => {}
    }
    if let Some(policy) = &args.policy {
        config.conflicts.policy = policy.clone();
    }
    Ok(())
}

/// Whether an assumption of an import is still one after the flags.
fn still_assumed(note: &Note, args: &InitArgs, runtime: Runtime) -> bool {
    let ours = runtime != Runtime::External;
    match note.option.as_str() {
        "port" => !ours && args.node.is_empty(),
        "user" => !ours && args.user.is_empty(),
        "replication.mode" => args.mode.is_none(),
        _ => true,
    }
}

/// The first for both nodes where only one was given.
pub(super) fn at_index<T>(given: &[T], index: usize) -> Option<&T> {
    given.get(index).or_else(|| given.first())
}

pub(super) fn plain(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("it cannot be empty".into())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn answer<T>(result: Result<T, String>) -> Result<T, Failure> {
    result.map_err(|why| Failure::new(USAGE, format!("an answer is missing: {why}"), None))
}

/// Flags are relative to where the user stands, the file's own paths to where it lies.
pub(super) fn resolved(path: &Path) -> Result<PathBuf, Failure> {
    absolute(path).map_err(|error| {
        Failure::new(
            WORLD,
            format!("cannot resolve {}: {error}", path.display()),
            None,
        )
    })
}
