//! Rows from a `SELECT`, as the values that the log would give.

use twinlog_binlog::Value;
use twinlog_server::conn::Conn;

use super::{
    ColumnInfo, Kind, Named, Row, RowError, TableInfo, identifier, literal::ZERO_DATE, locate, run,
};

/// The expressions that select all columns of a row for [`parse_row`], whatever the session's character set.
pub fn select_list(table: &TableInfo) -> String {
    select_columns(table, 0..table.columns.len())
}

/// As [`select_list`], for some of its columns, by their positions.
pub fn select_columns(table: &TableInfo, positions: impl IntoIterator<Item = usize>) -> String {
    let columns = positions
        .into_iter()
        .map(|at| select_expression(&table.columns[at]));
    columns.collect::<Vec<_>>().join(", ")
}

/// An expression for a column's value that loses nothing of it and depends on no session's character set: bytes, a number,
/// or a text that is the same in every collation.
pub fn select_expression(column: &ColumnInfo) -> String {
    let name = identifier(&column.name);
    match column.kind {
        // As they are, a FLOAT loses digits, and a column with a scale is rounded. The sign of zero is lost on some.
        Kind::Float | Kind::Double => {
            format!("IF({name} = 0, IF(ATAN2({name}, -1) < 0, '-0', '0'), {name} * 1e0)")
        }
        Kind::Year => format!("{name} + 0"),
        Kind::Bit | Kind::Enum | Kind::Set => format!("CAST({name} AS UNSIGNED)"),
        // MySQL's functions on texts refuse a VECTOR (ERROR 1210).
        Kind::Bytes if column.is_vector() => format!("CAST({name} AS BINARY)"),
        // MariaDB's CAST gives NULL for what is longer than `max_allowed_packet`.
        Kind::Text { .. } | Kind::Padded { .. } | Kind::Bytes => {
            format!("CONVERT({name} USING binary)")
        }
        Kind::Geometry => format!("CAST({name} AS BINARY)"),
        Kind::Json => format!("CAST(CAST({name} AS CHAR) AS BINARY)"),
        Kind::Int { .. }
        | Kind::Decimal
        | Kind::Date
        | Kind::Time
        | Kind::DateTime
        | Kind::Timestamp
        | Kind::Named(_)
        | Kind::Unknown(_) => name,
    }
}

/// A row that [`select_list`] selected.
///
/// # Errors
/// [`RowError::Shape`] or [`RowError::Unreadable`].
pub fn parse_row(table: &TableInfo, row: Vec<Option<Vec<u8>>>) -> Result<Row, RowError> {
    parse_columns(table, 0..table.columns.len(), row)
}

/// What [`select_columns`] selected.
///
/// # Errors
/// As [`parse_row`].
pub fn parse_columns(
    table: &TableInfo,
    positions: impl ExactSizeIterator<Item = usize>,
    row: Vec<Option<Vec<u8>>>,
) -> Result<Row, RowError> {
    if row.len() != positions.len() {
        return Err(RowError::Shape {
            table: table.name.to_string(),
            expected: positions.len(),
            got: row.len(),
        });
    }
    let values = row.into_iter().zip(positions).map(|(bytes, at)| {
        let column = &table.columns[at];
        let Some(bytes) = bytes else {
            return Ok(Value::Null);
        };
        let value = parse(&column.kind, bytes).ok_or_else(|| RowError::Unreadable {
            table: table.name.to_string(),
            column: column.name.clone(),
            kind: column.kind.to_string(),
        })?;
        Ok(canonical(&column.kind, value))
    });
    values.collect()
}

