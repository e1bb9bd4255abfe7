//! Only rows that were written since a moment, as the logs of both nodes tell.
//!
//! A log is read from the first transaction on that it gives a time not before that moment: the file is found by the times of
//! the files' first transactions. Where the logs do not reach back so far, nothing is compared.

mod written;

use jiff::Timestamp;
use twinlog_binlog::Transaction;
use twinlog_converge::Side;
use twinlog_pair::site::{Login, Site};
use twinlog_server::{
    conn,
    facts::{Coordinates, read_dialect},
    gtid::GtidSet,
    sql::literal,
    version::Flavour,
};

use super::{Error, hands::Hands};
use crate::stream::{Options, Stretch, StretchError};
pub(super) use written::{Extent, Written, key};

/// Reads which rows both logs say were written since then.
pub(super) async fn read(
    site: &Site,
    hands: &mut Hands,
    since: Timestamp,
    written: &mut Written,
) -> Result<(), Error> {
    let mut logs = Vec::new();
    let mut ids = Vec::new();
    for side in Side::BOTH {
        let conn = hands.conn(side);
        let id = conn.value("SELECT @@GLOBAL.server_id").await?;
        ids.extend(id.and_then(|id| id.parse::<u32>().ok()));
    }
    for side in Side::BOTH {
        let end = end(hands, side).await?;
        logs.push(Log {
            site,
            side,
            flavour: hands.dialects()[side.index()].version().flavour,
            ids: ids.clone(),
            end,
        });
    }
    // Both are looked at before one is read: it may be long.
    let mut begins = Vec::new();
    for log in &logs {
        begins.push(log.begin(hands, since).await?);
    }
    for (log, begin) in logs.iter().zip(begins) {
        let mut stretch = log.open(begin)?;
        let mut is_old = true;
        while let Some(transaction) = stretch.next().await.map_err(|error| log.error(error))? {
            is_old &= micros(&transaction) < since.as_microsecond();
            if !is_old {
                written.take(&transaction);
            }
        }
        stretch.close().await;
    }
    Ok(())
}

/// Where a node's log ends.
async fn end(hands: &mut Hands, side: Side) -> Result<Coordinates, Error> {
    let conn = hands.conn(side);
    let dialect = read_dialect(conn).await?;
    let row = conn.row(dialect.row().binlog_status).await?;
    // A node that has GTIDs has a log.
    Ok(row
        .as_ref()
        .and_then(Coordinates::of_log_end)
        .unwrap_or_default())
}

/// When a transaction was committed: on the server whose log it is, if that says so.
fn micros(transaction: &Transaction) -> i64 {
    let committed = transaction.committed;
    // Where the log says the second only, the last microsecond of it.
    let origin = committed.micros + if committed.exact { 0 } else { 999_999 };
    i64::try_from(transaction.logged_us.unwrap_or(origin)).unwrap_or(i64::MAX)
}

/// A node's log.
struct Log<'a> {
    site: &'a Site,
    side: Side,
    flavour: Flavour,
    ids: Vec<u32>,
    end: Coordinates,
}

impl Log<'_> {
    fn name(&self) -> String {
        self.site.nodes()[self.side.index()].name.clone()
    }

    fn error(&self, error: StretchError) -> Error {
        Error::Log {
            node: self.name(),
            error,
        }
    }

    /// All that comes after these transactions.
    fn open(&self, from: GtidSet) -> Result<Stretch, Error> {
        let node = self.site.nodes()[self.side.index()];
        let endpoint = self.site.endpoint(node, Login::Agent).map_err(|error| {
            let address = conn::Address::Tcp(node.host.clone(), node.port);
            conn::Error::Secret { address, error }
        })?;
        let options = Options::new(endpoint, from, self.ids.clone());
        Ok(Stretch::open(options, self.end.clone()))
    }

    /// What comes before the last file of which the first transaction was committed before that moment.
    async fn begin(&self, hands: &mut Hands, since: Timestamp) -> Result<GtidSet, Error> {
        let rows = hands.conn(self.side).rows("SHOW BINARY LOGS").await?;
        let files: Vec<String> = rows
            .iter()
            .filter_map(|row| row.at(0).map(str::to_owned))
            .collect();
        // The files from `late` on begin after that moment, those before `early` before it.
        let (mut early, mut late) = (0, files.len());
        while early < late {
            let middle = early.midpoint(late);
            match self.first(hands, &files[middle]).await? {
                Some(first) if first < since.as_microsecond() => early = middle + 1,
                _ => late = middle,
            }
        }
        let Some(file) = files.get(late.saturating_sub(1)) else {
            return Err(self.too_short(since, None));
        };
        let begin = self.before(hands, file).await?;
        // Before its first transaction a server has written nothing.
        if late == 0 && !begin.is_empty() {
            let first = self.first(hands, file).await?;
            return Err(self.too_short(since, first));
        }
        Ok(begin)
    }

    fn too_short(&self, since: Timestamp, first: Option<i64>) -> Error {
        let first = first.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        Error::TooShort {
            node: self.name(),
            since: format!("{since:.0}"),
            reaches: first.map_or_else(
                || "it has no transaction".to_owned(),
                |first| format!("its first transaction is of {first:.0}"),
            ),
        }
    }

    /// When the first transaction of a file, or of those after it, was committed.
    async fn first(&self, hands: &mut Hands, file: &str) -> Result<Option<i64>, Error> {
        let mut stretch = self.open(self.before(hands, file).await?)?;
        let first = stretch.next().await.map_err(|error| self.error(error))?;
        stretch.close().await;
        Ok(first.as_deref().map(micros))
    }

    /// The transactions before a file.
    async fn before(&self, hands: &mut Hands, file: &str) -> Result<GtidSet, Error> {
        let conn = hands.conn(self.side);
        let text = match self.flavour {
            Flavour::MariaDb => {
                let sql = format!("SELECT BINLOG_GTID_POS({}, 4)", literal(file));
                conn.value(&sql).await?
            }
            Flavour::MySql => {
                let sql = format!("SHOW BINLOG EVENTS IN {} LIMIT 2", literal(file));
                let events = conn.rows(&sql).await?;
                let before = events
                    .iter()
                    .find(|event| event.get("Event_type") == Some("Previous_gtids"));
                before.and_then(|event| event.get("Info").map(str::to_owned))
            }
        };
        Ok(GtidSet::parse(self.flavour, &text.unwrap_or_default())?)
    }
}
