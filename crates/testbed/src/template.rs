//! Data directories: initialised once per machine and server, copied for every test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};

use anyhow::{Context, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::chown;

use crate::process::{server_command, spawn, stand_in};
use crate::servers::{ServerKind, servers_dir};

/// To be raised whenever what is below makes another template.
const REVISION: u32 = 1;

/// Root without a password from this machine; nobody else, and no `test` schema that all may write to.
const SECURE_SQL: &str = "
DELETE FROM mysql.user WHERE User <> 'root' OR Host <> 'localhost';
DELETE FROM mysql.db;
";

/// Puts a fresh data directory of `kind` at `target`, which must not exist.
pub(crate) fn copy_template(kind: ServerKind, target: &Path) -> anyhow::Result<()> {
    copy(&template(kind)?, target)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    // Sparse: most of a fresh directory is logs full of zeroes.
    let output = Command::new("cp")
        .args(["-a", "--reflink=auto", "--sparse=always", "-T", "--"])
        .args([from, to])
        .output()
        .context("cannot run cp")?;
    ensure!(
        output.status.success(),
        "cp failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The template of `kind`, made now if there is none for the server that is in the cache.
fn template(kind: ServerKind) -> anyhow::Result<PathBuf> {
    let stamp = format!("{REVISION} {}", kind.fetched_version());
    let templates = servers_dir().join("templates");
    let dir = templates.join(kind.name());
    let is_current = || fs::read_to_string(dir.join("stamp")).is_ok_and(|found| found == stamp);
    if !is_current() {
        fs::create_dir_all(&templates)
            .with_context(|| format!("cannot create {}", templates.display()))?;
        let lock = File::create(templates.join(format!("{kind}.lock")))
            .context("cannot create a lock file")?;
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        if !is_current() {
            make(kind, &dir, &stamp)
                .with_context(|| format!("cannot make the template of {kind}"))?;
        }
    }
    Ok(dir.join("data"))
}

/// Makes the template beside its place and moves it there, so that what is there is whole.
fn make(kind: ServerKind, dir: &Path, stamp: &str) -> anyhow::Result<()> {
    let part = dir.with_extension(format!("part-{}", id()));
    let raw = part.join("raw");
    for path in [&raw, &scratch(&raw)] {
        fs::create_dir_all(path)?;
        if let Some(user) = stand_in()? {
            chown(path, Some(user.uid), Some(user.gid))?;
        }
    }
    match kind {
        ServerKind::MySql97 => initialize(kind, &raw)?,
        ServerKind::MySql56 => bootstrap(kind, &raw)?,
        ServerKind::MariaDb1011 | ServerKind::MariaDb118 => install_db(kind, &raw)?,
    }
    // A UUID is given at the first start: servers that are copies of one directory must not share theirs.
    let _ = fs::remove_file(raw.join("auto.cnf"));
    copy(&raw, &part.join("data"))?;
    fs::remove_dir_all(scratch(&raw))?;
    fs::remove_dir_all(&raw)?;
    fs::write(part.join("stamp"), stamp)?;
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::rename(&part, dir)?;
    Ok(())
}

fn initialize(kind: ServerKind, data: &Path) -> anyhow::Result<()> {
    let mut server = server(kind, data)?;
    server.args(["--initialize-insecure", "--secure-file-priv="]);
    run(server, None)
}

/// As `mysql_install_db` of that age does, which is not in the package.
fn bootstrap(kind: ServerKind, data: &Path) -> anyhow::Result<()> {
    let share = kind.basedir().join("share");
    let mut sql = "CREATE DATABASE mysql;\nUSE mysql;\n".to_owned();
    for file in ["mysql_system_tables.sql", "mysql_system_tables_data.sql"] {
        sql +=
            &fs::read_to_string(share.join(file)).with_context(|| format!("cannot read {file}"))?;
    }
    sql += SECURE_SQL;
    let mut server = server(kind, data)?;
    server.arg("--bootstrap");
    run(server, Some(&sql))
}

fn install_db(kind: ServerKind, data: &Path) -> anyhow::Result<()> {
    let mut install = server_command(&kind.basedir().join("bin/mariadb-install-db"))?;
    install
        .arg("--no-defaults")
        .arg(flag("basedir", &kind.basedir()))
        .arg(flag("datadir", data))
        .env("TMPDIR", scratch(data));
    install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
    run(install, None)?;
    let mut server = server(kind, data)?;
    server.arg("--bootstrap");
    // The view `mysql.user` is not to be deleted from.
    run(
        server,
        Some(
            "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');",
        ),
    )
}

fn server(kind: ServerKind, data: &Path) -> anyhow::Result<Command> {
    let mut server = server_command(&kind.server_binary())?;
    server
        .arg("--no-defaults")
        .arg(flag("basedir", &kind.basedir()))
        .arg(flag("datadir", data))
        .env("TMPDIR", scratch(data));
    Ok(server)
}

/// Where the server that makes `data` puts temporary files: a shared place would cost a running MariaDB its own.
fn scratch(data: &Path) -> PathBuf {
    data.with_extension("tmp")
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// Runs to the end, fed with `input`; its output is shown when it fails.
fn run(mut command: Command, input: Option<&str>) -> anyhow::Result<()> {
    let feed = tempfile::tempfile()?;
    if let Some(input) = input {
        std::io::Write::write_all(&mut &feed, input.as_bytes())?;
        std::io::Seek::rewind(&mut &feed)?;
    }
    command
        .stdin(feed)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = spawn(command)?.wait_with_output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{}: {}", output.status, String::from_utf8_lossy(&said));
    }
    Ok(())
}
