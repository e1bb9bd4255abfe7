//! A connection to each node, asked the same at the same time.

use std::time::Duration;

use futures_util::future::{join, try_join};
use tokio::time::{Instant, sleep};
use twinlog_converge::Side;
use twinlog_pair::site::{Login, Site};
use twinlog_server::{
    conn::{self, Conn},
    dialect::Dialect,
    facts::{Standing, author::standing_again, read_dialect},
    gtid::GtidSet,
};

use super::Error;
use twinlog_row::{RawRow, SESSION, run, run_within};

/// How long one statement may take: a table without a key is one.
const STATEMENT_MAX: Duration = Duration::from_secs(24 * 3600);
/// A comparison writes nothing: the servers see to it, whatever the user's condition calls.
const READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";
/// A connection may have nothing to do for hours; a table may be locked for a while by who changes its definition.
const PATIENT: &str = "SET SESSION wait_timeout = 604800, SESSION lock_wait_timeout = 60";
/// A link that has carried nothing for so long, though there is something to carry, is not waited for.
const STILL_MAX: Duration = Duration::from_secs(60);
/// After so many seconds a server ends a connection that holds locks and says nothing.
const LOCKS_TIMEOUT_S: u32 = 5;
/// How often it is asked how far a link is.
const POLL: Duration = Duration::from_millis(20);

/// A connection to each node.
#[derive(Debug)]
pub(crate) struct Hands {
    conns: [Conn; 2],
    dialects: [Dialect; 2],
}

/// What both nodes had committed at a moment, each of its own and of its peer's.
#[derive(Debug)]
pub(crate) struct Moment([GtidSet; 2]);

impl Hands {
    pub(crate) async fn open(site: &Site) -> Result<Self, Error> {
        let [a, b] = site.nodes();
        let ((a, on_a), (b, on_b)) = try_join(
            prepare(site.connect(a, Login::Agent, site.patience())),
            prepare(site.connect(b, Login::Agent, site.patience())),
        )
        .await?;
        Ok(Self {
            conns: [a, b],
            dialects: [on_a, on_b],
        })
    }

    pub(super) fn dialects(&self) -> [&Dialect; 2] {
        self.dialects.each_ref()
    }

    pub(crate) fn conn(&mut self, side: Side) -> &mut Conn {
        &mut self.conns[side.index()]
    }

    /// The rows that both nodes return.
    pub(super) async fn both(&mut self, sql: &str) -> Result<[Vec<RawRow>; 2], Error> {
        let [a, b] = &mut self.conns;
        // Neither is dropped in the middle: the connection would be of no more use.
        let (a, b) = join(
            run_within(a, sql, STATEMENT_MAX),
            run_within(b, sql, STATEMENT_MAX),
        )
        .await;
        Ok([a?, b?])
    }

    /// The rows that one node returns.
    pub(super) async fn one(&mut self, side: Side, sql: &str) -> Result<Vec<RawRow>, Error> {
        Ok(run_within(self.conn(side), sql, STATEMENT_MAX).await?)
    }

    /// What both have committed by now: what MySQL has in its tables and does not count as executed yet is among it.
    pub(crate) async fn now(&mut self) -> Result<Moment, Error> {
        let [a, b] = &mut self.conns;
        let (a, b) = join(
            standing_again(a, &self.dialects[0]),
            standing_again(b, &self.dialects[1]),
        )
        .await;
        Ok(Moment([a?.logged, b?.logged]))
    }

    /// How much each node has yet to execute of what the other had at that moment, together: 0 when nothing of it is on its
    /// way any more.
    pub(super) async fn missing(&mut self, moment: &Moment) -> Result<u64, Error> {
        let [a, b] = &mut self.conns;
        let (a, b) = join(
            Standing::read(a, &self.dialects[0]),
            Standing::read(b, &self.dialects[1]),
        )
        .await;
        let mut missing: u64 = 0;
        for (node, of_peer) in [(a?, &moment.0[1]), (b?, &moment.0[0])] {
            let has = node.applied.merge(&node.logged)?;
            missing = missing.saturating_add(of_peer.subtract(&has)?.count());
        }
        Ok(missing)
    }

    /// Whether nothing of a moment is on its way any more, or comes to be so within `limit`.
    pub(crate) async fn passed(&mut self, moment: &Moment, limit: Duration) -> Result<bool, Error> {
        let began = Instant::now();
        while self.missing(moment).await? > 0 {
            if began.elapsed() >= limit {
                return Ok(false);
            }
            sleep(POLL).await;
        }
        Ok(true)
    }

    /// Waits until nothing of a moment is on its way any more, as long as any of it comes.
    pub(super) async fn wait(&mut self, moment: &Moment) -> Result<(), Error> {
        let (mut least, mut came) = (u64::MAX, Instant::now());
        loop {
            let missing = self.missing(moment).await?;
            if missing == 0 {
                return Ok(());
            }
            if missing < least {
                (least, came) = (missing, Instant::now());
            }
            if came.elapsed() > STILL_MAX {
                return Err(Error::Still {
                    seconds: STILL_MAX.as_secs(),
                });
            }
            sleep(POLL).await;
        }
    }

    /// Waits until each node has executed all that the other has by now.
    pub(crate) async fn catch_up(&mut self) -> Result<(), Error> {
        let moment = self.now().await?;
        self.wait(&moment).await
    }

    /// Begins a transaction on both. Should this program or its machine stand still, the servers end it soon.
    pub(super) async fn begin_locks(&mut self) -> Result<(), Error> {
        let sql = format!("SET SESSION wait_timeout = {LOCKS_TIMEOUT_S}; START TRANSACTION");
        self.both(&sql).await.map(drop)
    }

    /// Ends it.
    pub(super) async fn end_locks(&mut self) -> Result<(), Error> {
        self.both(&format!("ROLLBACK; {PATIENT}")).await.map(drop)
    }

    pub(crate) async fn close(self) {
        let [a, b] = self.conns;
        join(a.close(), b.close()).await;
    }
}

async fn prepare(
    conn: impl Future<Output = Result<Conn, conn::Error>>,
) -> Result<(Conn, Dialect), Error> {
    let mut conn = conn.await?;
    // Hashing a table may take hours.
    conn.end_when_dropped();
    let dialect = read_dialect(&mut conn).await?;
    let limit = dialect.row().no_time_limit;
    for sql in [SESSION, READ_ONLY, PATIENT].into_iter().chain(limit) {
        run(&mut conn, sql).await?;
    }
    Ok((conn, dialect))
}

/// A number in a row.
pub(super) fn number(row: Option<&RawRow>, at: usize) -> u64 {
    let text = row.and_then(|row| row.get(at)?.as_deref());
    let text = text.and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
