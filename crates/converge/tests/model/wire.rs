//! The model's rows as a server sends them, and back.

use std::sync::Arc;

use bytes::Bytes;
use twinlog_binlog::{
    self as binlog, Column, ColumnType, CommitTime, Gtid, OwnedImage, RowsKind, Value,
};
use twinlog_converge::{ForeignKey, RepairMark, Side, TableKeys, TableName, UniqueKey};

use crate::{
    pair::{Flavour, Id, Mark, Pair},
    schema::{Change, PARENT, Row, Table, WIDTH},
};

/// The server ids of both nodes.
pub(crate) const SERVER_IDS: [u32; 2] = [101, 102];

/// What the log says of each table.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) names: Vec<TableName>,
    pub(crate) keys: Vec<TableKeys>,
    tables: Vec<Arc<binlog::Table>>,
    /// twinlog's own table: a repair writes it too.
    history: Arc<binlog::Table>,
}

fn name(database: &str, table: &str) -> TableName {
    TableName {
        database: database.into(),
        name: table.into(),
    }
}

fn described(id: u64, name: &TableName) -> Arc<binlog::Table> {
    let column = Column {
        kind: ColumnType::Long,
        meta: 0,
        nullable: true,
        unsigned: Some(false),
        collation: None,
        name: None,
        members: Vec::new(),
    };
    let columns = vec![column; WIDTH];
    Arc::new(binlog::Table::new(
        id,
        Arc::clone(&name.database),
        Arc::clone(&name.name),
        columns,
        vec![0],
    ))
}

impl Wire {
    pub(crate) fn new(schema: &[Table]) -> Self {
        let names: Vec<_> = (0..schema.len())
            .map(|at| name("shop", &format!("t{at}")))
            .collect();
        let keys = schema
            .iter()
            .map(|table| TableKeys {
                unique: table
                    .unique
                    .iter()
                    .enumerate()
                    .map(|(at, columns)| UniqueKey {
                        name: if at == 0 {
                            "PRIMARY".into()
                        } else {
                            format!("u{at}").into()
                        },
                        columns: columns.clone(),
                    })
                    .collect(),
                foreign: table
                    .foreign
                    .iter()
                    .map(|&(parent, column)| ForeignKey {
                        columns: vec![PARENT],
                        parent: names[parent].clone(),
                        parent_columns: vec![column],
                    })
                    .collect(),
            })
            .collect();
        let tables = names
            .iter()
            .enumerate()
            .map(|(at, name)| described(at as u64, name))
            .collect();
        Self {
            names,
            keys,
            tables,
            history: described(99, &name("twinlog", "conflict")),
        }
    }

    /// The keys of a table, by its name; `None` for twinlog's own.
    pub(crate) fn keys_of(&self, table: &TableName) -> Option<TableKeys> {
        let at = self.names.iter().position(|name| name == table)?;
        Some(self.keys[at].clone())
    }

    /// A table's place in the schema.
    pub(crate) fn place(&self, table: &TableName) -> usize {
        self.names
            .iter()
            .position(|name| name == table)
            .expect("a table of the model")
    }

    fn rows(&self, table: &Arc<binlog::Table>, changes: &[Change]) -> binlog::Change {
        let kind = match (changes[0].before, changes[0].after) {
            (None, _) => RowsKind::Insert,
            (Some(_), Some(_)) => RowsKind::Update,
            (Some(_), None) => RowsKind::Delete,
        };
        let mut data = Vec::with_capacity(changes.len() * 64);
        for change in changes {
            for row in [change.before, change.after].into_iter().flatten() {
                encode(&row, &mut data);
            }
        }
        let full = Bytes::from_static(&[0xff]);
        binlog::Change::Rows(binlog::Rows {
            table: Arc::clone(table),
            kind,
            present: full.clone(),
            present_after: full,
            data: data.into(),
        })
    }

