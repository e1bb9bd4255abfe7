//! How the story is shown: chapters, paragraphs, statements as typed, tables side by side.

use std::io::Write;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use twinlog_server::conn::ResultSet;

use super::Stop;

/// The columns of a paragraph; the story stands three to the right.
const WIDTH: usize = 78;
const MARGIN: &str = "   ";

/// Where the story is shown: standard output.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    chapters: usize,
}

impl Stage {
    /// Begins a numbered chapter; what is before it ends with an empty line.
    pub(crate) fn chapter(&mut self, title: &str) -> Result<(), Stop> {
        self.chapters += 1;
        self.line(&format!("\x1b[1m{}. {title}\x1b[0m", self.chapters))
    }

    /// A paragraph, wrapped.
    pub(crate) fn say(&self, text: &str) -> Result<(), Stop> {
        let lines: Vec<String> = wrap(text, WIDTH)
            .iter()
            .map(|line| format!("{MARGIN}{line}"))
            .collect();
        self.line(&format!("{}\n", lines.join("\n")))
    }

    /// Lines as they are.
    pub(crate) fn show(&self, text: &str) -> Result<(), Stop> {
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("{MARGIN}{line}").trim_end().to_owned())
            .collect();
        self.line(&lines.join("\n"))
    }

    /// An empty line.
    pub(crate) fn gap(&self) -> Result<(), Stop> {
        self.line("")
    }

    /// A command, behind a shell's prompt.
    pub(crate) fn command(&self, command: &str) -> Result<(), Stop> {
        self.show(&format!("\x1b[1;36m$\x1b[0m {command}"))
    }

    /// A statement, behind the prompt of the node it is typed on.
    pub(crate) fn typed(&self, node: &str, sql: &str) -> Result<(), Stop> {
        let indent = " ".repeat(node.chars().count() + 2);
        let sql = sql.replace('\n', &format!("\n{indent}"));
        self.show(&format!("\x1b[1;36m{node}>\x1b[0m {sql};"))
    }

    /// A statement of each node, side by side.
    pub(crate) fn typed_both(&self, nodes: [&str; 2], sql: [&str; 2]) -> Result<(), Stop> {
        let [left, right] =
            [0, 1].map(|index| format!("\x1b[1;36m{}>\x1b[0m {};", nodes[index], sql[index]));
        let pad = 42_usize.saturating_sub(nodes[0].chars().count() + 3 + sql[0].chars().count());
        self.show(&format!("{left}{}   {right}", " ".repeat(pad)))
    }

    /// A table with a heading.
    pub(crate) fn table(&self, heading: &str, set: &ResultSet) -> Result<(), Stop> {
        self.show(&format!("{heading}\n{}", table(set)))
    }

    /// Two tables side by side, each under its heading.
    pub(crate) fn tables(&self, headings: [&str; 2], sets: [&ResultSet; 2]) -> Result<(), Stop> {
        let [left, right] =
            [0, 1].map(|index| format!("{}\n{}", headings[index], table(sets[index])));
        self.show(&beside(&left, &right))
    }

    fn line(&self, text: &str) -> Result<(), Stop> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(|_| Stop::Unread)
    }
}

fn table(set: &ResultSet) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(&set.columns);
    for row in &set.rows {
        table.add_row(row.columns().map(|(_, value)| value.unwrap_or("NULL")));
    }
    table.to_string()
}

/// Two texts as two columns.
fn beside(left: &str, right: &str) -> String {
    let longest = left.lines().map(|line| line.chars().count()).max();
    let width = longest.unwrap_or(0);
    let height = left.lines().count().max(right.lines().count());
    let fill = std::iter::repeat("");
    left.lines()
        .chain(fill.clone())
        .zip(right.lines().chain(fill))
        .take(height)
        .map(|(left, right)| format!("{left:width$}      {right}").trim_end().to_owned() + "\n")
        .collect()
}

/// The text in lines of at most `width` characters, broken between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use twinlog_server::conn::Row;

    use super::*;

    #[test]
    fn tables_of_unequal_height_stand_side_by_side() {
        let row = |id: &str| Row::from_columns([("id", Some(id)), ("v", None)]);
        let set = |rows: &[&str]| ResultSet {
            columns: vec!["id".into(), "v".into()],
            rows: rows.iter().map(|id| row(id)).collect(),
            affected: 0,
        };
        let shown = beside(&table(&set(&["1"])), &table(&set(&["1", "20"])));
        insta::assert_snapshot!("tables_side_by_side", shown);
    }

    #[test]
    fn paragraphs_are_broken_between_words() {
        assert_eq!(wrap("one two\n  three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrap("a→b b→a", 7), ["a→b b→a"]);
    }
}
