use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::super::{ConfigError, write_new};
use super::*;

#[test]
fn a_local_pair() {
    let config = Config::local(&dir(), "shop");
    assert_snapshot!(config.to_toml().expect("paths are UTF-8"), @"");
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
