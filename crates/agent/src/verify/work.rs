//! The comparison from its begin to its end.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, sleep},
};
use twinlog_binlog::Value;
use twinlog_converge::Side;
use twinlog_pair::{config::Mode, site::Site};
use twinlog_server::{conn, facts::ServerFacts};

use super::{
    Error, Limits, Options, Progress, Report,
    bookmark::{self, Keeper, Left},
    chunk::{self, Chunk, Suspect},
    cutter::Cutter,
    found::Found,
    hands::Hands,
    heap,
    judge::Judge,
    lookup::Lookup,
    pace::Pace,
    parts::Parts,
    scope::{self, Scope},
    since::{self, Written},
    table::Table,
};
use twinlog_row::{Hash, RowError, TableInfo};

/// So many parts of suspects may wait to be judged, each of so many rows.
const QUEUE: usize = 4;
const PART_ROWS: usize = 1000;

/// When the run was begun that this one would go on with, because it was cut off.
pub fn cut_off(site: &Site, options: &Options) -> Option<Timestamp> {
    left(site, options).map(|left| left.started_at)
}

fn left(site: &Site, options: &Options) -> Option<Left> {
    let path = bookmark::path(site, options);
    let is_kept = !options.anew && options.since.is_none();
    bookmark::left(&path, &site.pair_id).filter(|_| is_kept)
}

/// Compares both nodes.
///
/// # Errors
/// Where it could come to no end: the next one goes on from there.
pub async fn verify(
    site: &Site,
    options: &Options,
    progress: Arc<Progress>,
) -> Result<Report, Error> {
    let (report, _) = compare(site, options, progress).await?;
    Ok(report)
}

