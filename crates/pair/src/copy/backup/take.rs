//! A backup from its begin to its end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::task::JoinSet;
use twinlog_row::Span;
use twinlog_server::{
    conn::Conn,
    facts::{Membership, ServerFacts, read_dialect},
};
use uuid::Uuid;

use super::{
    Error, Sink, blocking, file,
    manifest::{FORMAT, MANIFEST, Manifest, Position, Program, SavedTable},
    part::{Lines, Part, Sums, checksum},
};
use crate::{
    copy::{
        Counters, Error as CopyError, Limits,
        cut::cut,
        definitions::Definitions,
        ends::connect,
        field,
        inventory::{Kind, Table},
        queue::{Queue, Task},
        read_mark,
        snapshot::{self, BEGIN_STRETCH, END_STRETCH, Snapshot},
        work::{all_ended, locked},
    },
    site::Site,
};

/// After so many bytes it is said how far it is.
const TOLD_BYTES: usize = 128 << 10;

/// What a backup came to.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its name.
    pub id: String,
    /// How many tables of users there are.
    pub tables: usize,
    /// How many rows.
    pub rows: u64,
    /// How long the rows are.
    pub bytes: u64,
    /// How long their files are.
    pub stored_bytes: u64,
    /// Where the node stood.
    pub position: Position,
    /// For how long nobody could commit on it.
    pub locked: Duration,
}

/// Writes all of a node's data to a sink, as they are at one moment, while clients write on. `program` is the version of
/// the twinlog that does.
///
/// # Errors
/// What kept it from being whole: the sink is then not complete.
pub async fn backup(
    site: &Site,
    node: usize,
    sink: Sink,
    program: &str,
    limits: Limits,
    counters: Arc<Counters>,
) -> Result<Taken, Error> {
    let node = site.nodes()[node];
    let mut conn = connect(site, node).await?;
    let dialect = read_dialect(&mut conn).await?;
    snapshot::reader(&mut conn, &dialect).await?;
    let databases = site.config.databases.as_deref();
    let before = Definitions::read(&mut conn, databases, &dialect).await?;
    refuse_half(site, &mut conn, &node.name).await?;
    let mut obstacles = before.inventory.obstacles();
    obstacles.extend(before.broken_views(&mut conn).await?);
    if !obstacles.is_empty() {
        return Err(CopyError::Obstacles(obstacles).into());
    }
    let mut snapshot = Snapshot::of(site, node, &dialect, limits).await?;
    let taken_at = jiff::Timestamp::now();
    let sink = Arc::new(sink);
    let work = Work {
        sink: Arc::clone(&sink),
        counters: Arc::clone(&counters),
    };
    let tables = work.rows(&before, &mut snapshot).await?;
    counters.finish();
    let programs = programs(&mut conn, &before).await?;
    refuse_half(site, &mut conn, &node.name).await?;
    // Rows were read by the names that tables have now.
    let now = Definitions::read(&mut conn, databases, &dialect).await?;
    let changed = now.changed_since(&before);
    if !changed.is_empty() {
        let table = Vec::from_iter(changed).join(", ");
        return Err(CopyError::Altered { table }.into());
    }
    let manifest = Manifest {
        format: FORMAT,
        twinlog: program.to_owned(),
        id: format!(
            "{}-{}",
            taken_at.strftime("%Y%m%dT%H%M%SZ"),
            &Uuid::new_v4().simple().to_string()[..8]
        ),
        taken_at: taken_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        pair: site.config.name.clone(),
        node: node.name.clone(),
        server: version(&mut conn).await?,
        position: Position::of(&snapshot),
        databases: before.inventory.databases,
        tables,
        programs,
    };
    conn.close().await;
    let taken = Taken {
        id: manifest.id.clone(),
        tables: manifest.tables(),
        rows: manifest.rows(),
        bytes: manifest.parts().map(|part| part.bytes).sum(),
        stored_bytes: manifest.stored_bytes(),
        position: manifest.position.clone(),
        locked: snapshot.locked,
    };
    blocking(move || end(&sink, &manifest)).await?;
    Ok(taken)
}

/// A node that is being copied or restored to is not what it seems.
async fn refuse_half(site: &Site, conn: &mut Conn, node: &str) -> Result<(), Error> {
    // One that a CLONE has emptied says nothing of itself.
    let facts = ServerFacts::read(conn).await?;
    let is_ours = |member: &Membership| member.pair_id == site.pair_id && member.node == node;
    let is_node = facts.membership.as_ref().is_some_and(is_ours);
    match read_mark(conn).await? {
        None if !is_node => Err(Error::NoPair(node.to_owned())),
        None => Ok(()),
        Some(mark) => Err(Error::Half {
            node: node.to_owned(),
            of: mark.source.to_string(),
        }),
    }
}

/// Writes what comes last.
fn end(sink: &Sink, manifest: &Manifest) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::File {
        path: MANIFEST.into(),
        source: error.into(),
    })?;
    sink.put(MANIFEST, &text)?;
    sink.complete(&checksum(&text))
}

/// The version as the server names it.
async fn version(conn: &mut Conn) -> Result<String, Error> {
    Ok(conn.value("SELECT VERSION()").await?.unwrap_or_default())
}

/// How everything but tables is made.
async fn programs(conn: &mut Conn, definitions: &Definitions) -> Result<Vec<Program>, Error> {
    let mut programs = Vec::new();
    for recipe in &definitions.recipes {
        let next = match recipe.object.kind {
            Kind::Sequence => {
                let name = recipe.object.sql_name();
                let sql = format!("SELECT next_not_cached_value FROM {name}");
                conn.value(&sql).await?
            }
            _ => None,
        };
        programs.push(Program {
            recipe: recipe.clone(),
            next,
        });
    }
    Ok(programs)
}

