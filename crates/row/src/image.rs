//! Rows of a log, by the definition that their table has now.
//!
//! A log tells of each row what its table was like then: types always, names and members of an `ENUM` with
//! `binlog_row_metadata = FULL` (MySQL 8.0 and MariaDB 10.5 on). Read by another definition a value would land in another
//! column, or mean another member.

use twinlog_binlog::{Column, ColumnHint, ColumnType, Image, Value};

use super::{ColumnInfo, Kind, Row, RowError, TableInfo, canonical};

/// A row of the log.
///
/// # Errors
/// [`RowError::OtherDefinition`] where the table had other columns then, or [`RowError::Image`].
pub fn read_image(table: &TableInfo, image: Image<'_>) -> Result<Row, RowError> {
    let hints: Vec<ColumnHint> = table
        .columns
        .iter()
        .map(|column| column.kind.hint())
        .collect();
    if !is_of(table, image) {
        return Err(other(table));
    }
    let values = image.values(&hints)?.into_iter().zip(&table.columns);
    values
        .map(|(value, column)| {
            if is_garbled(column, &value) {
                return Err(other(table));
            }
            Ok(canonical(&column.kind, value))
        })
        .collect()
}

/// Whether an image has the columns that the table has now, as far as the log says.
#[must_use]
pub fn is_of(table: &TableInfo, image: Image<'_>) -> bool {
    let columns = &image.table().columns;
    let same = |(logged, now): (&Column, &ColumnInfo)| {
        let name = logged.name.as_deref();
        name.is_none_or(|name| name.eq_ignore_ascii_case(&now.name)) && fits(logged, now)
    };
    columns.len() == table.columns.len() && columns.iter().zip(&table.columns).all(same)
}

/// As [`read_image`], also of a row from before the table's definition changed: what the table has now, by the columns'
/// names; [`Value::Absent`] for a column that the row did not have, or had of another type.
///
/// # Errors
/// [`RowError::OtherDefinition`] where the log does not name columns, or [`RowError::Image`].
pub fn read_aged(table: &TableInfo, image: Image<'_>) -> Result<Row, RowError> {
    if is_of(table, image) {
        return read_image(table, image);
    }
    let logged = &image.table().columns;
    if logged.iter().any(|column| column.name.is_none()) {
        return Err(other(table));
    }
    let place = |now: &ColumnInfo| {
        let is_it = |column: &Column| {
            let name = column.name.as_deref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(&now.name)) && fits(column, now)
        };
        logged.iter().position(is_it)
    };
    let mut hints = vec![ColumnHint::default(); logged.len()];
    for now in &table.columns {
        if let Some(at) = place(now) {
            hints[at] = now.kind.hint();
        }
    }
    let values = image.values(&hints)?;
    let row = table.columns.iter().map(|now| {
        let value = place(now).and_then(|at| values.get(at).cloned());
        let value = value.filter(|value| !is_garbled(now, value));
        canonical(&now.kind, value.unwrap_or(Value::Absent))
    });
    Ok(row.collect())
}

/// Whether a row that [`read_aged`] read lacks a column of which the image has a value, of another type or of bytes that are
/// none of it.
pub fn is_retyped(table: &TableInfo, image: Image<'_>, row: &Row) -> bool {
    let names = image.table().columns.iter();
    let names: Vec<&str> = names.filter_map(|column| column.name.as_deref()).collect();
    let had = |now: &ColumnInfo| {
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&now.name))
    };
    let mut columns = table.columns.iter().zip(row);
    columns.any(|(now, value)| *value == Value::Absent && had(now))
}

fn other(table: &TableInfo) -> RowError {
    RowError::OtherDefinition {
        table: table.name.to_string(),
    }
}

