//! In which order what the tracker said may be forgotten.

use std::collections::{BTreeSet, VecDeque};

use twinlog_binlog::Gtid;

use crate::settled::Settled;

/// Keeps the checkpoint behind every verdict that is not written down yet.
///
/// The tracker says verdicts and retired transactions in one order. A retired transaction may enter the checkpoint
/// once every verdict before it is in the history of the pair: killed before that, the next agent reads the
/// transaction again and comes to the same verdict.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    waiting: VecDeque<Entry>,
    done: BTreeSet<u64>,
    next_job: u64,
    /// How many verdicts are not written down yet. Counted, because it is asked for at every transaction.
    jobs: usize,
}

#[derive(Debug)]
enum Entry {
    Job(u64),
    Retired(Gtid),
}

impl Ledger {
    /// A verdict came: its number, to say when it is written down.
    pub(super) fn begin(&mut self) -> u64 {
        self.next_job += 1;
        self.jobs += 1;
        self.waiting.push_back(Entry::Job(self.next_job));
        self.next_job
    }

    /// The verdict of that number is written down, or needs no writing.
    pub(super) fn finish(&mut self, job: u64) {
        if self.done.insert(job) {
            self.jobs -= 1;
        }
    }

    /// A transaction is no longer needed by the tracker.
    pub(super) fn retired(&mut self, gtid: Gtid) {
        self.waiting.push_back(Entry::Retired(gtid));
    }

    /// Moves what may be forgotten into the checkpoint.
    pub(super) fn advance(&mut self, settled: &mut Settled) {
        while let Some(entry) = self.waiting.front() {
            match entry {
                Entry::Job(job) if !self.done.remove(job) => break,
                Entry::Job(_) => {}
                Entry::Retired(gtid) => settled.retired(gtid),
            }
            self.waiting.pop_front();
        }
    }

    /// How many verdicts are not written down yet.
    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }
}

#[cfg(test)]
mod tests {
    use twinlog_server::{gtid::GtidSet, version::Flavour};

    use super::*;

    fn gtid(sequence: u64) -> Gtid {
        Gtid::MySql {
            uuid: [7; 16],
            tag: None,
            sequence,
        }
    }

    fn checkpoint(settled: &Settled) -> String {
        let text = settled.set().to_string();
        text.split_once(':')
            .map_or_else(String::new, |(_, numbers)| numbers.to_owned())
    }

    #[test]
    fn the_checkpoint_stays_behind_a_verdict_that_is_not_written_down() {
        let mut settled = Settled::new(GtidSet::parse(Flavour::MySql, "").expect("a set"));
        let mut ledger = Ledger::default();
        ledger.retired(gtid(1));
        let first = ledger.begin();
        ledger.retired(gtid(2));
        let second = ledger.begin();
        ledger.retired(gtid(3));
        ledger.finish(second);
        ledger.advance(&mut settled);
        assert_eq!(checkpoint(&settled), "1");
        assert_eq!(ledger.jobs(), 1);
        ledger.finish(first);
        ledger.advance(&mut settled);
        assert_eq!(checkpoint(&settled), "1-3");
        assert_eq!(ledger.jobs(), 0);
    }
}