/// What is to be done.
struct Work {
    sink: Arc<Sink>,
    counters: Arc<Counters>,
}

impl Work {
    /// Writes all rows, the largest tables first.
    async fn rows(
        &self,
        definitions: &Definitions,
        snapshot: &mut Snapshot,
    ) -> Result<Vec<SavedTable>, Error> {
        let mut tables = definitions.inventory.tables.clone();
        tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
        let rows = tables.iter().map(|table| table.rows).sum();
        self.counters.expect(tables.len(), rows);
        let mut queue = Queue::new(false);
        for table in &tables {
            let conn = &mut snapshot.conns[0];
            conn.execute(BEGIN_STRETCH).await?;
            let spans = cut(conn, table).await?;
            conn.execute(END_STRETCH).await?;
            queue.push(Arc::clone(table), spans);
        }
        let queue = Arc::new(Mutex::new(queue));
        let number = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for conn in snapshot.conns.drain(..) {
            let lane = Lane {
                conn,
                sink: Arc::clone(&self.sink),
                counters: Arc::clone(&self.counters),
                number: Arc::clone(&number),
            };
            workers.spawn(lane.carry(Arc::clone(&queue)));
        }
        let mut parts: Vec<Vec<Written>> = tables.iter().map(|_| Vec::new()).collect();
        for written in all_ended(workers).await?.into_iter().flatten() {
            parts[written.place].push(written);
        }
        let tables = tables.iter().zip(parts);
        Ok(tables.map(|(table, parts)| saved(table, parts)).collect())
    }
}

fn saved(table: &Table, mut written: Vec<Written>) -> SavedTable {
    // As they were numbered, which is nearly the order of their keys.
    written.sort_by(|one, other| one.part.file.cmp(&other.part.file));
    let mut sums = Sums::default();
    written.iter().for_each(|written| sums.add(written.sums));
    SavedTable {
        database: table.info.name.database.to_string(),
        name: table.info.name.name.to_string(),
        definition: table.parts.clone(),
        load: field::load(&table.info),
        columns: field::selected(&table.info),
        rows: sums.all.rows,
        bytes: table.bytes,
        sum: sums.all.digits(),
        documents: field::documents(&table.info),
        plain_sum: sums.plain.digits(),
        parts: written.into_iter().map(|written| written.part).collect(),
    }
}

/// A connection that sees the snapshot, and where its rows go.
struct Lane {
    conn: Conn,
    sink: Arc<Sink>,
    counters: Arc<Counters>,
    /// How many files there are.
    number: Arc<AtomicU64>,
}

impl Lane {
    /// Writes stretch after stretch.
    async fn carry(mut self, queue: Arc<Mutex<Queue<Span>>>) -> Result<Vec<Written>, Error> {
        let mut written = Vec::new();
        loop {
            let task = locked(&queue).next();
            let Some(task) = task else {
                self.conn.close().await;
                return Ok(written);
            };
            self.conn.execute(BEGIN_STRETCH).await?;
            self.write(&task, &mut written).await?;
            self.conn.execute(END_STRETCH).await?;
            if locked(&queue).done(&task) {
                self.counters.ended_table();
            }
        }
    }

    async fn write(&mut self, task: &Task<Span>, written: &mut Vec<Written>) -> Result<(), Error> {
        let info = &task.table.info;
        let of_source = |error| Error::from(CopyError::of_source(error, info));
        let select = task
            .piece
            .select(info, &field::selected(info), None)
            .map_err(CopyError::from)?;
        let mut rows = self.conn.fetch(&select).await.map_err(of_source)?;
        let mut lines = Lines::new(&field::documents(info));
        let mut told = (0, 0);
        loop {
            let row = rows.next().await.map_err(of_source)?;
            if let Some(row) = &row {
                lines.push(row);
            }
            let is_end = row.is_none();
            if is_end || lines.is_full() || lines.text.len() - told.1 >= TOLD_BYTES {
                let (rows, bytes) = (lines.sums.all.rows - told.0, lines.text.len() - told.1);
                self.counters.copied(rows, bytes as u64).await;
                told = (lines.sums.all.rows, lines.text.len());
            }
            if lines.sums.all.rows > 0 && (is_end || lines.is_full()) {
                let number = self.number.fetch_add(1, Relaxed);
                let file = format!("rows/{:04}-{number:08}.tsv.zst", task.place);
                let next = Lines::new(&field::documents(info));
                let lines = std::mem::replace(&mut lines, next);
                told = (0, 0);
                written.push(put(&self.sink, task.place, file, lines).await?);
            }
            if is_end {
                return Ok(());
            }
        }
    }
}

/// A part that was written.
#[derive(Debug)]
struct Written {
    /// The table's number.
    place: usize,
    sums: Sums,
    part: Part,
}

/// Compresses lines and writes them.
async fn put(sink: &Arc<Sink>, place: usize, name: String, lines: Lines) -> Result<Written, Error> {
    let sink = Arc::clone(sink);
    blocking(move || {
        let stored = lines.pack().map_err(file(&name))?;
        sink.put(&name, &stored)?;
        Ok(Written {
            place,
            sums: lines.sums,
            part: Part {
                rows: lines.sums.all.rows,
                bytes: lines.text.len() as u64,
                stored_bytes: stored.len() as u64,
                checksum: checksum(&stored),
                file: name,
            },
        })
    })
    .await
}
