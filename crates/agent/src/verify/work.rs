//! The comparison from its begin to its end.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, sleep},
};
use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_pair::site::Site;
use twinlog_server::conn;

use super::{
    Error, Options, Progress, Report,
    chunk::{self, Suspect},
    cutter::{Chunk, Cutter},
    found::Found,
    hands::Hands,
    hash::Hash,
    heap, judge,
    pace::Pace,
    scope::{self, Scope},
    span::Span,
    table::Table,
};
use crate::row::{Row, RowError, TableInfo};

/// Suspects of so many stretches may wait to be judged.
const QUEUE: usize = 4;
/// So many rows that differ are looked at once more at a time, with their values in memory.
const LAST_ROWS: usize = 1000;
/// So much of their values is kept for the report; then long ones are left out.
const KEPT_BYTES_MAX: usize = 64 << 20;
const LONG_BYTES: usize = 64;

/// Compares both nodes.
///
/// # Errors
/// Where it could come to no end. What was found until then is lost with it.
pub async fn verify(
    site: &Site,
    options: &Options,
    progress: Arc<Progress>,
) -> Result<Report, Error> {
    let started_at = Timestamp::now();
    let began = Instant::now();
    let mut hands = Hands::open(site).await?;
    let scope = scope::read(site, &mut hands, options).await?;
    let tables = load(&mut hands, &scope, options).await?;
    progress.expect(
        tables.len(),
        tables.iter().map(|table| table.size.rows).sum(),
    );
    let found = walk(site, options, &progress, hands, &tables).await?;
    let report = Report {
        name: site.config.name.clone(),
        nodes: site.nodes().map(|node| node.name.clone()),
        equal: false,
        started_at: started_at.to_string(),
        seconds: began.elapsed().as_secs_f64(),
        schema: scope.differences,
        tables: Vec::new(),
        rows: Vec::new(),
        mended: found.mended,
    };
    Ok(found.into_report(report, &tables, &scope.incomparable))
}

