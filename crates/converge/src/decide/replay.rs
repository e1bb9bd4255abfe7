//! What rows become if some writes happen and others do not.

use std::collections::HashSet;

use twinlog_binlog::OwnedImage;

use crate::{Episode, EpisodeRow, Held, TableKeys, TableName, Version, tracker::same_version};

/// What becomes of an episode's rows.
pub(super) struct Replayed {
    /// The rows after all writes but the rejected ones; `None` for a row of which nothing tells.
    pub(super) versions: Vec<Option<Version>>,
    /// A write that stands found no row where one stands now: it built on one that does not stand.
    pub(super) overwritten: bool,
}

/// Does all writes but the rejected ones, from what the rows were before.
pub(super) fn replay(episode: &Episode, rejected: &[bool]) -> Replayed {
    let mut rows: Vec<Option<Version>> = episode.rows.iter().map(|row| row.base.clone()).collect();
    let mut overwritten = false;
    let writes = episode.writes.iter().zip(rejected);
    for (write, _) in writes.filter(|(_, rejected)| !**rejected) {
        if let Some((row, _)) = &write.before {
            rows[*row] = Some(Version::Gone);
        }
        if let Some((row, image)) = &write.after {
            overwritten |= matches!(rows[*row], Some(Version::Row(_)));
            rows[*row] = Some(Version::Row(image.clone()));
        }
    }
    for (row, outcome) in episode.rows.iter().zip(&mut rows) {
        if outcome.is_none() {
            *outcome = held_by_both(row);
        }
    }
    Replayed {
        versions: rows,
        overwritten,
    }
}

/// What both nodes are known to hold alike.
fn held_by_both(row: &EpisodeRow) -> Option<Version> {
    match &row.held {
        [Held::Known(a), Held::Known(b)] if same_version(a, b) == Some(true) => Some(a.clone()),
        _ => None,
    }
}

/// Why a server would refuse these rows; `None` if it takes them.
pub(super) fn illegal(episode: &Episode, outcome: &[Option<Version>]) -> Option<String> {
    let rows = &episode.rows;
    let mut taken = HashSet::new();
    let mut provided = HashSet::new();
    for (row, version) in rows.iter().zip(outcome) {
        let Some(Version::Row(image)) = version else {
            continue;
        };
        for key in &row.keys.unique {
            let Some(bytes) = columns(image, &key.columns) else {
                continue;
            };
            if !taken.insert((&row.table, &key.columns, bytes.clone())) {
                return Some(format!(
                    "two rows of {} would have the same {}",
                    row.table, key.name
                ));
            }
            provided.insert(parent(&row.table, &key.columns, bytes));
        }
    }
    let removed = removed(episode, &provided);
    for (row, version) in rows.iter().zip(outcome) {
        let Some(Version::Row(image)) = version else {
            continue;
        };
        for key in &row.keys.foreign {
            if let Some(bytes) = columns(image, &key.columns)
                && removed.contains(&parent(&key.parent, &key.parent_columns, bytes))
            {
                return Some(format!(
                    "a row of {} would refer to a row of {} that is gone",
                    row.table, key.parent
                ));
            }
        }
    }
    None
}

type Bytes = Vec<Vec<u8>>;
type ParentKey = (TableName, Vec<(usize, Vec<u8>)>);

fn parent(table: &TableName, columns: &[usize], bytes: Bytes) -> ParentKey {
    let mut pairs: Vec<_> = columns.iter().copied().zip(bytes).collect();
    pairs.sort_unstable();
    (table.clone(), pairs)
}

/// The keys that rows had at some time in the episode, or have on a node, and that no row has afterwards.
fn removed(episode: &Episode, provided: &HashSet<ParentKey>) -> HashSet<ParentKey> {
    let mut removed = HashSet::new();
    let mut note = |row: &EpisodeRow, image: &OwnedImage| {
        for key in &row.keys.unique {
            if let Some(bytes) = columns(image, &key.columns) {
                removed.insert(parent(&row.table, &key.columns, bytes));
            }
        }
    };
    for row in &episode.rows {
        let held = row.held.iter().filter_map(|held| match held {
            Held::Known(version) => Some(version),
            Held::Unknown => None,
        });
        for version in row.base.iter().chain(held) {
            if let Version::Row(image) = version {
                note(row, image);
            }
        }
    }
    for write in &episode.writes {
        for (row, image) in [&write.before, &write.after].into_iter().flatten() {
            note(&episode.rows[*row], image);
        }
    }
    removed.retain(|key| !provided.contains(key));
    removed
}

/// The bytes of a key; `None` where it has a NULL, or is not in the image.
fn columns(image: &OwnedImage, columns: &[usize]) -> Option<Bytes> {
    let image = image.as_image();
    columns
        .iter()
        .map(|&column| Some(image.column(column).ok()?.bytes()?.to_vec()))
        .collect()
}

/// Whether two images have the same values in all columns of unique keys.
pub(super) fn same_keys(keys: &TableKeys, one: &OwnedImage, other: &OwnedImage) -> bool {
    let (one, other) = (one.as_image(), other.as_image());
    keys.unique
        .iter()
        .flat_map(|key| &key.columns)
        .all(|&column| match (one.column(column), other.column(column)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        })
}
