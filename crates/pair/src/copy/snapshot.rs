//! One node as it is at one moment, on several connections.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, timeout};
use twinlog_row::SESSION;
use twinlog_server::{
    conn::{Conn, Error as ConnError, Row},
    dialect::Dialect,
    facts::{Coordinates, LinkFacts, ServerFacts},
};

use super::{Error, Limits, ends::connect, run_all};
use crate::{config::Node, site::Site};

/// While the lock is waited for, clients that write wait behind it: not longer than this.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Then they are let through, and it is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(500);
const LOCK_TRIES: u32 = 120;
/// Behind a lock that was waited for in vain, tables stay closed until the statement that was in its way has ended (seen on
/// MySQL 9.7): it is not asked for while one runs for so long.
const STATEMENT_LONG_S: u64 = 2;
/// All that is done under the lock, and after how long of silence the server itself lets go of it.
const LOCKED_MAX: Duration = Duration::from_secs(5);
const LOCK_TIMEOUT: &str = "SET SESSION wait_timeout = 5";
/// Read as bytes, whatever they are in.
const RAW: &str = "SET SESSION character_set_results = NULL";
/// A connection may have nothing to read while its peer makes indexes.
pub(super) const PATIENT: &str =
    "SET SESSION wait_timeout = 604800, SESSION net_write_timeout = 3600";
const REPEATABLE: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT";
/// What a transaction has read stays locked against ALTER, and whoever comes behind that waits, too: it is let go of after
/// each stretch, and the snapshot stays.
pub(super) const BEGIN_STRETCH: &str = "SAVEPOINT stretch";
/// See [`BEGIN_STRETCH`].
pub(super) const END_STRETCH: &str = "ROLLBACK TO stretch";

/// What all of its connections see, and where the log stood then.
pub(super) struct Snapshot {
    pub(super) conns: Vec<Conn>,
    pub(super) end: Coordinates,
    pub(super) gtids: String,
    /// The node's links, and how far each had executed then.
    pub(super) links: Vec<LinkFacts>,
    /// For how long nobody could commit.
    pub(super) locked: Duration,
}

/// Prepares a connection that reads.
pub(super) async fn reader(conn: &mut Conn, dialect: &Dialect) -> Result<(), ConnError> {
    let limit = dialect.row().no_time_limit;
    let all = [SESSION, RAW, PATIENT, REPEATABLE];
    run_all(conn, all.into_iter().chain(limit)).await
}

impl Snapshot {
    /// Opens one of a node, on so many connections as are to copy at once.
    pub(super) async fn of(
        site: &Site,
        node: &Node,
        dialect: &Dialect,
        limits: Limits,
    ) -> Result<Self, Error> {
        let open = async || -> Result<Conn, Error> {
            let mut conn = connect(site, node).await?;
            reader(&mut conn, dialect).await?;
            Ok(conn)
        };
        let lock = open().await?;
        let conns = try_join_all((0..limits.parallel.max(1)).map(|_| open())).await?;
        Self::open(lock, conns, dialect).await
    }

    /// Opens it on connections that [`reader`] has prepared; `lock` is one more.
    async fn open(mut lock: Conn, mut conns: Vec<Conn>, dialect: &Dialect) -> Result<Self, Error> {
        let wait = format!("SET SESSION lock_wait_timeout = {}", LOCK_WAIT.as_secs());
        run_all(&mut lock, [wait.as_str(), LOCK_TIMEOUT]).await?;
        let began = Instant::now();
        for _ in 0..LOCK_TRIES {
            if !is_busy(&mut lock, dialect).await? && acquire(&mut lock, dialect).await? {
                let opening = opened(&mut lock, &mut conns, dialect);
                // Dropped in the middle, its connection ends, and the lock with it.
                let opened = timeout(LOCKED_MAX, opening).await;
                let Ok(opened) = opened else { break };
                if let Some((stands, locked)) = opened? {
                    lock.close().await;
                    let (end, gtids, links) = stands;
                    return Ok(Self {
                        conns,
                        end,
                        gtids,
                        links,
                        locked,
                    });
                }
            }
            sleep(LOCK_PAUSE).await;
        }
        Err(Error::Locked {
            address: lock.address().to_string(),
            seconds: began.elapsed().as_secs(),
        })
    }
}

/// Whether a statement runs for so long that the lock would wait for it.
async fn is_busy(conn: &mut Conn, dialect: &Dialect) -> Result<bool, ConnError> {
    if !dialect.row().freeze_waits_for_readers {
        return Ok(false);
    }
    let runs_long = |row: &Row| {
        matches!(row.get("Command"), Some("Query" | "Execute"))
            && row.number::<u64>("Time").is_some_and(|seconds| seconds >= STATEMENT_LONG_S)
            // The event scheduler and its kind have no address.
            && row.get("Host").is_some_and(|host| !host.is_empty())
    };
    Ok(conn.rows("SHOW PROCESSLIST").await?.iter().any(runs_long))
}

/// Keeps everybody from committing; `false` where something is in the way.
async fn acquire(lock: &mut Conn, dialect: &Dialect) -> Result<bool, ConnError> {
    match run_all(lock, dialect.row().freeze.iter().copied()).await {
        Ok(()) => Ok(true),
        Err(ConnError::Statement { code: 1205, .. }) => {
            // Part of it may be held; MariaDB has an error of its own for letting go of nothing.
            let _ = lock.execute(dialect.row().freeze_end).await;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Opens the snapshots under the lock, and lets go of it. `None` where transactions are prepared: they are in the log, but
/// in no snapshot.
async fn opened(
    lock: &mut Conn,
    conns: &mut [Conn],
    dialect: &Dialect,
) -> Result<Option<(Stands, Duration)>, Error> {
    let began = Instant::now();
    let prepared = lock.rows("XA RECOVER").await?;
    let opened = match prepared.is_empty() {
        true => try_join_all(conns.iter_mut().map(|conn| conn.execute(SNAPSHOT))).await,
        false => Ok(Vec::new()),
    };
    let stands = stands(lock, dialect).await;
    lock.execute(dialect.row().freeze_end).await?;
    let locked = began.elapsed();
    opened?;
    let stands = stands?;
    Ok(prepared.is_empty().then_some((stands, locked)))
}

/// The log's end, the GTIDs of what is before it, and the links.
type Stands = (Coordinates, String, Vec<LinkFacts>);

async fn stands(conn: &mut Conn, dialect: &Dialect) -> Result<Stands, Error> {
    let row = conn.row(dialect.row().binlog_status).await?;
    let Some(end) = row.as_ref().and_then(Coordinates::of_log_end) else {
        return Err(Error::NoLog(conn.address().to_string()));
    };
    let sql = format!("SELECT @@GLOBAL.{}", ServerFacts::logged_variable(dialect));
    // 5.6 without GTIDs has the variable all the same.
    let gtids = conn.value(&sql).await?.unwrap_or_default();
    let links = conn.rows(&dialect.show_links()).await?;
    let links = links.iter().map(LinkFacts::from_row).collect();
    Ok((end, gtids.replace('\n', ""), links))
}
