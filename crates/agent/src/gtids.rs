//! A log's GTIDs and the sets that servers print.

use twinlog_binlog::Gtid;
use twinlog_server::gtid::{GtidSet, MariaDbGtid};
use uuid::Uuid;

/// Adds a transaction to a set. On MariaDB it moves the mark of its domain there.
///
/// A GTID of the other flavour is not added: a pair is of one flavour, and the configuration's check says so before
/// any log is read.
pub fn add(set: &mut GtidSet, gtid: &Gtid) {
    match (set, gtid) {
        (
            GtidSet::MySql(set),
            Gtid::MySql {
                uuid,
                tag,
                sequence,
            },
        ) => set.add(
            Uuid::from_bytes(*uuid),
            tag.as_deref().unwrap_or_default(),
            *sequence,
        ),
        (GtidSet::MariaDb(position), gtid) => {
            if let Some(gtid) = mariadb(gtid) {
                position.set(gtid);
            }
        }
        (GtidSet::MySql(_), Gtid::MariaDb { .. }) => {}
    }
}

/// Whether a transaction is in a set. On MariaDB: whether the mark of its domain is there or beyond.
#[must_use]
pub fn has(set: &GtidSet, gtid: &Gtid) -> bool {
    match (set, gtid) {
        (
            GtidSet::MySql(set),
            Gtid::MySql {
                uuid,
                tag,
                sequence,
            },
        ) => set.has(
            Uuid::from_bytes(*uuid),
            tag.as_deref().unwrap_or_default(),
            *sequence,
        ),
        (
            GtidSet::MariaDb(position),
            Gtid::MariaDb {
                domain, sequence, ..
            },
        ) => position
            .mark(*domain)
            .is_some_and(|mark| mark.sequence >= *sequence),
        _ => false,
    }
}

/// A transaction's name, as it is written. `None` where it is not one.
#[must_use]
pub fn parse(text: &str) -> Option<Gtid> {
    if let Some((source, sequence)) = text.rsplit_once(':') {
        let (uuid, tag) = match source.split_once(':') {
            Some((uuid, tag)) => (uuid, Some(tag)),
            None => (source, None),
        };
        return Some(Gtid::MySql {
            uuid: Uuid::parse_str(uuid).ok()?.into_bytes(),
            tag: tag.map(Into::into),
            sequence: sequence.parse().ok()?,
        });
    }
    let mut numbers = text.splitn(3, '-');
    Some(Gtid::MariaDb {
        domain: numbers.next()?.parse().ok()?,
        server_id: numbers.next()?.parse().ok()?,
        sequence: numbers.next()?.parse().ok()?,
    })
}

/// A MariaDB transaction's name in the servers' terms.
#[must_use]
pub fn mariadb(gtid: &Gtid) -> Option<MariaDbGtid> {
    match gtid {
        Gtid::MariaDb {
            domain,
            server_id,
            sequence,
        } => Some(MariaDbGtid {
            domain: *domain,
            server: *server_id,
            sequence: *sequence,
        }),
        Gtid::MySql { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use twinlog_server::version::Flavour;

    use super::*;

    #[test]
    fn transactions_are_added() {
        let mut set = GtidSet::parse(Flavour::MariaDb, "1-1-4").expect("a position");
        add(
            &mut set,
            &Gtid::MariaDb {
                domain: 1,
                server_id: 1,
                sequence: 6,
            },
        );
        assert_eq!(set.to_string(), "1-1-6");
        let mut set = GtidSet::parse(Flavour::MySql, "").expect("empty");
        for (tag, sequence) in [(None, 1), (Some("t".into()), 1), (None, 2)] {
            add(
                &mut set,
                &Gtid::MySql {
                    uuid: [0; 16],
                    tag,
                    sequence,
                },
            );
        }
        assert_eq!(set.to_string(), format!("{}:1-2:t:1", Uuid::nil()));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let uuid = [7; 16];
        let mysql = |tag| Gtid::MySql {
            uuid,
            tag,
            sequence: 9,
        };
        let mariadb = Gtid::MariaDb {
            domain: 1,
            server_id: 2,
            sequence: 3,
        };
        for gtid in [mysql(None), mysql(Some("app".into())), mariadb] {
            assert_eq!(parse(&gtid.to_string()), Some(gtid));
        }
        for other in ["", "1-2", "x:1", "1-2-x"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
