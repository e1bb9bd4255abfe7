//! Which rows a server would take together: unique and foreign keys.

use std::collections::HashSet;

use twinlog_binlog::OwnedImage;

use crate::{Episode, EpisodeRow, Held, TableName, Version};

/// Why a server would refuse these rows; `None` if it takes them, as far as is known. A row of which nothing is known may
/// have every key that it had at some time.
pub(super) fn illegal(episode: &Episode, outcome: &[Option<Version>]) -> Option<String> {
    if let Some(reason) = duplicate(episode, outcome) {
        return Some(reason);
    }
    let (row, parent) = orphans(episode, outcome).into_iter().next()?;
    let row = &episode.rows[row].table;
    Some(format!(
        "a row of {row} would refer to a row of {parent} that is gone"
    ))
}

/// Takes rows that refer to nothing out of an outcome, and those that referred to them.
pub(super) fn without_orphans(
    episode: &Episode,
    mut outcome: Vec<Option<Version>>,
) -> Vec<Option<Version>> {
    loop {
        let orphans = orphans(episode, &outcome);
        if orphans.is_empty() {
            return outcome;
        }
        for (row, _) in orphans {
            outcome[row] = Some(Version::Gone);
        }
    }
}

/// Why two rows cannot be there together.
fn duplicate(episode: &Episode, outcome: &[Option<Version>]) -> Option<String> {
    let mut taken = HashSet::new();
    for (row, version) in episode.rows.iter().zip(outcome) {
        let Some(Version::Row(image)) = version else {
            continue;
        };
        for key in &row.keys.unique {
            let Some(bytes) = columns(image, &key.columns) else {
                continue;
            };
            if !taken.insert((&row.table, &key.columns, bytes)) {
                let (table, key) = (&row.table, &key.name);
                return Some(format!("two rows of {table} would have the same {key}"));
            }
        }
    }
    None
}

/// The rows that refer to one that was there at some time and is not any more, each with that one's table.
fn orphans<'a>(episode: &'a Episode, outcome: &[Option<Version>]) -> Vec<(usize, &'a TableName)> {
    let mut provided = HashSet::new();
    for (at, (row, version)) in episode.rows.iter().zip(outcome).enumerate() {
        match version {
            Some(Version::Row(image)) => provide(row, image, &mut provided),
            Some(Version::Gone) => {}
            None => {
                for image in images(episode, at) {
                    provide(row, image, &mut provided);
                }
            }
        }
    }
    let mut removed = HashSet::new();
    for (at, row) in episode.rows.iter().enumerate() {
        for image in images(episode, at) {
            provide(row, image, &mut removed);
        }
    }
    removed.retain(|key| !provided.contains(key));
    let mut orphans = Vec::new();
    for (at, (row, version)) in episode.rows.iter().zip(outcome).enumerate() {
        let Some(Version::Row(image)) = version else {
            continue;
        };
        let to_nothing = row.keys.foreign.iter().find(|key| {
            columns(image, &key.columns).is_some_and(|bytes| {
                removed.contains(&parent(&key.parent, &key.parent_columns, bytes))
            })
        });
        orphans.extend(to_nothing.map(|key| (at, &key.parent)));
    }
    orphans
}

type Bytes = Vec<Vec<u8>>;
type ParentKey = (TableName, Vec<(usize, Vec<u8>)>);

fn parent(table: &TableName, columns: &[usize], bytes: Bytes) -> ParentKey {
    let mut pairs: Vec<_> = columns.iter().copied().zip(bytes).collect();
    pairs.sort_unstable();
    (table.clone(), pairs)
}

/// Adds the keys that others may refer to.
fn provide(row: &EpisodeRow, image: &OwnedImage, to: &mut HashSet<ParentKey>) {
    for key in &row.keys.unique {
        if let Some(bytes) = columns(image, &key.columns) {
            to.insert(parent(&row.table, &key.columns, bytes));
        }
    }
}

/// All that a row was at some time in the episode, or is on a node.
fn images(episode: &Episode, at: usize) -> impl Iterator<Item = &OwnedImage> {
    let row = &episode.rows[at];
    let held = row.held.iter().filter_map(|held| match held {
        Held::Known(version) => Some(version),
        Held::Unknown => None,
    });
    let versions = row.base.iter().chain(held);
    let versions = versions.filter_map(|version| match version {
        Version::Row(image) => Some(image),
        Version::Gone => None,
    });
    let written = episode
        .writes
        .iter()
        .flat_map(|write| [&write.before, &write.after]);
    let written = written
        .flatten()
        .filter(move |(row, _)| *row == at)
        .map(|(_, image)| image);
    versions.chain(written)
}

/// The bytes of a key; `None` where it has a NULL, or is not in the image.
fn columns(image: &OwnedImage, columns: &[usize]) -> Option<Bytes> {
    let image = image.as_image();
    columns
        .iter()
        .map(|&column| Some(image.column(column).ok()?.bytes()?.to_vec()))
        .collect()
}
