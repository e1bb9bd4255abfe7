//! What a column would hold after `SET column = 'text'`: the server itself says.
//!
//! A text has as many meanings as there are types, character sets, collations and settings. So the row is written as asked,
//! under strict rules, read back and rolled back: what was read is what the plan shows and the repair writes.

use twinlog_binlog::Value;

use super::{Error, want::Place};
use crate::resolve::{Content, Hand};
use twinlog_row::{
    Documents, Kind, SESSION, STRICT_SQL_MODE, TableInfo, assignments, identifier, locate, lock,
    run, text_literal,
};

/// The values that columns take, in their order. `start` is the row to begin with where the node has none of that key.
///
/// # Errors
/// [`Error::Value`] where the server does not take them.
pub(super) async fn values(
    hand: &mut Hand,
    place: &Place<'_>,
    start: &[Value],
    set: &[(usize, Option<&str>)],
) -> Result<Vec<Value>, Error> {
    let conn = hand.conn();
    run(
        conn,
        &format!("SET SESSION sql_mode = '{STRICT_SQL_MODE}'; START TRANSACTION"),
    )
    .await?;
    let tried = attempt(hand, place, start, set).await;
    run(hand.conn(), &format!("ROLLBACK; {SESSION}")).await?;
    tried
}

async fn attempt(
    hand: &mut Hand,
    place: &Place<'_>,
    start: &[Value],
    set: &[(usize, Option<&str>)],
) -> Result<Vec<Value>, Error> {
    let Place { node, table, key } = *place;
    let name = table.sql_name();
    let mut terms = Vec::new();
    for (at, text) in set {
        let column = &table.columns[*at];
        let value = text.map_or_else(
            || Ok("NULL".to_owned()),
            |text| {
                literal_of(&column.kind, text).ok_or_else(|| Error::Value {
                    node: node.to_owned(),
                    code: None,
                    message: format!("{} is {}: {text} is none", column.name, column.declared),
                })
            },
        )?;
        terms.push((*at, identifier(&column.name), value));
    }
    let there = Content::from(lock(hand.conn(), table, key).await?);
    let sql = if there.row().is_some() {
        let terms: Vec<String> = terms
            .iter()
            .map(|(_, name, value)| format!("{name} = {value}"))
            .collect();
        format!(
            "UPDATE {name} SET {} WHERE {} LIMIT 1",
            terms.join(", "),
            locate(table, key)?
        )
    } else {
        let start = start.to_vec();
        let mut row = assignments(table, &start, &Documents::default())?;
        for (_, name, value) in &terms {
            if let Some(column) = row.iter_mut().find(|(other, _)| other == name) {
                column.1.clone_from(value);
            }
        }
        let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        format!(
            "INSERT INTO {name} ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        )
    };
    run(hand.conn(), &sql).await.map_err(|error| match error {
        twinlog_server::conn::Error::Statement { code, message, .. } => Error::Value {
            node: node.to_owned(),
            code: Some(code),
            message,
        },
        error => error.into(),
    })?;
    let row = lock(hand.conn(), table, key).await?.unwrap_or_default();
    let value = |at: &usize| row.get(*at).cloned().unwrap_or(Value::Absent);
    Ok(set.iter().map(|(at, _)| value(at)).collect())
}

/// A text that somebody typed as SQL for a column of that type; `None` where it cannot be one.
fn literal_of(kind: &Kind, text: &str) -> Option<String> {
    let hex = || {
        let digits = text.strip_prefix("0x")?;
        let whole = digits.len().is_multiple_of(2) && digits.bytes().all(|c| c.is_ascii_hexdigit());
        whole.then(|| format!("x'{digits}'"))
    };
    Some(match kind {
        // A string would be its characters' bits.
        Kind::Bit => match text.strip_prefix("b'").and_then(|t| t.strip_suffix('\'')) {
            Some(bits) => u64::from_str_radix(bits, 2).ok()?.to_string(),
            None => text.parse::<u64>().ok()?.to_string(),
        },
        Kind::Padded { .. } | Kind::Bytes => hex().unwrap_or_else(|| text_literal(text)),
        Kind::Geometry => {
            hex().unwrap_or_else(|| format!("ST_GeomFromText({})", text_literal(text)))
        }
        _ => text_literal(text),
    })
}

/// The position of a column, by its name in any case.
pub(super) fn position(table: &TableInfo, column: &str) -> Result<usize, Error> {
    let name = table.name.to_string();
    let at = table
        .columns
        .iter()
        .position(|other| other.name.to_lowercase() == column.to_lowercase())
        .ok_or_else(|| Error::NoColumn {
            table: name.clone(),
            column: column.to_owned(),
            columns: table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
        })?;
    let fixed = |reason| Error::FixedColumn {
        table: name.clone(),
        column: table.columns[at].name.clone(),
        reason,
    };
    if table.columns[at].generated {
        return Err(fixed("the server computes it"));
    }
    if table.key()?.columns.contains(&at) {
        return Err(fixed("it names the row"));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_meant_by_the_columns_type() {
        let text = Kind::Text {
            charset: "latin1".into(),
        };
        for (kind, typed, sql) in [
            (&text, "it's", Some("_utf8mb4 x'69742773'")),
            (&Kind::Decimal, "1.50", Some("'1.50'")),
            (&Kind::Bit, "5", Some("5")),
            (&Kind::Bit, "b'101'", Some("5")),
            (&Kind::Bit, "five", None),
            (&Kind::Bytes, "0x00ff", Some("x'00ff'")),
            (&Kind::Bytes, "0x0", Some("'0x0'")),
            (
                &Kind::Geometry,
                "POINT(1 2)",
                Some("ST_GeomFromText('POINT(1 2)')"),
            ),
        ] {
            assert_eq!(literal_of(kind, typed).as_deref(), sql, "{kind} {typed}");
        }
    }
}
