//! The statements of a client: what is in a change's way is read and locked before it is overwritten.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use crate::ledger::{Change, mark};
use crate::schema::{CLIENT, Row, Shape, Table};
use crate::transactions::{Set, Step, With};

/// Why a transaction was not committed.
pub(crate) type Failed = mysql_async::Error;

/// A transaction on its way.
pub(crate) struct Open<'a> {
    pub(crate) conn: &'a mut Conn,
    pub(crate) tables: &'a [Table],
    pub(crate) name: &'a str,
    pub(crate) marks: u32,
    pub(crate) solo: bool,
    pub(crate) changes: Vec<Change>,
}

impl Open<'_> {
    fn mark(&mut self) -> String {
        self.marks += 1;
        mark(self.name, self.marks, self.solo)
    }

    /// The rows that match, in the order of their keys, locked.
    async fn locked(&mut self, table: usize, matching: &str) -> Result<Vec<Row>, Failed> {
        let table = &self.tables[table];
        let sql = format!(
            "SELECT {} FROM {} WHERE {matching} ORDER BY 1 FOR UPDATE",
            table.columns().join(", "),
            table.full_name()
        );
        let rows: Vec<mysql_async::Row> = self.conn.query(sql).await?;
        Ok(rows.into_iter().map(row_of).collect())
    }

    pub(crate) async fn step(&mut self, step: &Step) -> Result<(), Failed> {
        match step {
            Step::Insert { table, id, with } => {
                let after = self.new_row(*table, *id, with);
                self.write_row("INSERT", *table, &after).await?;
                self.changed(*table, None, Some(after));
            }
            Step::Replace { table, id, with } => self.replace(*table, *id, with).await?,
            Step::Update { table, id, set } => self.update(*table, *id, set).await?,
            Step::UpdateRange { table, from, to } => self.update_range(*table, *from, *to).await?,
            Step::Delete { table, id } => self.delete(*table, &format!("id = {id}")).await?,
            Step::DeleteRange { table, from, to } => {
                let matching = format!("id BETWEEN {from} AND {to}");
                self.delete(*table, &matching).await?;
            }
            Step::DeleteFamily { parent, child, id } => {
                self.locked(*parent, &format!("id = {id}")).await?;
                self.delete(*child, &format!("parent_id = {id}")).await?;
                self.delete(*parent, &format!("id = {id}")).await?;
            }
        }
        Ok(())
    }

    fn changed(&mut self, table: usize, before: Option<Row>, after: Option<Row>) {
        self.changes.push(Change {
            table,
            before,
            after,
            added: 0,
        });
    }

    fn new_row(&mut self, table: usize, id: u32, with: &With) -> Row {
        let shape = self.tables[table].shape;
        let id = Some(id.to_string());
        let code = with.code.clone();
        let (grp, slot) = with.place;
        match shape {
            Shape::Items => {
                let [grp, slot] = [grp, slot].map(|number| Some(number.to_string()));
                vec![id, code, grp, slot, Some(self.mark()), Some(self.mark())]
            }
            Shape::Parent => vec![id, Some(self.mark())],
            Shape::Child => vec![id, Some(with.parent.to_string()), Some(self.mark())],
            Shape::Counters => vec![id, Some("0".to_owned()), Some(self.mark())],
            Shape::Solo => vec![id, code, Some(self.mark()), Some(CLIENT.to_owned())],
            Shape::Journal => vec![Some(self.mark())],
        }
    }

    async fn write_row(&mut self, verb: &str, table: usize, row: &Row) -> Result<(), Failed> {
        let values: Vec<String> = row.iter().map(literal).collect();
        let table = &self.tables[table];
        let sql = format!(
            "{verb} INTO {} ({}) VALUES ({})",
            table.full_name(),
            table.columns().join(", "),
            values.join(", ")
        );
        self.conn.query_drop(sql).await
    }

    /// What is in the new row's way, by any key, is read first: the server deletes it.
    async fn replace(&mut self, table: usize, id: u32, with: &With) -> Result<(), Failed> {
        let after = self.new_row(table, id, with);
        let columns = self.tables[table].columns();
        let same = |name: &str| {
            let at = columns.iter().position(|column| *column == name)?;
            Some(format!("{name} = {}", literal(&after[at])))
        };
        let place = same("grp").zip(same("slot"));
        let place = place.map(|(grp, slot)| format!("({grp} AND {slot})"));
        let keys: Vec<String> = [same("id"), same("code"), place]
            .into_iter()
            .flatten()
            .collect();
        for row in self.locked(table, &keys.join(" OR ")).await? {
            self.changed(table, Some(row), None);
        }
        self.write_row("REPLACE", table, &after).await?;
        self.changed(table, None, Some(after));
        Ok(())
    }

    async fn delete(&mut self, table: usize, matching: &str) -> Result<(), Failed> {
        let rows = self.locked(table, matching).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "DELETE FROM {} WHERE {matching}",
            self.tables[table].full_name()
        );
        self.conn.query_drop(sql).await?;
        for row in rows {
            self.changed(table, Some(row), None);
        }
        Ok(())
    }

    async fn update(&mut self, table: usize, id: u32, set: &Set) -> Result<(), Failed> {
        let Some(before) = self.locked(table, &format!("id = {id}")).await?.pop() else {
            return Ok(());
        };
        let about = &self.tables[table];
        let (columns, marked) = (about.columns(), about.marked());
        let mut after = before.clone();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(at) = columns.iter().position(|column| *column == name) {
                after[at] = value;
            }
        };
        let (mut added, mut marks): (i64, Vec<usize>) = (0, marked.to_vec());
        match set {
            Set::Only(number) => marks = vec![marked[number % marked.len()]],
            Set::Marks => {}
            Set::Id(id) => put("id", Some(id.to_string())),
            Set::Code(code) => put("code", code.clone()),
            Set::Place(grp, slot) => {
                put("grp", Some(grp.to_string()));
                put("slot", Some(slot.to_string()));
            }
            Set::Parent(parent) => put("parent_id", Some(parent.to_string())),
            Set::Add { delta, note } => {
                added = *delta;
                marks.retain(|_| *note);
                let n = before[1].as_deref().and_then(|n| n.parse::<i64>().ok());
                put("n", n.map(|n| (n + delta).to_string()));
            }
        }
        for at in marks {
            after[at] = Some(self.mark());
        }
        let sets: Vec<String> = columns
            .iter()
            .zip(before.iter().zip(&after))
            .filter(|(_, (old, new))| old != new)
            .map(|(name, (_, new))| match (*name, added) {
                ("n", 1..) => format!("n = n + {added}"),
                _ => format!("{name} = {}", literal(new)),
            })
            .collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE id = {id}",
            self.tables[table].full_name(),
            sets.join(", ")
        );
        self.conn.query_drop(sql).await?;
        self.changed(table, Some(before), Some(after));
        if let Some(change) = self.changes.last_mut() {
            change.added = added;
        }
        Ok(())
    }

    /// One statement that changes several rows.
    async fn update_range(&mut self, table: usize, from: u32, to: u32) -> Result<(), Failed> {
        let matching = format!("id BETWEEN {from} AND {to}");
        let rows = self.locked(table, &matching).await?;
        self.marks += 1;
        let number = format!("{}r", self.marks);
        let at = self.tables[table].marked()[0];
        let column = self.tables[table].columns()[at];
        let sql = format!(
            "UPDATE {} SET {column} = CONCAT('~{}.{number}', id, '~') WHERE {matching}",
            self.tables[table].full_name(),
            self.name
        );
        self.conn.query_drop(sql).await?;
        for before in rows {
            let mut after = before.clone();
            let id = before[0].as_deref().unwrap_or_default();
            after[at] = Some(mark(self.name, format!("{number}{id}"), false));
            self.changed(table, Some(before), Some(after));
        }
        Ok(())
    }

    /// Notes the transaction in the journal.
    pub(crate) async fn note(&mut self) -> Result<(), Failed> {
        let Some(table) = self
            .tables
            .iter()
            .position(|table| table.shape == Shape::Journal)
        else {
            return Ok(());
        };
        self.solo = true;
        let row = vec![Some(self.mark())];
        self.write_row("INSERT", table, &row).await?;
        self.changed(table, None, Some(row));
        Ok(())
    }
}

fn literal(value: &Option<String>) -> String {
    value
        .as_ref()
        .map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
}

/// A row as texts.
pub(crate) fn row_of(row: mysql_async::Row) -> Row {
    let text = |value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    };
    row.unwrap().into_iter().map(text).collect()
}
