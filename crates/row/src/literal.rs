//! Values as SQL.

use std::fmt::Write as _;

use twinlog_binlog::Value;

use super::{ColumnInfo, Documents, Kind, Row, RowError, TableInfo};

pub use twinlog_server::sql::identifier;

/// A string literal in `utf8mb4` that means `text` in every session.
pub fn text_literal(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~' if byte != b'\\' && byte != b'\''))
    {
        format!("'{text}'")
    } else {
        format!("_utf8mb4 {}", hex(text.as_bytes()))
    }
}

/// Bytes as a literal: `x'…'`.
fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len() + 3);
    out.push_str("x'");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.push('\'');
    out
}

/// A value that stores exactly itself in the column.
///
/// # Errors
/// [`RowError::WrongValue`].
pub fn literal(table: &TableInfo, position: usize, value: &Value) -> Result<String, RowError> {
    let column = &table.columns[position];
    let wrong = || wrong(table, column, value);
    Ok(match (value, &column.kind) {
        (Value::Null, _) => "NULL".into(),
        (Value::Int(n), Kind::Int { .. }) => n.to_string(),
        (Value::UInt(n), Kind::Int { .. } | Kind::Year) => n.to_string(),
        // A FLOAT's own digits mean another number among doubles; a double in its shortest digits is read as itself, and
        // stored in a FLOAT without loss where it came from one.
        (Value::Float(n), Kind::Float) => format!("{:e}", f64::from(*n)),
        (Value::Double(n), Kind::Double) => format!("{n:e}"),
        (Value::Decimal(digits), Kind::Decimal) => digits.clone(),
        (Value::Date(text), Kind::Date)
        | (Value::Time(text), Kind::Time)
        | (Value::DateTime(text), Kind::DateTime)
        | (Value::Timestamp(text), Kind::Timestamp) => text_literal(text),
        (Value::Bytes(bytes), Kind::Text { charset }) => format!("_{charset} {}", hex(bytes)),
        (Value::Bytes(bytes), Kind::Padded { bytes: length }) => {
            let mut bytes = bytes.clone();
            bytes.resize((*length).max(bytes.len()), 0);
            hex(&bytes)
        }
        (Value::Bytes(bytes), Kind::Bytes) => hex(bytes),
        (Value::Inet(text) | Value::Uuid(text), Kind::Named(_)) => text_literal(text),
        (Value::Bit(n), Kind::Bit) | (Value::Set(n), Kind::Set) => n.to_string(),
        (Value::Enum(n), Kind::Enum) => n.to_string(),
        (Value::Json(text), Kind::Json) => {
            format!("CAST(_utf8mb4 {} AS JSON)", hex(text.as_bytes()))
        }
        // The server takes its own bytes, as mysqldump gives them to it.
        (Value::Geometry(bytes), Kind::Geometry) => hex(bytes),
        _ => return Err(wrong()),
    })
}

