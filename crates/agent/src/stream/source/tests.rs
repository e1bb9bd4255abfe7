use super::*;

const U: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn address() -> Address {
    Address::Tcp("db1".into(), 3306)
}

fn source(flavour: Flavour, gtids: Gtids) -> Source {
    Source {
        flavour,
        version: String::new(),
        server_id: 1,
        name: String::new(),
        clock: Clock {
            offset_us: 0,
            error_us: 0,
        },
        log_bin: true,
        gtids,
    }
}

fn mysql(executed: &str, purged: &str) -> Source {
    let set = |numbers: &str| {
        let text = if numbers.is_empty() {
            String::new()
        } else {
            format!("{U}:{numbers}")
        };
        GtidSet::parse(Flavour::MySql, &text).expect("a set")
    };
    source(
        Flavour::MySql,
        Gtids::MySql {
            mode: "ON".into(),
            executed: set(executed),
            purged: set(purged),
        },
    )
}

/// Server 2 in domain 2.
fn mariadb(logged: &str, applied: &str) -> Source {
    let mut source = source(
        Flavour::MariaDb,
        Gtids::MariaDb {
            domain: 2,
            logged: logged.parse().expect("a state"),
            applied: applied.parse().expect("a position"),
        },
    );
    source.server_id = 2;
    source
}

fn begin(source: &Source, from: &str) -> String {
    let from = GtidSet::parse(source.flavour, from).expect("a set");
    source
        .begin(&from, &address())
        .map_or_else(|error| error.to_string(), |set| set.to_string())
}

#[test]
fn mysql_begins_after_what_was_read() {
    let from = format!("{U}:1-5");
    assert_eq!(begin(&mysql("1-9", ""), &from), from);
    assert_eq!(begin(&mysql("1-9", "1-5"), &from), from);
    assert_eq!(
        begin(&mysql("1-9", "1-7"), &from),
        format!("db1:3306 has purged transactions from its log that were not read yet: {U}:6-7")
    );
    assert_eq!(
        begin(&mysql("1-3", ""), &from),
        format!("db1:3306 no longer knows transactions that were read from it before: {U}:4-5")
    );
}

#[test]
fn mariadb_begins_at_what_is_in_the_log() {
    let cases = [
        ("1-1-9,2-2-5", "1-1-9", "1-1-4,2-2-5", "1-1-4,2-2-5"),
        // 1-1-8 and 1-1-9 were applied and had nothing left to log.
        ("1-1-7,2-2-5", "1-1-9", "1-1-8,2-2-5", "1-1-7,2-2-5"),
        // Nothing of the domain was ever logged.
        ("2-2-5", "1-1-9", "1-1-8,2-2-5", "2-2-5"),
        ("2-2-5", "", "2-2-4", "2-2-4"),
        // Domain 0 is from before the pair, and here it was this server's own.
        ("0-2-10,2-2-5", "0-1-11", "0-1-11,2-2-4", "0-2-10,2-2-4"),
    ];
    for (logged, applied, from, expected) in cases {
        assert_eq!(begin(&mariadb(logged, applied), from), expected, "{from}");
    }
    assert_eq!(
        begin(&mariadb("2-2-5", "1-1-3"), "1-1-8,2-2-5"),
        "db1:3306 no longer knows transactions that were read from it before: 1-1-4..8"
    );
}

#[test]
fn without_a_log_or_gtids_there_is_no_beginning() {
    let mut source = mysql("1", "");
    assert!(begin(&source, "").is_empty());
    source.log_bin = false;
    assert_eq!(begin(&source, ""), "db1:3306 keeps no binary log");
    source.log_bin = true;
    if let Gtids::MySql { mode, .. } = &mut source.gtids {
        *mode = "OFF".into();
    }
    assert_eq!(
        begin(&source, ""),
        "db1:3306 logs without GTIDs (gtid_mode is OFF)"
    );
    let other = GtidSet::parse(Flavour::MariaDb, "").expect("empty");
    assert!(matches!(
        source.begin(&other, &address()),
        Err(Error::AnotherServer { .. })
    ));
}

#[test]
fn a_mariadb_that_has_lost_its_own() {
    // Server 2 in domain 2. What came back over its link moved its applier, and wrote nothing.
    let begun = begin(&mariadb("2-2-2,1-1-9", "2-2-5,1-1-9"), "2-2-5,1-1-9");
    assert_eq!(
        begun,
        "db1:3306 no longer knows transactions that were read from it before: 2-2-3..5"
    );
    let begun = begin(&mariadb("1-1-9", "2-2-5,1-1-9"), "2-2-5");
    assert!(begun.ends_with("2-2-1..5"), "{begun}");
    // It has written on, or never wrote there.
    assert_eq!(begin(&mariadb("2-2-7", ""), "2-2-5"), "2-2-5");
    assert_eq!(begin(&mariadb("2-3-7", ""), "2-3-5"), "2-3-5");
}
