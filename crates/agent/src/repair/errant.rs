//! What one node alone has executed, saved before that node is made again from its peer.
//!
//! Its log tells. All of it goes into a file that people can read, a line for each row. The rows that are not on the peer as
//! they are here are entered in the history as open, with both versions: `twinlog conflicts resolve` brings them over later.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, json};
use tokio::time::timeout;
use twinlog_binlog::{Change, ColumnHint, Image, RowError as ImageError, Transaction, Value};
use twinlog_converge::{Side, TableName};
use twinlog_pair::{
    config::Mode,
    site::{Login, Site},
};
use twinlog_row::{Row, RowError, TableInfo, is_of, key_of, read_image};
use twinlog_server::{
    facts::{Coordinates, OWN_SCHEMA, ServerFacts, author},
    gtid::{self, GtidSet},
    secrets::SecretError,
};

use super::{
    Error,
    bench::{Bench, now_us},
    choose::is_alike,
    entry::entry,
    work::is_equal,
};
use crate::{
    history::{Attempt, Cell, cells},
    resolve::Content,
    stream::{self, Item, LogReader, LogStream},
};

/// A log that is there says something at least so often.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// More rows than these are in the file alone.
const ENTRIES_MAX: usize = 10_000;

/// What was saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// How many transactions the peer had not executed.
    pub transactions: u64,
    /// How many rows they inserted, changed or deleted, one after the other.
    pub changes: u64,
    /// The file that has them; `None` where there were none.
    pub file: Option<PathBuf>,
    /// The rows that were entered in the history, each of its own id.
    pub entries: usize,
    /// How many rows were not: tables without a key, or with another definition on the peer, and more than can be decided.
    pub unentered: usize,
}

/// Why what a node alone has could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Without GTIDs transactions cannot be told apart.
    #[error(
        "the links go by position: which of {0}'s transactions its peer has not executed cannot be told"
    )]
    ByPosition(String),
    /// The node gave names of lost transactions again.
    #[error(
        "{0} was restored from an older copy, or its log was reset: what was written there since bears names that its peer has \
         executed, and cannot be told from what it lost"
    )]
    Restored(String),
    /// The log does not go on.
    #[error("the log of {node} says nothing since {seconds} s")]
    Silent {
        /// The node.
        node: String,
        /// For how long.
        seconds: u64,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] stream::Error),
    /// The agent's password.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A row of the log.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A set of GTIDs.
    #[error(transparent)]
    Gtid(#[from] gtid::Error),
    /// The history.
    #[error(transparent)]
    Repair(#[from] Error),
    /// The file.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SaveError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let more = match self {
            Self::Log(error) => error.hint(),
            Self::Repair(error) => error.hint(),
            _ => None,
        };
        let discard = "save by hand what you need of it (`twinlog verify --show` names the rows that differ), then rebuild with \
                       --discard";
        match more {
            Some(more) => format!("{more}; or {discard}"),
            None => discard.to_owned(),
        }
    }
}

/// Saves what a node alone has executed. Clients must not write there any more, and the peer not follow it. `by` is who
/// asked for it.
///
/// # Errors
/// Where not all of it is saved.
pub async fn save_errant(site: &Site, side: Side, by: &str) -> Result<Saved, SaveError> {
    let name = site.nodes()[side.index()].name.clone();
    let [node, peer] = [facts(site, side).await?, facts(site, side.peer()).await?];
    if node.schemas.iter().all(|schema| schema.tables == 0) {
        return Ok(Saved::default());
    }
    let flavour = node.dialect.version().flavour;
    let known = GtidSet::parse(flavour, peer.executed())?;
    let all = GtidSet::parse(flavour, node.executed())?;
    if site.config.replication.mode == Mode::Position || !node.has_gtids() {
        return Err(SaveError::ByPosition(name));
    }
    if author::lost(&node, &peer).is_some() {
        return Err(SaveError::Restored(name));
    }
    let Some(end) = node
        .binlog_end
        .clone()
        .filter(|_| !known.covers(&all).unwrap_or(false))
    else {
        return Ok(Saved::default());
    };
    let mut bench = Bench::open(site).await?;
    let mut work = Errant {
        site,
        side,
        by,
        ids: [node.server_id(), peer.server_id()],
        known,
        tables: Tables::default(),
        rows: BTreeMap::new(),
        saved: Saved::default(),
    };
    work.read(&mut bench, &name, &end).await?;
    work.enter(&mut bench, &name).await?;
    bench.close().await;
    Ok(work.saved)
}

