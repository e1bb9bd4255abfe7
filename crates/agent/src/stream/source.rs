//! What a server says of its log before it sends it, and what to ask for.

use std::time::{Instant, SystemTime};

use twinlog_server::{
    conn::Address,
    gtid::{GtidSet, MariaDbPosition, MariaDbState, Missing},
    sql::literal,
    version::{Flavour, Version},
};

use super::{
    error::{Error, flavour_of},
    wire::{self, Wire},
};

/// A server at the moment of a connection.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) flavour: Flavour,
    /// Its version, in its own words.
    pub(super) version: String,
    pub(super) server_id: u32,
    /// What stays the same as long as it is the same server: its UUID, or on MariaDB, which has none, its id.
    pub(super) name: String,
    pub(super) clock: Clock,
    log_bin: bool,
    gtids: Gtids,
}

/// A server's clock less this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// Microseconds.
    pub(super) offset_us: i64,
    /// Half the time that the question took, in microseconds.
    pub(super) error_us: i64,
}

#[derive(Debug, Clone)]
enum Gtids {
    /// `gtid_mode`, `gtid_executed`, `gtid_purged`.
    MySql {
        mode: String,
        executed: GtidSet,
        purged: GtidSet,
    },
    /// `gtid_binlog_state`, `gtid_slave_pos`, `gtid_domain_id`.
    MariaDb {
        domain: u32,
        logged: MariaDbState,
        applied: MariaDbPosition,
    },
}

impl Source {
    /// Asks for all of it.
    pub(super) async fn read(wire: &mut Wire) -> Result<Self, wire::Error> {
        let row = one(
            wire,
            "SELECT VERSION(), @@version_comment, @@GLOBAL.log_bin, @@GLOBAL.server_id",
        )
        .await?;
        let [version, comment, log_bin, server_id] = row.map(Option::unwrap_or_default);
        let flavour = Version::parse(&version, &comment)
            .map_err(|_| wire::Error::Protocol("the server's version cannot be read"))?
            .flavour;
        let (name, gtids) = match flavour {
            Flavour::MySql => {
                let sql = "SELECT @@GLOBAL.server_uuid, @@GLOBAL.gtid_mode, @@GLOBAL.gtid_executed, @@GLOBAL.gtid_purged";
                let [uuid, mode, executed, purged] =
                    one(wire, sql).await?.map(Option::unwrap_or_default);
                let gtids = Gtids::MySql {
                    mode,
                    executed: set(flavour, &executed)?,
                    purged: set(flavour, &purged)?,
                };
                (uuid, gtids)
            }
            Flavour::MariaDb => {
                let sql = "SELECT @@GLOBAL.gtid_binlog_state, @@GLOBAL.gtid_slave_pos, @@GLOBAL.gtid_domain_id";
                let [logged, applied, domain] =
                    one(wire, sql).await?.map(Option::unwrap_or_default);
                let gtids = Gtids::MariaDb {
                    domain: domain.parse().map_err(|_| UNREADABLE_GTIDS)?,
                    logged: logged.parse().map_err(|_| UNREADABLE_GTIDS)?,
                    applied: applied.parse().map_err(|_| UNREADABLE_GTIDS)?,
                };
                (format!("server id {server_id}"), gtids)
            }
        };
        Ok(Self {
            flavour,
            version,
            server_id: server_id.parse().unwrap_or(0),
            name,
            clock: Clock::read(wire).await?,
            log_bin: matches!(log_bin.as_str(), "1" | "ON"),
            gtids,
        })
    }

    /// What to ask the server for to get all that comes after `from`.
    ///
    /// On MariaDB that may be less than `from`: where the applier skipped a transaction that `from` ends with, the log
    /// has nothing of that name, and the server would refuse to begin there. What it logged last of the same server
    /// is as good a beginning, because it logs the numbers of a domain in ascending order.
    pub(super) fn begin(&self, from: &GtidSet, address: &Address) -> Result<GtidSet, Error> {
        let address = || address.clone();
        if self.flavour != flavour_of(from) {
            return Err(Error::AnotherServer {
                address: address(),
                found: self.flavour.to_string(),
                expected: flavour_of(from).to_string(),
            });
        }
        if !self.log_bin {
            return Err(Error::NoBinaryLog { address: address() });
        }
        if let Gtids::MySql { mode, .. } = &self.gtids
            && mode != "ON"
        {
            return Err(Error::NoGtids {
                address: address(),
                mode: mode.clone(),
            });
        }
        if let Some(missing) = self.lost(from).or_else(|| lacking(from, &self.executed())) {
            return Err(Error::Rewound {
                address: address(),
                missing,
            });
        }
        match (&self.gtids, from) {
            (Gtids::MySql { purged, .. }, _) => match lacking(purged, from) {
                None => Ok(from.clone()),
                missing => Err(Error::Purged {
                    address: address(),
                    missing,
                    message: None,
                }),
            },
            (Gtids::MariaDb { logged, .. }, GtidSet::MariaDb(from)) => {
                Ok(GtidSet::MariaDb(clamp(from, logged)))
            }
            (Gtids::MariaDb { .. }, GtidSet::MySql(_)) => Ok(from.clone()),
        }
    }

