//! A copy from its begin to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;
use tokio::task::JoinSet;
use twinlog_row::Hash;
use twinlog_server::{
    conn::{Conn, Error as ConnError},
    dialect::Dialect,
    facts::{ServerFacts, read_dialect},
};

use super::{
    Copied, Counters, Error, Limits,
    cut::cut,
    inventory::Inventory,
    mark::Mark,
    queue::Queue,
    ship::Lane,
    snapshot::{self, Snapshot},
    target::{self, Recipe},
};
use crate::{
    config::Node,
    origin::{Origin, Sameness},
    own_tables,
    site::{Login, Site},
};

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
    let (mark, resumed) = ends.mark().await?;
    let opened = ends.open_files().await?;
    let work = Work {
        site,
        nodes: [source, target],
        limits,
        counters,
        resumed,
    };
    let copied = work.run(&mut ends, &mark).await;
    if opened {
        ends.target.execute("SET GLOBAL local_infile = OFF").await?;
    }
    let copied = copied?;
    // Last of all: from here on the target is what it seems.
    if !mark.was_read_only {
        ends.target.execute("SET GLOBAL read_only = OFF").await?;
    }
    ends.close().await;
    Ok(copied)
}

/// A connection to each node for what is done once.
struct Ends {
    source: Conn,
    target: Conn,
    dialects: [Dialect; 2],
    source_name: String,
}

impl Ends {
    async fn open(site: &Site, source: &Node, target: &Node) -> Result<Self, Error> {
        let source_name = source.name.clone();
        let mut source = connect(site, source).await?;
        let mut target = connect(site, target).await?;
        let dialects = [
            read_dialect(&mut source).await?,
            read_dialect(&mut target).await?,
        ];
        target::writer(&mut target, &dialects[1]).await?;
        Ok(Self {
            source,
            target,
            dialects,
            source_name,
        })
    }

    /// Marks the target and closes it to clients. Returns the mark, and whether a run before this one had set it.
    async fn mark(&mut self) -> Result<(Mark, bool), Error> {
        let facts = ServerFacts::read(&mut self.target).await?;
        let mark = Mark {
            source: self.source_name.clone(),
            end: facts.binlog_end.clone().unwrap_or_default(),
            gtids: facts.logged().replace('\n', ""),
            was_read_only: facts.is_on("read_only"),
        };
        let found = super::read_mark(&mut self.target).await?;
        let mark = mark.set(&mut self.target).await?;
        self.target.execute("SET GLOBAL read_only = ON").await?;
        Ok((mark, found.is_some()))
    }

    /// Lets the target take files from clients; whether it did not before.
    async fn open_files(&mut self) -> Result<bool, Error> {
        let is_open = self.target.value("SELECT @@GLOBAL.local_infile").await?;
        if is_open.as_deref() == Some("1") {
            return Ok(false);
        }
        self.target.execute("SET GLOBAL local_infile = ON").await?;
        Ok(true)
    }

    async fn close(self) {
        self.source.close().await;
        self.target.close().await;
    }
}

/// What is to be done.
struct Work<'a> {
    site: &'a Site,
    /// The source and the target.
    nodes: [&'a Node; 2],
    limits: Limits,
    counters: Arc<Counters>,
    resumed: bool,
}

