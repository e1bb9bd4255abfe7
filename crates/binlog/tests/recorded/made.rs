//! Events made by hand: what a server writes rarely, or never.

use bytes::Bytes;
use proptest::prelude::*;
use twinlog_binlog::{Change, Decoder, Error, EventType, Fault, Flavour, Output, Transaction};

/// Where the first event of a made log ends.
const START: u32 = 200;

/// A log that is being written, and decoded at once.
struct Made {
    decoder: Decoder,
    end: u32,
}

impl Made {
    fn new(flavour: Flavour) -> Self {
        let mut made = Self {
            decoder: Decoder::new(flavour),
            end: START,
        };
        let format = made.decoder.push(format_description()).expect("decodes");
        assert!(matches!(format, Output::Format { .. }));
        made
    }

    fn push(&mut self, event: EventType, body: &[u8]) -> Result<Output, Error> {
        self.flagged(event, 0, body)
    }

    fn flagged(&mut self, event: EventType, flags: u16, body: &[u8]) -> Result<Output, Error> {
        let len = 19 + body.len() as u32;
        self.end = self.end.wrapping_add(len);
        self.decoder.push(made(event, self.end, flags, body))
    }

    fn statement(&mut self, text: &str) -> Result<Output, Error> {
        let mut body = vec![0; 13];
        body[8] = 1;
        body.extend(b"d\0");
        body.extend(text.as_bytes());
        self.push(EventType::QUERY_EVENT, &body)
    }

    fn gtid(&mut self, sequence: u64) -> Result<Output, Error> {
        let mut body = vec![0; 17];
        body.extend(sequence.to_le_bytes());
        self.push(EventType::GTID_LOG_EVENT, &body)
    }

    /// A table of one INT, with the number 7.
    fn table(&mut self) -> Result<Output, Error> {
        let body = b"\x07\0\0\0\0\0\0\0\x01d\0\x01t\0\x01\x03\0\x01";
        self.push(EventType::TABLE_MAP_EVENT, body)
    }

    /// One row.
    fn row(&mut self, value: u32) -> Result<Output, Error> {
        let mut body = b"\x07\0\0\0\0\0\x01\0\x02\0\x01\xff\0".to_vec();
        body.extend(value.to_le_bytes());
        self.push(EventType::WRITE_ROWS_EVENT, &body)
    }

    fn rows(&mut self, value: u32) {
        self.table().expect("decodes");
        self.row(value).expect("decodes");
    }
}

