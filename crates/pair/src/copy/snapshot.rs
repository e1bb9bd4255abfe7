//! One node as it is at one moment, on several connections.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use twinlog_row::SESSION;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    facts::{Coordinates, ServerFacts},
};

use super::{Error, run_all};

/// While the lock is waited for, clients that write wait behind it: not longer than this.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Then they are let through, and it is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(500);
const LOCK_TRIES: u32 = 60;
/// Read as bytes, whatever they are in.
const RAW: &str = "SET SESSION character_set_results = NULL";
/// A connection may have nothing to read while its peer makes indexes.
const PATIENT: &str = "SET SESSION wait_timeout = 604800, SESSION net_write_timeout = 3600";
const REPEATABLE: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// What all of its connections see, and where the log stood then.
pub(super) struct Snapshot {
    pub(super) conns: Vec<Conn>,
    pub(super) end: Coordinates,
    pub(super) gtids: String,
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
    /// Opens it on connections that [`reader`] has prepared; `lock` is one more.
    pub(super) async fn open(
        mut lock: Conn,
        mut conns: Vec<Conn>,
        dialect: &Dialect,
    ) -> Result<Self, Error> {
        let began = acquire(&mut lock, dialect).await?;
        let opened = try_join_all(conns.iter_mut().map(|conn| conn.execute(SNAPSHOT))).await;
        let stands = stands(&mut lock, dialect).await;
        let released = lock.execute(dialect.row().freeze_end).await;
        let locked = began.elapsed();
        lock.close().await;
        opened?;
        released?;
        let (end, gtids) = stands?;
        Ok(Self {
            conns,
            end,
            gtids,
            locked,
        })
    }
}

/// Keeps everybody from committing; returns since when.
async fn acquire(lock: &mut Conn, dialect: &Dialect) -> Result<Instant, Error> {
    let wait = format!("SET SESSION lock_wait_timeout = {}", LOCK_WAIT.as_secs());
    lock.execute(&wait).await?;
    let began = Instant::now();
    for _ in 0..LOCK_TRIES {
        match run_all(lock, dialect.row().freeze.iter().copied()).await {
            Ok(()) => return Ok(Instant::now()),
            Err(ConnError::Statement { code: 1205, .. }) => {
                // Part of it may be held.
                lock.execute(dialect.row().freeze_end).await?;
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Locked {
        address: lock.address().to_string(),
        seconds: began.elapsed().as_secs(),
    })
}

/// The log's end, and the GTIDs of what is before it.
async fn stands(conn: &mut Conn, dialect: &Dialect) -> Result<(Coordinates, String), ConnError> {
    let row = conn.row(dialect.row().binlog_status).await?;
    let end = row
        .as_ref()
        .and_then(Coordinates::of_log_end)
        .unwrap_or_default();
    let sql = format!("SELECT @@GLOBAL.{}", ServerFacts::logged_variable(dialect));
    // 5.6 without GTIDs has the variable all the same.
    let gtids = conn.value(&sql).await?.unwrap_or_default();
    Ok((end, gtids.replace('\n', "")))
}
