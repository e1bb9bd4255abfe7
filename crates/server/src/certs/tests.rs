#![allow(clippy::unwrap_used)]
use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use jiff::SignedDuration;

fn node(name: &str, sans: &[&str]) -> NodeNames {
    NodeNames {
        name: name.into(),
        sans: sans.iter().map(|san| (*san).to_owned()).collect(),
    }
}

fn minted(certificates: &[NodeCertificate]) -> Vec<bool> {
    certificates.iter().map(|made| made.minted).collect()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

#[test]
fn one_authority_and_certificates_that_stay_until_they_must_change() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("tls");
    let now = Timestamp::now();
    let nodes = [
        node("a", &["127.0.0.1", "localhost", "Db-A.test"]),
        node("b", &["::1"]),
    ];
    let made = ensure(&dir, &nodes).unwrap();
    assert_eq!(minted(&made), [true, true]);
    let ca = fs::read(dir.join("ca.pem")).unwrap();
    let key = fs::read_to_string(dir.join("a-key.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    for (file, mode) in [
        ("ca-key.pem", 0o600),
        ("a-key.pem", 0o600),
        ("b-key.pem", 0o600),
        ("ca.pem", 0o644),
        ("a-cert.pem", 0o644),
    ] {
        let found = fs::metadata(dir.join(file)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{file}");
    }
    let left = expiry(&made[0].files.cert).unwrap().duration_since(now);
    assert!(left > days(3651) && left < days(3653), "{left}");

    assert_eq!(minted(&ensure(&dir, &nodes).unwrap()), [false, false]);
    // The order of further names does not matter, the first one and the set do.
    let reordered = [
        node("a", &["127.0.0.1", "db-a.test", "localhost"]),
        nodes[1].clone(),
    ];
    assert_eq!(minted(&ensure(&dir, &reordered).unwrap()), [false, false]);
    let moved = [nodes[0].clone(), node("b", &["::1", "10.0.0.2"])];
    assert_eq!(minted(&ensure(&dir, &moved).unwrap()), [false, true]);
    let renamed = [node("a", &["localhost", "127.0.0.1", "db-a.test"])];
    assert_eq!(minted(&ensure(&dir, &renamed).unwrap()), [true]);

    let early = now + days(3652 - 31);
    assert_eq!(
        minted(&ensure_at(&dir, &moved[1..], early).unwrap()),
        [false]
    );
    let late = now + days(3652 - 29);
    assert_eq!(minted(&ensure_at(&dir, &moved[1..], late).unwrap()), [true]);
    assert!(expiry(&dir.join("b-cert.pem")).unwrap() > late + days(3650));

    assert_eq!(fs::read(dir.join("ca.pem")).unwrap(), ca);
    assert_eq!(fs::read_to_string(dir.join("a-key.pem")).unwrap(), key);
    let after_the_end = ensure_at(&dir, &moved, now + days(3 * 3652)).unwrap_err();
    assert!(matches!(after_the_end, CertError::CaExpired { .. }));
    assert!(after_the_end.hint().unwrap().contains("move"));
}

#[test]
fn an_interrupted_run_is_completed_and_a_foreign_authority_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = [node("a", &["127.0.0.1"])];
    let paths = || NodeFiles::of(dir.path(), "a");
    ensure(dir.path(), &nodes).unwrap();
    let key = fs::read(paths().key).unwrap();
    // Killed after the keys: the rest is made for them.
    fs::remove_file(dir.path().join("ca.pem")).unwrap();
    fs::remove_file(paths().cert).unwrap();
    assert_eq!(minted(&ensure(dir.path(), &nodes).unwrap()), [true]);
    assert_eq!(fs::read(paths().key).unwrap(), key);
    // The authority's key may be kept elsewhere until something must be signed.
    let ca_key = fs::read(dir.path().join("ca-key.pem")).unwrap();
    fs::remove_file(dir.path().join("ca-key.pem")).unwrap();
    assert_eq!(minted(&ensure(dir.path(), &nodes).unwrap()), [false]);
    let more = [nodes[0].clone(), node("b", &["127.0.0.1"])];
    let error = ensure(dir.path(), &more).unwrap_err();
    assert!(matches!(error, CertError::CaKeyMissing(_)));
    // Another authority's key does not sign, another authority's certificate is replaced.
    fs::copy(paths().key, dir.path().join("ca-key.pem")).unwrap();
    let error = ensure(dir.path(), &more).unwrap_err();
    assert!(matches!(error, CertError::CaKeyForeign(_)));
    fs::write(dir.path().join("ca-key.pem"), ca_key).unwrap();
    fs::remove_file(dir.path().join("ca.pem")).unwrap();
    assert_eq!(minted(&ensure(dir.path(), &nodes).unwrap()), [true]);
}

#[test]
fn processes_that_race_end_up_with_one_set() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = [node("a", &["127.0.0.1"])];
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| ensure(dir.path(), &nodes).unwrap());
        }
    });
    assert_eq!(minted(&ensure(dir.path(), &nodes).unwrap()), [false]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn bad_names_are_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("tls");
    let refused = |name: &str, sans: &[&str]| ensure(&dir, &[node(name, sans)]).unwrap_err();
    for name in ["", "ca", "../a", ".a", "a b"] {
        assert!(matches!(refused(name, &["x"]), CertError::NodeName(_)));
    }
    assert!(matches!(refused("a", &[]), CertError::NoNames(_)));
    let error = refused("a", &["localhost", "no such host"]);
    assert!(matches!(error, CertError::San { .. }));
    assert!(!dir.exists());
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    ensure(dir.path(), &[node("a", &["127.0.0.1"])]).unwrap();
    let error = expiry(&dir.path().join("a-key.pem")).unwrap_err();
    assert!(matches!(error, CertError::NotACertificate(_)));
    let missing = expiry(&dir.path().join("none.pem")).unwrap_err();
    assert!(matches!(missing, CertError::Io { .. }));
    fs::write(dir.path().join("a-key.pem"), "hunter2").unwrap();
    let error = ensure(dir.path(), &[node("a", &["127.0.0.1"])]).unwrap_err();
    assert!(matches!(error, CertError::NotAKey(_)));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