impl Work<'_> {
    async fn run(&self, ends: &mut Ends, mark: &Mark) -> Result<Copied, Error> {
        let databases = self.site.config.databases.as_deref();
        let mut snapshot = self.snapshot(&ends.dialects[0]).await?;
        let inventory = Inventory::read(&mut ends.source, databases).await?;
        let mut recipes = Vec::new();
        for object in &inventory.objects {
            recipes.push(Recipe::read(&mut ends.source, object).await?);
        }
        let present = match self.resumed {
            true => Inventory::read(&mut ends.target, databases).await?,
            false => Inventory::default(),
        };
        let begun = target::prepare(&mut ends.target, &inventory, &present).await?;
        let tables = inventory.tables.len();
        self.counters.expect(
            tables,
            inventory.tables.iter().map(|table| table.rows).sum(),
        );
        let inventory = self
            .fill(inventory, begun, &mut snapshot, &ends.dialects)
            .await?;
        self.counters.finish();
        for table in &inventory {
            target::add_foreign(&mut ends.target, table).await?;
        }
        target::make_objects(&mut ends.target, &ends.dialects[1], &recipes).await?;
        self.note(ends, mark, &snapshot).await?;
        let [rows, found, bytes] = self.counters.totals();
        Ok(Copied {
            tables,
            rows,
            found,
            bytes,
            locked: snapshot.locked,
        })
    }

    async fn snapshot(&self, dialect: &Dialect) -> Result<Snapshot, Error> {
        let open = async || -> Result<Conn, Error> {
            let mut conn = connect(self.site, self.nodes[0]).await?;
            snapshot::reader(&mut conn, dialect).await?;
            Ok(conn)
        };
        let lock = open().await?;
        let conns = try_join_all((0..self.limits.parallel.max(1)).map(|_| open())).await?;
        Snapshot::open(lock, conns, dialect).await
    }

    /// Copies all rows, the largest tables first.
    async fn fill(
        &self,
        inventory: Inventory,
        begun: Vec<bool>,
        snapshot: &mut Snapshot,
        dialects: &[Dialect; 2],
    ) -> Result<Vec<Arc<super::inventory::Table>>, Error> {
        let tables: Vec<_> = inventory.tables.into_iter().map(Arc::new).collect();
        let mut order: Vec<_> = tables.iter().zip(begun).collect();
        order.sort_by_key(|(table, _)| std::cmp::Reverse(table.bytes));
        let mut queue = Queue::default();
        for (table, begun) in order {
            let spans = cut(&mut snapshot.conns[0], table).await?;
            queue.push(Arc::clone(table), spans, begun);
        }
        let queue = Arc::new(Mutex::new(queue));
        let hash = Hash::of(dialects.each_ref());
        let mut workers = JoinSet::new();
        for source in snapshot.conns.drain(..) {
            let mut target = connect(self.site, self.nodes[1]).await?;
            target::writer(&mut target, &dialects[1]).await?;
            let lane = Lane {
                source,
                target,
                hash,
            };
            workers.spawn(carry(lane, Arc::clone(&queue), Arc::clone(&self.counters)));
        }
        while let Some(ended) = workers.join_next().await {
            match ended {
                Ok(result) => result?,
                // None is aborted while this runs.
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(tables)
    }

    /// Notes on both nodes where the links start: on the target last, which ends its being marked.
    async fn note(&self, ends: &mut Ends, mark: &Mark, snapshot: &Snapshot) -> Result<(), Error> {
        let origin = Origin {
            end: snapshot.end.clone(),
            gtids: snapshot.gtids.clone(),
            sameness: Sameness::Copied,
            secrets_id: String::new(),
        };
        ends.source.execute("SET SESSION sql_log_bin = 0").await?;
        for conn in [&mut ends.source, &mut ends.target] {
            for sql in own_tables::create() {
                conn.execute(&sql.to_string()).await?;
            }
        }
        let [source, target] = self.nodes.map(|node| node.name.as_str());
        let record = origin.record(&self.site.pair_id, source);
        ends.source.execute(&record.to_string()).await?;
        mark.complete(&mut ends.target, &self.site.pair_id, target)
            .await?;
        Ok(())
    }
}

/// Copies stretch after stretch, and makes a table's indexes after its last.
async fn carry(
    mut lane: Lane,
    queue: Arc<Mutex<Queue>>,
    counters: Arc<Counters>,
) -> Result<(), Error> {
    loop {
        let task = locked(&queue).next();
        let Some(task) = task else {
            lane.source.close().await;
            lane.target.close().await;
            return Ok(());
        };
        lane.ship(&task.table, &task.span, task.begun, &counters)
            .await?;
        let is_last = locked(&queue).done(&task);
        if is_last {
            target::add_indexes(&mut lane.target, &task.table).await?;
            counters.ended_table();
        }
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connect(site: &Site, node: &Node) -> Result<Conn, ConnError> {
    site.connect(node, Login::Admin, site.patience()).await
}
