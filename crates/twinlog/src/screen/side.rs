//! Versions of a row side by side.

use twinlog_agent::{
    conflicts::shown,
    history::{Cell as Value, ColumnShape, Told},
};

use super::grid::{BOLD, Cell, DIM, Grid};

/// A version, with what it is called and how its values are marked.
pub(crate) struct Version {
    pub(crate) head: String,
    pub(crate) told: Told,
    /// Where a value differs from the one in this place of the versions: its mark, and its colour.
    pub(crate) against: Option<(Told, &'static str, &'static str)>,
    pub(crate) style: &'static str,
}

/// Versions side by side.
pub(crate) struct Table {
    pub(crate) text: String,
    pub(crate) cut: bool,
    /// Columns that are the same in all, and left out.
    pub(crate) hidden: Vec<String>,
}

/// Draws versions of a row side by side: the columns of its key, and those in which they differ.
pub(crate) fn draw(
    columns: &[ColumnShape],
    key: &[usize],
    versions: &[Version],
    full: bool,
    width: usize,
) -> Table {
    let mut hidden = Vec::new();
    let mut grid = Grid {
        heads: versions
            .iter()
            .map(|version| Cell::styled(&version.head, DIM))
            .collect(),
        whole: full,
        ..Grid::default()
    };
    let all_gone = versions.iter().all(|version| version.told == Told::Gone);
    let mut first = true;
    for (at, column) in columns.iter().enumerate() {
        let values: Vec<Option<&Value>> = versions.iter().map(|v| value(&v.told, at)).collect();
        let differs = values.iter().any(|value| *value != values[0]);
        if !differs && !full && (!key.contains(&at) || all_gone) {
            hidden.push(column.name.clone());
            continue;
        }
        let label = if differs {
            Cell::styled(format!("≠ {}", column.name), BOLD)
        } else {
            Cell::plain(format!("  {}", column.name))
        };
        let cells = versions
            .iter()
            .map(|version| cell(version, at, column, first, differs));
        grid.lines.push((label, cells.collect()));
        first = false;
    }
    if grid.lines.is_empty() {
        let cells = versions.iter().map(|_| Cell::plain("no row"));
        grid.lines.push((Cell::plain(""), cells.collect()));
    }
    let drawn = grid.draw(width);
    Table {
        text: drawn.text,
        cut: drawn.cut,
        hidden: if all_gone { Vec::new() } else { hidden },
    }
}

fn value(told: &Told, at: usize) -> Option<&Value> {
    match told {
        Told::Row(cells) => cells.get(at),
        Told::Gone | Told::Unknown => None,
    }
}

fn cell(version: &Version, at: usize, column: &ColumnShape, first: bool, differs: bool) -> Cell {
    let text = match value(&version.told, at) {
        Some(value) => shown(value, column),
        None if first => "no row".into(),
        None => "–".into(),
    };
    let marked = version.against.as_ref().filter(|(other, ..)| {
        let same = value(other, at) == value(&version.told, at);
        // Of a row that is not there, the first line says it all.
        *other != Told::Unknown && !same && (first || version.told != Told::Gone)
    });
    match marked {
        Some((_, mark, style)) => Cell { text, style, mark },
        None => Cell::styled(text, if differs { version.style } else { "" }),
    }
}
