//! Values as people read them.

use crate::history::{Cell, ColumnShape};

/// A value of a column for people, on one line: texts in quotes, members of ENUM and SET by their names, bytes in
/// hexadecimal.
#[must_use]
pub fn shown(cell: &Cell, column: &ColumnShape) -> String {
    match cell {
        Cell::Text(text) => format!("'{}'", one_line(text)),
        Cell::Json(text) => one_line(text),
        Cell::Enum(0) => "''".to_owned(),
        Cell::Enum(n) => members(&column.declared)
            .get(usize::from(*n) - 1)
            .map_or_else(|| n.to_string(), |name| format!("'{}'", one_line(name))),
        Cell::Set(bits) => set(bits, &column.declared),
        Cell::Bit(bits) => bits
            .parse::<u64>()
            .map_or_else(|_| bits.clone(), |bits| format!("b'{bits:b}'")),
        cell => cell.to_string(),
    }
}

fn set(bits: &str, declared: &str) -> String {
    let members = members(declared);
    let Ok(mask) = bits.parse::<u64>() else {
        return bits.to_owned();
    };
    let known = members.len() >= 64 || mask >> members.len() == 0;
    if members.is_empty() || !known {
        return bits.to_owned();
    }
    let names = members.iter().enumerate();
    let names: Vec<&str> = names
        .filter(|(at, _)| mask >> at & 1 == 1)
        .map(|(_, name)| name.as_str())
        .collect();
    format!("'{}'", one_line(&names.join(",")))
}

/// Without what would break a line or move a cursor.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&c.escape_unicode().to_string()),
            c => out.push(c),
        }
    }
    out
}

/// The members of an ENUM or SET as its type names them: `enum('a','it''s')`. Empty for other types.
pub(super) fn members(declared: &str) -> Vec<String> {
    let lower = declared.to_ascii_lowercase();
    if !lower.starts_with("enum(") && !lower.starts_with("set(") {
        return Vec::new();
    }
    let mut members = Vec::new();
    let mut name: Option<String> = None;
    let mut chars = declared
        .chars()
        .skip_while(|c| *c != '(')
        .skip(1)
        .peekable();
    while let Some(c) = chars.next() {
        match (&mut name, c) {
            (None, '\'') => name = Some(String::new()),
            (None, ')') => break,
            (None, _) => {}
            (Some(text), '\'') if chars.peek() == Some(&'\'') => {
                chars.next();
                text.push('\'');
            }
            (Some(_), '\'') => members.extend(name.take()),
            (Some(text), c) => text.push(c),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(declared: &str) -> ColumnShape {
        ColumnShape {
            name: "c".into(),
            declared: declared.into(),
            generated: false,
        }
    }

    #[test]
    fn values_are_named_and_stay_on_their_line() {
        let sizes = "enum('s','it''s','x)l') utf8mb4_bin";
        for (cell, declared, expected) in [
            (Cell::Enum(2), sizes, "'it's'"),
            (Cell::Enum(3), sizes, "'x)l'"),
            (Cell::Enum(9), sizes, "9"),
            (Cell::Enum(0), sizes, "''"),
            (Cell::Set("5".into()), "set('r','w','x')", "'r,x'"),
            (Cell::Set("0".into()), "set('r','w','x')", "''"),
            (Cell::Set("8".into()), "set('r','w','x')", "8"),
            (Cell::Bit("5".into()), "bit(4)", "b'101'"),
            (
                Cell::Text("a\nb\u{1b}[0m".into()),
                "text",
                "'a\\nb\\u{1b}[0m'",
            ),
            (Cell::Hex("00ff".into()), "blob", "0x00ff"),
            (Cell::Null, "int", "NULL"),
        ] {
            assert_eq!(shown(&cell, &column(declared)), expected);
        }
    }
}
