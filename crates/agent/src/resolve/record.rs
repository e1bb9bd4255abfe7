//! An episode as a row of the history.

use super::{
    Content, Judged, Tables,
    identity::{episode_id, id_of, id_of_all, is_lost},
};
use crate::history::{
    Attempt, Cell, ColumnShape, DETAIL_VERSION, Detail, Entry, Kind, RowDetail, State, TableShape,
    Told, WriteDetail, cells,
};
use twinlog_binlog::{Gtid, OwnedImage};
use twinlog_converge::{Decision, Episode, Side, TableName, Write};
use twinlog_row::{RowError, TableInfo, is_retyped, read_aged};

/// The longest key that is shown for a row, in characters.
const KEY_SHOWN: usize = 200;

/// What of a row of the history does not depend on how the repair goes.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(super) entry: Entry,
    /// See [`Draft::identify`].
    pub(super) id_of_all: String,
    pub(super) known: bool,
}

/// Writes an episode down. `policy` is the policy's name in `twinlog.toml`, `nodes` are the nodes' names.
///
/// # Errors
/// What [`read_aged`] says of the writes' images.
pub fn draft(
    episode: &Episode,
    decision: &Decision,
    judged: &Judged,
    tables: &Tables,
    policy: &str,
    nodes: &[String; 2],
    found_us: u64,
) -> Result<Draft, RowError> {
    let first = judged.rows.first();
    let (schema_name, table_name) = first
        .map(|row| {
            (
                row.table.name.database.to_string(),
                row.table.name.name.to_string(),
            )
        })
        .unwrap_or_default();
    let conflict = episode.conflicts.first();
    let gtid = |side: Side| -> Option<String> {
        let of_write = || {
            episode
                .writes
                .iter()
                .rev()
                .find(|write| write.origin == side)
        };
        conflict
            .map(|conflict| conflict.gtids[side.index()].to_string())
            .or_else(|| of_write().map(|write| write.gtid.to_string()))
    };
    let written = decision.rows.is_some();
    let chosen_node = decision
        .chosen
        .filter(|_| written)
        .map(|side| nodes[side.index()].clone());
    let merged = || written.then(|| "merge".to_owned());
    let detail = detail(episode, judged, tables, nodes)?;
    let entry = Entry {
        id: episode_id(&detail, episode.rows.len()),
        found_us,
        schema_name,
        table_name,
        row_key: first
            .map(|row| key_text(&row.table, &cells(&row.key)))
            .unwrap_or_default(),
        kind: if episode.is_conflict() {
            Kind::Conflict
        } else {
            Kind::Divergence
        },
        state: State::Open,
        policy: policy.to_owned(),
        rule: decision.rule.clone(),
        chosen: chosen_node.clone().or_else(merged),
        chosen_us: chosen_us(episode, decision.chosen.filter(|_| written)),
        chosen_node,
        gtid_a: gtid(Side::A),
        gtid_b: gtid(Side::B),
        repair_gtid: None,
        resolved_us: None,
        detail,
    };
    Ok(Draft {
        id_of_all: id_of_all(&entry.detail, episode.rows.len()),
        known: false,
        entry,
    })
}

impl From<Entry> for Draft {
    /// For an entry that was written before, of which a person has chosen.
    fn from(entry: Entry) -> Self {
        Self {
            id_of_all: entry.id.clone(),
            known: false,
            entry,
        }
    }
}

/// Writes down that both nodes changed a definition without having seen each other: a person must look.
#[must_use]
pub fn concurrent_ddl(
    table: &TableName,
    gtids: &[Gtid; 2],
    statements: &[String; 2],
    nodes: [String; 2],
    found_us: u64,
) -> Entry {
    let [gtid_a, gtid_b] = gtids.each_ref().map(Gtid::to_string);
    Entry {
        id: id_of(vec![format!("{gtid_a} {gtid_b}"), table.to_string()]),
        found_us,
        schema_name: table.database.to_string(),
        table_name: table.name.to_string(),
        row_key: String::new(),
        kind: Kind::Ddl,
        state: State::Open,
        policy: String::new(),
        rule: "no policy chooses between definitions".to_owned(),
        chosen: None,
        chosen_node: None,
        chosen_us: None,
        gtid_a: Some(gtid_a),
        gtid_b: Some(gtid_b),
        repair_gtid: None,
        resolved_us: None,
        detail: Detail {
            version: DETAIL_VERSION,
            nodes,
            tables: Vec::new(),
            rows: Vec::new(),
            writes: Vec::new(),
            conflicts: vec![gtids.each_ref().map(Gtid::to_string)],
            statements: Some(statements.clone()),
            as_held: false,
            compared: false,
            attempts: Vec::new(),
            rulings: Vec::new(),
        },
    }
}

impl Draft {
    /// The row, in a state.
    #[must_use]
    pub fn entry(&self, state: State, now_us: u64) -> Entry {
        Entry {
            state,
            resolved_us: (state != State::Open).then_some(now_us),
            ..self.entry.clone()
        }
    }

