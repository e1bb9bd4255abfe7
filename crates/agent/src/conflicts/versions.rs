//! The versions that an entry of the history knows.

use twinlog_converge::Side;

use crate::{
    history::{Cell, Detail, Told},
    resolve::Content,
};
use twinlog_row::{TableInfo, canonical};

/// Which version of a conflict's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// What was written on that node.
    Of(Side),
    /// What they were before.
    Base,
}

/// What each row would be in a version: with what was written on one node, and without what was written on the other
/// unseen. Where no write tells (a divergence), it is what the node held.
#[must_use]
pub fn versions(detail: &Detail, which: Which) -> Vec<Told> {
    let base = detail.rows.iter().map(|row| row.base.clone());
    let Which::Of(side) = which else {
        return base.collect();
    };
    let contended = detail.writes.iter().any(|write| !write.against.is_empty());
    if !contended {
        let held = |row: &crate::history::RowDetail| row.held[side.index()].clone();
        return detail.rows.iter().map(held).collect();
    }
    let mut versions: Vec<Told> = base.collect();
    let node = &detail.nodes[side.index()];
    let stands = detail
        .writes
        .iter()
        .filter(|write| write.node == *node || write.against.is_empty());
    for write in stands {
        let mut put = |row: usize, told: Told| {
            if let Some(version) = versions.get_mut(row) {
                *version = told;
            }
        };
        if let Some((row, _)) = &write.before {
            put(*row, Told::Gone);
        }
        if let Some((row, cells)) = &write.after {
            put(*row, Told::Row(cells.clone()));
        }
    }
    for (version, row) in versions.iter_mut().zip(&detail.rows) {
        // Nobody wrote it, and both nodes agree.
        if *version == Told::Unknown && row.held[0] == row.held[1] {
            *version = row.held[0].clone();
        }
    }
    versions
}

/// What is told of a row, as the table has it now; `None` where it is not known or cannot be read.
pub(crate) fn content(table: &TableInfo, told: &Told) -> Option<Content> {
    match told {
        Told::Unknown => None,
        Told::Gone => Some(Content::Gone),
        Told::Row(cells) => values(table, cells).map(Content::Row),
    }
}

fn values(table: &TableInfo, cells: &[Cell]) -> Option<twinlog_row::Row> {
    if cells.len() != table.columns.len() {
        return None;
    }
    cells
        .iter()
        .zip(&table.columns)
        .map(|(cell, column)| Some(canonical(&column.kind, cell.value()?)))
        .collect()
}