/// A predicate that is true exactly where the column holds the value, byte for byte: not by a collation, and NULL for
/// NULL. No index serves it; see [`locate`].
///
/// # Errors
/// [`RowError::WrongValue`].
pub fn matches(table: &TableInfo, position: usize, value: &Value) -> Result<String, RowError> {
    let column = &table.columns[position];
    let name = identifier(&column.name);
    Ok(match (value, &column.kind) {
        (Value::Null, _) => format!("{name} IS NULL"),
        (Value::Float(_), Kind::Float) | (Value::Double(_), Kind::Double) => {
            let is_zero = matches!(value, Value::Float(n) if *n == 0.0)
                || matches!(value, Value::Double(n) if *n == 0.0);
            let equal = format!("{name} = {}", literal(table, position, value)?);
            if is_zero {
                // The only two equal numbers that differ. No function of the servers tells the sign but this one.
                let negative = matches!(value, Value::Float(n) if n.is_sign_negative())
                    || matches!(value, Value::Double(n) if n.is_sign_negative());
                let sign = if negative { "<" } else { ">" };
                format!("({equal} AND ATAN2({name}, -1) {sign} 0)")
            } else {
                equal
            }
        }
        (Value::Timestamp(text), Kind::Timestamp) if text.starts_with(ZERO_DATE) => {
            format!("CAST({name} AS CHAR) LIKE '{ZERO_DATE}%'")
        }
        (
            Value::Date(_) | Value::Time(_) | Value::DateTime(_) | Value::Timestamp(_),
            Kind::Date | Kind::Time | Kind::DateTime | Kind::Timestamp,
        )
        | (Value::Inet(_) | Value::Uuid(_), Kind::Named(_)) => {
            format!(
                "CAST({name} AS CHAR) = {}",
                literal(table, position, value)?
            )
        }
        (Value::Bytes(_), Kind::Padded { .. }) => {
            format!(
                "CAST({name} AS BINARY) = {}",
                literal(table, position, value)?
            )
        }
        (Value::Bytes(bytes), Kind::Text { .. } | Kind::Bytes)
        | (Value::Geometry(bytes), Kind::Geometry) => {
            format!("CAST({name} AS BINARY) = {}", hex(bytes))
        }
        (Value::Json(text), Kind::Json) => {
            format!(
                "CAST(CAST({name} AS CHAR) AS BINARY) = {}",
                hex(text.as_bytes())
            )
        }
        (Value::Bit(_) | Value::Set(_) | Value::Enum(_), _) => {
            format!(
                "CAST({name} AS UNSIGNED) = {}",
                literal(table, position, value)?
            )
        }
        _ => format!("{name} = {}", literal(table, position, value)?),
    })
}

/// How a date of zeros begins; with fraction digits or without, it is one value.
pub(crate) const ZERO_DATE: &str = "0000-00-00 00:00:00";

/// The condition for the row that has these values in its naming key: one that the index serves, and one that is exact.
/// `key` holds the key's columns in the key's order.
///
/// # Errors
/// [`RowError::NoKey`] or [`RowError::WrongValue`].
pub fn locate(table: &TableInfo, key: &[Value]) -> Result<String, RowError> {
    let index = table.key()?;
    let mut terms = Vec::new();
    for (&position, value) in index.columns.iter().zip(key) {
        let column = &table.columns[position];
        let exact = matches(table, position, value)?;
        let by_index = format!(
            "{} = {}",
            identifier(&column.name),
            literal(table, position, value)?
        );
        if exact != by_index {
            terms.push(by_index);
        }
        terms.push(exact);
    }
    Ok(terms.join(" AND "))
}

/// `column = value, …` for every stored column of a row; documents with their types, as far as they are known.
///
/// # Errors
/// [`RowError::WrongValue`], also where the row lacks a column.
pub fn assignments(
    table: &TableInfo,
    row: &Row,
    documents: &Documents,
) -> Result<Vec<(String, String)>, RowError> {
    if row.len() != table.columns.len() {
        return Err(RowError::Shape {
            table: table.name.to_string(),
            expected: table.columns.len(),
            got: row.len(),
        });
    }
    let value = |at: usize| match &row[at] {
        Value::Json(text) => match documents.expression(at, text) {
            Some(sql) => Ok(sql.to_owned()),
            None => literal(table, at, &row[at]),
        },
        value => literal(table, at, value),
    };
    table
        .stored()
        .map(|at| Ok((identifier(&table.columns[at].name), value(at)?)))
        .collect()
}

fn wrong(table: &TableInfo, column: &ColumnInfo, value: &Value) -> RowError {
    RowError::WrongValue {
        table: table.name.to_string(),
        column: column.name.clone(),
        kind: column.kind.to_string(),
        value: match value {
            Value::Null => "NULL",
            Value::Absent => "a value that the log does not have",
            Value::Int(_) | Value::UInt(_) => "an integer",
            Value::Float(_) | Value::Double(_) => "a fraction",
            Value::Decimal(_) => "a decimal",
            Value::Date(_) | Value::Time(_) | Value::DateTime(_) | Value::Timestamp(_) => "a time",
            Value::Bytes(_) => "bytes",
            Value::Bit(_) | Value::Set(_) => "bits",
            Value::Enum(_) => "a member's number",
            Value::Json(_) => "JSON",
            Value::Geometry(_) => "a geometry",
            Value::Vector(_) => "a vector",
            Value::Inet(_) => "an address",
            Value::Uuid(_) => "a UUID",
        },
    }
}
