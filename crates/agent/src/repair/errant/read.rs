//! The node's log, read into a file.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Map, json};
use twinlog_binlog::{Change, ColumnHint, Image, RowError as ImageError, Transaction, Value};
use twinlog_converge::TableName;
use twinlog_pair::site::Login;
use twinlog_row::{Row, TableInfo, is_of, key_of, read_image};
use twinlog_server::facts::Coordinates;

use super::{ENTRIES_MAX, Errant, SaveError};
use crate::{
    gtids,
    history::{Cell, cells},
    repair::bench::Bench,
    resolve::Content,
    stream::{self, Stretch},
    watch::is_replicated,
};

impl Errant<'_> {
    /// Reads the node's log, and writes the file.
    pub(super) async fn read(
        &mut self,
        bench: &mut Bench,
        name: &str,
        end: &Coordinates,
    ) -> Result<(), SaveError> {
        let node = self.site.nodes()[self.side.index()];
        let endpoint = self.site.endpoint(node, Login::Agent)?;
        let options = stream::Options::new(endpoint, self.from.clone(), self.ids.to_vec());
        let mut log = Stretch::open(options, end.clone());
        let path = self.path(name);
        // Whole, or not under its name.
        let part = path.with_extension("part");
        let mut file = create(&part)?;
        let told = |source| SaveError::File {
            path: path.clone(),
            source,
        };
        let stuck = |error| SaveError::Log(name.to_owned(), error);
        while let Some(transaction) = log.next().await.map_err(stuck)? {
            // The peer's own go on coming over the node's link.
            let gtid = transaction.gtid.as_ref();
            let is_known = gtid.is_some_and(|gtid| gtids::has(&self.known, gtid));
            if is_known || transaction.server_id == self.ids[1] {
                continue;
            }
            for line in self.lines(bench, &transaction).await? {
                writeln!(file, "{line}").map_err(told)?;
            }
        }
        log.close().await;
        let file = file
            .into_inner()
            .map_err(|error| told(error.into_error()))?;
        file.sync_all().map_err(told)?;
        fs::rename(&part, &path).map_err(told)?;
        // Its name, too.
        if let Some(dir) = path.parent() {
            File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(told)?;
        }
        match self.saved.transactions {
            0 => fs::remove_file(&path).map_err(told)?,
            _ => self.saved.file = Some(path),
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let dir = self.site.config.server.data_dir.join("rebuilt");
        dir.join(format!("{name}-{now}.jsonl"))
    }

    /// What a transaction did, a line each.
    async fn lines(
        &mut self,
        bench: &mut Bench,
        transaction: &Transaction,
    ) -> Result<Vec<String>, SaveError> {
        let gtid = transaction.gtid.as_ref().map(ToString::to_string);
        let micros = i64::try_from(transaction.committed.micros).unwrap_or_default();
        let committed = jiff::Timestamp::from_microsecond(micros).ok();
        let committed = committed.map(|time| time.to_string());
        let mut lines = Vec::new();
        for change in &transaction.changes {
            match change {
                Change::Rows(rows) => {
                    let table = TableName {
                        database: rows.table.database.clone(),
                        name: rows.table.name.clone(),
                    };
                    if !is_replicated(&self.site.config, &table) {
                        continue;
                    }
                    let info = self.known_table(bench, &table).await?[0].clone();
                    for row in rows {
                        let row = row?;
                        let mut line = json!({"gtid": gtid, "committed": committed, "table": table.to_string()});
                        let images = [("before", row.before), ("after", row.after)];
                        for (word, image) in images {
                            let Some(image) = image else { continue };
                            let known = info.as_deref().filter(|info| is_of(info, image));
                            let values = values(known, image)?;
                            line[word] = named(known, image, &values).into();
                            // A row that is changed is there after it, if under another key.
                            let content = (word == "after").then(|| values.clone());
                            // Nobody knows yet whether prepared rows come to be.
                            let known = known.filter(|_| transaction.xa.is_none());
                            self.note(&table, known, &values, content.into());
                        }
                        self.saved.changes += 1;
                        lines.push(line.to_string());
                    }
                }
                Change::Statement(statement) => {
                    let text = String::from_utf8_lossy(&statement.text);
                    self.forget_named(&statement.database, &text);
                    self.saved.statements += 1;
                    let line = json!({
                        "gtid": gtid, "committed": committed, "database": &*statement.database, "statement": text
                    });
                    lines.push(line.to_string());
                }
            }
        }
        self.saved.transactions += u64::from(!lines.is_empty());
        Ok(lines)
    }

    /// Notes what a row has become.
    fn note(&mut self, table: &TableName, info: Option<&TableInfo>, row: &Row, content: Content) {
        let key = info.and_then(|info| key_of(info, row).ok());
        // An image may have a part of the columns only.
        let is_part = |values: &[Value]| values.contains(&Value::Absent);
        let is_whole = !content.row().is_some_and(|row| is_part(row));
        if let Some(key) = key.filter(|key| is_whole && !is_part(key)) {
            let key = serde_json::to_string(&cells(&key)).unwrap_or_default();
            let key = (table.clone(), key);
            if self.rows.len() < ENTRIES_MAX || self.rows.contains_key(&key) {
                self.rows.insert(key, content);
                return;
            }
        }
        self.saved.unentered += 1;
    }

    /// A statement may have done anything to the rows of a table that it names.
    fn forget_named(&mut self, database: &str, statement: &str) {
        let statement = statement.to_lowercase().replace('`', "");
        let words: Vec<&str> = statement
            .split(|char: char| char.is_whitespace() || "(),;=".contains(char))
            .filter(|word| !word.is_empty())
            .collect();
        let drops = matches!(words.as_slice(), ["drop", "database" | "schema", ..]);
        let names = |table: &TableName| {
            let [of, name] = [&table.database, &table.name].map(|name| name.to_lowercase());
            let is_current = database.is_empty() || database.to_lowercase() == of;
            words.contains(&format!("{of}.{name}").as_str())
                || is_current && words.contains(&name.as_str())
                || drops && words.contains(&of.as_str())
        };
        let before = self.rows.len();
        self.rows.retain(|(table, _), _| !names(table));
        self.saved.unentered += before - self.rows.len();
    }
}

/// A row's values: by its table's definition, or as the log alone tells them where the table has another by now.
fn values(info: Option<&TableInfo>, image: Image<'_>) -> Result<Row, ImageError> {
    match info.map(|info| read_image(info, image)) {
        Some(Ok(row)) => Ok(row),
        _ => image.values(&vec![ColumnHint::default(); image.table().columns.len()]),
    }
}

/// The same by the columns' names, or their numbers where nobody names them.
fn named(info: Option<&TableInfo>, image: Image<'_>, row: &Row) -> Map<String, serde_json::Value> {
    let columns = image.table().columns.iter().zip(row).enumerate();
    columns
        .map(|(at, (column, value))| {
            let known = info.map(|info| info.columns[at].name.clone());
            let name = known.or_else(|| column.name.as_deref().map(str::to_owned));
            let cell = serde_json::to_value(Cell::from(value)).unwrap_or_default();
            (name.unwrap_or_else(|| format!("@{}", at + 1)), cell)
        })
        .collect()
}

/// A file for nobody else's eyes, new.
fn create(path: &Path) -> Result<BufWriter<File>, SaveError> {
    let told = |source| SaveError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(told)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(told)?;
    Ok(BufWriter::new(file))
}
