use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::version::Flavour;

const MASTER: &str = include_str!("../../tests/fixtures/document/master.cnf");
const SLAVE: &str = include_str!("../../tests/fixtures/document/slave.cnf");

fn parse(text: &str) -> OptionFile {
    OptionFile::parse(Path::new("my.cnf"), text).unwrap()
}

fn version(flavour: Flavour, major: u16, minor: u16) -> Option<Version> {
    Some(Version {
        flavour,
        major,
        minor,
        patch: 0,
    })
}

fn names(options: &Options) -> Vec<&str> {
    options.iter().map(|opt| opt.name.as_str()).collect()
}

fn value<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    options.get(name)?.value.as_deref()
}

#[test]
fn the_documents_files() {
    for (text, id) in [(MASTER, "1"), (SLAVE, "2")] {
        let file = parse(text);
        let options = file.server_options(version(Flavour::MySql, 5, 7));
        let expected = [
            ("pid_file", "/var/run/mysqld/mysqld.pid"),
            ("socket", "/var/run/mysqld/mysqld.sock"),
            ("datadir", "/var/lib/mysql"),
            ("symbolic_links", "0"),
            ("lower_case_table_names", "1"),
            ("character_set_server", "utf8"),
            ("log_bin", "mysql-bin"),
            ("log_bin_index", "mysql-bin"),
            ("server_id", id),
            ("log_slave_updates", "true"),
            ("relay_log", "relaylog"),
            ("relay_log_index", "relaylog"),
            ("relay_log_purge", "on"),
            ("binlog_do_db", "test"),
        ];
        let read: Vec<_> = options
            .iter()
            .map(|opt| (opt.name.as_str(), opt.value.as_deref().unwrap()))
            .collect();
        assert_eq!(read, expected);
        assert_eq!(file.warnings, []);
        let log = options.get("log-slave-updates").unwrap();
        assert_eq!(
            (log.written.as_str(), log.as_bool()),
            ("log-slave-updates", Some(true))
        );
        let line = text
            .lines()
            .position(|line| line.starts_with("log-slave-updates"))
            .unwrap()
            + 1;
        assert_eq!((log.file.as_path(), log.line), (Path::new("my.cnf"), line));
    }
}

#[test]
fn groups_by_version() {
    let groups = [
        "mysqld",
        "SERVER",
        "mysqld-8.0",
        "mysqld-9.7",
        "mysqld-10.11",
        "mysql_cluster",
        "mariadb",
        "mariadbd",
        "mariadb-10.11",
        "mariadbd-10.11",
        "mariadb-11.8",
        "client-server",
        "galera",
        "client",
        "mysql",
        "mysqld_safe",
    ];
    let text: String = groups
        .iter()
        .enumerate()
        .map(|(at, group)| format!("[{group}]\no{at}\n"))
        .collect();
    let file = parse(&text);
    let cases = [
        (version(Flavour::MySql, 8, 0), "o0 o1 o2 o5"),
        (version(Flavour::MySql, 9, 7), "o0 o1 o3 o5"),
        (
            version(Flavour::MariaDb, 10, 11),
            "o0 o1 o4 o6 o7 o8 o9 o11 o12",
        ),
        (version(Flavour::MariaDb, 11, 8), "o0 o1 o6 o7 o10 o11 o12"),
        (None, "o0 o1 o6 o7 o11 o12"),
    ];
    for (version, expected) in cases {
        assert_eq!(
            names(&file.server_options(version)).join(" "),
            expected,
            "{version:?}"
        );
    }
    assert_eq!(
        names(&file.options_of(&["client", "mysql"])),
        ["o13", "o14"]
    );
}

#[test]
fn last_wins_and_lists_add_up() {
    let options = parse(
        "[mysqld]\nserver-id=1\nbinlog-do-db=a\nskip_networking\n[server]\nserver_id=2\nbinlog_do_db=b\n\
         [mysqld]\nskip-log-bin\nloose-innodb_buffer_pool_size=16M\n",
    )
    .server_options(None);
    assert_eq!(value(&options, "server-id"), Some("2"));
    assert_eq!(options.all("server_id").len(), 2);
    let effective: Vec<_> = options
        .effective()
        .iter()
        .map(|opt| (opt.name.as_str(), opt.line))
        .collect();
    let expected = [
        ("binlog_do_db", 3),
        ("skip_networking", 4),
        ("server_id", 6),
        ("binlog_do_db", 7),
        ("log_bin", 9),
        ("innodb_buffer_pool_size", 10),
    ];
    assert_eq!(effective, expected);
    let log_bin = options.get("log_bin").unwrap();
    assert_eq!((log_bin.as_bool(), log_bin.switched), (Some(false), true));
    assert_eq!(
        options.get("skip-networking").unwrap().as_bool(),
        Some(true)
    );
    let pool = options.get("innodb_buffer_pool_size").unwrap();
    assert_eq!((pool.loose, pool.as_number()), (true, Some(16 << 20)));
    assert!(options.get("no_such").is_none());
}