/// The tables' definitions, from the first node.
async fn load(
    hands: &mut Hands,
    scope: &Scope,
    options: &Options,
) -> Result<Vec<Arc<Table>>, Error> {
    let hash = Hash::of(hands.dialects());
    let mut tables = Vec::new();
    for name in &scope.tables {
        let info = match TableInfo::load(hands.conn(Side::A), name).await {
            Ok(info) => info,
            // It was dropped a moment ago.
            Err(RowError::NoTable { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let size = scope.sizes.get(name).copied().unwrap_or_default();
        let table = Table::new(info, size, hash, options.only.clone());
        if options.only.is_some() {
            try_condition(hands, &table).await?;
        }
        tables.push(Arc::new(table));
    }
    Ok(tables)
}

/// Whether the user's condition is one of this table.
async fn try_condition(hands: &mut Hands, table: &Table) -> Result<(), Error> {
    match hands.one(Side::A, &table.none_sql()?).await {
        Err(Error::Server(source @ conn::Error::Statement { .. })) => Err(Error::Condition {
            table: table.info.name.to_string(),
            source: Box::new(source),
        }),
        other => other.map(drop),
    }
}

/// Walks all tables with as many workers as are wanted, and judges beside them what they find.
async fn walk(
    site: &Site,
    options: &Options,
    progress: &Arc<Progress>,
    hands: Hands,
    tables: &[Arc<Table>],
) -> Result<Found, Error> {
    let pace = Pace::new(options.limits.clone());
    let cutter = Cutter::new(hands, tables.to_vec(), pace, Arc::clone(progress));
    let cutter = Arc::new(Mutex::new(cutter));
    let (send, suspects) = mpsc::channel(QUEUE);
    let mut tasks = JoinSet::new();
    for _ in 0..options.limits.parallel.max(1) {
        let worker = Worker {
            hands: Hands::open(site).await?,
            cutter: Arc::clone(&cutter),
            suspects: send.clone(),
            progress: Arc::clone(progress),
            rows_max: options.rows_max,
        };
        tasks.spawn(worker.run());
    }
    drop(send);
    let judge = Hands::open(site).await?;
    tasks.spawn(judge_all(
        judge,
        suspects,
        Arc::clone(progress),
        options.rows_max,
    ));
    let mut found = Found::default();
    while let Some(ended) = tasks.join_next().await {
        let part = match ended {
            Ok(part) => part?,
            // It is not aborted while this runs.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        found.differ.extend(part.differ);
        found.unknown.extend(part.unknown);
        found.surplus.extend(part.surplus);
        found.restless.extend(part.restless);
        found.mended += part.mended;
    }
    if let Some(cutter) = Arc::into_inner(cutter) {
        cutter.into_inner().close().await;
    }
    Ok(found)
}

/// Compares one stretch after the other.
struct Worker {
    hands: Hands,
    cutter: Arc<Mutex<Cutter>>,
    suspects: mpsc::Sender<Vec<Suspect>>,
    progress: Arc<Progress>,
    rows_max: u64,
}

impl Worker {
    async fn run(mut self) -> Result<Found, Error> {
        let mut found = Found::default();
        loop {
            let chunk = self.cutter.lock().await.next().await?;
            let Some(Chunk { table, span }) = chunk else {
                self.hands.close().await;
                return Ok(found);
            };
            let began = Instant::now();
            let compared = self.compare(&table, span, &mut found).await;
            let rows = table.tally.survive(compared)?.unwrap_or_default();
            let took = began.elapsed();
            let most = rows.into_iter().max().unwrap_or_default();
            self.progress.compared(most);
            if table.tally.end(rows) {
                self.progress.ended_table();
            }
            self.cutter.lock().await.took(&table, most, took);
            sleep(took * self.progress.rest()).await;
        }
    }

    /// Compares one stretch; how many rows each node has there.
    async fn compare(
        &mut self,
        table: &Arc<Table>,
        span: Span,
        found: &mut Found,
    ) -> Result<[u64; 2], Error> {
        if table.has_key() {
            let compared = chunk::compare(&mut self.hands, table, span).await?;
            self.hand_on(compared.suspects).await;
            return Ok(compared.rows);
        }
        let compared = heap::compare(&mut self.hands, table, self.rows_max).await?;
        if compared.restless {
            found.restless.push(Arc::clone(table));
        }
        let surplus = compared.surplus.into_iter();
        found
            .surplus
            .extend(surplus.map(|one| (Arc::clone(table), one)));
        Ok(compared.rows)
    }

    async fn hand_on(&self, suspects: Vec<Suspect>) {
        if !suspects.is_empty() {
            self.progress.suspect(suspects.len() as u64);
            // The judge has ended only with an error, which is said.
            let _ = self.suspects.send(suspects).await;
        }
    }
}

/// Judges what the workers find; at the end once more what differs.
async fn judge_all(
    mut hands: Hands,
    mut suspects: mpsc::Receiver<Vec<Suspect>>,
    progress: Arc<Progress>,
    rows_max: u64,
) -> Result<Found, Error> {
    let (mut found, mut differ) = (Found::default(), Vec::new());
    while let Some(batch) = suspects.recv().await {
        let count = batch.len() as u64;
        let judged = judge::judge(&mut hands, batch, Some(rows_max)).await?;
        progress.judged(count, judged.differ.len() as u64);
        // What they hold is read again at the end.
        differ.extend(judged.differ.into_iter().map(|(suspect, _)| Suspect {
            tries: 0,
            ..suspect
        }));
        found.unknown.extend(judged.unknown);
    }
    let mut kept = 0;
    for batch in differ.chunks(LAST_ROWS) {
        let last = judge::judge(&mut hands, batch.to_vec(), None).await?;
        found.mended += last.equal.len() as u64;
        found.unknown.extend(last.unknown);
        for (suspect, mut rows) in last.differ {
            lighten(&mut rows, &mut kept);
            found.differ.push((suspect, rows));
        }
    }
    hands.close().await;
    Ok(found)
}

/// Leaves long values out, once what is kept for the report is much.
fn lighten(rows: &mut [Option<Row>; 2], kept: &mut usize) {
    for value in rows.iter_mut().flatten().flatten() {
        let (Value::Bytes(bytes) | Value::Geometry(bytes)) = value else {
            continue;
        };
        if bytes.len() > LONG_BYTES && *kept + bytes.len() > KEPT_BYTES_MAX {
            *value = Value::Absent;
        } else {
            *kept += bytes.len();
        }
    }
}
