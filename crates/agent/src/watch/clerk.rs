//! Who settles verdicts, one at a time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};
use twinlog_binlog::Gtid;
use twinlog_converge::{Decision, Episode, Policy, Side, TableName, Verdict, decide};
use twinlog_pair::config::{self, Conflicts};

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
    resolve::{self, Draft, Judged, Leadership, Settled, Watched},
    row::TableInfo,
};

/// How often rows that clients write while they are repaired are looked at again.
const LOOKS_MAX: u32 = 20;

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

    async fn episode(
        &mut self,
        job: &Job,
        episode: &Episode,
        mut half: Option<Half>,
    ) -> Result<Seen, Error> {
        let kept = job.kept;
        let mut watchman = Watchman::new(self.to.clone(), job.number);
        let Some(mut tables) = self.infos_by_now(&watchman, episode.tables()).await? else {
            return Ok(Seen::Written(half));
        };
        if let Some(gone) = episode
            .tables()
            .into_iter()
            .find(|name| !tables.contains_key(name))
        {
            tracing::info!(
                "{gone} was dropped since clients of both nodes wrote the same rows of it"
            );
            return Ok(Seen::Found(Found::Dropped, half));
        }
        let (policies, policy) = self.policies(episode, &tables);
        let server_ids = self.nodes.each_ref().map(|node| node.server_id);
        let mut decision = match job.doubt {
            None => decide(episode, &policies, server_ids),
            Some(reason) => Decision {
                rows: None,
                chosen: None,
                rule: reason.to_owned(),
            },
        };
        let mut judged = Judged::new(episode, &decision, &tables)?;
        if judged.aged {
            decision.rule += "; the table's definition has changed since";
        }
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let mut left: BTreeSet<usize> = (0..judged.rows.len()).collect();
        // Whether all rows are taken from one node, with those that were in the way.
        let mut whole = false;
        let mut reason =
            format!("clients changed its rows {LOOKS_MAX} times while they were looked at");
        for _ in 0..LOOKS_MAX {
            let touches = self.ask(&mut watchman, &mut judged, &left).await?;
            let Some(touched) = touches.map(|touches| touches.rows) else {
                return Ok(Seen::Written(half));
            };
            if kept && !whole && !touched.is_empty() {
                return Ok(Seen::Written(half));
            }
            if !whole {
                left.retain(|row| !touched.contains(row));
                for row in judged.of_others() {
                    left.remove(&row);
                }
            }
            let draft = self
                .draft(episode, &decision, &judged, &tables, &policy)
                .await?;
            let rows = judged.only(&left);
            let mut settled = Settled::Quiet;
            if !rows.rows.is_empty() {
                watchman.own = Some(draft.id().to_owned());
                let (leadership, draft) = (&mut self.leadership, draft.clone());
                let eyes: Watched<'_> = Some(&mut watchman);
                settled = resolve::settle(leadership, &rows, draft, now_us(), eyes).await?;
            }
            // Of the rows that are left nothing is to be said, but others were written since.
            if settled == Settled::Quiet && left.len() < judged.rows.len() {
                settled = resolve::supersede(&mut self.leadership, &draft, now_us()).await?;
            }
            let with_id = |half: Option<Side>| half.map(|side| (draft.id().to_owned(), side));
            match settled {
                Settled::Changed { half: done, .. } => {
                    half = with_id(done).or(half);
                    judged.forget();
                    continue;
                }
                Settled::Busy { half: done, .. } => half = with_id(done).or(half),
                Settled::Blocked {
                    side,
                    reason: why,
                    half: done,
                } => {
                    half = with_id(done).or(half);
                    let from = decision.chosen.unwrap_or(side.peer());
                    tables.extend(self.infos(resolve::related(&rows)).await?);
                    let others =
                        resolve::in_the_way(self.leadership.hands(side), &rows, side, &tables)
                            .await?;
                    let new = judged.take_whole(from, others);
                    reason = why;
                    if !new && whole {
                        break;
                    }
                    if !whole {
                        let name = &names[from.index()];
                        decision.rule =
                            format!("{}; all rows as {name} holds them: {reason}", decision.rule);
                        decision.chosen = Some(from);
                        whole = true;
                    }
                    left = (0..judged.rows.len()).collect();
                    continue;
                }
                _ => half = self.close(half, &draft, settled == Settled::Quiet).await?,
            }
            let found = found(episode, &draft, decision.rule, settled);
            return Ok(Seen::Found(found, half));
        }
        let draft = self
            .draft(episode, &decision, &judged, &tables, &policy)
            .await?;
        let half = self.close(half, &draft, false).await?;
        let settled =
            resolve::leave_open(&mut self.leadership, draft.clone(), reason, now_us()).await?;
        let found = found(episode, &draft, decision.rule, settled);
        Ok(Seen::Found(found, half))
    }

    /// Where one half of a repair has left another row of the history open than that which is written now, or none is
    /// written, it is closed.
    async fn close(
        &mut self,
        half: Option<Half>,
        draft: &resolve::Draft,
        quiet: bool,
    ) -> Result<Option<Half>, Error> {
        if let Some((id, side)) = half.filter(|(id, _)| quiet || id != draft.id()) {
            history::supersede(self.leadership.hand(side).conn(), &id, now_us()).await?;
        }
        Ok(None)
    }

    /// The episode as a row of the history, under its id there.
    async fn draft(
        &mut self,
        episode: &Episode,
        decision: &Decision,
        judged: &Judged,
        tables: &resolve::Tables,
        policy: &str,
    ) -> Result<Draft, Error> {
        let names = self.nodes.each_ref().map(|node| node.name.clone());
        let mut draft =
            resolve::draft(episode, decision, judged, tables, policy, &names, now_us())?;
        draft.identify(&mut self.leadership).await?;
        Ok(draft)
    }

    /// Reads what is not known of the rows, and waits until both logs were read to where they ended after that; says
    /// what of them was written since the verdict; `None` where another has taken its place.
    async fn ask(
        &mut self,
        watchman: &mut Watchman,
        judged: &mut Judged,
        left: &BTreeSet<usize>,
    ) -> Result<Option<Touches>, Error> {
        let mut asked = false;
        for side in Side::BOTH {
            if judged.unknown(side).any(|row| left.contains(&row)) {
                asked = true;
                judged.ask(side, self.leadership.hand(side).conn()).await?;
            }
        }
        if !asked {
            return Ok(Some(Touches::default()));
        }
        let touches = self.catch_up(watchman).await?;
        watchman.accepted = touches.as_ref().map_or(0, |touches| touches.count);
        Ok(touches)
    }

    /// Waits until both logs were read to where they end now; what of the verdict's rows was written until then.
    async fn catch_up(&mut self, watchman: &Watchman) -> Result<Option<Touches>, Error> {
        let a = self.leadership.hand(Side::A).log_end().await?;
        let b = self.leadership.hand(Side::B).log_end().await?;
        Ok(watchman.ask([a, b]).await)
    }

    /// As [`Self::infos`], of what has another name by now, too; `None` where another verdict has taken the place of this
    /// one.
    async fn infos_by_now(
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

    async fn infos(&mut self, names: Vec<TableName>) -> Result<resolve::Tables, Error> {
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

    /// Each row's policy, and the name of the first one's.
    fn policies(&self, episode: &Episode, tables: &resolve::Tables) -> (Vec<Policy>, String) {
        let of = |table: &TableName| self.conflicts.policy_of(&table.database, &table.name);
        let policies = episode.rows.iter().map(|row| {
            let (policy, counters) = of(&row.table);
            self.policy(policy, counters, tables.get(&row.table).map(|info| &**info))
        });
        let name = episode.rows.first().map(|row| of(&row.table).0.to_string());
        (policies.collect(), name.unwrap_or_default())
    }

    fn policy(
        &self,
        policy: &config::Policy,
        counters: &[String],
        table: Option<&TableInfo>,
    ) -> Policy {
        match policy {
            config::Policy::LastWriteWins => Policy::LastWriteWins,
            config::Policy::FirstWriteWins => Policy::FirstWriteWins,
            config::Policy::Prefer(name) => {
                let is_a = self.nodes[Side::A.index()].name == *name;
                Policy::Prefer(if is_a { Side::A } else { Side::B })
            }
            config::Policy::Merge => {
                let position = |counter: &String| {
                    let columns = &table?.columns;
                    // A column's name is the same in any case, on all servers.
                    let counter = counter.to_lowercase();
                    columns
                        .iter()
                        .position(|column| column.name.to_lowercase() == counter)
                };
                Policy::Merge {
                    counters: counters.iter().filter_map(position).collect(),
                }
            }
            config::Policy::Manual => Policy::Manual,
        }
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

fn found(episode: &Episode, draft: &resolve::Draft, rule: String, settled: Settled) -> Found {
    Found::Rows {
        row: draft.row(),
        id: draft.id().to_owned(),
        conflict: episode.is_conflict(),
        rule,
        settled,
    }
}
