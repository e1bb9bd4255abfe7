//! A table to be compared, and the statements that ask a node about its rows. No connection here.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use twinlog_binlog::Value;
use twinlog_server::conn;
use xxhash_rust::xxh3::xxh3_64;

use super::{Error, bookmark::Begun};
use twinlog_row::{
    Hash, RawRow, Row, RowError, Span, TableInfo, key_of, locate, parse_columns, parse_row,
    select_columns, select_list, text_literal,
};

/// A table that both nodes have, with the same columns.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its definition on the first node.
    pub(crate) info: TableInfo,
    pub(super) size: Size,
    /// How far a run that was killed has compared it.
    pub(super) begun: Option<Begun>,
    hash: Hash,
    /// The user's condition.
    only: Option<String>,
    pub(super) tally: Tally,
}

/// So many hexadecimal digits of its rows' hashes divide a table without a key: into 4096 parts.
const BUCKET_DIGITS: u32 = 3;

/// What was seen of a table.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Stretches that are being compared.
    under_way: AtomicU64,
    is_cut: AtomicBool,
    is_given_up: AtomicBool,
    rows: [AtomicU64; 2],
    /// Rows that differ.
    differing: AtomicU64,
    failure: OnceLock<String>,
}

impl Tally {
    /// A stretch is being compared.
    pub(super) fn begin(&self, is_last: bool) {
        self.under_way.fetch_add(1, Relaxed);
        self.is_cut.fetch_or(is_last, Relaxed);
    }

    /// So many rows were compared on each node.
    pub(super) fn add(&self, rows: [u64; 2]) {
        for (all, rows) in self.rows.iter().zip(rows) {
            all.fetch_add(rows, Relaxed);
        }
    }

    /// A stretch was compared, in which each node has so many rows. Whether it was the last of the table.
    pub(super) fn end(&self, rows: [u64; 2]) -> bool {
        self.add(rows);
        self.under_way.fetch_sub(1, Relaxed) == 1 && self.is_cut.load(Relaxed)
    }

    /// A row differs. Beyond `max` the rest of the table is not worth a look.
    pub(super) fn found(&self, max: u64) {
        if self.differing.fetch_add(1, Relaxed) >= max {
            self.give_up();
        }
    }

    /// It is not worth another look.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Relaxed);
    }

    /// What went wrong with this table alone ends no more than its own comparison; anything else is handed back.
    pub(super) fn survive<T>(&self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Server(conn::Error::Statement { code, message, .. })) => {
                self.fail(format!("ERROR {code}: {message}"));
                Ok(None)
            }
            Err(Error::Row(error)) => {
                self.fail(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn fail(&self, reason: String) {
        // The first reason is the one that explains the others.
        let _ = self.failure.set(reason);
        self.give_up();
    }

    /// Whether it is looked at no more.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Relaxed)
    }

    /// Why it could not be compared.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// How many rows each node had.
    pub(super) fn rows(&self) -> [u64; 2] {
        self.rows.each_ref().map(|rows| rows.load(Relaxed))
    }
}

/// What the server thinks of a table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    /// How many rows it has.
    pub(super) rows: u64,
    /// How long they are, all together.
    pub(super) bytes: u64,
}

impl Table {
    pub(super) fn new(info: TableInfo, size: Size, hash: Hash, only: Option<String>) -> Self {
        Self {
            info,
            size,
            begun: None,
            hash,
            only,
            tally: Tally::default(),
        }
    }

    /// A run that was killed has compared it so far. Not where it has another definition by now.
    pub(super) fn go_on(&mut self, begun: &Begun) {
        if begun.definition == self.fingerprint() {
            self.tally.add(begun.rows);
            self.begun = Some(begun.clone());
        }
    }

    /// Another number for another definition: other columns, types or keys; or for another condition.
    pub(super) fn fingerprint(&self) -> u64 {
        let all = Span::default();
        let parts = [self.sum_sql(&all), self.nth_sql(&all, 1)];
        let parts = parts.map(Result::unwrap_or_default);
        xxh3_64(parts.join(" ").as_bytes())
    }

    /// See [`TableInfo::is_walkable`].
    pub(super) fn has_key(&self) -> bool {
        self.info.is_walkable()
    }

    /// How many rows there are, and one value for all of them.
    pub(super) fn sum_sql(&self, span: &Span) -> Result<String, RowError> {
        let sum = self.hash.sum(&self.info, self.has_key());
        self.select(span, &format!("COUNT(*), {sum}"))
    }

    /// No row, but the server looks at the condition for them.
    pub(super) fn none_sql(&self) -> Result<String, RowError> {
        Ok(self.select(&Span::default(), "1")? + " LIMIT 0")
    }

