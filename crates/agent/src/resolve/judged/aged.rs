//! Rows that were written before their table's definition changed.

use std::sync::Arc;

use twinlog_binlog::Value;
use twinlog_converge::{Decision, Episode, Held, Outcome, Version};

use super::{Content, Judged, JudgedRow, Tables};
use twinlog_row::{Row, RowError, is_of, key_of, read_aged};

impl Judged {
    /// Of rows that were written before their table's definition changed: the chosen version gets its new columns from the nodes; where they do not agree on them, a person must choose.
    pub(super) fn aged(
        episode: &Episode,
        decision: &Decision,
        tables: &Tables,
    ) -> Result<Self, RowError> {
        let mut decided = decision.rows.is_some();
        let rows = episode.rows.iter().enumerate().map(|(at, row)| {
            let table = tables.get(&row.table).ok_or_else(|| RowError::NoTable {
                table: row.table.to_string(),
            })?;
            let key = key_of(table, &read_aged(table, row.key.as_image())?)?;
            if key.contains(&Value::Absent) {
                return Err(RowError::OtherDefinition {
                    table: row.table.to_string(),
                });
            }
            let (mut chosen, mut as_held, mut wanted) = (None, None, None);
            match decision.rows.as_ref().and_then(|rows| rows.get(at)) {
                Some(Outcome::Version(Version::Gone)) => chosen = Some(Content::Gone),
                Some(Outcome::Version(Version::Row(version))) => {
                    wanted = Some(read_aged(table, version.as_image())?);
                }
                Some(Outcome::AsHeld(side)) => as_held = Some(*side),
                Some(Outcome::Merged(_)) | None => {}
            }
            decided &= chosen.is_some() || as_held.is_some() || wanted.is_some();
            Ok(JudgedRow {
                key,
                table: Arc::clone(table),
                base: None,
                held: [None, None],
                chosen,
                as_held,
                wanted,
                versions: Vec::new(),
                documents: Arc::default(),
            })
        });
        Ok(Self {
            rows: rows.collect::<Result<_, RowError>>()?,
            decided,
            aged: true,
        })
    }
}

/// A row from before the definition changed, with what the nodes hold in the columns that it did not have: of the only
/// node that holds the same row, else of both if they agree.
pub(super) fn carried_over(wanted: &Row, held: [&Content; 2]) -> Option<Row> {
    let held: Vec<&Row> = held.into_iter().filter_map(Content::row).collect();
    let fits = |row: &Row| {
        let pairs = wanted.iter().zip(row);
        pairs
            .into_iter()
            .all(|(old, now)| *old == Value::Absent || old == now)
    };
    let fitting: Vec<&&Row> = held.iter().filter(|row| fits(row)).collect();
    if let Some(row) = fitting.first() {
        // Where both fit and differ, what tells them apart was not carried over.
        return fitting
            .iter()
            .all(|other| other == row)
            .then(|| (**row).clone());
    }
    let fill = |(at, value): (usize, &Value)| {
        if *value != Value::Absent {
            return Some(value.clone());
        }
        let mut known = held.iter().map(|row| row.get(at));
        let first = known.next()??;
        known
            .all(|other| other == Some(first))
            .then(|| first.clone())
    };
    wanted.iter().enumerate().map(fill).collect()
}

/// Whether an image of an episode is of another definition than its table has now.
pub(super) fn is_aged(episode: &Episode, tables: &Tables) -> bool {
    let of_row = |at: usize| episode.rows.get(at).and_then(|row| tables.get(&row.table));
    let held = episode.rows.iter().enumerate().flat_map(|(at, row)| {
        let held = row.held.iter().filter_map(|held| match held {
            Held::Known(Version::Row(image)) => Some(image),
            _ => None,
        });
        held.chain([&row.key]).map(move |image| (at, image))
    });
    let written = episode.writes.iter().flat_map(|write| {
        let images = [&write.before, &write.after].into_iter().flatten();
        images.map(|(at, image)| (*at, image))
    });
    let mut images = held.chain(written);
    images.any(|(at, image)| of_row(at).is_some_and(|table| !is_of(table, image.as_image())))
}
