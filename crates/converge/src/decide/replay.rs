//! What rows become if some writes happen and others do not.

use twinlog_binlog::OwnedImage;

use crate::{Episode, EpisodeRow, Held, TableKeys, Version, tracker::same_version};

/// What becomes of an episode's rows.
pub(super) struct Replayed {
    /// The rows after all writes but the rejected ones; `None` for a row of which nothing tells.
    pub(super) versions: Vec<Option<Version>>,
    /// A write that stands found no row where one stands now: it built on one that does not stand, and that was not the
    /// row's end.
    pub(super) overwritten: bool,
}

/// Does all writes but the rejected ones, from what the rows were before.
pub(super) fn replay(episode: &Episode, rejected: &[bool]) -> Replayed {
    let mut rows: Vec<Option<Version>> = episode.rows.iter().map(|row| row.base.clone()).collect();
    let mut overwritten = false;
    // Rows that a write deletes which does not stand. Who found none there and inserted one had seen what it deleted.
    let mut vacated = vec![false; rows.len()];
    for (write, rejected) in episode.writes.iter().zip(rejected) {
        if let Some((row, _)) = &write.before {
            if *rejected {
                vacated[*row] = write.after.is_none();
                continue;
            }
            rows[*row] = Some(Version::Gone);
        }
        if let Some((row, image)) = write.after.as_ref().filter(|_| !rejected) {
            overwritten |= matches!(rows[*row], Some(Version::Row(_))) && !vacated[*row];
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