async fn facts(site: &Site, side: Side) -> Result<ServerFacts, Error> {
    let node = site.nodes()[side.index()];
    let mut conn = site.connect(node, Login::Admin, site.patience()).await?;
    let facts = ServerFacts::read(&mut conn).await?;
    conn.close().await;
    Ok(facts)
}

/// Both definitions of tables, where there are any: the node's and its peer's.
type Tables = std::collections::HashMap<TableName, [Option<Arc<TableInfo>>; 2]>;

struct Errant<'a> {
    site: &'a Site,
    side: Side,
    by: &'a str,
    /// The server ids of the node and of its peer.
    ids: [u32; 2],
    /// What the peer has executed.
    known: GtidSet,
    tables: Tables,
    /// The rows that were written, by their tables and keys (as cells in JSON), and what they became.
    rows: BTreeMap<(TableName, String), Content>,
    saved: Saved,
}

impl Errant<'_> {
    /// Reads the node's log, and writes the file.
    async fn read(
        &mut self,
        bench: &mut Bench,
        name: &str,
        end: &Coordinates,
    ) -> Result<(), SaveError> {
        let node = self.site.nodes()[self.side.index()];
        let endpoint = self.site.endpoint(node, Login::Agent)?;
        let options = stream::Options::new(endpoint, self.known.clone(), self.ids.to_vec());
        let (mut log, reader) = LogReader::spawn(options);
        let path = self.path(name);
        let mut file = create(&path)?;
        let told = |source| SaveError::File {
            path: path.clone(),
            source,
        };
        while !log.read_up_to().has_position(end) {
            let Some(transaction) = next(&mut log, name).await? else {
                continue;
            };
            // The peer's own, which go on coming over the node's link.
            if transaction.server_id == self.ids[1] {
                continue;
            }
            for line in self.lines(bench, &transaction).await? {
                writeln!(file, "{line}").map_err(told)?;
            }
        }
        reader.stop().await;
        let file = file
            .into_inner()
            .map_err(|error| told(error.into_error()))?;
        file.sync_all().map_err(told)?;
        match self.saved.transactions {
            0 => fs::remove_file(&path).map_err(told)?,
            _ => self.saved.file = Some(path),
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let dir = self.site.config.server.data_dir.join("rebuilt");
        dir.join(format!("{name}-{now}.jsonl"))
    }

    /// What a transaction did, a line each.
    async fn lines(
        &mut self,
        bench: &mut Bench,
        transaction: &Transaction,
    ) -> Result<Vec<String>, SaveError> {
        let gtid = transaction.gtid.as_ref().map(ToString::to_string);
        let micros = i64::try_from(transaction.committed.micros).unwrap_or_default();
        let committed = jiff::Timestamp::from_microsecond(micros).ok();
        let committed = committed.map(|time| time.to_string());
        let mut lines = Vec::new();
        for change in &transaction.changes {
            match change {
                Change::Rows(rows) if &*rows.table.database == OWN_SCHEMA => {}
                Change::Rows(rows) => {
                    let table = TableName {
                        database: rows.table.database.clone(),
                        name: rows.table.name.clone(),
                    };
                    let info = self.known_table(bench, &table).await?[0].clone();
                    for row in rows {
                        let row = row?;
                        let mut line = json!({"gtid": gtid, "committed": committed, "table": table.to_string()});
                        let images = [("before", row.before), ("after", row.after)];
                        for (word, image) in images {
                            let Some(image) = image else { continue };
                            let known = info.as_deref().filter(|info| is_of(info, image));
                            let values = values(known, image)?;
                            line[word] = named(known, image, &values).into();
                            // A row that is changed is there after it, if under another key.
                            let content = (word == "after").then(|| values.clone());
                            self.note(&table, known, &values, content.into());
                        }
                        self.saved.changes += 1;
                        lines.push(line.to_string());
                    }
                }
                Change::Statement(statement) => {
                    let text = String::from_utf8_lossy(&statement.text);
                    let line = json!({
                        "gtid": gtid, "committed": committed, "database": &*statement.database, "statement": text
                    });
                    lines.push(line.to_string());
                }
            }
        }
        self.saved.transactions += u64::from(!lines.is_empty());
        Ok(lines)
    }

    /// Notes what a row has become.
    fn note(&mut self, table: &TableName, info: Option<&TableInfo>, row: &Row, content: Content) {
        match info.map(|info| key_of(info, row)) {
            Some(Ok(key)) => {
                let key = serde_json::to_string(&cells(&key)).unwrap_or_default();
                self.rows.insert((table.clone(), key), content);
            }
            _ => self.saved.unentered += 1,
        }
    }

    async fn known_table(
        &mut self,
        bench: &mut Bench,
        name: &TableName,
    ) -> Result<[Option<Arc<TableInfo>>; 2], SaveError> {
        if let Some(known) = self.tables.get(name) {
            return Ok(known.clone());
        }
        let mut known = [None, None];
        for (at, side) in [self.side, self.side.peer()].into_iter().enumerate() {
            known[at] = match TableInfo::load(bench.hands.conn(side), name).await {
                Ok(info) => Some(Arc::new(info)),
                Err(RowError::NoTable { .. }) => None,
                Err(error) => return Err(Error::from(error).into()),
            };
        }
        self.tables.insert(name.clone(), known.clone());
        Ok(known)
    }

    /// Enters the rows that differ in the history, for a person.
    async fn enter(&mut self, bench: &mut Bench, name: &str) -> Result<(), SaveError> {
        let peer = self.side.peer();
        let message = format!(
            "only {name} had executed it when it was made again from {}",
            bench.names[peer.index()]
        );
        for ((table, key), content) in std::mem::take(&mut self.rows) {
            let both = self.known_table(bench, &table).await?;
            let key: Option<Vec<Value>> = serde_json::from_str::<Vec<Cell>>(&key)
                .ok()
                .and_then(|key| key.iter().map(Cell::value).collect());
            let ([Some(info), Some(theirs)], Some(key)) = (both, key) else {
                self.saved.unentered += 1;
                continue;
            };
            if !is_alike(&info, &theirs) || self.saved.entries >= ENTRIES_MAX {
                self.saved.unentered += 1;
                continue;
            }
            let mut row = bench.judge(&info, &key, peer).await?;
            // What the node holds by now may be its peer's, over a link that still runs: what it wrote is what was lost.
            row.held[self.side.index()] = Some(content);
            if is_equal(&row) {
                continue;
            }
            let asked = (&bench.names.clone(), self.by);
            let conflicts = &self.site.config.conflicts;
            let mut drafts = [entry(
                &[row],
                (peer, "a rebuild"),
                asked,
                conflicts,
                now_us(),
            )];
            drafts[0].rule = format!("{message}, as {} asked", self.by);
            bench.identify(&mut drafts).await?;
            let [draft] = drafts;
            let attempt = Attempt {
                node: name.to_owned(),
                code: None,
                message: message.clone(),
            };
            match bench.leave_open(draft, peer, attempt).await? {
                true => self.saved.entries += 1,
                false => self.saved.unentered += 1,
            }
        }
        Ok(())
    }
}

