//! What a conflict is, as an id: the same for whoever sees it again.

use twinlog_converge::Side;
use twinlog_server::conn::Error;
use xxhash_rust::xxh3::Xxh3;

use super::{Draft, Leadership};
use crate::history::{self, Cell, Detail, RowDetail, State, Told, WriteDetail};

/// How many hexadecimal digits an id has: 48 bits, so that among a million conflicts two meet once in 500 pairs.
const ID_DIGITS: usize = 12;
/// How often the same episode may have been settled before.
const AGAIN_MAX: u32 = 100;

impl Draft {
    /// Looks whether the history has its conflict already, settled: then it is told again only where there is something to
    /// do, under an id of its own.
    ///
    /// # Errors
    /// As [`Conn::rows`](twinlog_server::conn::Conn::rows).
    pub async fn identify(&mut self, leadership: &mut Leadership) -> Result<(), Error> {
        let mut id = self.id().to_owned();
        let mut again = 0;
        while is_settled(leadership, &id).await? && again < AGAIN_MAX {
            self.known = true;
            id = if again == 0 {
                self.id_of_all.clone()
            } else {
                id_of(vec![self.id_of_all.clone(), again.to_string()])
            };
            again += 1;
        }
        self.entry.id = id;
        Ok(())
    }
}

/// Whether the history of either node has an entry with this id that is not open.
async fn is_settled(leadership: &mut Leadership, id: &str) -> Result<bool, Error> {
    for side in Side::BOTH {
        let state = history::state(leadership.hand(side).conn(), id).await?;
        if state.is_some_and(|state| state != State::Open) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The id of an episode: its conflicts, with the writes that had not seen each other or are lost, and their rows. Neither
/// its own repair nor what clients wrote later, who had seen all, makes another conflict of it.
/// Of the rows only the first ones are its own: those that were found in the way come after them.
pub(super) fn episode_id(detail: &Detail, own_rows: usize) -> String {
    let counts = |write: usize| {
        let WriteDetail {
            repair, against, ..
        } = &detail.writes[write];
        !repair && (!against.is_empty() || is_lost(detail, write))
    };
    let all = 0..detail.writes.len();
    let writes: Vec<usize> = all.clone().filter(|&at| counts(at)).collect();
    if detail.conflicts.is_empty() || writes.is_empty() {
        let of_clients: Vec<usize> = all.filter(|&at| !detail.writes[at].repair).collect();
        let rows: Vec<usize> = (0..own_rows).collect();
        return match of_clients.as_slice() {
            [] => id_of_all(detail, own_rows),
            writes => id(detail, writes, &rows),
        };
    }
    let rows = |write: usize| {
        let WriteDetail { before, after, .. } = &detail.writes[write];
        [before, after].map(|image| image.as_ref().map(|(row, _)| *row))
    };
    let mut of: Vec<usize> = writes
        .iter()
        .flat_map(|&write| rows(write))
        .flatten()
        .collect();
    of.sort_unstable();
    of.dedup();
    id(detail, &writes, &of)
}

/// The id of an episode with all that was written, and all its rows.
pub(super) fn id_of_all(detail: &Detail, own_rows: usize) -> String {
    let writes: Vec<usize> = (0..detail.writes.len()).collect();
    let rows: Vec<usize> = (0..own_rows).collect();
    id(detail, &writes, &rows)
}

fn id(detail: &Detail, writes: &[usize], rows: &[usize]) -> String {
    // What a repair had not seen of the other half of it is nobody's conflict.
    let of_repairs: Vec<&str> = repairs(detail);
    let conflicts = detail
        .conflicts
        .iter()
        .filter(|pair| !pair.iter().any(|gtid| of_repairs.contains(&gtid.as_str())))
        .map(|[a, b]| format!("{a} {b}"));
    let writes = writes.iter().map(|&at| detail.writes[at].gtid.clone());
    let name = |row: &RowDetail| {
        // Cells have no map in them, and serialise.
        let key = serde_json::to_string(&row.key).unwrap_or_default();
        let table = detail.tables.get(row.table);
        let table = table.map(|table| format!("{}.{}", table.schema, table.name));
        format!("{} {key}", table.unwrap_or_default())
    };
    let rows = rows.iter().filter_map(|&at| detail.rows.get(at));
    // Of a difference that no write explains, what the nodes hold is all that tells it from the next one there.
    let unexplained = detail.conflicts.is_empty() && detail.writes.is_empty();
    let held = rows.clone().filter(|_| unexplained);
    let held = held.map(|row| serde_json::to_string(&row.held).unwrap_or_default());
    let parts = conflicts.chain(writes).chain(rows.map(name)).chain(held);
    id_of(parts.collect())
}

/// The transactions of repairs.
fn repairs(detail: &Detail) -> Vec<&str> {
    let writes = detail.writes.iter().filter(|write| write.repair);
    writes.map(|write| write.gtid.as_str()).collect()
}

/// An id that the parts have, in whatever order.
pub(crate) fn id_of(mut parts: Vec<String>) -> String {
    parts.sort();
    parts.dedup();
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    let mut digits = format!("{:032x}", hash.digest128());
    digits.truncate(ID_DIGITS);
    digits
}

/// Whether a write is on no node, and nobody overwrote it who had seen it. Of a row from before its table's definition
/// changed, what it did not have is in no question; what it had and cannot be compared any more is.
pub(super) fn is_lost(detail: &Detail, write: usize) -> bool {
    let Detail { rows, writes, .. } = detail;
    let write = &writes[write];
    let Some((row, left)) = write.after.as_ref().filter(|_| !write.repair) else {
        return false;
    };
    let held = rows.get(*row).into_iter().flat_map(|row| &row.held);
    let is_it = |cells: &[Cell], retyped: bool| {
        let unknown = |cell: &Cell, left: &Cell| !retyped && [cell, left].contains(&&Cell::Absent);
        let mut pairs = cells.iter().zip(left);
        pairs.all(|(cell, left)| cell == left || unknown(cell, left))
    };
    let holds = |held: &Told| matches!(held, Told::Row(cells) if is_it(cells, write.retyped));
    let found = |other: &WriteDetail| {
        // Two images of one definition lack the same.
        let retyped = write.retyped != other.retyped;
        matches!(&other.before, Some((at, cells)) if at == row && is_it(cells, retyped))
    };
    !held.into_iter().any(holds) && !writes.iter().any(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{DETAIL_VERSION, RowDetail};

    fn cells(values: &[Option<i64>]) -> Vec<Cell> {
        let cell = |value: &Option<i64>| value.map_or(Cell::Absent, |n| Cell::Int(n.to_string()));
        values.iter().map(cell).collect()
    }

    /// One write, and what both nodes hold in its row now.
    fn detail(after: &[Option<i64>], retyped: bool, held: &[Option<i64>]) -> Detail {
        let held = || Told::Row(cells(held));
        Detail {
            version: DETAIL_VERSION,
            nodes: ["a", "b"].map(str::to_owned),
            rows: vec![RowDetail {
                table: 0,
                key: cells(&[Some(1)]),
                base: Told::Unknown,
                held: [held(), held()],
                chosen: Told::Unknown,
            }],
            writes: vec![WriteDetail {
                node: "a".to_owned(),
                gtid: "0-1-7".to_owned(),
                committed_us: 1,
                exact: true,
                repair: false,
                before: None,
                after: Some((0, cells(after))),
                retyped,
                against: Vec::new(),
            }],
            ..Detail::default()
        }
    }

    #[test]
    fn a_column_that_a_write_did_not_have_is_in_no_question() {
        let before_the_column = [Some(1), Some(5), None];
        let now = [Some(1), Some(5), Some(0)];
        assert!(!is_lost(&detail(&before_the_column, false, &now), 0));
        let other = [Some(1), Some(7), Some(0)];
        assert!(is_lost(&detail(&before_the_column, false, &other), 0));
    }

    #[test]
    fn one_that_it_had_as_another_type_is() {
        assert!(is_lost(
            &detail(&[Some(1), None], true, &[Some(1), Some(7)]),
            0
        ));
    }
}
