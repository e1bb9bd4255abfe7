//! Clients: they read and lock what they overwrite, and write down what was there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::ledger::{Answer, Change, Commit};
use crate::plan::{Round, Side};
use crate::schema::Table;
use crate::statements::{Failed, Open};
use crate::transactions::{End, Transaction};

/// Of each side.
pub(crate) const CLIENTS: u64 = 3;
/// A client that waits longer than this for a row gives its transaction up.
const LOCK_WAIT_S: u32 = 3;
/// A transaction that takes longer is as good as cut off.
const TRANSACTION_MAX: Duration = Duration::from_secs(20);
const RECONNECT: Duration = Duration::from_millis(50);
/// A client that hangs up waits at most this long for the answer to its commit.
const HANG_UP_MAX: Duration = Duration::from_millis(2);

/// One client of a round.
pub(crate) struct Client {
    pub(crate) side: Side,
    pub(crate) number: u64,
    pub(crate) opts: Opts,
    pub(crate) mariadb: bool,
    pub(crate) tables: Arc<Vec<Table>>,
    /// When the round began.
    pub(crate) begun: Instant,
}

impl Client {
    /// Carries out the round's transactions until it is told to stop; returns those that were, or may have been, committed.
    pub(crate) async fn run(self, round: Round, stop: watch::Receiver<bool>) -> Vec<Commit> {
        let mut commits = Vec::new();
        let mut conn = None;
        for (count, planned) in round.transactions(self.side, self.number).enumerate() {
            if *stop.borrow() {
                break;
            }
            let Some(mut open) = self.connected(conn.take(), &stop).await else {
                break;
            };
            let name = format!(
                "{}{}{}.{count}",
                round.number,
                self.side.name(),
                self.number
            );
            let mut changes = Vec::new();
            let done = timeout(
                TRANSACTION_MAX,
                self.transaction(&mut open, &name, &planned, &mut changes),
            )
            .await;
            let answer = match done {
                Ok(Ok(answer)) => {
                    // A client that hung up comes back with a new connection.
                    if answer != Some(Answer::Lost) {
                        conn = Some(open);
                    }
                    answer
                }
                Ok(Err(_)) => {
                    if open.query_drop("ROLLBACK").await.is_ok() {
                        conn = Some(open);
                    }
                    None
                }
                // It may hang in its commit.
                Err(_) => (!changes.is_empty()).then_some(Answer::Lost),
            };
            if let Some(answer) = answer
                && !changes.is_empty()
            {
                let gtid = match &mut conn {
                    Some(conn) if self.mariadb => {
                        conn.query_first("SELECT @@last_gtid").await.ok().flatten()
                    }
                    _ => None,
                };
                commits.push(Commit {
                    name,
                    side: self.side,
                    gtid,
                    at_ms: self.begun.elapsed().as_millis(),
                    answer,
                    changes,
                });
            }
            sleep(planned.rest).await;
        }
        commits
    }

    /// The connection that there is, else a new one, as soon as the server takes one.
    async fn connected(&self, conn: Option<Conn>, stop: &watch::Receiver<bool>) -> Option<Conn> {
        if conn.is_some() {
            return conn;
        }
        while !*stop.borrow() {
            let fresh = async {
                let mut conn = Conn::new(self.opts.clone()).await?;
                conn.query_drop(format!("SET innodb_lock_wait_timeout = {LOCK_WAIT_S}"))
                    .await?;
                mysql_async::Result::Ok(conn)
            };
            if let Ok(Ok(conn)) = timeout(TRANSACTION_MAX, fresh).await {
                return Some(conn);
            }
            sleep(RECONNECT).await;
        }
        None
    }

    /// `None`: rolled back. What was changed is in `changes` before the commit is asked for.
    async fn transaction(
        &self,
        conn: &mut Conn,
        name: &str,
        planned: &Transaction,
        changes: &mut Vec<Change>,
    ) -> Result<Option<Answer>, Failed> {
        conn.query_drop("BEGIN").await?;
        let mut open = Open {
            conn,
            tables: &self.tables,
            name,
            marks: 0,
            solo: false,
            changes: Vec::new(),
        };
        for step in &planned.steps {
            open.solo = step.is_solo(&self.tables);
            open.step(step).await?;
            if !planned.pause.is_zero() {
                sleep(planned.pause).await;
            }
        }
        if planned.journal {
            open.note().await?;
        }
        let made = open.changes;
        match planned.end {
            End::Rollback => {
                conn.query_drop("ROLLBACK").await?;
                Ok(None)
            }
            End::Commit => {
                *changes = made;
                let done = conn.query_drop("COMMIT").await;
                Ok(Some(if done.is_ok() {
                    Answer::Confirmed
                } else {
                    Answer::Lost
                }))
            }
            End::HangUp => {
                *changes = made;
                let done = timeout(HANG_UP_MAX, conn.query_drop("COMMIT")).await;
                Ok(Some(match done {
                    Ok(Ok(())) => Answer::Confirmed,
                    _ => Answer::Lost,
                }))
            }
        }
    }
}
