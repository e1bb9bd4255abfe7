//! A stretch of a log that has an end.

use std::time::Duration;

use tokio::time::timeout;
use twinlog_binlog::Transaction;
use twinlog_server::facts::Coordinates;

use super::{Error, Item, LogReader, LogStream, Options};

/// A log that is there says something at least so often.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What of a log comes after some transactions, up to a place. The last transactions may be beyond it.
#[derive(Debug)]
pub(crate) struct Stretch {
    log: LogStream,
    reader: LogReader,
    end: Coordinates,
}

/// Why a stretch is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum StretchError {
    /// The log is read no further.
    #[error(transparent)]
    Log(#[from] Box<Error>),
    /// It does not go on.
    #[error("the log says nothing since {seconds} s")]
    Silent {
        /// For how long.
        seconds: u64,
    },
}

impl StretchError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Log(error) => error.hint(),
            Self::Silent { .. } => {
                Some("`twinlog status` tells how the node is; then try again".into())
            }
        }
    }
}

impl Stretch {
    pub(crate) fn open(options: Options, end: Coordinates) -> Self {
        let (log, reader) = LogReader::spawn(options);
        Self { log, reader, end }
    }

    /// The next transaction; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Box<Transaction>>, StretchError> {
        while !self.log.read_up_to().has_position(&self.end) {
            match timeout(SILENCE_MAX, self.log.next()).await {
                Ok(Some(item)) => {
                    if let Item::Transaction(received) = item.map_err(Box::new)? {
                        return Ok(Some(received.transaction));
                    }
                }
                Ok(None) | Err(_) => {
                    return Err(StretchError::Silent {
                        seconds: SILENCE_MAX.as_secs(),
                    });
                }
            }
        }
        Ok(None)
    }

    pub(crate) async fn close(self) {
        self.reader.stop().await;
    }
}
