//! Rows on their way: as the source's `SELECT` gives them, and as `LOAD DATA` takes them. No connection here.
//!
//! Text goes as the bytes that it is stored in: neither server converts them (`character_set_results` is unset on one side,
//! `CHARACTER SET binary` said on the other).

use twinlog_row::{Kind, TableInfo, identifier, select_expression};

/// What the server asks for; no file is opened.
const FILE: &str = "twinlog";

/// The expressions that are selected of a row: all but what the server computes itself.
pub(super) fn selected(table: &TableInfo) -> String {
    let expressions = table.stored().map(|at| {
        let column = &table.columns[at];
        match column.kind {
            Kind::Float | Kind::Double | Kind::Bit | Kind::Enum | Kind::Set => {
                select_expression(column)
            }
            _ => identifier(&column.name),
        }
    });
    expressions.collect::<Vec<_>>().join(", ")
}

/// Which of [`selected`] are JSON documents, from 0: their text does not show all that they hold.
pub(super) fn documents(table: &TableInfo) -> Vec<usize> {
    let stored = table.stored().enumerate();
    let documents = stored.filter(|(_, at)| table.columns[*at].kind == Kind::Json);
    documents.map(|(number, _)| number).collect()
}

/// The statement that takes rows of [`selected`], as [`push_row`] writes them.
pub(super) fn load(table: &TableInfo) -> String {
    let mut fields = Vec::new();
    let mut computed = Vec::new();
    for (number, at) in table.stored().enumerate() {
        let column = &table.columns[at];
        let name = identifier(&column.name);
        let variable = format!("@v{number}");
        let value = match column.kind {
            // A text would be one of the names.
            Kind::Bit | Kind::Enum | Kind::Set => format!("CAST({variable} AS UNSIGNED)"),
            // Bytes would be taken for its own form, not for its text.
            Kind::Named(_) => format!("CONVERT({variable} USING ascii)"),
            // Bytes are no document.
            Kind::Json => format!("CONVERT({variable} USING utf8mb4)"),
            _ => {
                fields.push(name);
                continue;
            }
        };
        computed.push(format!("{name} = {value}"));
        fields.push(variable);
    }
    let mut sql = format!(
        "LOAD DATA LOCAL INFILE '{FILE}' INTO TABLE {} CHARACTER SET binary ({})",
        table.sql_name(),
        fields.join(", ")
    );
    if !computed.is_empty() {
        sql += &format!(" SET {}", computed.join(", "));
    }
    sql
}

/// Writes a row as a line with the statement's own defaults: tabs between, a backslash before what would be a tab, a line's
/// end or a backslash, `\N` for NULL.
pub(super) fn push_row(out: &mut Vec<u8>, row: &[Option<Vec<u8>>]) {
    for (at, value) in row.iter().enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        match value {
            None => out.extend_from_slice(b"\\N"),
            Some(bytes) => push_escaped(out, bytes),
        }
    }
    out.push(b'\n');
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    let special = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\\' | 0);
    while let Some(at) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == 0 { b'0' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line() {
        let mut out = Vec::new();
        let row = [
            None,
            Some(b"a\tb\nc\\d\0e".to_vec()),
            Some(Vec::new()),
            Some(b"\\N".to_vec()),
        ];
        push_row(&mut out, &row);
        assert_eq!(out, b"\\N\ta\\\tb\\\nc\\\\d\\0e\t\t\\\\N\n");
    }
}