/// Whether a column of the log can be this column: its values mean the same.
fn fits(logged: &Column, now: &ColumnInfo) -> bool {
    use ColumnType as Type;
    let is_binary = logged.collation == Some(BINARY);
    match (&now.kind, logged.kind) {
        (Kind::Int { bytes, unsigned }, kind) => {
            let width = match kind {
                Type::Tiny => 1,
                Type::Short => 2,
                Type::Int24 => 3,
                Type::Long => 4,
                Type::LongLong => 8,
                _ => return false,
            };
            *bytes == width && logged.unsigned.is_none_or(|logged| logged == *unsigned)
        }
        (Kind::Float, kind) => kind == Type::Float,
        (Kind::Double, kind) => kind == Type::Double,
        (Kind::Decimal, kind) => kind == Type::Decimal,
        (Kind::Year, kind) => kind == Type::Year,
        (Kind::Date, kind) => kind == Type::Date,
        (Kind::Time, kind) => matches!(kind, Type::Time | Type::OldTime),
        (Kind::DateTime, kind) => matches!(kind, Type::DateTime | Type::OldDateTime),
        (Kind::Timestamp, kind) => matches!(kind, Type::Timestamp | Type::OldTimestamp),
        (Kind::Bit, kind) => kind == Type::Bit,
        (Kind::Enum, kind) => kind == Type::Enum && has_members(logged, &now.declared),
        (Kind::Set, kind) => kind == Type::Set && has_members(logged, &now.declared),
        (Kind::Json, kind) => kind == Type::Json,
        (Kind::Geometry, kind) => matches!(kind, Type::Geometry | Type::Blob),
        (Kind::Padded { .. } | Kind::Named(_), kind) => kind == Type::String,
        (Kind::Text { .. }, kind) => is_string(kind) && !is_binary,
        (Kind::Bytes, kind) => {
            kind == Type::Vector || is_string(kind) && (is_binary || logged.collation.is_none())
        }
        (Kind::Unknown(_), _) => true,
    }
}

/// The collation of binary strings, on all servers.
const BINARY: u16 = 63;

fn is_string(kind: ColumnType) -> bool {
    use ColumnType as Type;
    matches!(
        kind,
        Type::VarChar | Type::VarCharCompressed | Type::String | Type::Blob | Type::BlobCompressed
    )
}

/// Whether an `ENUM` or `SET` has the members that it had, as far as the log names them.
fn has_members(logged: &Column, declared: &str) -> bool {
    let now = members(declared);
    // Names in the log are in the column's character set, of which only ASCII is certain here.
    let then = logged.members.iter().map(|member| &**member);
    let same = |(then, now): (&[u8], &String)| !then.is_ascii() || then == now.as_bytes();
    logged.members.is_empty() || then.len() == now.len() && then.zip(&now).all(same)
}

/// The members in `enum('a','it''s')`.
fn members(declared: &str) -> Vec<String> {
    let list = declared.split_once('(').map_or("", |(_, list)| list);
    let mut members = Vec::new();
    let mut chars = list.chars().peekable();
    while chars.next_if_eq(&'\'').is_some() {
        let mut member = String::new();
        while let Some(char) = chars.next() {
            // A quote within is written twice.
            if char == '\'' && chars.next_if_eq(&'\'').is_none() {
                break;
            }
            member.push(char);
        }
        members.push(member);
        chars.next_if_eq(&',');
    }
    members
}

/// Whether a text is none in its column's character set: the column had another one then, which the log names by a number
/// only.
fn is_garbled(column: &ColumnInfo, value: &Value) -> bool {
    match (&column.kind, value) {
        (Kind::Text { charset }, Value::Bytes(bytes)) if charset.starts_with("utf8") => {
            std::str::from_utf8(bytes).is_err()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_the_server_writes_them() {
        assert_eq!(members("enum('a','it''s','x,y)')"), ["a", "it's", "x,y)"]);
        assert_eq!(members("set('') COLLATE utf8mb4_bin"), [""]);
        assert!(members("int(11)").is_empty());
    }
}
