//! A stretch of a table, in the order of the key that names its rows, and the statements that read one.

use twinlog_binlog::Value;

use crate::{Kind, RowError, TableInfo, identifier, literal, select_columns};

/// The rows whose key comes after one and not after another. `None` for no end on that side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span {
    /// The key before the first.
    pub after: Option<Vec<Value>>,
    /// The last key.
    pub upto: Option<Vec<Value>>,
}

impl Span {
    /// A condition for its rows that the key's index serves; empty for the whole table.
    fn condition(&self, table: &TableInfo) -> Result<String, RowError> {
        let mut terms = Vec::new();
        if let Some(key) = &self.after {
            terms.push(beyond(table, key, [">", ">"])?);
        }
        if let Some(key) = &self.upto {
            terms.push(beyond(table, key, ["<", "<="])?);
        }
        Ok(terms.join(" AND "))
    }

    /// Selects from its rows, and of those only from the ones that meet a condition of the user's. By the key's index, so
    /// that a stretch is read and no more.
    ///
    /// # Errors
    /// [`RowError::NoKey`], or [`RowError::WrongValue`] where a key is not one of the table.
    pub fn select(
        &self,
        table: &TableInfo,
        what: &str,
        only: Option<&str>,
    ) -> Result<String, RowError> {
        let mut sql = format!("SELECT {what} FROM {}", table.sql_name());
        if table.is_walkable() {
            sql += &format!(" FORCE INDEX ({})", identifier(&table.key()?.name));
        }
        let condition = Some(self.condition(table)?).filter(|condition| !condition.is_empty());
        let only = only.map(|only| format!("({only})"));
        let terms: Vec<String> = condition.into_iter().chain(only).collect();
        if !terms.is_empty() {
            sql += &format!(" WHERE {}", terms.join(" AND "));
        }
        Ok(sql)
    }

    /// Deletes its rows.
    ///
    /// # Errors
    /// [`RowError::NoKey`], or [`RowError::WrongValue`] where a key is not one of the table.
    pub fn delete(&self, table: &TableInfo) -> Result<String, RowError> {
        let condition = Some(self.condition(table)?).filter(|condition| !condition.is_empty());
        let condition = condition.map(|condition| format!(" WHERE {condition}"));
        Ok(format!(
            "DELETE FROM {}{}",
            table.sql_name(),
            condition.unwrap_or_default()
        ))
    }

    /// Selects the key of its `n`th row, counted from 1: nothing, where it has fewer.
    ///
    /// # Errors
    /// [`RowError::NoKey`], or [`RowError::WrongValue`] where a key is not one of the table.
    pub fn nth(&self, table: &TableInfo, n: u64, only: Option<&str>) -> Result<String, RowError> {
        let key = select_columns(table, table.key()?.columns.iter().copied());
        let sql = self.select(table, &key, only)?;
        Ok(format!(
            "{sql} ORDER BY {} LIMIT {}, 1",
            order(table)?,
            n.saturating_sub(1)
        ))
    }
}

impl TableInfo {
    /// Whether it can be cut into stretches and its rows be told apart: by a key that names every row and has its columns in
    /// full.
    pub fn is_walkable(&self) -> bool {
        let usable = |at: &usize| {
            let kind = &self.columns[*at].kind;
            !matches!(kind, Kind::Unknown(_) | Kind::Json | Kind::Geometry)
        };
        self.key()
            .is_ok_and(|key| !key.prefix && key.columns.iter().all(usable))
    }
}

/// A condition for the keys on one side of another. `(a, b) > (1, 2)` would say it, but servers read the whole index for
/// that: they know ranges of the columns only (MySQL's manual, "Range Optimization of Row Constructor Expressions").
/// `signs` are those for a column before the last, and for the last.
fn beyond(table: &TableInfo, key: &[Value], [sign, last]: [&str; 2]) -> Result<String, RowError> {
    let columns = &table.key()?.columns;
    let mut terms = columns.iter().zip(key).map(|(&at, value)| {
        let name = identifier(&table.columns[at].name);
        Ok((name, literal(table, at, value)?))
    });
    let mut terms: Vec<(String, String)> = terms.by_ref().collect::<Result<_, RowError>>()?;
    let Some((name, value)) = terms.pop() else {
        return Ok("TRUE".to_owned());
    };
    let innermost = format!("{name} {last} {value}");
    let condition = terms.iter().rev().fold(innermost, |inner, (name, value)| {
        format!("({name} {sign} {value} OR ({name} = {value} AND {inner}))")
    });
    Ok(match terms.first() {
        // What the index is entered by.
        Some((name, value)) => format!("{name} {sign}= {value} AND {condition}"),
        None => condition,
    })
}

/// The columns of the key that names rows, in its order, as `ORDER BY` takes them.
fn order(table: &TableInfo) -> Result<String, RowError> {
    let columns = table.key()?.columns.iter();
    let names = columns.map(|&at| identifier(&table.columns[at].name));
    Ok(names.collect::<Vec<_>>().join(", "))
}
