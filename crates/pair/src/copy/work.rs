//! A copy from its begin to its end.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Copied, Counters, Error, Limits, accounts,
    cut::cut,
    definitions::Definitions,
    ends::{Ends, connect},
    queue::Queue,
    ship::{Lane, Stretch},
    snapshot::{BEGIN_STRETCH, END_STRETCH, Snapshot},
    target,
};
use crate::{config::Node, site::Site};
use tokio::task::JoinSet;
use twinlog_row::Hash;

/// Copies all of one node's data onto the other, and notes on both where their links are to start.
///
/// # Errors
/// Where it is not whole: the next one goes on.
pub async fn copy(
    site: &Site,
    from: usize,
    limits: Limits,
    counters: Arc<Counters>,
) -> Result<Copied, Error> {
    let [source, target] = [from, 1 - from].map(|index| site.nodes()[index]);
    let mut ends = Ends::open(site, source, target).await?;
    let work = Work {
        site,
        nodes: [source, target],
        limits,
        counters,
    };
    let copied = work.run(&mut ends).await?;
    ends.close().await;
    Ok(copied)
}

/// Whether all of a node's data could be copied to the other as they are, whatever the other has. Nothing is changed.
///
/// # Errors
/// What stands in the way.
pub(crate) async fn check(site: &Site, from: usize) -> Result<(), Error> {
    let [source, target] = [from, 1 - from].map(|index| site.nodes()[index]);
    let mut ends = Ends::open(site, source, target).await?;
    let databases = site.config.databases.as_deref();
    let definitions = ends.definitions(databases).await?;
    ends.check_source(&definitions).await?;
    ends.check_prepared().await?;
    ends.close().await;
    Ok(())
}

/// What is to be done.
struct Work<'a> {
    site: &'a Site,
    /// The source and the target.
    nodes: [&'a Node; 2],
    limits: Limits,
    counters: Arc<Counters>,
}

impl Work<'_> {
    async fn run(&self, ends: &mut Ends) -> Result<Copied, Error> {
        let databases = self.site.config.databases.as_deref();
        let before = ends.definitions(databases).await?;
        ends.check(databases, &before).await?;
        let asked = self.limits.accounts || ends.asks_for_accounts().await?;
        let accounts = ends.accounts(asked).await?;
        let mut snapshot =
            Snapshot::of(self.site, self.nodes[0], ends.dialects()[0], self.limits).await?;
        let (mark, present, made) = ends.mark(databases, &self.nodes[0].name, &before).await?;
        if asked {
            accounts::ask(ends.target()).await?;
        }
        if ends.accounts(asked).await? != accounts {
            return Err(Error::Altered {
                table: "an account".into(),
            });
        }
        let begun = target::prepare(ends.target(), &before, &present, &made).await?;
        self.fill(&before, begun, &mut snapshot, ends).await?;
        self.counters.finish();
        // Rows were read by the names that tables have now.
        let changed = ends.definitions(databases).await?.changed_since(&before);
        if !changed.is_empty() {
            return Err(Error::Altered {
                table: Vec::from_iter(changed).join(", "),
            });
        }
        ends.finish(&before).await?;
        let accounts = ends.make_accounts(accounts).await?;
        ends.note(self.site, self.nodes, &mark, &snapshot).await?;
        let [rows, found, bytes] = self.counters.totals();
        Ok(Copied {
            tables: before.inventory.users_tables(),
            rows,
            found,
            bytes,
            locked: snapshot.locked,
            changed: self.counters.all_changed(),
            accounts,
        })
    }

    /// Copies all rows, the largest tables first.
    async fn fill(
        &self,
        definitions: &Definitions,
        begun: Vec<bool>,
        snapshot: &mut Snapshot,
        ends: &mut Ends,
    ) -> Result<(), Error> {
        let tables = &definitions.inventory.tables;
        let rows = tables.iter().map(|table| table.rows).sum();
        self.counters.expect(tables.len(), rows);
        let mut order: Vec<_> = tables.iter().zip(begun).collect();
        order.sort_by_key(|(table, _)| Reverse(table.bytes));
        let mut queue = Queue::new(target::locks_counters(ends.target()).await?);
        for (table, begun) in order {
            let conn = &mut snapshot.conns[0];
            conn.execute(BEGIN_STRETCH).await?;
            let spans = cut(conn, table).await?;
            conn.execute(END_STRETCH).await?;
            let stretches = spans.into_iter().map(|span| Stretch { span, begun });
            queue.push(Arc::clone(table), stretches);
        }
        let queue = Arc::new(Mutex::new(queue));
        let dialects = ends.dialects();
        let hash = Hash::of(dialects);
        let mut workers = JoinSet::new();
        for source in snapshot.conns.drain(..) {
            let mut target = connect(self.site, self.nodes[1]).await?;
            target::writer(&mut target, dialects).await?;
            let lane = Lane {
                source,
                target,
                hash,
            };
            workers.spawn(carry(lane, Arc::clone(&queue), Arc::clone(&self.counters)));
        }
        all_ended(workers).await?;
        Ok(())
    }
}

/// Waits for all of them, or for the first that fails.
pub(super) async fn all_ended<T: 'static, E: 'static>(
    mut workers: JoinSet<Result<T, E>>,
) -> Result<Vec<T>, E> {
    let mut all = Vec::new();
    while let Some(ended) = workers.join_next().await {
        match ended {
            Ok(result) => all.push(result?),
            // None is aborted while this runs.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(all)
}

/// Copies stretch after stretch, and makes a table's indexes after its last.
async fn carry(
    mut lane: Lane,
    queue: Arc<Mutex<Queue<Stretch>>>,
    counters: Arc<Counters>,
) -> Result<(), Error> {
    loop {
        let task = locked(&queue).next();
        let Some(task) = task else {
            lane.source.close().await;
            lane.target.close().await;
            return Ok(());
        };
        lane.ship(&task, &counters).await?;
        let is_last = locked(&queue).done(&task);
        if is_last {
            target::add_indexes(&mut lane.target, &task.table).await?;
            counters.ended_table();
        }
    }
}

pub(super) fn locked<P>(queue: &Mutex<Queue<P>>) -> MutexGuard<'_, Queue<P>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
