//! Every version in full, as JSON: nothing that a client wrote is lost, whatever was chosen.
//!
//! The JSON is a contract: fields are added, never changed; [`DETAIL_VERSION`] counts what an older reader cannot read. In the
//! table long values are stored once each, see [`super::packed`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinlog_binlog::Value;

use super::Ruling;

/// The version of the JSON that is written.
pub const DETAIL_VERSION: u32 = 1;

/// All that is known of one conflict. What the two nodes hold or did is in lists of two: the first node, the second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// [`DETAIL_VERSION`].
    pub version: u32,
    /// The nodes' names.
    pub nodes: [String; 2],
    /// The tables of the rows.
    #[serde(default)]
    pub tables: Vec<TableShape>,
    /// The rows that were judged together.
    #[serde(default)]
    pub rows: Vec<RowDetail>,
    /// What clients wrote, each write after all that it had seen.
    #[serde(default)]
    pub writes: Vec<WriteDetail>,
    /// Pairs of transactions that had not seen each other.
    #[serde(default)]
    pub conflicts: Vec<[String; 2]>,
    /// Each node's statement, for definitions that both changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<[String; 2]>,
    /// Whether the rows were taken as one node held them when they were repaired, which may have been after these writes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_held: bool,
    /// Whether a comparison of both nodes found it, and not the logs. Its repair is in no log either: it was written on the
    /// node that did not hold what was chosen, and nowhere else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared: bool,
    /// What kept a repair from being made, the last one last.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// What people decided about it, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rulings: Vec<Ruling>,
}

/// A table's columns, to read the rows by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableShape {
    /// Its database.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in the order of a row's cells.
    pub columns: Vec<ColumnShape>,
    /// The positions of the columns that name a row.
    pub key: Vec<usize>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Its type as the server writes it.
    pub declared: String,
    /// Whether the server computes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowDetail {
    /// Its table: an index into [`Detail::tables`].
    pub table: usize,
    /// The values of the columns that name it.
    pub key: Vec<Cell>,
    /// What it was before.
    pub base: Told,
    /// What each node held.
    pub held: [Told; 2],
    /// What both nodes shall hold.
    pub chosen: Told,
}

/// What is known of a row at some moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It was this.
    Row(Vec<Cell>),
    /// There was no such row.
    Gone,
    /// Nobody knows, or nothing was chosen.
    Unknown,
}

/// One client's change of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WriteDetail {
    /// The node where it was committed.
    pub node: String,
    /// Its transaction.
    pub gtid: String,
    /// When it was committed: microseconds since 1970.
    pub committed_us: u64,
    /// Whether the microseconds are known; else only the second is.
    pub exact: bool,
    /// Whether it was twinlog's own repair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repair: bool,
    /// The row it found: an index into [`Detail::rows`], and its cells.
    pub before: Option<(usize, Vec<Cell>)>,
    /// The row it left.
    pub after: Option<(usize, Vec<Cell>)>,
    /// Whether a column of its rows had another type then than the table has now, and so is missing in their cells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retyped: bool,
    /// The other node's writes (indices into [`Detail::writes`]) that it had not seen and that had not seen it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<usize>,
}

/// A repair that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// On which node.
    pub node: String,
    /// The server's error number, where it was the server.
    pub code: Option<u16>,
    /// Why.
    pub message: String,
}

/// Longer than this, a value is stored once for all that have it, and left out of an entry that is too much for the server.
pub(super) const LONG_BYTES: usize = 255;

/// One value, without loss: numbers as their digits, bytes as text where they are plain UTF-8 and else in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are named as in Value")]
pub enum Cell {
    Null,
    Absent,
    Int(String),
    Uint(String),
    Float(String),
    Double(String),
    Decimal(String),
    Date(String),
    Time(String),
    Datetime(String),
    Timestamp(String),
    Text(String),
    Hex(String),
    Bit(String),
    Enum(u16),
    Set(String),
    Json(String),
    Geometry(String),
    Vector(String),
    Inet(String),
    Uuid(String),
}

impl Detail {
    /// Leaves out all long values: where they are too much for the server.
    pub(crate) fn leave_out_long(&mut self) {
        let cut = |cells: &mut Vec<Cell>| {
            for cell in cells.iter_mut().filter(|cell| cell.is_long()) {
                *cell = Cell::Absent;
            }
        };
        let told = |told: &mut Told| {
            if let Told::Row(cells) = told {
                cut(cells);
            }
        };
        for row in &mut self.rows {
            [&mut row.base, &mut row.chosen].into_iter().for_each(told);
            row.held.iter_mut().for_each(told);
        }
        for write in &mut self.writes {
            let images = [&mut write.before, &mut write.after];
            images
                .into_iter()
                .flatten()
                .for_each(|(_, cells)| cut(cells));
        }
        for ruled in self.rulings.iter_mut().flat_map(|it| &mut it.rows) {
            told(&mut ruled.wanted);
            ruled.found.iter_mut().for_each(told);
        }
    }

    /// The values that name a row, for people: `id=5`.
    #[must_use]
    pub fn key_text(&self, row: &RowDetail) -> String {
        let Some(table) = self.tables.get(row.table) else {
            return String::new();
        };
        let terms = table.key.iter().zip(&row.key).map(|(&at, cell)| {
            let name = table.columns.get(at).map_or("?", |column| &column.name);
            format!("{name}={cell}")
        });
        terms.collect::<Vec<_>>().join(", ")
    }

    /// `database.table` of a row.
    #[must_use]
    pub fn table_name(&self, row: &RowDetail) -> String {
        let table = self.tables.get(row.table);
        table.map_or_else(String::new, |table| {
            format!("{}.{}", table.schema, table.name)
        })
    }