fn made(event: EventType, end: u32, flags: u16, body: &[u8]) -> Bytes {
    let mut bytes = vec![0; 4];
    bytes.push(event.0);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((19 + body.len() as u32).to_le_bytes());
    bytes.extend(end.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(body);
    bytes.into()
}

/// Without checksums; the lengths of the fixed parts as all supported servers have them.
fn format_description() -> Bytes {
    let mut body = vec![4, 0];
    let mut version = b"8.0.0-made".to_vec();
    version.resize(50 + 4, 0);
    body.extend(version);
    body.push(19);
    let mut lens = [0_u8; 175];
    lens[EventType::QUERY_EVENT.0 as usize - 1] = 13;
    lens[EventType::QUERY_COMPRESSED_EVENT.0 as usize - 1] = 13;
    lens[EventType::EXECUTE_LOAD_QUERY_EVENT.0 as usize - 1] = 26;
    for event in [19, 23, 24, 25, 166, 167, 168] {
        lens[event - 1] = 8;
    }
    for event in [30, 31, 32, 169, 170, 171] {
        lens[event - 1] = 10;
    }
    body.extend(lens);
    body.push(0);
    body.extend([0; 4]);
    made(EventType::FORMAT_DESCRIPTION_EVENT, START, 0, &body)
}

fn transaction(output: Result<Output, Error>) -> Transaction {
    match output {
        Ok(Output::Transaction(it)) => *it,
        other => panic!("{other:?}"),
    }
}

fn fault(output: Result<Output, Error>) -> Fault {
    output.expect_err("is refused").fault
}

/// `r` for rows, the text of statements.
fn changes(it: &Transaction) -> Vec<String> {
    let told = it.changes.iter().map(|change| match change {
        Change::Rows(rows) => format!("r{}", rows.data[1]),
        Change::Statement(it) => String::from_utf8_lossy(&it.text).into_owned(),
    });
    told.collect()
}

#[test]
fn without_gtids() {
    let mut log = Made::new(Flavour::MySql);
    log.statement("BEGIN").expect("decodes");
    log.rows(1);
    assert!(log.decoder.open_bytes() > 0);
    let it = transaction(log.push(EventType::XID_EVENT, &[0; 8]));
    assert_eq!((it.gtid.clone(), changes(&it)), (None, vec!["r1".into()]));
    assert_eq!((it.start, it.end), (START.into(), log.end.into()));
    assert_eq!(log.decoder.open_bytes(), 0);
    let it = transaction(log.statement("DROP TABLE t"));
    assert_eq!(changes(&it), ["DROP TABLE t"]);
}

#[test]
fn what_was_rolled_back_never_was() {
    let mut log = Made::new(Flavour::MySql);
    log.gtid(1).expect("decodes");
    log.statement("BEGIN").expect("decodes");
    log.rows(1);
    log.statement("SAVEPOINT `a`").expect("decodes");
    log.rows(2);
    log.statement("SAVEPOINT `B`").expect("decodes");
    log.statement("INSERT INTO myisam VALUES (1)")
        .expect("decodes");
    log.rows(3);
    log.statement("ROLLBACK TO `b`").expect("decodes");
    log.rows(4);
    log.statement("ROLLBACK TO `a`").expect("decodes");
    log.rows(5);
    assert_eq!(
        fault(log.statement("ROLLBACK TO `b`")),
        Fault::NoSavepoint("b".into())
    );
    let it = transaction(log.statement("COMMIT"));
    assert_eq!(changes(&it), ["r1", "INSERT INTO myisam VALUES (1)", "r5"]);

    log.gtid(2).expect("decodes");
    log.statement("BEGIN").expect("decodes");
    log.rows(1);
    log.statement("CREATE TEMPORARY TABLE x (i INT)")
        .expect("decodes");
    let it = transaction(log.statement("ROLLBACK"));
    assert_eq!(changes(&it), ["CREATE TEMPORARY TABLE x (i INT)"]);
}

#[test]
fn transactions_that_are_cut() {
    let mut log = Made::new(Flavour::MySql);
    log.gtid(1).expect("decodes");
    log.statement("BEGIN").expect("decodes");
    let error = log.gtid(2).expect_err("is refused");
    assert_eq!(
        error.to_string(),
        "GTID_LOG_EVENT at :283: a transaction begins, and \
         00000000-0000-0000-0000-000000000000:1 has not ended"
    );
    // The server died: the next file begins with a format description.
    match log.decoder.push(format_description()).expect("decodes") {
        Output::Format { dropped, .. } => assert!(dropped.is_some()),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        fault(log.push(EventType::XID_EVENT, &[0; 8])),
        Fault::OutsideTransaction
    );
}

#[test]
fn tables_are_those_of_their_statement() {
    let mut log = Made::new(Flavour::MySql);
    log.gtid(1).expect("decodes");
    log.statement("BEGIN").expect("decodes");
    assert_eq!(fault(log.row(1)), Fault::NoTableMap(7));
    log.rows(1);
    assert_eq!(fault(log.row(2)), Fault::NoTableMap(7));
    // An event of no table only ends the statement.
    log.table().expect("decodes");
    let none = b"\xff\xff\xff\0\0\0\x01\0\x02\0\0";
    log.push(EventType::WRITE_ROWS_EVENT, none)
        .expect("decodes");
    assert_eq!(fault(log.row(3)), Fault::NoTableMap(7));
    // Rows that a foreign key deleted: MySQL 9.7's applier may describe their table in an earlier statement only.
    let cascaded = b"\x07\0\0\0\0\0\x12\0\x02\0\x01\xff\0\x04\0\0\0";
    log.push(EventType::DELETE_ROWS_EVENT, cascaded)
        .expect("decodes");
    let unknown = b"\x08\0\0\0\0\0\x12\0\x02\0\x01\xff\0\x04\0\0\0";
    log.push(EventType::DELETE_ROWS_EVENT, unknown)
        .expect("decodes");
    let it = transaction(log.statement("COMMIT"));
    let undescribed = "DELETE /* rows by a foreign key; the server did not write of which table */";
    assert_eq!(changes(&it), ["r1", "r4", undescribed]);
}

#[test]
fn unknown_events_are_refused_by_number() {
    let mut log = Made::new(Flavour::MySql);
    let event = EventType(99);
    assert!(matches!(
        log.flagged(event, 0x80, b"x"),
        Ok(Output::Nothing)
    ));
    let error = log.push(event, b"x").expect_err("is refused");
    assert_eq!(
        error.to_string(),
        "event of type 99 at :220: the event's type is not known, so what it changes is not either"
    );
    assert!(error.hint().is_some());
    for event in [EventType::LOAD_EVENT, EventType::PRE_GA_WRITE_ROWS_EVENT] {
        assert!(matches!(
            fault(log.push(event, b"x")),
            Fault::Unsupported { .. }
        ));
    }
    assert_eq!(
        fault(log.push(EventType::GTID_EVENT, &[0; 19])),
        Fault::Flavour("MySQL")
    );
    let mut log = Made::new(Flavour::MariaDb);
    assert!(matches!(
        fault(log.push(EventType::START_ENCRYPTION_EVENT, &[0; 17])),
        Fault::Unsupported { .. }
    ));
    assert_eq!(fault(log.gtid(1)), Fault::Flavour("MariaDB"));
}

#[test]
fn incidents_are_told() {
    let mut log = Made::new(Flavour::MySql);
    let error = log
        .push(EventType::INCIDENT_EVENT, b"\x01\0\x04lost")
        .expect_err("is refused");
    assert_eq!(
        error.to_string(),
        "INCIDENT_EVENT at :200: the server reports that changes are missing from its log: incident 1: lost"
    );
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut format = format_description().to_vec();
    let algorithm = format.len() - 5;
    format[algorithm] = 1;
    format.truncate(format.len() - 4);
    let crc = crc32fast::hash(&format);
    // The server marks the file as in use after it made the checksum.
    format[17] |= 1;
    format.extend(crc.to_le_bytes());
    let mut decoder = Decoder::new(Flavour::MySql);
    decoder.push(format.clone().into()).expect("decodes");

    let mut stop = made(EventType::STOP_EVENT, START + 23, 0, &[0; 4]).to_vec();
    let crc = crc32fast::hash(&stop[..19]);
    stop[19..].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(
        decoder.push(stop.clone().into()),
        Ok(Output::Stop)
    ));
    stop[0] ^= 1;
    assert!(matches!(
        fault(decoder.push(stop.into())),
        Fault::Checksum { .. }
    ));
    format[30] ^= 1;
    assert!(matches!(
        fault(decoder.push(format.into())),
        Fault::Checksum { .. }
    ));
}