fn parse(kind: &Kind, bytes: Vec<u8>) -> Option<Value> {
    if let Kind::Text { .. } | Kind::Padded { .. } | Kind::Bytes = kind {
        return Some(Value::Bytes(bytes));
    }
    if *kind == Kind::Geometry {
        return Some(Value::Geometry(bytes));
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(match kind {
        Kind::Int {
            unsigned: false, ..
        } => Value::Int(text.parse().ok()?),
        Kind::Int { unsigned: true, .. } | Kind::Year => Value::UInt(text.parse().ok()?),
        // Exact: the digits are of a double that came from a float.
        Kind::Float => Value::Float(text.parse::<f64>().ok()? as f32),
        Kind::Double => Value::Double(text.parse().ok()?),
        Kind::Decimal => Value::Decimal(text),
        Kind::Date => Value::Date(text),
        Kind::Time => Value::Time(text),
        Kind::DateTime => Value::DateTime(text),
        Kind::Timestamp => Value::Timestamp(text),
        Kind::Bit => Value::Bit(text.parse().ok()?),
        Kind::Enum => Value::Enum(text.parse().ok()?),
        Kind::Set => Value::Set(text.parse().ok()?),
        Kind::Json => Value::Json(text),
        Kind::Named(Named::Uuid) => Value::Uuid(text),
        Kind::Named(Named::Inet4 | Named::Inet6) => Value::Inet(text),
        Kind::Text { .. }
        | Kind::Padded { .. }
        | Kind::Bytes
        | Kind::Geometry
        | Kind::Unknown(_) => return None,
    })
}

/// The one form of a value that comparisons go by. Logs may lack the sign of integers (MySQL 5.6 never has it) and print
/// or pad what is the same in other ways.
#[must_use]
pub fn canonical(kind: &Kind, value: Value) -> Value {
    match (kind, value) {
        (
            Kind::Int {
                bytes,
                unsigned: true,
            },
            Value::Int(n),
        ) => {
            let bits = 8 * u32::from(*bytes);
            let mask = u64::MAX >> (64 - bits);
            Value::UInt(n as u64 & mask)
        }
        (
            Kind::Int {
                bytes,
                unsigned: false,
            },
            Value::UInt(n),
        ) => {
            let spare = 64 - 8 * u32::from(*bytes);
            Value::Int((n << spare) as i64 >> spare)
        }
        // ZEROFILL.
        (_, Value::Decimal(text)) => Value::Decimal(decimal(&text)),
        (_, Value::Timestamp(text)) if text.starts_with(ZERO_DATE) => {
            Value::Timestamp(ZERO_DATE.into())
        }
        (Kind::Bytes, Value::Vector(bytes)) => Value::Bytes(bytes),
        (Kind::Padded { .. }, Value::Bytes(mut bytes)) => {
            let end = bytes
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |last| last + 1);
            bytes.truncate(end);
            Value::Bytes(bytes)
        }
        (_, value) => value,
    }
}

/// Without zeros in front, but for one before the point.
fn decimal(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    format!("{sign}{whole}{fraction}")
}

/// The values that name a row, of one of its images or of itself.
///
/// # Errors
/// [`RowError::NoKey`].
pub fn key_of(table: &TableInfo, row: &[Value]) -> Result<Vec<Value>, RowError> {
    let key = table.key()?;
    Ok(key
        .columns
        .iter()
        .map(|&at| row.get(at).cloned().unwrap_or(Value::Absent))
        .collect())
}

/// What a node holds in the row with this key; `None` for no such row. See [`locate`] for `key`.
///
/// # Errors
/// The server's, or those of [`locate`] and [`parse_row`].
pub async fn read_held(
    conn: &mut Conn,
    table: &TableInfo,
    key: &[Value],
) -> Result<Option<Row>, RowError> {
    read(conn, table, key, "").await
}

/// As [`read_held`], with the row locked until the transaction ends.
pub async fn lock(
    conn: &mut Conn,
    table: &TableInfo,
    key: &[Value],
) -> Result<Option<Row>, RowError> {
    read(conn, table, key, " FOR UPDATE").await
}

async fn read(
    conn: &mut Conn,
    table: &TableInfo,
    key: &[Value],
    locking: &str,
) -> Result<Option<Row>, RowError> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {}{locking}",
        select_list(table),
        table.sql_name(),
        locate(table, key)?
    );
    let mut rows = run(conn, &sql).await?.into_iter();
    rows.next().map(|row| parse_row(table, row)).transpose()
}

/// Whether two rows hold the same in every column that is stored. `false` where a column is missing in one.
#[must_use]
pub fn same(table: &TableInfo, a: &Row, b: &Row) -> bool {
    a.len() == table.columns.len()
        && b.len() == a.len()
        && table.stored().all(|at| same_value(&a[at], &b[at]))
}

/// Equal to the bit: 0 is not -0.
fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Absent, _) | (_, Value::Absent) => false,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}
