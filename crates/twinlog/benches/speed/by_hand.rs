//! One server as a person makes it: initialise, start, ask.

use std::{
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mysql_async::{Conn, OptsBuilder};
use twinlog_testbed::{ServerKind, TestDir, free_port};

/// The user that servers run as when this runs as root.
pub(crate) const STAND_IN: &str = "nobody";
const STAND_IN_ID: u32 = 65534;
const START_MAX: Duration = Duration::from_secs(60);
/// As often as twinlog asks a starting server.
const POLL: Duration = Duration::from_millis(25);

/// From nothing to the first answer. The server is gone when this returns.
pub(crate) fn server(kind: ServerKind) -> Duration {
    let (dir, port) = (TestDir::new(), free_port());
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if root {
        chown(&dir, Some(STAND_IN_ID), Some(STAND_IN_ID)).unwrap();
    }
    let socket = dir.join("s");
    let started = Instant::now();
    initialise(kind, &dir.join("data"), root);
    let mut command = program(&kind.server_binary(), kind, &dir.join("data"), root);
    command
        .arg(format!("--socket={}", socket.display()))
        .arg(format!("--port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--loose-mysqlx=0",
            "--loose-secure-file-priv=",
        ])
        .arg(format!("--pid-file={}", dir.join("pid").display()));
    let mut child = command.spawn().unwrap();
    wait_for_answer(&socket);
    let took = started.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

fn initialise(kind: ServerKind, data: &Path, root: bool) {
    let mut command = if kind.is_mariadb() {
        let script = kind.basedir().join("bin/mariadb-install-db");
        let mut command = program(&script, kind, data, root);
        command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        command
    } else {
        let mut command = program(&kind.server_binary(), kind, data, root);
        command.args(["--initialize-insecure", "--secure-file-priv="]);
        command
    };
    let status = command.status().unwrap();
    assert!(status.success(), "{kind}: {status}");
}

fn program(program: &Path, kind: ServerKind, data: &Path, root: bool) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--no-defaults")
        .arg(format!("--basedir={}", kind.basedir().display()))
        .arg(format!("--datadir={}", data.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if root {
        command.arg(format!("--user={STAND_IN}"));
    }
    command
}

fn wait_for_answer(socket: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let started = Instant::now();
    runtime.block_on(async {
        loop {
            let options = OptsBuilder::default()
                .socket(socket.to_str())
                .user(Some("root"));
            if let Ok(conn) = Conn::new(options).await {
                let _ = conn.disconnect().await;
                return;
            }
            assert!(
                started.elapsed() < START_MAX,
                "no answer at {}",
                socket.display()
            );
            tokio::time::sleep(POLL).await;
        }
    });
}
