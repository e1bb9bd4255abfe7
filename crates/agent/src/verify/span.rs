//! A stretch of a table, in the order of the key that names its rows.

use twinlog_binlog::Value;

use crate::row::{RowError, TableInfo, identifier, literal};

/// The rows whose key comes after one and not after another. `None` for no end on that side.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Span {
    /// The key before the first.
    pub(super) after: Option<Vec<Value>>,
    /// The last key.
    pub(super) upto: Option<Vec<Value>>,
}

impl Span {
    /// A condition for its rows that the key's index serves; empty for the whole table.
    ///
    /// # Errors
    /// [`RowError::NoKey`], or [`RowError::WrongValue`] where a key is not one of the table.
    pub(super) fn condition(&self, table: &TableInfo) -> Result<String, RowError> {
        let mut terms = Vec::new();
        if let Some(key) = &self.after {
            terms.push(beyond(table, key, [">", ">"])?);
        }
        if let Some(key) = &self.upto {
            terms.push(beyond(table, key, ["<", "<="])?);
        }
        Ok(terms.join(" AND "))
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
///
/// # Errors
/// [`RowError::NoKey`].
pub(super) fn order(table: &TableInfo) -> Result<String, RowError> {
    let columns = table.key()?.columns.iter();
    let names = columns.map(|&at| identifier(&table.columns[at].name));
    Ok(names.collect::<Vec<_>>().join(", "))
}