    /// The names of a row's columns.
    #[must_use]
    pub fn column_names(&self, row: &RowDetail) -> Vec<String> {
        let columns = self.tables.get(row.table).map(|table| &table.columns);
        let columns = columns.into_iter().flatten();
        columns.map(|column| column.name.clone()).collect()
    }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Absent => Self::Absent,
            Value::Int(n) => Self::Int(n.to_string()),
            Value::UInt(n) => Self::Uint(n.to_string()),
            Value::Float(n) => Self::Float(n.to_string()),
            Value::Double(n) => Self::Double(n.to_string()),
            Value::Decimal(text) => Self::Decimal(text.clone()),
            Value::Date(text) => Self::Date(text.clone()),
            Value::Time(text) => Self::Time(text.clone()),
            Value::DateTime(text) => Self::Datetime(text.clone()),
            Value::Timestamp(text) => Self::Timestamp(text.clone()),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text)
                    if text
                        .chars()
                        .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')) =>
                {
                    Self::Text(text.to_owned())
                }
                _ => Self::Hex(hex(bytes)),
            },
            Value::Bit(n) => Self::Bit(n.to_string()),
            Value::Enum(n) => Self::Enum(*n),
            Value::Set(n) => Self::Set(n.to_string()),
            Value::Json(text) => Self::Json(text.clone()),
            Value::Geometry(bytes) => Self::Geometry(hex(bytes)),
            Value::Vector(bytes) => Self::Vector(hex(bytes)),
            Value::Inet(text) => Self::Inet(text.clone()),
            Value::Uuid(text) => Self::Uuid(text.clone()),
        }
    }
}

impl Cell {
    fn is_long(&self) -> bool {
        match self {
            Self::Text(text) | Self::Hex(text) | Self::Json(text) | Self::Geometry(text) => {
                text.len() > LONG_BYTES
            }
            _ => false,
        }
    }

    /// The value; `None` where what is written is none.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Absent => Value::Absent,
            Self::Int(text) => Value::Int(text.parse().ok()?),
            Self::Uint(text) => Value::UInt(text.parse().ok()?),
            Self::Float(text) => Value::Float(text.parse().ok()?),
            Self::Double(text) => Value::Double(text.parse().ok()?),
            Self::Decimal(text) => Value::Decimal(text.clone()),
            Self::Date(text) => Value::Date(text.clone()),
            Self::Time(text) => Value::Time(text.clone()),
            Self::Datetime(text) => Value::DateTime(text.clone()),
            Self::Timestamp(text) => Value::Timestamp(text.clone()),
            Self::Text(text) => Value::Bytes(text.clone().into_bytes()),
            Self::Hex(text) => Value::Bytes(unhex(text)?),
            Self::Bit(text) => Value::Bit(text.parse().ok()?),
            Self::Enum(n) => Value::Enum(*n),
            Self::Set(text) => Value::Set(text.parse().ok()?),
            Self::Json(text) => Value::Json(text.clone()),
            Self::Geometry(text) => Value::Geometry(unhex(text)?),
            Self::Vector(text) => Value::Vector(unhex(text)?),
            Self::Inet(text) => Value::Inet(text.clone()),
            Self::Uuid(text) => Value::Uuid(text.clone()),
        })
    }
}

/// For people: text in quotes, bytes as `0x…`, the rest as its digits.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Absent => f.write_str("(not in the log)"),
            Self::Int(text)
            | Self::Uint(text)
            | Self::Float(text)
            | Self::Double(text)
            | Self::Decimal(text)
            | Self::Bit(text)
            | Self::Set(text)
            | Self::Json(text) => f.write_str(text),
            Self::Enum(n) => write!(f, "{n}"),
            Self::Date(text)
            | Self::Time(text)
            | Self::Datetime(text)
            | Self::Timestamp(text)
            | Self::Text(text)
            | Self::Inet(text)
            | Self::Uuid(text) => write!(f, "'{text}'"),
            Self::Hex(text) | Self::Geometry(text) | Self::Vector(text) => write!(f, "0x{text}"),
        }
    }
}

/// Cells of a row.
pub(crate) fn cells(values: &[Value]) -> Vec<Cell> {
    values.iter().map(Cell::from).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            Just(Value::Absent),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::UInt),
            any::<f32>()
                .prop_filter("a number", |n| n.is_finite())
                .prop_map(Value::Float),
            any::<f64>()
                .prop_filter("a number", |n| n.is_finite())
                .prop_map(Value::Double),
            ".*".prop_map(Value::Decimal),
            ".*".prop_map(|text: String| Value::Bytes(text.into_bytes())),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            any::<u64>().prop_map(Value::Bit),
            any::<u64>().prop_map(Value::Set),
            any::<u16>().prop_map(Value::Enum),
            ".*".prop_map(Value::Json),
            any::<Vec<u8>>().prop_map(Value::Geometry),
        ]
    }

    proptest! {
        #[test]
        fn every_value_comes_back_from_json(value in values()) {
            let json = serde_json::to_string(&Cell::from(&value)).expect("it serialises");
            let cell: Cell = serde_json::from_str(&json).expect("it parses");
            let back = cell.value().expect("it is a value");
            match (&value, &back) {
                (Value::Float(a), Value::Float(b)) => prop_assert_eq!(a.to_bits(), b.to_bits()),
                (Value::Double(a), Value::Double(b)) => prop_assert_eq!(a.to_bits(), b.to_bits()),
                _ => prop_assert_eq!(value, back),
            }
        }
    }
}
