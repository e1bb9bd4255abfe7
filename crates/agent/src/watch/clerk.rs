//! Who settles verdicts, one at a time; an episode's rows as in [`super::case`].

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};
use twinlog_binlog::Gtid;
use twinlog_converge::{Episode, Side, TableName, Verdict};
use twinlog_pair::config::Conflicts;

use super::{
    Error,
    desk::{Answer, Found, now_us},
    follow::{Job, NodeName},
    pile::Half,
    tables::Tables,
    touched::Touches,
    trouble::{Trouble, trouble},
    watchman::Watchman,
};
use crate::{
    history::{self, Entry},
    resolve::{self, Leadership},
};

/// How often definitions are read again that have changed while rows were looked at, and how long after.
const DEFINITIONS_TRIES: u32 = 3;
const DEFINITIONS_PAUSE: Duration = Duration::from_millis(300);

/// What a look at a verdict came to.
#[derive(Debug)]
pub(super) enum Seen {
    /// It is settled, or must wait for clients; then also the half that was done.
    Found(Found, Option<Half>),
    /// Its rows were written since: another verdict will take its place. The half that was done.
    Written(Option<Half>),
    /// The server does not let it be done now, in its own words. The half that was done.
    Busy(String, Option<Half>),
}

/// Who works at the desk, with a connection to each node.
#[derive(Debug)]
pub(super) struct Clerk {
    pub(super) nodes: [NodeName; 2],
    pub(super) conflicts: Conflicts,
    pub(super) tables: Arc<Tables>,
    pub(super) leadership: Leadership,
    pub(super) to: mpsc::Sender<Answer>,
}

impl Clerk {
    /// Closes what halves of other verdicts have left open, and settles this one.
    pub(super) async fn settle(
        &mut self,
        job: &Job,
        half: Option<Half>,
        halves: Vec<Half>,
    ) -> Result<Seen, Error> {
        for (id, side) in halves {
            history::supersede(self.leadership.hand(side).conn(), &id, now_us()).await?;
        }
        Ok(match &job.verdict {
            Verdict::Episode(episode) => self.try_episode(job, episode, half).await?,
            Verdict::ConcurrentDdl {
                table,
                gtids,
                statements,
            } => Seen::Found(self.ddl(table, gtids, statements).await?, None),
            Verdict::ToVerify { table, reason } => {
                let watchman = Watchman::new(self.to.clone(), job.number);
                let names = Vec::from_iter((!table.name.is_empty()).then(|| table.clone()));
                let is_named = !names.is_empty();
                let tables = self.infos_by_now(&watchman, names).await?;
                let is_gone = is_named && tables.is_none_or(|tables| tables.is_empty());
                let (table, reason) = (table.clone(), reason.clone());
                let to_verify = Found::ToVerify { table, reason };
                Seen::Found(if is_gone { Found::Dropped } else { to_verify }, None)
            }
        })
    }

    /// Nothing that is the matter with one episode's rows may keep the others from being settled.
    async fn try_episode(
        &mut self,
        job: &Job,
        episode: &Episode,
        half: Option<Half>,
    ) -> Result<Seen, Error> {
        for _ in 0..DEFINITIONS_TRIES {
            let error = match self.episode(job, episode, half.clone()).await {
                Ok(seen) => return Ok(seen),
                Err(error) => error,
            };
            match trouble(&error) {
                Trouble::Node => return Err(error),
                Trouble::Busy => {
                    self.roll_back().await?;
                    return Ok(Seen::Busy(error.to_string(), half));
                }
                Trouble::Definition => {
                    self.roll_back().await?;
                    tracing::debug!("{error}: the definitions are read again");
                    for table in episode.tables() {
                        self.tables.forget(&table);
                    }
                    sleep(DEFINITIONS_PAUSE).await;
                }
                Trouble::Rows => {
                    self.roll_back().await?;
                    return Ok(to_verify(episode, &error.to_string()));
                }
            }
        }
        let reason = "its definition changes faster than its rows can be looked at";
        Ok(to_verify(episode, reason))
    }

    async fn roll_back(&mut self) -> Result<(), Error> {
        for side in Side::BOTH {
            self.leadership.hand(side).rollback().await?;
        }
        Ok(())
    }

    /// Waits until both logs were read to where they end now; what of the verdict's rows was written until then.
    pub(super) async fn catch_up(&mut self, watchman: &Watchman) -> Result<Option<Touches>, Error> {
        let a = self.leadership.hand(Side::A).log_end().await?;
        let b = self.leadership.hand(Side::B).log_end().await?;
        Ok(watchman.ask([a, b]).await)
    }

    /// As [`Self::infos`], of what has another name by now, too; `None` where another verdict has taken the place of this
    /// one.
    pub(super) async fn infos_by_now(
        &mut self,
        watchman: &Watchman,
        names: Vec<TableName>,
    ) -> Result<Option<resolve::Tables>, Error> {
        let tables = self.infos(names.clone()).await?;
        if names.iter().all(|name| tables.contains_key(name)) {
            return Ok(Some(tables));
        }
        // What is not there may have been renamed, which the logs tell by now.
        if self.catch_up(watchman).await?.is_none() {
            return Ok(None);
        }
        self.infos(names).await.map(Some)
    }

    pub(super) async fn infos(&mut self, names: Vec<TableName>) -> Result<resolve::Tables, Error> {
        let mut infos = HashMap::new();
        for table in names {
            let mut known = self.tables.get(&table);
            for side in Side::BOTH {
                if known.is_none() {
                    let conn = self.leadership.hand(side).conn();
                    self.tables.load(conn, &table).await?;
                    known = self.tables.get(&table);
                }
            }
            if let Some(info) = known {
                // It may have another name by now.
                infos.insert(info.name.clone(), Arc::clone(&info));
                infos.insert(table, info);
            }
        }
        Ok(infos)
    }

    async fn ddl(
        &mut self,
        table: &TableName,
        gtids: &[Gtid; 2],
        statements: &[String; 2],
    ) -> Result<Found, Error> {
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let entry: Entry = resolve::concurrent_ddl(table, gtids, statements, names, now_us());
        history::record(self.leadership.hand(Side::A).conn(), &entry).await?;
        Ok(Found::Ddl {
            table: table.clone(),
            id: entry.id,
        })
    }
}

fn to_verify(episode: &Episode, reason: &str) -> Seen {
    let first = episode.tables().into_iter().next();
    let table = first.unwrap_or_else(|| TableName {
        database: "".into(),
        name: "".into(),
    });
    let found = Found::ToVerify {
        table,
        reason: format!("rows of it that both nodes wrote could not be judged: {reason}"),
    };
    Seen::Found(found, None)
}