/// The next transaction; `None` where something else came.
async fn next(log: &mut LogStream, name: &str) -> Result<Option<Box<Transaction>>, SaveError> {
    let silent = || SaveError::Silent {
        node: name.to_owned(),
        seconds: SILENCE_MAX.as_secs(),
    };
    match timeout(SILENCE_MAX, log.next()).await {
        Ok(Some(item)) => Ok(match item? {
            Item::Transaction(received) => Some(received.transaction),
            Item::Connected(_) | Item::Position(_) | Item::Reconnecting(_) => None,
        }),
        Ok(None) | Err(_) => Err(silent()),
    }
}

/// A row's values: by its table's definition, or as the log alone tells them where the table has another by now.
fn values(info: Option<&TableInfo>, image: Image<'_>) -> Result<Row, ImageError> {
    match info.map(|info| read_image(info, image)) {
        Some(Ok(row)) => Ok(row),
        _ => image.values(&vec![ColumnHint::default(); image.table().columns.len()]),
    }
}

/// The same by the columns' names, or their numbers where nobody names them.
fn named(info: Option<&TableInfo>, image: Image<'_>, row: &Row) -> Map<String, serde_json::Value> {
    let columns = image.table().columns.iter().zip(row).enumerate();
    columns
        .map(|(at, (column, value))| {
            let known = info.map(|info| info.columns[at].name.clone());
            let name = known.or_else(|| column.name.as_deref().map(str::to_owned));
            let cell = serde_json::to_value(Cell::from(value)).unwrap_or_default();
            (name.unwrap_or_else(|| format!("@{}", at + 1)), cell)
        })
        .collect()
}

/// A file for nobody else's eyes, new.
fn create(path: &Path) -> Result<BufWriter<File>, SaveError> {
    let told = |source| SaveError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(told)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(told)?;
    Ok(BufWriter::new(file))
}
