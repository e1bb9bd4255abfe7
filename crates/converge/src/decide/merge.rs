//! Three-way merges: every write is what it changed, column by column, and counters are what was added to them.

use std::collections::BTreeSet;

use twinlog_binlog::{Column, OwnedImage, Value};

use super::{number::Number, replay::same_keys};
use crate::{CommitMoment, Episode, Outcome, Policy, Version, Write};

/// Merged rows, and what was done in words.
pub(super) struct Merged {
    pub(super) rows: Vec<Outcome>,
    pub(super) rule: String,
}

/// What columns got.
#[derive(Default)]
struct Tally {
    taken: BTreeSet<usize>,
    added: BTreeSet<usize>,
    both: BTreeSet<usize>,
    overflowed: BTreeSet<usize>,
}

/// Merges, where every write is an update of a row that stays the same row, and what the row was before is known.
pub(super) fn merge(
    episode: &Episode,
    policies: &[Policy],
    server_ids: [u32; 2],
) -> Option<Merged> {
    let mut rows = Vec::with_capacity(episode.rows.len());
    let mut tally = Tally::default();
    let mut layout_of: Option<&OwnedImage> = None;
    for (at, policy) in policies.iter().enumerate().take(episode.rows.len()) {
        let counters: &[usize] = match policy {
            Policy::Merge { counters } => counters,
            _ => &[],
        };
        let (values, image) = merge_row(episode, at, counters, server_ids, &mut tally)?;
        layout_of = layout_of.or(Some(image));
        rows.push(Outcome::Merged(values));
    }
    let columns = layout_of.map(|image| image.table().columns.as_slice());
    Some(Merged {
        rows,
        rule: tally.rule(columns.unwrap_or_default()),
    })
}

/// One row's updates, in an order in which each comes after what it had seen, and later commits after earlier ones.
fn merge_row<'a>(
    episode: &'a Episode,
    at: usize,
    counters: &[usize],
    server_ids: [u32; 2],
    tally: &mut Tally,
) -> Option<(Vec<Value>, &'a OwnedImage)> {
    let row = &episode.rows[at];
    let mut updates = Vec::new();
    for (index, write) in episode.writes.iter().enumerate() {
        let (Some((before, old)), Some((after, new))) = (&write.before, &write.after) else {
            return None;
        };
        if *before != at && *after != at {
            continue;
        }
        let plain = before == after && old.table().layout == new.table().layout;
        if !plain || !same_keys(&row.keys, old, new) {
            return None;
        }
        updates.push((index, write, old, new));
    }
    // A repair is a merge that was made before: what it wrote is what later writes add to. Both nodes may have got one
    // for the same verdict, and then they are the same.
    let repairs = last_repairs(&updates);
    let base = match (repairs.as_slice(), &row.base) {
        ([], Some(Version::Row(image))) => image,
        ([(.., image), rest @ ..], _) if rest.iter().all(|(.., it)| is_same(image, it)) => image,
        _ => return None,
    };
    updates.retain(|(index, ..)| repairs.iter().all(|repair| !comes_before(*index, repair)));
    if updates
        .iter()
        .any(|(_, _, old, _)| old.table().layout != base.table().layout)
    {
        return None;
    }
    let moment = CommitMoment::of(episode);
    let order = in_order(
        &updates
            .iter()
            .map(|(index, write, ..)| (*index, *write))
            .collect::<Vec<_>>(),
        |write| {
            (
                moment.micros(write.committed),
                server_ids[write.origin.index()],
            )
        },
    );
    let full = |image: &OwnedImage| {
        let values = image.as_image().values(&[]).ok()?;
        (!values.contains(&Value::Absent)).then_some(values)
    };
    let mut values = full(base)?;
    let mut writers = vec![[false; 2]; values.len()];
    let columns = &base.table().columns;
    let mut last = values.clone();
    let mut sums: Vec<Option<Number>> = columns
        .iter()
        .enumerate()
        .map(|(column, _)| {
            counters
                .contains(&column)
                .then(|| Number::of(&values[column]))?
        })
        .collect();
    for index in order {
        let (_, write, old, new) = updates[index];
        if write.repair {
            continue;
        }
        let (old, new) = (full(old)?, full(new)?);
        for column in 0..columns.len() {
            if old[column] == new[column] {
                continue;
            }
            writers[column][write.origin.index()] = true;
            last[column] = new[column].clone();
            sums[column] = sums[column].take().and_then(|sum| {
                let (old, new) = (Number::of(&old[column])?, Number::of(&new[column])?);
                sum.add(&new)?.subtract(&old)
            });
        }
    }
    for (column, value) in values.iter_mut().enumerate() {
        tally_and_set(
            column,
            &columns[column],
            value,
            &last,
            &sums,
            writers[column],
            tally,
            counters,
        );
    }
    Some((values, base))
}

