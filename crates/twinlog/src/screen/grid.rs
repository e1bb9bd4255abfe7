//! Columns of text that fit a screen: what is too long is cut, never wrapped, and what cannot be cut any further is said
//! line by line instead.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) const BOLD: &str = "\x1b[1m";
pub(crate) const DIM: &str = "\x1b[2m";
pub(crate) const RED: &str = "\x1b[1;31m";
pub(crate) const GREEN: &str = "\x1b[1;32m";
pub(crate) const YELLOW: &str = "\x1b[1;33m";
pub(crate) const CYAN: &str = "\x1b[36m";
pub(crate) const PLAIN: &str = "\x1b[0m";

/// What stands between two columns.
const GAP: usize = 2;
/// Less of a value says nothing.
const CELL_MIN: usize = 8;

/// A text and how it looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// An escape sequence, or nothing.
    pub(crate) style: &'static str,
    /// Stands behind the text, and is never cut off.
    pub(crate) mark: &'static str,
}

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub(crate) fn styled(text: impl Into<String>, style: &'static str) -> Self {
        Self {
            text: text.into(),
            style,
            mark: "",
        }
    }

    fn columns(&self) -> usize {
        self.text.width() + self.mark.width()
    }

    /// Padded to a width.
    fn draw(&self, width: usize) -> String {
        let text = cut(&self.text, width.saturating_sub(self.mark.width())) + self.mark;
        let pad = " ".repeat(width.saturating_sub(text.width()));
        match self.style {
            "" => text + &pad,
            style => format!("{style}{text}{PLAIN}{pad}"),
        }
    }
}

/// At most so many characters' room, the last of them `…` where something is missing.
pub(crate) fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut used = 0;
    let mut out = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > room {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// A label in front of each line, and a value in each column.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) heads: Vec<Cell>,
    pub(crate) lines: Vec<(Cell, Vec<Cell>)>,
    /// Whether anything may be cut.
    pub(crate) whole: bool,
}

/// A grid as text.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) text: String,
    /// Whether something was cut.
    pub(crate) cut: bool,
}

impl Grid {
    /// Side by side if it fits, else line by line.
    pub(crate) fn draw(&self, width: usize) -> Drawn {
        let label = self.lines.iter().map(|(label, _)| label.columns()).max();
        let label = label.unwrap_or(0);
        let natural: Vec<usize> = (0..self.heads.len())
            .map(|at| {
                let cells = self.lines.iter().filter_map(|(_, cells)| cells.get(at));
                let cells = cells.chain(self.heads.get(at));
                cells.map(Cell::columns).max().unwrap_or(0)
            })
            .collect();
        let room = width.saturating_sub(label + GAP * natural.len());
        match fit(&natural, room) {
            Some(columns) if !self.whole || columns == natural => Drawn {
                cut: columns != natural,
                text: self.side_by_side(label, &columns),
            },
            _ => self.line_by_line(width),
        }
    }

    fn side_by_side(&self, label: usize, columns: &[usize]) -> String {
        let gap = " ".repeat(GAP);
        let line = |first: &Cell, cells: &[Cell]| {
            let cells = cells
                .iter()
                .zip(columns)
                .map(|(cell, width)| cell.draw(*width));
            let cells: Vec<String> = std::iter::once(first.draw(label)).chain(cells).collect();
            cells.join(&gap).trim_end().to_owned()
        };
        let heads = line(&Cell::default(), &self.heads);
        let lines = self.lines.iter().map(|(label, cells)| line(label, cells));
        std::iter::once(heads)
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn line_by_line(&self, width: usize) -> Drawn {
        let heads = self.heads.iter().map(Cell::columns).max().unwrap_or(0);
        let room = if self.whole {
            usize::MAX
        } else {
            width.saturating_sub(heads + 2 * GAP).max(CELL_MIN)
        };
        let mut cut = false;
        let mut lines = Vec::new();
        for (label, cells) in &self.lines {
            if let [first, rest @ ..] = cells.as_slice()
                && rest.iter().all(|cell| cell == first)
            {
                let room = room.max(CELL_MIN).saturating_sub(label.columns());
                cut |= first.columns() > room;
                let value = first.draw(first.columns().min(room));
                lines.push(format!("{}  {value}", label.draw(label.columns())));
                continue;
            }
            lines.push(label.draw(label.columns()));
            for (head, cell) in self.heads.iter().zip(cells) {
                cut |= cell.columns() > room;
                lines.push(format!(
                    "  {}  {}",
                    head.draw(heads),
                    cell.draw(cell.columns().min(room))
                ));
            }
        }
        Drawn {
            text: lines.join("\n"),
            cut,
        }
    }
}

/// The widths of columns in so much room: the widest give way first. `None` where too little would be left of them.
fn fit(natural: &[usize], room: usize) -> Option<Vec<usize>> {
    let with = |most: usize| natural.iter().map(move |width| (*width).min(most));
    let widest = natural.iter().copied().max().unwrap_or(0);
    let most = (1..=widest)
        .rev()
        .find(|most| with(*most).sum::<usize>() <= room)?;
    (most >= CELL_MIN.min(widest)).then(|| with(most).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_give_way_first() {
        assert_eq!(fit(&[3, 30, 10], 43), Some(vec![3, 30, 10]));
        assert_eq!(fit(&[3, 30, 10], 33), Some(vec![3, 20, 10]));
        assert_eq!(fit(&[3, 30, 30], 23), Some(vec![3, 10, 10]));
        assert_eq!(fit(&[30, 30], 14), None);
        assert_eq!(fit(&[3, 3], 6), Some(vec![3, 3]));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut("库存数量", 8), "库存数量");
        assert_eq!(cut("库存数量", 7), "库存数…");
        assert_eq!(cut("库存数量", 6), "库存…");
        assert_eq!(cut("abc", 2), "a…");
    }
}