#[test]
fn errors_name_file_and_line() {
    let cases = [
        (
            "[mysqld]\n[x\n",
            "my.cnf:2: the group name is not closed with ]",
        ),
        (
            "# c\nx=1\n[mysqld]",
            "my.cnf:2: an option stands before the first [group]",
        ),
        (
            "\u{feff}[mysqld]\nx=1",
            "my.cnf:1: an option stands before the first [group]",
        ),
        (
            "[mysqld]\n=1",
            "my.cnf:2: a value stands without an option name",
        ),
        (
            "[mysqld]\n\n!includedir \n",
            "my.cnf:3: !includedir names no path",
        ),
    ];
    for (text, message) in cases {
        let error = OptionFile::parse(Path::new("my.cnf"), text).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
}

#[test]
fn warnings_name_file_and_line() {
    let file = PathBuf::from("my.cnf");
    let long = format!(
        "[mysqld]\nx = {}\n!bogus\n!include a # b\ny = cafà",
        "a".repeat(5000)
    );
    let expected = [
        Warning::LongLine {
            file: file.clone(),
            line: 2,
        },
        Warning::UnknownDirective {
            file: file.clone(),
            line: 3,
        },
        Warning::IncludeComment {
            file: file.clone(),
            line: 4,
        },
        Warning::CutValue {
            file: file.clone(),
            line: 5,
        },
    ];
    let parsed = parse(&long);
    assert_eq!(parsed.warnings, expected);
    assert_eq!(
        parsed.includes,
        [Include {
            path: "a".into(),
            directory: false,
            file,
            line: 4
        }]
    );
}

#[test]
fn secrets_do_not_show() {
    let shown = format!(
        "{:?}",
        parse("[mysqld]\nloose-some_password=hunter2\nwsrep_sst_auth=u:hunter2\nport=3306")
    );
    assert!(
        !shown.contains("hunter2") && shown.contains("3306"),
        "{shown}"
    );
}

#[test]
fn includes_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    };
    fs::create_dir_all(dir.path().join("conf.d/sub.cnf")).unwrap();
    write("conf.d/b.cnf", "[mysqld]\nfrom_b = 1\nserver_id = 9\n");
    write("conf.d/a.cnf", "[mysqld]\nfrom_a = 1\n[client]\nport = 1\n");
    write("conf.d/c.txt", "[mysqld]\nfrom_c = 1\n");
    let open = write("conf.d/w.cnf", "[mysqld]\nfrom_w = 1\n");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    let main = write(
        "my.cnf",
        "[mysqld]\nserver_id = 1\n!includedir conf.d\n!include none.cnf\nafter = 1\n",
    );

    let file = OptionFile::load(&main).unwrap();
    let options = file.server_options(None);
    assert_eq!(
        names(&options),
        ["server_id", "from_a", "from_b", "server_id", "after"]
    );
    assert_eq!(
        options.get("server_id").unwrap().file,
        dir.path().join("conf.d/b.cnf")
    );
    assert_eq!(file.includes.len(), 2);
    let missing = Warning::IncludeMissing {
        file: main.clone(),
        line: 4,
        path: dir.path().join("none.cnf"),
    };
    assert_eq!(
        file.warnings,
        [Warning::WorldWritable { path: open }, missing]
    );

    let round = write("self.cnf", "[mysqld]\nx = 1\n!include self.cnf\n");
    let file = OptionFile::load(&round).unwrap();
    assert_eq!(file.server_options(None).all("x").len(), 11);
    assert_eq!(
        file.warnings,
        [Warning::IncludeTooDeep {
            file: round.clone(),
            line: 3
        }]
    );

    let elsewhere = OptionFile::load_from(&main, Path::new("/nonexistent")).unwrap_err();
    assert!(
        matches!(elsewhere, Error::IncludeDir { line: 3, .. }),
        "{elsewhere}"
    );
    let absent = OptionFile::load(&dir.path().join("absent.cnf")).unwrap_err();
    assert!(matches!(absent, Error::Read { .. }), "{absent}");
    let bad = write("conf.d/b.cnf", "x = 1\n");
    let error = OptionFile::load(&main).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}:1: an option stands before the first [group]",
            bad.display()
        )
    );
}

#[test]
fn comments_in_another_encoding() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.cnf");
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, b"[mysqld]\nserver_id = 1 # \xb1\xd8\xd0\xeb\n").unwrap();
    let options = OptionFile::load(&path).unwrap().server_options(None);
    assert_eq!(value(&options, "server_id"), Some("1"));
    fs::write(&path, b"[mysqld]\n\nbinlog-do-db = \xb1\xd8\n").unwrap();
    let error = OptionFile::load(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}:3: the option is not UTF-8 text", path.display())
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in "(.|\n)*", near in "[\\[\\]a!#;'\"\\\\ =\n\r]{0,60}") {
        let _ = OptionFile::parse(Path::new("my.cnf"), &text);
        let _ = OptionFile::parse(Path::new("my.cnf"), &near);
    }
}