#[allow(
    clippy::too_many_arguments,
    reason = "one column's part of the row above"
)]
fn tally_and_set(
    column: usize,
    kind: &Column,
    value: &mut Value,
    last: &[Value],
    sums: &[Option<Number>],
    writers: [bool; 2],
    tally: &mut Tally,
    counters: &[usize],
) {
    if writers == [false; 2] {
        return;
    }
    if let Some(sum) = sums[column]
        .as_ref()
        .and_then(|sum| sum.to_value(kind, value))
    {
        tally.added.insert(column);
        *value = sum;
        return;
    }
    if counters.contains(&column) {
        tally.overflowed.insert(column);
    } else if writers == [true; 2] {
        tally.both.insert(column);
    } else {
        tally.taken.insert(column);
    }
    *value = last[column].clone();
}

/// An update: its place among the writes, the write, what it found, what it left.
type Update<'a> = (usize, &'a Write, &'a OwnedImage, &'a OwnedImage);

/// Whether a write was seen by an update that comes after it.
fn comes_before(index: usize, (later, write, ..): &Update<'_>) -> bool {
    index < *later && !write.against.contains(&index)
}

/// The repairs that no other repair comes after.
fn last_repairs<'a>(updates: &[Update<'a>]) -> Vec<Update<'a>> {
    let repairs = || updates.iter().filter(|(_, write, ..)| write.repair);
    let last = repairs().filter(|(index, ..)| !repairs().any(|it| comes_before(*index, it)));
    last.copied().collect()
}

fn is_same(one: &OwnedImage, other: &OwnedImage) -> bool {
    one.table().layout == other.table().layout && one.bytes() == other.bytes()
}

/// Positions in `writes`: each after those that it had seen, and otherwise by `key`.
fn in_order<K: Ord>(writes: &[(usize, &Write)], key: impl Fn(&Write) -> K) -> Vec<usize> {
    let unseen: Vec<BTreeSet<usize>> = writes
        .iter()
        .map(|(_, write)| write.against.iter().copied().collect())
        .collect();
    let mut open: Vec<usize> = (0..writes.len()).collect();
    let mut order = Vec::with_capacity(writes.len());
    while !open.is_empty() {
        // The first that is open has seen none of the others that are.
        let free = open.iter().enumerate().filter(|&(place, &at)| {
            open[..place]
                .iter()
                .all(|&earlier| unseen[at].contains(&writes[earlier].0))
        });
        let Some((place, _)) = free.min_by_key(|&(_, &at)| (key(writes[at].1), at)) else {
            break;
        };
        order.push(open.remove(place));
    }
    order
}

impl Tally {
    fn rule(&self, columns: &[Column]) -> String {
        let names = |set: &BTreeSet<usize>| {
            let name = |&column: &usize| match columns.get(column).and_then(|c| c.name.as_deref()) {
                Some(name) => name.to_owned(),
                None => format!("column {}", column + 1),
            };
            set.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let mut parts = Vec::new();
        for (set, text) in [
            (&self.taken, "changed on one side only"),
            (&self.added, "both changes added"),
            (&self.both, "changed on both sides, the later commit's"),
            (&self.overflowed, "too large to add, the later commit's"),
        ] {
            if !set.is_empty() {
                parts.push(format!("{} ({text})", names(set)));
            }
        }
        format!("merged column by column: {}", parts.join("; "))
    }
}
