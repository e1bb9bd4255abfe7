//! How far a log was read.

use std::sync::Arc;

use twinlog_binlog::Transaction;
use twinlog_server::{facts::Coordinates, gtid::GtidSet};

use crate::gtids;

/// What of a log has been handed over: all of it up to a place, and these transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadUpTo {
    file: Arc<str>,
    position: u64,
    gtids: GtidSet,
}

impl ReadUpTo {
    pub(super) fn new(gtids: GtidSet) -> Self {
        Self {
            file: Arc::from(""),
            position: 0,
            gtids,
        }
    }

    /// Whether all that the log holds before this place has been handed over. This is the way to ask on MariaDB, where
    /// a transaction of which the applier skipped everything is in no log.
    pub fn has_position(&self, place: &Coordinates) -> bool {
        !self.file.is_empty()
            && (number(&self.file), self.position) >= (number(&place.file), place.position)
    }

    /// Whether these transactions have been handed over, or were the reader's to begin after.
    pub fn has_gtids(&self, gtids: &GtidSet) -> bool {
        self.gtids.covers(gtids).unwrap_or(false)
    }

    /// The transactions, from where a reader could go on.
    pub fn gtids(&self) -> &GtidSet {
        &self.gtids
    }

    /// The place; no file before the first was named.
    pub fn place(&self) -> Coordinates {
        Coordinates {
            file: self.file.to_string(),
            position: self.position,
        }
    }

    pub(super) fn pass(&mut self, file: &Arc<str>, position: u64) {
        // A stream that begins anew names its file from the beginning.
        if (number(file), position) > (number(&self.file), self.position) || self.file.is_empty() {
            self.file = Arc::clone(file);
            self.position = position;
        }
    }

    pub(super) fn take(&mut self, transaction: &Transaction) {
        self.pass(&transaction.file, transaction.end);
        if let Some(gtid) = &transaction.gtid {
            gtids::add(&mut self.gtids, gtid);
        }
    }
}

/// The number of a log file, which its name ends with.
fn number(file: &str) -> u64 {
    let digits = file.rsplit('.').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinlog_server::version::Flavour;

    fn place(file: &str, position: u64) -> Coordinates {
        Coordinates {
            file: file.into(),
            position,
        }
    }

    #[test]
    fn it_only_goes_on() {
        let empty = GtidSet::parse(Flavour::MariaDb, "").expect("empty");
        let mut read = ReadUpTo::new(empty);
        assert!(!read.has_position(&place("log.000001", 4)));
        read.pass(&"log.999999".into(), 700);
        read.pass(&"log.1000000".into(), 4);
        read.pass(&"log.000002".into(), 900);
        assert_eq!(read.place(), place("log.1000000", 4));
        assert!(read.has_position(&place("log.999999", 701)));
        assert!(!read.has_position(&place("log.1000000", 5)));
    }
}
