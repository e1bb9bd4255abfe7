#![allow(clippy::unwrap_used)]
use super::*;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

/// Tells a copy of this test program to fill the store in the directory it names, until it is killed.
const FILL: &str = "TWINLOG_TEST_FILL_STORE";

fn write(dir: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn generated_passwords_satisfy_every_policy_and_differ() {
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let password = generate_password();
        let text = password.expose_secret();
        assert_eq!(text.len(), PASSWORD_CHARS);
        assert!(text.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert!(satisfies_policies(text));
        assert!(seen.insert(text.to_owned()));
    }
}

#[test]
fn a_secret_is_made_once_with_private_modes() {
    let dir = tempfile::tempdir().unwrap();
    let store = SecretStore::new(dir.path().join("secrets"));
    assert!(matches!(store.read("root"), Err(SecretError::Missing(_))));
    let made = store.get_or_create("root").unwrap();
    let again = store.get_or_create("root").unwrap();
    assert_eq!(made.expose_secret(), again.expose_secret());
    let other = store.get_or_create("replication").unwrap();
    assert_ne!(made.expose_secret(), other.expose_secret());
    assert_eq!(mode(&store.path("root").unwrap()), 0o600);
    assert_eq!(mode(&dir.path().join("secrets")), 0o700);
}

#[test]
fn all_who_race_for_a_secret_get_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let store = SecretStore::new(dir.path().join(format!("secrets-{round}")));
        let answers: BTreeSet<String> = thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| store.get_or_create("root").unwrap()))
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap().expose_secret().to_owned())
                .collect()
        });
        assert_eq!(answers.len(), 1);
    }
}

#[test]
fn a_killed_process_leaves_whole_secrets_only() {
    if let Some(dir) = env::var_os(FILL) {
        let store = SecretStore::new(dir);
        for number in 0.. {
            store.get_or_create(&format!("secret-{number}")).unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let name = "secrets::tests::a_killed_process_leaves_whole_secrets_only";
    for round in 0..10 {
        let secrets = dir.path().join(format!("secrets-{round}"));
        let mut child = Command::new(env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(FILL, &secrets)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        // Killed at whatever point it has reached when its secrets are seen.
        while !secrets.join(format!("secret-{round}")).exists() && Instant::now() < deadline {
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = SecretStore::new(&secrets);
        let mut whole = 0;
        for entry in fs::read_dir(&secrets).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.starts_with('.') {
                let secret = store.read(&name).unwrap();
                assert_eq!(secret.expose_secret().len(), PASSWORD_CHARS);
                whole += 1;
            }
        }
        assert!(whole > round, "the child made too few secrets in time");
    }
}

#[test]
fn what_others_may_read_is_refused_with_the_command_that_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SecretStore::new(dir.path());
    let path = write(dir.path(), "root", b"hunter2", 0o640);
    let error = store.read("root").unwrap_err();
    assert!(matches!(error, SecretError::TooOpen { mode: 0o640, .. }));
    let mend = format!("run: chmod 600 '{}'", path.display());
    assert_eq!(error.hint(), Some(mend));
    write(dir.path(), "root", b"hunter2", 0o600);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let error = store.get_or_create("root").unwrap_err();
    assert!(matches!(error, SecretError::TooOpen { mode: 0o755, .. }));
    assert!(matches!(
        store.get_or_create("new").unwrap_err(),
        SecretError::TooOpen { .. }
    ));
}

#[test]
fn a_users_file_may_be_its_groups_but_not_everybodys() {
    let dir = tempfile::tempdir().unwrap();
    for (mode, accepted) in [(0o600, true), (0o640, true), (0o644, false), (0o602, false)] {
        let path = write(dir.path(), "file", b"hunter2\n", mode);
        assert_eq!(read_password_file(&path).is_ok(), accepted, "{mode:o}");
    }
}

#[test]
fn one_newline_is_trimmed_and_anything_but_one_line_refused() {
    let dir = tempfile::tempdir().unwrap();
    let read = |content: &[u8]| {
        read_password_file(&write(dir.path(), "file", content, 0o600))
            .map(|secret| secret.expose_secret().to_owned())
    };
    assert_eq!(read(b"hunter2").unwrap(), "hunter2");
    assert_eq!(read(b"hunter2\n").unwrap(), "hunter2");
    assert_eq!(read(b"hunter2\r\n").unwrap(), "hunter2");
    assert_eq!(read(b" hunter 2 ").unwrap(), " hunter 2 ");
    assert!(matches!(read(b""), Err(SecretError::Empty(_))));
    assert!(matches!(read(b"\n"), Err(SecretError::Empty(_))));
    for bad in [&b"a\nb"[..], b"a\n\n", b"a\0b", b"\xff\xfe"] {
        assert!(matches!(read(bad), Err(SecretError::NotOneLine(_))));
    }
    assert!(matches!(read(&[b'a'; 5000]), Err(SecretError::TooLarge(_))));
    assert!(matches!(
        read_password_file(&dir.path().join("none")),
        Err(SecretError::Missing(_))
    ));
    assert!(read_password_file(dir.path()).is_err());
}

#[test]
fn a_variable_is_read_by_its_name() {
    // `cargo test` sets this one for every test program.
    let expected = env::var("CARGO_PKG_NAME").unwrap();
    let secret = read_password_env("CARGO_PKG_NAME").unwrap();
    assert_eq!(secret.expose_secret(), expected);
    for unset in ["TWINLOG_TEST_SURELY_UNSET", "", "A=B", "A\0B"] {
        let error = read_password_env(unset).unwrap_err();
        assert!(matches!(error, SecretError::Unset(_)));
    }
}

#[test]
fn nothing_shows_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store = SecretStore::new(dir.path().join("secrets"));
    let secret = store.get_or_create("root").unwrap();
    let shown = format!("{secret:?} {store:?}");
    assert!(!shown.contains(secret.expose_secret()), "{shown}");
    for content in [&b"hunter2\nhunter2"[..], b"hunter2\xff"] {
        let path = write(dir.path(), "file", content, 0o600);
        let error = read_password_file(&path).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn names_cannot_leave_the_directory() {
    let store = SecretStore::new("/nowhere");
    for bad in ["", ".", "..", "../a", "a/b", ".a", "a b", "a\0"] {
        assert!(matches!(
            store.get_or_create(bad),
            Err(SecretError::Name(_))
        ));
    }
    assert_eq!(
        store.path("a-1_b.c").unwrap(),
        Path::new("/nowhere/a-1_b.c")
    );
}

proptest! {
    #[test]
    fn a_file_yields_its_line_or_an_error_that_hides_it(text in "[a-z]{8,20}", junk in "[\n\0]{0,3}") {
        let result = one_line(format!("{text}{junk}"), "here".into());
        match result {
            Ok(secret) => {
                prop_assert_eq!(secret.expose_secret(), text.as_str());
                prop_assert!(junk.is_empty() || junk == "\n");
            }
            Err(error) => {
                let shown = format!("{error:?} {error}");
                prop_assert!(!shown.contains(&text));
            }
        }
    }
}
