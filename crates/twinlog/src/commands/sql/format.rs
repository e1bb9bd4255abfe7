//! Result sets as text: tables, tab-separated lines, upright, or JSON.

use std::{fmt::Write as _, io, io::Write};

use comfy_table::{
    Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle,
    presets::ASCII_FULL_CONDENSED,
};
use serde::ser::Serializer as _;
use twinlog_server::conn::{Column, Kind, Part};

/// A table is laid out by its widest value, so its rows are kept until it is whole, but not more than these: a longer
/// one becomes several tables.
const TABLE_ROWS_MAX: usize = 10_000;

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A table with borders.
    Table,
    /// Names, then values, separated by tabs.
    Tabs,
    /// Each column on a line of its own.
    Upright,
    /// An object a line.
    Json,
}

type Values = Vec<Option<Vec<u8>>>;

/// Writes what a statement returns as it comes.
pub(super) struct Printer<W> {
    style: Style,
    out: W,
    columns: Vec<Column>,
    /// Rows that wait for their table.
    waiting: Vec<Values>,
    /// Rows of this result set so far.
    count: u64,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(style: Style, out: W) -> Self {
        Self {
            style,
            out,
            columns: Vec::new(),
            waiting: Vec::new(),
            count: 0,
        }
    }

    /// Takes one part; returns what to tell the person at the terminal.
    pub(super) fn part(&mut self, part: Part) -> io::Result<Option<String>> {
        match part {
            Part::Columns(columns) => self.begin(columns)?,
            Part::Row(values) => {
                self.count += 1;
                self.row(values)?;
            }
            Part::End => {
                self.table()?;
                let people = matches!(self.style, Style::Table | Style::Upright);
                return Ok(people.then(|| match self.count {
                    0 => "no rows".to_owned(),
                    1 => "1 row".to_owned(),
                    count => format!("{count} rows"),
                }));
            }
            Part::Done { affected, warnings } => return Ok(Some(done(affected, warnings))),
        }
        Ok(None)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn begin(&mut self, mut columns: Vec<Column>) -> io::Result<()> {
        self.count = 0;
        match self.style {
            Style::Tabs => self.line(columns.iter().map(|column| escaped(&column.name)))?,
            Style::Json => make_distinct(&mut columns),
            Style::Table | Style::Upright => {}
        }
        self.columns = columns;
        Ok(())
    }

    fn row(&mut self, values: Values) -> io::Result<()> {
        match self.style {
            Style::Table => {
                self.waiting.push(values);
                if self.waiting.len() == TABLE_ROWS_MAX {
                    self.table()?;
                }
                Ok(())
            }
            Style::Tabs => {
                let fields = self.columns.iter().zip(&values);
                let fields: Vec<String> = fields
                    .map(|(column, value)| escaped(&text(column.kind, value.as_deref())))
                    .collect();
                self.line(fields.into_iter())
            }
            Style::Upright => self.upright(&values),
            Style::Json => {
                let fields = self.columns.iter().zip(&values);
                let fields = fields
                    .map(|(column, value)| (&column.name, json(column.kind, value.as_deref())));
                let mut serializer = serde_json::Serializer::new(&mut self.out);
                serializer.collect_map(fields)?;
                self.out.write_all(b"\n")
            }
        }
    }

    fn line(&mut self, fields: impl Iterator<Item = String>) -> io::Result<()> {
        let line: Vec<String> = fields.collect();
        writeln!(self.out, "{}", line.join("\t"))
    }

    fn upright(&mut self, values: &Values) -> io::Result<()> {
        let stars = "*".repeat(27);
        writeln!(self.out, "{stars} {}. row {stars}", self.count)?;
        let width = self
            .columns
            .iter()
            .map(|column| column.name.chars().count());
        let width = width.max().unwrap_or_default();
        for (column, value) in self.columns.iter().zip(values) {
            let value = printable(&text(column.kind, value.as_deref()));
            writeln!(self.out, "{:>width$}: {value}", printable(&column.name))?;
        }
        Ok(())
    }

    /// Writes the rows that wait.
    fn table(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table
            .load_style(BORDERS)
            // Wider than the terminal is what a client shows too: a cut value would be a lie.
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(self.columns.iter().map(|column| printable(&column.name)));
        for values in self.waiting.drain(..) {
            let cells = self.columns.iter().zip(&values).map(|(column, value)| {
                let align = if column.kind.is_number() {
                    CellAlignment::Right
                } else {
                    CellAlignment::Left
                };
                let text = printable(&text(column.kind, value.as_deref()));
                Cell::new(text).set_alignment(align)
            });
            table.add_row(cells);
        }
        writeln!(self.out, "{table}")
    }
}

/// As the servers' own clients draw it.
const BORDERS: TableStyle =
    ASCII_FULL_CONDENSED.header_separator(LineStyle::new('+', '-', '+', '+'));

fn done(affected: u64, warnings: u16) -> String {
    let rows = if affected == 1 { "row" } else { "rows" };
    let warned = match warnings {
        0 => String::new(),
        1 => ", 1 warning".into(),
        many => format!(", {many} warnings"),
    };
    format!("ok, {affected} {rows} affected{warned}")
}

/// Of columns with the same name, which one object cannot hold, the later ones get a number.
fn make_distinct(columns: &mut [Column]) {
    for index in 1..columns.len() {
        let taken = |name: &str| columns[..index].iter().any(|column| column.name == name);
        let base = columns[index].name.clone();
        let mut name = base.clone();
        let mut number = 2;
        while taken(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        columns[index].name = name;
    }
}

fn text(kind: Kind, value: Option<&[u8]>) -> String {
    match (kind, value) {
        (_, None) => "NULL".to_owned(),
        (Kind::Binary, Some(bytes)) => hex(bytes),
        (_, Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 + bytes.len() * 2);
    digits.push_str("0x");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02X}");
    }
    digits
}

fn json(kind: Kind, value: Option<&[u8]>) -> serde_json::Value {
    let Some(bytes) = value else {
        return serde_json::Value::Null;
    };
    let written = text(kind, Some(bytes));
    let number = match kind {
        Kind::Integer => written
            .parse::<i64>()
            .map(Into::into)
            .or_else(|_| written.parse::<u64>().map(Into::into))
            .ok(),
        Kind::Float => written
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64),
        Kind::Decimal | Kind::Text | Kind::Binary => None,
    };
    number.map_or_else(|| written.clone().into(), serde_json::Value::Number)
}

