//! `twinlog demo`: what it tells is what happened, and it leaves nothing behind.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};

use twinlog_testbed::{ServerKind, TestDir, Twinlog};

/// The binary, with its temporary directory in `dir`.
fn twinlog(dir: &TestDir) -> Twinlog {
    Twinlog::new(env!("CARGO_BIN_EXE_twinlog"), dir).with_env("TMPDIR", dir.path())
}

fn demo(kind: ServerKind) -> [String; 3] {
    ["demo", "--binary", kind.server_binary().to_str().unwrap()].map(Into::into)
}

#[track_caller]
fn assert_nothing_left(dir: &TestDir) {
    let left: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .filter(|name| name.starts_with("twinlog"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ours = dir.path().display().to_string();
    for entry in entries {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(!line.contains(&ours), "still runs: {line}");
    }
}

/// The cells of the tables in a text, row by row.
fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| line.contains('│'))
        .map(|line| {
            line.split(['│', '┆'])
                .map(|cell| cell.trim().to_owned())
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect()
}

fn tells_its_story_on(kind: ServerKind) {
    let dir = TestDir::new();
    let args = demo(kind);
    let output = twinlog(&dir).run(&args.each_ref().map(String::as_str));
    let story = output.expect_code(0);
    assert!(!story.contains('\x1b'), "colour in a pipe");
    for (number, title) in [
        "Two servers from nothing",
        "Written on a, read on b",
        "Written on b, read on a",
        "The silent swap",
        "Found, and ended",
        "What now",
    ]
    .iter()
    .enumerate()
    {
        let heading = format!("{}. {title}\n", number + 1);
        assert!(story.contains(&heading), "no {heading}{story}");
    }
    for proof in ["a→b: proven", "b→a: proven"] {
        assert!(story.contains(proof), "no '{proof}'\n{story}");
    }
    assert!(
        story.contains("1 conflict, 0 other divergences; 1 repaired, 0 open"),
        "{story}"
    );
    assert!(story.contains("$ twinlog conflicts show "), "{story}");
    let rows = cells(story);
    let row = |cells: &[&str]| {
        cells
            .iter()
            .map(|&cell| cell.to_owned())
            .collect::<Vec<_>>()
    };
    for expected in [
        row(&["3", "xiongjun", "xiongjun@cpms.com.cn"]),
        row(&["5", "liuyanwen", "liuyanwen@cpms.com.cn"]),
        row(&["6", "liuxiaolei", "liuxiaolei@cpms.com.cn"]),
        row(&["1", "200", "1", "100"]),
        row(&["1", "200", "1", "200"]),
        row(&["a → b", "Yes", "Yes", "0", "none"]),
        row(&["b → a", "Yes", "Yes", "0", "none"]),
    ] {
        assert!(rows.contains(&expected), "no row {expected:?}\n{story}");
    }
    assert_nothing_left(&dir);
}

#[test]
fn tells_its_story_on_mysql_9_7() {
    tells_its_story_on(ServerKind::MySql97);
}

#[test]
fn tells_its_story_on_mysql_5_6() {
    tells_its_story_on(ServerKind::MySql56);
}

#[test]
fn tells_its_story_on_mariadb_10_11() {
    tells_its_story_on(ServerKind::MariaDb1011);
}

#[test]
fn tells_its_story_on_mariadb_11_8() {
    tells_its_story_on(ServerKind::MariaDb118);
}

#[test]
fn interrupted_anywhere_it_leaves_nothing() {
    let args = demo(ServerKind::MariaDb1011);
    let args = args.each_ref().map(String::as_str);
    for (line, signal) in [
        ("generate passwords", "-INT"),
        ("make their data directories", "-TERM"),
        ("start its server", "-HUP"),
        ("follow", "-INT"),
    ] {
        let dir = TestDir::new();
        let mut running = twinlog(&dir).spawn(&args);
        running.wait_for_line(line);
        let pid = running.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
        let output = running.wait();
        assert!(output.stderr.contains("interrupted"), "{}", output.stderr);
        output.expect_code(130);
        assert_nothing_left(&dir);
    }
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let dir = TestDir::new();
    let args = demo(ServerKind::MariaDb1011);
    let mut command = twinlog(&dir).command(&args.each_ref().map(String::as_str));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    assert!(child.wait().unwrap().success());
    assert_nothing_left(&dir);
}

#[test]
fn kept_it_says_how_to_go_on_and_how_to_end() {
    let dir = TestDir::new();
    let args = demo(ServerKind::MariaDb1011);
    let [demo, binary, path] = args.each_ref().map(String::as_str);
    let output = twinlog(&dir).run(&[demo, binary, path, "--keep"]);
    output.expect_code(0);
    let lines: Vec<&str> = output.stderr.lines().map(str::trim).collect();
    let down = lines.iter().find_map(|line| line.split_once(" && rm -r "));
    let (down, kept) = down.unwrap_or_else(|| panic!("{}", output.stderr));
    let down: Vec<&str> = down.split(' ').skip(1).collect();
    twinlog(&dir).run(&down).expect_code(0);
    fs::remove_dir_all(kept).unwrap();
    assert_nothing_left(&dir);
}

#[test]
fn without_a_server_it_says_what_to_install() {
    let dir = TestDir::new();
    let output = twinlog(&dir).run(&["demo", "--binary", "/bin/cat"]);
    output.expect_code(2);
    assert!(output.stderr.contains("not a MySQL or MariaDB server"));
    let installed = [
        "/usr/sbin/mysqld",
        "/usr/sbin/mariadbd",
        "/usr/libexec/mysqld",
    ];
    if !installed.iter().any(|path| fs::exists(path).unwrap()) {
        let output = twinlog(&dir).with_path(dir.path()).run(&["demo"]);
        output.expect_code(3);
        assert!(
            output.stderr.contains("hint: install one"),
            "{}",
            output.stderr
        );
    }
    assert_nothing_left(&dir);
}