    /// The key of the `n`th row, or nothing.
    pub(super) fn nth_sql(&self, span: &Span, n: u64) -> Result<String, RowError> {
        span.nth(&self.info, n, self.only.as_deref())
    }

    /// Each row's key, and the hash of all that it stores.
    pub(super) fn digests_sql(&self, span: &Span) -> Result<String, RowError> {
        self.select(span, &self.digest_columns()?)
    }

    /// The same of the rows with these keys.
    pub(super) fn digests_of_sql(&self, keys: &[Vec<Value>]) -> Result<String, RowError> {
        Ok(format!(
            "SELECT {} FROM {} WHERE {}",
            self.digest_columns()?,
            self.info.sql_name(),
            self.any_of(keys)?
        ))
    }

    /// The rows with these keys, in full; `locked` until the transaction ends: others may read them, nobody change them.
    pub(super) fn rows_sql(&self, keys: &[Vec<Value>], locked: bool) -> Result<String, RowError> {
        // This spelling takes SELECT only, on every server.
        let lock = if locked { " LOCK IN SHARE MODE" } else { "" };
        Ok(format!(
            "SELECT {} FROM {} WHERE {}{lock}",
            select_list(&self.info),
            self.info.sql_name(),
            self.any_of(keys)?
        ))
    }

    /// For a table without a key: the beginnings of its rows' hashes, how many rows have each, and one value for all of them.
    pub(super) fn buckets_sql(&self) -> Result<String, RowError> {
        let what = format!(
            "{}, COUNT(*), {}",
            self.bucket(),
            self.hash.sum(&self.info, false)
        );
        Ok(self.select(&Span::default(), &what)? + " GROUP BY 1")
    }

    /// Each row's hash, and how many rows have it, where it begins like one of these.
    pub(super) fn groups_sql(&self, buckets: &[String]) -> Result<String, RowError> {
        let condition = format!("{} IN ({})", self.bucket(), texts(buckets));
        let what = format!("{}, COUNT(*)", self.hash.row(&self.info));
        Ok(self.select_where(&condition, &what)? + " GROUP BY 1")
    }

    /// The rows with these hashes, in full, each with its hash before it.
    pub(super) fn rows_with_sql(&self, hashes: &[String]) -> Result<String, RowError> {
        let hash = self.hash.row(&self.info);
        let condition = format!("{hash} IN ({})", texts(hashes));
        self.select_where(&condition, &format!("{hash}, {}", select_list(&self.info)))
    }

    fn bucket(&self) -> String {
        format!("LEFT({}, {BUCKET_DIGITS})", self.hash.row(&self.info))
    }

    /// What [`Self::digests_sql`] selected.
    pub(super) fn digest(&self, mut row: RawRow) -> (RawRow, Option<Vec<u8>>) {
        let hash = row.pop().flatten();
        (row, hash)
    }

    /// The values of a key.
    pub(super) fn key(&self, key: RawRow) -> Result<Vec<Value>, RowError> {
        let columns = self.info.key()?.columns.clone();
        parse_columns(&self.info, columns.into_iter(), key)
    }

    /// A row that [`Self::rows_sql`] selected, and its key.
    pub(super) fn row(&self, row: RawRow) -> Result<(Vec<Value>, Row), RowError> {
        let row = parse_row(&self.info, row)?;
        Ok((key_of(&self.info, &row)?, row))
    }

    fn key_columns(&self) -> Result<String, RowError> {
        Ok(select_columns(
            &self.info,
            self.info.key()?.columns.iter().copied(),
        ))
    }

    fn digest_columns(&self) -> Result<String, RowError> {
        Ok(format!(
            "{}, {}",
            self.key_columns()?,
            self.hash.row(&self.info)
        ))
    }

    fn any_of(&self, keys: &[Vec<Value>]) -> Result<String, RowError> {
        let terms = keys
            .iter()
            .map(|key| Ok(format!("({})", locate(&self.info, key)?)));
        // Not by the user's condition: a row that meets it on one node only is on the other all the same.
        Ok(terms.collect::<Result<Vec<_>, RowError>>()?.join(" OR "))
    }

    fn select(&self, span: &Span, what: &str) -> Result<String, RowError> {
        span.select(&self.info, what, self.only.as_deref())
    }

    /// Of a table without a key, of which a stretch is all.
    fn select_where(&self, condition: &str, what: &str) -> Result<String, RowError> {
        let only = self.only.iter().map(|only| format!(" AND ({only})"));
        let terms = condition.to_owned() + &only.collect::<String>();
        Span::default().select(&self.info, what, Some(&terms))
    }
}

fn texts(texts: &[String]) -> String {
    let texts = texts.iter().map(|text| text_literal(text));
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
