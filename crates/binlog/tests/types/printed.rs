//! What SELECT printed, and values in the same form.

use std::{collections::HashMap, fs};

use twinlog_binlog::{ColumnType, Value};

use crate::recorded::path;

/// One value.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) table: String,
    pub(crate) column: String,
    /// Its column's place in the table.
    pub(crate) position: usize,
    /// DATA_TYPE, with `unsigned` where it is.
    pub(crate) kind: String,
    pub(crate) id: i64,
    pub(crate) text: String,
}

pub(crate) fn printed(server: &str) -> Vec<Printed> {
    let text = fs::read_to_string(path(&format!("{server}.tsv"))).expect("recorded");
    let mut positions: HashMap<String, Vec<String>> = HashMap::new();
    text.lines()
        .filter(|it| !it.starts_with('#'))
        .map(|line| {
            let fields: Vec<_> = line.splitn(5, '\t').collect();
            let [table, column, kind, id, text] = fields[..] else {
                panic!("{server}: {line}")
            };
            let columns = positions.entry(table.to_owned()).or_default();
            let position = columns.iter().position(|it| it == column);
            let position = position.unwrap_or_else(|| {
                columns.push(column.to_owned());
                columns.len() - 1
            });
            Printed {
                table: table.to_owned(),
                column: column.to_owned(),
                position,
                kind: kind.to_owned(),
                id: id.parse().expect("a number"),
                text: text.to_owned(),
            }
        })
        .collect()
}

impl Printed {
    /// The value in the form that `record.sh` had it printed in.
    pub(crate) fn form(&self, kind: &ColumnType, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Absent => "absent".to_owned(),
            Value::Int(it) => it.to_string(),
            Value::UInt(it) => match (self.kind.as_str(), kind) {
                ("year", _) => format!("{it:04}"),
                // ZEROFILL.
                _ if self.text.starts_with('0') => {
                    let width = self.text.len();
                    format!("{it:0width$}")
                }
                _ => it.to_string(),
            },
            // The printed digits must be of this very number.
            Value::Float(it) => self.if_same(f64::from(*it)),
            Value::Double(it) => self.if_same(*it),
            Value::Decimal(it) | Value::Json(it) => it.clone(),
            Value::Date(it) | Value::Time(it) | Value::DateTime(it) | Value::Timestamp(it) => {
                it.clone()
            }
            Value::Bytes(it) => {
                let mut bytes = it.clone();
                if self.kind == "binary" {
                    bytes.resize(self.text.len() / 2, 0);
                }
                hex(&bytes)
            }
            Value::Geometry(it) | Value::Vector(it) => hex(it),
            Value::Bit(it) | Value::Set(it) => it.to_string(),
            Value::Enum(it) => it.to_string(),
            Value::Inet(it) | Value::Uuid(it) => it.clone(),
        }
    }

    fn if_same(&self, value: f64) -> String {
        let printed: f64 = self.text.parse().expect("a number");
        if printed.to_bits() == value.to_bits() {
            self.text.clone()
        } else {
            format!("{value:e}")
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