/// One field of a tab-separated line, escaped as the servers' clients do it, so that a line is a row.
fn escaped(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    for c in field.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out
}

/// Text for a terminal: what is stored in a table must not steer it.
fn printable(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return text.to_owned();
    }
    let steers = |c: char| c.is_control() && c != '\n';
    text.chars()
        .map(|c| match c {
            c if steers(c) => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(style: Style, columns: &[(&str, Kind)], rows: &[&[Option<&str>]]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(style, &mut out);
        let columns = columns.iter().map(|&(name, kind)| Column {
            name: name.into(),
            kind,
        });
        let mut notes = vec![printer.part(Part::Columns(columns.collect()))];
        for row in rows {
            let values = row.iter().map(|value| value.map(|v| v.as_bytes().to_vec()));
            notes.push(printer.part(Part::Row(values.collect())));
        }
        notes.push(printer.part(Part::End));
        let notes: Vec<String> = notes
            .into_iter()
            .filter_map(|note| note.expect("a Vec takes all"))
            .collect();
        format!(
            "{}-- {}\n",
            String::from_utf8(out).expect("UTF-8"),
            notes.join("; ")
        )
    }

    const COLUMNS: [(&str, Kind); 4] = [
        ("id", Kind::Integer),
        ("名前", Kind::Text),
        ("price", Kind::Decimal),
        ("raw", Kind::Binary),
    ];
    const ROWS: [&[Option<&str>]; 2] = [
        &[
            Some("7"),
            Some("two\nlines\t\\"),
            Some("9.90"),
            Some("\x01A"),
        ],
        &[
            Some("18446744073709551615"),
            Some("寿司\x1b[31m"),
            None,
            None,
        ],
    ];

    #[test]
    fn each_style_shows_every_value() {
        let all: Vec<String> = [Style::Table, Style::Tabs, Style::Upright, Style::Json]
            .map(|style| format!("{style:?}\n{}", shown(style, &COLUMNS, &ROWS)))
            .into();
        insta::assert_snapshot!("styles", all.join("\n"));
    }

    #[test]
    fn a_set_without_rows_still_names_its_columns_to_programs() {
        let columns = [("a", Kind::Text), ("b", Kind::Text)];
        assert_eq!(shown(Style::Tabs, &columns, &[]), "a\tb\n-- \n");
        assert_eq!(shown(Style::Table, &columns, &[]), "-- no rows\n");
        assert_eq!(shown(Style::Json, &columns, &[]), "-- \n");
    }

    #[test]
    fn columns_of_one_name_are_told_apart_in_json() {
        let columns = [
            ("a", Kind::Integer),
            ("a", Kind::Float),
            ("a_2", Kind::Text),
            ("a", Kind::Text),
        ];
        let row: &[Option<&str>] = &[Some("1"), Some("0.5"), Some("x"), Some("y")];
        assert_eq!(
            shown(Style::Json, &columns, &[row]),
            "{\"a\":1,\"a_2\":0.5,\"a_2_2\":\"x\",\"a_3\":\"y\"}\n-- \n"
        );
    }

    #[test]
    fn what_a_statement_changed_is_counted() {
        assert_eq!(done(1, 0), "ok, 1 row affected");
        assert_eq!(done(0, 2), "ok, 0 rows affected, 2 warnings");
    }
}
