//! Two servers that someone else configured, and a `twinlog.toml` that names them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use twinlog_testbed::{Output, Server, ServerKind, ServerOptions, TestDir, Twinlog};

use crate::support::{Db, Rows, assert_proven, listing, twinlog};

const MASTER: &str = include_str!("../../../server/tests/fixtures/document/master.cnf");
const SLAVE: &str = include_str!("../../../server/tests/fixtures/document/slave.cnf");

/// Servers made by hand.
pub(crate) struct Hand {
    pub(crate) servers: [Server; 2],
    pub(crate) twinlog: Twinlog,
    pub(crate) dir: TestDir,
}

impl Hand {
    /// Starts two servers with these lines, and writes the `twinlog.toml`; `more` are its further tables.
    pub(crate) async fn start(kind: ServerKind, lines: [&[&str]; 2], more: &str) -> Self {
        let options = lines.map(ServerOptions::with);
        Self::of(
            futures_util::future::join(
                Server::start(kind, &options[0]),
                Server::start(kind, &options[1]),
            )
            .await
            .into(),
            more,
        )
    }

    /// Servers that run already.
    pub(crate) fn of(servers: [Server; 2], more: &str) -> Self {
        let dir = TestDir::new();
        let hand = Self {
            servers,
            twinlog: twinlog(&dir),
            dir,
        };
        hand.configure(["user = \"root\"\nno_password = true"; 2], more);
        hand
    }

    /// With the document's own two files.
    pub(crate) async fn of_document(kind: ServerKind, more: &str) -> Self {
        let [master, slave] = document_lines(kind);
        let lines = |lines: &[String]| ServerOptions {
            extra: lines.to_vec(),
        };
        Self::of(
            futures_util::future::join(
                Server::start(kind, &lines(&master)),
                Server::start(kind, &lines(&slave)),
            )
            .await
            .into(),
            more,
        )
    }

    /// Writes the `twinlog.toml`: how twinlog logs in to a and b, and further tables.
    pub(crate) fn configure(&self, logins: [&str; 2], more: &str) {
        let [a, b] = [0, 1].map(|index| {
            let (port, login) = (self.servers[index].port(), logins[index]);
            format!("host = \"127.0.0.1\"\nport = {port}\n{login}")
        });
        let text =
            format!("[server]\nruntime = \"external\"\n[nodes.a]\n{a}\n[nodes.b]\n{b}\n{more}");
        self.twinlog.write("twinlog.toml", &text);
    }

    /// SQL to both, as root over the socket.
    pub(crate) fn both(&self) -> [Db; 2] {
        [("a", 0), ("b", 1)].map(|(name, index)| {
            let opts = self.servers[index].tcp_opts();
            Db::new(
                name,
                opts.socket(self.servers[index].socket().to_str())
                    .prefer_socket(true),
            )
        })
    }

    /// `twinlog up --yes`, which must prove both links.
    #[track_caller]
    pub(crate) fn up(&self) -> Output {
        let output = self.twinlog.run(&["up", "--yes"]);
        assert_proven(&output);
        output
    }

    /// Everything that `up` could change: settings, accounts, databases, the logs' ends, and twinlog's directory.
    pub(crate) async fn state(&self) -> (Vec<Rows>, Vec<String>) {
        let mut all = Vec::new();
        for db in self.both() {
            all.push(
                db.rows("SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE '%timestamp%'")
                    .await,
            );
            all.push(
                db.rows("SELECT user, host FROM mysql.user ORDER BY 1, 2")
                    .await,
            );
            all.push(db.rows("SHOW DATABASES").await);
            // An error where there is no log.
            all.push(db.try_rows("SHOW BINARY LOGS").await.unwrap_or_default());
            let links = db.links().await;
            all.push(vec![vec![links.len().to_string()]]);
        }
        (all, listing(self.dir.path()))
    }

    /// `plan` and `up --yes` fail alike and change nothing.
    pub(crate) async fn refuses(&self, code: i32, says: &[&str]) {
        let before = self.state().await;
        for args in [["plan"].as_slice(), &["up", "--yes"]] {
            crate::support::assert_fails(&self.twinlog.run(args), code, says);
            let after = self.state().await;
            assert_eq!(after.1, before.1, "{args:?}");
            for (before, after) in before.0.iter().zip(&after.0) {
                let changed: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
                assert_eq!(before, after, "{args:?} changed {changed:?}");
            }
        }
    }

    /// A password file beside the `twinlog.toml`, as the line that names it.
    pub(crate) fn password_file(&self, name: &str, password: &str) -> String {
        let path = self.dir.join(name);
        fs::write(&path, password).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        format!("password_file = \"{name}\"")
    }
}

/// The `[mysqld]` lines of the document's two files, without those that say where it lives.
pub(crate) fn document_lines(kind: ServerKind) -> [Vec<String>; 2] {
    [MASTER, SLAVE].map(|file| {
        file.lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty() && !line.starts_with('['))
            .filter(|line| !["pid-file", "socket", "datadir"].iter().any(|place| line.starts_with(place)))
            // MySQL 9.7 refuses to start with the alias, and to fold names in a directory that was not made so.
            .filter(|line| kind != ServerKind::MySql97 || !line.starts_with("lower_case"))
            .map(|line| match kind {
                ServerKind::MySql97 => line.replace("= utf8", "= utf8mb3"),
                _ => line.to_owned(),
            })
            .collect()
    })
}