#[test]
fn lengths_are_checked_first() {
    let mut log = Made::new(Flavour::MySql);
    let mut event = made(EventType::STOP_EVENT, 300, 0, b"").to_vec();
    event.push(0);
    assert_eq!(
        fault(log.decoder.push(event.into())),
        Fault::Length { says: 19, has: 20 }
    );
    assert_eq!(
        fault(log.decoder.push(Bytes::from_static(b"short"))),
        Fault::Truncated("header")
    );
    let mut decoder = Decoder::new(Flavour::MySql);
    let early = made(EventType::XID_EVENT, 300, 0, &[0; 8]);
    assert_eq!(fault(decoder.push(early)), Fault::NoFormat);
}

/// Few bytes that say they become many: refused before anything is allocated, or after as much as there is.
#[test]
fn compressed_bytes_that_lie() {
    let mut log = Made::new(Flavour::MariaDb);
    let query = |text: &[u8]| [&[0; 14][..], text].concat();
    let many = query(b"\x84\x40\0\0\0\x78\x9c");
    assert!(matches!(
        fault(log.push(EventType::QUERY_COMPRESSED_EVENT, &many)),
        Fault::Malformed(_)
    ));
    let more = query(b"\x84\x40\0\0\x01\x78\x9c");
    assert!(matches!(
        fault(log.push(EventType::QUERY_COMPRESSED_EVENT, &more)),
        Fault::Limit { .. }
    ));

    let mut log = Made::new(Flavour::MySql);
    let zeros = zstd::stream::encode_all(&[0_u8; 1_000_000][..], 1).expect("compresses");
    let payload = |says: u32, stream: &[u8]| {
        let mut body = vec![2, 1, 0, 3, 5, 254];
        body.extend(u64::from(says).to_le_bytes());
        body[4] = 9;
        body.push(0);
        body.extend(stream);
        body
    };
    for says in [999_999, 1_000_001, 1 << 30] {
        assert!(matches!(
            fault(log.push(EventType::TRANSACTION_PAYLOAD_EVENT, &payload(says, &zeros))),
            Fault::Malformed(_) | Fault::Compressed(_)
        ));
    }
    assert!(matches!(
        fault(log.push(
            EventType::TRANSACTION_PAYLOAD_EVENT,
            &payload(u32::MAX, &zeros)
        )),
        Fault::Limit { .. }
    ));
    assert!(matches!(
        fault(log.push(EventType::TRANSACTION_PAYLOAD_EVENT, &payload(10, b"none"))),
        Fault::Compressed(_)
    ));
}