/// As [`verify`]; with the keys of the rows that differ, in the report's order. Those of tables without a key are not among
/// them: they are the last of the report's.
pub(crate) async fn compare(
    site: &Site,
    options: &Options,
    progress: Arc<Progress>,
) -> Result<(Report, Vec<Suspect>), Error> {
    let began = Instant::now();
    if site.config.replication.mode == Mode::Position {
        return Err(Error::ByPosition);
    }
    let mut hands = Hands::open(site).await?;
    for side in Side::BOTH {
        if !ServerFacts::read(hands.conn(side)).await?.has_gtids() {
            return Err(Error::NoGtids(site.nodes()[side.index()].name.clone()));
        }
    }
    if options.limits.settled_first {
        hands.catch_up().await?;
    }
    let scope = scope::read(site, &mut hands, options).await?;
    let left = left(site, options);
    let tables = load(&mut hands, &scope, options, left.as_ref()).await?;
    let parts = match options.since {
        None => Parts::all(tables),
        Some(since) => {
            let mut written = Written::of(&tables);
            since::read(site, &mut hands, since, &mut written).await?;
            Parts::of(written)
        }
    };
    let tables = parts.tables();
    progress.expect(tables.len(), parts.rows());
    let since = left
        .as_ref()
        .map_or_else(Timestamp::now, |left| left.started_at);
    let keeper = Arc::new(Keeper::new(
        options
            .since
            .is_none()
            .then(|| bookmark::path(site, options)),
        site.pair_id.clone(),
        since,
        &tables,
    ));
    let work = Work {
        site,
        options,
        progress,
        keeper: Arc::clone(&keeper),
        tables: &tables,
    };
    let found = work.walk(hands, left.unwrap_or_default(), parts).await?;
    keeper.end();
    let report = Report {
        name: site.config.name.clone(),
        nodes: site.nodes().map(|node| node.name.clone()),
        equal: false,
        started_at: keeper.started_at().to_string(),
        since: options.since.map(|since| since.to_string()),
        seconds: began.elapsed().as_secs_f64(),
        schema: scope.differences,
        unseen: scope.unseen,
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
    left: Option<&Left>,
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
        let mut table = Table::new(info, size, hash, options.only.clone());
        if options.only.is_some() {
            try_condition(hands, &table).await?;
        }
        let place = [name.database.to_string(), name.name.to_string()];
        if let Some(begun) = left.and_then(|left| left.tables.get(&place)) {
            table.go_on(begun);
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

/// What is to be done.
struct Work<'a> {
    site: &'a Site,
    options: &'a Options,
    progress: Arc<Progress>,
    keeper: Arc<Keeper>,
    tables: &'a [Arc<Table>],
}

impl Work<'_> {
    /// Walks all tables with as many workers as are wanted, and judges beside them what they find.
    async fn walk(&self, hands: Hands, left: Left, parts: Parts) -> Result<Found, Error> {
        let Self {
            site,
            options,
            progress,
            ..
        } = self;
        let cutter = Arc::new(Mutex::new(self.cutter(hands, &parts.whole)));
        let (send, suspects) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        for _ in 0..options.limits.parallel.max(1) {
            let worker = Worker {
                hands: Hands::open(site).await?,
                cutter: Arc::clone(&cutter),
                suspects: send.clone(),
                progress: Arc::clone(progress),
                keeper: Arc::clone(&self.keeper),
                rows_max: options.rows_max,
                limits: options.limits.clone(),
            };
            tasks.spawn(worker.run());
        }
        if !parts.keys.is_empty() {
            let lookup = Lookup {
                hands: Hands::open(site).await?,
                tables: parts.keys,
                suspects: send.clone(),
                progress: Arc::clone(progress),
                limits: options.limits.clone(),
            };
            tasks.spawn(lookup.run());
        }
        let judge = Judge {
            hands: Hands::open(site).await?,
            progress: Arc::clone(progress),
            keeper: Arc::clone(&self.keeper),
            rows_max: options.rows_max,
        };
        let first = self.suspects(left);
        self.keeper.suspect(&first);
        tasks.spawn(judge.run(first, suspects));
        drop(send);
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

    /// Cuts what was not compared by a run before this one.
    fn cutter(&self, hands: Hands, whole: &[Arc<Table>]) -> Cutter {
        let mut tables = Vec::new();
        for table in whole {
            let begun = table.begun.as_ref();
            self.progress
                .compared(begun.map_or(0, |begun| begun.rows[0].max(begun.rows[1])));
            match begun {
                Some(begun) if begun.upto.is_none() => self.progress.ended_table(),
                _ => tables.push(Arc::clone(table)),
            }
        }
        let pace = Pace::new(self.options.limits.clone());
        Cutter::new(hands, tables, pace, Arc::clone(&self.progress))
    }

    /// The rows that a run before this one had still to look at.
    fn suspects(&self, left: Left) -> Vec<Suspect> {
        let tables: HashMap<[String; 2], &Arc<Table>> = self
            .tables
            .iter()
            .map(|table| (bookmark::table_of(table), table))
            .collect();
        let suspect = |(name, key): ([String; 2], Vec<Value>)| {
            // One that has another definition by now is compared anew.
            let table = tables.get(&name).filter(|table| table.begun.is_some())?;
            Some(Suspect {
                table: Arc::clone(table),
                key,
                tries: 0,
            })
        };
        left.suspects.into_iter().filter_map(suspect).collect()
    }
}

/// Compares one stretch after the other.
struct Worker {
    hands: Hands,
    cutter: Arc<Mutex<Cutter>>,
    suspects: mpsc::Sender<Vec<Suspect>>,
    progress: Arc<Progress>,
    keeper: Arc<Keeper>,
    rows_max: u64,
    limits: Limits,
}

impl Worker {
    async fn run(mut self) -> Result<Found, Error> {
        let mut found = Found::default();
        loop {
            let chunk = self.cutter.lock().await.next().await?;
            let Some(chunk) = chunk else {
                self.hands.close().await;
                return Ok(found);
            };
            let began = Instant::now();
            let compared = self.compare(&chunk, &mut found).await;
            let table = chunk.table;
            let rows = table.tally.survive(compared)?.unwrap_or_default();
            self.keeper.save();
            let took = began.elapsed();
            let most = rows.into_iter().max().unwrap_or_default();
            self.progress.compared(most);
            if table.tally.end(rows) {
                self.progress.ended_table();
            }
            self.cutter.lock().await.took(&table, most, took);
            sleep(self.limits.rest(took, self.progress.others())).await;
        }
    }

    /// Compares one stretch; how many rows each node has there.
    async fn compare(&mut self, chunk: &Chunk, found: &mut Found) -> Result<[u64; 2], Error> {
        let table = &chunk.table;
        if table.has_key() {
            let compared = chunk::compare(&mut self.hands, table, chunk.span.clone()).await?;
            self.hand_on(table, &compared.suspects).await;
            // Of a table that was given up not all was handed on.
            if !table.tally.is_given_up() {
                self.keeper.compared(chunk, compared.rows);
            }
            return Ok(compared.rows);
        }
        let compared = heap::compare(&mut self.hands, table, self.rows_max).await?;
        if compared.restless {
            found.restless.push(Arc::clone(table));
        } else if compared.surplus.is_empty() {
            self.keeper.compared(chunk, compared.rows);
        }
        let surplus = compared.surplus.into_iter();
        found
            .surplus
            .extend(surplus.map(|one| (Arc::clone(table), one)));
        Ok(compared.rows)
    }

    /// In small parts, so that few wait to be judged where most rows differ.
    async fn hand_on(&self, table: &Table, suspects: &[Suspect]) {
        for part in suspects.chunks(PART_ROWS) {
            if table.tally.is_given_up() {
                return;
            }
            self.keeper.suspect(part);
            self.progress.suspect(part.len() as u64);
            // The judge has ended only with an error, which is said.
            let _ = self.suspects.send(part.to_vec()).await;
        }
    }
}
