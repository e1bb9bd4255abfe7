//! Many rows at once: out of one server row by row, and into another as one stream.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{empty, unfold},
};
use mysql_async::{QueryResult, TextProtocol, prelude::Queryable};
use tokio::sync::mpsc;

use super::{Address, Conn, Error, innermost, stream::value, turn::Turn};

/// What errors say in place of a statement that has users' data in it.
const SHOWN: &str = "a statement on rows";

/// The rows of one statement, as they come.
pub struct Rows<'c> {
    result: QueryResult<'c, 'static, TextProtocol>,
    turn: &'c mut Turn,
    address: Address,
}

impl Rows<'_> {
    /// The next row: each value's bytes, `None` for NULL. After the last row the connection can be used again; dropped
    /// before, it cannot.
    ///
    /// # Errors
    /// [`Error::Statement`] or [`Error::Lost`].
    pub async fn next(&mut self) -> Result<Option<Vec<Option<Vec<u8>>>>, Error> {
        match self.result.next().await {
            Ok(Some(row)) => Ok(Some(row.unwrap().into_iter().map(value).collect())),
            Ok(None) => {
                self.turn.end();
                Ok(None)
            }
            Err(error) => Err(told(&self.address, self.turn, error)),
        }
    }
}

/// What came of rows that were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// How many rows were stored.
    pub rows: u64,
    /// How many values the server had something to say about.
    pub warnings: u16,
}

impl Conn {
    /// Runs a `SELECT` of any length; there is no deadline.
    ///
    /// # Errors
    /// [`Error::Statement`] with the server's own code, or [`Error::Lost`].
    pub async fn fetch(&mut self, sql: &str) -> Result<Rows<'_>, Error> {
        let address = self.address.clone();
        self.begin(SHOWN).await?;
        match self.inner.query_iter(sql.to_owned()).await {
            Ok(result) => Ok(Rows {
                result,
                turn: &mut self.turn,
                address,
            }),
            Err(error) => Err(told(&address, &mut self.turn, error)),
        }
    }

    /// Runs a `LOAD DATA LOCAL` and gives the server `data` for its file. The server cannot tell data that is cut off from
    /// data that has ended, and with LOCAL it stores what it can and counts the rest as warnings: run it inside a transaction,
    /// and look at both numbers before that is committed.
    ///
    /// # Errors
    /// [`Error::Statement`] with the server's own code, or [`Error::Lost`].
    pub async fn load(&mut self, sql: &str, data: mpsc::Receiver<Bytes>) -> Result<Loaded, Error> {
        let address = self.address.clone();
        self.begin(SHOWN).await?;
        // A server that refuses before it asks for the file leaves the handler in the connection, and with it whoever sends
        // would wait for ever: the data itself stays here.
        let data = Arc::new(Mutex::new(Some(data)));
        let taken = Arc::clone(&data);
        self.inner.set_infile_handler(async move {
            let next = async |mut data: mpsc::Receiver<Bytes>| {
                let bytes = data.recv().await?;
                Some((Ok(bytes), data))
            };
            match take(&taken) {
                Some(data) => Ok(unfold(data, next).boxed()),
                None => Ok(empty().boxed()),
            }
        });
        let loaded = match self.inner.query_iter(sql).await {
            Ok(result) => {
                let loaded = Loaded {
                    rows: result.affected_rows(),
                    warnings: result.warnings(),
                };
                result.drop_result().await.map(|()| loaded)
            }
            Err(error) => Err(error),
        };
        drop(take(&data));
        match loaded {
            Ok(loaded) => {
                self.turn.end();
                Ok(loaded)
            }
            Err(error) => Err(told(&address, &mut self.turn, error)),
        }
    }
}

fn take(data: &Mutex<Option<mpsc::Receiver<Bytes>>>) -> Option<mpsc::Receiver<Bytes>> {
    data.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// An error of the driver's. One of the server's leaves the connection usable.
fn told(address: &Address, turn: &mut Turn, error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(error) => {
            turn.end();
            Error::Statement {
                address: address.clone(),
                code: error.code,
                state: error.state,
                message: error.message,
                sql: SHOWN.into(),
            }
        }
        error => Error::Lost {
            address: address.clone(),
            reason: innermost(&error),
            sql: SHOWN.into(),
        },
    }
}
