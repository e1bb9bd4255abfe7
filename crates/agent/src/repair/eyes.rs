//! Looks, before a repair is committed, whether the rows are the same on the other node, and nothing of them on its way.
//!
//! By then the repair has locked its rows on the node that it writes, those among them that it has just inserted. They are
//! locked here on the other node, too, and must be what was judged. Then both nodes are asked what they have committed, and
//! the look ends well when each has executed what the other had by then: a change of one of the rows that were on its way
//! would wait for their locks, and its node would not have executed it. A row that the other node does not have cannot be
//! locked there, and is looked for once more: inserted later than that, it finds its row deleted here, as it should be.

use std::time::Duration;

use futures_util::future::BoxFuture;
use twinlog_binlog::Value;
use twinlog_row::{TableInfo, lock, read_held, run};
use twinlog_server::facts::Coordinates;

use super::Error;
use crate::{
    resolve::{Content, Hand, Sight, Witness, is_passing},
    verify::Hands,
};

/// A row on the other node.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) table: &'a TableInfo,
    pub(super) key: &'a [Value],
    pub(super) content: &'a Content,
}

/// Who looks, for one repair.
#[derive(Debug)]
pub(super) struct Eyes<'a> {
    /// Asks both nodes what they have executed.
    pub(super) hands: &'a mut Hands,
    /// The other node.
    pub(super) there: &'a mut Hand,
    pub(super) rows: Vec<Seen<'a>>,
    /// What kept it from looking, where that is no lock.
    pub(super) error: Option<Error>,
}

impl Eyes<'_> {
    /// Lets go of the rows.
    pub(super) async fn close(&mut self) -> Result<(), Error> {
        Ok(self.there.rollback().await?)
    }

    async fn try_look(&mut self, limit: Duration) -> Result<Sight, Error> {
        self.close().await?;
        let sight = self.look_locked(limit).await;
        if !matches!(sight, Ok(Sight::Untouched)) {
            self.close().await?;
        }
        sight
    }

    async fn look_locked(&mut self, limit: Duration) -> Result<Sight, Error> {
        run(self.there.conn(), "START TRANSACTION").await?;
        for row in &self.rows {
            let found = lock(self.there.conn(), row.table, row.key).await?;
            if !row.content.same(row.table, &found.into()) {
                return Ok(Sight::Touched);
            }
        }
        let moment = self.hands.now().await?;
        if !self.hands.passed(&moment, limit).await? {
            return Ok(Sight::Behind);
        }
        for row in self.rows.iter().filter(|row| row.content.row().is_none()) {
            let found = read_held(self.there.conn(), row.table, row.key).await?;
            if found.is_some() {
                return Ok(Sight::Touched);
            }
        }
        Ok(Sight::Untouched)
    }

    async fn try_wait(&mut self, limit: Duration) -> Result<Sight, Error> {
        let moment = self.hands.now().await?;
        Ok(match self.hands.passed(&moment, limit).await? {
            true => Sight::Untouched,
            false => Sight::Behind,
        })
    }

    /// Somebody who has the lock of a row is behind, and may be waited for.
    fn sight(&mut self, sight: Result<Sight, Error>) -> Sight {
        match sight {
            Ok(sight) => sight,
            Err(Error::Server(error)) if error.code().is_some_and(is_passing) => Sight::Behind,
            Err(error) => {
                self.error = Some(error);
                Sight::Touched
            }
        }
    }
}

impl Witness for Eyes<'_> {
    fn look(&mut self, _ends: [Coordinates; 2], limit: Duration) -> BoxFuture<'_, Sight> {
        Box::pin(async move {
            let sight = self.try_look(limit).await;
            self.sight(sight)
        })
    }

    fn wait(&mut self, _ends: [Coordinates; 2], limit: Duration) -> BoxFuture<'_, Sight> {
        Box::pin(async move {
            let sight = self.try_wait(limit).await;
            self.sight(sight)
        })
    }
}
