//! How far a comparison came: kept on this machine, so that one that was killed goes on and does not begin anew.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinlog_binlog::Value;
use twinlog_pair::site::Site;
use twinlog_server::files;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Options,
    chunk::{Chunk, Suspect},
    table::Table,
};
use crate::history::{Cell, cells};

/// It is written down so often.
const EVERY: Duration = Duration::from_secs(2);
/// An older one says too little of what the nodes hold now.
const AGE_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
const VERSION: u32 = 1;

/// What is written down.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Bookmark {
    version: u32,
    pair_id: String,
    /// When it began: microseconds since 1970.
    started_us: i64,
    tables: Vec<Place>,
    /// Rows that differ, or may.
    suspects: Vec<Row>,
}

/// How far a table was compared.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    table: [String; 2],
    /// The last key; `None` for all of the table.
    upto: Option<Vec<Cell>>,
    rows: [u64; 2],
    /// See [`Table::fingerprint`].
    definition: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    table: [String; 2],
    key: Vec<Cell>,
}

/// Keeps the bookmark of a comparison that goes on.
#[derive(Debug)]
pub(super) struct Keeper {
    /// `None` for one that is not gone on with.
    path: Option<PathBuf>,
    pair_id: String,
    started_at: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tables: BTreeMap<[String; 2], Walk>,
    suspects: HashMap<String, Suspect>,
    written: Instant,
    /// Whether it cannot be written.
    failed: bool,
}

/// A table's stretches that were compared.
#[derive(Debug, Default)]
struct Walk {
    /// Those that follow each other without a gap, also by a run before this one.
    reached: Option<Begun>,
    /// The place of the stretch after those.
    next: u64,
    /// The last keys and the rows of those beyond it, by their places.
    beyond: BTreeMap<u64, (Option<Vec<Value>>, [u64; 2])>,
}

/// Where the last comparison of the same was.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// When it began.
    pub(super) started_at: Timestamp,
    /// The tables that it had begun.
    pub(super) tables: HashMap<[String; 2], Begun>,
    /// The rows that were to be looked at again.
    pub(super) suspects: Vec<([String; 2], Vec<Value>)>,
}

/// How far a table was compared.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// See [`Table::fingerprint`], of the table as it was then.
    pub(super) definition: u64,
    /// The last key; `None` for all of the table.
    pub(super) upto: Option<Vec<Value>>,
    /// How many rows each node had until there.
    pub(super) rows: [u64; 2],
}

/// What it is called in the directory of what is compared.
const NAME: &str = "bookmark.json";

/// A directory for each thing that is compared: two of them may go on at once.
pub(super) fn path(site: &Site, options: &Options) -> PathBuf {
    let what = format!("{:?} {:?}", options.tables, options.only);
    let dir = format!("{:016x}", xxh3_64(what.as_bytes()));
    site.verify_dir().join(dir).join(NAME)
}

/// Reads where the last comparison was; `None` where there is none to go on from.
pub(super) fn left(path: &Path, pair_id: &str) -> Option<Left> {
    let bookmark: Bookmark = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let started_at = Timestamp::from_microsecond(bookmark.started_us).ok()?;
    let age = Timestamp::now().duration_since(started_at);
    if bookmark.version != VERSION || bookmark.pair_id != pair_id || age > AGE_MAX {
        return None;
    }
    let values = |cells: &[Cell]| {
        cells
            .iter()
            .map(Cell::value)
            .collect::<Option<Vec<Value>>>()
    };
    let mut left = Left {
        started_at,
        ..Left::default()
    };
    for place in bookmark.tables {
        let upto = match &place.upto {
            Some(cells) => Some(values(cells)?),
            None => None,
        };
        let begun = Begun {
            definition: place.definition,
            upto,
            rows: place.rows,
        };
        left.tables.insert(place.table, begun);
    }
    for row in bookmark.suspects {
        left.suspects.push((row.table, values(&row.key)?));
    }
    Some(left)
}

