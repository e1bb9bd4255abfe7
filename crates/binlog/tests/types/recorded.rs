//! The recorded logs: their rows after all changes.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
};

use bytes::Bytes;
use twinlog_binlog::{Change, Column, Decoder, Flavour, Output, Rows, Value};

use crate::{Cell, Printed, hint};

/// What a file begins with, before its events.
const MAGIC: &[u8] = b"\xfebin";

/// The rows events of a log, in order.
pub(crate) struct Recorded {
    pub(crate) rows: Vec<Rows>,
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/types")
        .join(name)
}

impl Recorded {
    pub(crate) fn read(server: &str) -> Self {
        let file = fs::read(path(&format!("{server}.binlog"))).expect("recorded");
        assert!(file.starts_with(MAGIC), "{server}");
        let mut rest = Bytes::from(file).slice(MAGIC.len()..);
        let flavour = if server.starts_with("mariadb") {
            Flavour::MariaDb
        } else {
            Flavour::MySql
        };
        let mut decoder = Decoder::new(flavour);
        let mut rows = Vec::new();
        while !rest.is_empty() {
            let len = u32::from_le_bytes(rest[9..13].try_into().expect("four bytes"));
            let output = decoder.push(rest.split_to(len as usize)).expect("decodes");
            if let Output::Transaction(transaction) = output {
                rows.extend(transaction.changes.into_iter().filter_map(|it| match it {
                    Change::Rows(rows) => Some(rows),
                    Change::Statement(_) => None,
                }));
            }
        }
        Self { rows }
    }

    /// The columns of each table that has rows.
    pub(crate) fn tables(&self) -> HashMap<String, &[Column]> {
        self.rows
            .iter()
            .map(|it| (it.table.name.to_string(), it.table.columns.as_slice()))
            .collect()
    }
}

/// The rows that are left at the end, by their tables and ids.
pub(crate) fn rows(
    log: &Recorded,
    printed: &[Printed],
) -> BTreeMap<String, BTreeMap<i64, Vec<Cell>>> {
    let mut tables: BTreeMap<String, BTreeMap<i64, Vec<Cell>>> = BTreeMap::new();
    for rows in &log.rows {
        let name = rows.table.name.to_string();
        let mut hints = vec![Default::default(); rows.table.columns.len()];
        let mut id_at = None;
        for it in printed.iter().filter(|it| it.table == name) {
            hints[it.position] = hint(it);
            if it.column == "id" {
                id_at = Some(it.position);
            }
        }
        // A table that is empty at the end is not printed; its id is the last column.
        let id_at = id_at.unwrap_or(rows.table.columns.len() - 1);
        let table = tables.entry(name).or_default();
        for change in rows.changes() {
            let change = change.expect("can be walked");
            let cells = |image: twinlog_binlog::Image<'_>| -> (i64, Vec<Cell>) {
                let values = image.values(&hints).expect("can be decoded");
                let Value::Int(id) = values[id_at] else {
                    panic!("an id is {:?}", values[id_at])
                };
                let kinds = rows.table.columns.iter().map(|it| it.kind);
                (id, kinds.zip(values).collect())
            };
            if let Some(before) = change.before {
                let (id, before) = cells(before);
                // The before-image is the row that was there.
                assert_eq!(table.remove(&id), Some(before));
            }
            if let Some(after) = change.after {
                let (id, after) = cells(after);
                table.insert(id, after);
            }
        }
    }
    tables
}
