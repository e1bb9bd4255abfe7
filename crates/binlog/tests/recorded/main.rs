//! Logs of real servers, and what they decode to.

mod logs;
mod made;
mod mutations;
mod told;

use bytes::Bytes;
use logs::{Log, all, begins_transaction};
use twinlog_binlog::{Decoder, EventType, Output};

/// Each log's transactions, as a text that a person can hold against `record.sh`.
#[test]
fn what_they_decode_to() {
    let logs = all();
    assert!(logs.len() > 20, "{}", logs.len());
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        for log in logs {
            insta::assert_snapshot!(log.name.clone(), told::story(&log));
        }
    });
}

#[test]
fn without_checksums_the_same() {
    for log in all() {
        let stripped = log.without_checksums();
        let changes = |log: &Log| -> Vec<String> {
            let transactions = transactions(log, log.events.clone());
            transactions
                .iter()
                .map(|it| format!("{:?}", it.changes))
                .collect()
        };
        assert_eq!(changes(&log), changes(&stripped), "{}", log.name);
    }
}

/// A decoder that begins in the middle, as a stream that resumes from a GTID: rotate and format description come first.
#[test]
fn from_each_transaction_on() {
    let told = |log: &Log, events: Vec<Bytes>| -> Vec<String> {
        let transactions = transactions(log, events);
        transactions.iter().map(|it| format!("{it:?}")).collect()
    };
    for log in all() {
        // A stream has several files, each with a format of its own.
        let is_format = |it: &&Bytes| EventType(it[4]) == EventType::FORMAT_DESCRIPTION_EVENT;
        if log.events.iter().filter(is_format).count() > 1 {
            continue;
        }
        let whole = told(&log, log.events.clone());
        for skip in 2..log.events.len() {
            if begins_transaction(&log.events[skip]) {
                let part = [&log.events[..2], &log.events[skip..]].concat();
                let part = told(&log, part);
                assert!(whole.ends_with(&part), "{} from event {skip}", log.name);
            }
        }
    }
}

fn transactions(log: &Log, events: Vec<Bytes>) -> Vec<twinlog_binlog::Transaction> {
    let mut decoder = Decoder::new(log.flavour);
    let outputs = events
        .into_iter()
        .map(|event| decoder.push(event).expect("decodes"));
    outputs
        .filter_map(|output| match output {
            Output::Transaction(it) => Some(*it),
            _ => None,
        })
        .collect()
}
