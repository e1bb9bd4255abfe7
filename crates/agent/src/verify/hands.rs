//! A connection to each node, asked the same at the same time.

use std::time::Duration;

use futures_util::future::{join, try_join};
use tokio::time::{Instant, sleep};
use twinlog_converge::Side;
use twinlog_pair::site::{Login, Site};
use twinlog_server::{
    conn::Conn,
    dialect::Dialect,
    facts::{Standing, read_dialect},
    gtid::GtidSet,
};

use super::Error;
use crate::row::{RawRow, SESSION, run, run_within};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one statement may take: a table without a key is one.
const STATEMENT_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often it is asked how far a link is.
const POLL: Duration = Duration::from_millis(20);

/// A connection to each node.
#[derive(Debug)]
pub(super) struct Hands {
    conns: [Conn; 2],
    dialects: [Dialect; 2],
}

/// What both nodes had executed at a moment.
#[derive(Debug)]
pub(super) struct Moment([Standing; 2]);

impl Hands {
    pub(super) async fn open(site: &Site) -> Result<Self, Error> {
        let [a, b] = site.nodes();
        let ((a, on_a), (b, on_b)) = try_join(
            async { prepare(site.connect(a, Login::Agent, CONNECT_TIMEOUT).await?).await },
            async { prepare(site.connect(b, Login::Agent, CONNECT_TIMEOUT).await?).await },
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

    pub(super) fn conn(&mut self, side: Side) -> &mut Conn {
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

    /// What both have executed by now.
    pub(super) async fn now(&mut self) -> Result<Moment, Error> {
        let [a, b] = &mut self.conns;
        let (a, b) = join(
            Standing::read(a, &self.dialects[0]),
            Standing::read(b, &self.dialects[1]),
        )
        .await;
        Ok(Moment([a?, b?]))
    }

    /// Waits until each node has executed all that the other had at that moment; `false` where it has not within `limit`,
    /// though what is awaited may go on.
    pub(super) async fn passed(&mut self, moment: &Moment, limit: Duration) -> Result<bool, Error> {
        let began = Instant::now();
        loop {
            if moment.has_passed(&self.now().await?)? {
                return Ok(true);
            }
            if began.elapsed() >= limit {
                return Ok(false);
            }
            sleep(POLL).await;
        }
    }

    /// Ends what is open on both.
    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        self.both("ROLLBACK").await.map(drop)
    }

    pub(super) async fn close(self) {
        let [a, b] = self.conns;
        join(a.close(), b.close()).await;
    }
}

async fn prepare(mut conn: Conn) -> Result<(Conn, Dialect), Error> {
    run(&mut conn, SESSION).await?;
    let dialect = read_dialect(&mut conn).await?;
    Ok((conn, dialect))
}

impl Moment {
    /// Whether each node has all by `now` that the other had then.
    fn has_passed(&self, now: &Moment) -> Result<bool, Error> {
        for side in Side::BOTH {
            let (source, replica) = (&self.0[side.peer().index()], &now.0[side.index()]);
            let has: GtidSet = replica.applied.merge(&replica.logged)?;
            if !has.covers(&source.logged)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a node has executed anything of its peer's since.
    pub(super) fn moved(&self, now: &Moment) -> bool {
        Side::BOTH
            .into_iter()
            .any(|side| self.0[side.index()].applied != now.0[side.index()].applied)
    }
}
