//! A client that writes on one node until it is stopped.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::Db;

/// Between two statements: some hundred a second.
const PAUSE: Duration = Duration::from_millis(4);
/// It rests for so many times as long as a write took.
const REST: u32 = 4;

/// One that writes.
pub(super) struct Load {
    stop: watch::Sender<bool>,
    task: JoinHandle<u64>,
}

impl Load {
    /// Runs `statement(0)`, `statement(1)` and so on; what a server refuses because of others' locks is left out.
    pub(super) fn start(db: Db, statement: impl Fn(u64) -> Vec<String> + Send + 'static) -> Self {
        Self::times(db, u64::MAX, statement)
    }

    /// As [`Load::start`], so many times at most.
    pub(super) fn times(
        db: Db,
        times: u64,
        statement: impl Fn(u64) -> Vec<String> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut conn = db.conn().await.unwrap();
            let mut number = 0;
            while number < times && !*stopped.borrow() {
                let began = Instant::now();
                for sql in statement(number) {
                    match conn.query_drop(&sql).await {
                        Ok(()) => {}
                        // A lock wait or a deadlock with the applier.
                        Err(mysql_async::Error::Server(error))
                            if [1205, 1213].contains(&error.code) =>
                        {
                            conn.query_drop("ROLLBACK").await.unwrap();
                            break;
                        }
                        Err(error) => panic!("{error}: {sql}"),
                    }
                }
                number += 1;
                // On a slow machine as well it is no more than links and repairs can follow.
                tokio::time::sleep(PAUSE.max(began.elapsed() * REST)).await;
            }
            conn.disconnect().await.unwrap();
            number
        });
        Self { stop, task }
    }

    /// Waits until it has done all; how many times it has written.
    pub(super) async fn end(self) -> u64 {
        self.task.await.unwrap()
    }

    /// Ends it; how many times it has written.
    pub(super) async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }
}
