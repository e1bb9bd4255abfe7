//! The statements of a repair as people read them.

use twinlog_binlog::Value;

use super::shown::members;
use crate::resolve::{Guard, Op, OpKind, Repair};
use twinlog_row::{Kind, Row, RowError, TableInfo, identifier, literal};

/// The statements of a repair, in their order: of an update only the columns that change, texts as texts.
pub(super) fn statements(repair: &Repair) -> Result<Vec<String>, RowError> {
    let statement = |op: &Op| statement(&repair.rows[op.row], op.kind);
    repair.ops.iter().map(statement).collect()
}

fn statement(guard: &Guard, kind: OpKind) -> Result<String, RowError> {
    let table = &guard.table;
    let name = table.sql_name();
    let assigned = |row: &Row, at: usize| -> Result<(String, String), RowError> {
        Ok((
            identifier(&table.columns[at].name),
            plain(table, at, &row[at])?,
        ))
    };
    let key = table.key()?.columns.iter().zip(&guard.key);
    let place: Vec<String> = key
        .map(|(&at, value)| {
            let name = identifier(&table.columns[at].name);
            Ok(format!("{name} = {}", plain(table, at, value)?))
        })
        .collect::<Result<_, RowError>>()?;
    let place = place.join(" AND ");
    Ok(match (kind, &guard.expect, &guard.want) {
        (OpKind::Insert, _, Some(row)) => {
            let assigned: Vec<_> = table
                .stored()
                .map(|at| assigned(row, at))
                .collect::<Result<_, _>>()?;
            let (names, values): (Vec<_>, Vec<_>) = assigned.into_iter().unzip();
            format!(
                "INSERT INTO {name} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            )
        }
        (OpKind::Update, Some(before), Some(row)) => {
            let changed = table.stored().filter(|&at| before.get(at) != row.get(at));
            let terms: Vec<String> = changed
                .map(|at| assigned(row, at).map(|(name, value)| format!("{name} = {value}")))
                .collect::<Result<_, _>>()?;
            format!("UPDATE {name} SET {} WHERE {place}", terms.join(", "))
        }
        _ => format!("DELETE FROM {name} WHERE {place}"),
    })
}

/// A value as somebody would type it.
fn plain(table: &TableInfo, at: usize, value: &Value) -> Result<String, RowError> {
    let column = &table.columns[at];
    let text = match (value, &column.kind) {
        (Value::Bytes(bytes), Kind::Text { charset })
            if bytes.is_ascii() || charset.starts_with("utf8") =>
        {
            std::str::from_utf8(bytes).ok().and_then(quoted)
        }
        (Value::Json(text), _) => quoted(text),
        (Value::Float(n), _) => Some(n.to_string()),
        (Value::Double(n), _) => Some(n.to_string()),
        (Value::Enum(n), _) => members(&column.declared)
            .into_iter()
            .nth(usize::from(*n).wrapping_sub(1))
            .and_then(|name| quoted(&name)),
        _ => None,
    };
    text.map_or_else(|| literal(table, at, value), Ok)
}

/// A text as a literal of an ordinary session; `None` where it has characters that nobody types.
fn quoted(text: &str) -> Option<String> {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => return None,
            c => out.push(c),
        }
    }
    out.push('\'');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_can_be_pasted() {
        assert_eq!(quoted("it's\n").as_deref(), Some("'it''s\\n'"));
        assert_eq!(quoted("\u{1}"), None);
    }
}