impl Keeper {
    /// Goes on from where these tables are compared.
    pub(super) fn new(
        path: Option<PathBuf>,
        pair_id: String,
        started_at: Timestamp,
        tables: &[Arc<Table>],
    ) -> Self {
        let begun = tables.iter().filter_map(|table| {
            let walk = Walk {
                reached: Some(table.begun.clone()?),
                ..Walk::default()
            };
            Some((table_of(table), walk))
        });
        Self {
            path,
            pair_id,
            started_at,
            state: Mutex::new(State {
                tables: begun.collect(),
                suspects: HashMap::new(),
                written: Instant::now(),
                failed: false,
            }),
        }
    }

    /// When the comparison began, perhaps by another process.
    pub(super) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// A stretch was compared, and its suspects were told.
    pub(super) fn compared(&self, chunk: &Chunk, rows: [u64; 2]) {
        let mut state = self.state();
        let walk = state.tables.entry(table_of(&chunk.table)).or_default();
        walk.beyond
            .insert(chunk.number, (chunk.span.upto.clone(), rows));
        while let Some((upto, rows)) = walk.beyond.remove(&walk.next) {
            walk.next += 1;
            let before = walk.reached.take().map_or([0; 2], |reached| reached.rows);
            walk.reached = Some(Begun {
                definition: chunk.table.fingerprint(),
                upto,
                rows: [0, 1].map(|side| before[side] + rows[side]),
            });
        }
    }

    /// These are to be looked at again.
    pub(super) fn suspect(&self, suspects: &[Suspect]) {
        let mut state = self.state();
        for suspect in suspects {
            state.suspects.insert(name_of(suspect), suspect.clone());
        }
    }

    /// These do not differ.
    pub(super) fn cleared(&self, suspects: &[Suspect]) {
        let mut state = self.state();
        for suspect in suspects {
            state.suspects.remove(&name_of(suspect));
        }
    }

    /// Writes it down, if that is due. Where it cannot be, the comparison goes on all the same.
    pub(super) fn save(&self) {
        let Some(path) = &self.path else {
            return;
        };
        let mut state = self.state();
        if state.failed || state.written.elapsed() < EVERY {
            return;
        }
        state.written = Instant::now();
        let bookmark = self.bookmark(&state);
        drop(state);
        if let Err(error) = write(path, &bookmark) {
            self.state().failed = true;
            tracing::warn!(
                "cannot write {}: {error}; killed, the comparison would begin anew",
                path.display()
            );
        }
    }

    /// The comparison came to its end: nothing of it is left, nor of what one that was killed had half written.
    pub(super) fn end(&self) {
        // It may never have been written.
        let dir = self.path.as_deref().and_then(Path::parent);
        let _ = dir.map(fs::remove_dir_all);
    }

    fn bookmark(&self, state: &State) -> Bookmark {
        let place = |(table, walk): (&[String; 2], &Walk)| {
            let reached = walk.reached.as_ref()?;
            Some(Place {
                table: table.clone(),
                upto: reached.upto.as_deref().map(cells),
                rows: reached.rows,
                definition: reached.definition,
            })
        };
        let row = |suspect: &Suspect| Row {
            table: table_of(&suspect.table),
            key: cells(&suspect.key),
        };
        Bookmark {
            version: VERSION,
            pair_id: self.pair_id.clone(),
            started_us: self.started_at.as_microsecond(),
            tables: state.tables.iter().filter_map(place).collect(),
            suspects: state.suspects.values().map(row).collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(path: &Path, bookmark: &Bookmark) -> io::Result<()> {
    let text = serde_json::to_vec(bookmark)?;
    // Keys are users' data.
    path.parent().map_or(Ok(()), files::create_private_dir)?;
    files::replace_whole(path, &text, files::FILE_PRIVATE)
}

/// A table's name as it is written down: database and table.
pub(super) fn table_of(table: &Arc<Table>) -> [String; 2] {
    let name = &table.info.name;
    [name.database.to_string(), name.name.to_string()]
}

/// A row's name: values have no order and no hash, but a text.
pub(crate) fn name_of(suspect: &Suspect) -> String {
    format!("{:?} {:?}", table_of(&suspect.table), suspect.key)
}
