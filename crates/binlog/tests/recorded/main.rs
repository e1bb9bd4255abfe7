//! Logs of real servers (`record.sh` made them), and what they decode to.

mod logs;
mod mutations;
mod told;

use logs::{Log, all};
use twinlog_binlog::{Decoder, Output};

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

/// A decoder that begins in the middle, as a stream that resumes from a GTID: rotate and format description come first.
#[test]
fn from_each_transaction_on() {
    for log in all() {
        let whole = transactions(&log, 0);
        for skip in 0..log.events.len() {
            if !log.begins_transaction(skip) {
                continue;
            }
            let part = transactions(&log, skip);
            assert!(whole.ends_with(&part), "{} from event {skip}", log.name);
        }
    }
}

fn transactions(log: &Log, skip: usize) -> Vec<String> {
    let mut decoder = Decoder::new(log.flavour);
    let mut told = Vec::new();
    let events = log.events[skip.max(1)..].iter().cloned();
    for event in [log.rotate(), log.events[0].clone()]
        .into_iter()
        .chain(events)
    {
        if let Output::Transaction(it) = decoder.push(event).expect("decodes") {
            told.push(format!("{it:?}"));
        }
    }
    told
}