    /// A transaction as one node's log has it.
    pub(crate) fn transaction(&self, pair: &Pair, id: Id, log: Side) -> binlog::Transaction {
        let transaction = &pair.transactions[id];
        let logged = transaction.logged[log.index()]
            .as_deref()
            .unwrap_or_default();
        // Every second transaction's neighbours of one kind are rows of one event, as a statement's are.
        let together = |a: &Change, b: &Change| {
            id.is_multiple_of(2)
                && a.table == b.table
                && a.before.is_some() == b.before.is_some()
                && a.after.is_some() == b.after.is_some()
        };
        let mut changes: Vec<_> = logged
            .chunk_by(together)
            .map(|rows| self.rows(&self.tables[rows[0].table], rows))
            .collect();
        if transaction.repair.is_some() {
            let mut row: Row = [None; WIDTH];
            row[0] = i32::try_from(id).ok();
            let change = Change::new(0, None, Some(row));
            changes.push(self.rows(&self.history, &[change]));
        }
        binlog::Transaction {
            gtid: Some(gtid(pair, id)),
            server_id: SERVER_IDS[transaction.origin.index()],
            committed: time(pair.flavour, transaction.micros),
            logged_us: (pair.flavour == Flavour::MySql).then_some(transaction.micros),
            changes,
            xa: None,
            file: "binlog.000001".into(),
            start: 0,
            end: 0,
            size_bytes: 200 + logged.len() * 80,
        }
    }

    /// A row as an image of its table.
    pub(crate) fn image(&self, table: usize, row: &Row) -> OwnedImage {
        let mut data = Vec::new();
        encode(row, &mut data);
        OwnedImage::new(
            Arc::clone(&self.tables[table]),
            Bytes::from_static(&[0xff]),
            data.into(),
        )
        .expect("a full image")
    }
}

fn time(flavour: Flavour, micros: u64) -> CommitTime {
    CommitTime {
        micros,
        exact: flavour == Flavour::MySql,
    }
}

/// A transaction's mark as twinlog's own.
pub(crate) fn mark(pair: &Pair, id: Id) -> Option<RepairMark> {
    let transaction = &pair.transactions[id];
    let Mark { origin, micros } = transaction.repair?;
    Some(RepairMark {
        origin,
        committed: time(pair.flavour, micros),
        judged: Some(Arc::clone(&transaction.judged)),
    })
}

/// A transaction's name.
pub(crate) fn gtid(pair: &Pair, id: Id) -> Gtid {
    let transaction = &pair.transactions[id];
    let at = transaction.origin.index();
    match pair.flavour {
        Flavour::MySql => Gtid::MySql {
            uuid: [at as u8; 16],
            tag: None,
            sequence: transaction.sequence,
        },
        Flavour::MariaDb => Gtid::MariaDb {
            domain: at as u32,
            server_id: SERVER_IDS[at],
            sequence: transaction.sequence,
        },
    }
}

/// The origin and the number there that a name says.
pub(crate) fn origin(gtid: &Gtid) -> (Side, u64) {
    let (at, sequence) = match gtid {
        Gtid::MySql { uuid, sequence, .. } => (usize::from(uuid[0]), *sequence),
        Gtid::MariaDb {
            domain, sequence, ..
        } => (*domain as usize, *sequence),
    };
    (Side::BOTH[at], sequence)
}

fn encode(row: &Row, data: &mut Vec<u8>) {
    let nulls = (0..WIDTH)
        .filter(|&at| row[at].is_none())
        .map(|at| 1 << at)
        .sum();
    data.push(nulls);
    for cell in row.iter().flatten() {
        data.extend_from_slice(&cell.to_le_bytes());
    }
}

/// The row of an image; columns that it does not have are NULL.
pub(crate) fn decode(image: &OwnedImage) -> Row {
    let image = image.as_image();
    let mut row: Row = [None; WIDTH];
    for (at, cell) in row.iter_mut().enumerate() {
        let raw = image.column(at).expect("an image of the model");
        *cell = raw
            .bytes()
            .map(|bytes| i32::from_le_bytes(bytes.try_into().expect("four bytes")));
    }
    row
}

/// The row of decoded values.
pub(crate) fn from_values(values: &[Value]) -> Row {
    let mut row: Row = [None; WIDTH];
    for (cell, value) in row.iter_mut().zip(values) {
        *cell = match value {
            Value::Null => None,
            Value::Int(number) => Some(i32::try_from(*number).expect("a LONG")),
            Value::UInt(number) => Some(i32::try_from(*number).expect("a LONG")),
            other => panic!("{other:?} in a column of the model"),
        };
    }
    row
}