    /// The row's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.entry.id
    }

    /// Whether its conflict is in the history already, settled.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// Whether all that an open entry is about is in this one: it was left by one half of a repair, and not because the
    /// repair was refused.
    pub fn takes_place_of(&self, other: &Entry) -> bool {
        let (mine, theirs) = (&self.entry.detail, &other.detail);
        let is_row = |row: &RowDetail, other: &RowDetail| {
            row.key == other.key && mine.table_name(row) == theirs.table_name(other)
        };
        let has_row = |other: &RowDetail| mine.rows.iter().any(|row| is_row(row, other));
        other.state == State::Open
            && theirs.attempts.is_empty()
            && theirs.rows.iter().all(has_row)
            && theirs
                .conflicts
                .iter()
                .all(|pair| mine.conflicts.contains(pair))
    }

    /// The first row, for people: its table and its key.
    #[must_use]
    pub fn row(&self) -> String {
        let Entry {
            schema_name,
            table_name,
            row_key,
            ..
        } = &self.entry;
        format!("{schema_name}.{table_name} ({row_key})")
    }

    /// Whether both nodes wrote a row unseen.
    pub(super) fn is_conflict(&self) -> bool {
        self.entry.kind == Kind::Conflict
    }

    /// Whether a write is on no node, and nobody overwrote it who had seen it: the applier of the peer had skipped it, and
    /// a change that came from there took its place.
    pub(super) fn has_lost(&self) -> bool {
        let detail = &self.entry.detail;
        (0..detail.writes.len()).any(|write| is_lost(detail, write))
    }

    /// The name of a node.
    pub(super) fn node(&self, side: Side) -> &str {
        &self.entry.detail.nodes[side.index()]
    }

    /// Adds that a repair was not made.
    pub fn attempt(&mut self, attempt: Attempt) {
        self.entry.detail.attempts.push(attempt);
    }
}

/// When the chosen version was committed: the last write of its side, or of both for a merge.
fn chosen_us(episode: &Episode, chosen: Option<Side>) -> Option<u64> {
    let of_side = |write: &&Write| chosen.is_none_or(|side| write.origin == side);
    let times = episode
        .writes
        .iter()
        .filter(of_side)
        .map(|write| write.committed.micros);
    times.max()
}

fn detail(
    episode: &Episode,
    judged: &Judged,
    tables: &Tables,
    nodes: &[String; 2],
) -> Result<Detail, RowError> {
    let mut names: Vec<TableName> = judged
        .rows
        .iter()
        .map(|row| row.table.name.clone())
        .collect();
    names.sort();
    names.dedup();
    let place = |name: &TableName| {
        names
            .iter()
            .position(|other| other == name)
            .unwrap_or_default()
    };
    let rows = judged.rows.iter().map(|row| RowDetail {
        table: place(&row.table.name),
        key: cells(&row.key),
        base: told(row.base.as_ref()),
        held: [told(row.held[0].as_ref()), told(row.held[1].as_ref())],
        chosen: told(row.chosen.as_ref()),
    });
    let write = |write: &Write| {
        let mut retyped = false;
        let mut image = |of: &Option<(usize, OwnedImage)>| {
            let Some((at, image)) = of else {
                return Ok::<_, RowError>(None);
            };
            let Some(judged) = judged.rows.get(*at) else {
                return Ok(None);
            };
            let row = read_aged(&judged.table, image.as_image())?;
            retyped |= is_retyped(&judged.table, image.as_image(), &row);
            Ok(Some((*at, cells(&row))))
        };
        let (before, after) = (image(&write.before)?, image(&write.after)?);
        Ok(WriteDetail {
            node: nodes[write.origin.index()].clone(),
            gtid: write.gtid.to_string(),
            committed_us: write.committed.micros,
            exact: write.committed.exact,
            repair: write.repair,
            before,
            after,
            retyped,
            against: write.against.clone(),
        })
    };
    let writes = episode.writes.iter().map(write);
    Ok(Detail {
        version: DETAIL_VERSION,
        nodes: nodes.clone(),
        tables: names
            .iter()
            .filter_map(|name| tables.get(name))
            .map(|table| shape(table))
            .collect(),
        rows: rows.collect(),
        writes: writes.collect::<Result<_, RowError>>()?,
        conflicts: episode
            .conflicts
            .iter()
            .map(|conflict| [conflict.gtids[0].to_string(), conflict.gtids[1].to_string()])
            .collect(),
        statements: None,
        as_held: judged.as_held(),
        compared: false,
        attempts: Vec::new(),
        rulings: Vec::new(),
    })
}

fn told(content: Option<&Content>) -> Told {
    match content {
        Some(Content::Row(row)) => Told::Row(cells(row)),
        Some(Content::Gone) => Told::Gone,
        None => Told::Unknown,
    }
}

pub(crate) fn shape(table: &TableInfo) -> TableShape {
    TableShape {
        schema: table.name.database.to_string(),
        name: table.name.name.to_string(),
        columns: table
            .columns
            .iter()
            .map(|column| ColumnShape {
                name: column.name.clone(),
                declared: column.declared.clone(),
                generated: column.generated,
            })
            .collect(),
        key: table
            .key()
            .map(|key| key.columns.clone())
            .unwrap_or_default(),
    }
}

/// `id=5, tag='x'`.
pub(crate) fn key_text(table: &TableInfo, key: &[Cell]) -> String {
    let columns = table
        .key()
        .map(|key| key.columns.clone())
        .unwrap_or_default();
    let terms = columns.iter().zip(key).map(|(&at, cell)| {
        let name = &table.columns[at].name;
        format!("{name}={cell}")
    });
    let text = terms.collect::<Vec<_>>().join(", ");
    match text.char_indices().nth(KEY_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
