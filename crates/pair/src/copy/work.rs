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
    mark::{self, Mark},
    queue::Queue,
    run_all,
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

/// What a target must be set to.
const OPENED: [&str; 2] = ["SET GLOBAL read_only = ON", "SET GLOBAL local_infile = ON"];

/// A connection to each node for what is done once.
struct Ends {
    source: Conn,
    target: Conn,
    dialects: [Dialect; 2],
}

impl Ends {
    async fn open(site: &Site, source: &Node, target: &Node) -> Result<Self, Error> {
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
        })
    }

    /// Marks the target, closes it to clients and lets it take files. Returns the mark, which a run before this one may have
    /// set, and what the target has.
    async fn mark(&mut self, site: &Site, source: &str) -> Result<(Mark, Inventory), Error> {
        let found = super::read_mark(&mut self.target).await?;
        let mark = match &found {
            Some(mark) => mark.clone(),
            None => self.set_mark(source).await?,
        };
        run_all(&mut self.target, OPENED).await?;
        let databases = site.config.databases.as_deref();
        let present = Inventory::read(&mut self.target, databases).await?;
        let made = mark::made(&mut self.target).await?;
        let strange = present.not_among(&made);
        if strange.is_empty() {
            return Ok((mark, present));
        }
        if found.is_none() {
            self.restore(&mark).await?;
            Mark::take_back(&mut self.target).await?;
        }
        Err(Error::Strange(strange))
    }

    async fn set_mark(&mut self, source: &str) -> Result<Mark, Error> {
        let facts = ServerFacts::read(&mut self.target).await?;
        let mark = Mark {
            source: source.to_owned(),
            end: facts.binlog_end.clone().unwrap_or_default(),
            gtids: facts.logged().replace('\n', ""),
            was_read_only: facts.is_on("read_only"),
            took_files: facts.is_on("local_infile"),
        };
        mark.set(&mut self.target).await?;
        Ok(mark)
    }

    /// Makes the target's settings what they were.
    async fn restore(&mut self, mark: &Mark) -> Result<(), ConnError> {
        if !mark.took_files {
            self.target.execute("SET GLOBAL local_infile = OFF").await?;
        }
        if !mark.was_read_only {
            self.target.execute("SET GLOBAL read_only = OFF").await?;
        }
        Ok(())
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
}

impl Work<'_> {
    async fn run(&self, ends: &mut Ends) -> Result<Copied, Error> {
        let databases = self.site.config.databases.as_deref();
        let mut snapshot = self.snapshot(&ends.dialects[0]).await?;
        let inventory = Inventory::read(&mut ends.source, databases).await?;
        let mut recipes = Vec::new();
        for object in &inventory.objects {
            recipes.push(Recipe::read(&mut ends.source, object).await?);
        }
        inventory.check()?;
        let (mark, present) = ends.mark(self.site, &self.nodes[0].name).await?;
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
        ends.restore(&mark).await?;
        self.note(ends, &mark, &snapshot).await?;
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
