//! Making data directories: whole or not at all, with root's password in them from the first moment.
//!
//! A server is never started with an open root account: the statements that set its password run inside the
//! initialisation, before anything listens. They reach it through a pipe, so no file ever holds the password in
//! the clear.
//!
//! The second node of a pair starts from a copy of the first one's fresh directory: copying takes a tenth of the
//! time that a second initialisation does (measured on MySQL 9.7: 0.2 s against 2.1 s).

use std::{
    fs,
    io::Write,
    os::unix::{fs::fchown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    Binary, Error, Paths, RunAs,
    identity::{give, make_directories},
    io, run, tail,
};
use crate::dialect::{Dialect, Initialise};

/// What must not be in a copy of a data directory: it identifies the server it was made for.
const IDENTITY_FILES: [&str; 1] = ["auto.cnf"];

/// Makes the data directories of `nodes`, all alike, whose option files must have been written before.
///
/// `statements` run inside the initialisation (one per line, ended by a semicolon): they set root's password.
/// Interrupted at any point, it leaves at most a `data.new`, which the next call replaces.
///
/// # Errors
/// [`Error::InitialiseFailed`] with the program's last words, [`Error::ShareMissing`] or [`Error::Io`].
pub fn initialise(
    binary: &Binary,
    dialect: Dialect,
    nodes: &[&Paths],
    run_as: Option<&RunAs>,
    statements: &SecretString,
) -> Result<(), Error> {
    let Some((first, others)) = nodes.split_first() else {
        return Ok(());
    };
    for paths in nodes {
        make_directories(paths, run_as)?;
        clear(paths)?;
        fs::create_dir(paths.data_new()).map_err(io("create", &paths.data_new()))?;
        give(&paths.data_new(), run_as)?;
    }
    run_initialisation(binary, dialect, first, run_as, statements)?;
    for file in IDENTITY_FILES {
        remove_if_there(&first.data_new().join(file))?;
    }
    for paths in others {
        copy_tree(&first.data_new(), &paths.data_new(), run_as)?;
    }
    for paths in nodes {
        fs::rename(paths.data_new(), paths.data()).map_err(io("rename", &paths.data_new()))?;
        fs::File::open(&paths.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(io("sync", &paths.dir))?;
    }
    Ok(())
}

/// Removes what an earlier, interrupted initialisation left, once the program it may have left running is gone.
fn clear(paths: &Paths) -> Result<(), Error> {
    for pid in run::find_initialising(paths) {
        run::kill_initialising(paths, pid)?;
    }
    match fs::remove_dir_all(paths.data_new()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", &paths.data_new())(error))
        }
        _ => Ok(()),
    }
}

fn run_initialisation(
    binary: &Binary,
    dialect: Dialect,
    paths: &Paths,
    run_as: Option<&RunAs>,
    statements: &SecretString,
) -> Result<(), Error> {
    let log = paths.dir.join("initialise.log");
    remove_if_there(&log)?;
    // The server appends to it too, under its name.
    let output = fs::File::options()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(io("create", &log))?;
    give(&log, run_as)?;
    let (reader, mut writer) = std::io::pipe().map_err(io("make a pipe for", &binary.path))?;
    if let Some(run_as) = run_as {
        // The server opens it by name (`/dev/stdin`), for which the pipe must be its user's.
        fchown(&reader, Some(run_as.uid), Some(run_as.gid))
            .map_err(io("hand over a pipe to", &binary.path))?;
    }
    let mut command = Command::new(&binary.path);
    command
        .arg(format!("--defaults-file={}", paths.config().display()))
        .arg(format!("--datadir={}", paths.data_new().display()))
        // Below the new data directory nothing is known of networks, logs of changes or a peer yet.
        .args(["--skip-log-bin", "--skip-slave-start"])
        .arg(format!("--log-error={}", log.display()))
        .stdin(reader)
        .stdout(output.try_clone().map_err(io("open", &log))?)
        .stderr(output)
        .process_group(0);
    if let Some(run_as) = run_as {
        command.uid(run_as.uid).gid(run_as.gid);
    }
    let input = match dialect.row().initialise {
        Initialise::Option => {
            command.args([
                "--initialize-insecure",
                "--init-file=/dev/stdin",
                // twinlog brings certificates of its own: making others costs time and confuses people.
                "--auto-generate-certs=OFF",
                "--sha256-password-auto-generate-rsa-keys=OFF",
            ]);
            statements.expose_secret().to_owned()
        }
        Initialise::Bootstrap(files) => {
            command.args([
                "--bootstrap",
                "--max-allowed-packet=8M",
                "--net-buffer-length=16K",
            ]);
            if dialect.is_mariadb() {
                command.args(["--enforce-storage-engine=", "--log-warnings=0"]);
            } else {
                let system = paths.data_new().join("mysql");
                fs::create_dir(&system).map_err(io("create", &system))?;
                give(&system, run_as)?;
            }
            bootstrap_input(binary, files, statements)?
        }
    };
    let mut child = command.spawn().map_err(io("run", &binary.path))?;
    drop(command); // and with it our copy of the reading end, so that a dead child is noticed
    let fed = writer.write_all(input.as_bytes());
    drop(writer);
    let status = child.wait().map_err(io("wait for", &binary.path))?;
    // A program that died early leaves a broken pipe: its own last words say more.
    if status.success() && fed.is_ok() {
        remove_if_there(&log)
    } else {
        let status = status.to_string();
        Err(Error::InitialiseFailed {
            dir: paths.data(),
            status,
            log: tail(&log, 20),
        })
    }
}

/// What a bootstrapping server reads: its own system tables, then our statements.
fn bootstrap_input(
    binary: &Binary,
    files: &[&str],
    statements: &SecretString,
) -> Result<String, Error> {
    // `@auth_root_socket` is MariaDB's switch between a socket-authenticated root and one with a password.
    let mut input = String::from(
        "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n",
    );
    for file in files {
        let path = binary
            .share(file)
            .or_else(|| binary.share(&file.replace("mariadb_", "mysql_")))
            .ok_or_else(|| Error::ShareMissing {
                path: binary.path.clone(),
                file: (*file).to_owned(),
            })?;
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        input.push_str(&String::from_utf8_lossy(&bytes));
        input.push('\n');
    }
    // Grant tables are not in force while bootstrapping; this loads the ones just made.
    input.push_str("FLUSH PRIVILEGES;\n");
    input.push_str(statements.expose_secret());
    Ok(input)
}

fn copy_tree(from: &Path, to: &Path, run_as: Option<&RunAs>) -> Result<(), Error> {
    for entry in fs::read_dir(from).map_err(io("read", from))? {
        let entry = entry.map_err(io("read", from))?;
        let (source, target): (PathBuf, PathBuf) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(io("read", &source))?.is_dir() {
            fs::create_dir(&target).map_err(io("create", &target))?;
            copy_tree(&source, &target, run_as)?;
        } else {
            // `copy` clones extents where the file system can, and is sparse-safe for what is in a fresh directory.
            fs::copy(&source, &target).map_err(io("copy", &source))?;
        }
        let mode = fs::metadata(&source)
            .map_err(io("read", &source))?
            .permissions();
        fs::set_permissions(&target, mode).map_err(io("set the mode of", &target))?;
        give(&target, run_as)?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
