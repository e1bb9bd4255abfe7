//! The rows that a log says were written: their keys, or whole tables where it does not tell, or where they are many.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use twinlog_binlog::{Change, Image, Rows, Transaction, Value, Xa};
use twinlog_converge::{TableName, Touched};
use twinlog_row::{Reference, key_of, read_image};

use super::super::table::Table;
use crate::history::{Cell, cells};

/// A table of which more rows were written is compared as a whole: asking for each of them would take longer.
const KEYS_MAX: usize = 100_000;
/// Once the keys of all tables are longer together, the tables whose rows are written from then on are compared as a whole.
const KEYS_BYTES_MAX: usize = 64 << 20;

/// What of a table is to be compared.
#[derive(Debug)]
pub(in super::super) enum Extent {
    /// The rows with these keys, as cells in JSON.
    Keys(HashSet<Box<str>>),
    /// All of it.
    Whole,
}

/// What was written of some tables.
#[derive(Debug)]
pub(in super::super) struct Written {
    tables: HashMap<TableName, (Arc<Table>, Extent)>,
    keys_bytes: usize,
    /// Transactions whose rows were read, and that may be committed later.
    prepared: HashSet<Vec<u8>>,
}

impl Extent {
    fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Keys(keys) if keys.is_empty())
    }
}

impl Written {
    /// Nothing of these.
    pub(in super::super) fn of(tables: &[Arc<Table>]) -> Self {
        let nothing = || Extent::Keys(HashSet::new());
        let tables = tables
            .iter()
            .map(|table| (table.info.name.clone(), (Arc::clone(table), nothing())));
        let mut written = Self {
            tables: tables.collect(),
            keys_bytes: 0,
            prepared: HashSet::new(),
        };
        // What a foreign key does to rows need not be in a log, and what becomes of its parent is not looked at.
        let strangers = written.tables.values().filter(|(table, _)| {
            let mut parents = table.info.foreign.iter().map(|key| &key.parent);
            parents.any(|parent| !written.tables.contains_key(parent))
        });
        let strangers: Vec<TableName> = strangers
            .map(|(table, _)| table.info.name.clone())
            .collect();
        for name in &strangers {
            written.whole(name);
        }
        written
    }

    /// The tables of which anything was written, by name.
    pub(in super::super) fn into_extents(self) -> Vec<(Arc<Table>, Extent)> {
        let tables = self.tables.into_values();
        let mut tables: Vec<_> = tables.filter(|(_, extent)| !extent.is_nothing()).collect();
        tables.sort_by(|(left, _), (right, _)| left.info.name.cmp(&right.info.name));
        tables
    }

    pub(super) fn take(&mut self, transaction: &Transaction) {
        match &transaction.xa {
            Some(Xa::Prepare(xid)) => {
                self.prepared.insert(xid.to_vec());
            }
            // Its rows were prepared before: they stand where nothing is read.
            Some(Xa::Commit(xid))
                if !self.prepared.remove(&xid[..]) && transaction.changes.is_empty() =>
            {
                self.whole_database("");
            }
            _ => {}
        }
        for change in &transaction.changes {
            match change {
                Change::Rows(rows) => self.rows(rows),
                Change::Statement(statement) => match Touched::by(statement) {
                    Touched::Nothing => {}
                    Touched::Tables(names) => names.iter().for_each(|name| self.whole_like(name)),
                    Touched::Database(name) => self.whole_database(&name),
                },
            }
        }
    }

    fn rows(&mut self, rows: &Rows) {
        let name = TableName {
            database: rows.table.database.clone(),
            name: rows.table.name.clone(),
        };
        let Some((table, extent)) = self.tables.get(&name) else {
            return;
        };
        if extent.is_whole() {
            return;
        }
        let table = Arc::clone(table);
        if !rows.is_full() || !table.has_key() {
            self.whole(&name);
            return;
        }
        for row in rows {
            let Some(images) = row.ok().and_then(|row| {
                let [before, after] = [row.before, row.after].map(|image| values(&table, image));
                Some([before?, after?])
            }) else {
                self.whole(&name);
                return;
            };
            self.cascade(&table, &images);
            for values in images.iter().flatten() {
                self.key(&table, values);
            }
        }
    }

    /// A row with this key was written.
    fn key(&mut self, table: &Table, row: &[Value]) {
        let name = &table.info.name;
        let key = key_of(&table.info, row).ok();
        let key = key.filter(|key| !key.contains(&Value::Absent));
        let key = key.and_then(|key| serde_json::to_string(&cells(&key)).ok());
        let Some((_, Extent::Keys(keys))) = self.tables.get_mut(name) else {
            return;
        };
        match key {
            Some(key) if keys.contains(key.as_str()) => {}
            Some(key) if keys.len() < KEYS_MAX && self.keys_bytes + key.len() < KEYS_BYTES_MAX => {
                self.keys_bytes += key.len();
                keys.insert(key.into());
            }
            _ => self.whole(name),
        }
    }

    /// What foreign keys do to other tables' rows when this one is deleted, or its key changed, is not in every log.
    fn cascade(&mut self, table: &Table, images: &[Option<Vec<Value>>; 2]) {
        let is_hit = |reference: &&Reference| match images {
            [Some(_), None] => reference.deletes_cascade,
            [Some(before), Some(after)] => {
                let mut columns = reference.columns.iter();
                reference.updates_cascade && columns.any(|&at| before.get(at) != after.get(at))
            }
            _ => false,
        };
        let children: Vec<TableName> = table
            .info
            .referring
            .iter()
            .filter(is_hit)
            .map(|reference| reference.child.clone())
            .collect();
        for child in &children {
            self.whole(child);
        }
    }

