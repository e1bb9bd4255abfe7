//! Which verdicts may be settled at the same time.
//!
//! Each repair is right by itself: what it has judged is checked under its rows' locks. But a server refuses a row whose
//! unique key another repair is about to free, or whose parent another is about to bring. So of verdicts with a key in
//! common the earlier one is settled first. Keys that differ in bytes and are equal by a collation are not seen here:
//! there the servers' locks decide, and a repair that is refused looks for what is in its way.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher},
};

use twinlog_binlog::{Image, OwnedImage};
use twinlog_converge::{Episode, EpisodeRow, Held, TableName, Verdict, Version};
use xxhash_rust::xxh3::Xxh3Builder;

/// The keys of a verdict's rows, as hashes: two that meet by chance only wait for each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Ties {
    /// Those that its rows have or had.
    own: Vec<u64>,
    /// Those of other rows that its rows refer to.
    refers: Vec<u64>,
}

impl Ties {
    /// Those of a verdict.
    pub(super) fn of(verdict: &Verdict) -> Self {
        let mut ties = Self::default();
        if let Verdict::Episode(episode) = verdict {
            for (at, row) in episode.rows.iter().enumerate() {
                for image in images(episode, at, row) {
                    ties.add(row, image.as_image());
                }
            }
        }
        for keys in [&mut ties.own, &mut ties.refers] {
            keys.sort_unstable();
            keys.dedup();
        }
        ties
    }

    fn add(&mut self, row: &EpisodeRow, image: Image<'_>) {
        for key in &row.keys.unique {
            self.own
                .extend(hash(&row.table, &key.columns, &key.columns, image));
        }
        for key in &row.keys.foreign {
            let parent = hash(&key.parent, &key.parent_columns, &key.columns, image);
            self.refers.extend(parent);
        }
    }
}

/// All that the row was, is and may become.
fn images<'a>(
    episode: &'a Episode,
    at: usize,
    row: &'a EpisodeRow,
) -> impl Iterator<Item = &'a OwnedImage> {
    let version = |version: &'a Version| match version {
        Version::Row(image) => Some(image),
        Version::Gone => None,
    };
    let held = row.held.iter().filter_map(move |held| match held {
        Held::Known(known) => version(known),
        Held::Unknown => None,
    });
    let written = episode
        .writes
        .iter()
        .flat_map(|write| [&write.before, &write.after])
        .flatten()
        .filter(move |(row, _)| *row == at)
        .map(|(_, image)| image);
    std::iter::once(&row.key)
        .chain(row.base.iter().filter_map(version))
        .chain(held)
        .chain(written)
}

/// The hash of a key's values, whichever order its columns have; `None` where one is NULL or not in the image.
fn hash(table: &TableName, columns: &[usize], values: &[usize], image: Image<'_>) -> Option<u64> {
    let mut parts: Vec<(usize, &[u8])> = Vec::with_capacity(columns.len());
    for (&column, &value) in columns.iter().zip(values) {
        parts.push((column, image.column(value).ok()?.bytes()?));
    }
    parts.sort_unstable();
    let mut hasher = Xxh3Builder::new().build_hasher();
    hasher.write(table.database.as_bytes());
    hasher.write_u8(0);
    hasher.write(table.name.as_bytes());
    for (column, bytes) in parts {
        hasher.write_usize(column);
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    }
    Some(hasher.finish())
}

/// The keys of the verdicts that come first.
#[derive(Debug, Default)]
pub(super) struct Taken {
    own: HashSet<u64>,
    refers: HashSet<u64>,
}

impl Taken {
    /// Those of one more.
    pub(super) fn add(&mut self, ties: &Ties) {
        self.own.extend(&ties.own);
        self.refers.extend(&ties.refers);
    }

    /// Whether a verdict must wait for one of them. Two that refer to the same row do not mind each other.
    pub(super) fn bind(&self, ties: &Ties) -> bool {
        let owned = |key: &u64| self.own.contains(key);
        ties.own
            .iter()
            .any(|key| owned(key) || self.refers.contains(key))
            || ties.refers.iter().any(owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_a_key_in_common_wait_for_each_other() {
        let ties = |own: &[u64], refers: &[u64]| Ties {
            own: own.to_vec(),
            refers: refers.to_vec(),
        };
        let mut taken = Taken::default();
        taken.add(&ties(&[1, 2], &[9]));
        assert!(taken.bind(&ties(&[2], &[])), "the same row, or unique key");
        assert!(taken.bind(&ties(&[3], &[1])), "its parent");
        assert!(taken.bind(&ties(&[9], &[])), "its child");
        assert!(
            !taken.bind(&ties(&[3], &[9])),
            "another child of its parent"
        );
        assert!(!taken.bind(&ties(&[3], &[4])));
    }
}