#[test]
fn places_past_four_gibibytes() {
    let mut log = Made::new(Flavour::MySql);
    let mut rotate = (0x2_ffff_fff0_u64).to_le_bytes().to_vec();
    rotate.extend(b"binlog.000042");
    log.decoder
        .push(made(EventType::ROTATE_EVENT, 0, 0x20, &rotate))
        .expect("decodes");
    log.end = 0xffff_fff0;
    let it = transaction(log.statement("DROP TABLE t"));
    assert_eq!(&*it.file, "binlog.000042");
    assert_eq!(it.start, 0x2_ffff_fff0);
    assert_eq!(it.end, 0x3_0000_0000 + u64::from(log.end));
}

#[test]
fn heartbeats_of_the_second_version() {
    let mut log = Made::new(Flavour::MySql);
    let body = b"\x01\x08binlog.7\x02\x05\xfe\0\0\0\0\x01\0\0\0\0".to_vec();
    let mut body = body;
    body[11] = 9;
    match log
        .push(EventType::HEARTBEAT_LOG_EVENT_V2, &body)
        .expect("decodes")
    {
        Output::Heartbeat { file, position } => {
            assert_eq!((&*file, position), ("binlog.7", 1 << 32));
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Any bodies in well-formed headers.
    #[test]
    fn any_bytes_are_decoded_or_refused(
        maria in any::<bool>(),
        events in proptest::collection::vec(
            (any::<u8>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)),
            1..12,
        ),
    ) {
        let mut log = Made::new(if maria { Flavour::MariaDb } else { Flavour::MySql });
        for (event, known, body) in events {
            // Half of them of the types that are looked into.
            let event = EventType(if known { [2, 16, 19, 30, 31, 33, 38, 40, 41, 42, 162, 163, 165, 166][usize::from(event) % 14] } else { event });
            if let Ok(Output::Transaction(it)) = log.push(event, &body) {
                prop_assert!(it.end >= it.start);
            }
        }
    }

    /// Bytes that are no events at all.
    #[test]
    fn no_events(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut decoder = Decoder::new(Flavour::MySql);
        let _ = decoder.push(bytes.into());
    }
}
