//! The connection that repairs a node.

use twinlog_server::{
    conn::{Conn, Error},
    facts::{Coordinates, read_dialect},
};

use super::long::shorten;
use twinlog_row::{RowError, SESSION, run};

/// The connection that repairs a node: it holds the lock, and its session is as rows need it.
#[derive(Debug)]
pub struct Hand {
    pub(super) conn: Conn,
    /// The longest statement that the server takes, in bytes.
    max_statement_bytes: usize,
    /// Asks where the server's log ends.
    log_end: &'static str,
}

impl Hand {
    /// Prepares a connection's session.
    ///
    /// # Errors
    /// As [`Conn::rows`].
    pub async fn new(mut conn: Conn) -> Result<Self, Error> {
        let log_end = read_dialect(&mut conn).await?.row().binlog_status;
        run(&mut conn, SESSION).await?;
        let limit = conn.value("SELECT @@max_allowed_packet").await?;
        Ok(Self {
            conn,
            // The smallest that a server can be set to, where it does not say.
            max_statement_bytes: limit.and_then(|bytes| bytes.parse().ok()).unwrap_or(1024),
            log_end,
        })
    }

    /// Where the server's log ends. All that was committed before this was asked is in the log before that place: a log is
    /// written first, and only then are the rows' locks given up.
    pub(crate) async fn log_end(&mut self) -> Result<Coordinates, Error> {
        let row = self.conn.row(self.log_end).await?;
        let end = row.as_ref().and_then(Coordinates::of_log_end);
        end.ok_or_else(|| Error::Lost {
            address: self.conn.address().clone(),
            reason: "the server writes no log".to_owned(),
            sql: self.log_end.to_owned(),
        })
    }

    /// The connection, for reading rows and the history.
    pub fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Closes the connection, and with it whatever it holds.
    pub(crate) async fn close(self) {
        self.conn.close().await;
    }

    pub(crate) async fn write(&mut self, sql: &str) -> Result<(), StepError> {
        // The packet has a byte before the statement.
        if sql.len() < self.max_statement_bytes {
            run(&mut self.conn, sql).await?;
            return Ok(());
        }
        let too_long = StepError::TooLong {
            bytes: sql.len(),
            limit: self.max_statement_bytes,
        };
        let Some(short) = shorten(sql, self.max_statement_bytes) else {
            return Err(too_long);
        };
        for sql in &short.before {
            run(&mut self.conn, sql).await?;
        }
        let whole = run(&mut self.conn, &short.check).await?;
        let whole = whole.first().and_then(|row| row.first()) == Some(&Some(b"1".to_vec()));
        let done = if whole {
            run(&mut self.conn, &short.sql)
                .await
                .map(drop)
                .map_err(StepError::from)
        } else {
            Err(too_long)
        };
        let freed = run(&mut self.conn, &short.after).await;
        done.and(freed.map(drop).map_err(StepError::from))
    }

    /// Ends a transaction without its changes.
    pub(crate) async fn rollback(&mut self) -> Result<(), Error> {
        run(
            &mut self.conn,
            "ROLLBACK; SET SESSION foreign_key_checks = 1",
        )
        .await
        .map(drop)
    }
}

/// What kept a step from being made.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The server, or the connection.
    #[error(transparent)]
    Server(#[from] Error),
    /// The rows.
    #[error(transparent)]
    Row(RowError),
    /// The server would not take the statement.
    #[error(
        "a statement of {bytes} bytes is longer than the server takes: raise max_allowed_packet, which is {limit}, on both \
         nodes, start the agent again, and decide with `twinlog conflicts resolve`"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The server's limit.
        limit: usize,
    },
}

impl From<RowError> for StepError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Server(error) => Self::Server(error),
            error => Self::Row(error),
        }
    }
}