    /// A table is to be compared as a whole, and those to whose rows its foreign keys may do something.
    fn whole(&mut self, name: &TableName) {
        let Some((table, extent)) = self.tables.get_mut(name) else {
            return;
        };
        let Extent::Keys(keys) = std::mem::replace(extent, Extent::Whole) else {
            return;
        };
        self.keys_bytes -= keys.iter().map(|key| key.len()).sum::<usize>();
        tracing::info!(
            "{name} is compared as a whole: not all that was written of it can be told by keys"
        );
        let table = Arc::clone(table);
        let referring = table.info.referring.iter();
        for reference in
            referring.filter(|reference| reference.deletes_cascade || reference.updates_cascade)
        {
            self.whole(&reference.child);
        }
    }

    /// The same of a name in a statement: servers may not tell small letters from large ones.
    fn whole_like(&mut self, name: &TableName) {
        self.whole_where(|table| {
            table.database.eq_ignore_ascii_case(&name.database)
                && table.name.eq_ignore_ascii_case(&name.name)
        });
    }

    fn whole_database(&mut self, name: &str) {
        self.whole_where(|table| name.is_empty() || table.database.eq_ignore_ascii_case(name));
    }

    fn whole_where(&mut self, is_meant: impl Fn(&TableName) -> bool) {
        let names = self.tables.keys().filter(|name| is_meant(name));
        let names: Vec<TableName> = names.cloned().collect();
        for name in &names {
            self.whole(name);
        }
    }
}

/// The key that [`Extent::Keys`] has; `None` where it is none.
pub(in super::super) fn key(text: &str) -> Option<Vec<Value>> {
    let cells: Vec<Cell> = serde_json::from_str(text).ok()?;
    cells.iter().map(Cell::value).collect()
}

/// The values of an image, if there is one; `None` where they cannot be read by the definition of now.
#[expect(
    clippy::option_option,
    reason = "no image, and one that cannot be read"
)]
fn values(table: &Table, image: Option<Image<'_>>) -> Option<Option<Vec<Value>>> {
    match image {
        None => Some(None),
        Some(image) => read_image(&table.info, image).ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use twinlog_row::{ColumnInfo, Hash, Kind, TableInfo, UniqueIndex};

    use super::{super::super::table::Size, *};

    fn name(name: &str) -> TableName {
        TableName {
            database: "shop".into(),
            name: name.into(),
        }
    }

    /// A table with an integer for its key, referred to by another one's foreign key.
    fn table(of: &str, child: Option<&str>) -> Arc<Table> {
        let kind = Kind::Int {
            bytes: 4,
            unsigned: false,
        };
        let referring = child.map(|child| Reference {
            child: name(child),
            child_columns: vec!["p".to_owned()],
            columns: vec![0],
            deletes_cascade: true,
            updates_cascade: false,
        });
        let info = TableInfo {
            name: name(of),
            columns: vec![ColumnInfo {
                name: "id".to_owned(),
                kind,
                declared: "int".to_owned(),
                generated: false,
                nullable: false,
            }],
            unique: vec![UniqueIndex {
                name: "PRIMARY".to_owned(),
                columns: vec![0],
                prefix: false,
                nullable: false,
            }],
            opaque: Vec::new(),
            foreign: Vec::new(),
            referring: referring.into_iter().collect(),
            triggers: Vec::new(),
            obstacle: None,
        };
        Arc::new(Table::new(info, Size::default(), Hash::Narrow, None))
    }

    fn told(written: Written) -> Vec<(String, Option<usize>)> {
        let extents = written.into_extents().into_iter();
        extents
            .map(|(table, extent)| {
                let keys = match extent {
                    Extent::Keys(keys) => Some(keys.len()),
                    Extent::Whole => None,
                };
                (table.info.name.to_string(), keys)
            })
            .collect()
    }

    #[test]
    fn of_many_rows_the_table_is_compared_as_a_whole() {
        let [few, many, none] = ["few", "many", "none"].map(|name| table(name, None));
        let mut written = Written::of(&[Arc::clone(&few), Arc::clone(&many), none]);
        for id in [1, 2, 1] {
            written.key(&few, &[Value::Int(id)]);
        }
        for id in 0..=KEYS_MAX as i64 {
            written.key(&many, &[Value::Int(id)]);
        }
        assert_eq!(
            told(written),
            [
                ("shop.few".to_owned(), Some(2)),
                ("shop.many".to_owned(), None)
            ]
        );
        assert_eq!(key("[{\"int\":\"7\"}]"), Some(vec![Value::Int(7)]));
    }

    #[test]
    fn what_foreign_keys_do_is_in_no_log() {
        let tables = [
            table("a", Some("b")),
            table("b", Some("c")),
            table("c", None),
        ];
        let mut written = Written::of(&tables);
        let row = || Some(vec![Value::Int(1)]);
        written.cascade(&tables[0], &[row(), row()]);
        written.cascade(&tables[0], &[None, row()]);
        assert_eq!(told(written), []);
        let mut written = Written::of(&tables);
        written.cascade(&tables[0], &[row(), None]);
        assert_eq!(
            told(written),
            [("shop.b".to_owned(), None), ("shop.c".to_owned(), None)]
        );
    }

    #[test]
    fn a_statement_may_have_done_anything() {
        let tables = ["t", "u"].map(|name| table(name, None));
        let mut written = Written::of(&tables);
        written.whole_like(&TableName {
            database: "SHOP".into(),
            name: "T".into(),
        });
        written.whole_database("blog");
        assert_eq!(told(written), [("shop.t".to_owned(), None)]);
        let mut written = Written::of(&tables);
        written.whole_database("");
        assert_eq!(told(written).len(), 2);
    }
}