    /// What of its own a MariaDB has lost: no applier skips that, and the place of its applier says nothing of it, because it
    /// steps over what comes back under the server's own id.
    fn lost(&self, from: &GtidSet) -> Option<Missing> {
        let (Gtids::MariaDb { domain, logged, .. }, GtidSet::MariaDb(from)) = (&self.gtids, from)
        else {
            return None;
        };
        let read = from
            .mark(*domain)
            .filter(|mark| mark.server == self.server_id)?;
        let mut own = MariaDbPosition::default();
        if let Some(last) = logged.last_of(*domain, self.server_id) {
            own.set(last);
        }
        let missing = from.only_domain(read.domain).subtract(&own);
        (!missing.is_empty()).then_some(Missing::MariaDb(missing))
    }

    /// All that the server has executed, whether it is in its log or not.
    fn executed(&self) -> GtidSet {
        match &self.gtids {
            Gtids::MySql { executed, .. } => executed.clone(),
            Gtids::MariaDb {
                logged, applied, ..
            } => GtidSet::MariaDb(logged.position().merge(applied)),
        }
    }
}

/// What the oldest log file of a MariaDB begins after and `from` does not cover: what was purged and not read. `None`
/// where nothing is, or the account may not know.
pub(super) async fn purged_on_mariadb(wire: &mut Wire, from: &GtidSet) -> Option<Missing> {
    let logs = wire.rows("SHOW BINARY LOGS").await.ok()?;
    let oldest = logs.into_iter().next()?.into_iter().next()??;
    let sql = format!("SELECT BINLOG_GTID_POS({}, 4)", literal(&oldest));
    let [before] = one(wire, &sql).await.ok()?;
    lacking(&set(Flavour::MariaDb, &before?).ok()?, from)
}

const UNREADABLE_GTIDS: wire::Error = wire::Error::Protocol("the server's GTIDs cannot be read");

fn set(flavour: Flavour, text: &str) -> Result<GtidSet, wire::Error> {
    GtidSet::parse(flavour, text).map_err(|_| UNREADABLE_GTIDS)
}

/// What of `whole` is not in `part`; `None` for nothing.
fn lacking(whole: &GtidSet, part: &GtidSet) -> Option<Missing> {
    whole
        .subtract(part)
        .ok()
        .filter(|missing| !missing.is_empty())
}

fn clamp(from: &MariaDbPosition, logged: &MariaDbState) -> MariaDbPosition {
    let (mut begin, end) = (MariaDbPosition::default(), logged.position());
    for mark in from.marks() {
        let of_server = logged.last_of(mark.domain, mark.server);
        let at_or_before = match of_server {
            Some(last) if last.sequence >= mark.sequence => Some(mark),
            Some(last) => Some(last),
            // Nothing of that server was ever logged. Where all of the domain is from before the mark, its end will do.
            None => end
                .mark(mark.domain)
                .filter(|last| last.sequence < mark.sequence),
        };
        if let Some(mark) = at_or_before {
            begin.set(mark);
        }
    }
    begin
}

async fn one<const N: usize>(
    wire: &mut Wire,
    sql: &str,
) -> Result<[Option<String>; N], wire::Error> {
    let row = wire.rows(sql).await?.into_iter().next();
    row.and_then(|row| row.try_into().ok())
        .ok_or(wire::Error::Protocol(
            "an answer has not the columns asked for",
        ))
}

impl Clock {
    async fn read(wire: &mut Wire) -> Result<Self, wire::Error> {
        let asked = Instant::now();
        let here = micros(SystemTime::now());
        let [there] = one(wire, "SELECT UNIX_TIMESTAMP(SYSDATE(6)) * 1000000").await?;
        let half = i64::try_from(asked.elapsed().as_micros() / 2).unwrap_or(i64::MAX);
        let there = there.unwrap_or_default();
        let whole = there.split('.').next().unwrap_or_default();
        let there: i64 = whole
            .parse()
            .map_err(|_| wire::Error::Protocol("the server's clock cannot be read"))?;
        Ok(Self {
            offset_us: there
                .saturating_sub(i64::try_from(here).unwrap_or(i64::MAX).saturating_add(half)),
            error_us: half,
        })
    }

    /// This moment on the server's clock, in microseconds since 1970.
    pub(super) fn there_us(&self, moment: SystemTime) -> u64 {
        micros(moment).saturating_add_signed(self.offset_us)
    }
}

fn micros(moment: SystemTime) -> u64 {
    let since = moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
