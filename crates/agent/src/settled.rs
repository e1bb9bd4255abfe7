//! Which transactions need not be read again: the checkpoint, kept as the servers' own GTID sets.

use std::collections::BTreeMap;

use twinlog_binlog::Gtid;
use twinlog_server::gtid::{GtidSet, MariaDbGtid};

use crate::gtids;

/// The transactions that are done with: executed by both nodes, judged, and what was found is written down.
///
/// MySQL's sets hold any transactions. MariaDB's positions are a mark per domain, so there a transaction counts only
/// once all before it in its domain are done with too.
#[derive(Debug)]
pub struct Settled {
    set: GtidSet,
    /// MariaDB: by domain and sequence, what was seen and is beyond the mark, and whether it is done with.
    waiting: BTreeMap<u32, BTreeMap<u64, (MariaDbGtid, bool)>>,
}

impl Settled {
    /// Begins where a checkpoint ended.
    #[must_use]
    pub fn new(set: GtidSet) -> Self {
        Self {
            set,
            waiting: BTreeMap::new(),
        }
    }

    /// Both logs can be read from here on without missing anything.
    #[must_use]
    pub fn set(&self) -> &GtidSet {
        &self.set
    }

    /// Takes note of a transaction that a log has.
    pub fn seen(&mut self, gtid: &Gtid) {
        let (Some(gtid), GtidSet::MariaDb(position)) = (gtids::mariadb(gtid), &self.set) else {
            return;
        };
        let beyond = position
            .mark(gtid.domain)
            .is_none_or(|mark| mark.sequence < gtid.sequence);
        if beyond {
            self.waiting
                .entry(gtid.domain)
                .or_default()
                .entry(gtid.sequence)
                .or_insert((gtid, false));
        }
    }

    /// Takes note that a transaction is done with.
    pub fn retired(&mut self, gtid: &Gtid) {
        let GtidSet::MariaDb(position) = &mut self.set else {
            return gtids::add(&mut self.set, gtid);
        };
        let Some(gtid) = gtids::mariadb(gtid) else {
            return;
        };
        let waiting = self.waiting.entry(gtid.domain).or_default();
        if let Some((_, done)) = waiting.get_mut(&gtid.sequence) {
            *done = true;
        }
        while let Some(first) = waiting.first_entry() {
            let (mark, done) = *first.get();
            if !done {
                break;
            }
            position.set(mark);
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use twinlog_server::version::Flavour;
    use uuid::Uuid;

    use super::*;

    fn mariadb(domain: u32, sequence: u64) -> Gtid {
        Gtid::MariaDb {
            domain,
            server_id: domain,
            sequence,
        }
    }

    #[test]
    fn a_mariadb_mark_waits_for_all_before_it() {
        let set = GtidSet::parse(Flavour::MariaDb, "1-1-10,2-2-5").expect("a position");
        let mut settled = Settled::new(set);
        // The peer's copy of 12 is read before the source's own 11, which the peer skipped.
        for gtid in [mariadb(1, 12), mariadb(1, 11), mariadb(2, 6)] {
            settled.seen(&gtid);
        }
        settled.retired(&mariadb(1, 12));
        assert_eq!(settled.set().to_string(), "1-1-10,2-2-5");
        settled.retired(&mariadb(2, 6));
        settled.retired(&mariadb(1, 11));
        assert_eq!(settled.set().to_string(), "1-1-12,2-2-6");
    }

    #[test]
    fn what_is_before_the_mark_is_not_waited_for() {
        let set = GtidSet::parse(Flavour::MariaDb, "1-1-10").expect("a position");
        let mut settled = Settled::new(set);
        settled.seen(&mariadb(1, 9));
        settled.seen(&mariadb(1, 11));
        settled.retired(&mariadb(1, 11));
        assert_eq!(settled.set().to_string(), "1-1-11");
    }

    #[test]
    fn a_mysql_set_has_holes() {
        let uuid = Uuid::from_u128(7);
        let set = GtidSet::parse(Flavour::MySql, &format!("{uuid}:1-3")).expect("a set");
        let mut settled = Settled::new(set);
        for (tag, sequence) in [(None, 5), (Some("app".into()), 1)] {
            settled.retired(&Gtid::MySql {
                uuid: uuid.into_bytes(),
                tag,
                sequence,
            });
        }
        assert_eq!(settled.set().to_string(), format!("{uuid}:1-3:5:app:1"));
    }
}
