use super::*;

#[test]
fn an_events_end() {
    let mut event = [0; 19];
    assert_eq!(end_in_log(&event), None);
    event[13..17].copy_from_slice(&700u32.to_le_bytes());
    assert_eq!(end_in_log(&event), Some(700));
    event[17] = 0x20;
    assert_eq!(end_in_log(&event), None);
    assert_eq!(end_in_log(&event[..18]), None);
}

#[test]
fn what_cannot_be_decoded_is_read_twice() {
    let endpoint = twinlog_server::conn::Endpoint {
        address: twinlog_server::conn::Address::Tcp("db1".into(), 3306),
        user: "u".into(),
        password: None,
        tls: twinlog_server::conn::ClientTls::Off,
    };
    let from = GtidSet::parse(Flavour::MySql, "").expect("empty");
    let (sender, _receiver) = mpsc::channel(1);
    let mut reader = Reader::new(Options::new(endpoint, from, vec![]), sender);
    let broken = |position| twinlog_binlog::Error {
        event: twinlog_binlog::EventType(2),
        file: "bin.000001".into(),
        position,
        fault: twinlog_binlog::Fault::Unknown,
    };
    let again = |end| matches!(end, End::Passing(Interruption::Damaged(_)));
    assert!(again(reader.undecodable(broken(4))));
    assert!(again(reader.undecodable(broken(700))));
    let end = reader.undecodable(broken(700));
    assert!(matches!(end, End::Lasting(error) if matches!(*error, Error::Decode { .. })));
}
