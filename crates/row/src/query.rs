//! Statements whose results are bytes, with a deadline.

use std::{ops::ControlFlow, time::Duration};

use twinlog_server::conn::{Conn, Error, Part, within};

/// How long a statement of a repair may take: it waits a second for a lock at most, and reads single rows.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A row as it came: a value's bytes or NULL per column.
pub type RawRow = Vec<Option<Vec<u8>>>;

/// As [`run_within`], with [`STATEMENT_TIMEOUT`].
///
/// # Errors
/// As [`run_within`].
pub async fn run(conn: &mut Conn, sql: &str) -> Result<Vec<RawRow>, Error> {
    run_within(conn, sql, STATEMENT_TIMEOUT).await
}

/// Runs one or more statements and returns the rows of all of them. What a statement says is in no error: it is a user's
/// data. After the deadline, or dropped, the connection is of no more use.
///
/// # Errors
/// As [`Conn::stream`]; [`Error::Lost`] after `limit`.
pub async fn run_within(conn: &mut Conn, sql: &str, limit: Duration) -> Result<Vec<RawRow>, Error> {
    let mut rows = Vec::new();
    let address = conn.address().clone();
    let work = conn.stream(sql.as_bytes(), |part| {
        if let Part::Row(row) = part {
            rows.push(row);
        }
        ControlFlow::Continue(())
    });
    match within(limit, work).await {
        Some(done) => done.map(|()| rows),
        None => Err(Error::Lost {
            address,
            reason: format!("no answer within {} s", limit.as_secs()),
            sql: "a statement on rows".into(),
        }),
    }
}