/// Whether an entry knows that a row was, or was to become, this: then nobody has written it since.
pub(super) fn is_known(detail: &Detail, row: usize, table: &TableInfo, now: &Content) -> bool {
    let Some(told) = detail.rows.get(row) else {
        return false;
    };
    let of_row = |image: &Option<(usize, Vec<Cell>)>| match image {
        Some((at, cells)) if *at == row => Some(Told::Row(cells.clone())),
        _ => None,
    };
    let written = detail.writes.iter().flat_map(|write| {
        let (before, after) = (of_row(&write.before), of_row(&write.after));
        let gone = (before.is_some() && after.is_none()).then_some(Told::Gone);
        [before, after, gone].into_iter().flatten()
    });
    let ruled = detail
        .rulings
        .iter()
        .flat_map(|ruling| &ruling.rows)
        .filter(|ruled| ruled.row == row)
        .flat_map(|ruled| [&ruled.found[0], &ruled.found[1], &ruled.wanted].map(Clone::clone));
    let [a, b] = told.held.clone();
    let mut known = [told.base.clone(), told.chosen.clone(), a, b]
        .into_iter()
        .chain(written)
        .chain(ruled);
    known.any(|told| content(table, &told).is_some_and(|known| known.same(table, now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{RowDetail, WriteDetail};

    fn int(n: i64) -> Vec<Cell> {
        vec![Cell::Int("1".into()), Cell::Int(n.to_string())]
    }

    fn row(base: Told, held: [Told; 2]) -> RowDetail {
        RowDetail {
            table: 0,
            key: vec![Cell::Int("1".into())],
            base,
            held,
            chosen: Told::Unknown,
        }
    }

    fn write(
        node: &str,
        before: Option<(usize, i64)>,
        after: Option<(usize, i64)>,
        against: &[usize],
    ) -> WriteDetail {
        let image = |image: Option<(usize, i64)>| image.map(|(row, n)| (row, int(n)));
        WriteDetail {
            node: node.into(),
            gtid: "1-1-1".into(),
            committed_us: 1,
            exact: true,
            repair: false,
            before: image(before),
            after: image(after),
            retyped: false,
            against: against.to_vec(),
        }
    }

    fn detail(rows: Vec<RowDetail>, writes: Vec<WriteDetail>) -> Detail {
        Detail {
            version: 1,
            nodes: ["a".into(), "b".into()],
            rows,
            writes,
            ..Detail::default()
        }
    }

    fn is(n: i64) -> Told {
        Told::Row(int(n))
    }

    #[test]
    fn a_version_is_what_was_written_there_whatever_the_nodes_hold() {
        let swapped = row(is(1), [is(200), is(100)]);
        let detail = detail(
            vec![swapped],
            vec![
                write("a", Some((0, 1)), Some((0, 100)), &[1]),
                write("b", Some((0, 1)), Some((0, 200)), &[0]),
            ],
        );
        assert_eq!(versions(&detail, Which::Of(Side::A)), [is(100)]);
        assert_eq!(versions(&detail, Which::Of(Side::B)), [is(200)]);
        assert_eq!(versions(&detail, Which::Base), [is(1)]);
    }

    #[test]
    fn the_last_of_several_writes_counts_and_a_deletion_is_a_version() {
        let detail = detail(
            vec![row(is(1), [Told::Gone, Told::Gone])],
            vec![
                write("a", Some((0, 1)), Some((0, 5)), &[2]),
                write("a", Some((0, 5)), Some((0, 6)), &[2]),
                write("b", Some((0, 1)), None, &[0, 1]),
            ],
        );
        assert_eq!(versions(&detail, Which::Of(Side::A)), [is(6)]);
        assert_eq!(versions(&detail, Which::Of(Side::B)), [Told::Gone]);
    }

    #[test]
    fn rows_in_each_others_way_exclude_each_other() {
        let none = || row(Told::Gone, [Told::Unknown, Told::Unknown]);
        let detail = detail(
            vec![none(), none()],
            vec![
                write("a", None, Some((0, 7)), &[1]),
                write("b", None, Some((1, 7)), &[0]),
            ],
        );
        assert_eq!(
            versions(&detail, Which::Of(Side::A)),
            [Told::Row(int(7)), Told::Gone]
        );
        assert_eq!(
            versions(&detail, Which::Of(Side::B)),
            [Told::Gone, Told::Row(int(7))]
        );
    }

    #[test]
    fn what_both_had_seen_stands_in_either_version() {
        let detail = detail(
            vec![row(is(1), [is(3), is(2)])],
            vec![
                write("b", Some((0, 1)), Some((0, 9)), &[]),
                write("a", Some((0, 9)), Some((0, 2)), &[2]),
                write("b", Some((0, 9)), Some((0, 3)), &[1]),
            ],
        );
        assert_eq!(versions(&detail, Which::Of(Side::A)), [is(2)]);
        assert_eq!(versions(&detail, Which::Of(Side::B)), [is(3)]);
    }

    #[test]
    fn without_a_write_it_is_what_the_node_held() {
        let detail = detail(vec![row(Told::Unknown, [is(3), Told::Gone])], Vec::new());
        assert_eq!(versions(&detail, Which::Of(Side::A)), [is(3)]);
        assert_eq!(versions(&detail, Which::Of(Side::B)), [Told::Gone]);
        assert_eq!(versions(&detail, Which::Base), [Told::Unknown]);
    }
}
