//! Files that twinlog writes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::super::{ConfigError, write_new};
use super::*;

#[test]
fn a_local_pair() {
    let config = Config::local(&dir(), "shop");
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @r#"
    # A dual primary run by twinlog. `twinlog plan` shows what this means, `twinlog up` makes it so.
    # No password belongs into this file. Relative paths start at its directory.
    name = "shop"                   # names containers, directories, accounts
    # databases = ["shop"]          # default: all but system schemas
    writes = "both"                 # both | one: may clients write on both nodes, or on one at a time

    [server]                        # what the nodes that twinlog runs have in common
    runtime = "process"             # process | docker | external
    # binary = "mysqld"             # process: a name on PATH or a path
    data_dir = "./data"             # a directory per node, and secrets/

    [nodes.a]
    port = 3307

    [nodes.b]
    port = 3308

    [replication]                   # the two links
    mode = "gtid"                   # gtid | position
    semi_sync = false               # true: a commit waits until the peer has received it
    tls = "required"                # required | preferred | off
    filter = "replica"              # replica | binlog-do-db (loses cross-database statements)

    [conflicts]                     # when both nodes wrote the same row
    policy = "last-write-wins"      # last-write-wins | first-write-wins | prefer:NODE | merge | manual
    # [[conflicts.tables]]          # the first entry that matches a table decides for it
    # match = "shop.stock"          # database.table, * for any characters
    # policy = "merge"
    # counters = ["quantity"]       # columns whose changes are added up

    [agent]                         # the long-running part: twinlog run
    listen = "127.0.0.1:7474"       # dashboard, API, metrics
    # router = "127.0.0.1:3306"     # the one address clients use; absent: no router
    verify_every = "7d"             # it compares all rows of both nodes so often; or "never"
    verify_load = 25                # percent of its time that a comparison works; it rests the others
    "#);
}

#[test]
fn an_existing_file_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("twinlog.toml");
    write_new(&file, NODES).expect("a new file");
    let error = write_new(&file, "other").expect_err("it is there");
    assert!(matches!(error, ConfigError::Exists { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("readable"), NODES);
    assert_eq!(
        fs::read_dir(dir.path()).expect("readable").count(),
        1,
        "no temporary file stays"
    );
    let mode = fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o600, 0o600, "{mode:o}");
    assert_eq!(Config::load(&file).expect("valid").dir, dir.path());
}

#[test]
fn a_new_file_needs_its_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = write_new(&dir.path().join("none/twinlog.toml"), NODES).expect_err("no directory");
    assert!(matches!(error, ConfigError::Write { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_path_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let mut config = Config::local(&dir(), "shop");
    config.server.data_dir = PathBuf::from(std::ffi::OsStr::from_bytes(b"/\xff"));
    let error = config.to_toml().expect_err("not UTF-8");
    assert!(matches!(error, ConfigError::PathNotUtf8 { .. }), "{error}");
}
