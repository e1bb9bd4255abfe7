//! A table to be compared, and the statements that ask a node about its rows. No connection here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use twinlog_binlog::Value;

use super::{
    hash::Hash,
    span::{self, Span},
};
use crate::row::{
    RawRow, RowError, TableInfo, identifier, key_of, locate, parse_columns, parse_row,
    select_columns, select_list,
};

/// A table that both nodes have, with the same columns.
#[derive(Debug)]
pub(super) struct Table {
    /// Its definition on the first node.
    pub(super) info: TableInfo,
    /// How many rows the server thinks it has.
    pub(super) rows_estimated: u64,
    hash: Hash,
    /// The user's condition.
    only: Option<String>,
    pub(super) tally: Tally,
}

/// What was seen of a table.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Stretches that are being compared.
    under_way: AtomicU64,
    is_cut: AtomicBool,
    is_given_up: AtomicBool,
    rows: [AtomicU64; 2],
    /// Rows that differ, or may.
    differing: AtomicU64,
}

impl Tally {
    /// A stretch is being compared.
    pub(super) fn begin(&self, is_last: bool) {
        self.under_way.fetch_add(1, Relaxed);
        self.is_cut.fetch_or(is_last, Relaxed);
    }

    /// A stretch was compared, in which each node has so many rows. Whether it was the last of the table.
    pub(super) fn end(&self, rows: [u64; 2]) -> bool {
        for (all, rows) in self.rows.iter().zip(rows) {
            all.fetch_add(rows, Relaxed);
        }
        self.under_way.fetch_sub(1, Relaxed) == 1 && self.is_cut.load(Relaxed)
    }

    /// So many more rows may differ. Beyond `max` the rest of the table is not worth a look.
    pub(super) fn suspect(&self, rows: u64, max: u64) {
        if self.differing.fetch_add(rows, Relaxed) + rows > max {
            self.is_given_up.store(true, Relaxed);
        }
    }

    /// A row does not differ.
    pub(super) fn cleared(&self) {
        self.differing.fetch_sub(1, Relaxed);
    }

    /// Whether it has more differences than are wanted.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Relaxed)
    }

    /// How many rows each node had.
    pub(super) fn rows(&self) -> [u64; 2] {
        self.rows.each_ref().map(|rows| rows.load(Relaxed))
    }
}

/// A row as the comparison sees it: the key's columns as they came, and the hash of all that is stored.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) key: RawRow,
    pub(super) hash: Option<Vec<u8>>,
}

impl Table {
    pub(super) fn new(
        info: TableInfo,
        rows_estimated: u64,
        hash: Hash,
        only: Option<String>,
    ) -> Self {
        Self {
            info,
            rows_estimated,
            hash,
            only,
            tally: Tally::default(),
        }
    }

    /// Whether it can be walked and its rows be told apart: by a key that names every row and has its columns in full.
    pub(super) fn has_key(&self) -> bool {
        let usable = |at: &usize| {
            let kind = &self.info.columns[*at].kind;
            !matches!(
                kind,
                crate::row::Kind::Unknown(_) | crate::row::Kind::Json | crate::row::Kind::Geometry
            )
        };
        self.info
            .key()
            .is_ok_and(|key| !key.prefix && key.columns.iter().all(usable))
    }

    /// How many rows there are, and one value for all of them.
    pub(super) fn sum_sql(&self, span: &Span) -> Result<String, RowError> {
        let sum = self.hash.sum(&self.info, self.has_key());
        self.select(&format!("COUNT(*), {sum}"), &span.condition(&self.info)?)
    }

    /// No row, but the server looks at the condition for them.
    pub(super) fn none_sql(&self) -> Result<String, RowError> {
        Ok(self.select("1", "")? + " LIMIT 0")
    }

    /// The key of the `n`th row, or nothing.
    pub(super) fn nth_sql(&self, span: &Span, n: u64) -> Result<String, RowError> {
        let mut sql = self.select(&self.key_columns()?, &span.condition(&self.info)?)?;
        sql += &format!(
            " ORDER BY {} LIMIT {}, 1",
            span::order(&self.info)?,
            n.saturating_sub(1)
        );
        Ok(sql)
    }

    /// Each row's [`Digest`].
    pub(super) fn digests_sql(&self, span: &Span) -> Result<String, RowError> {
        self.select(&self.digest_columns()?, &span.condition(&self.info)?)
    }

    /// The [`Digest`]s of the rows with these keys.
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

    /// For a table without a key: each row's hash, and how many rows have it.
    pub(super) fn groups_sql(&self) -> Result<String, RowError> {
        let mut sql = self.select(
            &format!("{} AS row_hash, COUNT(*)", self.hash.row(&self.info)),
            "",
        )?;
        sql += " GROUP BY row_hash";
        Ok(sql)
    }

    /// One of the rows with that hash, in full.
    pub(super) fn row_with_sql(&self, hash: &[u8]) -> Result<String, RowError> {
        let condition = format!(
            "{} = {}",
            self.hash.row(&self.info),
            crate::row::text_literal(&String::from_utf8_lossy(hash))
        );
        Ok(self.select(&select_list(&self.info), &condition)? + " LIMIT 1")
    }

    /// What [`Self::digests_sql`] selected.
    pub(super) fn digest(&self, mut row: RawRow) -> Digest {
        let hash = row.pop().flatten();
        Digest { key: row, hash }
    }

    /// The values of a key.
    pub(super) fn key(&self, key: RawRow) -> Result<Vec<Value>, RowError> {
        let columns = self.info.key()?.columns.clone();
        parse_columns(&self.info, columns.into_iter(), key)
    }

    /// A row that [`Self::rows_sql`] selected, and its key.
    pub(super) fn row(&self, row: RawRow) -> Result<(Vec<Value>, crate::row::Row), RowError> {
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
        let terms = terms.collect::<Result<Vec<_>, RowError>>()?;
        let any = terms.join(" OR ");
        Ok(match &self.only {
            Some(only) => format!("({any}) AND ({only})"),
            None => any,
        })
    }

    /// By the key's index, so that a stretch is read and no more.
    fn select(&self, what: &str, condition: &str) -> Result<String, RowError> {
        let mut sql = format!("SELECT {what} FROM {}", self.info.sql_name());
        if self.has_key() {
            sql += &format!(" FORCE INDEX ({})", identifier(&self.info.key()?.name));
        }
        let only = self.only.as_ref().map(|only| format!("({only})"));
        let condition = Some(condition.to_owned()).filter(|condition| !condition.is_empty());
        let terms: Vec<String> = condition.into_iter().chain(only).collect();
        if !terms.is_empty() {
            sql += &format!(" WHERE {}", terms.join(" AND "));
        }
        Ok(sql)
    }
}
